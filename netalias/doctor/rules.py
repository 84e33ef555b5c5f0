"""Rules of firewalls that look at the device by which a packet comes in: nft(8), iptables(8).

They are read as those programs print them, since a user has to find a rule again and to write its
mended form: the netlink messages of nf_tables have neither the words of a rule nor those of a match
that iptables-nft has put into it. The namespace is that of the calling thread.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from shutil import which
from subprocess import DEVNULL, SubprocessError, run

from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS = 5.0
"""Longest time that a program may take for its list."""
NFT = ("nft", "-a", "-s", "-t", "list", "ruleset")
"""With handles, without counters, and without the contents of named sets."""
FAMILIES = ("ip", "ip6", "inet")
"""Families whose chains see a packet behind the device of an alias; netdev sees it before."""
FIREWALLD = "firewalld"
"""The table of firewalld(1), which makes it anew."""
XT_TABLES = ("filter", "nat", "mangle", "raw", "security")
XT_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
"""Tables and chains that iptables-nft makes, and owns."""
LEGACY = {"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names"}
"""Program: the file below /proc/thread-self/net with the tables of its legacy form."""

_TABLE = re.compile(r"table (\S+) (\S+) \{")
_CHAIN = re.compile(r"\tchain (\S+) \{")
_RULE = re.compile(r"\t\t(.*) # handle (\d+)$")
_SET = re.compile(r'"([^"]*)"')
_ANONYMOUS = re.compile(r"\{ ?([^}]*?) ?\}")
_MATCH = re.compile(
    r'\b(?:iifname|iif)(?P<not> !=)? (?P<right>"[^"]*"|\{[^}]*\}|vmap \{[^}]*\}|@\S+|vmap @\S+)'
)
_CONCATENATED = re.compile(
    r"(?:\biif(?:name)? \. |\. iif(?:name)?\b)[^{@]*(?P<right>\{[^}]*\}|@\S+)"
)
_OPTION = re.compile(r"(?:(?<= )! )?(?<= )-i (\S+)")
_RETURN = re.compile(r"-i (\S+) -j RETURN$")
_DESTINATION = re.compile(
    r"\b(?:ip6? daddr|(?<=-)d) (?P<right>[0-9a-fA-F][0-9a-fA-F:./-]*|\{[^}]*\})"
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


class Rule(Value):
    """A rule that compares the device with ``names``; a name that ends in ``*`` stands for all that
    begin so. ``negated``: with all others.

    ``chain`` is family or program, table and chain; ``number`` the handle, or with iptables the
    place in the chain. ``text`` are its words, and ``begin`` and ``end`` those of the comparison.
    For a rule with other words for other devices, ``left`` are the words that stand for the
    comparison in a rule for ``names`` alone, and ``known`` are all of its devices.
    """

    def __init__(
        self,
        chain: tuple[str, str, str],
        number: int,
        text: str,
        span: tuple[int, int],
        names: Sequence[str],
        negated: bool,
        left: str | None = None,
        known: Sequence[str] = (),
    ) -> None:
        self.chain = chain
        self.number = number
        self.text = text
        self.begin, self.end = span
        self.names = tuple(names)
        self.negated = negated
        self.left = left
        self.known = tuple(known)

    @property
    def xtables(self) -> bool:
        """Whether it belongs to iptables, so that its commands change it."""
        return "tables" in self.chain[0]

    @property
    def rest(self) -> str:
        """Its words but for the comparison, unless that has more in it than names. Elements of
        sets are in order, since nft has none."""
        left = self.left
        if left is None:
            match = self.text[self.begin : self.end]
            left = match if " . " in match or "map " in match else ""
        text = f"{self.text[: self.begin]}{left}{self.text[self.end :]}"
        return _ANONYMOUS.sub(_in_order, " ".join(text.split()))

    @property
    def place(self) -> str:
        """``inet filter input handle 5``, ``iptables -t filter -S INPUT 3``."""
        first, table, chain = self.chain
        if self.xtables:
            return f"{first} -t {table} -S {chain} {self.number}"
        return f"{first} {table} {chain} handle {self.number}"

    def holds(self, device: str) -> bool:
        """Whether a packet that comes in by *device* passes the comparison."""
        return _named(device, self.names) is not self.negated

    def knows(self, device: str) -> bool:
        """Whether it has words for *device*."""
        return _named(device, self.known)

    def concerns(self, address: bytes) -> bool:
        """Whether it may hold for packets to a packed IPv4 or IPv6 address; True where it compares
        the destination in a way that is not read here."""
        said, _, _ = self.text.partition(' comment "')
        match = _DESTINATION.search(said)
        if match is None or "! -d" in said:
            return True
        words = match["right"].strip("{} ").split(", ")
        try:
            return any(_within(address, word.strip()) for word in words)
        except ValueError:
            return True


def _named(device: str, names: Sequence[str]) -> bool:
    """Whether a device has one of *names*."""
    return any(
        device.startswith(name[:-1]) if name.endswith("*") else device == name for name in names
    )


def _in_order(found: re.Match[str]) -> str:
    """An anonymous set with its elements in order; of one element, as nft prints it."""
    elements = sorted(found[1].split(", "))
    return f"{{ {', '.join(elements)} }}" if elements[1:] or " : " in found[1] else elements[0]


def _within(address: bytes, word: str) -> bool:
    """Whether an address is in ``10.0.0.1``, ``10.0.0.0/24`` or ``10.0.0.1-10.0.0.9``. Raises
    ValueError."""
    wanted = ip_address(address)
    if "-" in word:
        first, last = map(ip_address, word.split("-"))
        return wanted.version == first.version and int(first) <= int(wanted) <= int(last)
    return wanted in ip_network(word, strict=False)


def listed(text: str, sets: Sets | None = None) -> Iterator[Rule]:
    """The rules of ``nft -a list ruleset`` that look at the device, without those of iptables;
    *sets* gives the elements of a named set by family, table and name. A rule of firewalld whose
    words hold for all other devices too is none."""
    own = owned(text)
    found = [one for one in _handled(text) if one[0][0] in FAMILIES and one[0][:2] not in own]
    always = {(key, words) for key, words, _ in found if key[1] == FIREWALLD}
    for key, words, handle in found:
        for rule in _read(key, words, handle, sets):
            if (key, rule.rest) not in always:
                yield rule


def _handled(text: str) -> Iterator[tuple[tuple[str, str, str], str, int]]:
    """Each rule of a list: its chain, its words, its handle."""
    family = table = chain = ""
    for line in text.splitlines():
        if match := _TABLE.match(line):
            family, table = match.groups()
        elif match := _CHAIN.match(line):
            chain = match[1]
        elif match := _RULE.match(line):
            yield (family, table, chain), match[1], int(match[2])


def _read(key: tuple[str, str, str], words: str, handle: int, sets: Sets | None) -> Iterator[Rule]:
    """The one rule, none if it does not look at the device, or one for all devices that have the
    same words in a map or in a concatenation."""
    from netalias.doctor.concatenations import parts

    said, _, _ = words.partition(' comment "')
    match = _MATCH.search(said)
    of_names = match is not None
    match = match or _CONCATENATED.search(said)
    if match is None:
        return
    right = match["right"]
    elements = sets(key[0], key[1], right) if sets and "@" in right else right
    names = _SET.findall(elements)
    no = bool(match.groupdict().get("not"))
    by_words = parts(said, elements)
    if by_words is None:
        span = match.span()
        for further in _MATCH.finditer(said, match.end()) if no else ():
            names += _SET.findall(further["right"]) if further["not"] else ()
        left = "" if of_names and "@" in right and not no else None
        yield Rule(key, handle, words, span, names, no, left)
        return
    span, devices = by_words
    for left, some in devices.items():
        yield Rule(key, handle, words, span, some, False, left, names)


def owned(text: str) -> set[tuple[str, str]]:
    """Family and table of those in ``nft list ruleset`` that iptables-nft owns."""
    chains = set()
    family = table = ""
    for line in text.splitlines():
        if match := _TABLE.match(line):
            family, table = match.groups()
        elif match := _CHAIN.match(line):
            chains.add((family, table, match[1]))
    return {
        (family, table)
        for family, table, chain in chains
        if family in ("ip", "ip6") and table in XT_TABLES and chain in XT_CHAINS
    }


def owned_tables() -> set[tuple[str, str]]:
    """The tables of this namespace that iptables-nft owns; none without nft(8)."""
    return owned(_output(NFT, []) or "") if which("nft") else set()


def saved(text: str, program: str) -> Iterator[Rule]:
    """The rules of iptables-save(8) that look at the device, of *program* (``iptables``)."""
    rules = list(_numbered(text))
    spared = _spared(rules)
    for table, chain, number, words in rules:
        match = _OPTION.search(blanked(f" {words}"))
        if match is None:
            continue
        span = match.start() - 1, match.end() - 1
        no = match[0].startswith("!")
        names = [_pattern(match[1])]
        if no:
            names += spared.get((table, words.rpartition(" -j ")[2]), [])
        yield Rule((program, table, chain), number, words, span, names, no)


def _numbered(text: str) -> Iterator[tuple[str, str, int, str]]:
    """Each rule of iptables-save(8): table, chain, its place there, its words."""
    table = ""
    numbers: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table, numbers = line[1:], {}
        if line.startswith("-A "):
            _, chain, words = f"{line} ".split(" ", 2)
            numbers[chain] = numbers.get(chain, 0) + 1
            yield table, chain, numbers[chain], words.removesuffix(" ")


def _spared(rules: Sequence[tuple[str, str, int, str]]) -> dict[tuple[str, str], list[str]]:
    """The devices for which a chain, given by table and name, does nothing: it begins with rules
    that return."""
    found: dict[tuple[str, str], list[str]] = {}
    for table, chain, number, words in rules:
        names = found.setdefault((table, chain), [])
        match = _RETURN.match(words)
        if match is not None and number == len(names) + 1:
            names.append(_pattern(match[1]))
    return found


def _pattern(name: str) -> str:
    """A name of iptables as one of nft: ``eth0_+`` is ``eth0_*``."""
    return f"{name[:-1]}*" if name.endswith("+") else name


def blanked(text: str) -> str:
    """A text of the same length with dots for strings."""
    return _TEXT.sub(lambda one: "." * len(one[0]), text)


class Sets:
    """The elements of named sets, asked of nft(8) once each."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], str] = {}

    def __call__(self, family: str, table: str, name: str) -> str:
        name = name.rpartition("@")[2]
        key = (family, table, name)
        if key not in self._found:
            for kind in ("set", "map"):
                text = _output(["nft", "list", kind, *key], [])
                if text:
                    break
            self._found[key] = " ".join((text or "").partition("elements = ")[2].split())
        return self._found[key]


