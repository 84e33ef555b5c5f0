#!/bin/sh
# Linux 6.18: the route with a source address goes with that address in IPv4, and stays without it in IPv6.
#
# `ip route add ... src ADDRESS` is one attribute (RTA_PREFSRC) in both families. When the address is deleted,
# fib_sync_down_addr() of net/ipv4/fib_semantics.c removes each IPv4 route that has it;
# rt6_remove_prefsrc() of net/ipv6/route.c clears the attribute and keeps the route. So who watches a default route with a
# source through a change of address finds no way out in IPv4, and in IPv6 a way with whatever source the kernel chooses.
#
# Seen:
#   before: 192.0.2.0/24 src 10.0.0.2; 2001:db8:f::/48 src 2001:db8::2
#   after: none; 2001:db8:f::/48 src none
#
# Needs root, or user namespaces; ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

user=
[ "$(id -u)" -eq 0 ] || user='--user --map-root-user'

# shellcheck disable=SC2086 # two words or none
seen=$(unshare $user -n sh -eu <<'EOF'
ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up
ip addr add 10.0.0.1/24 dev v0
ip addr add 10.0.0.2/32 dev v0
ip addr add 2001:db8::1/64 dev v0 nodad
ip addr add 2001:db8::2/128 dev v0 nodad
ip route add 192.0.2.0/24 dev v0 src 10.0.0.2
ip route add 2001:db8:f::/48 dev v0 src 2001:db8::2

said() { # FAMILY NETWORK
	ip "$1" route show "$2" | awk '{ source = "none"; for (i = 1; i < NF; i++) if ($i == "src") source = $(i + 1)
		print $1 " src " source; found = 1 } END { if (!found) print "none" }'
}

echo "before: $(said -4 192.0.2.0/24); $(said -6 2001:db8:f::/48)"
ip addr del 10.0.0.2/32 dev v0
ip addr del 2001:db8::2/128 dev v0
echo "after: $(said -4 192.0.2.0/24); $(said -6 2001:db8:f::/48)"
EOF
)
echo "$seen"
[ "$seen" = "before: 192.0.2.0/24 src 10.0.0.2; 2001:db8:f::/48 src 2001:db8::2
after: none; 2001:db8:f::/48 src none" ]
