"""The verb complete: what may stand at the end of a command line, for the completion of shells.

All of it comes from the tables of the command itself, and names of aliases from the kernel and the
files that declare them. Where a file is expected, nothing is printed: shells then offer files.
"""

from __future__ import annotations

from netalias import errors
from netalias.cli import VERBS, find_verb
from netalias.cli.flags import (
    BATCH,
    COLOR,
    COLORS,
    FLAGS,
    MONITOR,
    SPECIAL,
    TAKING,
    UNTIL,
    spelled,
)
from netalias.cli.output import write
from netalias.cli.show import SUBJECTS, TUNNELS
from netalias.desired import ACD, CONFLICT, HEAL, LINKLOCAL, ON_DOWN, SOURCE, WORDS, arguments
from netalias.kinds import AUTO, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.cli import Options
    from netalias.observed import Observed

NETNS = "/run/netns"
ANNOUNCE = ("off", "every")
VALUES = {
    "kind": (AUTO, *KINDS), "acd": ACD, "conflict": CONFLICT, "heal": HEAL, "on-down": ON_DOWN,
    "announce": ANNOUNCE, "lease": ("off",), "source": SOURCE, "gateway": ("auto", "none"),
    "hw": ("ether",), "linklocal": LINKLOCAL,
}  # fmt: skip
"""Word of an alias: some of its arguments."""
NAMED = {
    "show": False, "save": False, "doctor": False, "monitor": False, "top": False, "renew": True,
    "announce": True, "adopt": True,
}  # fmt: skip
"""Verb that takes names of aliases and main devices: whether it takes ``all`` too."""
MAINS = ("move", "record")
"""Verbs that take names of main devices only."""
PUBLISHING = ("publish", "unpublish")
"""Verbs that take addresses, ``dev`` and a main device."""
CHANGING = ("add", "delete", "rm")
"""Commands of iface that are about an address that may be there."""
POOL = ("take", "release", "show")
"""The words behind the name of a pool."""
MEANT = frozenset(" !\"'`$\\;&|<>()[]{}*?#~^")
"""Characters that mean something to a shell; "!" does not at the end of a word."""
FIXED = {"cat": ("aliases", "alias_types"), "help": (*VERBS, "alias", "bus")}
"""Verb: all of its words."""


def complete(options: Options, words: list[str]) -> int:
    """Print the words that may stand in place of the last one of *words*; the exit status."""
    found = candidates(options, words)
    write("".join(f"{word}\n" for word in found if _harmless(word)))
    return errors.STATUS_OK


def _harmless(word: str) -> bool:
    """Whether a shell takes a word as it is: bash puts it on the command line without quotes, and
    whoever may make a device, or give it a name, could have a command of his run."""
    return word.isprintable() and MEANT.isdisjoint(word.removesuffix("!"))


def candidates(options: Options, words: Sequence[str]) -> list[str]:
    """The words, sorted by tables and names, that begin like the last one of *words*."""
    *before, last = words or [""]
    verb, rest, open_option = _split(options, before)
    option, equals, value = last.partition("=")
    if open_option:
        found = _values(options, verb, open_option, last)
    elif equals and spelled(option) in (*TAKING, *COLOR):
        found = [f"{option}={one}" for one in _values(options, verb, spelled(option), value)]
    elif last.startswith("-"):
        found = [one for one in (*FLAGS, *TAKING, "--color") if _belongs(one, verb)]
    elif not verb and not rest:
        found = [*VERBS, *_names(options, mains=":"), *_declared()]
    elif not verb and ":" not in rest[0] and rest[0].startswith("vif"):
        found = _tunnel(options, rest)
    elif not verb:
        found = _after_deletion(options, rest) if rest[0].endswith("-") else _alias(rest)
    elif verb in MAINS:
        found = _names(options, mains_only=True)
    elif verb == "iface":
        found = _iface(options, rest)
    elif verb in PUBLISHING:
        found = _publishing(options, rest)
    elif verb == "vif":
        found = _tunnel(options, rest)
    elif verb == "filter":
        found = _devices(options)
    elif verb == "link":
        found = _link(options, rest, last)
    elif verb == "relay":
        found = _relay(options, rest)
    elif verb == "cluster":
        found = _cluster(rest)
    elif verb == "pool":
        found = [] if rest[1:] else [*POOL] if rest else _pools()
    elif verb == "show" and rest[:1] and rest[0] in SUBJECTS:
        found = []
    elif verb == "show" and not rest:
        found = [*_names(options), *SUBJECTS, TUNNELS[0]]
    elif verb in NAMED:
        found = [*_names(options), *(("all",) if NAMED[verb] else ())]
    else:
        found = list(FIXED.get(verb, ()))
    return [one for one in dict.fromkeys(found) if one.startswith(last)]


