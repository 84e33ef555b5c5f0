"""Kinds: how an alias is realised in the kernel.

What every kind answers, and what the kinds with a device of their own share, stands here; each kind
has a file of its own, loaded when it is needed. A new kind is one new file with a subclass of Kind
or DeviceKind, and one line in KINDS.
"""

from __future__ import annotations

from errno import EAFNOSUPPORT

from netalias import errors, names
from netalias.model import (
    AF_INET6,
    ARPHRD_ETHER,
    IFA_F_NOPREFIXROUTE,
    PROTOCOL,
    RT_SCOPE_LINK,
    Alias,
)
from netalias.steps import (
    QUIET,
    RAISE,
    REMOVE,
    SET,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.alias_type import AliasType, Registry
    from netalias.model import Address, Device, Snapshot
    from netalias.names import AliasName
    from netalias.steps import Step

RECORD = "netalias"
"""First word of the ifalias text of our devices."""

CONF = {"rp_filter": 2, "arp_ignore": 1, "arp_announce": 2, "promote_secondaries": 1}
"""IPv4 settings of an alias device (Documentation/networking/ip-sysctl.rst): loose reverse path,
since answers may leave by the main device; ARP only for addresses of the device itself."""

ADDRGEN_EUI64 = 0
ADDRGEN_NONE = 1


KINDS = {
    "macvlan": "Macvlan",
    "ipvlan": "Ipvlan",
    "dummy": "Dummy",
    "label": "Label",
}
"""Kind by name: the class in the module of that name."""

AUTO = "auto"
PORT_MASTERS = ("bridge", "bond", "team")
"""Masters that take every frame of their ports (rx_handler), so nothing can stand on a port."""

_loaded: dict[str, Kind] = {}


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
    ``mac`` empty mean: the kernel's choice.
    """

    __slots__ = (
        "address",
        "entry",
        "group",
        "mac",
        "main",
        "mtu",
        "name",
        "prefixlen",
        "type",
        "up",
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
        group: int = 0,
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
        self.group = group

    def record(self) -> str:
        """The ifalias text: ``netalias eth0:0``, and the address if the kernel may forget it."""
        if not self.type.recorded:
            return f"{RECORD} {self.name}"
        address = self.type.format(self.address)
        return f"{RECORD} {self.name} {self.type.name} {address}/{self.prefixlen}"


class Kind:
    """One way to realise an alias."""

    name = ""

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Why this kind cannot serve *main*, as the rest of a sentence; empty when it can."""
        return ""

    def fit(self, goal: Goal) -> Goal:
        """*goal* as this kind realises it. Raises KindError or LimitError where it cannot."""
        return goal

    def make(self, goal: Goal) -> list[Step]:
        """The steps that bring the alias into being."""
        raise NotImplementedError

    def change(self, alias: Alias, goal: Goal) -> list[Step]:
        """The steps from an alias of this kind to *goal*; empty when they are the same."""
        raise NotImplementedError

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """The steps that take the alias away, and nothing else."""
        raise NotImplementedError

    def recognise(self, device: Device, snapshot: Snapshot, registry: Registry) -> Alias | None:
        """The alias that a device with our mark is; None for kinds without a device."""
        return None


class DeviceKind(Kind):
    """A kind whose alias is a device. Subclasses say what is created."""

    def create(self, device: str, goal: Goal) -> CreateLink:
        """The step that makes the device."""
        raise NotImplementedError

    def make(self, goal: Goal) -> list[Step]:
        """Create, quieten IPv6, name, address, raise."""
        device = names.primary(goal.name)
        steps: list[Step] = [self.create(device, goal)]
        if goal.type.family != AF_INET6 and goal.main.inet6:
            steps.append(_quiet(device, 0))
        steps.append(AddAltname(device, 0, str(goal.name)))
        steps.append(
            SetLink(device, 0, RAISE, up=goal.up or None, ifalias=goal.record(), conf=CONF)
        )
        if goal.entry is not None:
            steps += goal.type.attach(device, 0, goal.entry)
        return steps

    def change(self, alias: Alias, goal: Goal) -> list[Step]:
        """Complete what is half-made, set what differs, and swap the address."""
        device = alias.device
        assert device is not None
        steps = _names(device, goal)
        swap = differs(alias.entry, goal.entry)
        steps += self._settings(alias, device, goal, swap)
        if goal.entry is not None and swap and (goal.up or not goal.type.recorded):
            steps += goal.type.attach(device.name, device.index, goal.entry)
        if alias.entry is not None and swap and not _flushed(alias, goal):
            steps += _retire(device, alias.entry, goal.entry)
        return steps

    def _settings(self, alias: Alias, device: Device, goal: Goal, swap: bool) -> list[Step]:
        steps: list[Step] = []
        crossing = alias.family not in (0, goal.type.family) and AF_INET6 in (
            alias.family,
            goal.type.family,
        )
        if crossing:
            steps.append(_cross(device, goal.type.family == AF_INET6))
        elif not alias.whole and goal.type.family != AF_INET6 and device.inet6 and not device.up:
            steps.append(_quiet(device.name, device.index))
        changed: dict[str, object] = {}
        before: dict[str, object] = {}
        for key, wanted, present in (
            ("mtu", goal.mtu, device.mtu),
            ("mac", goal.mac, device.mac),
            ("ifalias", goal.record(), device.ifalias),
        ):
            if wanted and wanted != present:
                changed[key] = wanted
                before[key] = present
        if goal.up != device.up or (crossing and goal.up):
            changed["up"] = goal.up
            before["up"] = device.up
        if not alias.whole:
            changed["conf"] = CONF
        if changed:
            old = SetLink(device.name, device.index, SET, **before) if before else None  # type: ignore[arg-type]
            steps.append(SetLink(device.name, device.index, RAISE, before=old, **changed))  # type: ignore[arg-type]
        return steps

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """One message: routes, neighbours and addresses of the device go with it."""
        assert alias.device is not None
        return [DelLink(alias.device.name, alias.device.index, alias.device.group)]

    def main_of(self, device: Device, snapshot: Snapshot, noted: AliasName | None) -> Device | None:
        """The main device of *device*.

        A macvlan on a macvlan is put on the real device below both, so a main that is noted and
        stands on the same device counts as the main.
        """
        if device.remote:
            return None
        below = snapshot.devices.get(device.link)
        if noted is not None:
            main = snapshot.device(noted.main)
            if main is not None and main.kind == device.kind and main.link == device.link:
                return main
        return below

    def recognise(self, device: Device, snapshot: Snapshot, registry: Registry) -> Alias | None:
        """By its names: altname, ifalias text, primary name, in this order."""
        noted, recorded = _noted(device)
        main = self.main_of(device, snapshot, noted)
        name = noted or _from_primary(device, main)
        if name is None:
            return None
        if main is not None:
            name = names.AliasName(main.name, name.slot)
        alias = Alias(name, self.name, main=main, device=device)
        alias.whole = str(name) in device.altnames and device.ifalias.startswith(f"{RECORD} ")
        entry = _own_entry(snapshot.on(device.index))
        if entry is not None:
            alias.entry = entry
            alias.family, alias.address = entry.family, entry.local
            alias.prefixlen = entry.prefixlen
        elif recorded:
            found = registry.find(recorded[0])
            if found is not None:
                alias.family = found.family
                alias.address, length = found.parse(recorded[1])
                alias.prefixlen = found.bits if length is None else length
        return alias


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


def clashes(present: Address, wanted: Address | None) -> bool:
    """Whether one device cannot hold both (EEXIST), so the old address must go first."""
    return (
        wanted is not None
        and present.local == wanted.local
        and (present.prefixlen == wanted.prefixlen or present.family == AF_INET6)
    )


def _flushed(alias: Alias, goal: Goal) -> bool:
    """Whether the way to another family has taken the old address along (_cross)."""
    return alias.family == AF_INET6 != goal.type.family and alias.up


def _cross(device: Device, to_inet6: bool) -> SetLink:
    """Switch IPv6 on or off under an alias that changes its family.

    The kernel looks at the mode only when the device goes up, and going down takes all IPv6
    addresses away. The message is executed in that order: down, then the mode.
    """
    modes = (ADDRGEN_NONE, ADDRGEN_EUI64)
    down, up = (False, True) if device.up else (None, None)
    place = (device.name, device.index, QUIET)
    back = SetLink(*place, addrgen=modes[not to_inet6], up=up)
    return SetLink(*place, addrgen=modes[to_inet6], up=down, before=back, tolerate=(EAFNOSUPPORT,))


def _retire(device: Device, present: Address, wanted: Address | None) -> list[Step]:
    phase = {"phase": REMOVE} if clashes(present, wanted) else {}
    return [DelAddress(device.name, device.index, present, **phase)]


def _quiet(device: str, index: int) -> SetLink:
    """No link-local address, no DAD and no MLD reports on an alias that is not IPv6.

    A message of its own: in one message the kernel would raise the device first (do_setlink).
    """
    return SetLink(device, index, QUIET, addrgen=ADDRGEN_NONE, tolerate=(EAFNOSUPPORT,))


def _names(device: Device, goal: Goal) -> list[Step]:
    """The altname under which the alias is known, in place of one of an earlier main name."""
    wanted = str(goal.name)
    if wanted in device.altnames:
        return []
    steps: list[Step] = [
        DelAltname(device.name, device.index, altname)
        for altname in device.altnames
        if names.split(altname) is not None
    ]
    return [*steps, AddAltname(device.name, device.index, wanted)]


def _noted(device: Device) -> tuple[AliasName | None, list[str]]:
    """The alias name on the device, and the recorded type and address."""
    words = device.ifalias.split()
    recorded = words[2:4] if len(words) >= 4 and words[0] == RECORD else []
    for altname in device.altnames:
        name = names.split(altname)
        if name is not None:
            return name, recorded
    if len(words) > 1 and words[0] == RECORD:
        return names.split(words[1]), recorded
    return None, recorded


def _from_primary(device: Device, main: Device | None) -> AliasName | None:
    """The name of a device that an interrupted run left with nothing but its primary name."""
    name = names.split_primary(device.name)
    if name is not None and main is not None:
        name = names.AliasName(main.name, name.slot)
        return name if names.primary(name) == device.name else None
    return name


def _own_entry(entries: list[Address]) -> Address | None:
    """The address of the alias: the one with our mark; without marks (before 5.18) the first."""
    usable = [entry for entry in entries if entry.scope != RT_SCOPE_LINK]
    for entry in usable:
        if entry.protocol == PROTOCOL:
            return entry
    return usable[0] if usable and not any(entry.protocol for entry in entries) else None


def vlan_refusal(main: Device, snapshot: Snapshot, rival: str) -> str:
    """Why *main* can carry neither macvlan nor ipvlan, or not this one beside its *rival*."""
    if main.type != ARPHRD_ETHER:
        return f"{main.name} is not an Ethernet device"
    master = port_of(main, snapshot)
    if master is not None:
        return f"{main.name} is a port of {master.name}"
    if carries(main, snapshot, rival):
        return f"{main.name} carries {rival} devices, and the kernel has only one of the two"
    return ""


def port_of(main: Device, snapshot: Snapshot) -> Device | None:
    """The bridge, bond or team whose port *main* is."""
    master = snapshot.devices.get(main.master)
    return master if master is not None and master.kind in PORT_MASTERS else None


def carries(main: Device, snapshot: Snapshot, kind: str) -> bool:
    """Whether a device of this IFLA_INFO_KIND, ours or not, stands on *main*."""
    return any(
        upper.kind == kind and upper.link == main.index for upper in snapshot.uppers(main.index)
    )
