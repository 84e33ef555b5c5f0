"""The doctor as a program calls it."""

from __future__ import annotations

from netalias import errors
from netalias.doctor import examine
from netalias.doctor.read import read
from netalias.runtime import condition
from netalias.runtime.instance import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netalias.doctor.finding import Finding

    Engine = Any
    """That of netalias.engine, which stands beside this package."""


def doctor(engine: Engine, wanted: list[str]) -> list[Finding]:
    """The findings in the namespace of an engine. Raises NoSuchDevice; StateError for a kernel in
    memory."""
    setup = engine.setup
    if not setup.namespace:
        raise errors.StateError("only a real kernel can be examined")
    folder = engine.runtime.path
    watcher = running(folder) if folder else None
    machine = bool(setup.identity is not None and setup.identity()[0])
    observed = engine.observe()
    told = {"files": watcher.files if watcher is not None else (), "folder": folder}
    told |= {"identified": machine, "watched": watcher is not None}
    told["store"] = condition.found(folder) if watcher is not None else None
    found: list[Finding] = engine.within(lambda: examine(read(observed, wanted, **told)))
    return found
