"""The hint of a comparison that meets labels of others: the command that adopts them."""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.model.names import AliasName
    from netalias.observed import Observed
    from netalias.plan.diff import Skipped

    Refused = Mapping[AliasName, tuple[str, AliasName, errors.NetaliasError]]


def hint(refused: Refused, skipped: Sequence[Skipped], observed: Observed) -> None:
    """Let the hint on labels of others be the one command that adopts all of a main device."""
    found: dict[str, set[int]] = {}
    for name, (_, _, error) in refused.items():
        if isinstance(error, errors.NotAdopted):
            found.setdefault(name.main, set()).add(name.slot)
    for one in skipped:
        if isinstance(one.error, errors.NotAdopted):
            words = _words(one.name.main, found[one.name.main], observed)
            one.error.hint = f"netalias adopt {words}"


def _words(main: str, slots: set[int], observed: Observed) -> str:
    """The words that select the labels of others with *slots* on *main*, and no other one."""
    others = {
        alias.name.slot for alias in observed.aliases if not alias.ours and alias.name.main == main
    }
    if others == slots:
        return main
    runs: list[list[int]] = []
    for slot in sorted(others):
        if slot not in slots:
            runs.append([])
        elif runs and runs[-1]:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    ends = [(run[0], run[-1]) for run in runs if run]
    return " ".join(f"{main}:{low}" + (f"-{high}" if high > low else "") for low, high in ends)
