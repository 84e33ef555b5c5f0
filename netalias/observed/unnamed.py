"""Labels of others that no alias can be called: ``eth0:web``, ``eth0:007``, that of an old name.

To the kernel a label is any text, and ifconfig(8), ifup(8) and keepalived(8) make use of that. The
aliases here are shown and imported, and never changed.
"""

from __future__ import annotations

from netalias.model import AF_INET, PROTOCOL, Alias
from netalias.model.names import AliasName
from netalias.observed.remnants import is_marked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.observed import Observed

KIND = "label"


class Label(AliasName):
    """A label that is no alias name, of the device *main*; its slot is -1."""

    __slots__ = ()

    def __new__(cls, main: str, text: str) -> Label:
        made = str.__new__(cls, text)
        made.main, made.slot = main, -1
        return made


def unnamed(observed: Observed, wanted: Sequence[str] = ()) -> list[Alias]:
    """The addresses with such labels, in the order of the kernel; with *wanted*, only those that
    are named in it, or whose main devices are."""
    snapshot = observed.snapshot
    mains = [snapshot.device(word) for word in wanted]
    known = {id(alias.entry) for alias in observed.aliases}
    found = []
    for index, entries in snapshot.addresses.items():
        main = snapshot.devices.get(index)
        if main is None or is_marked(main.group, observed.group):
            continue
        every = not wanted or main in mains
        for entry in entries:
            foreign = entry.protocol != PROTOCOL and id(entry) not in known
            wished = every or entry.label in wanted
            if foreign and wished and entry.family == AF_INET and ":" in entry.label:
                name = Label(main.name, entry.label)
                alias = Alias(name, KIND, family=AF_INET, main=main, entry=entry, ours=False)
                alias.address, alias.prefixlen = entry.local, entry.prefixlen
                found.append(alias)
    return found
