"""The steps that keep former addresses, and the sysctl of their devices.

Copies come before the translation by the kernel that refers to them, and leave after it: a socket
that is bound to a former address always has one. Data planes of ours are told before anything else:
nothing can be sent from a former address before its copy is there.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EEXIST, ENODEV

from netalias import errors
from netalias.model import AF_INET, AF_INET6
from netalias.model.leases import RenewAddress
from netalias.model.steps import AddAddress, DelAddress, SysctlChange
from netalias.nat import Translation
from netalias.plan.sysctls import PROMOTE, difference_of
from netalias.runtime import translated as record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netalias.desired.keeping import Keeping
    from netalias.engine import Engine
    from netalias.kernel import Kernel
    from netalias.model import Device
    from netalias.model.steps import Step
    from netalias.plan.keeping import Decision

DONE = (EEXIST, EADDRNOTAVAIL, ENODEV)
"""Errnos of steps whose effect somebody else has brought about since the reading."""


def add(kernel: Kernel, names: Mapping[int, str], found: Decision) -> list[errors.NetaliasError]:
    """Add the copies, and set the lifetimes of others; the refusals. *names* are those of the
    devices by index."""
    steps: list[Step] = [AddAddress(names[one.index], one.index, one) for one in found.add]
    steps += [RenewAddress(names[one.index], one.index, one) for one in found.renew]
    return _sent(kernel, steps)


def remove(kernel: Kernel, names: Mapping[int, str], found: Decision) -> list[errors.NetaliasError]:
    """Remove the copies of addresses that are kept no longer; the refusals."""
    return _sent(kernel, [DelAddress(names[one.index], one.index, one) for one in found.remove])


def _sent(kernel: Kernel, steps: Sequence[Step]) -> list[errors.NetaliasError]:
    for number, step in enumerate(steps):
        step.owner = number
    if not steps:
        return []
    failures = kernel.apply(steps, stoppable=False)
    return [one.error for one in failures if one.error.errno not in DONE]


def translations(name: str, found: Decision) -> Iterable[Translation]:
    """The translations of the device *name*."""
    for family in (AF_INET, AF_INET6):
        if old := found.old.get(family):
            yield Translation(name, family, found.new.get(family), old)


def check_translates(engine: Engine, task: Keeping) -> None:
    """Check that there is somebody to translate as *task* wants it. Raises StateError with the
    reason, NotPermitted."""
    from netalias.desired.keeping import USER

    if task.mode == USER:
        check_carried(engine.runtime.path, task.subject)
        return
    from netalias.nat.kernel import KernelNat

    engine.within(KernelNat).close()


def check_carried(folder: str, device: str) -> None:
    """Check that a process of ours carries the packets of a device. Raises StateError."""
    from netalias.runtime import links, tunnels

    tunnel, link = tunnels.read(folder, device), links.read(folder, device)
    if tunnel is not None and "carriage wireguard" not in tunnel.line:
        return
    if link is None or link.content != "tun":
        raise errors.StateError(
            f"{device} iface-alias user: no tunnel and no link of ours carries its packets",
            f"{device} iface-alias kernel translates on any device",
        )


class InOurHands:
    """The translations that data planes of ours make, as they stand in the runtime directory. Ended
    by close(), after which they still stand."""

    def __init__(self, folder: str, cookie: int) -> None:
        self._folder = folder
        self._record = record.Record(folder, cookie)
        self._devices: list[str] = []
        self.close = self._record.close
        """Close what is written to."""

    def tell(self, tasks: Iterable[Keeping], wanted: Iterable[Translation]) -> None:
        """Have exactly these made for the devices of *tasks*. Raises StateError."""
        devices: dict[str, record.Translated] = {}
        for task in tasks:
            if task.deny:
                devices.setdefault(task.subject, record.Translated()).deny = True
        for one in wanted:
            found = devices.setdefault(one.device, record.Translated())
            found.families[one.family] = one.new, one.old
        self._devices = [*devices]
        self._record.write(devices)

    def refusals(self) -> list[errors.NetaliasError]:
        """The devices of the last tell() whose packets no process of ours carries."""
        refused: list[errors.NetaliasError] = []
        for device in self._devices:
            try:
                check_carried(self._folder, device)
            except errors.StateError as error:
                refused.append(error)
        return refused


def promote(engine: Engine, device: Device) -> None:
    """Have the kernel keep the other addresses of a network when the first one goes; the former
    value is saved. Raises StateError, KernelError."""
    if engine.setup.hands_off or device.promote_secondaries:
        return
    from netalias.engine import execute

    observed = engine.observe()
    main = observed.snapshot.devices.get(device.index)
    if main is None or main.promote_secondaries:
        return
    engine.saved(observed)
    item = difference_of(SysctlChange(main, {PROMOTE: 1}))
    execute(engine, observed, [item], silent=True)
    if item.error is not None:
        raise item.error


def settle(engine: Engine) -> None:
    """Restore the sysctls that nothing needs any more. Raises StateError, KernelError."""
    if engine.saved(engine.observe()).values:
        from netalias.engine.settling import settle as restore

        restore(engine)
