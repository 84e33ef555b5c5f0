"""The peers of the comparison: each defines its input file and its command.

A job is a kind and a number of aliases. Its operations follow one another in one namespace, each
from the state that the one before it left.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from installs import Installs
from processes import Failed, captured
from stage import IP, TooLong, limited

CREATE = "create all"
NOTHING = "no-op"
COMPARE = "no-op, compared"
ONE = "one added"
SOME = "100 removed"
ALL = "all removed"
OPERATIONS = (CREATE, NOTHING, COMPARE, ONE, SOME, ALL)
CHANGES = (CREATE, ONE, SOME, ALL)
DECLARED = (CREATE, NOTHING, ONE, SOME, ALL)

MACVLAN = "macvlan"
LABEL = "label"

STATES: dict[str, Callable[[int], range]] = {
    CREATE: range,
    NOTHING: range,
    COMPARE: range,
    ONE: lambda count: range(count + 1),
    SOME: lambda count: range(count + 1 - min(100, count // 10)),
    ALL: lambda count: range(0),
}
"""Operation: number of aliases -> the slots that are there after it. A tenth of 100 is removed."""

GROUP = 77
RUN = Path("/run/bench")
ADDRESS_EVENTS = 0x10
"""RTMGRP_IPV4_IFADDR of linux/rtnetlink.h."""
RTM_NEWADDR = 20
SO_RCVBUFFORCE = 33
EVENTS_BUFFER = 64 << 20
SILENCE = 3.0
"""Seconds without a new address after which none is expected any more."""


class Job:
    """*count* aliases of *kind* on eth9."""

    __slots__ = ("count", "kind")

    def __init__(self, kind: str, count: int) -> None:
        self.kind = kind
        self.count = count

    def slots(self, operation: str) -> range:
        """The slots after an operation."""
        return STATES[operation](self.count)

    def former(self, operation: str) -> range:
        """The slots before an operation."""
        place = OPERATIONS.index(operation)
        return self.slots(OPERATIONS[place - 1]) if place else range(0)


def address(slot: int) -> str:
    """The address of a slot, such as ``10.0.1.4/32``."""
    return f"10.{slot >> 16}.{slot >> 8 & 255}.{slot & 255}/32"


class Peer:
    """One way to do the jobs.

    ``patience`` is the time in seconds above which a job is done only once, ``path`` the input
    file. ``remark`` names in the report the differences to netalias.
    """

    name = ""
    remark = ""
    kinds: tuple[str, ...] = (MACVLAN, LABEL)
    operations: tuple[str, ...] = OPERATIONS
    repeats: dict[str, int] = {}
    patience = float("inf")
    sysfs = False
    hidden = False

    def __init__(self, installs: Installs) -> None:
        self.installs = installs
        self.path = RUN / type(self).__name__

    def ready(self) -> None:
        """Prepare the private /run and mounts. Raises Failed or OSError if that is impossible."""

    def version(self) -> str:
        """The version of the program."""
        return ""

    def text(self, job: Job, operation: str) -> str:
        """The content of the input file."""
        return ""

    def words(self, job: Job, operation: str) -> list[str]:
        """The command."""
        raise NotImplementedError

    def before(self, operation: str) -> None:
        """Prepare an operation; this is not measured."""

    def run(self, job: Job, operation: str) -> float:
        """Milliseconds of an operation. Raises Failed."""
        return limited(self.words(job, operation))


class Netalias(Peer):
    """The installed command."""

    name = "netalias"
    repeats = {NOTHING: 3, COMPARE: 3}
    options = {SOME: ("--allow-shrink",), ALL: ("--allow-empty",)}

    def version(self) -> str:
        return captured([*self.command(), "--version"]).split()[-1]

    def text(self, job: Job, operation: str) -> str:
        return "".join(
            f"eth9:{slot} {address(slot)} kind {job.kind}\n" for slot in job.slots(operation)
        )

    def command(self) -> list[str]:
        """The words before the verb."""
        return [str(self.installs.launcher)]

    def words(self, job: Job, operation: str) -> list[str]:
        options = self.options.get(operation, ())
        return [*self.command(), "reconcile", "-q", *options, str(self.path)]

    def before(self, operation: str) -> None:
        if operation == COMPARE:
            forget()


class Recorder(Netalias):
    """netalias with a recording of its messages."""

    name = "recorder"
    hidden = True
    operations = DECLARED

    def words(self, job: Job, operation: str) -> list[str]:
        program = str(Path(__file__).with_name("floor.py"))
        file = str(recording(job, operation))
        return [sys.executable, program, "record", file, *super().words(job, operation)[1:]]


class Floor(Peer):
    """The same messages, replayed by floor.c."""

    name = "floor (C)"
    remark = "the messages of netalias, prepared; sends and answers only; of a no-op the dumps"
    operations = DECLARED

    def ready(self) -> None:
        self._player = [str(self.installs.player())]

    def words(self, job: Job, operation: str) -> list[str]:
        file = recording(job, operation)
        if not file.exists():
            raise Failed("there is no recording of netalias")
        return [*self._player, str(file)]


class PythonFloor(Floor):
    """The same messages, replayed by floor.py, with the start of a Python."""

    name = "floor (Python)"
    remark = "the same by a small Python program, its start included"

    def ready(self) -> None:
        self._player = [sys.executable, str(Path(__file__).with_name("floor.py")), "replay"]


class IpBatch(Peer):
    """``ip -batch``, alias by alias, without any optimisation."""

    name = "ip -batch"
    remark = (
        f"one process; macvlans are made in group {GROUP}, so that one message removes them all;"
        " it compares nothing: its file has the changes only"
    )
    operations = CHANGES
    patience = 20.0

    def version(self) -> str:
        return captured([IP, "-V"]).split("iproute2-")[-1].split(",")[0]

    def text(self, job: Job, operation: str) -> str:
        before, after = job.former(operation), job.slots(operation)
        if job.kind == MACVLAN and not after:
            return f"link del group {GROUP}\n"
        make, delete = _IP[job.kind]
        lines = [delete(slot) for slot in before if slot not in after]
        return "".join([*lines, *(make(slot) for slot in after if slot not in before)])

    def words(self, job: Job, operation: str) -> list[str]:
        return [IP, "-batch", str(self.path)]


def _make_macvlan(slot: int) -> str:
    device = f"eth9_{slot}"
    return (
        f"link add link eth9 name {device} group {GROUP} type macvlan mode bridge\n"
        f"link property add dev {device} altname eth9:{slot}\n"
        f"addr add {address(slot)} dev {device}\n"
        f"link set {device} up\n"
    )


_IP: dict[str, tuple[Callable[[int], str], Callable[[int], str]]] = {
    MACVLAN: (_make_macvlan, lambda slot: f"link del eth9_{slot}\n"),
    LABEL: (
        lambda slot: f"addr add {address(slot)} dev eth9 label eth9:{slot}\n",
        lambda slot: f"addr del {address(slot)} dev eth9\n",
    ),
}
"""Kind: functions for the lines that make an alias, and for those that delete it."""


class Ifupdown2(Peer):
    """``ifreload -a`` of Debian's package, unpacked and mounted over /usr/share and /etc."""

    name = "ifupdown2"
    remark = (
        "ifreload -a; macvlans as address-virtual, without altname; labels as addresses without one"
    )
    operations = DECLARED
    patience = 20.0
    sysfs = True
    python = "/usr/bin/python3"

    def ready(self) -> None:
        root = self.installs.ifupdown2()
        for folder in ("etc", "usr/share", "var/lib"):
            lay_over(root, folder)
        Path("/run/network").mkdir(exist_ok=True)
        self._program = RUN / "ifreload"
        self._program.symlink_to("/usr/share/ifupdown2/ifupdown2")
        self.path = Path("/etc/network/interfaces")

    def version(self) -> str:
        (package,) = self.installs.ifupdown2().parent.glob("*.deb")
        return package.name.split("_")[1]

    def text(self, job: Job, operation: str) -> str:
        line = _IFUPDOWN2[job.kind]
        return "auto eth9\niface eth9\n" + "".join(map(line, job.slots(operation)))

    def words(self, job: Job, operation: str) -> list[str]:
        return [self.python, str(self._program), "-a"]


