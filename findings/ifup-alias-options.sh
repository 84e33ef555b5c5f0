#!/bin/sh
# ifupdown 0.8.41 (Debian 12): options in the stanza of an alias change its main device, for good.
#
# interfaces(5) lists mtu, hwaddress and description among the options of "inet static", and
# "iface eth0:1 inet static" is such a stanza. ifup runs "ip link set dev eth0:1 mtu 1400 address ...";
# the ioctl that finds the device cuts the name at its colon, so that eth0 gets all three. ifdown of the
# alias gives nothing back, though ifup and ifdown both end with status 0.
#
# Seen on Linux 6.18, iproute2 6.1.0, from the namespace below:
#   before 1500 02:00:00:00:00:01
#   up 1400 02:00:00:00:00:77 second
#   down 1400 02:00:00:00:00:77 second
# which are MTU, MAC and ifalias text of eth0.
#
# Needs apt-get, dpkg, unshare and ip; installs nothing. Ends with 1 where it behaves otherwise, with 77
# where the package cannot be had.
set -eu

if [ "${1-}" != inside ]; then
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	(cd "$folder" && apt-get -qq download ifupdown=0.8.41 2>/dev/null) || exit 77
	dpkg -x "$folder"/ifupdown_*.deb "$folder"
	user=--map-root-user
	[ "$(id -u)" -eq 0 ] && user=
	unshare $user --net sh "$0" inside "$folder"
	exit
fi

cd "$2"
cat >interfaces <<'END'
auto eth0:1
iface eth0:1 inet static
    address 192.0.2.1/24
    mtu 1400
    hwaddress 02:00:00:00:00:77
    description second
END
seen() { # WHEN
	ip link show dev eth0 | sed -n "
		s/.* mtu \([0-9]*\) .*/\1/p; s/.*link.ether \([0-9a-f:]*\) .*/\1/p; s/^ *alias //p" |
		paste -sd ' ' | sed "s/^/$1 /"
}
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer
ip link set peer up
{
	seen before
	sbin/ifup --no-scripts --state-dir state -i interfaces -a
	seen up
	sbin/ifdown --no-scripts --state-dir state -i interfaces eth0:1
	seen down
} >seen
cat seen
cat >expected <<'END'
before 1500 02:00:00:00:00:01
up 1400 02:00:00:00:00:77 second
down 1400 02:00:00:00:00:77 second
END
cmp -s seen expected || { echo 'It behaves otherwise now.' >&2 && exit 1; }
