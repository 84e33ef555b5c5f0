"""One end of a flow of the bench: started inside a namespace, prints one number and ends.

    flow.py take FAMILY PORT            listen for TCP; bytes per second while its peer measures
    flow.py give ADDRESS PORT SECONDS   the peer: a big write after another
    flow.py take-udp FAMILY PORT, flow.py give-udp ADDRESS PORT SECONDS   the same in UDP trains
    flow.py ping ADDRESS COUNT          the median of round trips by an ICMP socket, microseconds

The first WARM seconds of a flow do not count.
"""

from __future__ import annotations

import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable

CHUNK = 1 << 20
WARM = 0.5
UDP_SEGMENT, UDP_GRO = 103, 104
SOL_UDP = 17
DATAGRAM, TRAIN = 1300, 45
BEAT = 0.01
"""Seconds between two pings."""
CONGESTION = b"cubic"
"""Congestion control of a flow: the default of Linux, whatever this machine has made it."""
SILENCE = 3.0
"""Seconds without a byte after which a flow has ended."""


def take(family: str, port: str) -> float:
    """Bytes per second of one connection, without its first moments."""
    kind = socket.AF_INET6 if family == "6" else socket.AF_INET
    with socket.create_server(("", int(port)), family=kind) as server:
        print("ready", flush=True)
        server.settimeout(4 * SILENCE)
        peer, _ = server.accept()
    peer.settimeout(SILENCE)
    return _rate(lambda room: peer.recv_into(room))


def take_udp(family: str, port: str) -> float:
    """The same of datagrams."""
    kind = socket.AF_INET6 if family == "6" else socket.AF_INET
    sock = socket.socket(kind, socket.SOCK_DGRAM)
    sock.setsockopt(SOL_UDP, UDP_GRO, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind(("", int(port)))
    print("ready", flush=True)
    sock.settimeout(SILENCE)
    return _rate(lambda room: sock.recv_into(room))


def _rate(receive: Callable[[bytearray], int]) -> float:
    room = bytearray(CHUNK)
    total = 0
    begin = end = 0.0
    try:
        while length := receive(room):
            end = time.monotonic()
            if not begin:
                begin = end + WARM
            elif end > begin:
                total += length
    except TimeoutError:
        pass
    return total / max(end - begin, 0.001)


def give(address: str, port: str, seconds: str) -> float:
    """Write to the peer."""
    with socket.create_connection((address, int(port)), timeout=SILENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION)
        data = bytes(CHUNK)
        end = time.monotonic() + float(seconds) + WARM
        try:
            while time.monotonic() < end:
                sock.sendall(data)
        except TimeoutError:
            pass
    return 0.0


def give_udp(address: str, port: str, seconds: str) -> float:
    """Send trains to the peer."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(SOL_UDP, UDP_SEGMENT, DATAGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    sock.connect((address, int(port)))
    data = bytes(DATAGRAM * TRAIN)
    end = time.monotonic() + float(seconds) + WARM
    while time.monotonic() < end:
        sock.send(data)
    return 0.0


def ping(address: str, count: str) -> float:
    """The median of round trips, in microseconds."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.settimeout(SILENCE)
    sock.connect((address, 0))
    taken = []
    for number in range(int(count)):
        body = struct.pack("!BBHHH", 8, 0, 0, 4711, number)
        folded = sum(struct.unpack("!4H", body))
        folded = (folded & 0xFFFF) + (folded >> 16)
        begin = time.perf_counter()
        sock.send(struct.pack("!BBHHH", 8, 0, ~folded & 0xFFFF, 4711, number))
        try:
            while sock.recv(256)[24:28] != struct.pack("!HH", 4711, number):
                pass
        except TimeoutError:
            continue
        taken.append((time.perf_counter() - begin) * 1e6)
        time.sleep(BEAT)
    return statistics.median(taken)


WAYS: dict[str, Callable[..., float]] = {
    "take": take,
    "give": give,
    "take-udp": take_udp,
    "give-udp": give_udp,
    "ping": ping,
}

if __name__ == "__main__":
    print(WAYS[sys.argv[1]](*sys.argv[2:]), flush=True)
