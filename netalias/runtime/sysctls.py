"""Old values of settings that netalias changed on main devices, in a file beside the lock.

The first line is ``namespace COOKIE``, since a folder may have belonged to a namespace that has
gone; each other one is ``IFINDEX SETTING VALUE``. Without a folder they are kept as long as the
process lives.

A record counts as long as the device has what netalias sets: a run that was refused or killed has
changed nothing, and what somebody else has set since is nobody's to take back.
"""

from __future__ import annotations

from os import (
    O_CLOEXEC,
    O_CREAT,
    O_NOFOLLOW,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    close,
    read,
    replace,
    unlink,
)
from os import open as os_open
from os import write as os_write

from netalias import errors
from netalias.model.names import number
from netalias.plan.sysctls import NEEDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model import Device
    from netalias.plan.sysctls import SysctlChange

FILE = "/settings"
FULL = NEEDED["macvlan"]
"""What netalias sets, by sysctl name: more than what it was."""
SIZE_MAX = 1 << 20


class Settling:
    """Settings that are about to change, and the record of what they were."""

    def __init__(self, settings: list[SysctlChange], kept: SavedSysctls) -> None:
        self.settings = settings
        self._kept = kept
        self._before = kept.values

    def begin(self) -> None:
        """Before the first step. Raises StateError."""
        self._before = {index: dict(old) for index, old in self._kept.values.items()}
        self._kept.keep(self.settings)

    def undone(self) -> None:
        """In place of the last: all is as it was. Raises StateError."""
        self._kept.reset(self._before)

    def end(self, settings: Iterable[SysctlChange] | None = None) -> None:
        """After the last, of all or of those that were done. Raises StateError."""
        self._kept.forget(self.settings if settings is None else settings)


class SavedSysctls:
    """``values``: by ifindex, by sysctl name. *cookie* is that of the namespace, 0 for unknown."""

    def __init__(self, folder: str, cookie: int = 0) -> None:
        self.values: dict[int, dict[str, int]] = {}
        self._folder = folder
        self._head = f"namespace {cookie}" if cookie else ""
        if folder:
            self._read()

    def only(self, present: Mapping[int, Device]) -> None:
        """Forget devices that are gone, and what they do not have any more; the file follows with
        the next change."""
        found = {
            index: {key: old[key] for key in old if getattr(present[index], key) == FULL[key]}
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

    def reset(self, values: dict[int, dict[str, int]]) -> None:
        """Remember just these. Raises StateError where that cannot be written."""
        if values != self.values:
            self.values = values
            self._write()

    def _read(self) -> None:
        """A line that cannot be read is none: a setting is not restored on a guess."""
        try:
            file = os_open(self._folder + FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        except OSError:
            return
        try:
            text = read(file, SIZE_MAX).decode("ascii", "replace")
        except OSError:
            return
        finally:
            close(file)
        if not text.startswith(self._head and f"{self._head}\n"):
            return
        for line in text.split("\n"):
            words = line.split()
            if len(words) == 3:
                index, key, value = number(words[0]), words[1], number(words[2])
                if index >= 0 and 0 <= value < FULL.get(key, 0):
                    self.values.setdefault(index, {})[key] = value

    def _write(self) -> None:
        if not self._folder:
            return
        lines = [
            f"{index} {key} {value}\n"
            for index, old in self.values.items()
            for key, value in old.items()
        ]
        draft = f"{self._folder}{FILE}.new"
        try:
            if not lines:
                _remove(self._folder + FILE)
                return
            file = os_open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
            try:
                head = self._head and f"{self._head}\n"
                _write_all(file, "".join([head, *lines]).encode())
            finally:
                close(file)
            replace(draft, self._folder + FILE)
        except OSError as error:
            raise errors.StateError(
                f"cannot keep the old settings in {self._folder}{FILE}: {error.strerror}"
            ) from None


def _remove(path: str) -> None:
    try:
        unlink(path)
    except FileNotFoundError:
        pass  # somebody has taken it away: that is what is wanted


def _write_all(file: int, data: bytes) -> None:
    """A folder that fills up takes a part first; the next part is refused."""
    while data:
        data = data[os_write(file, data) :]
