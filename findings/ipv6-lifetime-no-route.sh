#!/bin/sh
# Linux 6.18, iproute2: an IPv6 address with a lifetime that waits for its device never gets a route.
#
# An address that is added to a device which is down has no connected route until the device comes up. Then the
# kernel adds the routes of permanent addresses only (fixup_permanent_addr() of net/ipv6/addrconf.c). An address with
# valid_lft becomes usable at the same moment, and its network stays unreachable, for as long as it lives. On a
# device that is up the same command adds the route at once. IPv4 makes no such difference.
#
# Needs root, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	ip link add eth9 type veth peer name p9
	ip link set p9 up
	ip addr add 192.0.2.1/24 dev eth9 valid_lft 400 preferred_lft 400
	ip addr add 2001:db8:1::1/64 dev eth9 valid_lft 400 preferred_lft 400 nodad
	ip addr add 2001:db8:2::1/64 dev eth9 nodad
	ip link set eth9 up
	ip addr add 2001:db8:3::1/64 dev eth9 valid_lft 400 preferred_lft 400 nodad
	for network in 192.0.2.0/24 2001:db8:1::/64 2001:db8:2::/64 2001:db8:3::/64; do
		ip -"$(case $network in *:*) echo 6 ;; *) echo 4 ;; esac)" route show "$network" dev eth9 | grep -q . &&
			echo "$network" routed || echo "$network" none
	done')
echo "$seen"
[ "$seen" = '192.0.2.0/24 routed
2001:db8:1::/64 none
2001:db8:2::/64 routed
2001:db8:3::/64 routed' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
