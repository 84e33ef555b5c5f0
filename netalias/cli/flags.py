"""The options and their values. Imported only if the command has an option."""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from netalias.claim import Policy

    Options = Any
    """The Options of netalias.cli, which imports this module."""

FLAGS: dict[str, tuple[str, object]] = {
    "-4": ("inet", True),
    "-6": ("inet6", True),
    "-br": ("brief", True),
    "--brief": ("brief", True),
    "-d": ("details", True),
    "--details": ("details", True),
    "-h": ("help", True),
    "--help": ("help", True),
    "-j": ("json", True),
    "--json": ("json", True),
    "-o": ("oneline", True),
    "--oneline": ("oneline", True),
    "-p": ("pretty", True),
    "--pretty": ("pretty", True),
    "-q": ("quiet", True),
    "--quiet": ("quiet", True),
    "-t": ("timestamps", True),
    "--timestamps": ("timestamps", True),
    "-v": ("verbose", True),
    "--verbose": ("verbose", True),
    "-V": ("version", True),
    "--version": ("version", True),
    "--absent-ok": ("absent_ok", True),
    "--adopt": ("adopt", True),
    "--all": ("every", True),
    "--allow-empty": ("allow_empty", True),
    "--allow-shrink": ("allow_shrink", True),
    "--bundle": ("bundle", True),
    "--detach": ("detach", True),
    "--dry-run": ("dry_run", True),
    "--exit-when-down": ("exit_when_down", True),
    "--filter": ("filter", True),
    "--follow": ("follow", True),
    "--force": ("force", True),
    "--hands-off": ("hands_off", True),
    "--if-up": ("if_up", True),
    "--kill-sockets": ("kill_sockets", True),
    "--link-local": ("link_local", True),
    "--mac": ("mac", True),
    "--no-initial": ("no_initial", True),
    "--once": ("once", True),
    "--print": ("print", True),
    "--release": ("release", True),
    "--sdp": ("sdp", True),
    "--txt": ("txt", True),
    "--save": ("save", True),
    "--sync": ("sync", True),
    "--syntax": ("syntax", True),
    "--takeover": ("takeover", True),
    "--tap": ("tap", True),
    "--tree": ("tree", True),
}
"""Option: the attribute of Options that it sets, and the value."""

TAKING: dict[str, str] = {
    "-n": "netns",
    "--netns": "netns",
    "--acd": "acd",
    "--announce": "announce",
    "--cd": "cd",
    "--clients-file": "clients",
    "--exit-when-down": "until",
    "--confirm": "confirm",
    "--count": "count",
    "--interval": "interval",
    "--conflict": "conflict",
    "--file": "file",
    "--for": "only",
    "--from": "source",
    "--group": "group",
    "--kind": "kind",
    "--lease": "interval",
    "--limit": "limit",
    "--log": "log",
    "--map": "mapping",
    "--max-aliases": "max_aliases",
    "--metrics": "metrics",
    "--metrics-aliases": "metrics_aliases",
    "--mtu": "mtu",
    "--on-arrival": "on_arrival",
    "--on-carrier": "on_carrier",
    "--on-departure": "on_departure",
    "--on-down": "on_down",
    "--on-no-carrier": "on_no_carrier",
    "--on-up": "on_up",
    "--only": "only",
    "--rate": "rate",
    "--texts": "texts",
    "--wait": "wait",
    "--color": "color",
}
"""Option with an argument, ``--netns NAME`` or ``--netns=NAME``: the attribute of Options, which
options of different verbs may share."""

