#!/bin/sh
# Linux 6.18: a UDP socket that is ended by SOCK_DESTROY lives on, but without its port if the kernel had chosen that.
#
# `ss -K` ends it with ECONNABORTED. udp_abort() then calls __udp_disconnect() of net/ipv4/udp.c, which keeps the address
# that a program has bound, and a port that it has asked for (SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK). A port that came
# from bind(2) to port 0 is given up: getsockname(2) gives 0, nothing that comes to the old port reaches the socket, and
# another program may get it.
#
# Needs root, ss, python3, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	ip link set lo up
	python3 -' <<'EOF'
import errno
import socket
import subprocess

for port in (4000, 0):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", port))
    one.connect(("127.0.0.1", 9))
    before = one.getsockname()[1]
    words = ["ss", "-K", "-u", "src", f"127.0.0.1:{before}"]
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    address, after = one.getsockname()
    print("asked for:" if port else "chosen:", errno.errorcode[error], address, after)
EOF
)
echo "$seen"
[ "$seen" = 'asked for: ECONNABORTED 127.0.0.1 4000
chosen: ECONNABORTED 127.0.0.1 0' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
