"""Random files of interfaces(5), and what the real ifup(8) says that it would do with one."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from random import Random

SECONDS = 20.0
LABEL_MAX = 15
FIRST = "auto"
"""The class of interfaces that ``ifup -a`` brings up."""


@functools.cache
def ifup() -> str:
    """The path of ifup 0.8 of Debian, or why there is none, which has no slash.

    NETALIAS_IFUP is the path of one that is unpacked and not installed.
    """
    path = os.environ.get("NETALIAS_IFUP") or shutil.which("ifup") or ""
    if not path:
        return "there is no ifup"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return path if " version 0.8." in done.stdout else "ifup is not that of ifupdown 0.8"


def why_no_ifup() -> str:
    """Why tests that need it are skipped; empty where it is there."""
    return "" if "/" in ifup() else ifup()


# What ifup does ---------------------------------------------------------------------------------


class Made:
    """An address that a command of ifup sets."""

    def __init__(self, label: str, address: IPv4Address | IPv6Address, length: int) -> None:
        self.label = label
        self.main = label.partition(":")[0]
        self.address = address
        self.length = length
        self.peer = ""
        self.broadcast = ""
        self.metric = ""
        self.deprecated = False

    def __repr__(self) -> str:
        return f"{self.label} {self.address}/{self.length} brd {self.broadcast} peer {self.peer}"


class Said:
    """What ifup says: ``made`` are the addresses of commands that ip(8) takes, in order, and
    ``broken`` the interfaces with others. ``missing`` are definitions without an address, at which
    ifup stops, by interface. ``refused`` is the line of a fault for which it takes no file, or 0.
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.broken: set[str] = set()
        self.missing: dict[str, str] = {}
        self.refused = 0


def ask(path: Path, state: Path) -> Said:
    """``ifup --no-act`` of all that is auto, then of the classes of allow-hotplug and its like."""
    said = Said()
    done: set[str] = set()
    classes = dict.fromkeys([FIRST, *re.findall(r"^\s*allow-(\S+)", path.read_text(), re.M)])
    for one in classes:
        words = [ifup(), "-n", "-v", "-a", "--no-scripts", f"--state-dir={state}", "-i", str(path)]
        words += [] if one == FIRST else [f"--allow={one}"]
        ran = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=SECONDS, cwd=state
        )
        lines = ran.stderr.splitlines()
        if any("couldn't read interfaces file" in line for line in lines):
            places = re.findall(rf"{re.escape(str(path))}:(\d+):", ran.stderr)
            said.refused = int(places[-1])
            return said
        _read(lines, said, done)
    return said


def _read(lines: list[str], said: Said, done: set[str]) -> None:
    """Take what one run says, but for interfaces that an earlier one has brought up."""
    iface, here = "", set()
    for line in lines:
        found = re.match(r"ifup: configuring interface (\S+)=", line)
        if found:
            iface = found[1]
            here.add(iface)
        found = re.match(r"ifup: missing required configuration variables for \S+ (.+)/", line)
        if found:
            said.missing[iface] = found[1]
        # The method loopback of inet6 adds ::1 everywhere.
        if (
            iface in done
            or " ::1 " in line
            or not re.match(r"(/\S*/)?(ip( -[46])? a\w* a\w* |ifconfig )", line)
        ):
            continue
        try:
            said.made += _made(line, iface)
        except (ValueError, LookupError):
            said.broken.add(iface)
    done |= here


def _made(line: str, iface: str) -> list[Made]:
    """The address that a command sets, if any. Raises ValueError where it is refused."""
    line = line.replace("${IFACE}", iface).replace("$IFACE", iface).partition("||")[0]
    program, *words = shlex.split(line, comments=True)
    return _by_ip(words) if program.endswith("ip") else _by_ifconfig(words)


KNOWN = ("broadcast", "brd", "peer", "scope", "dev", "label", "metric", "nodad", "preferred_lft")


def _by_ip(words: list[str]) -> list[Made]:
    six = words[0] == "-6"
    words = words[3 if six else 2 :]
    values = {"local": words.pop(0)}
    while words:
        word = words.pop(0)
        if word not in KNOWN:
            raise ValueError(word)
        values["broadcast" if word == "brd" else word] = "" if word == "nodad" else words.pop(0)
    device = values["dev"]
    label = values.get("label", device)
    local, length = _network(values["local"])
    if isinstance(local, IPv6Address) != six:
        raise ValueError("another family")
    made = Made(label, local, length)
    made.deprecated = values.get("preferred_lft") == "0"
    if not made.main or label.partition(":")[0] != device.partition(":")[0]:
        raise ValueError("dev and label do not match")
    if max(len(label), len(device)) > LABEL_MAX:
        raise ValueError("no such device")
    inner = local
    if "peer" in values:
        inner, made.length = _network(values["peer"])
        made.peer = str(inner)
    made.broadcast = values.get("broadcast", "")
    made.metric = values.get("metric", "")
    if made.broadcast in ("+", "-"):
        network = IPv4Network(f"{inner}/{made.length}", strict=False)
        edge = network.broadcast_address if made.broadcast == "+" else network.network_address
        made.broadcast = str(edge) if made.length < 31 else ""
    elif made.broadcast:
        made.broadcast = str(IPv4Address(made.broadcast)) if made.broadcast != "0.0.0.0" else ""
    return [made]


