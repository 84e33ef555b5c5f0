#!/bin/sh
# Linux 6.18: a TUN device is made in the network namespace in which /dev/net/tun was opened.
#
# TUNSETIFF does not look at the namespace of the process that calls it: tun_chr_open() of drivers/net/tun.c binds the
# descriptor to the namespace of that moment, and __tun_chr_ioctl() makes the device there. A program that opens the
# device first and enters a namespace afterwards, or hands the descriptor to a process in another one, finds its device
# where it was not looked for; the call succeeds.
#
# Seen:
#   opened in A, TUNSETIFF called in B: A has lo t0, B has lo
#
# Needs root, python3, ip, unshare and /dev/net/tun. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n python3 - <<'EOF'
import ctypes
import fcntl
import os
import struct
import subprocess

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def devices() -> str:
    lines = subprocess.run(["ip", "-br", "link"], check=True, capture_output=True, text=True).stdout
    return " ".join(sorted(line.split()[0] for line in lines.splitlines()))


opened = os.open("/proc/self/ns/net", os.O_RDONLY)
fd = os.open("/dev/net/tun", os.O_RDWR)
assert libc.unshare(CLONE_NEWNET) == 0
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"t0", IFF_TUN | IFF_NO_PI))
here = devices()
assert libc.setns(opened, CLONE_NEWNET) == 0
print(f"opened in A, TUNSETIFF called in B: A has {devices()}, B has {here}")
EOF
)
echo "$seen"
[ "$seen" = "opened in A, TUNSETIFF called in B: A has lo t0, B has lo" ]
