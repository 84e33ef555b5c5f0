"""The formats that can be imported, and how a file tells which of them it has. Pure.

A path that is usual for a format decides; then the name of the file together with a line that only
this format has; then such a line alone. Programs that read each other's files are told apart by
what is installed beside the file.
"""

from __future__ import annotations

from posixpath import basename

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FALLBACK = "interfaces"
"""The format of a file that no other one claims."""
NEVER = "(?!)"
"""A mark that no line has."""
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
    belong to this host alone. ``renders`` are patterns of the files that are made of these, which
    then say nothing new. ``needs`` is a module, without which those are read. ``variant`` is
    another format, whose files this one reads where one of ``signs`` is: a path, or
    ``PATH=TARGET`` for a link to a file of that name.
    """

    __slots__ = ("automatic", "mark", "needs", "place", "renders", "signs", "usual", "variant")

    def __init__(
        self,
        place: str,
        usual: str = "",
        mark: str = NEVER,
        *,
        automatic: bool = True,
        renders: str = "",
        needs: str = "",
        variant: str = "",
        signs: str = "",
    ) -> None:
        self.place = place
        self.usual = tuple(usual.split())
        self.mark = mark
        self.automatic = automatic
        self.renders = tuple(renders.split())
        self.needs = needs
        self.variant = variant
        self.signs = tuple(signs.split())


FORMATS = {
    "interfaces": Format(
        "ifupdown.Interfaces", "/etc/network/interfaces", r"(iface|auto|allow-\w+|mapping)[ \t]+\S"
    ),
    "proxmox": Format(
        "ifupdown2.Ifupdown2", variant=FALLBACK, signs="/usr/share/perl5/PVE/INotify.pm"
    ),
    "ifupdown2": Format("ifupdown2.Ifupdown2", variant=FALLBACK, signs="/usr/share/ifupdown2"),
    "ifupdown-ng": Format(
        "ifupdown_ng.IfupdownNg",
        variant=FALLBACK,
        signs="/usr/libexec/ifupdown-ng /sbin/ifup=ifupdown",
    ),
    "busybox": Format("busybox.Busybox", variant=FALLBACK, signs="/sbin/ifup=busybox"),
    "cloud-init": Format(
        "cloudinit.CloudInit",
        "/etc/cloud/cloud.cfg.d/*.cfg /var/lib/cloud/seed/nocloud/network-config",
        r"version:[ \t]*1[ \t]*$",
        automatic=False,
        needs="yaml",
    ),
    "netplan": Format(
        "netplan.Netplan",
        "/lib/netplan/*.yaml /etc/netplan/*.yaml /run/netplan/*.yaml",
        r"network:[ \t]*(\{|#.*)?$",
        renders="/run/systemd/network/*-netplan-* /run/NetworkManager/system-connections/netplan-*",
        needs="yaml",
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
    "uci": Format(
        "uci.Uci", "/etc/config/network", r"config[ \t]+['\"]?(interface|alias|globals)\b"
    ),
    "keepalived": Format(
        "keepalived.Keepalived",
        "/etc/keepalived/keepalived.conf",
        r"(vrrp_instance|virtual_ipaddress|static_ipaddress)\b",
        automatic=False,
    ),
}
"""Format by name, in the order in which usual files are read."""


def claimed(path: str, text: str, otherwise: str = FALLBACK) -> str:
    """The name of the format of a file at *path* with this *text*; *otherwise* if none claims
    it."""
    from re import MULTILINE, search

    for name, one in FORMATS.items():
        if _usual(path, one):
            return _variant(name, path)
    called = [name for name, one in FORMATS.items() if _called(basename(path), one.usual)]
    for name in (*called, *FORMATS):
        if search(rf"^[ \t]*{FORMATS[name].mark}", text, MULTILINE):
            return name
    return called[0] if called else otherwise


def _variant(name: str, path: str) -> str:
    """The format that is read in place of *name* by the program beside the usual file *path*."""
    from os.path import abspath

    path = abspath(path)
    for usual in FORMATS[name].usual:
        root = path.removesuffix(usual)
        for other, one in FORMATS.items():
            if one.variant == name and root != path and any(_is(root, sign) for sign in one.signs):
                return other
    return name


def _is(root: str, sign: str) -> bool:
    """Whether a sign of a program is below *root*."""
    from os import readlink
    from os.path import exists

    path, equals, target = sign.partition("=")
    try:
        return basename(readlink(root + path)) == target if equals else exists(root + path)
    except OSError:
        return False


def _called(name: str, usual: Iterable[str]) -> bool:
    """Whether a file of this name, wherever it is, may have a format with these *usual* paths."""
    from fnmatch import fnmatch

    patterns = (basename(pattern) for pattern in usual)
    return any(pattern != "*" and fnmatch(name, pattern) for pattern in patterns)


def existing(name: str, root: str = "") -> list[str]:
    """The usual files of a format that exist below *root*, in order."""
    from glob import glob

    one = FORMATS.get(name)
    patterns = FORMATS[one.variant or name].usual if one else ()
    return [path for pattern in patterns for path in read_by_program(glob(root + pattern))]


def automatic(root: str = "") -> dict[str, list[str]]:
    """The usual files that exist below *root* of all formats that are automatic, in order, without
    those that are rendered from others of them."""
    from fnmatch import fnmatch

    found: dict[str, list[str]] = {}
    rendered: list[str] = []
    for name, one in FORMATS.items():
        ours = one.automatic and not one.variant and _can_be_read(one)
        files = existing(name, root) if ours else []
        for path in files:
            if not any(fnmatch(path, pattern) for pattern in rendered):
                found.setdefault(_variant(name, path), []).append(path)
        rendered += [root + pattern for pattern in one.renders] if files else ()
    return found


def _can_be_read(one: Format) -> bool:
    """Whether the module that it needs is installed."""
    from importlib.util import find_spec

    try:
        return not one.needs or find_spec(one.needs) is not None
    except ValueError:  # the module is None in sys.modules
        return False


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
