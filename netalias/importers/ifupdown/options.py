"""Options of an interface that say the same to every program that reads interfaces(5)."""

from __future__ import annotations

from netalias import desired, errors
from netalias.importers.ifupdown.commands import effect
from netalias.importers.ifupdown.definitions import COMMANDS, RAISING
from netalias.importers.slots import Found
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from netalias.families import Registry
    from netalias.importers.ifupdown.definitions import Note
    from netalias.importers.ifupdown.syntax import Option
    from netalias.importers.reading import Reading

REASONS = {
    "mtu": "it is that of the main device (kind macvlan has its own)",
    "hwaddress": "it is that of the main device (kind macvlan has its own)",
    "description": "it is that of the main device",
    "gateway": "an alias brings no default route",
    "metric": "it is that of the default route",
    "scope": "the kind decides it",
}
OTHER_REASON = "netalias has nothing like it"
WITHOUT_EFFECT = ("network",)
"""Options that ifup does not use."""


def reason(word: str) -> str:
    """The reason why an option of an alias has no word in a line."""
    return REASONS.get(word, OTHER_REASON)


def take_other(
    reading: Reading, option: Option, name: str, asleep: str, known: Collection[str]
) -> None:
    """Add the labels that a command of the interface *name* sets; note any other option of an alias
    but those that are *known*."""
    if option.word in COMMANDS:
        found, _ = labels(option, name, asleep, reading.registry, reading.note)
        reading.found += found
    elif ":" in name and option.word not in known and option.word not in WITHOUT_EFFECT:
        reading.lost(option.place, name, option.word, reason(option.word))


def labels(
    option: Option, name: str, asleep: str, registry: Registry, note: Note
) -> tuple[list[Found], list[str]]:
    """The labels that a command of the interface *name* sets, addresses of a main device without
    one, and the interfaces that it has brought up. Anything else that it does to an alias is noted.

    Only commands of RAISING are run when an interface comes.
    """
    what = f"{name}: {option.word} is not carried over"
    try:
        done = effect(option.value, name, registry)
        if done is None:
            note(option.place, f"{what}: only a shell knows which addresses it adds")
            return [], []
        found = [
            Found(label, one.local, one.words(check_label(label)), option.place, asleep)
            for label, one in (*done.labels, *(() if ":" in name else done.own))
        ]
        for one in found:
            desired.parse([f"{one.main}:0", *one.words], registry)
    except errors.NetaliasError as error:
        note(option.place, f"{what}: {error.line()}")
        return [], []
    if done.others and ":" in name:
        note(option.place, f"{what}: netalias runs no commands")
    return (found, done.raised) if option.word in RAISING else ([], [])


def check_label(label: str) -> str:
    """The main device of a label that the kernel can have. Raises BadName, LimitError."""
    main = label.partition(":")[0]
    names.check_device(main, label)
    size = len(label.encode("utf-8", "surrogateescape"))
    if size > names.NAME_MAX:
        raise errors.LimitError(
            f"{label}: an address label has {names.NAME_MAX} bytes at most, this one {size}",
            "a device has room for the name: kind macvlan",
        )
    return main
