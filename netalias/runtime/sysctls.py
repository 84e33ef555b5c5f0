"""Old values of settings that netalias changed on main devices, in a file beside the lock.

The first line is ``namespace COOKIE``, since a folder may have belonged to a namespace that has
gone; each other one is ``IFINDEX SETTING VALUE``. Without a folder they are kept as long as the
process lives.

A record counts as long as the device has what netalias sets: a run that was refused or killed has
changed nothing, and what somebody else has set since is nobody's to take back.
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
    """``values``: the former value by ifindex and sysctl name.

    *full* are the values that netalias sets, each higher than the former one; *directory* is the
    runtime directory, empty for none; *cookie* that of the namespace, 0 for unknown.
    """

    def __init__(self, full: Mapping[str, int], directory: str = "", cookie: int = 0) -> None:
        self.values: Values = {}
        self._full = full
        self._folder = directory
        self._head = f"namespace {cookie}" if cookie else ""
        if directory:
            self._read()

    def only(self, present: Mapping[int, Device]) -> None:
        """Forget devices that are gone, and what they do not have any more; the file follows with
        the next change."""
        found = {
            index: {key: old[key] for key in old if getattr(present[index], key) == self._full[key]}
            for index, old in self.values.items()
            if index in present
        }
        self.values = {index: old for index, old in found.items() if old}

    def keep(self, settings: Iterable[SysctlChange]) -> None:
        """Remember what is about to be changed; what is known already is older, and stays.

        Raises StateError where that cannot be written.
        """
        before = repr(self.values)
        for setting in settings:
            if not setting.restores:
                old = self.values.setdefault(setting.main.index, {})
                for key, value in setting.before.items():
                    old.setdefault(key, value)
        if repr(self.values) != before:
            self._write()

    def revert(self, changes: Iterable[SysctlChange], values: Values) -> None:
        """Forget the record of *changes* that were refused, but for *values*, which are older.

        Raises StateError where it cannot be written.
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

    def forget(self, settings: Iterable[SysctlChange]) -> None:
        """Forget what was restored. Raises StateError where it cannot be written."""
        before = repr(self.values)
        for setting in settings:
            old = self.values.get(setting.main.index, {}) if setting.restores else {}
            for key in setting.after.keys() & old.keys():
                del old[key]
        self.values = {index: old for index, old in self.values.items() if old}
        if repr(self.values) != before:
            self._write()

    def copied(self) -> Values:
        """The values as they are now, for reset()."""
        return {index: dict(old) for index, old in self.values.items()}

    def in_memory(self) -> SavedSysctls:
        """The same values without a file."""
        other = SavedSysctls(self._full)
        other.values = self.copied()
        return other

    def reset(self, values: Values) -> None:
        """Remember just these. Raises StateError where that cannot be written."""
        if values != self.values:
            self.values = values
            self._write()

    def _read(self) -> None:
        """A line that cannot be read is none: a setting is not restored on a guess."""
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
                f"cannot keep the old settings in {path}: {error.strerror}"
            ) from None
