#!/bin/sh
# Linux 6.18: to change the lifetime of an IPv6 address may take the prefix route of another address away.
#
# Two addresses of one /64 on a device, of which one has a metric (`ip addr add ... metric`), have a prefix route each:
# metric 256 and the given one. Any change in place of the address with the metric (`ip addr replace ... preferred_lft`)
# deletes the route of the other: modify_prefix_route() of net/ipv6/addrconf.c looks the route up by prefix and device
# alone, finds the first one, sees that its metric is not that of the address, deletes it, and adds one that is there
# already. When the changed address is deleted afterwards, its route stays (check_cleanup_prefix_route); delete that
# too, and the address that was never touched is without a route.
#
# Seen:
#   added: 256 512
#   changed: 512
#   deleted: 512
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

metrics() { # WHAT
	echo "$1:$(ip -6 route show 2001:db8::/64 dev v0 | sed 's/.* metric \([0-9]*\) .*/ \1/' | tr -d '\n')"
}

ip addr add 2001:db8::5/64 dev v0 nodad metric 512
ip addr add 2001:db8::1/64 dev v0 nodad
metrics added
ip addr replace 2001:db8::5/64 dev v0 nodad metric 512 preferred_lft 0
metrics changed
ip addr del 2001:db8::5/64 dev v0
metrics deleted
EOF
)
echo "$seen"
[ "$seen" = "added: 256 512
changed: 512
deleted: 512" ]
