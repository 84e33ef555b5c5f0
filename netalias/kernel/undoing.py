"""The undoing of steps: what a run has done is taken back, and nothing that others did since.

The same proof as that of a send (proof.py), but of steps whose objects this run has made.
"""

from __future__ import annotations

from netalias.kernel.proof import Proof, is_alike, is_named, is_shared, place_of, same_mark
from netalias.model.steps import CreateLink, DelAddress, DelLink, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.kernel.proof import Place, Readings
    from netalias.model import Address, Device, Snapshot
    from netalias.model.leases import MarkAddress, RenewAddress
    from netalias.model.neighbours import DelProxy
    from netalias.model.steps import Step

    Pairs = Sequence[tuple[Step, Step | None]]


def inverses(done: Sequence[Step]) -> list[tuple[Step, Step | None]]:
    """The steps that undo *done*, the last one first, each with the one that it undoes."""
    found: list[tuple[Step, Step | None]] = []
    made = {
        (step.owner, step.device)
        for step in done
        if isinstance(step, CreateLink) and not step.shared
    }
    for step in reversed(done):
        inverse = step.inverse()
        if inverse is None:
            continue
        # Deleting a device that this owner has made undoes all its changes; those of a device that
        # gave way to it, and had its name before, have an index.
        new = not step.index and (step.owner, step.device) in made
        if new and not isinstance(inverse, DelLink):
            continue
        inverse.owner = step.owner
        found.append((inverse, step))
    return found


class UndoProof(Proof):
    """The proof of undoing steps. *seen* is the reading that the run was planned on."""

    def __init__(self, kernel: Readings, seen: Snapshot | None) -> None:
        super().__init__(kernel, seen)
        self._deleted: set[int] = set()
        self._removed: set[tuple[int, Place]] = set()

    def undoing(self, pairs: Pairs, run: Sequence[Step]) -> list[Step]:
        """Of undoing steps, each with the step that it undoes as far as that is known, those that
        reach nothing but what this run has done. *run* are all steps that it has executed."""
        batch = [step for step, _ in pairs]
        self._read(batch, run)
        self._deleted = {step.index for step in run if isinstance(step, DelLink)}
        gone = (step for step in run if isinstance(step, DelAddress))
        self._removed = {(step.index, place_of(step.address)) for step in gone}
        steps: list[Step] = []
        for step, undone in pairs:
            found = self._undoing(step, undone)
            if found is not None and is_shared(found) and not self._is_deserted(found, batch):
                continue
            if found is not None:
                around = self._promotion(found, batch)
                steps += [*around[:1], found, *around[1:]]
        return steps

    def _undoing(self, step: Step, undone: Step | None) -> Step | None:
        """The undoing step itself, or as much of it as still reaches what this run has done."""
        if step.index < 0:
            return step
        device = self._device(step)
        if device is None:
            return None
        if isinstance(step, DelLink):
            return step if self._is_made(step, device) else None
        planned = self._seen.devices.get(device.index)
        if planned is not None and not same_mark(planned, device) and not self._is_gone(device):
            return None
        if isinstance(step, SetLink) and isinstance(undone, SetLink) and step.conf:
            return _without_sysctls_of_others(step, undone, device)
        holds = UNDOES.get(step.touches)
        return step if holds is None or holds(self, step, device, undone) else None

    def _is_deserted(self, step: Step, batch: Sequence[Step]) -> bool:
        """Whether *batch* removes all addresses of a hidden device that this run has made: other
        owners may have put theirs there."""
        device = self._device(step)
        mine = (one for one in batch if isinstance(one, DelAddress) and one.device == step.device)
        return device is not None and self._goes_alone(device, [one.address.local for one in mine])

    def _is_made(self, step: DelLink, device: Device) -> bool:
        """Whether this run has made a device."""
        known = self._seen.devices.get(device.index)
        if known is not None and known.name == device.name and not self._is_gone(device):
            return False
        return device.group == step.group and is_named(device)

    def _is_gone(self, device: Device) -> bool:
        """Whether this run has deleted the device that had this index."""
        return device.index in self._deleted

    def _is_added(self, step: DelAddress, device: Device, _: Step | None) -> bool:
        """Whether this run has added the address that is there."""
        found, wanted = self._entry(device.index, step.address), step.address
        if found is None:
            return False
        if not found.protocol and _has_slot(device, wanted) and not self._keeps_marks():
            found = found.copy(protocol=wanted.protocol)
        if not is_alike(found, wanted):
            return False
        known = self._known(device.index, wanted)
        if known is None or not is_alike(known, wanted) or self._is_gone(device):
            return True
        return (device.index, place_of(wanted)) in self._removed

    def _is_as_left(
        self, step: MarkAddress | RenewAddress, device: Device, undone: Step | None
    ) -> bool:
        """Whether an address that was changed in place is as this run has left it."""
        found = self._entry(device.index, step.address)
        mine = getattr(undone, "address", step.address)
        return found is not None and is_alike(found, mine)

    def _proxy_is_as_left(self, step: DelProxy, device: Device, _: Step | None) -> bool:
        return self._proxy_is_ours(step, device)


UNDOES: dict[str, Callable[[UndoProof, Any, Device, Step | None], bool]] = {
    "address": UndoProof._is_added,
    "fields": UndoProof._is_as_left,
    "proxy": UndoProof._proxy_is_as_left,
}
"""The conditions of an undoing step beside those of its device, by Step.touches."""


def _has_slot(device: Device, wanted: Address) -> bool:
    """Whether more than the protocol would mark an address: its label or metric, or its device."""
    return ":" in wanted.label or bool(wanted.metric) or is_named(device)


def _without_sysctls_of_others(step: SetLink, undone: SetLink, device: Device) -> SetLink | None:
    """*step* without the sysctls whose value is neither that of *undone* nor the former one."""
    wanted = step.conf or {}
    ours = undone.conf or {}
    conf = {
        key: value
        for key, value in wanted.items()
        if getattr(device, key, value) in (value, ours.get(key, value))
    }
    if conf == wanted:
        return step
    made = SetLink(
        step.device, step.index, step.phase, up=step.up, mtu=step.mtu, mac=step.mac,
        ifalias=step.ifalias, conf=conf or None, addrgen=step.addrgen, tolerate=step.tolerate,
    )  # fmt: skip
    made.owner = step.owner
    bare = (made.up, made.mtu, made.mac, made.ifalias, made.conf, made.addrgen)
    return None if all(value is None for value in bare) else made
