"""Service records: what they say of a device, the files that have them, and when these change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from errno import EMFILE
from io import StringIO
from pathlib import Path
from select import POLLIN
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import schemas
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support import given_away
from test_cli_memory import Command
from test_desired_declarations import parse, wrong
from watched import state_of

from netalias.desired.records import RecordLine, read
from netalias.errors import NetaliasError, kernel_error
from netalias.kernel.memory import Memory
from netalias.model import (
    AF_INET,
    AF_INET6,
    ARPHRD_ETHER,
    IFA_F_DADFAILED,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    IFF_NOARP,
    IFF_UP,
    RT_SCOPE_LINK,
    Address,
    Device,
)
from netalias.model.events import CARRIER, LINK, MEDIA, Event, State, difference
from netalias.record import Record, clients_in, record_of
from netalias.system.journal import Journal
from netalias.views.record import fields, text
from netalias.watch.filed import Filed
from netalias.watch.records import REST, SOON, Records

if TYPE_CHECKING:
    from netalias.model.events import Word

TAP = Device(3, "tap0", IFF_UP, mac=bytes.fromhex("020000000001"))
FOUR = Address(3, AF_INET, bytes((10, 7, 0, 1)), 24)
SIX = Address(3, AF_INET6, bytes.fromhex("20010db8000700000000000000000001"), 64)
LOCAL = Address(
    3, AF_INET6, bytes.fromhex("fe800000000000000000000000000001"), 64, scope=RT_SCOPE_LINK
)


def known(*addresses: Address, flags: int = IFF_UP, **words: int) -> Record:
    """The record of a TAP of 10 Mbit/s."""
    device = Device(3, "tap0", flags, mac=TAP.mac)
    media = {"speed": 10, "port": 0}
    return record_of(device, addresses, media, **words)


@pytest.mark.parametrize(
    ("addresses", "flags", "protocols"),
    [
        ((), 0, []),
        ((FOUR,), 0, ["0x0800", "0x0806"]),
        ((FOUR,), IFF_NOARP, ["0x0800"]),
        ((SIX,), 0, ["0x86dd"]),
        ((LOCAL,), 0, ["0x86dd"]),
        ((SIX, FOUR), IFF_NOARP, ["0x0800", "0x86dd"]),
        ((FOUR, SIX), 0, ["0x0800", "0x0806", "0x86dd"]),
    ],
)
def test_protocols_follow_the_addresses(
    addresses: tuple[Address, ...], flags: int, protocols: list[str]
) -> None:
    """D-2: 0x0800 with an address of IPv4, 0x0806 unless NOARP, 0x86dd with one of IPv6."""
    assert fields(known(*addresses, flags=flags))["protocols"] == protocols


def test_subnets_are_told_once_in_the_order_of_the_addresses() -> None:
    """Two addresses of one network; one with a peer; one of its own; the link-local one is none."""
    second = Address(3, AF_INET, bytes((10, 7, 0, 2)), 24)
    peer = Address(3, AF_INET, bytes((10, 9, 0, 1)), 30, peer=bytes((10, 9, 1, 2)))
    host = Address(3, AF_INET, bytes((10, 8, 0, 1)), 32)
    found = fields(known(FOUR, second, peer, host, LOCAL, SIX))
    assert found["ipv4"] == ["10.7.0.0/24", "10.9.1.0/30", "10.8.0.1/32"]
    assert found["ipv6"] == ["2001:db8:7::/64"]


@pytest.mark.parametrize(
    ("flags", "counts"),
    [
        (IFA_F_TENTATIVE, False),
        (IFA_F_DADFAILED, False),
        (IFA_F_DADFAILED | IFA_F_TENTATIVE, False),
        (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, True),
        (0, True),
    ],
)
def test_an_address_that_is_not_verified_offers_nothing(flags: int, counts: bool) -> None:
    """Nobody can be told to use it, unless the kernel uses it already."""
    found = known(Address(3, AF_INET6, SIX.local, 64, flags))
    assert (bool(found.ipv6), bool(found.protocols)) == (counts, counts)


@pytest.mark.parametrize(
    ("media", "kind", "expected"),
    [
        ({"speed": 10, "port": 0}, ARPHRD_ETHER, ("ethernet-10", 4, 1_250_000)),
        ({"speed": 100, "port": 3}, ARPHRD_ETHER, ("ethernet-100", 5, 12_500_000)),
        ({"speed": 1000, "port": 0}, ARPHRD_ETHER, ("other", 0xFFFE, 125_000_000)),
        ({"speed": 100, "port": 0xFF}, ARPHRD_ETHER, ("other", 0xFFFE, 12_500_000)),
        ({"speed": 10}, ARPHRD_ETHER, ("other", 0xFFFE, 1_250_000)),
        ({"speed": 100, "port": 0}, 512, ("other", 0xFFFE, 12_500_000)),
        ({"speed": 0xFFFFFFFF, "port": 0}, ARPHRD_ETHER, ("other", 0xFFFE, None)),
        ({}, ARPHRD_ETHER, ("other", 0xFFFE, None)),
    ],
)
def test_media_and_rate(media: dict[str, int], kind: int, expected: tuple[object, ...]) -> None:
    """The actual values, where btpand had 10 Mbit/s; what is not known is not made up."""
    found = fields(record_of(Device(3, "tap0", type=kind), (), media))
    schemas.hold("record", [found])
    assert (found["media"], found["net_access_type"], found.get("rate")) == expected


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_availability(clients: int, limit: int) -> None:
    """255 - clients * 255 / limit, as btpand has it, and never less than nothing."""
    found = known(clients=clients, limit=limit).availability
    assert found == max(0, 255 - clients * 255 // limit)
    assert 0 <= found <= 255


@pytest.mark.parametrize(
    ("content", "count"),
    [("", 0), ("3\n", 3), ("3", 3), ("# none\n\n", 0), ("aa:bb\n# x\ncc:dd\n\n", 2), ("3\n4\n", 2),
     ("-1\n", 1), ("1" * 30, 1)],
)  # fmt: skip
def test_clients_in_a_file(content: str, count: int) -> None:
    """A number, or one client a line."""
    assert clients_in(content) == count


def test_the_text_of_a_record() -> None:
    """All of it, in words."""
    assert text(known(FOUR, SIX, clients=2)) == (
        "tap0: service record\n"
        "    address       02:00:00:00:00:01\n"
        "    flags         <UP>\n"
        "    protocols     0x0800 0x0806 0x86dd\n"
        "    ipv4          10.7.0.0/24\n"
        "    ipv6          2001:db8:7::/64\n"
        "    media         ethernet-10 (0x0004)\n"
        "    rate          1250000 octets/s\n"
        "    availability  183 (2 of 7 clients)\n"
    )
    assert "rate          -\n" in text(record_of(TAP, (), {}))


# Lines


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("record tap0 file /run/x.json", "record tap0 file /run/x.json limit 7"),
        ("record tap0 clients 3 file /run/x limit 9", "record tap0 file /run/x limit 9 clients 3"),
        ("record tap0 file /x clients /run/leases # all",
         "record tap0 file /x limit 7 clients /run/leases"),
    ],
)  # fmt: skip
def test_a_line_says_the_same_as_its_whole_text(line: str, words: str) -> None:
    """The words may stand in any order."""
    (task,) = parse(f"eth0:0 10.7.0.1\n{line}").tasks
    assert isinstance(task, RecordLine)
    assert (task.text, task.title, task.main, task.place) == (words, "record tap0", "tap0", "f:2")
    assert read(task.words()).fields() == task.fields()
    schemas.hold("declared", [task.fields() | {"place": task.place}])
    schemas.hold("save", [task.fields()])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("record", "f:1:1: record: a device is missing (record tap0 file /run/tap0.json limit 7)"),
        ("record tap/0 file /x", "f:1:8: record tap/0: tap/0: 'tap/0' cannot be the name"
         " of a device"),
        ("record tap0", "f:1:1: record tap0: file is missing (record tap0 file /run/tap0.json limit"
         " 7)"),
        ("record tap0 file run/x", "f:1:18: record tap0: file run/x: an absolute path is needed"
         " (record tap0 file /run/tap0.json limit 7)"),
        ("record tap0 file", "f:1:13: record tap0: file: an absolute path is needed (record tap0"
         " file /run/tap0.json limit 7)"),
        ("record tap0 file /x limit 0", "f:1:27: record tap0: limit 0: a number from 1 on is needed"
         " (record tap0 file /run/tap0.json limit 7)"),
        ("record tap0 file /x clients -1", "f:1:29: record tap0: clients -1: a number or an"
         " absolute path is needed (record tap0 file /run/tap0.json limit 7)"),
        ("record tap0 file /x file /y", "f:1:21: record tap0: file: said twice (file, limit,"
         " clients)"),
        ("record tap0 to /x", "f:1:13: record tap0: to: not a word of this line (file, limit,"
         " clients)"),
        ("record tap0 file /x\nrecord tap0 file /y",
         "f:2:1: record tap0 is already declared at f:1"),
        ("record tap0 file /x\nrecord tap1 file /x",
         "f:2:1: record tap1: /x is the file of record tap0 (f:1)"),
    ],
)  # fmt: skip
def test_what_a_line_may_not_say(line: str, error: str) -> None:
    """Each with its place."""
    assert wrong(line) == [error]


# Files


class Media:
    """In the place of the socket of media: ``speeds`` by index, which are asked for or announced.

    The descriptor is that of a pipe, which is readable while there are words.
    """

    def __init__(self) -> None:
        self.speeds: dict[int, int] = {}
        self.asked: list[int] = []
        self.words: list[Word] = []
        self.open()

    def open(self) -> None:
        self.closed = False
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK)

    def fileno(self) -> int:
        return self.reading

    def announce(self, index: int, **values: int) -> None:
        self.words.append(((MEDIA, index), values, None))

    def ask(self, index: int) -> None:
        self.asked.append(index)
        if index in self.speeds:
            self.announce(index, speed=self.speeds[index], port=0)

    def read(self) -> Iterator[Word]:
        while self.words:
            yield self.words.pop(0)

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)
        self.closed = True


class Host:
    """tap0 with an address of IPv4, its record in a file, and what was noted."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "x.json"
        self.clients = folder / "clients"
        self.kernel = Memory()
        self.state = State()
        self.log = StringIO()
        self.media = Media()
        self.opened = 0
        self.refused = False
        self.now, self.work = 100.0, 0.0
        self.noted: list[list[str]] = []
        self.records = self.another()
        self.index = self.kernel.add_device("tap0", up=True).index
        self.media.speeds[self.index] = 10
        self.kernel.add_address("tap0", "10.7.0.1/24")

    def another(self, *former: str) -> Records:
        """A watcher that has just begun, after one with these lines."""
        journal = Journal(stream=self.log, environ={}, now=str)
        return Records(
            self.state, journal, self._clock, self._open, lambda line: Filed(line.file),
            self.noted.append, former,
        )  # fmt: skip

    def _clock(self) -> float:
        self.now += self.work
        return self.now

    def _open(self) -> Media:
        self.opened += 1
        if self.refused:
            raise kernel_error("ethtool netlink", EMFILE)
        if self.media.closed:
            self.media.open()
        return self.media

    def declare(self, *lines: str) -> None:
        """Read such files, and act."""
        found = parse("\n".join(lines))
        assert not found.errors
        self.records.load(found.tasks)
        self.act()

    def hear(self) -> None:
        """Hear what has happened."""
        for event in difference(self.state, state_of(self.kernel.snapshot())):
            self.records.hear(event)

    def act(self) -> None:
        """Hear what has happened, and act if that is due."""
        self.hear()
        for fileno in self.records.wanted(self.now):
            self.records.ready(fileno, 1, self.now)
        due = self.records.due(self.now)
        if due is not None and due <= SOON:
            self.now += due + 1e-6  # as poll(2), which rounds up
            self.records.tick(self.now)

    def there(self) -> dict[str, Any]:
        """The content of the file, which is as its schema says."""
        found: dict[str, Any] = json.loads(self.file.read_text())
        schemas.hold("record", [found])
        return found

    def said(self) -> list[str]:
        """The lines of the journal since the last time."""
        text = self.log.getvalue()
        self.log.seek(0)
        self.log.truncate()
        return [line.removeprefix("netalias: ") for line in text.splitlines()]


