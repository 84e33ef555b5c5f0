"""Programs that choose packets by the device, and miss those of an alias that gets another one.

::

    a socket bound to eth0 (SO_BINDTODEVICE)   gets what comes in by eth0, and not by eth0_0
    a packet socket on eth0, for one protocol  likewise; one for all protocols (tcpdump) sees both
    a program that was given eth0:0            may look the name up by an ioctl, which cuts it at
                                               the colon
"""

from __future__ import annotations

import os
from ipaddress import ip_address

from netalias import errors
from netalias.doctor.finding import listed
from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netalias.doctor.uncovered import Pair

PACKET = "/proc/thread-self/net/packet"
"""The packet sockets of a namespace (proc_pid_net(5))."""
ETH_P_ALL = 0x0003
NET = "/proc/thread-self/ns/net"


class Process(Value):
    """A process of this namespace: its ``name``, ``pid``, ``words`` and the inodes of its
    ``sockets``."""

    __slots__ = ("name", "pid", "sockets", "words")

    def __init__(self, name: str, pid: int, words: list[str], sockets: frozenset[str]) -> None:
        self.name = name
        self.pid = pid
        self.words = words
        self.sockets = sockets

    @property
    def text(self) -> str:
        """``tcpdump (pid 7)``."""
        return f"{self.name} (pid {self.pid})"


def concerned(pairs: Sequence[Pair], indexes: Mapping[str, int], unseen: list[str]) -> list[str]:
    """Sentences about programs of this namespace for which aliases would be missing, or called
    otherwise; *indexes* are those of devices by name. What could not be read is added to
    *unseen*."""
    by_old: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_old.setdefault(pair.old, []).append(pair)
    found = list(processes())
    texts: list[str] = []
    for old, some in by_old.items():
        index = indexes.get(old, 0)
        texts += _bound(old, index, some, unseen)
        texts += _packets(old, index, some, found)
    texts += _named({pair.name: pair.new for pair in pairs}, found)
    return texts


def _bound(old: str, index: int, pairs: Sequence[Pair], unseen: list[str]) -> Iterator[str]:
    """Sentences about sockets that are bound to the device."""
    try:
        from netalias.kernel.pyroute import survey

        sockets = sorted(text for text, number in survey.bound() if number == index)
    except errors.NetaliasError as error:
        unseen.append(f"sockets: {error.line()}")
        return
    for text in sockets:
        names = [pair.name for pair in pairs if _hears(text, pair.address)]
        if names:
            yield f"the socket {text} is bound to {old}, and will miss packets to {listed(names)}"


def _hears(text: str, address: bytes) -> bool:
    """Whether a socket, ``tcp 0.0.0.0:80``, may get packets to an address."""
    local = ip_address(text.split()[-1].rpartition(":")[0].strip("[]"))
    return local.is_unspecified or local.packed == address


def _packets(
    old: str, index: int, pairs: Sequence[Pair], found: Iterable[Process]
) -> Iterator[str]:
    """Sentences about packet sockets for one protocol on the device; they see it behind the
    devices above it. On the device of an alias also about those for all: it goes."""
    owners = {inode: one for one in found for inode in one.sockets}
    names = listed([pair.name for pair in pairs])
    goes = any(pair.old != pair.name.partition(":")[0] for pair in pairs)
    for line in _lines(PACKET)[1:]:
        words = line.split()
        if len(words) < 9 or words[4] != str(index):
            continue
        protocol = int(words[3], 16)
        if protocol != ETH_P_ALL or goes:
            owner = owners.get(words[8])
            who = owner.text if owner is not None else "a program"
            what = f"listens on {old} for protocol {protocol:#06x}"
            yield f"{who} {what}, and will miss packets to {names}"


def _named(new: Mapping[str, str], found: Iterable[Process]) -> Iterator[str]:
    """Sentences about programs that were given the name of an alias."""
    for one in found:
        for name in dict.fromkeys(word for word in one.words[1:] if word in new):
            yield f"{one.text} was given {name}: it may need {new[name]}"


def processes(root: str = "/proc") -> Iterator[Process]:
    """The processes of the namespace of the calling thread, without this one."""
    namespace = os.readlink(NET)
    for pid in filter(str.isdecimal, os.listdir(root)):
        try:
            if int(pid) == os.getpid() or os.readlink(f"{root}/{pid}/ns/net") != namespace:
                continue
            words = _text(f"{root}/{pid}/cmdline").split("\0")[:-1]
            name = _text(f"{root}/{pid}/comm").strip()
            yield Process(name, int(pid), words, _sockets(f"{root}/{pid}/fd"))
        except OSError:
            continue  # it has ended, or is another user's


def _sockets(folder: str) -> frozenset[str]:
    """The inodes of the sockets among descriptors. Raises OSError."""
    found = set()
    for name in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return frozenset(found)


def _lines(path: str) -> list[str]:
    """The lines of a file; none without it: a kernel may lack packet sockets."""
    try:
        return _text(path).splitlines()
    except OSError:
        return []


def _text(path: str) -> str:
    """Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
