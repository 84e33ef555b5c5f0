"""Commands of ``up`` and its like that give a device labels: ip(8) and ifconfig(8). Pure.

::

    up ip addr add 10.0.0.1/24 brd + dev $IFACE label $IFACE:1 || true
    up ifconfig $IFACE:2 10.0.0.2 netmask 255.255.255.0
    up ifup eth0:3
"""

from __future__ import annotations

from netalias import errors
from netalias.families.inet import netmask, prefix_length
from netalias.importers.addresses import (
    LOOPBACK,
    Assignment,
    broadcast,
    edge,
    mask,
)
from netalias.importers.ifupdown.shell import QUIET, commands
from netalias.model import AF_INET
from netalias.model.prefix import class_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import Registry

ADD = ("add", "replace")
DELETE = "delete"
TAKING = ("dev", "label", "broadcast", "brd", "peer", "metric", "scope")
"""Words of ``ip addr add`` with an argument."""
OPTIONS = {"netmask": "", "broadcast": "", "pointopoint": ""}
"""Words of ifconfig(8) with an argument."""
PUNCTUATION = "\"'\\();&|<>"
CHANGING = ("inet", "up", "down")
"""Words of ifconfig(8) that say nothing about the address."""


class Effect:
    """The effect of the commands of one option.

    ``labels`` are addresses by label, in order, ``own`` those without one by device. ``raised`` are
    interfaces that ifup is asked for. ``others``: some command does anything but set labels.
    """

    __slots__ = ("labels", "others", "own", "raised")

    def __init__(self) -> None:
        self.labels: list[tuple[str, Assignment]] = []
        self.own: list[tuple[str, Assignment]] = []
        self.raised: list[str] = []
        self.others = False


def effect(text: str, iface: str, registry: Registry) -> Effect | None:
    """The effect of the commands in *text* on labels; None where that cannot be told, and there may
    be some. *iface* is the name of the interface. Raises UsageError for wrong words.
    """
    split = commands(text, iface)
    bare = "".join(" " if one in PUNCTUATION else one for one in text)
    if split is None and _mentions(bare.split()):
        return None
    found = Effect()
    found.others = split is None
    for words in split or ():
        if not _take(words, found, registry):
            if _mentions(words):
                return None
            found.own += _own(words, registry)
            found.others = True
    return found


def _take(words: list[str], found: Effect, registry: Registry) -> bool:
    """Whether *words* are a command of the table in the docstring above, or undo one; *found* gets
    what it does. Raises UsageError."""
    name, *rest = words
    if name == "ip" and _changes_labels(rest):
        found.labels += _ip(rest, registry)
    elif name == "ifconfig":
        found.labels += _ifconfig(rest, registry)
    elif name == "ifup":
        found.raised += [word for word in rest if not word.startswith("-")]
    elif name not in (*QUIET, "ifdown"):
        return False
    return True


def _mentions(words: list[str]) -> bool:
    """Whether a command may set a label."""
    programs = [word.rpartition("/")[2] for word in words]
    return "ifconfig" in programs or ("ip" in programs and "label" in words)


def _changes_labels(words: list[str]) -> bool:
    """Whether the words after ``ip`` add or delete an address with a label."""
    return _changes_addresses(words, (*ADD, DELETE)) and "label" in words[:-1]


def _changes_addresses(words: list[str], verbs: tuple[str, ...]) -> bool:
    """Whether the words after ``ip`` are such a verb of ``ip addr`` and its arguments."""
    words = _command(words)
    return (
        len(words) > 2
        and "address".startswith(words[0])
        and any(verb.startswith(words[1]) for verb in verbs)
    )


def _command(words: list[str]) -> list[str]:
    """The words after ``ip`` without its options."""
    return words[1:] if words[:1] in (["-4"], ["-6"]) else words


def _ip(words: list[str], registry: Registry) -> list[tuple[str, Assignment]]:
    """The label and address of ``ip addr add``, if any. Raises UsageError."""
    words = _command(words)
    if DELETE.startswith(words[1]):
        return []
    values = _arguments(words[2:])
    label, dev = values.get("label", ""), values.get("dev", "")
    if ":" not in label:
        return []
    if label.partition(":")[0] != dev.partition(":")[0]:
        raise errors.UsageError(f"label {label} needs dev {label.partition(':')[0]}")
    return [(label, _assigned(values, registry))]


