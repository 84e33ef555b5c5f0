"""Steps: the effects of a plan as values, executed by a Kernel.

A step names its device by the primary name; ``index`` is its ifindex, or 0 when an earlier step of
the same plan makes it. ``owner`` is the number of the wish it serves: when a step of an owner
fails, the rest of that owner's steps are dropped and those done are undone.

Rules:
- steps are executed by ``phase``, in given order within a phase;
- before CREATE, QUIET and RETIRE every answer is read and the owners that failed are dropped: later
  messages of a send must never run on a device that a failed create did not make;
- inverse() undoes a step, or is None where the undoing of another step covers it;
- their texts stand in commands.py, so that a silent run does not load them.
"""

from __future__ import annotations

from errno import EADDRINUSE, EBUSY, EEXIST, ENOENT

from netalias.model import IFA_F_NODAD, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.model import Address, Device
    from netalias.model.hidden import Leaving

# Phases, in the order of their execution.
REMOVE = 0
"""Frees names and addresses for later phases."""
REMOVE_PRIMARY = 1
"""Removes primary IPv4 addresses, after the secondaries of their networks (plan/order.py)."""
CREATE = 2
QUIET = 3
NAME = 4
SET = 5
ADDRESS = 6
RAISE = 7
RETIRE = 8
"""Removes the objects that the ADDRESS phase has replaced."""
RETIRE_PRIMARY = 9
"""Removes the primary IPv4 addresses among them."""
LAST = 10
"""Puts addresses behind those that are there for good (kinds/label.py)."""

BARRIERS = (CREATE, QUIET, RETIRE)
"""Phases that begin a send of their own."""


class Step(Value):
    """Base of all steps."""

    __slots__ = ("device", "index", "owner", "phase")

    hints: Mapping[int, str] = {}
    """Hints by the errno of a refusal."""
    touches = "device"
    """The kind of object that the step is about (kernel/proof.py)."""
    missing = 0
    """The errno by which the kernel says that the object to change is not there."""

    def __init__(self, device: str, index: int, phase: int) -> None:
        self.device = device
        self.index = index
        self.phase = phase
        self.owner = 0

    def inverse(self) -> Step | None:
        """The step that undoes this one."""
        return None


class CreateLink(Step):
    """RTM_NEWLINK with NLM_F_CREATE and NLM_F_EXCL; the new device is down.

    ``kind`` is IFLA_INFO_KIND, ``mode`` its mode or -1, ``link`` and ``below`` are index and name
    of the lower device or 0 and empty, ``mac`` is empty for one of the kernel's choice, ``mtu`` 0
    for the default; ``master`` and ``inside`` are index and name of the VRF that it joins, or 0 and
    empty. ``former`` is the ifindex that it gets if that is free, 0 for any. ``shared``: it stays
    as long as another owner has an address on it.
    """

    __slots__ = (
        "below", "former", "group", "inside", "kind", "link", "mac", "master", "mode", "mtu",
        "shared",
    )  # fmt: skip

    def __init__(
        self,
        device: str,
        kind: str,
        *,
        group: int,
        mode: int = -1,
        link: int = 0,
        below: str = "",
        mac: bytes = b"",
        mtu: int = 0,
        master: int = 0,
        inside: str = "",
        former: int = 0,
        shared: bool = False,
    ) -> None:
        super().__init__(device, 0, CREATE)
        self.kind = kind
        self.group = group
        self.mode = mode
        self.link = link
        self.below = below
        self.mac = mac
        self.mtu = mtu
        self.master = master
        self.inside = inside
        self.former = former
        self.shared = shared

    def inverse(self) -> Step:
        return DelLink(self.device, self.index, self.group, shared=self.shared)

    def barred(self, errno: int) -> bool:
        """Whether a refusal with *errno* may be due to ``former``: a device has that index."""
        return bool(self.former) and errno in (EEXIST, EBUSY)

    def anyhow(self) -> CreateLink:
        """The same step with any index."""
        values = {name: getattr(self, name) for name in CreateLink.__slots__}
        return CreateLink(self.device, **{**values, "former": 0})