def written(file: Path) -> tuple[int, int]:
    """Of a file that is not replaced, these stay; another time is that of its last reader."""
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Nothing is declared yet."""
    found = Host(tmp_path)
    yield found
    found.records.close()


def test_nothing_is_opened_without_a_line(host: Host) -> None:
    """Files without records cost nothing."""
    host.declare("eth0:0 10.0.0.1")
    assert (host.opened, host.noted, host.records.wanted(host.now)) == (0, [], {})
    assert host.records.due(host.now) is None


def test_the_file_follows_addresses_flags_and_media(host: Host) -> None:
    """D-2: each change is in the file; so is the first state, complete at once."""
    host.declare(f"record tap0 file {host.file}")
    first = host.there()
    assert (first["ipv4"], first["speed"], first["rate"]) == (["10.7.0.0/24"], 10, 1_250_000)
    host.kernel.add_address("tap0", "10.8.0.1/16")
    host.act()
    assert host.there()["ipv4"] == ["10.7.0.0/24", "10.8.0.0/16"]
    host.media.announce(host.index, speed=100)
    host.act()
    assert (host.there()["media"], host.there()["rate"]) == ("ethernet-100", 12_500_000)
    host.kernel.set_device("tap0", up=False)
    host.act()
    assert "UP" in first["flags"]
    assert "UP" not in host.there()["flags"]
    assert host.said() == []


def test_the_file_is_replaced_only_when_something_in_it_changes(host: Host) -> None:
    """Another MTU, a device that does not matter, the same speed again: not even its time."""
    host.declare(f"record tap0 file {host.file}")
    host.kernel.add_device("tap1", up=True)
    before = written(host.file)
    host.kernel.set_device("tap0", mtu=1400)
    host.media.announce(host.index, speed=10)
    host.media.announce(host.index + 1, speed=1000)
    host.act()
    host.declare(f"record tap0 file {host.file}", "eth0:0 10.0.0.1")
    assert written(host.file) == before
    host.kernel.add_address("tap0", "10.8.0.1/16")
    host.act()
    assert written(host.file) != before


def test_a_storm_leaves_time_to_others(host: Host) -> None:
    """Changes are collected, and after the work it is rested for several times as long."""
    host.declare(f"record tap0 file {host.file}")
    host.now += 1
    for number in range(1, 4):
        host.kernel.add_address("tap0", f"10.8.{number}.1/24")
        host.hear()
    assert host.records.due(host.now) == pytest.approx(SOON)
    host.now += SOON
    host.work = 1.0  # each look at the clock takes a second
    host.records.tick(host.now)
    host.work = 0.0
    assert len(host.there()["ipv4"]) == 4
    host.kernel.add_address("tap0", "10.8.4.1/24")
    host.hear()
    due = host.records.due(host.now)
    assert due == pytest.approx(REST * 1.0)
    host.now += due
    host.records.tick(host.now)
    assert len(host.there()["ipv4"]) == 5


def test_a_device_that_goes_takes_its_record_along(host: Host) -> None:
    """And brings it back, with the media that it has then; a name that is not there is awaited."""
    host.declare(f"record tap0 file {host.file}", "record tap7 file /nonexistent/x")
    host.kernel.remove_device("tap0")
    host.act()
    assert not host.file.exists()
    index = host.kernel.add_device("tap0", up=True).index
    host.media.speeds[index] = 100
    host.act()
    assert (host.there()["ipv4"], host.there()["speed"]) == ([], 100)
    assert host.said() == ["record tap0: the device is gone", "record tap0: the device is back"]


def test_a_device_that_is_renamed_away(host: Host) -> None:
    """The line is about a name: the record goes with it, and that of the new name comes."""
    other = host.file.with_name("y.json")
    host.declare(f"record tap0 file {host.file}", f"record tap1 file {other}")
    host.kernel.set_device("tap0", name="tap1")
    host.act()
    assert (host.file.exists(), json.loads(other.read_text())["ifname"]) == (False, "tap1")


def test_media_are_asked_for_again_with_a_carrier(host: Host) -> None:
    """Nothing announces the result of a negotiation."""
    host.declare(f"record tap0 file {host.file}")
    host.media.speeds[host.index] = 100
    device = host.state.device(host.index)
    host.records.hear(Event(CARRIER, (LINK, host.index), "LOWER_UP", False, True, device=device))
    host.act()
    assert (host.media.asked, host.there()["speed"]) == ([host.index] * 2, 100)


def test_clients_come_from_a_file(host: Host) -> None:
    """It may be missing, and is followed."""
    host.declare(f"record tap0 file {host.file} limit 5 clients {host.clients}")
    assert (host.there()["clients"], host.there()["availability"]) == (0, 255)
    host.clients.write_text("02:00:00:00:00:07\n02:00:00:00:00:08\n")
    host.act()
    assert (host.there()["clients"], host.there()["availability"]) == (2, 153)
    with host.clients.open("a") as file:  # in place: it is another object than the one before
        file.write("02:00:00:00:00:09\n")
    host.act()
    assert host.there()["clients"] == 3
    host.clients.unlink()
    host.clients.mkdir()
    host.act()
    assert host.there()["availability"] == 255
    host.act()
    assert host.said() == [f"record tap0: {host.clients}: Is a directory"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what others may not")
def test_a_path_of_others_leads_to_nothing_secret(host: Host) -> None:
    """A service may have its clients in its own folder, but not the number of lines, or the one
    number, of a file that it cannot read."""
    folder = host.file.parent / "service"
    folder.mkdir()
    secret, clients = host.file.parent / "secret", folder / "clients"
    secret.write_text("4711\n")
    secret.chmod(0o600)
    clients.symlink_to(secret)
    for path in (folder, clients):
        given_away(path)
    host.declare(f"record tap0 file {host.file} limit 9999 clients {clients}")
    assert host.there()["clients"] == 0
    (said,) = host.said()
    assert "belongs to another user" in said
    clients.unlink()
    clients.write_text("3\n")
    os.chown(clients, 65534, 65534)
    host.now += SOON
    host.act()
    assert host.there()["clients"] == 3
    host.declare(f"record tap0 file {host.file} limit 9999 clients {secret}")
    assert host.there()["clients"] == 4711


def test_a_storm_of_writing_leaves_time_to_others(host: Host) -> None:
    """Whoever writes the file of clients without end is looked at now and then, and what is there
    then is told."""
    host.declare(f"record tap0 file {host.file} clients {host.clients}")
    looks = 0
    for number in range(200):
        host.clients.write_text(f"{number}\n")
        for fileno in host.records.wanted(host.now):
            looks += fileno != host.media.fileno()
            host.records.ready(fileno, POLLIN, host.now)
        due = host.records.due(host.now)
        assert due is not None
        host.now += SOON / 20
        if due <= SOON / 20:
            host.now += due
            host.records.tick(host.now)
    assert 9 <= looks <= 12
    host.now += SOON
    host.act()
    assert host.there()["clients"] == 199


def test_what_others_do_to_the_file_is_put_right(host: Host) -> None:
    """Removed or overwritten; one who does it again and again is answered later and later."""
    host.declare(f"record tap0 file {host.file}")
    content = host.file.read_bytes()
    host.file.unlink()
    host.act()
    for _ in range(4):
        assert host.file.read_bytes() == content
        host.file.write_text("nonsense")
        host.act()
    host.file.write_text("nonsense")
    host.act()
    assert host.file.read_text() == "nonsense"
    due = host.records.due(host.now)
    assert due is not None
    assert due > 0
    host.now += due
    host.act()
    assert host.file.read_bytes() == content


def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(host: Host) -> None:
    """The folder is missing, and comes."""
    file = host.file.parent / "folder" / "x.json"
    host.declare(f"record tap0 file {file}")
    (said,) = host.said()
    assert said == f"record tap0: {file}: No such file or directory"
    due = host.records.due(host.now)
    assert due is not None
    host.now += due
    host.act()
    assert host.said() == []
    file.parent.mkdir()
    host.now += 60
    host.act()
    assert json.loads(file.read_text())["ifname"] == "tap0"


def test_without_media_the_rest_is_kept(host: Host) -> None:
    """The kernel gives no socket for them: it is told, and all else is in the file."""
    host.refused = True
    with pytest.raises(NetaliasError, match="ethtool netlink"):
        host.declare(f"record tap0 file {host.file}")
    host.act()
    assert host.there()["ipv4"] == ["10.7.0.0/24"]
    assert "speed" not in host.there()
    assert host.noted == [[f"record tap0 file {host.file} limit 7"]]
    host.kernel.add_address("tap0", "10.8.0.1/16")
    host.act()
    assert host.there()["ipv4"] == ["10.7.0.0/24", "10.8.0.0/16"]


def test_a_line_that_goes_takes_its_file_along(host: Host) -> None:
    """The socket of media too. A line that changes its limit keeps the file."""
    host.declare(f"record tap0 file {host.file}")
    other = host.file.with_name("y.json")
    host.declare(f"record tap0 file {host.file} limit 9")
    assert host.there()["limit"] == 9
    host.declare(f"record tap0 file {other}")
    assert (host.file.exists(), other.exists()) == (False, True)
    host.declare("eth0:0 10.0.0.1")
    assert (other.exists(), host.media.closed) == (False, True)
    assert host.noted[-2:] == [[f"record tap0 file {other} limit 7"], []]


@pytest.mark.parametrize("leave", [True, False])
def test_the_end_of_a_watcher(host: Host, leave: bool) -> None:
    """Nobody keeps the record any more, so it goes; unless another watcher has taken over."""
    host.declare(f"record tap0 file {host.file}")
    host.records.close(leave=leave)
    assert host.file.exists() == leave


def test_a_file_that_somebody_else_has_written_stays_at_the_end(host: Host) -> None:
    """It is theirs now."""
    host.declare(f"record tap0 file {host.file}")
    host.file.write_text("theirs")
    host.records.close()
    assert host.file.read_text() == "theirs"


def test_what_a_killed_watcher_has_left(host: Host) -> None:
    """A line that stands keeps its file as it is; the file of one that is gone goes; so does that
    of a device that is away. A file that is no record stays, and so does what cannot be read."""
    host.declare(f"record tap0 file {host.file}")
    before = written(host.file)
    gone, away, other = (host.file.with_name(name) for name in ("gone", "away", "other"))
    for file in (gone, away):
        file.write_bytes(host.file.read_bytes())
    other.write_text("theirs")
    host.records.close(leave=True)
    host.records = host.another(
        f"record tap0 file {host.file} limit 7", f"record tap1 file {gone} limit 7",
        f"record tap2 file {other} limit 7", "record of tomorrow",
    )  # fmt: skip
    host.declare(f"record tap0 file {host.file}", f"record tap7 file {away}")
    assert written(host.file) == before
    assert (gone.exists(), away.exists(), other.exists()) == (False, False, True)


def test_a_new_limit_while_the_device_is_away(host: Host) -> None:
    """The file that the line had before goes all the same."""
    host.declare(f"record tap0 file {host.file}")
    host.kernel.remove_device("tap0")
    host.hear()
    host.declare(f"record tap0 file {host.file} limit 9")
    assert not host.file.exists()


class Storm(RuleBasedStateMachine):
    """Whatever happens, and in whatever order it is heard of: at rest the file has the record of
    the device as it is then, and there is none without a device; but what others have written in
    its place stays until there is a record again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.host = Host(Path(self.folder.name))
        self.limit = 7

    def teardown(self) -> None:
        self.host.records.close()
        assert not self.host.file.exists() or self.host.file.read_text() == "nonsense"
        self.folder.cleanup()

    @initialize()
    def declare(self) -> None:
        self.host.declare(f"record tap0 file {self.host.file} clients {self.host.clients}")

    @rule(limit=st.integers(1, 9))
    def redeclare(self, limit: int) -> None:
        self.limit = limit
        line = f"record tap0 file {self.host.file} limit {limit} clients {self.host.clients}"
        self.host.declare(line, "record tap1 file /nonexistent/y")

    @rule(number=st.integers(0, 3), add=st.booleans())
    def address(self, number: int, add: bool) -> None:
        text = f"10.{number}.0.1/16" if number % 2 else f"2001:db8:{number}::1/64"
        try:
            if add:
                self.host.kernel.add_address("tap0", text)
            else:
                self.host.kernel.remove_address("tap0", text)
        except NetaliasError:
            pass  # it is there already, or is not, or there is no device

    @rule(up=st.booleans())
    def flag(self, up: bool) -> None:
        if "tap0" in self.names():
            self.host.kernel.set_device("tap0", up=up)

    @rule(speed=st.sampled_from([10, 100]))
    def come_or_go(self, speed: int) -> None:
        if "tap0" in self.names():
            self.host.kernel.remove_device("tap0")
        else:
            index = self.host.kernel.add_device("tap0", up=True).index
            self.host.media.speeds[index] = speed

    @rule(speed=st.sampled_from([10, 100]))
    def media(self, speed: int) -> None:
        for index in self.host.media.speeds:
            self.host.media.speeds[index] = speed
            self.host.media.announce(index, speed=speed)

    @rule(count=st.integers(0, 5))
    def clients(self, count: int) -> None:
        self.host.clients.write_text(f"{count}\n")

    @rule(content=st.sampled_from([None, "nonsense"]))
    def tamper(self, content: str | None) -> None:
        if self.host.file.exists():
            self.host.file.unlink()
            if content is not None:
                self.host.file.write_text(content)

    @rule()
    def hear(self) -> None:
        self.host.hear()

    @rule()
    def act(self) -> None:
        self.host.act()

    def names(self) -> list[str]:
        return [one.name for one in self.host.kernel.snapshot().devices.values()]

    @rule()
    def rest(self) -> None:
        """At rest, when all delays are over."""
        for _ in range(3):
            self.host.now += 200
            self.host.act()
            if self.host.records.due(self.host.now) is not None:
                self.host.records.tick(self.host.now)
        if "tap0" not in self.names():
            assert not self.host.file.exists() or self.host.file.read_text() == "nonsense"
            return
        device = self.host.kernel.device("tap0")
        text = self.host.clients.read_text() if self.host.clients.exists() else ""
        snapshot = self.host.kernel.snapshot()
        found = self.host.there()
        media = {"speed": self.host.media.speeds[device.index], "port": 0}
        record = record_of(
            snapshot.devices[device.index], snapshot.on(device.index), media, clients_in(text),
            self.limit,
        )  # fmt: skip
        assert found == fields(record)


