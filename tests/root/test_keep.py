"""Former addresses of a device, kept by ``netalias watch``: who is bound to them goes on."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from command import Command
from keeping import PORT, SERVER, Bound, Echo, Link, Passing, address, copies
from support import until
from watcher import watching

from netalias.nat.kernel import KernelNat

LINE = "eth9 iface-alias kernel keep 600 max 4\n"


@pytest.fixture(params=[4, 6])
def link(cli: Command, request: pytest.FixtureRequest) -> Link:
    """The client has the address 1."""
    found = Link(cli.namespace, request.param)
    found.negotiate(1)
    return found


@pytest.fixture
def link4(cli: Command) -> Link:
    """The same for IPv4 only."""
    found = Link(cli.namespace)
    found.negotiate(1)
    return found


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file with the line of eth9."""
    file = tmp_path / "netalias.conf"
    file.write_text(LINE)
    return file


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Where the texts of a watcher go."""
    return tmp_path / "net"


@pytest.fixture
def echo(cli: Command, link: Link) -> Iterator[Echo]:
    """The server."""
    with Echo(link.there, link.version) as found:
        yield found


def test_a_bound_udp_socket_lives_through_three_changes(
    link: Link, echo: Echo, conf: Path, texts: Path
) -> None:
    """A-11, and the change back to the first address. The server sees the newest one each time, and
    never one that it could not answer after the flow was decided anew."""
    with watching(link.here, texts, str(conf)) as watch:
        program = Bound(link, 1)
        program.asks(b"first")
        assert echo.sources == [address(link.version, 1)]
        for last, old in ((2, [1]), (3, [1, 2]), (1, [2, 3])):
            link.negotiate(last, first=last == 3)
            watch.says(f"{len(old)} former address")
            link.translates(*old)
            echo.sources.clear()
            program.asks(b"again")
            assert set(echo.sources) == {address(link.version, last)}
        assert program.socket.getsockname()[0] == address(link.version, 1)
        program.close()
    route = link.here.ip(f"-{link.version} route get {SERVER[link.version]}")
    assert f"src {address(link.version, 1)} " in route


def test_nothing_leaves_with_an_old_source_after_the_flush(
    link: Link, conf: Path, texts: Path
) -> None:
    """Counted on the link, over many flows that go on sending while the address changes: what
    leaves after the change was told has the newest source, and every flow is among it."""
    with watching(link.here, texts, str(conf)) as watch, Passing(link) as passing:
        programs = [Bound(link, 1) for _ in range(FLOWS)]
        for last, old in ((2, [1]), (3, [1, 2]), (1, [2, 3])):
            with sending(link, programs):
                link.negotiate(last, first=last == 3)
                watch.says(f"{len(old)} former address")
                link.translates(*old)
            text = b"after %d" % last
            for program in programs * 3:
                program.socket.sendto(text, (SERVER[link.version], PORT))
            assert passing.sources(text, 3 * FLOWS) == {address(link.version, last): 3 * FLOWS}
        for program in programs:
            program.close()


FLOWS = 20


@contextmanager
def sending(link: Link, programs: list[Bound]) -> Iterator[None]:
    """All flows go on; while the device has no address that is theirs they cannot."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            for program in programs:
                with suppress(OSError):
                    program.socket.sendto(b"meanwhile", (SERVER[link.version], PORT))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_bound_connection_that_began_before_the_change(
    cli: Command, link4: Link, conf: Path, texts: Path
) -> None:
    """The one whose first packet made the link come up (A-12): it completes, its peer sees the new
    address, and it has the old one. What is established before a change ends (A-13)."""
    link = link4
    link.there.ip(f"route del {address(4, 1)} dev p9")
    with Echo(link.there) as echo, watching(link.here, texts, str(conf)):
        program = Bound(link, 1, stream=True)
        program.socket.setblocking(False)
        assert program.socket.connect_ex((SERVER[4], PORT)) != 0
        link.there.ip(f"route add {address(4, 1)} dev p9")
        link.negotiate(2)
        program.socket.settimeout(20)
        until(lambda: _connected(program.socket))
        until(lambda: set(echo.sources) == {address(4, 2)})
        assert program.socket.getsockname()[0] == address(4, 1)
        program.socket.sendall(b"before")
        assert program.socket.recv(100) == b"before"
        link.negotiate(3)
        link.translates(1, 2)
        program.socket.sendall(b"after")
        with pytest.raises(ConnectionResetError):  # the peer knows nothing of a flow from there
            program.socket.recv(100)
        program.close()


def _connected(program: socket.socket) -> bool:
    try:
        program.getpeername()
    except OSError:
        return False
    return True


