"""Chains of nf_tables that forward nothing unless a rule lets it through: read, never changed.

iptables-nft(8), which Docker and firewalls of hosts use, keeps its chains there too. Those of the
older iptables-legacy are read in legacy.py.
"""

from __future__ import annotations

from _struct import Struct

from netalias import errors
from netalias.kernel.netlink.codec import text_of
from netalias.kernel.netlink.exchange import Exchange
from netalias.model import Value
from netalias.nat import legacy
from netalias.nat import messages as nft
from netalias.nat.lacking import ABSENT, NETLINK_NETFILTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeAlias

    Chain: TypeAlias = "Closed | legacy.Closed"

NF_INET_FORWARD = 2
NF_DROP = 0
"""linux/netfilter.h."""
FAMILIES = {2: "ip", 10: "ip6", 1: "inet"}
"""Families of chains that forward IP (NFPROTO_*), and their names in nft(8)."""
BOTH = 1
WAYS = ("iifname", "oifname")
OPERATION = "list of chains"
_U32 = Struct(">I")


class Closed(Value):
    """A base chain at the hook forward whose policy is drop: ``family`` is that of FAMILIES."""

    __slots__ = ("chain", "family", "table")

    def __init__(self, family: int, table: str, chain: str) -> None:
        self.family = family
        self.table = table
        self.chain = chain

    @property
    def text(self) -> str:
        """``ip filter FORWARD``."""
        return f"{FAMILIES[self.family]} {self.table} {self.chain}"

    def concerns(self, families: Collection[int]) -> bool:
        """Whether packets of one of these families (AF_*) pass the chain."""
        return self.family == BOTH or self.family in families

    def fault(self, device: str) -> str:
        """The sentence about it, with the commands that let through what comes and goes by a
        device."""
        rules = (f"nft insert rule {self.text} {way} {device} accept" for way in WAYS)
        says = f"the chain {self.text} drops what no rule accepts, and none names {device}"
        return f"{says} ({' && '.join(rules)})"


def read(data: bytes, start: int, end: int) -> Closed | None:
    """The closed chain of an NFT_MSG_NEWCHAIN; None for any other chain. Raises WireError."""
    family = data[start] if end > start else 0
    found = nft.parts(data, start, end)
    hook = nft.within(found.get(nft.NFTA_CHAIN_HOOK, b""))
    forwards = hook.get(nft.NFTA_HOOK_HOOKNUM) == _U32.pack(NF_INET_FORWARD)
    drops = found.get(nft.NFTA_CHAIN_POLICY) == _U32.pack(NF_DROP)
    if family not in FAMILIES or not (forwards and drops):
        return None
    table, chain = (
        text_of(found.get(one, b"")) for one in (nft.NFTA_CHAIN_TABLE, nft.NFTA_CHAIN_NAME)
    )
    return Closed(family, table, chain)


def closed(device: str) -> list[Chain]:
    """The closed chains of the namespace of the calling thread in whose table no rule names the
    *device*, those of iptables-legacy too. Raises KernelError."""
    return [*_of_nftables(device), *legacy.closed(device)]


def _of_nftables(device: str) -> list[Closed]:
    """The chains of nf_tables; none where the kernel has none. Raises KernelError."""
    try:
        exchange = Exchange(OPERATION, NETLINK_NETFILTER)
        try:
            return _closed(exchange, device)
        finally:
            exchange.close()
    except errors.KernelError as error:
        if error.errno in ABSENT:
            return []
        raise


def _closed(exchange: Exchange, device: str) -> list[Closed]:
    everything = nft.get_all(0)
    chains = exchange.dump(OPERATION, nft.NFT_MSG_GETCHAIN, everything, nft.NFT_MSG_NEWCHAIN)
    found = [one for one in (read(*body) for body in chains) if one is not None]
    if not found:
        return []
    rules = exchange.dump(OPERATION, nft.NFT_MSG_GETRULE, everything, nft.NFT_MSG_NEWRULE)
    known = {_table(*body) for body in rules if _names(device, *body)}
    return [one for one in found if (one.family, one.table) not in known]


def _table(data: bytes, start: int, end: int) -> tuple[int, str]:
    """The family and the table of an NFT_MSG_NEWRULE."""
    return data[start], text_of(nft.parts(data, start, end).get(nft.NFTA_RULE_TABLE, b""))


def _names(device: str, data: bytes, start: int, end: int) -> bool:
    """Whether the expressions of a rule compare something with the name of a device."""
    raw = device.encode("utf-8", "surrogateescape") + b"\0"
    return raw in nft.parts(data, start, end).get(nft.NFTA_RULE_EXPRESSIONS, b"")
