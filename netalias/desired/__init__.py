"""The desired state: one alias as the words after ``netalias`` ask for it, a Wish.

ranges.py has ranges of slots and addresses, declarations.py the files, index.py the declared
aliases by name, export.py the way back from aliases to lines of a file. amend.py changes the lines
of files for a command, resets.py tells what a command changes without naming it, and spelling.py
spells them.

Grammar (the words of ifconfig(8), in any order after the name)::

    wish    = reference word*
    word    = [ TYPE ] ADDRESS[/LEN] | "netmask" MASK | "prefixlen" LEN | "broadcast" ADDRESS
            | "-broadcast" | "pointopoint" ADDRESS | "metric" N | "mtu" N
            | "hw" "ether" MAC | "hw" "ether" "random" | "kind" KIND | "up" | "down" | "optimistic"
            | "acd" "off" | "acd" "fast" | "acd" "rfc"
            | "conflict" "skip" | "conflict" "abort"
            | "announce" "off" | "announce" N | "announce" "every" SECONDS
            | "heal" "on" | "heal" "off" | "on-down" "free" | "on-down" "keep"
            | "lease" SECONDS | "lease" "off"
            | "deprecated" | "source" "on" | "source" "auto"
            | "gateway" ADDRESS | "gateway" "auto" | "gateway" "none"
            | "linklocal" "on" | "linklocal" "auto"

Words after a deleting name (``eth0:0-``) are ignored, as in Linux 2.0.
"""

from __future__ import annotations

from netalias import errors
from netalias.families import BUILTIN_WORDS
from netalias.model import RANDOM_MAC, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.families import AliasType, Registry
    from netalias.model.names import AliasName

NUMBER_MAX = 0xFFFFFFFF
LEASE_MAX = NUMBER_MAX - 1
"""Longest lease in seconds; one more means for ever (IFA_CACHEINFO)."""
ROUNDS_MAX = 99999
"""Largest number of announcements, and longest period between them in seconds."""
ACD = ("off", "fast", "rfc")
CONFLICT = ("skip", "abort")
HEAL = ("on", "off")
ON_DOWN = ("free", "keep")
SOURCE = ("on", "auto")
LINKLOCAL = ("on", "auto")


class Wish:
    """One alias as it is asked for; None, or an empty value, stands for a word that was not given.

    ``address`` and ``peer`` are packed; ``broadcast`` is None for the usual one and empty for none.
    ``lenient``: a kind without an MTU ignores ``mtu`` instead of refusing it. ``acd``,
    ``conflict``, ``heal`` and ``on_down`` hold words of the grammar. ``announce`` is the number of
    announcements, ``every`` the seconds between repeated ones or 0; ``optimistic``: the address is
    used while the kernel probes for it (RFC 4429). ``lease`` is the lifetime of the address in
    seconds, 0 for ever. ``mac`` is RANDOM_MAC for one of chance. ``deprecated``: the address is not
    chosen as a source (RFC 4862); ``source`` says whether it may be chosen where the main device
    has an address of its own.
    ``gateway`` is the text of an address, ``auto`` or ``none``; ``linklocal`` says whether its
    device gets a link-local address of its own. Both are of the type gateways.Usual where they come
    from defaults.
    """

    __slots__ = (
        "acd", "address", "announce", "broadcast", "conflict", "delete", "deprecated", "every",
        "gateway", "heal", "kind", "lease", "lenient", "linklocal", "mac", "metric", "mtu",
        "name", "netmask", "on_down", "optimistic", "peer", "prefixlen", "source", "type", "up",
    )  # fmt: skip

    def __init__(self, name: AliasName, delete: bool = False) -> None:
        self.name = name
        self.delete = delete
        self.type: AliasType | None = None
        self.address = b""
        self.prefixlen: int | None = None
        self.netmask = False
        self.peer = b""
        self.broadcast: bytes | None = None
        self.metric: int | None = None
        self.mtu = 0
        self.mac = b""
        self.kind = ""
        self.lenient = False
        self.up: bool | None = None
        self.acd = self.conflict = self.heal = self.on_down = self.source = ""
        self.announce: int | None = None
        self.every = 0
        self.optimistic = self.deprecated = False
        self.lease: int | None = None
        self.gateway = self.linklocal = ""

    @property
    def led(self) -> bool:
        """Whether the alias is to have a gateway."""
        return self.gateway not in ("", "none")

    @property
    def empty(self) -> bool:
        """Whether no word was given: such a command shows the alias."""
        fresh = Wish(self.name)
        return all(getattr(self, slot) == getattr(fresh, slot) for slot in self.__slots__)

    def copy(self, name: AliasName, address: bytes) -> Wish:
        """The same wish for another alias; *address* is packed."""
        new = Wish.__new__(Wish)
        new.name = name
        new.delete = self.delete
        new.type = self.type
        new.address = address
        new.prefixlen = self.prefixlen
        new.netmask = self.netmask
        new.peer = self.peer
        new.broadcast = self.broadcast
        new.metric = self.metric
        new.mtu = self.mtu
        new.mac = self.mac
        new.kind = self.kind
        new.lenient = self.lenient
        new.up = self.up
        new.acd = self.acd
        new.conflict = self.conflict
        new.announce = self.announce
        new.every = self.every
        new.optimistic = self.optimistic
        new.deprecated = self.deprecated
        new.source = self.source
        new.heal = self.heal
        new.on_down = self.on_down
        new.lease = self.lease
        new.gateway = self.gateway
        new.linklocal = self.linklocal
        return new

    def check(self, alias_type: AliasType) -> None:
        """Check the words that depend on the type of the address. Raises UsageError."""
        if self.prefixlen is not None and self.prefixlen > alias_type.bits:
            raise errors.UsageError(
                f"{self.name}: prefix length {self.prefixlen} is over {alias_type.bits}"
            )
        if self.netmask and alias_type.size != 4:
            raise errors.UsageError(
                f"{self.name}: only an IPv4 address has a netmask", "prefixlen, or ADDRESS/LEN"
            )
        if self.broadcast and alias_type.size != 4:
            raise errors.UsageError(f"{self.name}: only an IPv4 address has a broadcast address")
        for word in ("optimistic", "deprecated"):
            if getattr(self, word) and alias_type.size != 16:
                raise errors.UsageError(f"{self.name}: only an IPv6 address can be {word}")
        if self.deprecated and self.source == "on":
            raise errors.UsageError(
                f"{self.name}: deprecated contradicts source on",
                "a deprecated address is not chosen as a source",
            )
        if self.led:
            from netalias.desired.gateways import check

            check(self.name, self.gateway, alias_type)


