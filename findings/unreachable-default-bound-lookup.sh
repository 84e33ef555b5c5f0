#!/bin/sh
# Linux 6.18, iproute2: an unreachable default route ends the lookup of a socket that is bound to another device, for
# IPv4 and not for IPv6.
#
# The main table has no route for the bound device, and a rule behind it leads to a table that has one. Without more,
# both families find it. An unreachable, blackhole or prohibit default in the main table, of whatever metric, names no
# device. IPv4 takes it for an answer all the same (fib_table_lookup() of net/ipv4/fib_trie.c looks at the type of a
# route before its device), so the rule behind is never reached. IPv6 passes over it, since its device is lo.
#
# Needs root, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	for name in eth8 eth9; do
		ip link add "$name" type veth peer name "p$name"
		ip link set "$name" up
		ip link set "p$name" up
	done
	ip addr add 192.0.2.1/24 dev eth9
	ip addr add 2001:db8:1::1/64 dev eth9 nodad
	ip route add default via 192.0.2.254 dev eth9 table 100
	ip -6 route add default via 2001:db8:1::fe dev eth9 table 100
	ip rule add oif eth9 lookup 100 priority 40000
	ip -6 rule add oif eth9 lookup 100 priority 40000
	found() { ip "$1" route get "$2" oif eth9 2>/dev/null | grep -q via && echo found || echo nothing; }
	both() { echo "$1: $(found -4 198.51.100.1) $(found -6 2001:db8:9::1)"; }
	both none
	for type in unreachable blackhole prohibit throw; do
		ip route add "$type" default metric 4000000000
		ip -6 route add "$type" default metric 4000000000
		both "$type"
		ip route del "$type" default metric 4000000000
		ip -6 route del "$type" default metric 4000000000
	done')
echo "$seen"
[ "$seen" = 'none: found found
unreachable: nothing found
blackhole: nothing found
prohibit: nothing found
throw: found found' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
