"""A client whose address changes, and a server that has a route to the newest one only."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from types import TracebackType

from support import PATIENCE, SLOW, Namespace, until

SERVER = {4: "10.9.0.254", 6: "2001:db8:9::fe"}
LENGTH = {4: 24, 6: 64}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
PORT = 7007


def address(version: int, last: int) -> str:
    """That of the client with this last number."""
    return f"10.9.0.{last}" if version == 4 else f"2001:db8:9::{last:x}"


class Link:
    """eth9 of the client and p9 of the server, in which a host route leads to one address."""

    def __init__(self, here: Namespace, version: int = 4) -> None:
        assert here.peer is not None
        self.here, self.there = here, here.peer
        self.version = version
        self.last = 0
        host = {4: 32, 6: 128}[version]
        self.there.raise_lo()
        self.there.ip(f"addr add {SERVER[version]}/{host} dev p9" + " nodad" * (version == 6))

    def text(self, last: int) -> str:
        """The address with this last number, as ``ip addr`` takes it."""
        nodad = " nodad" * (self.version == 6)
        return f"{address(self.version, last)}/{LENGTH[self.version]} dev eth9{nodad}"

    def negotiate(self, last: int, *, first: bool = False) -> None:
        """As a client of DHCP does: the old address goes, and then the new one comes; with *first*
        it comes before. The server knows the new one only."""
        old, self.last = self.last, last
        if first:
            self.here.ip(f"addr add {self.text(last)}")
        if old:
            self.here.ip(f"addr del {address(self.version, old)}/{LENGTH[self.version]} dev eth9")
        if not first:
            self.here.ip(f"addr add {self.text(last)}")
        self.route(last, old)

    def route(self, last: int, old: int = 0) -> None:
        """The server reaches this address, and the old one no more."""
        flag = f"-{self.version}"
        if old:
            self.there.ip(f"{flag} route del {address(self.version, old)} dev p9")
        self.there.ip(f"{flag} route add {address(self.version, last)} dev p9")

    def translates(self, *old: int) -> None:
        """nftables comes to translate these addresses into the one of now."""
        until(lambda: self._translated() == ({address(self.version, one) for one in old}))

    def _translated(self) -> set[str]:
        from netalias.nat.kernel import KernelNat

        with self.here:
            nat = KernelNat()
            try:
                tables = nat.read().values()
            finally:
                nat.close()
        new = socket.inet_pton(FAMILY[self.version], address(self.version, self.last))
        return {
            socket.inet_ntop(one.family, old)
            for table in tables
            for one in table.translations()
            if one.new == new
            for old in one.old
        }


class Echo:
    """A server of UDP and TCP that sends back what comes, and notes from where: ``sources``."""

    def __init__(self, namespace: Namespace, version: int = 4) -> None:
        self.sources: list[str] = []
        family = FAMILY[version]
        with namespace:
            self._udp = socket.socket(family, socket.SOCK_DGRAM)
            self._tcp = socket.create_server((SERVER[version], PORT), family=family)
        self._udp.bind((SERVER[version], PORT))
        works = (self._datagrams, self._connections)
        self._threads = [threading.Thread(target=one, daemon=True) for one in works]
        for thread in self._threads:
            thread.start()

    def _datagrams(self) -> None:
        try:
            while True:
                data, source = self._udp.recvfrom(100)
                if not source:  # it is being closed
                    return
                self.sources.append(source[0])
                with suppress(OSError):  # there is no route to a former address
                    self._udp.sendto(data, source)
        except OSError:
            return

    def _connections(self) -> None:
        try:
            while True:
                connection, source = self._tcp.accept()
                self.sources.append(source[0])
                threading.Thread(target=_echo, args=(connection,), daemon=True).start()
        except OSError:
            return

    def __enter__(self) -> Echo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for one in (self._udp, self._tcp):
            with suppress(OSError):  # ENOTCONN, and who waits for it is woken all the same
                one.shutdown(socket.SHUT_RDWR)
        # A thread could read what comes for the next socket that gets the same descriptor.
        for thread in self._threads:
            thread.join(PATIENCE * SLOW)
            assert not thread.is_alive()
        self._udp.close()
        self._tcp.close()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(100):
                connection.sendall(data)
        except OSError:
            return


class Passing:
    """The packets that come out of eth9, as they pass on the link to the server."""

    def __init__(self, link: Link) -> None:
        self.family = FAMILY[link.version]
        kind = {4: 0x0800, 6: 0x86DD}[link.version]
        with link.there:
            self._raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(kind))
        self._raw.bind(("p9", kind))
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._raw.settimeout(PATIENCE * SLOW)

    def sources(self, text: bytes, count: int) -> Counter[str]:
        """The sources of the next *count* datagrams with this text."""
        found: Counter[str] = Counter()
        first, last = {socket.AF_INET: (12, 16), socket.AF_INET6: (8, 24)}[self.family]
        while found.total() < count:
            packet = self._raw.recv(2000)
            if packet.endswith(text):
                found[socket.inet_ntop(self.family, packet[first:last])] += 1
        return found

    def __enter__(self) -> Passing:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()


class Bound:
    """A program that is bound to one address of the client for ever."""

    def __init__(self, link: Link, last: int, *, stream: bool = False) -> None:
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        self.version = link.version
        with link.here:
            self.socket = socket.socket(FAMILY[link.version], kind)
        self.socket.settimeout(PATIENCE * SLOW)
        self.socket.bind((address(link.version, last), 0))

    def asks(self, text: bytes) -> None:
        """The server answers; a datagram that is lost is sent again, as programs do."""
        for _ in range(20):
            self.socket.settimeout(0.5 * SLOW)
            try:
                self.socket.sendto(text, (SERVER[self.version], PORT))
                assert self.socket.recv(100) == text
            except (TimeoutError, OSError) as error:
                problem = error
                continue
            return
        raise AssertionError(f"no answer: {problem}")

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def copies(namespace: Namespace) -> list[str]:
    """The former addresses of eth9."""
    lines = namespace.ip("-o addr show").splitlines()
    return [line.split()[3].partition("/")[0] for line in lines if "deprecated" in line]
