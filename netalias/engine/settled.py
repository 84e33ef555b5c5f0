"""The observed state, and what is declared, without labels that are as they are declared."""

from __future__ import annotations

from netalias.plan.settled import is_sure, rest, wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Snapshot
    from netalias.model.bare import Left
    from netalias.observed import Observed


def observe(engine: Engine, declared: Declarations) -> tuple[Observed, Declarations, int]:
    """The observed state and the declarations without those labels, and the number of these.

    There may be none that can be left out. Raises KernelError.
    """
    labels = wanted(declared)
    if not labels:
        return engine.observe(), declared, 0
    left: Left = {}

    def read() -> Snapshot:
        snapshot, gone = engine.kernel.snapshot_without(labels)
        left.update(gone)
        return snapshot

    observed = engine.recognise(engine.snapshot(read))
    if not is_sure(declared, observed, labels, left):
        return engine.observe(), declared, 0
    return observed, rest(declared, left), sum(map(len, left.values()))