def _split(options: Options, words: Sequence[str]) -> tuple[str, list[str], str]:
    """The verb, empty for the name of an alias; the words after it, or the name and those after
    it; the option that the next word belongs to, or empty."""
    verb = ""
    rest: list[str] = []
    waiting = ""
    for word in words:
        if waiting:
            if TAKING.get(waiting) == "netns":
                options.netns = word
            waiting = ""
        elif word in BATCH and not (verb or rest):
            verb = "batch"
        elif word.startswith("-") and (verb or not rest):
            name = spelled(word)
            alone = name == UNTIL and verb == MONITOR
            waiting = name if name in TAKING and not alone else ""
        elif not verb and not rest and _verb(word):
            verb = _verb(word)
        else:
            rest.append(word)
    return verb, rest, waiting


def _verb(word: str) -> str:
    """The verb that *word* is or abbreviates; empty for the name of an alias or tunnel."""
    try:
        return "" if ":" in word else find_verb(word)
    except errors.UsageError:
        return ""


def _belongs(option: str, verb: str) -> bool:
    return verb in SPECIAL.get(option, (verb,))


def _values(options: Options, verb: str, option: str, last: str) -> list[str]:
    """The values of an option of *verb* that are known; none for a file or a number. *last* is the
    word that they may stand in."""
    if TAKING.get(option) == "netns":
        return _namespaces()
    if option in ("--only", UNTIL):
        return _names(options, mains_only=True)
    if option == "--map":
        done = last.rpartition("=")
        return [f"{done[0]}={one}" for one in _names(options, mains_only=True) if done[1]]
    from netalias.importers import FORMATS
    from netalias.links.levels import LEVELS
    from netalias.plan.moving import MOVED

    tables: dict[str, Sequence[str]] = {
        "--acd": ACD, "--conflict": CONFLICT, "--announce": ANNOUNCE, "--kind": (AUTO, *KINDS),
        "--cd": ("off",), "--log": tuple(LEVELS), **dict.fromkeys(COLOR, COLORS),
        "--kind of move": MOVED, "--from of import": ("kernel", *FORMATS),
        "--on-down of watch": ON_DOWN,
    }  # fmt: skip
    return list(tables.get(f"{option} of {verb}", tables.get(option, ())))


def _namespaces() -> list[str]:
    from os import listdir

    try:
        return sorted(listdir(NETNS))
    except OSError:
        return []


def _alias(words: Sequence[str]) -> list[str]:
    """The words that may follow the name of an alias and the words after it."""
    for back, word in enumerate(reversed(words[1:]), 1):
        if word in WORDS:
            following = words[-back + 1] if back > 1 else ""
            if arguments(word, following) >= back:
                return list(VALUES.get(word, ())) if back == 1 else []
            break
    return [word for word in WORDS if word not in words]


def _after_deletion(options: Options, words: Sequence[str]) -> list[str]:
    """More names to be deleted: other words after the first one are ignored."""
    names = [f"{name}-" for name in (*_names(options), *_declared()) if ":" in name]
    return [name for name in names if name not in words]


def _iface(options: Options, words: Sequence[str]) -> list[str]:
    """A device, a command, and the addresses or families that it may be about."""
    from netalias.cli.iface import COMMANDS, FAMILIES

    if not words:
        return _devices(options)
    if len(words) == 1:
        return list(COMMANDS)
    if len(words) > 2:
        return []
    if words[1].rstrip("!") in CHANGING:
        return _addresses(options, words[0])
    from netalias.desired.keeping import MODES

    following: dict[str, Iterable[str]] = {"clear": FAMILIES, "help": COMMANDS, "keep": MODES}
    return list(following.get(words[1], ()))


