"""Saved sysctls: former values that netalias changed on main devices, in the runtime directory.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``IFINDEX SYSCTL VALUE``. Without a directory the values live
as long as the process.

A value is valid only while the device has the value that netalias sets: otherwise the run that
saved it was refused or killed, or another program has changed the sysctl since.
"""

from __future__ import annotations

from netalias import errors
from netalias.model.names import number
from netalias.runtime import read_file, remove_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model import Device
    from netalias.model.steps import SysctlChange

    Values = dict[int, dict[str, int]]

FILE = "/settings"


class SavedSysctls:
    """The former values: ``values`` by ifindex and name of the sysctl.

    *full* are the values that netalias sets, each higher than the former one; *directory* is the
    runtime directory, empty for none; *cookie* is SO_NETNS_COOKIE of the namespace, 0 if unknown.
    """

    def __init__(self, full: Mapping[str, int], directory: str = "", cookie: int = 0) -> None:
        self.values: Values = {}
        self._full = full
        self._folder = directory
        self._head = f"namespace {cookie}" if cookie else ""
        if directory:
            self._read()

    def only(self, present: Mapping[int, Device]) -> None:
        """Forget devices not in *present*, and sysctls that were changed since; the file is updated
        with the next change."""
        found = {
            index: {key: old[key] for key in old if getattr(present[index], key) == self._full[key]}
            for index, old in self.values.items()
            if index in present
        }
        self.values = {index: old for index, old in found.items() if old}

    def keep(self, changes: Iterable[SysctlChange]) -> None:
        """Save the values before *changes*; a value saved earlier is the original one, and stays.

        Raises StateError if they cannot be written.
        """
        before = repr(self.values)
        for change in changes:
            if not change.restores:
                old = self.values.setdefault(change.main.index, {})
                for key, value in change.before.items():
                    old.setdefault(key, value)
        if repr(self.values) != before:
            self._write()

    def revert(self, changes: Iterable[SysctlChange], values: Values) -> None:
        """Forget the record of *changes* that were refused, but for *values*, which are older.

        Raises StateError if the file cannot be written.
        """
        before = repr(self.values)
        for change in changes:
            index = change.main.index
            known, old = values.get(index, {}), self.values.get(index, {})
            for key in change.before.keys() & old.keys() if not change.restores else ():
                if key not in known:
                    del old[key]
        self.values = {index: old for index, old in self.values.items() if old}
        if repr(self.values) != before:
            self._write()

    def forget(self, changes: Iterable[SysctlChange]) -> None:
        """Forget the values that *changes* have restored. Raises StateError if the file cannot be
        written."""
        before = repr(self.values)
        for change in changes:
            old = self.values.get(change.main.index, {}) if change.restores else {}
            for key in change.after.keys() & old.keys():
                del old[key]
        self.values = {index: old for index, old in self.values.items() if old}
        if repr(self.values) != before:
            self._write()

    def copied(self) -> Values:
        """A copy of the values, for reset()."""
        return {index: dict(old) for index, old in self.values.items()}

    def in_memory(self) -> SavedSysctls:
        """A copy without a file."""
        other = SavedSysctls(self._full)
        other.values = self.copied()
        return other

    def reset(self, values: Values) -> None:
        """Replace all values. Raises StateError if they cannot be written."""
        if values != self.values:
            self.values = values
            self._write()

    def _read(self) -> None:
        """Read the file; a malformed line is ignored, since a sysctl must not be restored to a
        guess."""
        try:
            text = read_file(self._folder + FILE).decode("ascii", "replace")
        except OSError:
            return
        if not text.startswith(self._head and f"{self._head}\n"):
            return
        for line in text.split("\n"):
            words = line.split()
            if len(words) == 3:
                index, key, value = number(words[0]), words[1], number(words[2])
                if index >= 0 and 0 <= value < self._full.get(key, 0):
                    self.values.setdefault(index, {})[key] = value

    def _write(self) -> None:
        if not self._folder:
            return
        lines = [
            f"{index} {key} {value}\n"
            for index, old in self.values.items()
            for key, value in old.items()
        ]
        path = self._folder + FILE
        try:
            if lines:
                head = self._head and f"{self._head}\n"
                replace_file(path, "".join([head, *lines]).encode())
            else:
                remove_file(path)
        except OSError as error:
            raise errors.StateError(
                f"cannot save the former sysctls in {path}: {error.strerror}"
            ) from None
