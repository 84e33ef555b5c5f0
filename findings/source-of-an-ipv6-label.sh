#!/bin/sh
# Linux 6.18: a second IPv6 address is kept from being the source of other networks only by ip-addrlabel(8).
#
# A host has 2001:db8:1::1/64 and a second address, 2001:db8:2::5/64. It is to send from the second one within
# 2001:db8:2::/64, and from the first one anywhere else. By rule 8 of RFC 6724 (the longest prefix) it does not.
# - `preferred_lft 0` keeps the second one from all networks, also from its own, unless the route there names it
#   (RTA_PREFSRC). The kernel refuses such a route (EINVAL) as long as the address is tentative (ipv6_chk_addr), and
#   nobody adds it later.
# - A label of the policy table for prefix and device (rule 6) does both at once. The entry has no owner, RTM_NEWADDRLABEL
#   is sent to no group of rtnetlink, and the entry outlives the device: one of the same ifindex would have it, too.
#
# Seen:
#   plain: 2001:db8:2::9 2001:db8:2::5, 2001:db8:2:1::9 2001:db8:2::5
#   deprecated: 2001:db8:2::9 2001:db8:1::1, 2001:db8:2:1::9 2001:db8:1::1
#   route with a source while tentative: refused
#   label: 2001:db8:2::9 2001:db8:2::5, 2001:db8:2:1::9 2001:db8:1::1
#   label without its device: 1
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
ip addr add 2001:db8:1::1/64 dev v0 nodad
ip -6 route add default dev v0

from() { # HOST
	ip -6 route get "$1" | awk -v host="$1" '{ for (i = 1; i < NF; i++) if ($i == "src") print host " " $(i + 1) }'
}
both() {
	echo "$1: $(from 2001:db8:2::9), $(from 2001:db8:2:1::9)"
}

ip addr add 2001:db8:2::5/64 dev v0 nodad
both plain
ip addr change 2001:db8:2::5/64 dev v0 preferred_lft 0
both deprecated
ip addr del 2001:db8:2::5/64 dev v0
ip addr add 2001:db8:2::5/64 dev v0 preferred_lft 0
if ip -6 route replace 2001:db8:2::/64 dev v0 src 2001:db8:2::5 2>/dev/null; then answer=taken; else answer=refused; fi
echo "route with a source while tentative: $answer"
ip addr del 2001:db8:2::5/64 dev v0
ip addr add 2001:db8:2::5/64 dev v0 nodad
ip addrlabel add prefix 2001:db8:2::/64 dev v0 label 97
both label
ip link del v0
echo "label without its device: $(ip addrlabel list | grep -c '2001:db8:2::/64')"
EOF
)
echo "$seen"
[ "$seen" = "plain: 2001:db8:2::9 2001:db8:2::5, 2001:db8:2:1::9 2001:db8:2::5
deprecated: 2001:db8:2::9 2001:db8:1::1, 2001:db8:2:1::9 2001:db8:1::1
route with a source while tentative: refused
label: 2001:db8:2::9 2001:db8:2::5, 2001:db8:2:1::9 2001:db8:1::1
label without its device: 1" ]
