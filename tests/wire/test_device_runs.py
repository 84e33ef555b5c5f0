"""Macvlans that are left out of a dump by their bytes: those that bare.without() leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from netalias.kernel.netlink import codec, messages
from netalias.kernel.netlink.sifting import sifted
from netalias.model import AF_INET, AF_INET6, FOREVER, GROUP, IFF_UP, PROTOCOL, Snapshot
from netalias.model.bare import Bare, Sifted, without

if TYPE_CHECKING:
    from netalias.kernel.netlink.interrupted import Body

MAINS = {"eth9": 2, "eth10": 3}
SLOTS = 60
EACH = 9
"""Messages in a datagram."""


def local(main: str, slot: int) -> bytes:
    return bytes([10, MAINS[main], 0, slot + 1])


def link(index: int, name: str, **other: Any) -> bytes:
    """An RTM_NEWLINK with the attributes that matter, in the order of the kernel
    (rtnl_fill_ifinfo of net/core/rtnetlink.c), and some that do not."""
    found = {"flags": IFF_UP, "mtu": 1500, "group": 0, "marks": 0, "sequence": 1, **other}
    info = [codec.attr_text(codec.IFLA_INFO_KIND, found.get("kind", "veth"))]
    if "mode" in found:
        info.append(codec.nest(codec.IFLA_INFO_DATA, codec.attr_u32(1, found["mode"])))
    chance = Random(index)
    parts = [
        codec.ifinfo(index, found["flags"]),
        codec.attr_text(codec.IFLA_IFNAME, name),
        codec.attr(codec.IFLA_OPERSTATE, chance.randbytes(1)),
        codec.attr_u32(codec.IFLA_MTU, found["mtu"]),
        codec.attr_u32(codec.IFLA_GROUP, found["group"]),
        codec.attr_u32(codec.IFLA_LINK, found["link"]) if "link" in found else b"",
        codec.attr_u32(codec.IFLA_MASTER, found["master"]) if "master" in found else b"",
        codec.attr_text(codec.IFLA_IFALIAS, found["ifalias"]) if "ifalias" in found else b"",
        codec.attr(35, chance.randbytes(4)),
        codec.attr(codec.IFLA_ADDRESS, b"\2" + chance.randbytes(5)),
        codec.nest(codec.IFLA_LINKINFO, *info),
        codec.attr_u32(codec.IFLA_LINK_NETNSID, 1) if "remote" in found else b"",
        codec.nest(codec.IFLA_AF_SPEC, codec.nest(AF_INET, codec.attr(1, chance.randbytes(132)))),
    ]
    if altnames := found.get("altnames"):
        texts = [codec.attr_text(codec.IFLA_ALT_IFNAME, one) for one in altnames]
        parts.append(codec.nest(codec.IFLA_PROP_LIST, *texts))
    return _message(codec.RTM_NEWLINK, found["marks"], found["sequence"], b"".join(parts))


def entry(index: int, packed: bytes, label: str, **other: Any) -> bytes:
    """An RTM_NEWADDR (inet_fill_ifaddr of net/ipv4/devinet.c)."""
    found = {"valid": FOREVER, "protocol": PROTOCOL, "length": 32, **other}
    parts = [
        codec.IFADDR.pack(AF_INET, found["length"], 0x80, 0, index),
        codec.attr(codec.IFA_ADDRESS, packed),
        codec.attr(codec.IFA_LOCAL, packed),
        codec.attr_text(codec.IFA_LABEL, label),
        codec.attr(codec.IFA_PROTO, bytes([found["protocol"]])),
        codec.attr_u32(codec.IFA_FLAGS, 0x80),
        codec.attr(
            codec.IFA_CACHEINFO, codec.CACHEINFO.pack(found["valid"], found["valid"], index, index)
        ),
    ]
    return _message(codec.RTM_NEWADDR, found.get("marks", 0), 2, b"".join(parts))


def entry6(index: int) -> bytes:
    """An IPv6 address."""
    body = codec.IFADDR.pack(AF_INET6, 128, 0x80, 0, index)
    packed = bytes(14) + index.to_bytes(2, "big")
    return _message(codec.RTM_NEWADDR, 0, 2, body + codec.attr(codec.IFA_ADDRESS, packed))


def _message(kind: int, marks: int, sequence: int, body: bytes) -> bytes:
    return codec.HEADER.pack(16 + len(body), kind, 2 | marks, sequence, 99) + body


def datagrams(found: Sequence[bytes], sequence: int) -> list[bytes]:
    """The messages of a dump in datagrams, with its end."""
    end = codec.HEADER.pack(20, codec.NLMSG_DONE, 2, sequence, 99) + bytes(4)
    all_of_it = [*found, end]
    return [b"".join(all_of_it[at : at + EACH]) for at in range(0, len(all_of_it), EACH)]


class Dumps:
    """A kernel that answers with these messages."""

    def __init__(self, links: Sequence[bytes], entries: Sequence[bytes]) -> None:
        self.links = datagrams(links, 1)
        self.entries = datagrams(entries, 2)

    def taken(self, request: bytes, operation: str = "") -> list[bytes] | None:
        return self.links if request == codec.ALL_LINKS else self.entries

    def decoded(self, bodies: list[Body], wanted: int, read: Callable[..., Any]) -> list[Any]:
        return [read(*body) for body in bodies]

    def messages(self, found: Iterable[bytes]) -> Iterator[tuple[int, int, bytes, int, int]]:
        for data in found:
            for kind, flags, _, start, end in messages(data):
                yield kind, flags, data, start, end

    def local_routes(self) -> Sequence[Any]:
        return ()


ODD_LINKS: tuple[dict[str, Any], ...] = (
    {"flags": 0}, {"mtu": 1400}, {"group": 5}, {"master": 7}, {"remote": True}, {"kind": "ipvlan"},
    {"ifalias": "netalias"}, {"ifalias": "netalias eth9:7"}, {"altnames": ("other",)},
    {"altnames": ("eth9:7x",)}, {"altnames": ("a", "b")}, {"altnames": ()}, {"link": 4},
    {"link": 77}, {"mode": 4}, {"name": "eth9_x"}, {"name": "longer_name"},
)  # fmt: skip
ODD_ENTRIES: tuple[dict[str, Any], ...] = (
    {"valid": 600}, {"protocol": 4}, {"length": 24}, {"label": "x"}, {"packed": b"abcd"},
)  # fmt: skip


def world(chance: Random, odd: float) -> Dumps:
    """Main devices with macvlans, a share of which is *odd* in one thing; sorted or not."""
    links = [link(index, name) for name, index in MAINS.items()]
    links.append(link(4, "eth11"))
    entries = [entry(2, bytes([192, 0, 2, 1]), "eth9", protocol=0)]
    index = 9
    for main, lower in MAINS.items():
        for slot in range(SLOTS):
            index += 1
            name, alias = f"{main}_{slot}", f"{main}:{slot}"
            usual = {
                "kind": "macvlan",
                "group": GROUP,
                "link": lower,
                "ifalias": f"netalias {alias}",
                "altnames": (alias,),
            }
            other = dict(chance.choice(ODD_LINKS)) if chance.random() < odd else {}
            links.append(link(index, other.pop("name", name), **{**usual, **other}))
            other = dict(chance.choice(ODD_ENTRIES)) if chance.random() < odd else {}
            packed = other.pop("packed", local(main, slot))
            if chance.random() >= odd / 3:
                entries.append(entry(index, packed, other.pop("label", name), **other))
            if chance.random() < odd / 3:  # another one, before or behind it
                at = len(entries) - chance.randint(0, 1)
                entries.insert(at, entry(index, bytes([198, 51, 100, slot]), name))
            if chance.random() < odd / 3:
                entries.append(entry6(index))
    if chance.random() < 0.4:
        chance.shuffle(links)
    return Dumps(links, entries)


def bare(*, labels: bool = False) -> Bare:
    devices = {
        main: {local(main, slot): b"%s:%d" % (main.encode(), slot) for slot in range(SLOTS)}
        for main in MAINS
    }
    some = {bytes([192, 0, 2, slot]): b"eth9:%d" % (slot + 100) for slot in range(100, 130)}
    return Bare({"eth9": some} if labels else {}, devices, GROUP)


def contents(snapshot: Snapshot) -> object:
    return snapshot.devices, snapshot.addresses


def sift(kernel: Dumps, wanted: Bare) -> Sifted:
    """What is left of a reading, which is held against the same by objects."""
    found = sifted(kernel, wanted)
    assert found is not None
    slow = without(found.whole(), wanted)
    assert found.devices == {main: some for main, some in slow.devices.items() if some}
    assert {main: some for main, some in found.labels.items() if some} == slow.labels
    assert contents(found.snapshot) == contents(slow.snapshot)
    return found


@pytest.mark.parametrize(("odd", "least"), [(0, 3600), (0.05, 3000), (0.4, 800)])
def test_what_is_left_out_is_what_objects_say(odd: float, least: int) -> None:
    """In any order, with any of them odd in any thing; what stays keeps its order."""
    left = 0
    for seed in range(30):
        found = sift(world(Random(seed), odd), bare())
        left += sum(map(len, found.devices.values()))
    assert left >= least


def test_labels_and_devices_of_one_reading() -> None:
    """Both are left out of one dump of addresses."""
    for seed in range(10):
        chance = Random(seed)
        kernel = world(chance, 0.05)
        more = [
            entry(2, bytes([192, 0, 2, slot]), f"eth9:{slot + 100}") for slot in range(100, 130)
        ]
        dump = [one for data in kernel.entries for one in _cut(data)][:-1]
        kernel.entries = datagrams([*dump[:1], *more, *dump[1:]], 2)
        found = sift(kernel, bare(labels=True))
        assert len(found.labels["eth9"]) == 30
        assert sum(map(len, found.devices.values())) > 80


def _cut(data: bytes) -> Iterator[bytes]:
    for _, _, _, start, end in messages(data):
        yield data[start - 16 : end]


@pytest.mark.parametrize("place", range(5, 50, 9))
def test_a_dump_that_is_not_whole_is_not_believed(place: int) -> None:
    """A message in the midst of it says that it was interrupted, or its end is missing."""
    for dump in ("links", "entries"):
        kernel = world(Random(1), 0)
        found = [one for data in getattr(kernel, dump) for one in _cut(data)][:-1]
        sequence = 1 if dump == "links" else 2
        marked = bytearray(found[place])
        marked[6] |= codec.NLM_F_DUMP_INTR
        some = [*found[:place], bytes(marked), *found[place + 1 :]]
        setattr(kernel, dump, datagrams(some, sequence))
        assert sifted(kernel, bare()) is None
        setattr(kernel, dump, [b"".join(found[:place])])
        assert sifted(kernel, bare()) is None
