"""Other managers: systemd-networkd and NetworkManager, by the files that they leave in /run.

networkd: links/INDEX of sd-network (ADMIN_STATE, NETWORK_FILE). NetworkManager: devices/INDEX, a
keyfile (managed).
"""

from __future__ import annotations

from os import listdir, path, strerror
from shlex import quote

from netalias.doctor.finding import ERROR, WARNING, Finding
from netalias.doctor.finding import listed as join
from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.doctor.facts import Reading
    from netalias.model import Device

NETWORKD = "systemd-networkd"
NM = "NetworkManager"
LINKS = "/run/systemd/netif/links"
DEVICES = "/run/NetworkManager/devices"
NETWORKS = "/etc/systemd/network"
NM_CONF = "/etc/NetworkManager/conf.d"
MANAGED = ("configured", "configuring", "pending", "degraded")
"""States of a link that networkd configures (ADMIN_STATE)."""
DROPINS = (NETWORKS, "/run/systemd/network", "/usr/lib/systemd/network")
KEEPING = ("yes", "true", "1", "on", "static")
"""KeepConfiguration= that leaves the addresses of others alone (systemd.network(5))."""


class Manager(Value):
    """Who manages a device; by which ``file``, and whether that ``keeps`` addresses of others."""

    __slots__ = ("file", "keeps", "name")

    def __init__(self, name: str, file: str = "", keeps: bool = False) -> None:
        self.name = name
        self.file = file
        self.keeps = keeps


def read(root: str, indexes: Sequence[int], unseen: list[str]) -> dict[int, Manager]:
    """Who manages the devices of these indexes; what cannot be read is told to *unseen*."""
    found: dict[int, Manager] = {}
    for index in indexes:
        for folder, reader in ((LINKS, _networkd), (DEVICES, _networkmanager)):
            file = f"{root}{folder}/{index}"
            try:
                with open(file, encoding="utf-8", errors="replace") as opened:
                    manager = reader(root, _pairs(opened.read()))
            except FileNotFoundError:
                continue
            except OSError as error:
                unseen.append(f"{file}: {strerror(error.errno or 0)}")
                continue
            if manager is not None:
                found[index] = manager
    return found


def _pairs(text: str) -> dict[str, str]:
    """``KEY=VALUE`` lines; of equal keys the last one counts."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _networkd(root: str, state: dict[str, str]) -> Manager | None:
    if state.get("ADMIN_STATE") not in MANAGED:
        return None
    file = state.get("NETWORK_FILE", "")
    return Manager(NETWORKD, file, _keeps(root, file))


def _networkmanager(root: str, state: dict[str, str]) -> Manager | None:
    return Manager(NM) if state.get("managed") in ("true", "1") else None


def _keeps(root: str, file: str) -> bool:
    """Whether a .network file or one of its drop-ins keeps what others have configured."""
    base = path.basename(file)
    found = ""
    files = [root + file] if file else []
    for folder in reversed(DROPINS) if base else ():
        dropins = f"{root}{folder}/{base}.d"
        if path.isdir(dropins):
            files += [f"{dropins}/{one}" for one in sorted(listdir(dropins)) if one[-5:] == ".conf"]
    for one in files:
        try:
            with open(one, encoding="utf-8", errors="replace") as opened:
                found = _pairs(opened.read()).get("KeepConfiguration", found)
        except OSError:
            continue
    return found.lower() in KEEPING


def managed_alias(reading: Reading) -> Iterator[Finding]:
    """The device of an alias is managed: its address is not one that the manager knows."""
    for alias in reading.aliases:
        if alias.device is None or not alias.ours:
            continue
        manager = reading.managers.get(alias.device.index)
        if manager is not None:
            by = f" by {path.basename(manager.file)}" if manager.file else ""
            yield Finding(
                ERROR,
                f"{alias.name}: {manager.name} manages {alias.device.name}{by}",
                "it removes addresses that it has not configured",
                LEAVE[manager.name](reading.root, alias.device),
                main=alias.name.main,
                alias=str(alias.name),
                device=alias.device.name,
            )


def _leave_networkd(root: str, device: Device) -> str:
    file = quote(f"{root}{NETWORKS}/05-netalias-{device.name}.network")
    text = r"'[Match]\nName=%s\n[Link]\nUnmanaged=yes\n'"
    return f"printf {text} {quote(device.name)} > {file} && networkctl reload"


def _leave_nm(root: str, device: Device) -> str:
    file = quote(f"{root}{NM_CONF}/90-netalias-{device.name}.conf")
    text = r"'[keyfile]\nunmanaged-devices+=interface-name:%s\n'"
    return f"printf {text} {quote(device.name)} > {file} && nmcli general reload conf"


LEAVE = {NETWORKD: _leave_networkd, NM: _leave_nm}
"""By manager: the command that makes it leave a device alone."""


def managed_main(reading: Reading) -> Iterator[Finding]:
    """A main device is managed, and labels stand on it: addresses of others go with the next
    reconfiguration. Alias devices stay."""
    for main in reading.mains:
        manager = reading.managers.get(main.index)
        labels = [one for one in reading.on(main) if one.device is None and one.ours]
        if manager is None or manager.keeps or not labels:
            continue
        yield Finding(
            WARNING,
            f"{main.name}: {manager.name} may remove {join([str(one.name) for one in labels])}",
            f"it manages {main.name} and removes addresses that it has not configured",
            _keep_networkd(reading.root, manager.file)
            if manager.name == NETWORKD and manager.file
            else " && ".join(f"netalias {quote(str(one.name))} kind macvlan" for one in labels),
            main=main.name,
            device=main.name,
        )


def _keep_networkd(root: str, file: str) -> str:
    folder = quote(f"{root}{NETWORKS}/{path.basename(file)}.d")
    text = r"'[Network]\nKeepConfiguration=yes\n'"
    return f"mkdir -p {folder} && printf {text} > {folder}/netalias.conf && networkctl reload"