_IFUPDOWN2: dict[str, Callable[[int], str]] = {
    MACVLAN: lambda slot: f"    address-virtual {_mac(slot)} {address(slot)}\n",
    LABEL: lambda slot: f"    address {address(slot)}\n",
}


def _mac(slot: int) -> str:
    return f"02:00:00:00:{slot >> 8:02x}:{slot & 255:02x}"


class IfState(Peer):
    """``ifstatecli apply``, from PyPI."""

    name = "IfState"
    remark = "ifstatecli apply; no altnames, no labels"
    operations = DECLARED
    patience = 20.0

    def ready(self) -> None:
        self._program = str(self.installs.ifstate())

    def version(self) -> str:
        environment = Path(self._program).parents[1]
        (folder,) = environment.glob("lib/*/site-packages/ifstate-*.dist-info")
        return folder.name.removesuffix(".dist-info").partition("-")[2]

    def text(self, job: Job, operation: str) -> str:
        slots = job.slots(operation)
        own = [address(slot) for slot in slots] if job.kind == LABEL else []
        lines = [
            "interfaces:",
            f"  eth9: {{link: {{kind: veth, peer: peth9, state: up}}, addresses: [{_list(own)}]}}",
            "  peth9: {link: {kind: veth, peer: eth9, state: up}}",
        ]
        if job.kind == MACVLAN:
            link = "link: {kind: macvlan, link: eth9, macvlan_mode: bridge, state: up}"
            lines += [f"  eth9_{slot}: {{{link}, addresses: [{address(slot)}]}}" for slot in slots]
        return "\n".join([*lines, ""])

    def words(self, job: Job, operation: str) -> list[str]:
        return [self._program, "-c", str(self.path), "apply"]