def parse(words: Sequence[str], registry: Registry, limit: int = names.SLOT_MAX) -> Wish:
    """The wish of one command. Raises UsageError (BadName, BadAddress) or FamilyError.

    *limit* is the largest slot. ``word`` of a UsageError is the index of the wrong word.
    """
    name, delete = names.parse(words[0], limit)
    wish = Wish(name, delete)
    take = _ignore if delete else _take
    rest = list(words[:0:-1])
    try:
        while rest:
            take(wish, rest, registry)
    except errors.UsageError as error:
        error.word = len(words) - 1 - len(rest)
        raise
    if wish.type is not None:
        wish.check(wish.type)
    return wish


def only_filed(wish: Wish) -> str:
    """The word of *wish* that only a file can carry, empty for none: it says what is to be done
    later, and the kernel keeps no record of it."""
    return (
        "heal" if wish.heal else "on-down" if wish.on_down else "announce every" * bool(wish.every)
    )


def check_command(wish: Wish) -> None:
    """Check that *wish* has no word that only a file can carry. Raises UsageError."""
    if wish.heal or wish.on_down or wish.every:
        raise errors.UsageError(
            f"{wish.name}: {only_filed(wish)} is for files only", "--save writes it into them"
        )


def _ignore(wish: Wish, rest: list[str], registry: Registry) -> None:
    """Drop one word, but refuse an option: ignoring ``-n NAME`` would delete another alias."""
    word = rest.pop()
    if word.startswith("-"):
        raise errors.UsageError(f"{wish.name}: {word}: options stand before the name")


def _take(wish: Wish, rest: list[str], registry: Registry) -> None:
    """Apply one word and its arguments; they are taken off the end of *rest*, a reversed list."""
    word = rest.pop()
    if word in WORDS:
        _, what, handler = WORDS[word]
        count = arguments(word, rest[-1] if rest else "")
        if len(rest) < count:
            raise errors.UsageError(f"{wish.name}: {word} needs {what}")
        handler(wish, *[rest.pop() for _ in range(count)])
        return
    guessed = guess_type(word)
    if guessed:
        if _is_name(word):
            raise errors.UsageError(
                f"{wish.name}: {word} is another alias, and a command has one",
                "netalias batch takes many commands; a line of a file, many slots",
            )
        _address(wish, word, registry.get(guessed))
        return
    found = _named_type(wish, word, registry)
    if not rest or rest[-1] in WORDS:
        raise errors.UsageError(f"{wish.name}: {word} needs an address")
    _address(wish, rest.pop(), found)


def _is_name(word: str) -> bool:
    """Whether *word* is ``eth0:3`` or ``eth0:3-`` and no mistyped IPv6 address."""
    name = names.split(word.removesuffix("-")) if ":" in word else None
    return name is not None and bool(name.main.strip("0123456789abcdefABCDEF"))