_DETAIL = ("", "show")
_ROWS = (
    "", "show", "lookup", "types", "check", "reconcile", "save", "import", "doctor", "adopt",
    "announce", "batch", "cluster", "confirm", "filter", "iface", "move", "pool", "publish",
    "record", "relay", "renew", "rollback", "top", "unpublish", "vif",
)  # fmt: skip
_DECLARED = ("", "check", "reconcile", "batch")
_RESIDENT = ("link", "record", "relay", "vif", "watch")
_REHEARSED = (
    "adopt", "announce", "iface", "move", "pool", "publish", "relay", "renew", "unpublish", "vif",
)  # fmt: skip
SPECIAL: dict[str, tuple[str, ...]] = {
    "-4": ("show", "top"),
    "-6": ("show", "top"),
    "-br": _DETAIL,
    "--brief": _DETAIL,
    "-d": (*_DETAIL, "monitor", "vif", "relay"),
    "--details": (*_DETAIL, "monitor", "vif", "relay"),
    "-j": (*_ROWS, "monitor"),
    "--json": (*_ROWS, "monitor"),
    "-o": _DETAIL,
    "--oneline": _DETAIL,
    "-p": _ROWS,
    "--pretty": _ROWS,
    "--acd": ("", "reconcile", "batch", "move", "pool", "watch"),
    "--announce": ("", "reconcile", "batch", "announce", "move", "pool", "watch"),
    "--conflict": ("", "reconcile", "batch", "move", "pool", "watch"),
    "--print": ("filter",),
    "--rate": ("", "reconcile", "batch", "announce", "move", "watch"),
    "--absent-ok": ("", "pool", "vif", "relay"),
    "--adopt": ("import",),
    "--all": ("import",),
    "--allow-empty": ("check", "reconcile", "watch"),
    "--allow-shrink": ("check", "reconcile", "watch"),
    "--bundle": ("link",),
    "--cd": ("link",),
    "--clients-file": ("record",),
    "--confirm": ("reconcile", "move"),
    "--count": ("top",),
    "--detach": ("vif", "relay", "watch", "link"),
    "--dry-run": (*_DECLARED, *_REHEARSED),
    "--exit-when-down": ("monitor", *_RESIDENT),
    "--file": ("record",),
    "--filter": ("link",),
    "--follow": ("record",),
    "--for": ("pool",),
    "--force": (*_DECLARED, "move", "iface", "pool", "publish"),
    "--from": ("batch", "cluster", "import", "pool"),
    "--hands-off": (*_DECLARED, "move", "pool", "watch"),
    "--if-up": ("monitor", *_RESIDENT),
    "--interval": ("top",),
    "--kill-sockets": ("iface",),
    "--kind": ("import", "move"),
    "--lease": ("pool",),
    "--limit": ("record",),
    "--link-local": ("filter", "link"),
    "--log": ("link",),
    "--mac": ("save",),
    "--map": ("import",),
    "--max-aliases": ("check", "reconcile", "batch", "move", "watch"),
    "--metrics": ("reconcile", "watch"),
    "--metrics-aliases": ("reconcile", "watch"),
    "--mtu": ("link",),
    "--no-initial": ("monitor",),
    "--on-arrival": ("monitor",),
    "--on-carrier": ("monitor",),
    "--on-departure": ("monitor",),
    "--on-down": ("monitor", "watch"),
    "--on-no-carrier": ("monitor",),
    "--on-up": ("monitor",),
    "--once": ("top",),
    "--only": ("check", "reconcile", "save"),
    "--release": ("watch",),
    "--save": ("", "adopt", "batch"),
    "--sdp": ("record",),
    "--sync": ("link",),
    "--syntax": ("check",),
    "--takeover": ("watch",),
    "--tap": ("link",),
    "--texts": ("watch",),
    "--timestamps": ("monitor",),
    "--tree": ("show",),
    "--txt": ("record",),
    "-t": ("monitor",),
}
"""Option: the only verbs that have it; the empty one stands for the name of an alias. Every verb
has the other options."""

COLOR = ("-c", "--color")
COLORS = ("auto", "always", "never")
MONITOR = "monitor"
"""The verb for which --exit-when-down is about the devices among its words: it takes no other."""
UNTIL = "--exit-when-down"
BATCH = ("-b", "-batch")
"""Options of ip(8) that stand for the verb batch."""


MEANT = {
    "add": "netalias NAME ADDRESS",
    "addr": "netalias NAME ADDRESS, or show",
    "address": "netalias NAME ADDRESS, or show",
    "apply": "reconcile",
    "create": "netalias NAME ADDRESS",
    "del": "netalias NAME-",
    "delete": "netalias NAME-",
    "diff": "check",
    "down": "netalias NAME down",
    "flush": "netalias NAME-, for a range too: eth0:0-99-",
    "get": "show",
    "info": "show",
    "link": "show",
    "list": "show",
    "ls": "show",
    "proxy": "publish",
    "reload": "reconcile",
    "remove": "netalias NAME-",
    "restart": "reconcile",
    "rm": "netalias NAME-",
    "set": "netalias NAME WORD",
    "start": "reconcile",
    "state": "show",
    "status": "show, or check, or doctor",
    "stop": "netalias reconcile --allow-empty /dev/null",
    "sync": "reconcile",
    "undo": "rollback",
    "up": "netalias NAME up",
    "version": "netalias --version",
}
"""Words of other programs: the equivalent here."""
MEANT_OPTIONS = {
    "-a": "netalias show, which has all aliases",
    "-f": "the file as a word: netalias check FILE",
    "--file": "the file as a word: netalias check FILE",
    "-s": "netalias -d show, or top",
    "--permanent": "--save",
    "--persist": "--save",
    "--persistent": "--save",
    "-stats": "netalias -d show, or top",
}
"""The same for options."""

_BY_HAND = "its line is written by hand: man netalias.conf"
UNSAVED = {
    "iface": _BY_HAND, "record": _BY_HAND, "relay": _BY_HAND, "vif": _BY_HAND,
    "publish": "files do not declare it: publish it again after each boot",
    "unpublish": "files do not declare it",
}  # fmt: skip
"""Verb without --save that makes something: how that can last."""