Storm.TestCase.settings = settings(max_examples=20, stateful_step_count=25)
TestStorm = Storm.TestCase


# The verb


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("record", "record needs the name of one device (netalias record tap0)"),
        ("record tap0 tap1", "record needs the name of one device (netalias record tap0)"),
        ("record tap0 limit 7", "record tap0: limit is a word of files (did you mean --limit?)"),
        ("record tap0 file /run/a clients 3",
         "record tap0: file is a word of files (did you mean --file?)"),
        ("record tap0 --exit-when-down", "--exit-when-down belongs to --follow"),
        ("record tap0 --exit-when-down tap0", "--exit-when-down belongs to --follow"),
        ("record tap0 --limit 0", "--limit 0: a number from 1 to 999999999 is needed"),
        ("record tap0 -j --sdp", "-j, --sdp and --txt exclude each other"),
        ("record tap0 --sdp --follow", "--sdp gives bytes, not text (--file FILE takes them)"),
        ("show --limit 3", "--limit belongs to record (netalias help show)"),
        ("check --file x", "--file belongs to record (did you mean the file as a word: netalias"
         " check FILE?)"),
    ],
)  # fmt: skip
def test_what_the_verb_refuses(capsys: pytest.CaptureFixture[str], words: str, error: str) -> None:
    """Before anything is asked."""
    assert Command(capsys).refused(words, 1) == error
