"""Kinds: the ways to realise an alias in the kernel.

The interface of all kinds stands here, the base of kinds with a device of their own in device.py;
each kind has a file of its own, loaded on use. A new kind is one new file with a subclass of Kind
or DeviceKind, and one line in KINDS.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    PROTOCOL,
    Alias,
    names,
)
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.families import AliasType
    from netalias.model import Address, Device, Snapshot
    from netalias.model.steps import Step

RECORD = names.RECORD
LEASE = "lease"
"""Last word but one of the text of an alias with a lease."""
GATEWAY = "gateway"
"""Word before the gateway of an alias, which has its place before the lease."""
LINKLOCAL = "linklocal"
"""Word before "on" of an alias whose device is to have a link-local address."""
TAIL = (LINKLOCAL, GATEWAY, LEASE)
"""Words that stand with their values at the end of the text."""

KINDS = {
    "macvlan": "Macvlan",
    "ipvlan": "Ipvlan",
    "dummy": "Dummy",
    "label": "Label",
    "shard": "Shard",
    "prefix": "Prefix",
}
"""Name of a kind: its class in the module of that name."""

PREFIX = "prefix"
"""Kind of the aliases that have every address of a network."""
UNLINKED = ("dummy", "shard")
"""Kinds without a lower device (IFLA_LINK): their names tell the main device."""
DEVICELESS = ("label", "shard", PREFIX)
"""Kinds whose alias has no device of its own, so no MTU and no MAC."""

AUTO = "auto"
SIBLINGS = {"macvlan": ("macvlan", "macvtap"), "ipvlan": ("ipvlan", "ipvtap")}
"""Kinds that share the receive handler of a lower device, by the kind of an alias."""
PORT_MASTERS = ("bridge", "bond", "team")
"""Masters that take every frame of a port (rx_handler), so that nothing can be stacked on it."""
VRF = ("vrf",)
"""Masters whose members share a table of routes."""

_loaded: dict[str, Kind] = {}


MAGIC = GROUP << 16
"""Upper half of the metric of an IPv6 label; the slot is the lower half."""


def get(name: str) -> Kind:
    """The kind called *name*. Raises KindError."""
    kind = _loaded.get(name)
    if kind is None:
        if name not in KINDS:
            raise errors.KindError(f"kind {name}: there is no such kind", f"one of {choices()}")
        module = __import__(f"netalias.kinds.{name}", fromlist=[name])
        kind = _loaded[name] = getattr(module, KINDS[name])()
    return kind


def choices() -> str:
    """The names that ``kind`` takes, as a text for messages."""
    return ", ".join([AUTO, *KINDS])


class Goal:
    """A wish with every value decided: the alias to be realised.

    ``entry`` is None in a family of which the kernel keeps no addresses; ``mtu`` 0 and ``mac``
    empty leave the choice to the kernel; with ``lenient`` a kind without an MTU ignores it; ``vrf``
    is the VRF of the main device, which a new device joins. ``lease`` is the lifetime of the entry
    in seconds, 0 for infinite; with ``renew`` it is set even though it is the present one.
    ``device`` is the primary name of a new device; ``chosen``: its MAC was asked for by nobody, nor
    had it before.
    ``former`` is the ifindex that a new device gets if that is free, 0 for any.
    ``gateway`` is packed, empty for none; ``linklocal``: the device is to have a link-local
    address. ``hidden`` is the hidden device of a shard, or None; ``before`` are the steps of all
    its shards, which make it. ``last``: the address is to come behind the others that are there.
    """

    __slots__ = (
        "address",
        "before",
        "chosen",
        "device",
        "entry",
        "former",
        "gateway",
        "group",
        "hidden",
        "last",
        "lease",
        "lenient",
        "linklocal",
        "mac",
        "main",
        "mtu",
        "name",
        "prefixlen",
        "renew",
        "type",
        "up",
        "vrf",
    )

    def __init__(
        self,
        name: AliasName,
        main: Device,
        type: AliasType,
        address: bytes,
        prefixlen: int,
        *,
        device: str,
        entry: Address | None,
        up: bool = True,
        mtu: int = 0,
        mac: bytes = b"",
        lenient: bool = False,
        group: int = 0,
        vrf: Device | None = None,
        lease: int = 0,
        renew: bool = False,
        last: bool = False,
        former: int = 0,
        gateway: bytes = b"",
        linklocal: bool = False,
    ) -> None:
        self.name = name
        self.device = device
        self.main = main
        self.type = type
        self.address = address
        self.prefixlen = prefixlen
        self.entry = entry
        self.up = up
        self.mtu = mtu
        self.mac = mac
        self.lenient = lenient
        self.group = group
        self.vrf = vrf
        self.lease = lease
        self.renew = renew
        self.last = last
        self.former = former
        self.gateway = gateway
        self.linklocal = linklocal
        self.hidden: Device | None = None
        self.before: Sequence[Step] = ()
        self.chosen = False

    def like(self, name: AliasName, device: str, address: bytes) -> Goal:
        """The same goal for another alias, without an entry; *address* is packed."""
        new = Goal(
            name,
            self.main,
            self.type,
            address,
            self.prefixlen,
            device=device,
            entry=None,
            up=self.up,
            mtu=self.mtu,
            mac=self.mac,
            lenient=self.lenient,
            group=self.group,
            vrf=self.vrf,
            lease=self.lease,
            renew=self.renew,
        )
        new.hidden, new.before = self.hidden, self.before
        return new

    def record(self) -> str:
        """The ifalias text: ``netalias eth0:0``, then the address if the kernel does not always
        keep it, then what else there is of TAIL."""
        text = f"{RECORD} {self.name}"
        if self.type.recorded:
            address = self.type.format(self.address)
            text += f" {self.type.name} {address}/{self.prefixlen}"
        if self.linklocal:
            text += f" {LINKLOCAL} on"
        if self.gateway:
            text += f" {GATEWAY} {self.type.format(self.gateway)}"
        return f"{text} {LEASE} {self.lease}" if self.lease else text


class Kind:
    """One way to realise an alias."""

    name = ""
    routed = True
    """Whether its address may bring the connected route of its network."""
    own_mac = False
    """Whether it has a device with a MAC of its own."""

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """The reason why *main* cannot have this kind, as a clause; empty when it can."""
        return ""

    def fit(self, goal: Goal) -> Goal:
        """*goal* adapted to this kind. Raises KindError or LimitError where it cannot be."""
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """The steps that create the alias."""
        raise NotImplementedError

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """The steps from an alias of this kind to *goal*; empty when nothing differs."""
        raise NotImplementedError

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """The steps that remove the alias, and nothing else."""
        raise NotImplementedError


def differs(present: Address | None, wanted: Address | None) -> bool:
    """Whether the *present* address has to be replaced by the *wanted* one."""
    if present is None or wanted is None:
        return present is not wanted
    return (
        present.failed
        or present.local != wanted.local
        or present.family != wanted.family
        or present.prefixlen != wanted.prefixlen
        or present.peer != wanted.peer
        or present.broadcast != wanted.broadcast
        or present.metric != wanted.metric
        or bool((present.flags ^ wanted.flags) & IFA_F_NOPREFIXROUTE)
        or (":" in present.label + wanted.label and present.label != wanted.label)
    )


def in_place(alias: Alias, goal: Goal) -> list[Step]:
    """The step that changes an address that stays, or none: its lifetime, whether it is deprecated,
    and of a label its metric and our mark."""
    entry, wanted = alias.entry, goal.entry
    if entry is None or wanted is None:
        return []
    alike = entry.metric == wanted.metric and entry.deprecated == wanted.deprecated
    if alias.device is None and entry.protocol != wanted.protocol:
        alike = False
    if alike and entry.valid == FOREVER and not goal.lease:
        return []
    from netalias.model.leases import renewal, same

    if alike and same(entry, goal.lease) and not goal.renew:
        return []
    return [renewal(alias, goal.lease, wanted)]


def clashes(present: Address, wanted: Address | None, *, promote: bool = False) -> bool:
    """Whether one device cannot have both, so that the *present* address must go first.

    The kernel refuses an address twice (EEXIST), and an IPv4 address in the network of another is
    its secondary, removed with it unless the device has promote_secondaries (*promote*).
    """
    if wanted is None or present.family != wanted.family:
        return False
    if present.local == wanted.local:
        return present.prefixlen == wanted.prefixlen or present.family == AF_INET6
    if present.family == AF_INET6 or promote or present.prefixlen != wanted.prefixlen:
        return False
    from netalias.model import prefix

    return prefix.contains(
        present.peer or present.local, present.prefixlen, wanted.peer or wanted.local
    )


def surplus(own: Address | None, entries: list[Address]) -> list[Address]:
    """The addresses of an alias device that do not belong there: those with our mark besides *own*,
    which an interrupted change has left, and *own* once more, with another length."""
    return [
        entry
        for entry in entries
        if entry is not own
        and (entry.protocol == PROTOCOL or (own is not None and entry.local == own.local))
        and not is_former(entry)
    ]


def is_former(entry: Address) -> bool:
    """Whether an address is a former one of its device, which is kept there with a peer of
    0.0.0.0/8 (plan/keeping.py)."""
    return entry.family == AF_INET and entry.peer[:1] == b"\0"
