"""Events of a running watcher, for programs with asyncio.

The one module that uses asyncio: whoever calls it has a loop of it already, and nobody else loads
it.
"""

from __future__ import annotations

import asyncio

from netalias import errors
from netalias.runtime import TEXTS
from netalias.views import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SOCKET = f"{TEXTS}.sock"
"""The socket of the watcher of the host."""
LINE = 1 << 20
"""Bytes of a line at most."""
PAUSE = 0.2
"""Seconds between two tries to connect."""


async def events(
    kinds: str = "all", device: str = "", *, path: str = SOCKET, wait: float = 10.0
) -> AsyncIterator[dict[str, object]]:
    """Events of devices and addresses, as objects of ``netalias -j monitor``, without end.

    *kinds* are words of ``event`` with commas between them, "all" for all but "route", which is for
    root ("all,route"); *device* is the name of a main device or an alias. First comes {"event":
    "reset"}, then the present objects, with "initial" true, then {"event": "synced"}, then every
    change; reset comes again where lines were lost, or another watcher has begun. *path* is the
    socket of a watcher, *wait* the seconds that none may be there, at the beginning too. Raises
    UsageError for a word with a space in it, StateError if the watcher refuses the words, or none
    comes.
    """
    for word in (kinds, device):
        if word and [word] != word.split():
            raise errors.UsageError(f"{word!r}: one word is needed")
    kinds = f"{kinds or 'all'},"  # the comma: never the name of a device
    request = f"subscribe {kinds} {device}\n".encode("utf-8", "surrogateescape")
    loop = asyncio.get_running_loop()
    since = loop.time()
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE)
        except OSError as error:
            if loop.time() - since >= wait:
                reason = error.strerror or "it cannot be reached"
                raise errors.StateError(f"{path}: {reason}", "netalias watch serves it") from None
            await asyncio.sleep(PAUSE)
            continue
        try:
            writer.write(request)
            while (line := await _line(reader)).endswith(b"\n"):
                since = loop.time()
                yield _read(line)
        finally:
            writer.close()
        await asyncio.sleep(PAUSE)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; nothing, or a part of one, at the end of the connection."""
    try:
        return await reader.readline()
    except ConnectionError:
        return b""
    except ValueError:
        raise errors.StateError(f"a line of more than {LINE} bytes") from None


def _read(line: bytes) -> dict[str, object]:
    """The object of a line. Raises StateError for one that tells an error, or is no object."""
    if line.startswith(b"error: "):
        raise errors.StateError(line[7:].decode("utf-8", "replace").strip())
    try:
        return json.read(line)
    except ValueError:
        raise errors.StateError(f"no line of events: {line[:64]!r}") from None