def _own(words: list[str], registry: Registry) -> list[tuple[str, Assignment]]:
    """The device and address of an ``ip addr add`` without a label, if it says no more than a line
    can."""
    name, *rest = words
    if name != "ip" or not _changes_addresses(rest, ADD):
        return []
    try:
        values = _arguments(_command(rest)[2:])
        device = values.get("dev", ":")
        return [(device, _assigned(values, registry))] if ":" not in device else []
    except errors.NetaliasError:
        return []


def _assigned(values: dict[str, str], registry: Registry) -> Assignment:
    """The address that the words after ``ip addr add`` set. Raises UsageError."""
    found = _address(values.get("local", ""), registry)
    if "peer" in values:
        found.take_peer(values["peer"])
    if "broadcast" in values:
        found.take_broadcast(values["broadcast"])
    found.metric = values.get("metric", "")
    if values.get("scope", "global") != "global":
        raise errors.UsageError(f"scope {values['scope']} is not carried over")
    return found


def _arguments(words: list[str]) -> dict[str, str]:
    """The value of each word after ``ip addr add``, and the address as ``local``. Raises
    UsageError."""
    values: dict[str, str] = {}
    rest = words[::-1]
    while rest:
        word = rest.pop()
        if word in TAKING:
            if not rest:
                raise errors.UsageError(f"{word} needs a value")
            values["broadcast" if word == "brd" else word] = rest.pop()
        elif word[:1].isdigit() or ":" in word:
            values["local"] = word
        else:
            raise errors.UsageError(f"{word} is not carried over")
    return values


def _address(text: str, registry: Registry) -> Assignment:
    """The address ``LOCAL[/LEN]`` of ip(8); without a length it is a host. Raises UsageError."""
    local, slash, length = text.partition("/")
    alias_type = registry.get("inet6" if ":" in local else "inet")
    packed, _ = alias_type.parse(local)
    return Assignment(alias_type, packed, mask(length, alias_type) if slash else alias_type.bits)


def _ifconfig(words: list[str], registry: Registry) -> list[tuple[str, Assignment]]:
    """The label and address of ``ifconfig``, if any. Raises UsageError."""
    label, *rest = words or [""]
    if "add" in rest:
        raise errors.UsageError("ifconfig add takes the next free label")
    if ":" not in label:
        return []
    values = dict(OPTIONS)
    rest = [word for word in rest if word not in CHANGING][::-1]
    while rest:
        word = rest.pop()
        if word in OPTIONS and rest:
            values[word] = rest.pop()
        elif word[:1].isdigit() and "local" not in values:
            values["local"] = word
        else:
            raise errors.UsageError(f"{word} is not carried over")
    if "local" not in values:
        return []
    return [(label, _by_ioctl(label, values, registry))]


def _by_ioctl(label: str, values: dict[str, str], registry: Registry) -> Assignment:
    """The address as the kernel sets it (net/ipv4/devinet.c): by its class, then by the mask.

    The broadcast address follows a mask of up to 30 bits; beyond that it stays that of the class.
    Raises UsageError.
    """
    local, slash, length = values["local"].partition("/")
    inet = registry.get(AF_INET)
    packed, _ = inet.parse(local)
    found = Assignment(inet, packed, class_length(packed))
    has_broadcast = label.partition(":")[0] != LOOPBACK and found.length < 31
    if slash:  # it is set last, whatever the netmask
        found.length = prefix_length(length, values["local"])
        if found.length == 32:
            raise errors.UsageError(f"{values['local']}: ifconfig makes /0 of /32")
    elif values["netmask"]:
        found.length = netmask(values["netmask"])
    if has_broadcast:
        reach = found.length if found.length < 31 else class_length(packed)
        found.broadcast = edge(packed, reach, last=True)
    if values["broadcast"]:
        found.broadcast = broadcast(values["broadcast"])
    if values["pointopoint"]:
        found.peer, _ = inet.parse(values["pointopoint"])
    return found
