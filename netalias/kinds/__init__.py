"""Kinds: how an alias is realised in the kernel, and the aliases that a snapshot holds.

What every kind answers stands here, what the kinds with a device of their own share in device.py;
each kind has a file of its own, loaded when it is needed. A new kind is one new file with a
subclass of Kind or DeviceKind, and one line in KINDS.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import AF_INET6, FOREVER, GROUP, IFA_F_NOPREFIXROUTE, PROTOCOL, Alias
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import AliasType
    from netalias.model import Address, Device, Snapshot
    from netalias.model.steps import Step

RECORD = "netalias"
"""First word of the ifalias text of our devices."""
LEASE = "lease"
"""Last word but one of the text of an alias with a lease."""

KINDS = {
    "macvlan": "Macvlan",
    "ipvlan": "Ipvlan",
    "dummy": "Dummy",
    "label": "Label",
}
"""Kind by name: the class in the module of that name."""

UNLINKED = ("dummy",)
"""Kinds whose device has none below it (IFLA_LINK), so that its names tell the main device."""

AUTO = "auto"
SIBLINGS = {"macvlan": ("macvlan", "macvtap"), "ipvlan": ("ipvlan", "ipvtap")}
"""Kinds that share one port, by the kind of ours."""
PORT_MASTERS = ("bridge", "bond", "team")
"""Masters that take every frame of their ports (rx_handler), so nothing can stand on a port."""

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
    """The words that ``kind`` takes, for a message."""
    return ", ".join([AUTO, *KINDS])


class Goal:
    """A wish with nothing left open: what the alias shall be.

    ``entry`` is None for an alias whose family the kernel keeps no addresses of; ``mtu`` 0 and
    ``mac`` empty mean: the kernel's choice; ``lenient``: a kind without an MTU passes it over;
    ``vrf`` is the VRF that the main device is a member of, and so a new device. ``lease`` is the
    lifetime of the entry, 0 for ever; ``renew``: it is set even though it is the present one.
    """

    __slots__ = (
        "address",
        "entry",
        "group",
        "lease",
        "lenient",
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
        entry: Address | None,
        up: bool = True,
        mtu: int = 0,
        mac: bytes = b"",
        lenient: bool = False,
        group: int = 0,
        vrf: Device | None = None,
        lease: int = 0,
        renew: bool = False,
    ) -> None:
        self.name = name
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

    def record(self) -> str:
        """The ifalias text: ``netalias eth0:0``, and the address if the kernel may forget it, and
        the lease if it has one."""
        text = f"{RECORD} {self.name}"
        if self.type.recorded:
            address = self.type.format(self.address)
            text += f" {self.type.name} {address}/{self.prefixlen}"
        return f"{text} {LEASE} {self.lease}" if self.lease else text


class Kind:
    """One way to realise an alias."""

    name = ""
    routed = True
    """Whether an address may bring the connected route of its network."""

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Why this kind cannot serve *main*, as the rest of a sentence; empty when it can."""
        return ""

    def fit(self, goal: Goal) -> Goal:
        """*goal* as this kind realises it. Raises KindError or LimitError where it cannot."""
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """The steps that bring the alias into being."""
        raise NotImplementedError

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """The steps from an alias of this kind to *goal*; empty when they are the same."""
        raise NotImplementedError

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """The steps that take the alias away, and nothing else."""
        raise NotImplementedError


def differs(present: Address | None, wanted: Address | None) -> bool:
    """Whether an address must be replaced to become the wanted one."""
    if present is None or wanted is None:
        return present is not wanted
    return (
        present.local != wanted.local
        or present.family != wanted.family
        or present.prefixlen != wanted.prefixlen
        or present.peer != wanted.peer
        or present.broadcast != wanted.broadcast
        or present.metric != wanted.metric
        or bool((present.flags ^ wanted.flags) & IFA_F_NOPREFIXROUTE)
        or (":" in present.label + wanted.label and present.label != wanted.label)
    )


def lifetimes(alias: Alias, goal: Goal) -> list[Step]:
    """The step that sets the lease of an address that stays, or lets it last for ever."""
    entry = alias.entry
    if entry is None or (entry.valid == FOREVER and not goal.lease):
        return []
    from netalias.model.leases import renewal, same

    return [renewal(alias, goal.lease)] if goal.renew or not same(entry, goal.lease) else []


def clashes(present: Address, wanted: Address | None, *, promote: bool = False) -> bool:
    """Whether one device cannot hold both, so the old address must go first.

    One address cannot stand there twice (EEXIST), and an IPv4 address in the network of another is
    its secondary, and goes with it unless the device has promote_secondaries.
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


def port_of(main: Device, snapshot: Snapshot) -> Device | None:
    """The bridge, bond or team whose port *main* is."""
    master = snapshot.devices.get(main.master)
    return master if master is not None and master.kind in PORT_MASTERS else None


def vrf_of(main: Device, snapshot: Snapshot) -> Device | None:
    """The VRF that *main* is a member of."""
    master = snapshot.devices.get(main.master)
    return master if master is not None and master.kind == "vrf" else None


def carries(main: Device, snapshot: Snapshot, kind: str) -> bool:
    """Whether a device of this IFLA_INFO_KIND, ours or not, stands on *main*."""
    return any(
        upper.kind in SIBLINGS[kind] and upper.link == main.index
        for upper in snapshot.uppers(main.index)
    )


def surplus(own: Address | None, entries: list[Address]) -> list[Address]:
    """What else has our mark on an alias device: a change was interrupted that replaces one."""
    return [entry for entry in entries if entry.protocol == PROTOCOL and entry is not own]
