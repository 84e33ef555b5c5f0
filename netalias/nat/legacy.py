"""The chain FORWARD of the older iptables, where it forwards nothing unless a rule lets it through.

What nf_tables has, that of iptables-nft too, is in forwarding.py. Pure, but for closed().
"""

from __future__ import annotations

from _struct import Struct
from _struct import error as _StructError  # type: ignore[attr-defined]

from netalias import errors
from netalias.kernel import xtables
from netalias.model import AF_INET, AF_INET6, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from netalias.kernel.xtables import Table

PROGRAMS = {AF_INET: "iptables-legacy", AF_INET6: "ip6tables-legacy"}
DROP = -1
"""The verdict NF_DROP in a standard target: -NF_DROP - 1."""
WAYS = ("-i", "-o")
_NAMES = Struct("@16s16s16s16s")
"""Names of the devices by which a packet comes in and goes out, and which bits of them count."""
_NAMES_AT = {AF_INET: 16, AF_INET6: 64}
"""Bytes of the addresses and their masks, which stand before the names."""
_ENTRY = {AF_INET: Struct("@84sIHHI2Q"), AF_INET6: Struct("@136sIHHI2Q")}
"""struct ipt_entry and ip6t_entry: what a packet is compared with, the place of the target, that of
the next rule, and others."""
_TARGET = Struct("@H29sBi")
"""struct xt_standard_target: size, name, revision, verdict."""


class Closed(Value):
    """The chain FORWARD of one family whose policy is DROP."""

    __slots__ = ("family",)

    def __init__(self, family: int) -> None:
        self.family = family

    @property
    def text(self) -> str:
        """``iptables-legacy FORWARD``."""
        return f"{PROGRAMS[self.family]} FORWARD"

    def concerns(self, families: Collection[int]) -> bool:
        """Whether packets of one of these families (AF_*) pass the chain."""
        return self.family in families

    def fault(self, device: str) -> str:
        """The sentence about it, with the commands that let through what comes and goes by a
        device."""
        program = PROGRAMS[self.family]
        rules = (f"{program} -I FORWARD {way} {device} -j ACCEPT" for way in WAYS)
        says = f"the chain FORWARD of {program} drops what no rule accepts, and none names {device}"
        return f"{says} ({' && '.join(rules)})"


def closed(device: str) -> list[Closed]:
    """The closed chains of the namespace of the calling thread in whose table no rule names the
    *device*; one that cannot be read now, since another process changes it, is none."""
    return [Closed(family) for family in PROGRAMS if _is_closed(family, device)]


def _is_closed(family: int, device: str) -> bool:
    try:
        table = xtables.read(family)
        return table is not None and drops(table, family) and not names(table, family, device)
    except (errors.KernelError, _StructError):  # the policy was elsewhere a moment ago
        return False


def drops(table: Table, family: int) -> bool:
    """Whether the policy of FORWARD is DROP."""
    if table.policy < 0:
        return False
    target = table.policy + _ENTRY[family].unpack_from(table.rules, table.policy)[2]
    return bool(_TARGET.unpack_from(table.rules, target)[3] == DROP)


def names(table: Table, family: int, device: str) -> bool:
    """Whether a rule compares something with the name of a device, or with its beginning."""
    raw = device.encode("utf-8", "surrogateescape").ljust(16, b"\0")
    compared = (pair for at in _rules(table, family) for pair in _compared(table, family, at))
    return any(any(mask) and _masked(raw, mask) == _masked(name, mask) for name, mask in compared)


def _masked(name: bytes, mask: bytes) -> bytes:
    return bytes(byte & bits for byte, bits in zip(name, mask, strict=True))


def _compared(table: Table, family: int, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Both names of a rule, each with the bits that count."""
    incoming, outgoing, *masks = _NAMES.unpack_from(table.rules, at + _NAMES_AT[family])
    yield incoming, masks[0]
    yield outgoing, masks[1]


def _rules(table: Table, family: int) -> Iterator[int]:
    """The places of all rules."""
    entry, at = _ENTRY[family], 0
    while at + entry.size <= len(table.rules):
        yield at
        step = entry.unpack_from(table.rules, at)[3]
        if step < entry.size:
            return
        at += step
