#!/bin/sh
# Linux 6.18: a dump of the connection tracking table takes as long as the table has buckets, not entries.
#
# ctnetlink_dump_table() of net/netfilter/nf_conntrack_netlink.c takes and releases a lock for every bucket, also an
# empty one; nf_conntrack_buckets is 262144 on a machine with more than 4 GB. So `conntrack -L` or `-D` takes some 15 ms
# in a namespace with one entry. What goes over the same table with no lock for empty buckets takes half a millisecond:
# /proc/net/nf_conntrack, and a deletion by a filter (CTA_FILTER, Linux 6.8).
#
# Needs root, nft, python3, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

unshare -n sh -c '
	ip link set lo up
	nft "add table ip x; add chain ip x y { type filter hook output priority 0; }; add rule ip x y ct state new"
	python3 -' <<'EOF'
import socket
import struct
import sys
import time

netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.sendto(b"x", ("127.0.0.1", 9))


def attr(kind, payload, nested=0x8000):
    return struct.pack("=HH", 4 + len(payload), kind | nested) + payload


def dump():
    netlink.send(struct.pack("=IHHIIBBH", 20, 0x101, 0x301, 1, 0, 2, 0, 0))
    while struct.unpack_from("=IH", netlink.recv(1 << 16))[1] not in (2, 3):
        pass


def delete():
    source = attr(1, attr(1, attr(1, socket.inet_aton("192.0.2.9"), 0)))
    flags = attr(1, struct.pack("=I", 1), 0) + attr(2, bytes(4), 0)
    body = struct.pack("=BBH", 2, 0, 0) + source + attr(25, flags)
    netlink.send(struct.pack("=IHHII", 16 + len(body), 0x102, 5, 1, 0) + body)
    assert struct.unpack_from("=i", netlink.recv(1 << 16), 16)[0] == 0


def text():
    with open("/proc/thread-self/net/nf_conntrack", "rb") as file:
        assert b"dst=127.0.0.1" in file.read()


def fastest(work):
    found = []
    for _ in range(15):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found) * 1000


with open("/proc/sys/net/netfilter/nf_conntrack_buckets") as file:
    buckets = int(file.read())
times = {work.__name__: fastest(work) for work in (dump, delete, text)}
print(buckets, "buckets;", ", ".join(f"{name} {taken:.2f} ms" for name, taken in times.items()))
slow = times["dump"] > 5 * max(times["delete"], times["text"])
if buckets >= 65536 and not slow:
    print("It behaves otherwise now.", file=sys.stderr)
    sys.exit(1)
EOF
