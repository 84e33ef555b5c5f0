"""Parsers for texts of other programs: iptables-save(8), networkd and NetworkManager.

Both managers keep a file for each device index in /run: networkd in links/INDEX (ADMIN_STATE,
NETWORK_FILE), NetworkManager in devices/INDEX, a keyfile (managed).
"""

from __future__ import annotations

from itertools import pairwise
from os import listdir, path, strerror

from netalias.model import Value
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


XTABLES = "iptables"
"""Word in place of a family for a table of legacy iptables."""
OPTIONS = ("-i", "--in-interface", "-o", "--out-interface")
"""Options of iptables(8) whose argument is the name of a device."""

NETWORKD = "systemd-networkd"
NM = "NetworkManager"
LINKS = "/run/systemd/netif/links"
DEVICES = "/run/NetworkManager/devices"
NETWORKS = "/etc/systemd/network"
NM_CONF = "/etc/NetworkManager/conf.d"
MANAGED = ("configured", "configuring", "pending", "degraded")
"""Values of ADMIN_STATE for a link that networkd configures."""
DROPINS = (NETWORKS, "/run/systemd/network", "/usr/lib/systemd/network")
KEEPING = ("yes", "true", "1", "on", "static")
"""Values of KeepConfiguration= that keep foreign addresses (systemd.network(5))."""


def device_names(saved: str) -> set[tuple[str, str, str]]:
    """XTABLES, table and device name of each rule that names an alias, from iptables-save(8).

    The output of iptables-nft gives none: its tables are nftables, which the kernel lists.
    """
    found: set[tuple[str, str, str]] = set()
    table = ""
    for line in saved.splitlines():
        if line.startswith("# Generated") and "nf_tables" in line:
            return set()
        if line.startswith("*"):
            table = line[1:]
        words = line.split()
        for option, word in pairwise(words):
            if option in OPTIONS and ":" in word:
                found.add((XTABLES, table, word))
    return found


class Manager(Value):
    """The manager of a device: its name, configuration ``file``, and ``keeps``.

    ``keeps``: it leaves foreign addresses alone.
    """

    __slots__ = ("file", "keeps", "name")

    def __init__(self, name: str, file: str = "", keeps: bool = False) -> None:
        self.name = name
        self.file = file
        self.keeps = keeps


def read(root: str, indexes: Sequence[int], unseen: list[str]) -> dict[int, Manager]:
    """The manager of each managed device, by index; unreadable files are added to *unseen*."""
    found: dict[int, Manager] = {}
    for index in indexes:
        for folder, reader in ((LINKS, _networkd), (DEVICES, _networkmanager)):
            file = f"{root}{folder}/{index}"
            try:
                with open(file, encoding="utf-8", errors="replace", opener=readable) as opened:
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
    """The values in ``KEY=VALUE`` lines; the last of equal keys counts."""
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
    """Whether a .network file with its drop-ins keeps foreign addresses."""
    base = path.basename(file)
    found = ""
    files = [root + file] if file else []
    for folder in reversed(DROPINS) if base else ():
        dropins = f"{root}{folder}/{base}.d"
        if path.isdir(dropins):
            files += [f"{dropins}/{one}" for one in sorted(listdir(dropins)) if one[-5:] == ".conf"]
    for one in files:
        try:
            with open(one, encoding="utf-8", errors="replace", opener=readable) as opened:
                found = _pairs(opened.read()).get("KeepConfiguration", found)
        except OSError:
            continue
    return found.lower() in KEEPING
