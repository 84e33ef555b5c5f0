"""The links that are served now: a file for each network device, written by the process that serves
it, with lines of a word and its value::

    pid, start, since   the process, and the local time at which it began
    content             tun, tap or bundle
    WORD                of a bundle: what is to be known of all its links together
    link                a link begins: the word for its device; what follows is about it

What a killed process has left counts for nothing.
"""

from __future__ import annotations

import os
from time import strftime

from netalias import errors
from netalias.model.names import number
from netalias.runtime import files, read_file, replace_file
from netalias.runtime.instance import NOW
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SUFFIX = ".link"
LINK = "link"


class Served:
    """A network device called ``name``, and its ``links``: of each the words and their values, with
    LINK for the word of its device. ``about`` has the words about all of them together."""

    __slots__ = ("about", "content", "links", "name", "pid", "since", "start")

    def __init__(self, name: str, content: str, links: Iterable[Mapping[str, str]]) -> None:
        self.name = name
        self.content = content
        self.about: dict[str, str] = {}
        self.links = [dict(link) for link in links]
        self.pid = os.getpid()
        self.start = started(self.pid)
        self.since = strftime(NOW)

    @property
    def alive(self) -> bool:
        """Whether its process still runs, and the pid was not reused."""
        return started(self.pid) == self.start != ""


def write(folder: str, served: Served) -> None:
    """Record the links of this process. Raises StateError."""
    pairs = [("pid", str(served.pid)), ("start", served.start), ("since", served.since)]
    pairs.append(("content", served.content))
    pairs += served.about.items()
    for link in served.links:
        pairs.append((LINK, link[LINK]))
        pairs += [(word, value) for word, value in link.items() if word != LINK]
    text = "".join(f"{word} {_one_line(value)}\n" for word, value in pairs)
    path = f"{folder}/{served.name}{SUFFIX}"
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None


def read(folder: str, name: str) -> Served | None:
    """The record of a network device; None without one of a process that runs."""
    try:
        text = read_file(f"{folder}/{name}{SUFFIX}").decode("utf-8", "surrogateescape")
    except OSError:
        return None
    found = Served(name, "", ())
    head = found.about
    for line in text.split("\n"):
        word, _, value = line.partition(" ")
        if word == LINK:
            found.links.append({})
        if word:
            (found.links[-1] if found.links else head)[word] = value
    found.pid, found.start = number(head.pop("pid", "")), head.pop("start", "")
    found.since, found.content = head.pop("since", ""), head.pop("content", "")
    return found if found.pid > 0 and found.alive else None


def remove(folder: str, name: str) -> None:
    """Forget a network device. Raises StateError."""
    files.remove(f"{folder}/{name}{SUFFIX}")


def all_served(folder: str) -> list[Served]:
    """All of the runtime directory *folder*, empty for none, by name."""
    found = [read(folder, name) for name in files.names(folder, SUFFIX)]
    return [one for one in found if one is not None]


def _one_line(value: str) -> str:
    return value.replace("\n", " ")
