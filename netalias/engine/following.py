"""Routes and publications that follow the addresses of devices: made, and taken back."""

from __future__ import annotations

from netalias.engine.proxies import key_of, publish, recorded, take_back
from netalias.engine.tunnels import sent
from netalias.plan import following as plan
from netalias.runtime.published import PEERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias import errors
    from netalias.engine import Engine
    from netalias.model import Device
    from netalias.model.gateways import Way
    from netalias.plan.proxies import Wanted


def routed(engine: Engine) -> set[int]:
    """The indexes of the devices with routes of lines, by their mark. Raises KernelError."""
    return {one.index for one in engine.kernel.routing().read().ways if plan.is_one(one)}


def route(
    engine: Engine,
    wanted: Sequence[tuple[Device, Sequence[Way]]],
    made: Mapping[int, Sequence[Way]],
) -> list[errors.NetaliasError]:
    """Have devices exactly these routes of lines, and leave those of others; the refusals. New ones
    come before old ones go. *made* are those of the last time, by the index of their device. Raises
    KernelError."""
    if not wanted:
        return []
    standing = engine.kernel.routing().read().ways
    found = [
        plan.difference(device, ways, standing, made.get(device.index, ()))
        for device, ways in wanted
    ]
    refused = sent(engine, [step for added, _ in found for step in added])
    return refused + sent(engine, [step for _, gone in found for step in gone])


def answer(engine: Engine, wanted: Mapping[str, Sequence[Wanted]]) -> list[str]:
    """Have devices, by name, answer for exactly these peers, beside what is published otherwise;
    what keeps them from it. Raises KernelError, StateError."""
    snapshot = engine.snapshot()
    stays = {(name, *one) for name, some in wanted.items() for one in some}
    gone = {key_of(one) for one in recorded(engine, snapshot, PEERS)} - stays
    if gone:
        take_back(engine, snapshot, gone, PEERS)
    notes: list[str] = []
    for name, some in wanted.items():
        main = snapshot.device(name)
        if main is not None and main.up:  # a card that is down is its owner's doing
            notes += publish(engine, snapshot, some, main, PEERS).notes
    return notes
