"""Former devices: the ifindex and the MAC that the device of each alias had, in the runtime
directory.

A device that is lost and made again gets both back where they are free: sockets, nftables and
rules of the policy refer to a device by its index, and neighbours to its MAC. The kernel forgets
them with the device.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``ALIAS IFINDEX MAC``. Without a directory the values live as
long as the process.
"""

from __future__ import annotations

from netalias.model.names import number
from netalias.runtime import read_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.model import Alias, Device

    Former = tuple[int, bytes]
    Row = tuple[str, int, bytes]
    """Name of an alias, ifindex and MAC."""

FILE = "/devices"
MOST = 20000
"""Number of devices in the file at most, those noted last: it has to be read in one piece."""


class FormerDevices:
    """The last known ifindex and MAC by the name of the alias.

    *directory* is the runtime directory, empty for none; *cookie* is SO_NETNS_COOKIE of the
    namespace, 0 if unknown.
    """

    def __init__(self, directory: str = "", cookie: int = 0) -> None:
        self._folder = directory
        self._head = f"namespace {cookie}"
        self._known: dict[str, Former] = {}
        self._unread = ""
        self._changed = False
        if directory:
            self._read()

    @property
    def find(self) -> Callable[[str], Former | None]:
        """The last known ifindex and MAC, called with the name of an alias; None if unknown."""
        self._parse()
        return self._known.get

    @property
    def kept(self) -> bool:
        """Whether there is a file for them."""
        return bool(self._folder)

    def note(self, name: str, device: Device) -> None:
        """Note the device of an alias."""
        self.note_rows([(name, device.index, device.mac)])

    def note_all(self, aliases: Iterable[Alias], rows: Sequence[Row] = ()) -> None:
        """Note the devices of those of *aliases* that have one, and *rows*."""
        devices = ((alias.name, alias.device) for alias in aliases)
        self.note_rows([*((name, one.index, one.mac) for name, one in devices if one), *rows])

    def note_rows(self, rows: Sequence[Row]) -> None:
        """Note devices by name of the alias, ifindex and MAC."""
        # Thousands that are known already are told by their lines.
        if self._unread and set(map(_line, rows)).issubset(self._unread.split("\n")):
            return
        self._parse()
        for name, index, mac in rows:
            if self._known.get(name) != (index, mac):
                self._known.pop(name, None)  # the newest ones stand last
                self._known[name] = index, mac
                self._changed = True
                if len(self._known) > MOST:
                    del self._known[next(iter(self._known))]

    def save(self) -> None:
        """Write the file if anything has changed. If that fails, the values are lost with this
        process, and a device may come back with another index."""
        if not (self._folder and self._changed):
            return
        known = [*self._known.items()][-MOST:]
        lines = [_line((name, *former)) for name, former in known]
        text = "\n".join([self._head, *lines, ""])
        content = text.encode("utf-8", "surrogateescape")
        try:
            replace_file(self._folder + FILE, content)
        except OSError:
            return
        self._changed = False

    def in_memory(self) -> FormerDevices:
        """A copy without a file."""
        self._parse()
        other = FormerDevices()
        other._known.update(self._known)
        return other

    def _read(self) -> None:
        """Read the file, if it is of this namespace."""
        try:
            text = read_file(self._folder + FILE).decode("utf-8", "surrogateescape")
        except OSError:
            return
        head, _, rest = text.partition("\n")
        self._unread = rest if head == self._head else ""

    def _parse(self) -> None:
        """Take the values from the text that was read; a malformed line is ignored."""
        lines, self._unread = self._unread.split("\n"), ""
        for line in lines:
            words = line.split(" ")
            index = number(words[1]) if len(words) == 3 else -1
            if index > 0 and len(words[2]) == 12:
                try:
                    self._known[words[0]] = index, bytes.fromhex(words[2])
                except ValueError:
                    continue


def _line(row: Row) -> str:
    name, index, mac = row
    return f"{name} {index} {mac.hex()}"