def _network(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Address and length as ip(8) reads them."""
    local, slash, mask = text.partition("/")
    address = IPv6Address(local) if ":" in local else IPv4Address(local)
    bits = address.max_prefixlen
    if mask == "0.0.0.0":
        raise ValueError("what ifup makes of a length over 32, or of a mask that it cannot read")
    if "." in mask:
        return address, IPv4Network(f"0.0.0.0/{_real_mask(mask)}").prefixlen
    if mask.startswith("0") and mask != "0":
        raise ValueError("octal")  # to ip(8); nobody can have meant it
    length = int(mask) if slash else bits
    if not 0 <= length <= bits:
        raise ValueError(mask)
    return address, length


def _real_mask(mask: str) -> str:
    """*mask*, since ipaddress would take a host mask too. Raises ValueError."""
    inverse = int(IPv4Address(mask)) ^ 0xFFFFFFFF
    if inverse & (inverse + 1):
        raise ValueError(mask)
    return str(32 - inverse.bit_length())


def _by_ifconfig(words: list[str]) -> list[Made]:
    """``ifconfig LABEL ADDRESS[/LEN] [netmask MASK] [broadcast ADDRESS] [up]``."""
    label, local, *rest = words
    address, slash, length = local.partition("/")
    values = dict(zip(rest[::2], rest[1::2], strict=False))
    first = IPv4Address(address).packed[0]
    usual = 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else 32
    made = Made(label, IPv4Address(address), usual)
    if "netmask" in values:
        made.length = int(_real_mask(values["netmask"]))
    if slash:
        made.length = int(length)
    if len(label) > LABEL_MAX:
        raise ValueError(label)
    if made.main != "lo" and usual < 31:
        inside = made.length if made.length < 31 else usual
        network = IPv4Network(f"{address}/{inside}", strict=False)
        made.broadcast = str(network.broadcast_address)
    made.broadcast = values.get("broadcast", made.broadcast)
    return [made]


# Random files -----------------------------------------------------------------------------------

MAINS = ("eth0", "eth0", "eth1", "lo", "eth0.5")
TEMPLATES = ("one", "two")
LABELS = (
    "eth0:0", "eth0:0", "eth0:1", "eth0:1", "eth0:2", "eth0:3", "eth0:7", "eth0:10", "eth1:0",
    "eth1:1", "lo:0", "lo:1", "eth0.5:1", "eth0:web", "eth0:007", "eth0:65536", "eth0:0:1",
    "enx0011223344:1", "enx001122334455:0",
)  # fmt: skip
GOOD4 = ("", "/8", "/16", "/24", "/24", "/24", "/25", "/30", "/31", "/32", "/32", "/255.255.0.0",
         "/24 # text", "/024")  # fmt: skip
BAD4 = (" # text", "/33", "/255.0.255.0", "/x", " /24", "x", "/255.255.255.0 # text")
GOOD6 = ("", "/64", "/64", "/128", "/48")
BAD6 = ("/64 # text", "/129", "/064", "x")
MASKS4 = ("255.255.255.0", "255.255.0.0", "255.255.255.255", "255.255.255.254", "24", "8", "31",
          "32", "30")  # fmt: skip
BAD_MASKS4 = ("255.0.255.0", "024", "24 # text", "33", "x")
MASKS6, BAD_MASKS6 = ("64", "128", "48", "0"), ("129", "064", "x")
MASKED = ("", *(f" netmask {mask}" for mask in ("255.255.255.0", "255.255.255.255",
          "255.255.255.255 broadcast 10.0.0.1", "255.0.255.0")))  # fmt: skip
METHODS = ("static",) * 9 + ("manual", "loopback")
LOST = (
    "gateway",
    "mtu",
    "hwaddress",
    "metric",
    "scope",
    "dns-nameservers",
    "description",
    "preferred-lifetime",
)
"""Options of an alias that become notes."""
OTHERS = (
    *(f"{word} 1" for word in LOST), "network 10.0.0.0", "auto", "no-scripts", "no-auto-down",
    "allow-hotplug", "# text", "", "dad-attempts 0", "address \\\n    10.0.0.77/24",
)  # fmt: skip
FAULTS = ("address 10.0.0.1", "iface", "iface eth0", "iface eth0:0 inet", "iface a nosuch static",
          "iface eth0 inet nosuch", "iface eth0 inherits", "iface eth0 inherits nosuch",
          "iface eth0:0 inet static\n    mtu")  # fmt: skip
LISTINGS = ("auto", "auto", "auto", "allow-hotplug", "allow-mine", "no-scripts")


class Writer:
    """A writer of files, from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def file(self) -> str:
        """The text of a file. Most labels are auto, templates come first, and faults are rare."""
        pick = self.dice.choice
        blocks = [["iface eth0:0 inet static", " address 10.9.9.9/24"]]
        for name in TEMPLATES:
            for family in ("inet", "inet6"):
                lines = self.dice.sample(self.options(family), 1)
                blocks.append([f"iface {name} {family} static", *lines])
        blocks += [self.stanza() for _ in range(self.dice.randrange(14))]
        for _ in range(self.dice.randrange(3)):
            word = pick(LISTINGS)
            # After a VLAN in its class ifup does not find NAME=DEFINED.
            more = ("eth0:5=one", "eth0:6=eth0:7") if word == FIRST else ()
            block = [" ".join([word, *self.some(4, (*LABELS, *MAINS, "/nosuch*", *more))])]
            blocks.insert(self.dice.randrange(len(blocks)), block)
        if self.dice.random() < 0.8:
            defined = {block[0].split()[1] for block in blocks if block[0][0] == "i"} - {*TEMPLATES}
            auto = self.dice.sample(sorted(defined), len(defined) * 4 // 5)
            blocks.insert(0, [f"auto {' '.join([*auto, *self.some(1, LABELS)])}"])
        if self.dice.random() < 0.05:
            blocks.insert(self.dice.randrange(len(blocks)), ["auto eth0", pick(FAULTS)])
        return "\n".join(line for block in blocks for line in block) + "\n"

    def some(self, most: int, among: Sequence[str]) -> list[str]:
        return self.dice.choices(among, k=self.dice.randrange(most + 1))

    def seldom(self, usual: str, other: str) -> str:
        return usual if self.dice.random() < 0.92 else other

    def ipv4(self) -> str:
        pick = self.dice.choice
        first = pick([10, 10, 10, 127, 172, 192, 240])
        return f"{first}.{pick([0, 1])}.{pick([0, 1, 2])}.{self.dice.randrange(1, 250)}"

    def ipv6(self) -> str:
        return f"2001:db8:{self.dice.randrange(3):x}::{self.dice.randrange(1, 0xFFFF):x}"

    def address(self, family: str) -> str:
        pick = self.dice.choice
        if family == "inet":
            bad = pick([self.ipv4() + pick(BAD4), self.ipv6()])
            return self.seldom(self.ipv4() + pick(GOOD4), bad)
        bad = pick([self.ipv6() + pick(BAD6), self.ipv4()])
        return self.seldom(self.ipv6() + pick(GOOD6), bad)

    def options(self, family: str) -> list[str]:
        """The lines of a stanza in some order. Mostly there is one address."""
        pick = self.dice.choice
        lines = [f"address {self.address(family)}" for _ in range(pick([1] * 12 + [0, 2]))]
        if self.dice.random() < 0.3:
            masks = (MASKS4, BAD_MASKS4) if family == "inet" else (MASKS6, BAD_MASKS6)
            lines.append(f"netmask {self.seldom(pick(masks[0]), pick(masks[1]))}")
        if family == "inet" and self.dice.random() < 0.3:
            lines.append(f"broadcast {self.seldom(pick(['+', '-', '10.0.0.9', '0.0.0.0']), 'x')}")
        if family == "inet" and self.dice.random() < 0.1:
            lines.append(f"pointopoint {self.ipv4()}{pick(['', '/32', '/30', '/24'])}")
        lines += self.some(1, OTHERS) + [self.command()] * (self.dice.random() < 0.2)
        self.dice.shuffle(lines)
        return [f"    {line}" for line in lines] or ["    network 10.0.0.0"]

    def command(self) -> str:
        """A command that sets a label, or another one."""
        pick = self.dice.choice
        iface = [pick(["$IFACE", "${IFACE}", '"$IFACE"', "eth0"]) for _ in range(2)]
        if self.dice.random() < 0.7:
            iface[1] = iface[0]
        label = f"{iface[0]}:{pick(['0', '1', '4', '12', 'web'])}"
        end = pick(["", " || true", " # text"])
        address = self.seldom(self.ipv4() + pick(["", "/24", "/32", "/31"]), "10.0.0.1/024")
        more = pick(["", " brd +", " broadcast 10.0.0.255", " brd -", " metric 7"])
        by_ip = f"ip addr add {address}{more} dev {iface[1]} label {label}{end}"
        mask = pick(MASKED)
        by_ifconfig = f"ifconfig {label} {self.ipv4()}{mask}{pick(['', ' up'])}{end}"
        other = pick(["echo hello", "ip route add default via 10.0.0.1", "true"])
        word = pick(["up", "up", "post-up", "pre-up", "down"])
        return f"{word} {pick([by_ip, by_ip, by_ifconfig, other])}"

    def stanza(self) -> list[str]:
        pick = self.dice.choice
        name = pick(LABELS) if self.dice.random() < 0.8 else pick([*MAINS, *TEMPLATES])
        family, method = pick(["inet", "inet", "inet", "inet6"]), pick(METHODS)
        inheriting = [f" inherits {pick(TEMPLATES)}", " # text", " text inherits one"]
        head = f"iface {name} {family} {method}" + self.seldom("", pick(inheriting))
        if method != "static":
            return [head, f"    {self.command()}"]
        if self.dice.random() < 0.1:
            head = f"iface {name} inherits {pick(TEMPLATES)}"
        return [head, *self.options(family)]
