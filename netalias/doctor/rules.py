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
from netalias.model.shell import quoted

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
_MATCH = re.compile(
    r'\b(?:iifname|iif)(?P<not> !=)? (?P<right>"[^"]*"|\{[^}]*\}|vmap \{[^}]*\}|@\S+|vmap @\S+)'
)
_CONCATENATED = re.compile(r"(?:\biif(?:name)? \. |\. iif(?:name)?\b)[^{]*(?P<right>\{[^}]*\})")
_OPTION = re.compile(r"(?:(?<= )! )?(?<= )-i (\S+)")
_DESTINATION = re.compile(
    r"\b(?:ip6? daddr|(?<=-)d) (?P<right>[0-9a-fA-F][0-9a-fA-F:./-]*|\{[^}]*\})"
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


class Rule(Value):
    """A rule that compares the device with ``names``; a name that ends in ``*`` stands for all that
    begin so. ``negated``: with all others.

    ``chain`` is family or program, table and chain; ``number`` the handle, or with iptables the
    place in the chain. ``text`` are its words, and ``begin`` and ``end`` those of the comparison.
    """

    __slots__ = ("begin", "chain", "end", "names", "negated", "number", "text")

    def __init__(
        self,
        chain: tuple[str, str, str],
        number: int,
        text: str,
        span: tuple[int, int],
        names: Sequence[str],
        negated: bool,
    ) -> None:
        self.chain = chain
        self.number = number
        self.text = text
        self.begin, self.end = span
        self.names = tuple(names)
        self.negated = negated

    @property
    def xtables(self) -> bool:
        """Whether it belongs to iptables, so that its commands change it."""
        return "tables" in self.chain[0]

    @property
    def rest(self) -> str:
        """Its words but for the comparison, unless that has more in it than names."""
        match = self.text[self.begin : self.end]
        if " . " in match or "map " in match:
            return self.text
        return f"{self.text[: self.begin]}{self.text[self.end :]}"

    @property
    def place(self) -> str:
        """``inet filter input handle 5``, ``iptables -t filter -S INPUT 3``."""
        first, table, chain = self.chain
        if self.xtables:
            return f"{first} -t {table} -S {chain} {self.number}"
        return f"{first} {table} {chain} handle {self.number}"

    def holds(self, device: str) -> bool:
        """Whether a packet that comes in by *device* passes the comparison."""
        found = any(
            device.startswith(name[:-1]) if name.endswith("*") else device == name
            for name in self.names
        )
        return found is not self.negated

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

    def mended(self, device: str, wanted: str, more: int = 0) -> str:
        """The command after which the rule holds for *wanted* too, a name that may end in ``*``,
        as it does for *device*; empty where there is no single one. *more* rules were put into the
        chain before."""
        if self.xtables:
            return self._inserted(wanted, more)
        right = self.text[self.begin : self.end]
        if self.chain[1] == FIREWALLD or "@" in right or " . " in right or "map @" in right:
            return ""
        if "{" in right:
            inner = right[right.index("{") + 1 : -1].strip()
            verdict = re.search(rf'"{re.escape(device)}" : ([^,]+)', inner)
            new = f'"{wanted}"' + (f" : {verdict[1].strip()}" if verdict else "")
            head = right[: right.index("{")].replace("iif ", "iifname ")
            match = f"{head}{{ {inner}, {new} }}"
        else:
            sign = " !=" if self.negated else ""
            match = f'iifname{sign} {{ "{device}", "{wanted}" }}'
        text = f"{self.text[: self.begin]}{match}{self.text[self.end :]}"
        # Not by "replace rule", which nft 1.0.6 (Debian 12) does not survive for every rule.
        return f"nft {quoted(f'insert rule {self.place} {text}; delete rule {self.place}')}"

    def _inserted(self, wanted: str, more: int) -> str:
        """The command that puts a rule of the same words behind this one. The table is not written
        by nft, whose form of a rule iptables may not be able to read."""
        program, table, chain = self.chain
        if self.negated:
            return ""
        name = f"{wanted[:-1]}+" if wanted.endswith("*") else wanted
        words = f"{self.text[: self.begin]}-i {name}{self.text[self.end :]}"
        head = f"{program} -t {table}" if table != "filter" else program
        return f"{head} -I {chain} {self.number + more + 1} {words}"


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
    *sets* gives the elements of a named set by family, table and name."""
    family = table = chain = ""
    own = owned(text)
    for line in text.splitlines():
        if found := _TABLE.match(line):
            family, table = found.groups()
        elif found := _CHAIN.match(line):
            chain = found[1]
        elif family in FAMILIES and (family, table) not in own and (found := _RULE.match(line)):
            words, handle = found.groups()
            said, _, _ = words.partition(' comment "')
            match = _MATCH.search(said) or _CONCATENATED.search(said)
            if match is not None:
                right = match["right"]
                elements = sets(family, table, right) if sets and "@" in right else right
                names = _SET.findall(elements)
                no = "not" in match.re.groupindex and bool(match["not"])
                key = (family, table, chain)
                yield Rule(key, int(handle), words, match.span(), names, no)


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
    table = ""
    numbers: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            table, numbers = line[1:], {}
        if not line.startswith("-A "):
            continue
        _, chain, words = f"{line} ".split(" ", 2)
        words = words.removesuffix(" ")
        numbers[chain] = numbers.get(chain, 0) + 1
        plain = _TEXT.sub(lambda one: "." * len(one[0]), f" {words}")
        match = _OPTION.search(plain)
        if match is not None:
            name = match[1][:-1] + "*" if match[1].endswith("+") else match[1]
            span = match.start() - 1, match.end() - 1
            no = match[0].startswith("!")
            yield Rule((program, table, chain), numbers[chain], words, span, [name], no)


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
            self._found[key] = (text or "").partition("elements = ")[2]
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
    """What a program prints; None where it fails, which is noted."""
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