def test_nothing_of_others_is_touched(cli: Command, link4: Link, conf: Path, texts: Path) -> None:
    """A-18: addresses and routes of others stay; a watcher that ends leaves what is kept, and so
    does one that is killed; the next one goes on, and a line that goes undoes all of it."""
    link = link4
    link.here.ip("addr add 10.8.0.1/24 dev eth9")
    link.here.ip("route add 10.7.0.0/16 via 10.8.0.9")
    before = link.here.ip("-o addr show dev eth9 to 10.8.0.0/16")
    with watching(link.here, texts, str(conf)) as watch:
        link.negotiate(2)
        link.translates(1)
        cli.silent("check", str(conf))
        cli.silent("reconcile", str(conf))
        assert copies(link.here) == [address(4, 1)]
        watch.end(signal.SIGKILL)
    said = f"eth9 iface-alias ({conf}:1) waits for a watcher (netalias watch)"
    assert cli.fails(3, "check", str(conf)) == f"netalias: {said}"
    assert cli.fails(2, "reconcile", str(conf)) == f"netalias: {said}"
    link.translates(1)
    link.negotiate(3)
    assert _sysctl(link) == "1"
    with watching(link.here, texts, str(conf)) as watch:
        link.translates(1, 2)
        assert watch.end() == 0
    assert copies(link.here) == [address(4, one) for one in (1, 2)]
    with watching(link.here, texts, str(conf)) as watch:
        conf.write_text("# nothing\n")
        until(lambda: not copies(link.here))
        until(lambda: _sysctl(link) == "0")
    link.translates()
    assert link.here.ip("-o addr show dev eth9 to 10.8.0.0/16") == before
    assert "10.7.0.0/16 via 10.8.0.9" in link.here.ip("route show")


def _sysctl(link: Link) -> str:
    path = "/proc/sys/net/ipv4/conf/eth9/promote_secondaries"
    return link.here.run(["cat", path]).stdout.strip()


def test_a_device_that_vanishes_and_returns(
    cli: Command, link4: Link, conf: Path, texts: Path
) -> None:
    """A program that is bound to its former address goes on when it is there again."""
    link = link4
    with Echo(link.there) as echo, watching(link.here, texts, str(conf)):
        program = Bound(link, 1)
        program.asks(b"before")
        link.here.ip("link add new9 type veth peer name q9 netns " + link.there.path)
        link.here.ip("link del eth9")
        link.here.ip("link set new9 name eth9")
        link.there.ip("link set q9 name p9")
        link.there.ip(f"addr add {SERVER[4]}/32 dev p9")
        link.there.ip("link set p9 up")
        link.here.ip("link set eth9 up")
        until(lambda: copies(link.here) == [address(4, 1)])
        link.last = 0
        link.negotiate(2)
        link.translates(1)
        echo.sources.clear()
        program.asks(b"after")
        assert set(echo.sources) == {address(4, 2)}
        program.close()


@pytest.mark.parametrize("watched", [True, False])
def test_a_device_that_is_renamed(
    cli: Command, link4: Link, conf: Path, texts: Path, watched: bool
) -> None:
    """The former addresses go with it to the line of its other name, with a watcher and without;
    they end where no line has that name."""
    link = link4
    conf.write_text(f"{LINE}lan9 iface-alias kernel keep 600\n")
    link.here.ip("addr add 10.8.0.1/24 dev eth9")
    with ExitStack() as stack:
        watch = stack.enter_context(watching(link.here, texts, str(conf)))
        link.negotiate(2)
        link.translates(1)
        if not watched:
            watch.end(signal.SIGKILL)
        rename(link, "eth9", "lan9")
        if not watched:
            watch = stack.enter_context(watching(link.here, texts, str(conf)))
        until(lambda: translated(link) == ["lan9: 10.9.0.1 -> 10.9.0.2"])
        link.here.ip(f"addr del {address(4, 2)}/24 dev lan9")
        link.here.ip(f"addr add {address(4, 3)}/24 dev lan9")
        until(lambda: translated(link) == ["lan9: 10.9.0.1 10.9.0.2 -> 10.9.0.3"])
        if not watched:
            watch.end(signal.SIGKILL)
        rename(link, "lan9", "far9")
        if not watched:
            watch = stack.enter_context(watching(link.here, texts, str(conf)))
        until(lambda: not copies(link.here))
        until(lambda: not translated(link))


def rename(link: Link, name: str, new: str) -> None:
    """As every kernel allows it: while the device is down."""
    link.here.ip(f"link set {name} down")
    link.here.ip(f"link set {name} name {new} up")


def translated(link: Link) -> list[str]:
    """The translations that stand in nftables."""
    with link.here:
        nat = KernelNat()
    try:
        return [str(one) for table in nat.read().values() for one in table.translations()]
    finally:
        nat.close()


