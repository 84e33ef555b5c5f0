#!/bin/sh
# net-tools 2.10 (Debian 12, amd64): "ifconfig eth0:1 192.0.2.1/32" sets the length 0, not 32.
#
# ADDRESS/LENGTH is a form of ifconfig(8). With 32, the usual length of an alias, the netmask comes out as
# 0.0.0.0 (on this processor a 32-bit number that is shifted by 32 places stays what it was). The kernel then
# has 192.0.2.1/0 with the broadcast address 255.255.255.255. Status 0, nothing is said.
# "netmask 255.255.255.255" and all other lengths do as they say.
#
# Seen on Linux 6.18, from the namespace below:
#   192.0.2.1/32                          192.0.2.1/0 brd 255.255.255.255
#   192.0.2.1/31                          192.0.2.1/31
#   192.0.2.1 netmask 255.255.255.255     192.0.2.1/32
#
# Needs apt-get, dpkg, unshare and ip; installs nothing. Ends with 1 where it behaves otherwise, with 77
# where the package cannot be had.
set -eu

if [ "${1-}" != inside ]; then
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	(cd "$folder" && apt-get -qq download net-tools=2.10-0.1+deb12u2 2>/dev/null) || exit 77
	dpkg -x "$folder"/net-tools_*.deb "$folder"
	user=--map-root-user
	[ "$(id -u)" -eq 0 ] && user=
	unshare $user --net sh "$0" inside "$folder"
	exit
fi

cd "$2"
ip link add eth0 type veth peer name peer
ip link set peer up
ip link set eth0 up
try() { # WORDS OF ifconfig
	sbin/ifconfig eth0:1 "$@"
	ip -br -4 addr show dev eth0 | awk '{print $3}'
	ip addr flush dev eth0
}
{
	try 192.0.2.1/32
	try 192.0.2.1/31
	try 192.0.2.1 netmask 255.255.255.255
} >seen
cat seen
cat >expected <<'END'
192.0.2.1/0
192.0.2.1/31
192.0.2.1/32
END
cmp -s seen expected || { echo 'It behaves otherwise now.' >&2 && exit 1; }