def arguments(word: str, following: str) -> int:
    """The number of arguments of *word*, a key of WORDS; *following* is the word after it."""
    return 2 if word == "announce" and following == "every" else WORDS[word][0]


def guess_type(word: str) -> str:
    """The name of the type whose addresses look like *word*, or empty."""
    if ":" in word:
        return "inet6"
    return "inet" if word[:1].isdigit() else ""


def _named_type(wish: Wish, word: str, registry: Registry) -> AliasType:
    found = None if word.startswith("-") else registry.find(word)
    if found is not None:
        return found
    from netalias.desired.hints import meant

    hint = meant(wish.name, word)
    if word.startswith("-") and not hint:
        raise errors.UsageError(f"{wish.name}: {word}: options stand before the name")
    near = nearest(word, [*WORDS, *BUILTIN_WORDS])
    if not hint:
        hint = f"did you mean {near}?" if near else "an address, or one of: " + " ".join(WORDS)
    raise errors.UsageError(f"{wish.name}: '{word}' is not a word that netalias knows", hint)


def _address(wish: Wish, text: str, found: AliasType) -> None:
    if wish.address:
        from netalias.desired.hints import second

        raise errors.UsageError(f"{wish.name}: {text}: one alias has one address", second(text))
    address, prefixlen = _parsed(wish, text, found)
    if not any(address):
        raise errors.BadAddress(
            f"{wish.name}: {text} cannot be the address of an alias",
            f"netalias {wish.name}- deletes the alias",
        )
    wish.type, wish.address = found, address
    if prefixlen is not None:
        _set_prefix(wish, prefixlen)


def _parsed(wish: Wish, text: str, found: AliasType) -> tuple[bytes, int | None]:
    try:
        return found.parse(text)
    except errors.BadAddress as error:
        raise errors.BadAddress(f"{wish.name}: {error}", error.hint) from None


def _set_prefix(wish: Wish, prefixlen: int) -> None:
    if wish.prefixlen not in (None, prefixlen):
        raise errors.UsageError(
            f"{wish.name}: prefix length {prefixlen} contradicts {wish.prefixlen}"
        )
    wish.prefixlen = prefixlen


def _netmask(wish: Wish, text: str) -> None:
    from netalias.families.inet import netmask

    _set_prefix(wish, netmask(text))
    wish.netmask = True


def _prefixlen(wish: Wish, text: str) -> None:
    _set_prefix(wish, number(wish, "prefixlen", text, 128))


def _broadcast(wish: Wish, text: str) -> None:
    from netalias.families.inet import quad

    packed = quad(text)
    if packed is None:
        raise errors.BadAddress(f"{wish.name}: broadcast {text}: not an IPv4 address")
    wish.broadcast = packed if any(packed) else b""  # 0.0.0.0 is none to the kernel


def _peer(wish: Wish, text: str) -> None:
    if wish.type is None:
        raise errors.UsageError(f"{wish.name}: pointopoint must follow the address")
    wish.peer, length = _parsed(wish, text, wish.type)
    if length is not None:
        _set_prefix(wish, length)


def _mtu(wish: Wish, text: str) -> None:
    wish.mtu = number(wish, "mtu", text)
    if not wish.mtu:
        raise errors.UsageError(f"{wish.name}: mtu {text}: an MTU is at least 68 bytes")


def _metric(wish: Wish, text: str) -> None:
    wish.metric = number(wish, "metric", text)


def _hardware(wish: Wish, kind: str, text: str) -> None:
    if kind != "ether":
        raise errors.UsageError(f"{wish.name}: hw {kind}: only 'hw ether MAC' is known")
    wish.mac = RANDOM_MAC if text == "random" else mac(f"{wish.name}: hw ether", text)


def _kind(wish: Wish, text: str) -> None:
    from netalias.kinds import AUTO, KINDS, choices

    if text not in (AUTO, *KINDS):
        near = nearest(text, [AUTO, *KINDS])
        hint = f"did you mean {near}?" if near else f"one of {choices()}"
        raise errors.UsageError(f"{wish.name}: kind {text}: there is no such kind", hint)
    wish.kind = text


def _acd(wish: Wish, text: str) -> None:
    wish.acd = choice(f"{wish.name}: acd", text, ACD)


def _conflict(wish: Wish, text: str) -> None:
    wish.conflict = choice(f"{wish.name}: conflict", text, CONFLICT)


def _announce(wish: Wish, text: str, seconds: str = "") -> None:
    wish.announce, wish.every = announcement(f"{wish.name}: announce", text, seconds)


def _heal(wish: Wish, text: str) -> None:
    wish.heal = choice(f"{wish.name}: heal", text, HEAL)


def _on_down(wish: Wish, text: str) -> None:
    wish.on_down = choice(f"{wish.name}: on-down", text, ON_DOWN)


