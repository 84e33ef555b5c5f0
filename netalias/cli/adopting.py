"""The verb adopt: what others have made becomes ours, by name, by address, or by a file."""

from __future__ import annotations

from netalias import desired, errors, sources
from netalias.cli.output import complain, tell
from netalias.desired import declarations
from netalias.disclosure import withheld
from netalias.model import AF_INET6, address_text, names
from netalias.model.names import SLOT_MAX, AliasName
from netalias.observed.unnamed import unnamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.engine.adopt import Adopted
    from netalias.model import Address, Alias
    from netalias.model.steps import Step
    from netalias.observed import Observed


def adopt_(options: Options, words: list[str]) -> int:
    """Take over what others have made; the exit status."""
    if not words:
        raise errors.UsageError(
            "adopt needs labels: eth0:0, eth0:0-9, those of a main device, eth0, or all"
        )
    files = [word for word in words if _is_file(word)]
    found = sources.read(files) if files else []
    with options.engine() as first, first.transaction(dry=options.dry_run):
        engine = first
        if options.dry_run:
            from netalias.cli.rehearsal import rehearsal

            engine = rehearsal(first)
        steps, notes = _adopt(options, engine, [word for word in words if word not in files], found)
    for note in notes if not options.quiet else ():
        complain(note, "warning: ")
    tell(options, steps)
    return errors.STATUS_OK


def names_only(words: list[str]) -> None:
    """Refuse what --save cannot declare. Raises UsageError."""
    for word in words:
        if _is_file(word) or _is_address(word):
            raise errors.UsageError(
                f"{word}: --save declares labels by their names only",
                "adopt it without --save; netalias save prints its line",
            )


def floating(
    options: Options, engine: Engine, addresses: Iterable[tuple[AliasName, bytes]]
) -> None:
    """Raises AlreadyExists for an address that floats: it would stand for ever."""
    from netalias.cli.floating import refuse

    named = [(str(name), packed) for name, packed in addresses]
    refuse(options, engine, named, "netalias watch makes it, where the cluster says")


def _is_file(word: str) -> bool:
    """Whether a word is a path: it has a slash, and is no address with a prefix length."""
    return "/" in word and (word[0] in "./" or not _is_address(word))


def _is_address(word: str) -> bool:
    return word[0].isdigit() or word.count(":") > 1


def _adopt(
    options: Options, engine: Engine, words: Sequence[str], found: list[tuple[str, bytes]]
) -> tuple[list[Step], list[str]]:
    """Adopt what *words* select, and what the files *found* declare; the steps that were done, and
    notes. Raises BadName, NoSuchDevice, AlreadyExists, StateError, KernelError."""
    from netalias.engine.adopt import adopt, select
    from netalias.engine.renaming import adopt_as

    observed = engine.observe()
    wishes, rest = _by_address(words, observed)
    chosen = select(observed, rest, [])  # all or nothing
    floating(options, engine, [(one.name, one.address) for one in chosen])
    floating(options, engine, [(one.name, one.address) for one in wishes])
    steps: list[Step] = []
    notes: list[str] = []
    done = [adopt(engine, rest)] if rest else []
    done += [adopt_as(engine, wishes)] if wishes else []
    if found:
        parsed = declarations.parse(sources.decode(found), engine.registry, withheld)
        declarations.check(parsed)
        floating(options, engine, [(wish.name, wish.address) for wish, _ in parsed])
        by_file = adopt_wishes(engine, [wish for wish, _ in parsed])
        steps, notes = by_file.steps, by_file.notes
    for one in done:
        steps, notes = [*one.steps, *steps], [*one.notes, *notes]
    return steps, notes


def _by_address(words: Sequence[str], observed: Observed) -> tuple[list[Wish], list[str]]:
    """The wishes of pairs of name and address, and of labels that are no names; the other words.
    Raises BadName, BadAddress, NoSuchDevice."""
    wishes: list[Wish] = []
    rest: list[str] = []
    used: set[AliasName] = set()
    left = list(words)
    while left:
        word = left.pop(0)
        if left and ":" in word and _is_address(left[0]):
            wishes.append(_named(word, left.pop(0), observed))
            continue
        labels = unnamed(observed, (word,)) if ":" in word else []
        wishes += [_with_slot(one, used, observed) for one in labels]
        rest += [] if labels else [word]
    return wishes, rest


