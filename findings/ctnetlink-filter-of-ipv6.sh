#!/bin/sh
# Linux 6.18: a filter of ctnetlink by an IPv6 address finds the entries of all other addresses.
#
# CTA_FILTER (Linux 5.8; for deletions 6.8) tells which fields of the tuples in a request count. For IPv4 the entries
# with that address are listed, or deleted. For IPv6 ctnetlink_filter_match_tuple() of net/netfilter/nf_conntrack_netlink.c
# takes ipv6_addr_cmp(), which is 0 for equal addresses, as if it were ipv6_addr_equal(): an entry with that address is
# passed over, and one with any other address is taken. So a deletion by one source address deletes all entries but its own.
#
# Needs root, nft, python3, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	ip link set lo up
	for last in 1 2 3; do
		ip addr add "192.0.2.$last/32" dev lo
		ip addr add "2001:db8::$last/128" dev lo nodad
	done
	for family in ip ip6; do
		nft "add table $family x; add chain $family x y { type filter hook postrouting priority 0; }; add rule $family x y ct state new"
	done
	python3 -' <<'EOF'
import socket
import struct

GET, DELETE, DUMP, ACK = 0x101, 0x102, 0x300, 4
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)


def attr(kind, payload, nested=0):
    padded = payload + bytes(-len(payload) % 4)
    return struct.pack("=HH", 4 + len(payload), kind | nested) + padded


def nest(kind, payload):
    return attr(kind, payload, 0x8000)


def send(kind, flags, family, address):
    source = nest(1, nest(1, attr(1 if family == 2 else 3, address)))
    only = nest(25, attr(1, struct.pack("=I", 1)) + attr(2, bytes(4)))
    body = struct.pack("=BBH", family, 0, 0) + source + only
    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, flags | 1, 1, 0) + body)


def listed(family, address):
    send(GET, DUMP, family, address)
    size, found = len(address), set()
    while True:
        data = netlink.recv(1 << 16)
        while data:
            length, kind = struct.unpack_from("=IH", data)
            if kind in (2, 3):
                return "".join(str(one[-1]) for one in sorted(found))
            found.add(data[32 : 32 + size])  # CTA_TUPLE_ORIG, CTA_TUPLE_IP, the source
            data = data[(length + 3) & ~3 :]


for family, text in ((socket.AF_INET, "192.0.2.{}"), (socket.AF_INET6, "2001:db8::{}")):
    for last in (1, 2, 3):
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.bind((text.format(last), 1000))
            one.sendto(b"x", (text.format(1), 9))
    address = socket.inet_pton(family, text.format(1))
    found = listed(family, address)
    send(DELETE, ACK, family, address)
    code = struct.unpack_from("=i", netlink.recv(1 << 16), 16)[0]
    print(text.format(1), "lists", found, "delete", code, "then it lists", listed(family, address))
EOF
)
echo "$seen"
[ "$seen" = '192.0.2.1 lists 1 delete 0 then it lists 
2001:db8::1 lists 23 delete 0 then it lists ' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
