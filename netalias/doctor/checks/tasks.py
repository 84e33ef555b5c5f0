"""The check of declared lines that are no aliases: whether anybody carries them out."""

from __future__ import annotations

from netalias.doctor.finding import WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts


def unwatched(facts: Facts) -> Iterator[Finding]:
    """A line that needs a watcher, and none runs."""
    if facts.watched:
        return
    mains = {main.name for main in facts.mains}
    for task in facts.tasks:
        if task.watched and (facts.everywhere or task.main in mains):
            yield Finding(
                WARNING,
                f"{task.title} is declared, and nobody carries it out",
                f"{task.place} waits for netalias watch, which is not running",
                main=task.main,
            )