def unknown(word: str, verbs: list[str], options: Options | None) -> errors.UsageError:
    """The error for a word that is neither one of *verbs* nor the name of an alias; with *options*
    it knows the names of devices."""
    from netalias.desired import nearest

    if options is not None and "_" in word:
        from netalias.cli.hints import of_device

        found = of_device(word.removesuffix("-"), options)
        if found:
            return errors.UsageError(f"{word}: not the name of an alias", found)
    if word == "float":
        hint = "it is a line of the files: man netalias.conf, netalias help cluster"
        return errors.UsageError("float: not a verb", hint)
    near = MEANT.get(word) or nearest(word, verbs)
    hint = f"an alias is called MAIN:SLOT: {word}:0; netalias show {word} shows those of a device"
    if near:
        hint = f"did you mean {near}?"
    return errors.UsageError(f"{word}: neither a verb nor the name of an alias", hint)


def parse(rest: list[str], options: Options) -> list[str]:
    """Set *options* from *rest*; the verb and its words. Raises UsageError."""
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word in BATCH:
            rest.insert(0, "batch")
            break
        _take(_joined(word, rest, rest), rest, options)
    found, rest = rest[:1], rest[1:]
    own = bool(found) and (":" in found[0] or found[0] == "emulate")
    while rest:
        word = rest.pop(0)
        if word == "--" and not own:
            return found + rest
        if word in FLAGS and (word.startswith("--") or word == "-h"):
            _take(word if own else _joined(word, found, rest), rest, options)
        elif own or word == "-" or not word.startswith("-"):
            found.append(word)
        else:
            _take(word, rest, options)
    return found


def _joined(word: str, verb: list[str], rest: list[str]) -> str:
    """The option UNTIL with the device in *rest*, unless the first word of *verb* is MONITOR."""
    if word != UNTIL or not rest or rest[0].startswith("-") or MONITOR.startswith(verb[0]):
        return word
    return f"{word}={rest.pop(0)}"


def _take(word: str, rest: list[str], options: Options) -> None:
    """Set the option *word*, with its argument from *rest*. Raises UsageError."""
    word = spelled(word)
    name, value = take(word, rest)
    setattr(options, name, value)
    option = word.partition("=")[0]
    if option in SPECIAL:
        options.special.append(option)


def spelled(word: str) -> str:
    """An option with the hyphens that it has here: ip(8) writes ``-json`` for ``--json``."""
    name = word.partition("=")[0]
    known = name in FLAGS or name in TAKING or name in COLOR
    long = f"-{name}"
    return word if known or not (long in FLAGS or long in TAKING or long in COLOR) else f"-{word}"


def take(word: str, rest: list[str]) -> tuple[str, object]:
    """The attribute that the option *word* sets, and the value; an argument is taken from *rest*.

    Raises UsageError.
    """
    name, equals, value = word.partition("=")
    if word in FLAGS:
        return FLAGS[word]
    if name in COLOR:
        # As in ip: bare -c means always.
        color = value if equals else "always"
        if color not in COLORS:
            raise errors.UsageError(f"{word}: one of {', '.join(COLORS)} is needed")
        return "color", color
    if name in TAKING:
        if not equals and rest:
            value = rest.pop(0)
        if not value:  # an empty name of a namespace must not mean the present one
            raise errors.UsageError(f"{name} needs an argument")
        return TAKING[name], value
    from netalias.desired import nearest

    near = MEANT_OPTIONS.get(word) or nearest(word, [*FLAGS, *TAKING])
    raise errors.UsageError(
        f"{word}: there is no such option", f"did you mean {near}?" if near else "see --help"
    )


def policy_of(
    acd: str, announce: str, conflict: str, rate: int | None, usual: Policy | None
) -> Policy:
    """The policy of claims by the values of these options. An empty text, or None for *rate*,
    leaves the value of *usual*. Raises UsageError."""
    from netalias.claim import Policy
    from netalias.desired import ACD, CONFLICT, announcement, choice

    found = Policy()
    for slot in Policy.__slots__ if usual is not None else ():
        setattr(found, slot, getattr(usual, slot))
    if acd:
        found.acd = choice("--acd", acd, ACD)
    if conflict:
        found.conflict = choice("--conflict", conflict, CONFLICT)
    if announce:
        found.announce, found.every = announcement("--announce", *announce.split(" ", 1))
    if rate is not None:
        found.rate = rate
    return found


def check_special(found: Sequence[str], verb: str) -> None:
    """Raises UsageError for an option that *verb* does not have, or that says nothing alone."""
    for option in found:
        if verb not in SPECIAL[option]:
            verbs = ", ".join(one or "NAME ADDRESS" for one in SPECIAL[option])
            hint = f"netalias help {verb}" if verb else "netalias --help"
            if verb in _DECLARED and option in MEANT_OPTIONS:
                hint = f"did you mean {MEANT_OPTIONS[option]}?"
            if option == "--save":
                hint = UNSAVED.get(verb, hint)
            raise errors.UsageError(f"{option} belongs to {verbs}", hint)
    if "--if-up" in found and "--exit-when-down" not in found:
        raise errors.UsageError("--if-up belongs to --exit-when-down")
