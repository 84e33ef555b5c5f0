"""Devices of aliases that somebody has renamed: by their altname and record they are ours, and by
their primary name they are his. They are told, and left alone."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import KINDS, RECORD, UNLINKED
from netalias.model import names
from netalias.model.shell import link
from netalias.observed.remnants import is_marked

CREATES = "an address creates it"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.model import Device
    from netalias.model.names import AliasName
    from netalias.observed import Observed


def misnamed(observed: Observed) -> Iterator[tuple[Device, AliasName]]:
    """Such devices, each with the name of its alias."""
    for device in observed.snapshot.devices.values():
        name = former_alias(device, observed)
        if name is not None:
            yield device, name


def former_alias(device: Device, observed: Observed) -> AliasName | None:
    """The alias that a renamed device belongs to; None for any other device. Its altname, record
    and main device have to say the same."""
    if not is_marked(device.group, observed.group) or device.kind not in KINDS:
        return None
    if names.agree(device.name, device.altnames, device.ifalias):
        return None
    said = [one for one in map(names.split, device.altnames) if one is not None]
    words = device.ifalias.split(None, 2)
    if len(said) != 1 or words[:2] != [RECORD, str(said[0])]:
        return None
    main = observed.snapshot.device(said[0].main)
    stands = device.kind in UNLINKED or device.link == main.index if main is not None else False
    return said[0] if stands else None


def absent(name: AliasName, observed: Observed) -> errors.NoSuchDevice:
    """The error for an alias that is not there, or whose device somebody has renamed."""
    device = next((device for device, former in misnamed(observed) if former == name), None)
    if device is None:
        return errors.NoSuchDevice(f"{name}: there is no such alias", CREATES)
    return errors.NoSuchDevice(renamed(name, device), rename(device, name))


def renamed(name: AliasName, device: Device) -> str:
    """The sentence about such a device."""
    return f"{name}: somebody has renamed its device to {device.name}, so it is left alone"


def rename(device: Device, name: AliasName) -> str:
    """The command that gives the device of an alias its name back. Before Linux 6.2 a device is
    renamed only while it is down."""
    old, new = link(device.name), link(names.primary(name))
    if not device.up:
        return f"ip link set {old} name {new}"
    return f"ip link set {old} down && ip link set {old} name {new} && netalias {name} up"
