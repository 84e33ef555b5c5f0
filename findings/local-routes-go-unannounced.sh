#!/bin/sh
# Linux 6.18, iproute2: the local routes of a device go with its last IPv4 address, and nobody is told; those that IPv6
# loses when the device goes down are announced one by one.
#
# A route `local NETWORK dev eth9` makes a whole network the host's own. It stands in the table local like the routes of
# addresses, but the kernel deletes it when the last IPv4 address of the device is deleted (fib_disable_ip() of
# net/ipv4/fib_frontend.c flushes all routes of the device), and `ip monitor route` sees the routes of the address
# only. Taking the device down leaves it. An address with another address beside it may go without harm.
#
# Needs root, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	ip link add eth9 type veth peer name p9
	ip link set eth9 up
	ip link set p9 up
	ip addr add 192.0.2.1/24 dev eth9
	ip addr add 198.51.100.1/24 dev eth9
	ip route add local 10.9.0.0/16 dev eth9 table local
	ip -6 route add local 2001:db8:9::/64 dev eth9 table local
	count() { ip "$1" route show table local | grep -c "$2" || :; }
	heard=$(mktemp)
	ip monitor route >"$heard" &
	monitor=$!
	sleep 1
	ip addr del 198.51.100.1/24 dev eth9
	echo "one of two addresses deleted: $(count -4 10.9.0.0/16)"
	ip addr del 192.0.2.1/24 dev eth9
	echo "the last one deleted: $(count -4 10.9.0.0/16)"
	ip addr add 192.0.2.1/24 dev eth9
	ip route add local 10.9.0.0/16 dev eth9 table local
	ip link set eth9 down
	echo "the device down: $(count -4 10.9.0.0/16) and of IPv6 $(count -6 2001:db8:9::/64)"
	sleep 1
	kill $monitor
	echo "announced as deleted: $(grep -c "Deleted local 10.9.0.0/16" "$heard" || :)" \
		"and of IPv6 $(grep -c "Deleted local 2001:db8:9::/64" "$heard" || :)"
	rm "$heard"
')
expected='one of two addresses deleted: 1
the last one deleted: 0
the device down: 1 and of IPv6 0
announced as deleted: 0 and of IPv6 1'
printf '%s, %s\n%s\n' "$(uname -sr)" "$(ip -V)" "$seen"
[ "$seen" = "$expected" ]
