#!/bin/sh
# Linux 6.18: a raw socket has no ports, and yet the port given to connect(2) decides whether it has a peer.
#
# connect(2) keeps the port as the destination port of the socket, and getpeername(2) answers ENOTCONN for a
# destination port of 0. The socket is connected all the same: send(2) needs no address. Who asks getpeername(2)
# whether a raw socket is connected, for instance one that was inherited, has to connect it to another port
# than 0. With IPv6 it is the same.
#
# Needs root, python3, ip and unshare. Ends with 1 where it behaves otherwise.
set -eu

seen=$(unshare -n sh -c '
	ip link set lo up
	python3 -' <<'EOF'
import socket

PROTOCOL = 94
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    for port in (0, 1):
        one = socket.socket(family, socket.SOCK_RAW, PROTOCOL)
        one.connect((address, port))
        try:
            peer = one.getpeername()[0]
        except OSError as error:
            peer = error.strerror
        print(port, peer, "sent", one.send(b"abc"))
EOF
)
echo "$seen"
[ "$seen" = '0 Transport endpoint is not connected sent 3
1 127.0.0.1 sent 3
0 Transport endpoint is not connected sent 3
1 ::1 sent 3' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
