"""Reasons for which an alias is left as it is: its main device is down, or a session uses it."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.observed import Observed


def main_down(name: AliasName, main: Device) -> errors.MainDown:
    """The error for a main device that is down, as in Linux 2.0 (EIO)."""
    return errors.MainDown(
        f"{name}: main device {main.name} is down", f"ip link set {main.name} up, or --force"
    )


def has(alias: Alias, packed: bytes, observed: Observed) -> bool:
    """Whether *alias* has this address."""
    if alias.kind == PREFIX:
        from netalias.plan.prefixes import contains

        return contains(alias, packed)
    if alias.whole or alias.device is None:
        return alias.address == packed
    return any(entry.local == packed for entry in observed.snapshot.on(alias.device.index))


def session_lost(name: AliasName) -> errors.StateError:
    """The error for an alias whose address this SSH session uses."""
    return errors.StateError(
        f"{name}: this SSH session comes in over its address", "--force changes it all the same"
    )
