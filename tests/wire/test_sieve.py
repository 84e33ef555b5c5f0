"""The addresses that matter for one alias: the same by columns, as one by one."""

from __future__ import annotations

from random import Random

import pytest

from netalias.kernel.netlink import codec, sieve
from netalias.model import FOREVER, PROTOCOL

WORLDS = 60
MAIN, HIDDEN, OTHER = 7, 8, 9
LABEL = "eth9:%d"


def message(chance: Random, slot: int, index: int, *, usual: bool) -> bytes:
    """An address as the kernel dumps it: that of a label, or *usual* in all but one thing."""
    dice = 9 if usual else chance.randint(0, 8)
    local = (0x0A000000 + slot).to_bytes(4, "big")
    labels = {0: f"lan:{slot}", 1: "eth9", 2: "eth9:12345", 3: f"eth:9:{slot}"}
    parts = [
        codec.IFADDR.pack(2, 24 if dice == 4 else 32, 0x80, 0, index),
        codec.attr(codec.IFA_ADDRESS, b"\n\x09\x09\x09" if dice == 5 else local),
        codec.attr(codec.IFA_LOCAL, local),
        codec.attr(codec.IFA_BROADCAST, local) if dice == 6 else b"",
        codec.attr_text(codec.IFA_LABEL, labels.get(dice, LABEL % slot)),
        codec.attr(codec.IFA_PROTO, bytes([PROTOCOL if dice != 7 else 0])),
        codec.attr_u32(codec.IFA_FLAGS, 0x80),
        codec.attr_u32(codec.IFA_RT_PRIORITY, slot) if dice == 8 else b"",
        codec.attr(codec.IFA_CACHEINFO, codec.CACHEINFO.pack(FOREVER, FOREVER, slot, slot)),
    ]
    body = b"".join(parts)
    return codec.HEADER.pack(16 + len(body), codec.RTM_NEWADDR, 2, 2, 9) + body


def datagrams(chance: Random) -> list[bytes]:
    """Dumps of some hundred addresses on three devices."""
    found = []
    for index, count in ((OTHER, 3), (MAIN, 150), (HIDDEN, 40), (MAIN, 30)):
        begin = chance.randint(0, 2000)
        found.append(
            b"".join(
                message(chance, begin + at, index, usual=chance.random() < 0.95)
                for at in range(count)
            )
        )
    return found


def passed(data: list[bytes], slot: int, local: list[bytes]) -> list[tuple[object, ...]]:
    """The messages that are left of a dump."""
    found = sieve.Sieve(slot, local).entries(data, MAIN, {HIDDEN})
    assert found is not None
    return [(one.index, one.local, one.prefixlen, one.label, one.metric) for one in found]


def test_by_columns_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of others, of networks and with peers stay, and those of the alias."""
    total = 0
    for seed in range(WORLDS):
        chance = Random(seed)
        data = datagrams(chance)
        entries = [codec.read_address(one, 16, codec.length_at(one, 0)) for one in data]
        slot = chance.choice([-1, int(entries[1].label.rpartition(":")[2] or 0) + 5, 4000])
        local = [entries[2].local, b"\n\0\0\x01"][: chance.randint(0, 2)]
        quick = passed(data, slot, local)
        with monkeypatch.context() as patched:
            patched.setattr(sieve, "RUN", 10**9)
            slow = passed(data, slot, local)
        assert quick == slow, seed
        total += len(quick)
    assert total > WORLDS * 5


def test_an_interrupted_dump_says_nothing() -> None:
    """Nor does one that is interrupted among messages that are alike."""
    chance = Random(0)
    data = b"".join(message(chance, slot, MAIN, usual=True) for slot in range(50))
    assert sieve.Sieve(7, []).entries([data], MAIN) is not None
    length = codec.length_at(data, 0)
    for at in (0, 20 * length, 49 * length):
        flags = int.from_bytes(data[at + 6 : at + 8], "little") | codec.NLM_F_DUMP_INTR
        marked = data[: at + 6] + flags.to_bytes(2, "little") + data[at + 8 :]
        assert sieve.Sieve(7, []).entries([marked], MAIN) is None
