"""Rules of firewalls that hold for packets of one device, and not for those of another.

The address of a label is one of its main device; that of a macvlan or ipvlan comes in by a device
of its own. So a rule for ``eth0`` does not see it: a port that is closed on eth0 is open there.
"""

from __future__ import annotations

from glob import glob

from netalias.doctor.finding import listed
from netalias.doctor.mending import by_hand, mended
from netalias.doctor.rules import FIREWALLD
from netalias.model import Value
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.doctor.rules import Rule

SAVED = (
    ("/etc/nftables.conf", "nft"),
    ("/etc/nftables.d/*", "nft"),
    ("/etc/sysconfig/nftables.conf", "nft"),
    ("/etc/iptables/rules.v4", "iptables"),
    ("/etc/sysconfig/iptables", "iptables"),
    ("/etc/iptables/rules.v6", "ip6tables"),
    ("/etc/sysconfig/ip6tables", "ip6tables"),
    ("/etc/firewalld/zones/*.xml", FIREWALLD),
)
"""Files from which rules come back at the next boot, and whose they are."""
SIZE_MAX = 1 << 20
RECEIVING = ("macvlan", "ipvlan")
"""Kinds whose packets come in by a device of their own; those of a dummy by the main device."""


class Pair(Value):
    """An alias with its packed ``address``, empty for none, and the devices by which its packets
    come in: ``old`` and ``new``."""

    __slots__ = ("address", "name", "new", "old")

    def __init__(self, name: str, old: str, new: str, address: bytes = b"") -> None:
        self.name = name
        self.old = old
        self.new = new
        self.address = address


class Uncovered:
    """A ``rule`` that does not treat some aliases as it treats the device ``old``.

    ``names`` are those of the aliases. ``command`` mends it; where it is empty, ``advice`` says
    what to do. ``files`` are those that have the rule too.
    """

    __slots__ = ("advice", "command", "files", "names", "old", "rule")

    def __init__(self, rule: Rule, old: str, names: list[str], command: str, advice: str) -> None:
        self.rule = rule
        self.old = old
        self.names = names
        self.command = command
        self.advice = "" if command else advice
        self.files: list[str] = []

    @property
    def why(self) -> str:
        """Its place, its words, and the files that have it too."""
        text = f"{self.rule.place}: {self.rule.text}"
        files = f"{', '.join(self.files)} has it too" if self.files else ""
        return "; ".join(filter(None, (text, files, self.advice)))

    def line(self) -> str:
        """A sentence with the command."""
        text = f"a firewall rule for {self.old} does not see {listed(self.names)}: {self.why}"
        return f"{text} ({self.command})" if self.command else text


def uncovered(rules: Iterable[Rule], pairs: Sequence[Pair], root: str = "") -> list[Uncovered]:
    """The rules that hold for the old device of a pair and not for the new one, or that exclude one
    of them only. *root* is put before the paths of files."""
    found: list[Uncovered] = []
    inserted: dict[tuple[str, str, str], int] = {}
    commands: set[str] = set()
    for group in _groups(rules):
        by_old: dict[tuple[str, str], list[str]] = {}
        for pair in pairs:
            if _differs(group, pair):
                by_old.setdefault((pair.old, _wanted(pair.new)), []).append(pair.name)
        for (old, wanted), names in by_old.items():
            rule = next(one for one in group if one.negated or one.holds(old))
            command = mended(rule, old, wanted, inserted.get(rule.chain, 0))
            if rule.chain[1] == FIREWALLD and command in commands:
                continue  # a zone has a rule in several chains
            commands.add(command)
            if command and rule.xtables and not rule.negated:
                inserted[rule.chain] = inserted.get(rule.chain, 0) + 1
            found.append(Uncovered(rule, old, names, command, by_hand(rule, wanted)))
            found[-1].files = _files(rule, old, root)
    return found


def _groups(rules: Iterable[Rule]) -> Iterator[list[Rule]]:
    """Rules of one chain that differ in the device only: together they hold for several."""
    groups: dict[object, list[Rule]] = {}
    for rule in rules:
        groups.setdefault((rule.chain, rule.rest, rule.negated), []).append(rule)
    yield from groups.values()


def _differs(group: Sequence[Rule], pair: Pair) -> bool:
    if len(pair.address) in (4, 16) and not group[0].concerns(pair.address):
        return False
    if any(rule.knows(pair.new) for rule in group):
        return False
    old, new = (any(rule.holds(device) for rule in group) for device in (pair.old, pair.new))
    return old != new if group[0].negated else old and not new


def _wanted(device: str) -> str:
    """``eth0_*`` for the device ``eth0_5`` of an alias; a main device itself."""
    head, _, slot = device.rpartition("_")
    return f"{head}_*" if head and slot.isdecimal() else device


def _files(rule: Rule, device: str, root: str) -> list[str]:
    """The files that name *device* as the rule does."""
    whose = FIREWALLD if rule.chain[1] == FIREWALLD else "nft"
    if rule.xtables:
        whose = "ip6tables" if rule.chain[0].startswith("ip6") else "iptables"
    found = []
    for pattern, owner in SAVED:
        for path in sorted(glob(root + pattern)) if owner == whose else ():
            if _named(_text(path), device, whose):
                found.append(path)
    return found


def _text(path: str) -> str:
    """The text of a file, or its beginning; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace", opener=readable) as opened:
            return opened.read(SIZE_MAX)
    except OSError:
        return ""


def _named(text: str, device: str, whose: str) -> bool:
    """Whether a line names *device* as that by which packets come in."""
    for line in text.splitlines():
        said = line.partition("#")[0]
        words = said.replace('"', " ").replace("=", " ").replace(",", " ").split()
        if device not in words:
            continue
        if whose == "nft" and not {"iif", "iifname"} & set(words):
            continue
        if "tables" in whose and "-i" not in words:
            continue
        return True
    return False