def read(unseen: list[str]) -> list[Rule]:
    """All rules of this namespace that look at the device; what could not be read is added to
    *unseen*. Privilege is needed."""
    found: list[Rule] = []
    text = _output(NFT, unseen) if which("nft") else None
    if text:
        found += listed(text, Sets())
    if text is None or owned(text):
        for program in LEGACY:
            save = next(filter(which, (f"{program}-nft-save", f"{program}-save")), "")
            output = _output([save], unseen) if save else None
            if output and "(nf_tables)" in output:
                found += saved(output, save.removesuffix("-save"))
    for program, file in LEGACY.items():
        save = next(filter(which, (f"{program}-legacy-save", f"{program}-save")), "")
        if save and _names(f"/proc/thread-self/net/{file}"):
            output = _output([save], unseen)
            if output and "(nf_tables)" not in output:
                found += saved(output, save.removesuffix("-save"))
    return found


def _names(file: str) -> str:
    """The names of the tables that the kernel has; empty without such tables."""
    try:
        with open(file, encoding="ascii") as opened:
            return opened.read()
    except OSError:
        return ""


def _output(words: Sequence[str], unseen: list[str]) -> str | None:
    """The output of a program; None where it fails, which is noted."""
    try:
        done = run(words, stdin=DEVNULL, capture_output=True, check=False, timeout=SECONDS)
    except (OSError, SubprocessError) as error:
        unseen.append(f"firewall rules: {words[0]}: {error}")
        return None
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        unseen.append(f"firewall rules: {words[0]}: {reason}")
        return None
    return done.stdout.decode("utf-8", "surrogateescape")
