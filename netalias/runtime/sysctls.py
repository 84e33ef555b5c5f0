"""Saved sysctls: former values that netalias changed on main devices, in the runtime directory.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``IFINDEX SYSCTL VALUE DEVICE MAC KIND``, where MAC and KIND
may be ``-``. Version 0.4 did not write the device. Without a directory the values live as long as
the process.

While a change is under way the record is BEGUN, and the former one is out of force. A run that is
killed leaves it: then nobody knows which of the values still have to be restored
(engine/settling.py).

A value is valid only while the same device has the value that netalias sets: otherwise the run that
saved it was refused or killed, or somebody has changed the sysctl or made the device again since.
"""

from __future__ import annotations

from netalias import errors
from netalias.model.names import number
from netalias.runtime import (
    BEGUN,
    SYSCTLS,
    read_file,
    remove_file,
    rename_file,
    replace_file,
    unsettled,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from netalias.model import Device

    Values = dict[int, dict[str, int]]
    Identity = tuple[str, str, str]
    """Name, MAC in hexadecimal, and kind of a device."""

FOLLOWING = ("bond", "bridge", "team")
"""Kinds of devices whose MAC follows those of their ports."""
NONE = "-"


class SavedSysctls:
    """The former values: ``values`` by ifindex and name of the sysctl.

    ``settled``: no change is under way, nor was a run killed during one. *full* are the values that
    netalias sets, each higher than the former one; *directory* is the runtime directory, empty for
    none; *cookie* is SO_NETNS_COOKIE of the namespace, 0 if unknown.
    """

    def __init__(self, full: Mapping[str, int], directory: str = "", cookie: int = 0) -> None:
        self.values: Values = {}
        self.settled = True
        self._devices: dict[int, Identity] = {}
        self._full = full
        self._folder = directory
        self._cookie = cookie
        self._begun = b""
        self._record = directory
        if directory:
            self._read()

    def prune(
        self, present: Mapping[int, Device], proven: Collection[int] = (), *, write: bool = False
    ) -> None:
        """Forget devices that are not in *present* or not the same ones, and sysctls that were
        changed since.

        *proven* are the indexes of devices that are known to be the same. Raises StateError if
        *write*, which asks for the file to be updated, and that fails.
        """
        before, self.values = self.values, {}
        for index, old in before.items():
            device = present.get(index)
            if device is None or not (index in proven or self._is(device)):
                continue
            self._devices[index] = _identity(device)
            left = {key: old[key] for key in old if getattr(device, key) == self._full[key]}
            if left:
                self.values[index] = left
        self._narrow()
        if write and self.values != before:
            self._write()

    def raised(self, device: Device) -> dict[str, int]:
        """The saved values of those sysctls of a device that still have the value that was set."""
        old = self.values.get(device.index)
        if not old or not self._is(device):
            return {}
        return {key: old[key] for key in old if getattr(device, key) == self._full[key]}

    def begin(self, changes: Iterable[tuple[Device, Mapping[str, int]]]) -> None:
        """Save the values before *changes*: devices, each with its present values; a value saved
        earlier is the original one, and stays. The record is not settled until end().

        Raises StateError if it cannot be written.
        """
        for device, values in changes:
            self._devices[device.index] = _identity(device)
            old = self.values.setdefault(device.index, {})
            for key, value in values.items():
                old.setdefault(key, value)
        self.settled = False
        self._write()

    def end(self, restored: Iterable[tuple[int, Iterable[str]]], *, settled: bool = True) -> None:
        """Forget the values that are *restored*: ifindexes and names of sysctls.

        Raises StateError if the file cannot be written.
        """
        for index, keys in restored:
            self.drop(index, keys)
        self.settled = settled
        self._write()

    def drop(self, index: int, keys: Iterable[str]) -> None:
        """Forget values of a device; the file is updated with the next change."""
        for key in keys:
            self.values.get(index, {}).pop(key, None)

    def in_memory(self) -> SavedSysctls:
        """A copy without a file."""
        other = SavedSysctls(self._full)
        other.values = {index: dict(old) for index, old in self.values.items()}
        other._devices = dict(self._devices)
        other._record, other._cookie = self._record, self._cookie
        return other

    def keeping(self) -> Collection[str]:
        """The names of the devices whose former addresses are kept (kept.py)."""
        from netalias.runtime.kept import read

        return read(self._record, self._cookie)

    def _narrow(self) -> None:
        """Forget devices without values: a watcher meets new ones for months."""
        known = self._devices
        self._devices = {index: known[index] for index in self.values if index in known}

    def _is(self, device: Device) -> bool:
        """Whether a device with the ifindex of a saved one is that device, as far as can be told.

        An index can be given again. A device may be renamed, or get another MAC, but a device that
        was made again rarely has both. Version 0.4 has not noted the device.
        """
        known = self._devices.get(device.index)
        if known is None:
            return True
        (name, mac, kind), now = known, _identity(device)
        if kind != now[2]:
            return False
        if mac == now[1] != NONE:
            return True
        return name == now[0] and (mac == now[1] or kind in FOLLOWING)

    def _read(self) -> None:
        """Read the file; a malformed line is ignored, since a sysctl must not be restored to a
        guess."""
        self.settled = not unsettled(self._folder)
        path = self._folder + (SYSCTLS if self.settled else BEGUN)
        try:
            text = read_file(path).decode("utf-8", "surrogateescape")
        except OSError:
            return
        if self._cookie and not text.startswith(f"namespace {self._cookie}\n"):
            return
        for line in text.split("\n"):
            words = line.split(" ")
            index = number(words[0])
            if len(words) in (3, 6) and index >= 0:
                key, value = words[1], number(words[2])
                if 0 <= value < self._full.get(key, 0):
                    self.values.setdefault(index, {})[key] = value
                    if len(words) == 6:
                        self._devices[index] = words[3], words[4], words[5]

    def _write(self) -> None:
        self.values = {index: old for index, old in self.values.items() if old}
        self._narrow()
        if not self._folder:
            return
        path = self._folder + (SYSCTLS if self.settled else BEGUN)
        try:
            self._replace(path)
        except OSError as error:
            raise errors.StateError(
                f"cannot save the former sysctls in {path}: {error.strerror}"
            ) from None

    def _replace(self, path: str) -> None:
        """Replace the file of a state, and remove that of the other if it was BEGUN."""
        content, begun = self._content(), self._folder + BEGUN
        if not self.settled:
            replace_file(path, content)
            self._begun = content
        elif self.values and content == self._begun:
            rename_file(begun, SYSCTLS[1:])
        else:
            if self.values:
                replace_file(path, content)
            else:
                remove_file(path)
            remove_file(begun)

    def _content(self) -> bytes:
        lines = [f"namespace {self._cookie}\n"]
        for index, old in self.values.items():
            device = " ".join(self._devices.get(index, ()))
            lines += [
                f"{index} {key} {value} {device}".rstrip() + "\n" for key, value in old.items()
            ]
        return "".join(lines).encode("utf-8", "surrogateescape")


def _identity(device: Device) -> Identity:
    mac = device.mac.hex() if any(device.mac) else NONE
    return device.name, mac, device.kind or NONE
