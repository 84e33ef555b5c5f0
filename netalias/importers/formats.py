"""The formats that can be imported, and how a file tells which of them it has. Pure.

A path that is usual for a format decides; then the name of the file together with a line that only
this format has; then such a line alone.
"""

from __future__ import annotations

from posixpath import basename

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FALLBACK = "interfaces"
"""The format of a file that no other one claims."""
BACKUPS = (
    "~",
    ".bak",
    ".dpkg-dist",
    ".dpkg-old",
    ".old",
    ".orig",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
)
"""Ends of the names of files that no program reads."""


class Format:
    """One format.

    ``place`` is ``MODULE.CLASS`` in this package. ``usual`` are patterns of the paths where its
    files stand. ``mark`` is a regular expression that matches a line of such files and no line of
    others. ``automatic``: the usual files are read when nothing is named, since their aliases
    belong to this host alone.
    """

    __slots__ = ("automatic", "mark", "place", "usual")

    def __init__(self, place: str, usual: str, mark: str, *, automatic: bool = True) -> None:
        self.place = place
        self.usual = tuple(usual.split())
        self.mark = mark
        self.automatic = automatic


FORMATS = {
    "interfaces": Format(
        "ifupdown.Interfaces", "/etc/network/interfaces", r"(iface|auto|allow-\w+|mapping)[ \t]+\S"
    ),
    "networkd": Format(
        "networkd.Networkd",
        "/etc/systemd/network/*.network /run/systemd/network/*.network"
        " /usr/lib/systemd/network/*.network",
        r"\[(Match|Network)\]",
    ),
    "keyfile": Format(
        "keyfile.Keyfile",
        "/etc/NetworkManager/system-connections/* /run/NetworkManager/system-connections/*"
        " /usr/lib/NetworkManager/system-connections/*",
        r"\[connection\]",
    ),
    "ifcfg-rh": Format(
        "ifcfg_rh.IfcfgRh",
        "/etc/sysconfig/network-scripts/ifcfg-*",
        r"(DEVICE|ONBOOT|ONPARENT|IPADDR_START|CLONENUM_START|NM_CONTROLLED)=",
    ),
    "ifcfg-suse": Format(
        "ifcfg_suse.IfcfgSuse",
        "/etc/sysconfig/network/ifcfg-*",
        r"(STARTMODE|LABEL\w*|PREFIXLEN\w*|REMOTE_IPADDR\w*|IPADDR_(?!START=|END=)\w+)=",
    ),
    "netifrc": Format(
        "netifrc.Netifrc",
        "/etc/conf.d/net",
        r"config_\w+=",
    ),
    "netctl": Format(
        "netctl.Netctl",
        "/etc/netctl/*",
        r"(Connection=['\"]?\w|IP6?=['\"]?(static|stateless|dhcp|no)\b)",
    ),
    "rc.inet1": Format(
        "rc_inet1.RcInet1",
        "/etc/rc.d/rc.inet1.conf",
        r"(IFNAME|IPADDRS?|IP6ADDRS|IPALIASES)\[\d+\]=",
    ),
    "rc.conf": Format(
        "rc_conf.RcConf",
        "/etc/rc.conf /etc/rc.conf.local",
        r"(ifconfig_\w+=|ipv4_addrs_\w+=|ipv6_ifconfig_\w+=)",
        automatic=False,
    ),
    "hostname.if": Format(
        "hostname_if.HostnameIf",
        "/etc/hostname.*",
        r"inet6?[ \t]+alias[ \t](?!.*[ \t](netmask|prefixlen)[ \t])",
        automatic=False,
    ),
    "ifconfig.if": Format(
        "ifconfig_if.IfconfigIf",
        "/etc/ifconfig.* /etc/ifaliases",
        r"(inet6?[ \t].*[ \t](netmask|prefixlen|alias)\b|ifaliases_\w+=)",
        automatic=False,
    ),
}
"""Format by name, in the order in which usual files are read."""


def claimed(path: str, text: str) -> str:
    """The name of the format of a file at *path* with this *text*; FALLBACK if none claims it."""
    from re import MULTILINE, search

    for name, one in FORMATS.items():
        if _usual(path, one):
            return name
    called = [name for name, one in FORMATS.items() if _called(basename(path), one.usual)]
    for name in (*called, *FORMATS):
        if search(rf"^[ \t]*{FORMATS[name].mark}", text, MULTILINE):
            return name
    return called[0] if called else FALLBACK


def _called(name: str, usual: Iterable[str]) -> bool:
    """Whether a file of this name, wherever it is, may have a format with these *usual* paths."""
    from fnmatch import fnmatch

    patterns = (basename(pattern) for pattern in usual)
    return any(pattern != "*" and fnmatch(name, pattern) for pattern in patterns)


def existing(name: str) -> list[str]:
    """The usual files of a format that exist, in order."""
    from glob import glob

    return [path for pattern in FORMATS[name].usual for path in read_by_program(glob(pattern))]


def inside(folder: str, format: str = "") -> list[str]:
    """The files in *folder*, in order; in one where files of a format usually stand, only those of
    *format*, by default of any. Raises OSError."""
    from os import listdir
    from os.path import abspath

    found = read_by_program(f"{folder.rstrip('/')}/{name}" for name in listdir(folder))
    formats = [FORMATS[format]] if format else FORMATS.values()
    usual = [path for path in found if any(_usual(abspath(path), one) for one in formats)]
    return usual or found


def _usual(path: str, one: Format) -> bool:
    """Whether the files of a format usually are at *path*, below whatever root."""
    from fnmatch import fnmatch

    return any(fnmatch(path, f"*{pattern}") for pattern in one.usual)


def read_by_program(paths: Iterable[str]) -> list[str]:
    """Those of *paths* that are neither folders nor hidden nor backups, sorted."""
    from os.path import isdir

    return sorted(
        path
        for path in paths
        if not (path.endswith(BACKUPS) or basename(path).startswith(".") or isdir(path))
    )
