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
    from collections.abc import Iterable

    from netalias.model import Alias, Device

    Former = tuple[int, bytes]

FILE = "/devices"
MOST = 20000
"""Number of devices in the file at most, those noted last: it has to be read in one piece."""


class FormerDevices:
    """The last known ifindex and MAC by the name of the alias: ``find``, None if unknown.

    *directory* is the runtime directory, empty for none; *cookie* is SO_NETNS_COOKIE of the
    namespace, 0 if unknown.
    """

    def __init__(self, directory: str = "", cookie: int = 0) -> None:
        self._folder = directory
        self._head = f"namespace {cookie}"
        self._known: dict[str, Former] = {}
        self.find = self._known.get
        self._changed = False
        if directory:
            self._read()

    @property
    def kept(self) -> bool:
        """Whether there is a file for them."""
        return bool(self._folder)

    def note(self, name: str, device: Device) -> None:
        """Note the device of an alias."""
        former = device.index, device.mac
        if self._known.get(name) != former:
            self._known.pop(name, None)  # the newest ones stand last
            self._known[name] = former
            self._changed = True
            if len(self._known) > MOST:
                del self._known[next(iter(self._known))]

    def note_all(self, aliases: Iterable[Alias]) -> None:
        """Note the devices of those of *aliases* that have one."""
        for alias in aliases:
            if alias.device is not None:
                self.note(alias.name, alias.device)

    def save(self) -> None:
        """Write the file if anything has changed. If that fails, the values are lost with this
        process, and a device may come back with another index."""
        if not (self._folder and self._changed):
            return
        known = [*self._known.items()][-MOST:]
        lines = [f"{name} {index} {mac.hex()}\n" for name, (index, mac) in known]
        content = f"{self._head}\n{''.join(lines)}".encode("utf-8", "surrogateescape")
        try:
            replace_file(self._folder + FILE, content)
        except OSError:
            return
        self._changed = False

    def in_memory(self) -> FormerDevices:
        """A copy without a file."""
        other = FormerDevices()
        other._known.update(self._known)
        return other

    def _read(self) -> None:
        """Read the file; a malformed line is ignored."""
        try:
            text = read_file(self._folder + FILE).decode("utf-8", "surrogateescape")
        except OSError:
            return
        head, _, rest = text.partition("\n")
        if head != self._head:
            return
        for line in rest.split("\n"):
            words = line.split(" ")
            index = number(words[1]) if len(words) == 3 else -1
            if index > 0 and len(words[2]) == 12:
                try:
                    self._known[words[0]] = index, bytes.fromhex(words[2])
                except ValueError:
                    continue