def test_the_owner_of_a_host_address_gets_it_back(
    cli: Command, link4: Link, conf: Path, texts: Path
) -> None:
    """A copy stands in nobody's way: ``ip addr add`` of a /32 succeeds beside it, and
    ``replace`` makes a lasting address of the usual scope, not of the copy."""
    with watching(link4.here, texts, str(conf)):
        link4.here.ip("addr add 10.8.0.5/32 dev eth9")
        for word in ("add", "replace"):
            link4.here.ip("addr del 10.8.0.5/32 dev eth9")
            until(lambda: copies(link4.here) == ["10.8.0.5"])
            link4.here.ip(f"addr {word} 10.8.0.5/32 dev eth9")
            until(lambda: not copies(link4.here))
            found = link4.here.ip("-o addr show dev eth9 to 10.8.0.5")
            assert "inet 10.8.0.5/32 scope global eth9" in found


def test_the_kernel_ends_what_nobody_watches(
    cli: Command, link4: Link, conf: Path, texts: Path
) -> None:
    """The copy has a lifetime, which ends with ``keep``."""
    conf.write_text("eth9 iface-alias kernel keep 3\n")
    with watching(link4.here, texts, str(conf)) as watch:
        link4.negotiate(2)
        link4.translates(1)
        watch.end(signal.SIGKILL)
    until(lambda: not copies(link4.here))


def test_what_is_kept_is_shown_and_saved(link: Link, cli: Command, conf: Path, texts: Path) -> None:
    """Since when, how long yet, as which address, and how many flows; save has the line."""
    old, new = address(link.version, 1), address(link.version, 2)
    with Echo(link.there, link.version), watching(link.here, texts, str(conf)) as watch:
        assert cli("save") == LINE
        assert cli("-d", "show") == ""
        link.negotiate(2)
        watch.says(f"leaves as {new}")
        program = Bound(link, 1)
        program.asks(b"once")
        name = {4: "ip", 6: "ipv6"}[link.version]
        shown = cli("-d", "show").splitlines()
        assert shown[0] == "eth9: former addresses are kept"
        assert re.fullmatch(
            rf"    {name} {old} since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d remaining \d+"
            rf" leaves as {new} flows 1",
            shown[1],
        )
        (found,) = json.loads(cli("-j", "-d", "show", "eth9"))
        assert (found["ifname"], found["local"], found["leaves_as"]) == ("eth9", old, new)
        assert 590 < found["remaining"] <= 600
        assert cli.json() == []
        assert json.loads(cli("-j", "save")) == [
            {"ifname": "eth9", "iface_alias": "kernel", "keep": 600, "max": 4}
        ]
        assert cli("save", "lo") == ""
        program.close()


def test_asked_for_by_hand(link4: Link, cli: Command, tmp_path: Path, texts: Path) -> None:
    """iface DEV keep: refused while nobody does it (A-10); off ends all of it."""
    line = "eth9 iface-alias kernel keep 9 max 8"
    assert "none is running" in cli.fails(2, "iface", "eth9", "keep", "kernel")
    assert "no such device" in cli.fails(2, "iface", "eth7", "keep", "off")
    assert "kernel, user or off" in cli.fails(1, "iface", "eth9", "keep", "on")
    conf = tmp_path / "netalias.conf"
    conf.write_text("")
    with watching(link4.here, texts, str(conf)):
        assert cli("--dry-run", "iface", "eth9", "keep", "kernel", "keep", "9") == f"{line}\n"
        assert cli("save") == ""
        found = json.loads(cli("-j", "iface", "eth9", "keep", "kernel", "keep", "9"))
        assert found == [
            {"change": "keep", "ifname": "eth9", "iface_alias": "kernel", "keep": 9, "max": 8}
        ]
        until(lambda: cli("save") == f"{line}\n")
        link4.negotiate(2)
        link4.translates(1)
        assert " kept" in cli("iface", "eth9")
        cli.silent("iface", "eth9", "keep", "off")
        until(lambda: not copies(link4.here))
        until(lambda: cli("save") == "")
        conf.write_text(f"{line}\n")
        said = f"netalias: eth9 iface-alias ({conf}:1) gives way to what was asked for by hand"
        words = line.replace("iface-alias", "keep")
        assert cli.fails(3, "check", str(conf)) == f"{said} (netalias iface {words})"
        cli.silent("iface", *words.split())
        until(lambda: cli("save") == f"{line}\n")
        cli.silent("check", str(conf))
        conf.write_text("alias disable\n")
        until(lambda: cli("save") == "alias disable\n")
        assert "without translation: alias disable" in cli.fails(2, "iface", *words.split())
        cli.silent("check", str(conf))
