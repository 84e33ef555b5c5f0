"""``netalias record --follow --txt`` as a browser at the other end of the cable sees it."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

import pytest
from command import COMMAND, Command
from shortened import later
from support import PATIENCE, SLOW, Namespace, until
from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

from netalias import errors
from netalias.record import Record
from netalias.record.dnssd import TYPE, Announced


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


@pytest.mark.early
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


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """This process may open so many more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        held = [os.dup(0) for _ in range(count)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(held, default=0) + 1, hard))
        try:
            while True:
                stack.callback(os.close, os.dup(0))
        except OSError:
            pass  # all others are in use
        for one in held:
            os.close(one)
        yield


@pytest.mark.parametrize("count", [4, 5, *later([1, 2, 3, 6, 7])])
def test_descriptors_that_run_out(cli: Command, count: int) -> None:
    """It is told: the library would wait for ever for a thread that could not begin."""
    cli.namespace.ip("addr add 10.7.0.1/24 dev eth9")
    address = socket.inet_aton("10.7.0.1")
    record = Record("eth9", bytes(6), 0, 1, ipv4=("10.7.0.0/24",), index=1, addresses=(address,))
    announced = Announced(lambda made: made(), "host")
    said: list[str] = []

    def put() -> None:
        try:
            announced.put(record)
        except errors.StateError as error:
            said.append(str(error))
        else:
            announced.put(None)
            said.append("")

    with cli.namespace, descriptors_left(count):
        trying = Thread(target=put, daemon=True)
        trying.start()
        trying.join(PATIENCE * SLOW)
    assert said == ["" if count > 4 else "eth9: DNS-SD: Too many open files"]
