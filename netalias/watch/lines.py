"""Lines of a part of a watcher, from two places: files, and what was asked for by hand."""

from __future__ import annotations

from netalias.runtime import asked as requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.desired.tasks import Task
    from netalias.engine import Engine


class Lines:
    """The lines of files in ``_declared``, and those that were asked for by hand in ``_asked``."""

    _engine: Engine
    _folder: str
    _declared: list[Task]
    _asked: dict[str, str]

    def learn(self) -> None:
        """Take note of what others have asked for by hand."""
        asked = requests.read(self._folder, self._engine.kernel.cookie())
        if asked != self._asked:
            self._asked = asked
            self._replace()

    def load(self, tasks: Iterable[Task]) -> None:
        """Replace the lines of files; what is to be done for them is due."""
        self._declared = [*tasks]
        self._asked = requests.read(self._folder, self._engine.kernel.cookie())
        self._replace()

    def _replace(self) -> None:
        raise NotImplementedError
