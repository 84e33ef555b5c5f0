"""``netalias record --follow --txt`` as a browser at the other end of the cable sees it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from command import COMMAND, Command
from support import PATIENCE, SLOW, Namespace, until
from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

from netalias.record.dnssd import TYPE


class Browser(ServiceListener):
    """The services that *found* knows, by their names."""

    def __init__(self, found: Zeroconf) -> None:
        self.found = found
        self.names: dict[str, None] = {}
        ServiceBrowser(found, TYPE, self)

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.names[name] = None

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        pass

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.names.pop(name, None)

    def sees(self, **values: str) -> bool:
        """Whether there is one service, whose data has these keys and values."""
        (name, *more) = self.names or [""]
        info = self.found.get_service_info(TYPE, name) if name and not more else None
        found = {} if info is None else info.properties
        return all(found.get(key.encode()) == one.encode() for key, one in values.items())

    def addresses(self) -> list[str]:
        """Those of the host of the one service."""
        (name,) = self.names
        info = self.found.get_service_info(TYPE, name)
        return [] if info is None else info.parsed_addresses()


@contextmanager
def browser(peer: Namespace) -> Iterator[Browser]:
    """A browser in the namespace at the other end, 10.7.0.2."""
    peer.ip("addr add 10.7.0.2/24 dev p9")
    with peer:  # the threads of the library begin here, and stay
        found = Zeroconf(interfaces=["10.7.0.2"], ip_version=IPVersion.V4Only)
    try:
        yield Browser(found)
    finally:
        found.close()


@contextmanager
def announcing(namespace: Namespace, device: str) -> Iterator[subprocess.Popen[bytes]]:
    process = namespace.start([*COMMAND, "record", device, "--follow", "--txt"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_browser_sees_the_subnets_change(cli: Command) -> None:
    """D-2: one more, then another address in place of the first one; it goes with the command."""
    here, peer = cli.namespace, cli.namespace.peer
    assert peer is not None
    here.ip("addr add 10.7.0.1/24 dev eth9")
    with browser(peer) as seen, announcing(here, "eth9") as process:
        until(lambda: seen.sees(ifname="eth9", ipv4="10.7.0.0/24", proto="0800,0806"))
        (name,) = seen.names
        assert name.startswith("eth9 on ")
        assert seen.addresses() == ["10.7.0.1"]
        here.ip("addr add 10.9.0.1/16 dev eth9")
        until(lambda: seen.sees(ipv4="10.7.0.0/24,10.9.0.0/16"))
        here.ip("addr del 10.7.0.1/24 dev eth9")
        until(lambda: seen.sees(ipv4="10.9.0.0/16"))
        assert [*seen.names] == [name]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE * SLOW) == 0
        until(lambda: not seen.names)
