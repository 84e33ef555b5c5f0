"""The loans of a pool: a record in the runtime directory, one file for each pool.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other line is ``ADDRESS END SECONDS ALIAS CLIENT``, with - for no alias and
nothing for no client. A later line of an address replaces an earlier one: what changes is appended
by one write(2), so a run that is killed has either noted it or not. END is in seconds since boot
(model/loans.py); 0 for a loan that was given back, which still tells who had the address.
"""

from __future__ import annotations

import os
from _socket import inet_ntop, inet_pton
from errno import EFBIG, ENOSPC
from time import CLOCK_BOOTTIME, clock_gettime

from netalias import errors
from netalias.model import AF_INET, AF_INET6
from netalias.model.loans import Loan, Loans
from netalias.model.names import number
from netalias.runtime import NOFOLLOW, check_regular, opened_folder, replace_file

PREFIX, SUFFIX = "pool-", ".loans"
CHUNK = 1 << 20
SIZE_MAX = 64 << 20
"""Bytes of a record that are read at most: half a million loans."""
SPARE = 64
"""Lines beyond twice the number of addresses from which on the file is written anew."""
NO_ALIAS = "-"


def now() -> float:
    """The time of loans: seconds since boot, suspended time included."""
    return clock_gettime(CLOCK_BOOTTIME)


class Record:
    """The loans of the pool *name*, whose addresses have *size* bytes, in *folder*; without a
    folder they live as long as the process. *cookie* is SO_NETNS_COOKIE of the namespace.

    Who changes it holds the lock. Raises StateError where the file cannot be read.
    """

    def __init__(self, folder: str, name: str, size: int, cookie: int) -> None:
        self._folder = folder
        self._name = f"{PREFIX}{name}{SUFFIX}"
        self._head = f"namespace {cookie}"
        self._family = AF_INET if size == 4 else AF_INET6
        self._size = size
        self._file = -1
        self._lines = 0
        self._whole = False
        self.loans = Loans()
        if folder:
            self._read()

    @property
    def path(self) -> str:
        """The path of the file."""
        return f"{self._folder}/{self._name}"

    def note(self, loan: Loan) -> None:
        """Note a loan, in the file first. Raises StateError if it cannot be written; then nothing
        has changed."""
        if self._folder:
            try:
                self._write(loan)
            except OSError as error:
                raise errors.StateError(
                    f"cannot note the loan in {self.path}: {error.strerror}"
                ) from None
        self.loans.put(loan)

    def detach(self) -> None:
        """Change the file no more: what is noted from now on is noted in memory."""
        self.close()
        self._folder = ""

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, loan: Loan) -> None:
        many = self._lines > 2 * len(self.loans.by_address) + SPARE
        if many or not self._whole:
            self._replace(loan)
            return
        if self._file < 0:
            self._file = self._opened(os.O_WRONLY | os.O_APPEND)
        line = self._line(loan)
        written = os.write(self._file, line)
        if written < len(line):  # the file system is full
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        self._lines += 1

    def _replace(self, loan: Loan) -> None:
        """Write the file anew, with *loan*. Ended loans of nobody tell nothing."""
        known = self.loans.by_address | {loan.address: loan}
        kept = [one for one in known.values() if one.client or one.end]
        lines = [f"{self._head}\n".encode(), *map(self._line, kept)]
        replace_file(self.path, b"".join(lines))
        self.close()
        self._lines, self._whole = len(kept), True

    def _line(self, loan: Loan) -> bytes:
        text = inet_ntop(self._family, loan.address.to_bytes(self._size, "big"))
        alias = loan.alias or NO_ALIAS
        # Rounded down: a loan that ends later than its length from now is one of a former boot.
        end = int(100 * loan.end) / 100
        line = f"{text} {end:.2f} {loan.length} {alias} {loan.client}\n"
        return line.encode("utf-8", "surrogateescape")

    def _opened(self, flags: int) -> int:
        home = opened_folder(self._folder)
        try:
            file = os.open(self._name, flags | os.O_NONBLOCK | NOFOLLOW, dir_fd=home)
        finally:
            os.close(home)
        try:
            check_regular(file, self.path)
        except BaseException:
            os.close(file)
            raise
        return file

    def _read(self) -> None:
        """Read the file. What a killed run or a full file system has left of a line, and a file of
        another namespace, is not believed, and written anew by the next note."""
        try:
            content = self._content()
        except FileNotFoundError:
            return
        except OSError as error:
            raise errors.StateError(f"{self.path}: {error.strerror}") from None
        head, *lines = content.decode("utf-8", "surrogateescape").split("\n")
        if head != self._head or not lines:
            return
        self._whole = lines.pop() == ""
        self._lines = len(lines)
        for line in lines:
            loan = self._parsed(line)
            if loan is None:
                self._whole = False
            else:
                self.loans.put(loan)

    def _content(self) -> bytes:
        chunks = []
        file = self._opened(os.O_RDONLY)
        try:
            while chunk := os.read(file, CHUNK):
                chunks.append(chunk)
                if len(chunks) > SIZE_MAX // CHUNK:
                    raise OSError(EFBIG, os.strerror(EFBIG))
        finally:
            os.close(file)
        return b"".join(chunks)

    def _parsed(self, line: str) -> Loan | None:
        """The loan of a line; None if it is malformed, or of an address of another family."""
        words = line.split(" ", 4)
        if len(words) != 5:
            return None
        text, end, length, alias, client = words
        whole, _, part = end.partition(".")
        times = number(whole, 12), number(part, 2), number(length)
        try:
            packed = inet_pton(self._family, text)
        except (OSError, ValueError):
            return None
        if min(times) < 0:
            return None
        address = int.from_bytes(packed, "big")
        seconds = times[0] + times[1] / 100
        return Loan(address, client, seconds, times[2], "" if alias == NO_ALIAS else alias)


def names(folder: str) -> list[str]:
    """The names of the pools that have a record in *folder*."""
    try:
        found = os.listdir(folder)
    except OSError:
        return []
    return sorted(
        one[len(PREFIX) : -len(SUFFIX)]
        for one in found
        if one.startswith(PREFIX) and one.endswith(SUFFIX)
    )