def _tunnel(options: Options, words: Sequence[str]) -> list[str]:
    """The name of a tunnel, and the words that may follow its address."""
    if not words:
        names = [name for name in _devices(options) if name.startswith("vif")]
        return [*names, *(f"{name}-" for name in names)]
    return _outer(words[2:]) if words[1:] else []


def _relay(options: Options, words: Sequence[str]) -> list[str]:
    """The words that may follow the prefixes of a relay."""
    if words[1:]:
        return _names(options, mains_only=True) if words[2:] == [] else _outer(words[3:])
    return ["on"] if words else []


def _outer(words: Sequence[str]) -> list[str]:
    """The words about the outside of a tunnel that may follow these."""
    from netalias.desired.tunnels import CARRIAGES, PASSIVE, VALUES

    following = {"to": (PASSIVE,), "carriage": CARRIAGES}
    if len(words) % 2:
        return list(following.get(words[-1], ()))
    return [word for word in VALUES if word not in words]


def _link(options: Options, words: Sequence[str], last: str) -> list[str]:
    """The sub-commands, and behind the name the network devices that a link may use."""
    if not words:
        from netalias.cli.link import ACTIONS

        return list(ACTIONS)
    if len(words) < 2 or not last.startswith("link:"):
        return []
    return [f"link:{name}" for name in _devices(options)]


def _devices(options: Options) -> list[str]:
    """The primary names of all devices; none if the kernel cannot be asked."""
    try:
        with options.engine() as engine:
            return [device.name for device in engine.snapshot().devices.values()]
    except errors.NetaliasError:
        return []


def _addresses(options: Options, device: str) -> list[str]:
    """The manual and negotiated addresses of a device; none if the kernel cannot be asked."""
    from netalias.engine.iface import read
    from netalias.model import address_text
    from netalias.plan.iface import ALIAS

    try:
        with options.engine() as engine:
            entries = read(engine, device).entries
    except errors.NetaliasError:
        return []
    found = (one.address for one in entries if one.origin != ALIAS)
    return [address_text(one.family, one.local) for one in found]


def _cluster(words: Sequence[str]) -> list[str]:
    """The sub-commands; hosts are known to the store only, which is not asked."""
    from netalias.cli.cluster import ACTIONS, AUTO

    if not words:
        return list(ACTIONS)
    return [AUTO] if words[0] == "move" and words[1:] and not words[2:] else []


def _publishing(options: Options, words: Sequence[str]) -> list[str]:
    """``dev`` after an address, and main devices after that."""
    if words and words[-1] == "dev":
        return _names(options, mains_only=True)
    return ["dev"] if words and "dev" not in words else []


def _names(options: Options, mains: str = "", *, mains_only: bool = False) -> list[str]:
    """The names of main devices, with *mains* behind them, and of aliases, unless *mains_only*;
    none if the kernel cannot be asked."""
    try:
        with options.engine() as engine:
            observed = engine.observe()
    except errors.NetaliasError:
        return []
    aliases = [] if mains_only else _aliases(observed)
    return [*(f"{name}{mains}" for name in _mains(observed)), *aliases]


def _declared() -> list[str]:
    """The names of the declared aliases; none if the files cannot be read."""
    from netalias import sources
    from netalias.desired import declarations
    from netalias.families import lazy

    try:
        texts = sources.decode(sources.read(()))
    except (errors.NetaliasError, OSError):
        return []
    return [str(wish.name) for wish, _ in declarations.parse(texts, lazy())]


def _pools() -> list[str]:
    """The names of the declared pools; none if the files cannot be read."""
    from netalias import sources
    from netalias.desired import pools

    try:
        return [*pools.found(sources.decode(sources.read(())))]
    except (errors.NetaliasError, OSError):
        return []


def _aliases(observed: Observed) -> list[str]:
    return [str(alias.name) for alias in observed.aliases]


def _mains(observed: Observed) -> list[str]:
    """The names of devices that are no aliases."""
    own = {alias.device for alias in observed.aliases}
    return [one.name for one in observed.snapshot.devices.values() if one not in own]