def _list(words: list[str]) -> str:
    return ", ".join(words)


class Networkd(Peer):
    """systemd-networkd, from its start to the last address, since it does not report the end.

    Without a system manager there is no bus to reload it through, so it only creates.
    """

    name = "systemd-networkd"
    remark = "from its start to the last address; it can only create here, there is no bus"
    kinds = (LABEL,)
    operations = (CREATE,)
    patience = 20.0
    sysfs = True
    program = "/lib/systemd/systemd-networkd"

    def ready(self) -> None:
        if not os.access(self.program, os.X_OK):
            raise Failed("not installed")
        for folder in ("/run/systemd/network", "/run/systemd/netif"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.chown("/run/systemd/netif", "systemd-network", "systemd-network")
        self.path = Path("/run/systemd/network/10-eth9.network")

    def version(self) -> str:
        return captured([self.program, "--version"]).split()[1]

    def text(self, job: Job, operation: str) -> str:
        head = "[Match]\nName=eth9\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        return head + "".join(
            f"[Address]\nAddress={address(slot)}\nLabel=eth9:{slot}\n"
            for slot in job.slots(operation)
        )

    def run(self, job: Job, operation: str) -> float:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as events:
            events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, EVENTS_BUFFER)
            events.bind((0, ADDRESS_EVENTS))
            events.settimeout(SILENCE)
            return limited([self.program], lambda: _addresses(events, job.count))


def _addresses(events: socket.socket, count: int) -> None:
    """Wait until *count* addresses were added. Raises TooLong after SILENCE seconds without one."""
    found = 0
    while found < count:
        try:
            data = events.recv(65536)
        except TimeoutError:
            raise TooLong(f"it stops at {found} addresses") from None
        found += int.from_bytes(data[4:6], sys.byteorder) == RTM_NEWADDR


PEERS: tuple[type[Peer], ...] = (
    Netalias,
    Floor,
    PythonFloor,
    IpBatch,
    Ifupdown2,
    IfState,
    Networkd,
)
SLOW = (Ifupdown2, IfState, Networkd)
"""Peers that --quick leaves out."""


def recording(job: Job, operation: str) -> Path:
    """The file with the recorded messages of an operation."""
    return RUN / f"{job.kind}-{job.count}-{operation.replace(' ', '-')}"


def forget() -> None:
    """Delete the fingerprints, so that the next run compares."""
    for file in Path("/run/netalias").glob("*/fingerprint"):
        file.unlink()


def lay_over(root: Path, folder: str) -> None:
    """Mount *folder* of *root* over that of the machine, in this mount namespace only."""
    upper, work = RUN / "upper" / folder, RUN / "work" / folder
    for place in (upper, work):
        place.mkdir(parents=True)
    options = f"lowerdir={root}/{folder}:/{folder},upperdir={upper},workdir={work}"
    captured(["mount", "-t", "overlay", "-o", options, "overlay", f"/{folder}"])
