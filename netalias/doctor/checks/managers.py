"""Checks of other managers: systemd-networkd and NetworkManager, known by files in /run."""

from __future__ import annotations

from os import path

from netalias.doctor.finding import ERROR, WARNING, Finding, netalias
from netalias.doctor.finding import listed as join
from netalias.doctor.foreign import NETWORKD, NETWORKS, NM, NM_CONF
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Device


def managed_alias(facts: Facts) -> Iterator[Finding]:
    """Another manager manages the device of an alias, and does not know its address."""
    for alias in facts.aliases:
        if alias.device is None or not alias.ours:
            continue
        manager = facts.managers.get(alias.device.index)
        if manager is not None:
            by = f" by {path.basename(manager.file)}" if manager.file else ""
            yield Finding(
                ERROR,
                f"{alias.name}: {manager.name} manages {alias.device.name}{by}",
                "it removes addresses that it has not configured",
                LEAVE[manager.name](facts.root, alias.device),
                main=alias.name.main,
                alias=str(alias.name),
                device=alias.device.name,
            )


def _leave_networkd(root: str, device: Device) -> str:
    file = quoted(f"{root}{NETWORKS}/05-netalias-{device.name}.network")
    text = r"'[Match]\nName=%s\n[Link]\nUnmanaged=yes\n'"
    return f"printf {text} {quoted(device.name)} > {file} && networkctl reload"


def _leave_nm(root: str, device: Device) -> str:
    file = quoted(f"{root}{NM_CONF}/90-netalias-{device.name}.conf")
    text = r"'[keyfile]\nunmanaged-devices+=interface-name:%s\n'"
    return f"printf {text} {quoted(device.name)} > {file} && nmcli general reload conf"


LEAVE = {NETWORKD: _leave_networkd, NM: _leave_nm}
"""Manager: the function for the command that makes it ignore a device."""


def managed_main(facts: Facts) -> Iterator[Finding]:
    """Another manager manages a main device with labels, and removes foreign addresses.

    It does so at its next reconfiguration; alias devices stay.
    """
    for main in facts.mains:
        manager = facts.managers.get(main.index)
        labels = [one for one in facts.on(main) if one.device is None and one.ours]
        if manager is None or manager.keeps or not labels:
            continue
        yield Finding(
            WARNING,
            f"{main.name}: {manager.name} may remove {join([str(one.name) for one in labels])}",
            f"it manages {main.name} and removes addresses that it has not configured",
            _keep_networkd(facts.root, manager.file)
            if manager.name == NETWORKD and manager.file
            else " && ".join(netalias(one.name, "kind macvlan") for one in labels),
            main=main.name,
            device=main.name,
        )


def _keep_networkd(root: str, file: str) -> str:
    folder = quoted(f"{root}{NETWORKS}/{path.basename(file)}.d")
    text = r"'[Network]\nKeepConfiguration=yes\n'"
    return f"mkdir -p {folder} && printf {text} > {folder}/netalias.conf && networkctl reload"
