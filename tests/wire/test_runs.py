"""Addresses of a dump that are left out by their bytes: those that codec.py would say it of."""

from __future__ import annotations

from random import Random
from sys import byteorder

import pytest

from netalias import errors, recognition
from netalias.kernel.netlink import codec, fingerprint, runs
from netalias.model import FOREVER, PROTOCOL
from netalias.model.bare import is_bare

SEQUENCE = 2
NAMES = {7: "eth0", 8: "eth1"}
LABELS = {
    name: {bytes([10, index, 0, slot]): b"%s:%d" % (name.encode(), slot) for slot in range(120)}
    for index, name in NAMES.items()
}


def message(
    index: int,
    slot: int,
    *,
    label: str = "",
    length: int = 32,
    scope: int = 0,
    flags: int = 0x80,
    protocol: int = PROTOCOL,
    peer: bytes = b"",
    broadcast: bytes = b"",
    metric: int = 0,
    valid: int = FOREVER,
    marks: int = 0,
    sequence: int = SEQUENCE,
) -> bytes:
    """An RTM_NEWADDR as the kernel writes it (inet_fill_ifaddr of net/ipv4/devinet.c)."""
    local = bytes([10, index, 0, slot])
    parts = [
        codec.IFADDR.pack(2, length, flags & 0xFF, scope, index),
        codec.attr(codec.IFA_ADDRESS, peer or local),
        codec.attr(codec.IFA_LOCAL, local),
        codec.attr(codec.IFA_BROADCAST, broadcast) if broadcast else b"",
        codec.attr_text(codec.IFA_LABEL, label or f"{NAMES.get(index, 'x')}:{slot}"),
        codec.attr(codec.IFA_PROTO, bytes([protocol])) if protocol else b"",
        codec.attr_u32(codec.IFA_FLAGS, flags),
        codec.attr_u32(codec.IFA_RT_PRIORITY, metric) if metric else b"",
        codec.attr(codec.IFA_CACHEINFO, codec.CACHEINFO.pack(valid, valid, slot * 7, slot * 9)),
    ]
    body = b"".join(parts)
    return codec.HEADER.pack(16 + len(body), codec.RTM_NEWADDR, 2 | marks, sequence, 99) + body


ODD = (
    {"label": "eth0:250"}, {"length": 24}, {"scope": 253}, {"flags": 0x280}, {"protocol": 0},
    {"protocol": 4}, {"peer": b"\x0a\x07\x07\x07"}, {"broadcast": b"\x0a\x07\xff\xff"},
    {"metric": 9}, {"valid": 1000}, {"valid": 1000, "protocol": 0}, {"marks": 0x10},
    {"sequence": 1}, {"label": "eth0"}, {"label": "eth0:1"},
)  # fmt: skip


def dump(chance: Random) -> bytes:
    """Messages of two devices that are wanted and one that is not; some are odd in one thing."""
    found = []
    for index in (7, 8, 9):
        slots = chance.sample(range(200), 60)
        for slot in sorted(slots) if chance.random() < 0.7 else slots:
            found.append(
                message(index, slot, **(chance.choice(ODD) if chance.random() < 0.1 else {}))
            )  # type: ignore[arg-type]
            if chance.random() < 0.02:  # of another family
                found.append(codec.HEADER.pack(44, codec.RTM_NEWADDR, 2, SEQUENCE, 99))
                found.append(codec.IFADDR.pack(10, 128, 0x80, 0, index))
                found.append(codec.attr(codec.IFA_ADDRESS, bytes(15) + b"\1"))
    return b"".join(found)


def test_what_is_left_out_is_what_was_to_be() -> None:
    """Each message is left out if and only if codec.py reads a bare label that was to be."""
    sequence = SEQUENCE.to_bytes(4, byteorder)
    for seed in range(30):
        data = dump(Random(seed))
        sieve = runs.Sieve(LABELS, NAMES, sequence)
        sieve.take(data)
        gone: dict[str, set[bytes]] = {name: set() for name in NAMES.values()}
        kept = []
        at = 0
        while at < len(data):
            length, _, marks, number, _ = codec.HEADER.unpack_from(data, at)
            entry = codec.read_address(data, at + 16, at + length)
            name = NAMES.get(entry.index, "")
            sound = number == SEQUENCE and not marks & codec.NLM_F_DUMP_INTR
            label = LABELS[name].get(entry.local) if name else None
            if sound and is_bare(entry) and label == entry.label.encode():
                gone[name].add(entry.local)
            else:
                kept.append((at + 16, at + length))
            at += length
        assert [body[1:] for body in sieve.bodies] == kept
        assert sieve.left == gone
        assert sum(map(len, gone.values())) > 30


def test_holes_are_those_of_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite lifetimes without our mark are found in groups as they are one by one."""
    for seed in range(10):
        data = dump(Random(seed))
        monkeypatch.setattr(fingerprint, "LARGE", len(data) + 1)
        alone = [*fingerprint.together(fingerprint.address_runs(data))]
        assert any(holes for _, _, holes in alone)
        monkeypatch.setattr(fingerprint, "LARGE", 1 << 10)
        grouped = [*fingerprint.together(fingerprint.address_runs(data))]
        assert grouped == alone
        assert sum(count * length for count, length, _ in grouped) == len(data)


@pytest.mark.parametrize("length", [0, 15, 4096])
def test_a_length_that_cannot_be(length: int) -> None:
    """A message that claims more than there is, or less than its header, is an error of its own."""
    whole = message(7, 1) * 3
    data = whole + length.to_bytes(4, byteorder) + whole[4:]
    sieve = runs.Sieve(LABELS, NAMES, bytes(4))
    with pytest.raises(errors.WireError):
        sieve.take(data)


def link(chance: Random, index: int) -> bytes:
    """An RTM_NEWLINK with counters, a kind, and settings of families behind the sysctls."""
    kind = chance.choice(["macvlan", "macvlan", "macvlan", "bridge", "dummy"])
    data = chance.randbytes(16 if kind == "bridge" else 8)
    info = codec.attr_text(codec.IFLA_INFO_KIND, kind) + codec.attr(2, data)
    settings = codec.attr(2, codec.attr(1, chance.randbytes(132))) + codec.attr(10, bytes(8))
    parts = [
        codec.ifinfo(index, 1),
        codec.attr_text(codec.IFLA_IFNAME, f"eth9_{index}"),
        codec.attr(codec.IFLA_STATS64, chance.randbytes(64)) if chance.random() < 0.9 else b"",
        codec.attr(codec.IFLA_STATS, chance.randbytes(32)),
        codec.attr(codec.IFLA_LINKINFO, info),
        codec.attr(codec.IFLA_AF_SPEC, settings),
    ]
    body = b"".join(parts)
    return codec.HEADER.pack(16 + len(body), codec.RTM_NEWLINK, 2, 1, 99) + body


def lasting(data: bytes) -> bytes:
    """What enters the digest of a dump of devices."""
    return b"".join(recognition.lasting(fingerprint.link_runs(data, {}), [data]))


def test_the_lasting_parts_of_devices_are_those_of_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many devices that are alike give the bytes that each of them gives alone."""
    monkeypatch.setattr(fingerprint, "LARGE", 1 << 10)
    for seed in range(20):
        chance = Random(seed)
        devices = [link(chance, index) for index in range(1, 80)]
        alone = b"".join(map(lasting, devices))
        assert 0 < len(alone) < sum(map(len, devices))
        assert lasting(b"".join(devices)) == alone
        assert len({*map(len, devices)}) < 9  # so that many follow one another