def _named(word: str, text: str, observed: Observed) -> Wish:
    """The wish for an address that is on a main device, under a name."""
    name, deletes = names.parse(word)
    if deletes:
        raise errors.UsageError(f"{word}: a name is needed, and not a deletion")
    local, _, length = text.partition("/")
    packed, _ = observed.registry.get("ipv6" if ":" in local else "ip").parse(local)
    main = observed.main(name)
    for entry in observed.snapshot.on(main.index):
        asked = entry.noted or entry.prefixlen
        if entry.local == packed and (not length or length == str(asked)):
            for alias in observed.aliases:
                if alias.entry is entry and alias.ours and alias.name.slot != name.slot:
                    raise errors.AlreadyExists(f"{word}: {text} belongs to {alias.name} already")
            return _wish(AliasName(main.name, name.slot), entry, observed)
    raise errors.NoSuchDevice(f"{word}: {main.name} has no address {text}")


def _with_slot(alias: Alias, used: set[AliasName], observed: Observed) -> Wish:
    """The wish for a label that is no name: under the name that files of this host have for its
    address, else under the lowest free slot, which is *used* then."""
    main, entry = alias.main, alias.entry
    assert main is not None
    assert entry is not None
    here = taken(observed)
    declared = [
        name for name, all_of in here.items() if name.main == main.name and entry.local in all_of
    ]
    free = (AliasName(main.name, slot) for slot in range(SLOT_MAX + 1))
    name = next(
        (one for one in declared if one not in observed.by_name and one not in used),
        None,
    ) or next(one for one in free if one not in here and one not in used)
    used.add(name)
    return _wish(name, entry, observed)


def _wish(name: AliasName, entry: Address, observed: Observed) -> Wish:
    """The wish for a label with an address as it stands."""
    address = f"{address_text(entry.family, entry.local)}/{entry.prefixlen}"
    words = ["deprecated"] if entry.family == AF_INET6 and entry.preferred == 0 else []
    return desired.parse([str(name), address, "kind", "label", *words], observed.registry)


class AdoptedWishes:
    """The ``steps`` that were done, ``notes`` on what was left alone, and the ``count`` of
    addresses."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.count = 0

    def take(self, done: Adopted) -> None:
        """Add what was done."""
        self.steps += done.steps
        self.notes += done.notes


def adopt_wishes(engine: Engine, wishes: Iterable[Wish]) -> AdoptedWishes:
    """Adopt the addresses of *wishes* that others have made, on their main devices and with their
    prefix lengths: labels with these names in place, all others under the names of the wishes. The
    caller is in a transaction. Raises StateError, KernelError."""
    from netalias.engine.adopt import adopt
    from netalias.engine.renaming import adopt_as, standing

    observed = engine.observe()
    found = AdoptedWishes()
    same: list[str] = []
    others: list[Wish] = []
    for wish in (one for one in wishes if one.address):
        alias, entry = observed.find(wish.name), standing(wish, observed)
        if alias is not None and not alias.ours:
            length = alias.prefixlen
            if (alias.address, length) == (wish.address, _length(wish)):
                same.append(str(wish.name))
                continue
            there = f"{address_text(alias.family, alias.address)}/{length}"
            found.notes.append(f"{wish.name}: not adopted: it is there as {there}")
        elif alias is None and entry is not None:
            if entry.prefixlen == _length(wish):
                name = _primary(wish, observed)
                if wish.kind != "label":
                    wish = _wish(name, entry, observed)
                wish.name = name
                others.append(wish)
                continue
            there = f"{address_text(entry.family, entry.local)}/{entry.prefixlen}"
            found.notes.append(f"{wish.name}: not adopted: it is there as {there}")
    found.count = len(same) + len(others)
    if same:
        found.take(adopt(engine, same))
    if others:
        found.take(adopt_as(engine, others))
    return found


def _length(wish: Wish) -> int:
    """The prefix length of a wish; without one, that of a host."""
    assert wish.type is not None
    return wish.prefixlen if wish.prefixlen is not None else wish.type.bits


def _primary(wish: Wish, observed: Observed) -> AliasName:
    """The name of *wish* with the primary name of the main device."""
    return AliasName(observed.main(wish.name).name, wish.name.slot)


def taken(observed: Observed) -> dict[AliasName, set[bytes]]:
    """The names of all aliases in the kernel and in the files of this host, with their addresses.
    Files that cannot be read say nothing."""
    try:
        texts = sources.decode(sources.read(()))
    except errors.NetaliasError:
        texts = []
    pairs = [(wish.name, wish.address) for wish, _ in declarations.parse(texts, observed.registry)]
    pairs += [(alias.name, alias.address) for alias in observed.aliases]
    found: dict[AliasName, set[bytes]] = {}
    for name, address in pairs:
        found.setdefault(name, set()).update([address] if address else [])
    return found
