#!/bin/sh
# Linux 6.18, iproute2: over a veth no broadcast of a macvlan in bridge mode leaves, and its sender is told ENOBUFS, once
# there are more siblings that are up than fit the backlog of one processor.
#
# The driver first hands a copy to every sibling (macvlan_broadcast() of drivers/net/macvlan.c), and each copy goes
# through the backlog of this processor (net.core.netdev_max_backlog, 1000 by default). A veth hands the frame to its
# peer through the same backlog, which is full by then, every time (veth_xmit() of drivers/net/veth.c). Over the lower
# device, with the MAC of the macvlan in the frame, the same broadcast is sent and heard.
#
# Needs root, ip, unshare and python3. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n python3 - <<'END'
import subprocess
from errno import ENOBUFS
from socket import AF_PACKET, SOCK_RAW, htons, socket
from time import sleep

TYPE = 0x88B5  # for local experiments (IEEE 802)
FRAMES = 10


def ip(lines):
    subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True)


def siblings(first, last):
    ip("".join(f"link add m{n} link eth9 up type macvlan mode bridge\n" for n in range(first, last)))
    sleep(2)


def heard(peer):
    count = 0
    peer.settimeout(1)
    try:
        while True:
            count += peer.recv(100)[12:14] == TYPE.to_bytes(2, "big")
    except TimeoutError:
        return count


def told(device, peer):
    refused = 0
    with socket(AF_PACKET, SOCK_RAW, 0) as sender:
        sender.bind((device, TYPE))
        for _ in range(FRAMES):
            try:
                sender.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + TYPE.to_bytes(2, "big") + bytes(46))
            except OSError as error:
                refused += error.errno == ENOBUFS
            sleep(0.05)
    return f"{device}: {refused} of {FRAMES} refused with ENOBUFS, {heard(peer)} heard"


ip("link add eth9 type veth peer name p9\nlink set eth9 up\nlink set p9 up\n")
with socket(AF_PACKET, SOCK_RAW, htons(TYPE)) as peer:
    peer.bind(("p9", TYPE))
    siblings(0, 900)
    print("900 macvlans,", told("m0", peer))
    siblings(900, 1100)
    print("1100 macvlans,", told("m0", peer))
    print("1100 macvlans,", told("eth9", peer))
END
)
echo "$seen"
[ "$seen" = '900 macvlans, m0: 0 of 10 refused with ENOBUFS, 10 heard
1100 macvlans, m0: 10 of 10 refused with ENOBUFS, 0 heard
1100 macvlans, eth9: 0 of 10 refused with ENOBUFS, 10 heard' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
