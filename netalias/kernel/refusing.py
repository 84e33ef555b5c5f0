"""The error for a step that the kernel has refused."""

from __future__ import annotations

from errno import EACCES, EADDRNOTAVAIL

from netalias import errors
from netalias.model import AF_INET6
from netalias.model.steps import AddAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model.steps import Step


def refused(step: Step, errno: int, text: str = "", sequence: int = 0) -> errors.KernelError:
    """The error for a step that the kernel answered with *errno*."""
    from netalias.model.commands import title

    if errno == EACCES and isinstance(step, AddAddress) and step.address.family == AF_INET6:
        # inet6_addr_add; the missing right is EPERM
        why = text or "IPv6 is disabled on this device"
        # A device that was only just made has it from the default.
        key = ["net", "ipv6", "conf", step.device if step.index else "default", "disable_ipv6"]
        hint = f"sysctl -w {('/' if '.' in step.device else '.').join(key)}=0"
        return errors.KernelError(title(step), errno, why, sequence, hint)
    if errno == step.missing:
        return errors.KernelError(title(step), EADDRNOTAVAIL, "it is not there", sequence)
    error = errors.kernel_error(title(step), errno, text, sequence)
    error.hint = error.hint or step.hints.get(errno, "")
    return error
