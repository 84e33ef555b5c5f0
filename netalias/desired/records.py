"""The line ``record``: a file has the service record of a device, as the device is now.

::

    line = "record" DEVICE "file" FILE [ "limit" NUMBER ] [ "clients" ( NUMBER | FILE ) ]

    record tap0 file /run/tap0.json limit 7 clients /run/tap0.clients

``limit`` is how many clients the device could have, ``clients`` how many it has. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEYWORD = "record"
FILE, LIMIT, CLIENTS = "file", "limit", "clients"
USUAL_LIMIT = 7
"""Clients of a network access point of Bluetooth."""
MOST = 9
"""Digits of a number of clients at most."""
EXAMPLE = f"{KEYWORD} tap0 {FILE} /run/tap0.json {LIMIT} {USUAL_LIMIT}"


class RecordLine(Task):
    """A declared record. ``clients`` is a number as text, or the absolute path of a file that
    tells it."""

    keyword = KEYWORD

    def __init__(
        self, device: str, file: str, limit: int = USUAL_LIMIT, clients: str = "0"
    ) -> None:
        super().__init__(device, device)
        self.file = file
        self.limit = limit
        self.clients = clients

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other record has the same file. Raises AlreadyExists."""
        for other in others:
            if isinstance(other, RecordLine) and other is not self and other.file == self.file:
                raise errors.AlreadyExists(
                    f"{self.title}: {self.file} is the file of {other.title} ({other.place})"
                )

    def words(self) -> list[str]:
        """``record tap0 file /run/tap0.json limit 7 clients 0``."""
        found = [KEYWORD, self.subject, FILE, self.file, LIMIT, str(self.limit)]
        return [*found, CLIENTS, self.clients] if self.clients != "0" else found

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        clients = int(self.clients) if self.clients.isdigit() else self.clients
        found: dict[str, object] = {"ifname": self.subject, KEYWORD: self.file}
        return found | {LIMIT: self.limit, CLIENTS: clients}


def read(words: list[str]) -> RecordLine:
    """The task of a line. Raises UsageError."""
    if len(words) < 2:
        raise errors.UsageError(f"{KEYWORD}: a device is missing", EXAMPLE)
    title = f"{KEYWORD} {words[1]}"
    try:
        names.check_device(words[1], limit=names.ALTNAME_MAX)
    except errors.UsageError as error:
        raise at_word(1, type(error)(f"{title}: {error}", error.hint)) from None
    given: dict[str, str] = {}
    for at in range(2, len(words), 2):
        given |= _pair(words, at, given, title)
    if FILE not in given:
        raise errors.UsageError(f"{title}: {FILE} is missing", EXAMPLE)
    limit = names.number(given.get(LIMIT, str(USUAL_LIMIT)), MOST)
    clients = given.get(CLIENTS, "0")
    return RecordLine(words[1], given[FILE], limit, clients)


def _pair(words: list[str], at: int, given: dict[str, str], title: str) -> dict[str, str]:
    """The word at *at* with its value, both checked. Raises UsageError."""
    word, value = words[at], "".join(words[at + 1 : at + 2])
    if word in given or word not in CHECKS:
        text = f"{title}: {word}: " + ("said twice" if word in given else "not a word of this line")
        raise at_word(at, errors.UsageError(text, ", ".join(CHECKS)))
    needed = CHECKS[word](value)
    if needed:
        text = f"{title}: {f'{word} {value}'.rstrip()}: {needed} is needed"
        raise at_word(at + bool(value), errors.UsageError(text, EXAMPLE))
    return {word: value}


def _no_path(text: str) -> str:
    return "" if text.startswith("/") and not text.endswith("/") else "an absolute path"


def _no_limit(text: str) -> str:
    return "" if names.number(text, MOST) > 0 else "a number from 1 on"


def _no_clients(text: str) -> str:
    is_number = names.number(text, MOST) >= 0
    return "" if is_number or not _no_path(text) else "a number or an absolute path"


CHECKS: dict[str, Callable[[str], str]] = {FILE: _no_path, LIMIT: _no_limit, CLIENTS: _no_clients}
"""Word: the check of its value, which gives what is needed instead, or nothing."""
