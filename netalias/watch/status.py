"""Reports to the service manager: a summary when it changes, and that the watcher lives."""

from __future__ import annotations

from netalias.desired.declarations import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.system.sdnotify import Service
    from netalias.watch.controller import Controller


class Status:
    """A timer of the loop. *now* is a time of its clock; ``tasks`` is the number of declared lines
    that are no aliases."""

    def __init__(self, service: Service, controller: Controller, now: float) -> None:
        self.tasks = 0
        self._service = service
        self._controller = controller
        self._alive = now
        self._counted: tuple[object, int] | None = None
        self._told = ""

    def text(self) -> str:
        """The number of declarations and repairs in a line."""
        wished, healed = self._controller.wished, self._controller.healed
        text = f"{counted(len(wished), 'alias')} declared on {counted(len(wished.mains), 'device')}"
        text += self._beside()
        return f"{text}; {healed} put right" if healed else text

    def read_again(self, count: int) -> str:
        """The number of aliases in files that were read again."""
        return f"read again: {counted(count, 'alias')} declared{self._beside()}"

    def _beside(self) -> str:
        return f"; {counted(self.tasks, 'line')} beside them" if self.tasks else ""

    def begun(self) -> None:
        """Tell that the start, or a reload, is finished."""
        self._service.ready(self.text())

    def report(self) -> None:
        """Tell the summary if it has changed."""
        counted = self._controller.wished, self._controller.healed
        if counted == self._counted:
            return
        self._counted = counted
        before, self._told = self._told, self.text()
        if self._told != before:
            self._service.status(self._told)

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None without a watchdog."""
        period = self._service.watchdog
        return None if period is None else max(0.0, self._alive + period - now)

    def tick(self, now: float) -> None:
        """Tell that this process lives."""
        self._alive = now
        self._service.alive()
