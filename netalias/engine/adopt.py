"""Taking over labels that others made: our mark is put on an address that stays where it is."""

from __future__ import annotations

from netalias import errors
from netalias.model import PROTOCOL
from netalias.model.steps import MarkAddress
from netalias.observed import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.model.names import AliasName
    from netalias.model.steps import Step


def adopt(engine: Engine, names: Sequence[AliasName]) -> list[Step]:
    """Mark the labels called *names*; the steps that were done. What is ours already stays so.

    Raises NoSuchDevice, KernelError; StateError where the kernel leaves the mark of an address as
    it was made (IPv4 on Linux 6.1), or keeps none (before 5.18).
    """
    steps = plan(engine, names)
    failures = engine.kernel.apply(steps, ordered=True)
    if failures:
        first = min(failures, key=lambda failure: failure.step.owner)
        raise first.explained(names[first.step.owner])
    observed = engine.observe()
    if steps and not all(find(observed, name).ours for name in names):
        raise errors.StateError(
            f"{names[0]}: this kernel does not change the mark of an address that is there",
            f"delete the label, netalias {names[0]}-, and create it again",
        )
    return steps


def plan(engine: Engine, names: Sequence[AliasName]) -> list[Step]:
    """The steps that mark the labels called *names*, each with the number of its name as owner.

    Raises NoSuchDevice, AlreadyExists.
    """
    observed = engine.observe()
    try:
        found = [find(observed, name) for name in names]
    except errors.NoSuchDevice as error:
        error.hint = ""  # it is not to be created
        raise
    for alias in found:
        if alias.ours and len(observed.by_name[alias.name]) > 1:
            raise errors.AlreadyExists(
                f"{alias.name}: this is an alias of ours, and a label of others too",
                "of two only one can be called so",
            )
    return [_mark(alias, number) for number, alias in enumerate(found) if not alias.ours]


def _mark(alias: Alias, number: int) -> Step:
    main, entry = alias.main, alias.entry
    assert main is not None
    assert entry is not None
    marked = entry.copy(protocol=PROTOCOL)
    before = MarkAddress(main.name, main.index, entry)
    step = MarkAddress(main.name, main.index, marked, before)
    step.owner = number
    return step
