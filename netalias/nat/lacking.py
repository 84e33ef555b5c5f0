"""The common part of the two protocols of netfilter, and the sentence for a kernel without one."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP, EPROTONOSUPPORT

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

NETLINK_NETFILTER = 12
"""linux/netlink.h."""
ABSENT = (EINVAL, EOPNOTSUPP, EPROTONOSUPPORT)
"""The answers of socket(2) for a protocol that the kernel does not have, and of nfnetlink for such
a subsystem (nfnetlink_rcv_msg of net/netfilter/nfnetlink.c): it has tried to load the module."""


def lacking(what: str) -> errors.StateError:
    """The error for a kernel without *what*."""
    return errors.StateError(
        f"no address can be translated: this kernel has no {what}", errno=EOPNOTSUPP
    )


def probed(what: str, ask: Callable[..., T], *words: Any) -> T:
    """The result of *ask* with these words. Raises StateError where its answer tells that the
    kernel lacks *what*."""
    try:
        return ask(*words)
    except errors.KernelError as error:
        if error.errno in ABSENT:
            raise lacking(what) from None
        raise