class DelLink(Step):
    """RTM_DELLINK by index; ``group`` is the mark that the planner saw on the device. ``shared``:
    it must have no other addresses by now than those that were planned to go with it; these are
    ``leaving`` (model/hidden.py) where the reading of the plan is without them."""

    __slots__ = ("group", "leaving", "shared")
    touches = "link"

    def __init__(self, device: str, index: int, group: int, *, shared: bool = False) -> None:
        super().__init__(device, index, REMOVE)
        self.group = group
        self.shared = shared
        self.leaving: Leaving | None = None


class AddAltname(Step):
    """RTM_NEWLINKPROP with one IFLA_ALT_IFNAME."""

    __slots__ = ("altname",)

    def __init__(self, device: str, index: int, altname: str) -> None:
        super().__init__(device, index, NAME)
        self.altname = altname

    def inverse(self) -> Step:
        return DelAltname(self.device, self.index, self.altname)


class DelAltname(Step):
    """RTM_DELLINKPROP with one IFLA_ALT_IFNAME; a name that has gone counts as removed."""

    __slots__ = ("altname",)
    tolerate = (ENOENT,)

    def __init__(self, device: str, index: int, altname: str) -> None:
        super().__init__(device, index, REMOVE)
        self.altname = altname

    def inverse(self) -> Step:
        return AddAltname(self.device, self.index, self.altname)


class SetLink(Step):
    """RTM_SETLINK; a field that is None stays as it is.

    ``up`` is IFF_UP, ``conf`` holds IPv4 sysctls of the device (IFLA_INET_CONF), ``addrgen`` is
    IFLA_INET6_ADDR_GEN_MODE (0 eui64, 1 none). ``before`` is the step that restores the former
    values. ``tolerate`` are errnos that count as done.
    """

    __slots__ = ("addrgen", "before", "conf", "ifalias", "mac", "mtu", "tolerate", "up")
    touches = "settings"

    hints = {EADDRINUSE: "another device on the same main device has this MAC"}

    def __init__(
        self,
        device: str,
        index: int,
        phase: int = SET,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        mac: bytes | None = None,
        ifalias: str | None = None,
        conf: Mapping[str, int] | None = None,
        addrgen: int | None = None,
        before: SetLink | None = None,
        tolerate: tuple[int, ...] = (),
    ) -> None:
        super().__init__(device, index, phase)
        self.up = up
        self.mtu = mtu
        self.mac = mac
        self.ifalias = ifalias
        self.conf = conf
        self.addrgen = addrgen
        self.before = before
        self.tolerate = tolerate

    def inverse(self) -> Step | None:
        return self.before


class AddAddress(Step):
    """RTM_NEWADDR with NLM_F_CREATE and NLM_F_EXCL."""

    __slots__ = ("address",)

    def __init__(self, device: str, index: int, address: Address, phase: int = ADDRESS) -> None:
        super().__init__(device, index, phase)
        self.address = address

    def inverse(self) -> Step:
        return DelAddress(self.device, self.index, self.address)


def moves(step: Step) -> bool:
    """Whether a step adds an address that only moves, and is not probed for (plan/transfer.py)."""
    return isinstance(step, AddAddress) and bool(step.address.flags & IFA_F_NODAD)


class DelAddress(Step):
    """RTM_DELADDR of exactly this device, address, prefix length and label, if it has one."""

    __slots__ = ("address",)
    touches = "address"

    def __init__(self, device: str, index: int, address: Address, phase: int = RETIRE) -> None:
        super().__init__(device, index, phase)
        self.address = address

    def inverse(self) -> Step:
        return AddAddress(self.device, self.index, self.address.renewed())


class SysctlChange:
    """One change of a main device: values by sysctl name; ``restores``: nothing needs it more.

    ``step`` sets the values, before aliases come up or after the last has gone.
    """

    __slots__ = ("after", "before", "main", "restores", "step")

    def __init__(self, main: Device, after: dict[str, int], *, restores: bool = False) -> None:
        self.main = main
        self.before = {key: getattr(main, key) for key in after}
        self.after = after
        self.restores = restores
        # In the first send, right behind the reading, where the step makes a device; with the
        # address of a label.
        phase = SET if "promote_secondaries" in after else CREATE
        place = (main.name, main.index, RETIRE if restores else phase)
        self.step = SetLink(*place, conf=after, before=SetLink(*place, conf=self.before))
