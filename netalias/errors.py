"""The exceptions that netalias raises on purpose.

::

    NetaliasError
    ├── UsageError              wrong words; nothing was asked of the kernel
    │   ├── BadName             not a legal alias name
    │   ├── BadAddress          not a legal address, prefix length or MAC
    │   └── DeclarationError    errors in files (desired/declarations.py)
    ├── StateError              right words that the state of the system does not allow
    │   ├── NoSuchDevice        no such main device, or no such alias
    │   ├── MainDown            the main device is down
    │   ├── AlreadyExists       a name or an address is taken
    │   ├── FamilyError         no alias type serves the family
    │   ├── KindError           the kind cannot serve this main device
    │   ├── NotOurs             the object does not carry our mark
    │   │   └── NotAdopted      a label of others is as it is declared
    │   └── LimitError          a length or a number is over its limit
    ├── KernelError             the kernel refused; its own words are kept
    │   ├── NotPermitted        EPERM or EACCES
    │   └── WireError           an unreadable answer
    ├── PacketError             an unreadable frame
    ├── Conflict                another host has the address
    └── LockBusy                another netalias holds the lock of this namespace

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
STATUS_KERNEL = 2
STATUS_DRIFT = 3
"""``check`` found a difference, or ``doctor`` a fault."""
STATUS_NONE = 3
"""``lookup`` found no owner: an answer, and never the status of wrong words."""
STATUS_PERMISSION = 4
STATUS_UNVERIFIED = 5
"""``reconcile`` applied its changes, and the kernel then does not hold what was declared."""
STATUS_CONFLICT = 6
SIGNALLED = 128
"""The sum that shells add to the number of the signal that ended a command."""
STATUS_INTERRUPTED = 130
"""That of SIGINT."""
STATUS_BUG = 70
"""EX_SOFTWARE of sysexits.h."""
STATUS_BUSY = 75
"""EX_TEMPFAIL of sysexits.h."""


class NetaliasError(Exception):
    """Base of all errors; ``str()`` is one line, without the hint."""

    errno = EINVAL
    status = STATUS_KERNEL
    details: Sequence[str] = ()
    """Lines to print before the message."""
    about = ""
    """The kind of fault, without any words of the user; empty for the text of ``errno``."""

    def __init__(self, message: str, hint: str = "", errno: int = 0) -> None:
        super().__init__(message)
        self.hint = hint
        if errno:
            self.errno = errno

    def line(self) -> str:
        """The message and its hint as one line."""
        return f"{self} ({self.hint})" if self.hint else str(self)

    def kind(self) -> str:
        """The kind of fault, without any words of the user."""
        return self.about or strerror(self.errno)


class UsageError(NetaliasError):
    """Wrong words; ``word`` is the index of the first wrong one."""

    status = STATUS_USAGE
    about = "wrong words"
    word = 0


class BadName(UsageError):
    """Not a legal alias name; net_alias answered ENODEV."""

    errno = ENODEV
    about = "not an alias name"


class BadAddress(UsageError):
    """Not a legal address, prefix length or MAC."""

    about = "not an address"


class StateError(NetaliasError):
    """Right words that the state of the system does not allow."""


class NoSuchDevice(StateError):
    """No such main device, or no such alias."""

    errno = ENODEV


class MainDown(StateError):
    """The main device is down (net_alias: EIO)."""

    errno = EIO


class AlreadyExists(StateError):
    """The name or the address is taken."""

    errno = EEXIST
    about = "a name or an address that is taken"


class FamilyError(StateError):
    """No alias type serves the family (net_alias: EINVAL)."""


class KindError(StateError):
    """The kind cannot serve this main device, or cannot grant this wish."""

    errno = EOPNOTSUPP


class NotOurs(StateError):
    """The object does not carry our mark, so netalias leaves it alone."""

    errno = EPERM


class NotAdopted(NotOurs):
    """A label of others has the name and the address that are declared."""


class LimitError(StateError):
    """A length or a number is over its limit."""

    errno = ENAMETOOLONG


class KernelError(NetaliasError):
    """The kernel refused an operation.

    ``operation`` names the request, ``text`` is the kernel's own message
    (NLMSGERR_ATTR_MSG) or empty, ``sequence`` the number of the netlink message.
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
    """A truncated or malformed answer of the kernel."""

    def __init__(self, what: str) -> None:
        super().__init__("netlink answer", EBADMSG, what)


class PacketError(NetaliasError):
    """A frame that is malformed, or of a protocol that is not read."""

    errno = EBADMSG


class Conflict(NetaliasError):
    """EADDRINUSE: another host has the address."""

    errno = EADDRINUSE
    status = STATUS_CONFLICT


class LockBusy(NetaliasError):
    """Another netalias holds the lock of this network namespace."""

    errno = EAGAIN
    status = STATUS_BUSY


def kernel_error(operation: str, errno: int, text: str = "", sequence: int = 0) -> KernelError:
    """The KernelError for *errno* (a positive number)."""
    if errno in (EPERM, EACCES):
        hint = "" if text else "CAP_NET_ADMIN is needed in this network namespace: try sudo"
        return NotPermitted(operation, errno, text, sequence, hint)
    return KernelError(operation, errno, text, sequence)