def _lease(wish: Wish, text: str) -> None:
    if text == "off":
        wish.lease = 0
        return
    seconds = names.number(text)
    if not 0 < seconds <= LEASE_MAX:
        raise errors.UsageError(
            f"{wish.name}: lease {text}: off, or seconds from 1 to {LEASE_MAX} are needed"
        )
    wish.lease = seconds


def _gateway(wish: Wish, text: str) -> None:
    from netalias.desired.gateways import checked

    wish.gateway = checked(f"{wish.name}: gateway", text)


def _linklocal(wish: Wish, text: str) -> None:
    wish.linklocal = choice(f"{wish.name}: linklocal", text, LINKLOCAL)


def _optimistic(wish: Wish) -> None:
    wish.optimistic = True


def _deprecated(wish: Wish) -> None:
    wish.deprecated = True


def _source(wish: Wish, text: str) -> None:
    wish.source = choice(f"{wish.name}: source", text, SOURCE)


def _up(wish: Wish) -> None:
    wish.up = True


def _down(wish: Wish) -> None:
    wish.up = False


def _no_broadcast(wish: Wish) -> None:
    wish.broadcast = b""


WORDS: dict[str, tuple[int, str, Callable[..., None]]] = {
    "netmask": (1, "a mask such as 255.255.255.0", _netmask),
    "prefixlen": (1, "a number of bits", _prefixlen),
    "broadcast": (1, "an address", _broadcast),
    "-broadcast": (0, "", _no_broadcast),
    "pointopoint": (1, "an address", _peer),
    "metric": (1, "a number", _metric),
    "mtu": (1, "a number of bytes", _mtu),
    "hw": (2, "a class and an address: hw ether 02:00:00:00:00:01", _hardware),
    "kind": (1, "the name of a kind", _kind),
    "acd": (1, "off, fast or rfc", _acd),
    "conflict": (1, "skip or abort", _conflict),
    "announce": (1, "off, a number, or every SECONDS", _announce),
    "heal": (1, "on or off", _heal),
    "on-down": (1, "free or keep", _on_down),
    "optimistic": (0, "", _optimistic),
    "lease": (1, "a number of seconds, or off", _lease),
    "deprecated": (0, "", _deprecated),
    "source": (1, "on or auto", _source),
    "gateway": (1, "an address, auto or none", _gateway),
    "linklocal": (1, "on or auto", _linklocal),
    "up": (0, "", _up),
    "down": (0, "", _down),
}
"""Word: the number of its arguments, their description, and the function that applies them."""


def choice(what: str, text: str, known: Sequence[str]) -> str:
    """*text*, which must be one of *known*. Raises UsageError; *what* begins the message."""
    if text not in known:
        raise errors.UsageError(f"{what} {text}: one of {', '.join(known)} is needed")
    return text


def announcement(what: str, text: str, seconds: str = "") -> tuple[int, int]:
    """The number of announcements, and the seconds between repeated ones or 0.

    *text* is ``off``, a number, or ``every`` with *seconds*. Raises UsageError.
    """
    if text == "off":
        return 0, 0
    every = text == "every"
    found = names.number(seconds if every else text, 5)
    if found < 1:
        needed = "a number of seconds" if every else "off, every SECONDS, or a number"
        said = f"{what} {text} {seconds}".rstrip()
        raise errors.UsageError(f"{said}: {needed} from 1 to {ROUNDS_MAX} is needed")
    return (1, found) if every else (found, 0)


def number(wish: Wish, word: str, text: str, limit: int = NUMBER_MAX) -> int:
    """A decimal number from 0 to *limit*. Raises UsageError."""
    found = names.number(text)
    if not 0 <= found <= limit:
        raise errors.UsageError(f"{wish.name}: {word} {text}: a number from 0 to {limit} is needed")
    return found


def mac(what: str, text: str) -> bytes:
    """Six bytes from ``02:00:00:00:00:01``. Raises BadAddress, for zero and group addresses too."""
    parts = text.replace("-", ":").split(":")
    try:
        if text.isascii() and len(parts) == 6 and all(map(_is_byte, parts)):
            packed = bytes(int(part, 16) for part in parts)
            if packed[0] & 1 or not any(packed):
                raise errors.BadAddress(f"{what} {text}: not the MAC of a single station")
            return packed
    except ValueError:
        pass  # a digit that is not hexadecimal; the error below covers it
    raise errors.BadAddress(f"{what} {text}: not a MAC", "such as 02:00:00:00:00:01")


def _is_byte(text: str) -> bool:
    """Whether *text* is one or two letters or digits: int() would take signs and blanks too."""
    return len(text) in (1, 2) and text.isalnum()


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word most like *word*, or empty when none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, 0.7)), "")
