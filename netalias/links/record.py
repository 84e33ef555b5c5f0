"""The record of the links that this process serves (runtime/links.py), and its state for the
service manager."""

from __future__ import annotations

from netalias import errors
from netalias.links import lcp, phases
from netalias.links.state import COUNTERS
from netalias.runtime import links as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.links.session import Session
    from netalias.system.sdnotify import Service

CONTENTS = {lcp.TUN: "tun", lcp.TAP: "tap", lcp.BUNDLE: "bundle", lcp.TAP_BUNDLE: "bundle"}
"""The words of a record for what a link carries."""
UNCONNECTED = (phases.CLOSED, phases.OPENING, phases.DIAL)


class Recorder:
    """Writes the record of the network device *name* in the runtime directory *folder*.

    What cannot be written is given up: the links are served all the same. *service* is told that
    they are served, and of each change of a phase.
    """

    def __init__(self, folder: str, name: str, content: int, service: Service) -> None:
        self._folder = folder
        self._served = records.Served(name, CONTENTS[content], ())
        self._service = service
        self._status = ""

    def ready(self, sessions: Sequence[Session]) -> None:
        """Begin."""
        self.write(sessions)
        self._service.ready(self._status)

    def write(
        self,
        sessions: Sequence[Session],
        more: Sequence[Mapping[str, str]] = (),
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Write what is so now; of a bundle *more* words about each link, and words *about* all."""
        self._served.links = [words_of(session) for session in sessions]
        for link, words in zip(self._served.links, more, strict=False):
            link.update(words)
        self._served.about = dict(about or {})
        status = ", ".join(f"{one['device']} {one['phase']}" for one in self._served.links)
        if status != self._status:
            self._status = status
            self._service.status(status)
        try:
            records.write(self._folder, self._served)
        except errors.StateError:
            pass

    def close(self, *, given: bool = False) -> None:
        """Remove the record, unless it is that of another process now."""
        if given:
            return
        self._service.stopping()
        try:
            records.remove(self._folder, self._served.name)
        except errors.StateError:
            pass  # readers look whether the process lives


def words_of(session: Session) -> dict[str, str]:
    """The words about the link of *session*, and their values."""
    state = session.state
    found = {records.LINK: session.word, "phase": session.phase, "device": session.word}
    if state is None:
        return found | dict.fromkeys((*COUNTERS, "in_rate", "out_rate"), "0")
    if session.phase not in UNCONNECTED:
        found["device"] = state.name
    found |= {"kind": state.kind, "carrier": session.carrier, "cd": state.cd}
    found |= {name: str(value) for name, value in state.counters.items()}
    return found | {f"{one}_rate": str(state.rate(one)) for one in ("in", "out")}
