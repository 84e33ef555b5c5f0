"""The modules that a guest needs: read from what each says of itself (modinfo(8)).

Debian's package has no modules.dep: depmod(8) makes it where a kernel is installed.
"""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

WANTED = (
    "rtnl-link-*", "devname:net/tun", "net-pf-*", "nfnetlink-subsys-1", "nfnetlink-subsys-10",
    "nft-expr-*", "nft-chain-*", "devname:ppp", "tty-ldisc-3", "crypto-crc32c",
)  # fmt: skip
"""Aliases of the modules that are taken along: kinds of devices, tun, address families, connection
tracking and nftables (NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_NFTABLES of linux/netfilter/nfnetlink.h),
its expressions and chains, ppp over a terminal (N_PPP of linux/tty.h), and the checksum that
connection tracking asks for."""

FACTS = re.compile(rb"(?:^|\0)(alias|depends|name)=([^\0]*)(?=\0)")
"""Strings of the section .modinfo, each ended by a zero byte (include/linux/moduleparam.h)."""


class Module:
    """One file: its name, the aliases by which the kernel asks for it, the modules below it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem.replace("-", "_")
        self.aliases: list[str] = []
        self.depends: list[str] = []
        for key, value in FACTS.findall(path.read_bytes()):
            text = value.decode("ascii", "replace")
            if key == b"alias":
                self.aliases.append(text)
            elif key == b"depends":
                self.depends += [one.replace("-", "_") for one in text.split(",") if one]


def wanted(folder: Path) -> list[Module]:
    """The modules below *folder* that a guest needs, with all those that they need."""
    known = {module.name: module for module in map(Module, sorted(folder.rglob("*.ko")))}
    chosen = [
        module
        for module in known.values()
        if any(fnmatch.filter(module.aliases, pattern) for pattern in WANTED)
    ]
    for module in chosen:
        chosen += [known[name] for name in module.depends if known[name] not in chosen]
    return chosen


def tables(modules: list[Module], folder: Path) -> dict[str, str]:
    """The files by which modprobe(8) finds them: modules.dep and modules.alias."""
    place = {module.name: str(module.path.relative_to(folder)) for module in modules}
    depends = {module.name: module.depends for module in modules}
    lines = [
        f"{place[name]}:{''.join(f' {place[one]}' for one in _below(name, depends))}"
        for name in place
    ]
    aliases = [f"alias {alias} {module.name}" for module in modules for alias in module.aliases]
    return {"modules.dep": "\n".join(lines) + "\n", "modules.alias": "\n".join(aliases) + "\n"}


def _below(name: str, depends: dict[str, list[str]]) -> list[str]:
    """All that *name* needs, directly or not; who needs something stands before it."""
    found: list[str] = []
    for one in depends[name]:
        for other in (one, *_below(one, depends)):
            if other in found:
                found.remove(other)
            found.append(other)
    return found
