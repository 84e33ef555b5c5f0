#!/bin/sh
# ifupdown-ng 0.11.4~rc1 (Debian 12): "auto" takes one interface, and passes over the others of its line.
#
# To interfaces(5) of ifupdown, "auto eth9 eth9:1" means both. ifupdown-ng marks the first one only, without a
# warning (handle_auto() of libifupdown/interface-file.c), so "ifup -a" brings up eth9 and leaves eth9:1 down. Two
# lines bring up both.
#
# Needs apt-get, dpkg and unshare; installs nothing and changes nothing (-n). Ends with 1 where it behaves otherwise,
# with 77 where the package cannot be had.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download 'ifupdown-ng=0.11.4~rc1*' 2>/dev/null || exit 77
dpkg -x ifupdown-ng_*.deb .

ask() { # LINES: the interfaces that ifup -a would bring up
	printf '%s\n' "$@" 'iface eth9' '    address 192.0.2.1/24' 'iface eth9:1' '    address 192.0.2.2/24' >interfaces
	unshare -n sbin/ifup -a -n -v -i interfaces -S state 2>&1 |
		sed -n "s/^ifup: changing state of interface \([^ ]*\) to 'up'.*/\1/p" | paste -sd ' '
}

seen=$(
	echo "one line: $(ask 'auto eth9 eth9:1')"
	echo "two lines: $(ask 'auto eth9' 'auto eth9:1')"
)
echo "$seen"
[ "$seen" = 'one line: lo eth9
two lines: lo eth9 eth9:1' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
