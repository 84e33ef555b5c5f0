#!/bin/sh
# Linux 6.18: packets that wait in a TUN device when its offloads are switched off still come with partial checksums.
#
# TUNSETOFFLOAD changes the features of the device, and with them what the stack hands over from then on. What is in the
# queue already was made for the former features: such a packet has the flag VIRTIO_NET_HDR_F_NEEDS_CSUM, and its
# checksum is that of the pseudo header. Who switches offloads off and then forwards packets as they are sends some
# with wrong checksums; TCP comes back a retransmission later, a second for a SYN.
#
# Needs root, python3, ip, unshare and /dev/net/tun. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n python3 - <<'EOF'
import fcntl
import os
import socket
import struct
import subprocess
import time

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 1, 0x1000, 0x4000
CSUM_AND_TSO4 = 3
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"t0", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
for words in ("addr add 10.0.0.1/24 dev t0", "link set t0 addrgenmode none", "link set t0 up"):
    subprocess.run(["ip", *words.split()], check=True)


def begin(port: int) -> None:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("10.0.0.2", port))
    sockets.append(one)


sockets = []
fcntl.ioctl(fd, TUNSETOFFLOAD, CSUM_AND_TSO4)
begin(1)
time.sleep(0.2)
fcntl.ioctl(fd, TUNSETOFFLOAD, 0)
begin(2)
time.sleep(0.2)
found = {}
while len(found) < 2:
    data = os.read(fd, 65535)
    port = int.from_bytes(data[32:34], "big")
    found.setdefault(port, "partial" if data[0] & 1 else "complete")
print("queued before:", found[1])
print("sent after:", found[2])
EOF
)
echo "$seen"
[ "$seen" = 'queued before: partial
sent after: complete' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
