"""The observed state, and what is declared, without aliases that are as they are declared."""

from __future__ import annotations

from netalias.plan.settled import is_sure, rest, stands, wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Snapshot
    from netalias.model.bare import Gone, Sifted
    from netalias.observed import Observed
    from netalias.plan.diff import Diff


class Looked:
    """The observed state, and the part of what is declared that it is compared with: ``asked``.

    ``settled`` is the number of aliases that both are without, ``devices`` are those of them that
    have one, on the main devices ``mains``. ``whole`` gives the state with them, of the same
    reading.
    """

    __slots__ = ("asked", "declared", "devices", "mains", "observed", "settled", "whole")

    def __init__(self, observed: Observed, declared: Declarations) -> None:
        self.observed = observed
        self.declared = self.asked = declared
        self.whole: Callable[[], Observed] = lambda: observed
        self.settled = 0
        self.devices: list[Gone] = []
        self.mains: set[str] = set()

    def stands(self, diff: Diff) -> bool:
        """Whether *diff*, by ``observed``, would be the same by the whole state."""
        return not self.mains or stands(diff, self.mains)


def observe(engine: Engine, declared: Declarations) -> Looked:
    """The observed state without what is as declared, as far as it can be left out. Raises
    KernelError."""
    bare = wanted(declared, engine.group)
    if bare is None:
        return Looked(engine.observe(), declared)
    found: list[Sifted] = []

    def read() -> Snapshot:
        found.append(engine.kernel.snapshot_without(bare))
        return found[-1].snapshot

    observed = engine.recognise(engine.snapshot(read))
    sifted = found[-1]
    if not is_sure(declared, observed, bare, sifted):
        return Looked(engine.recognise(sifted.whole()), declared)
    sifted.note_absent()
    looked = Looked(observed, declared)
    looked.asked = rest(declared, sifted)
    looked.whole = lambda: engine.recognise(sifted.whole())
    looked.devices = [one for some in sifted.devices.values() for one in some.values()]
    looked.mains = {main for main, some in sifted.devices.items() if some}
    looked.settled = len(looked.devices) + sum(map(len, sifted.labels.values()))
    return looked
