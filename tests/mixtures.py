"""Labels on main devices in any mixture, and a file that makes anything of them: one run, and
nothing is lost. The same over the kernel in memory and over the real one.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from ipaddress import ip_interface
from random import Random

from declared_machine import entry_of, faults, foreign
from hypothesis import note

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine
from netalias.engine.reconcile import Rules, look, reconcile
from netalias.kinds import MAGIC
from netalias.model import AF_INET, PROTOCOL, Snapshot
from netalias.model.names import AliasName
from netalias.model.steps import AddAddress, SetLink
from netalias.views.diff import line

MAINS = ("eth0", "eth1")
SLOTS = range(9)
ADDRESSES = (
    *(f"198.51.100.{last}" for last in range(1, 6)),
    *(f"198.51.101.{last}" for last in range(1, 4)),
    *(f"2001:db8::{last}" for last in range(1, 4)),
)
LENGTHS = {4: (25, 25, 24, 16, 32), 6: (64, 64, 128)}
KINDS = ("label", "label", "macvlan", "dummy", "")
"""With ipvlan, kinds could exclude each other."""


class Watchful:
    """Part of a kernel, which looks now and then which of the addresses ``kept`` are ``away``."""

    kept: Set[bytes] = frozenset()
    away: Set[bytes] = frozenset()

    def look(self, snapshot: Snapshot) -> None:
        """Note those that are away now."""
        here = {entry.local for entries in snapshot.addresses.values() for entry in entries}
        self.away = self.away | (self.kept - here)


def hold(engine: Engine, kernel: Watchful, random: Random, kinds: Sequence[str] = KINDS) -> None:
    """Put labels on both main devices, reconcile a file, and look at what came of it: nothing is
    refused, nothing is lost, and a second run has nothing to do. *kernel* is that of *engine*."""
    for main in MAINS:
        _promote(engine, main, random.randrange(2))
    _label(engine, random)
    lines = _written(engine, random, kinds)
    text = "".join(f"{name} {words}\n" for name, words in lines.items())
    theirs = foreign(engine.kernel.snapshot())
    note(f"{_labels(engine)}\n{text}")
    kernel.kept = _staying(engine, lines)
    outcome = reconcile(engine, _parsed(engine, text), Rules(allow_empty=True))
    note(f"{_labels(engine)}")
    assert outcome.wrong == []
    assert [str(item.error) for item in outcome.failed] == []
    assert [one.line() for one in outcome.diff.skipped] == []
    assert outcome.status == errors.STATUS_OK
    again = look(engine, _parsed(engine, text), Rules(allow_empty=True))
    assert [line(item, engine.registry) for item in again.items] == []
    assert faults(engine.kernel.snapshot(), lines) == []
    assert foreign(engine.kernel.snapshot()) == theirs
    assert kernel.away == set()


def _promote(engine: Engine, main: str, value: int) -> None:
    """Set promote_secondaries of a main device."""
    device = engine.kernel.snapshot().device(main)
    assert device is not None
    engine.kernel.send([SetLink(main, device.index, conf={"promote_secondaries": value})])


def _label(engine: Engine, random: Random) -> None:
    """Addresses on both main devices in any order: adopted labels, and those of others."""
    for text in random.sample(ADDRESSES, random.randrange(1, len(ADDRESSES) + 1)):
        main, slot = random.choice(MAINS), random.choice(SLOTS)
        place = ip_interface(text)
        entry = entry_of(f"{text}/{random.choice(LENGTHS[place.version])}")
        entry.protocol = random.choice((PROTOCOL, PROTOCOL, PROTOCOL, 0))
        if engine.observe().by_name.get(AliasName(main, slot)):
            entry.protocol = 0  # the name is taken
        elif entry.family == AF_INET:
            entry.label = f"{main}:{slot}"
        else:
            entry.metric = MAGIC | slot
        if entry.protocol or entry.family == AF_INET:
            device = engine.kernel.snapshot().device(main)
            assert device is not None
            answers = engine.kernel.send([AddAddress(main, device.index, entry)])
            assert answers == [None], answers


def _labels(engine: Engine) -> list[str]:
    """The addresses of both main devices, for a note."""
    snapshot = engine.kernel.snapshot()
    found = (snapshot.device(main) for main in MAINS)
    return [repr(entry) for device in found if device for entry in snapshot.on(device.index)]


def _parsed(engine: Engine, text: str) -> declarations.Declarations:
    found = declarations.parse([("t.conf", text)], engine.registry)
    assert found.errors == []
    return found


def _strange(engine: Engine) -> set[bytes]:
    """The addresses of others."""
    return {
        entry.local
        for entries in engine.kernel.snapshot().addresses.values()
        for entry in entries
        if entry.protocol != PROTOCOL
    }


def _staying(engine: Engine, lines: dict[str, str]) -> set[bytes]:
    """The addresses that are never away: those of others, and of labels that become devices."""
    found = _strange(engine)
    for alias in engine.show():
        words = lines.get(str(alias.name), "").split()
        if words and alias.ours and words[-1] in ("macvlan", "dummy"):
            found |= {alias.address} & {ip_interface(words[0]).ip.packed}
    return found


def _written(engine: Engine, random: Random, kinds: Sequence[str]) -> dict[str, str]:
    """A file in any order: by name the words, of which many are of aliases that are there."""
    held = [alias for alias in engine.show() if alias.ours]
    theirs = _strange(engine)
    lines: dict[str, str] = {}
    for text in random.sample(ADDRESSES, random.randrange(len(ADDRESSES))):
        packed = ip_interface(text).ip.packed
        if packed in theirs:
            continue
        found = next((alias for alias in held if alias.address == packed), None)
        name = f"{random.choice(MAINS)}:{random.choice(SLOTS)}"
        length = random.choice(LENGTHS[ip_interface(text).version])
        if found is not None and random.random() < 0.8:
            name, length = str(found.name), random.choice((found.prefixlen, length))
        kind = random.choice(kinds)
        lines.setdefault(name, f"{text}/{length}" + (f" kind {kind}" if kind else ""))
    return dict(random.sample(list(lines.items()), len(lines)))
