"""Everything netalias raises on purpose.

::

    NetaliasError
    ├── UsageError              the words are wrong; nothing was asked of the kernel
    │   ├── BadName             not a legal alias name
    │   ├── BadAddress          not a legal address, prefix length or MAC
    │   └── DeclarationError    errors in files (declarations.py)
    ├── StateError              the words are right, the world does not allow it
    │   ├── NoSuchDevice        no such main device, or no such alias
    │   ├── MainDown            the main device is down
    │   ├── AlreadyExists       a name or an address is taken by somebody else
    │   ├── FamilyError         no alias type serves the family
    │   ├── KindError           the kind cannot serve this main device
    │   ├── NotOurs             the object does not carry our mark
    │   └── LimitError          a length or a number is over its limit
    ├── KernelError             the kernel said no; its own words are kept
    │   ├── NotPermitted        EPERM or EACCES
    │   └── WireError           an answer that cannot be read
    ├── PacketError             a frame from the wire that cannot be read
    ├── Conflict                another host has the address
    └── LockBusy                another run holds the lock of this namespace

Each error has ``errno`` (the historical code where NET_ALIAS had one),
``status`` (the exit status) and, where there is a remedy, ``hint``.
"""

from __future__ import annotations

from errno import (
    EACCES,
    EADDRINUSE,
    EAGAIN,
    EBADMSG,
    EEXIST,
    EINVAL,
    EIO,
    ENAMETOOLONG,
    ENODEV,
    EOPNOTSUPP,
    EPERM,
)
from os import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

STATUS_OK = 0
STATUS_USAGE = 1
STATUS_NONE = 1
"""``lookup`` found no owner: the same number as a usage error, as grep(1) has it."""
STATUS_KERNEL = 2
STATUS_DRIFT = 3
"""``check`` found a difference, or ``doctor`` something wrong."""
STATUS_PERMISSION = 4
STATUS_UNVERIFIED = 5
"""``reconcile`` was done, and the second reading is not what was declared."""
STATUS_CONFLICT = 6
STATUS_INTERRUPTED = 130
"""128 and the number of SIGINT, as the shells count."""
STATUS_BUG = 70
"""EX_SOFTWARE of sysexits.h."""
STATUS_BUSY = 75
"""EX_TEMPFAIL of sysexits.h."""


class NetaliasError(Exception):
    """Base of all; ``str()`` is one line without the hint."""

    errno = EINVAL
    status = STATUS_KERNEL
    details: Sequence[str] = ()
    """Lines that are said before it."""

    def __init__(self, message: str, hint: str = "", errno: int = 0) -> None:
        super().__init__(message)
        self.hint = hint
        if errno:
            self.errno = errno

    def line(self) -> str:
        """The message and its hint as one line."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class UsageError(NetaliasError):
    """The words are wrong; ``word`` is the index of the wrong one."""

    status = STATUS_USAGE
    word = 0


class BadName(UsageError):
    """Not a legal alias name; history answered ENODEV."""

    errno = ENODEV


class BadAddress(UsageError):
    """Not a legal address, prefix length or MAC."""


class StateError(NetaliasError):
    """The world does not allow it."""


class NoSuchDevice(StateError):
    """No such main device, or no such alias."""

    errno = ENODEV


class MainDown(StateError):
    """The main device is down (net_alias: EIO)."""

    errno = EIO


class AlreadyExists(StateError):
    """The name or the address belongs to somebody else."""

    errno = EEXIST


class FamilyError(StateError):
    """No alias type serves the family (net_alias: EINVAL)."""


class KindError(StateError):
    """The kind cannot serve this main device or this wish."""

    errno = EOPNOTSUPP


class NotOurs(StateError):
    """The object does not carry our mark, so it is left alone."""

    errno = EPERM


class LimitError(StateError):
    """A length or a number is over its limit."""

    errno = ENAMETOOLONG


class KernelError(NetaliasError):
    """The kernel refused an operation.

    ``operation`` is what was asked, ``text`` the extended acknowledgement
    (NLMSGERR_ATTR_MSG) or empty, ``sequence`` the number of the message.
    """

    def __init__(
        self, operation: str, errno: int, text: str = "", sequence: int = 0, hint: str = ""
    ) -> None:
        words = f"{strerror(errno)}: {text}" if text else strerror(errno)
        super().__init__(f"{operation}: {words}", hint, errno)
        self.operation = operation
        self.text = text
        self.sequence = sequence


class NotPermitted(KernelError):
    """EPERM or EACCES: the caller lacks CAP_NET_ADMIN in this namespace."""

    status = STATUS_PERMISSION


class WireError(KernelError):
    """An answer of the kernel that cannot be read: truncated or malformed."""

    def __init__(self, what: str) -> None:
        super().__init__("netlink answer", EBADMSG, what)


class PacketError(NetaliasError):
    """A frame from the wire that is malformed, or of no concern."""

    errno = EBADMSG


class Conflict(NetaliasError):
    """EADDRINUSE: another host has the address."""

    errno = EADDRINUSE
    status = STATUS_CONFLICT


class LockBusy(NetaliasError):
    """Another run holds the lock of this network namespace."""

    errno = EAGAIN
    status = STATUS_BUSY


def kernel_error(operation: str, errno: int, text: str = "", sequence: int = 0) -> KernelError:
    """The KernelError for *errno* (a positive number)."""
    if errno in (EPERM, EACCES):
        hint = "" if text else "CAP_NET_ADMIN is needed in this network namespace: try sudo"
        return NotPermitted(operation, errno, text, sequence, hint)
    return KernelError(operation, errno, text, sequence)
