"""Random texts for what reads texts, and what has to hold of each: nothing but errors of their own
kind comes of them. Everything is drawn from one Random; tools/inputs.py draws a million.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from random import Random
from unittest import mock

from test_import_formats import SAMPLES, TOKENS

from netalias import cli, desired, errors, families
from netalias.cli.flags import FLAGS
from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules, reconcile
from netalias.families import lazy
from netalias.importers import read
from netalias.kernel.memory import Memory
from netalias.sources import decode

STATUSES = (
    errors.STATUS_OK, errors.STATUS_USAGE, errors.STATUS_KERNEL, errors.STATUS_DRIFT,
    errors.STATUS_PERMISSION, errors.STATUS_UNVERIFIED, errors.STATUS_CONFLICT,
)  # fmt: skip
ELSEWHERE = ("complete", "doctor", "emulate", "import", "monitor", "move", "top", "watch")
"""Verbs that stay, or look at the machine; import has a sort of its own."""
VERBS = [verb for verb in cli.VERBS if verb not in ELSEWHERE]
OPTIONS = [flag for flag in FLAGS if flag != "--save"]
NAMES = ["eth0:0", "eth0:1-3", "eth1:0", "lo:0", "eth0:0-", "eth2:7", "none:0", "eth0", "wan:1"]
VALUES = [
    "10.0.0.1", "10.0.0.1-3", "10.0.0.1+", "10.1.0.0/30", "200.1.1.1/24", "1.2.3.4,1.2.3.5",
    "::5/64+", "2001:db8::1", "255.255.255.0", "24", "1400", "macvlan", "ipvlan", "dummy",
    "fe80::1", "label", "ether", "02:00:00:00:00:01", "forever", "60", "each",
    "defaults", "inet", "inet6", "ip", "#", "+",
]  # fmt: skip
JUNK = [
    "", "-", "--", ":", "/", "\0", "\t", "\r", "\udcff", "\u0663", "\x1b[2J", "0x1", "-1",
    "4294967296", "99999999999999999999", "%s", "{}", "eth0:65536", "0.0.0.0", "/33",
    "::/129", "..", "*", "\ufeff",
]  # fmt: skip
WORDS = list(desired.WORDS)
RECONCILED = 10
"""One of so many files is carried out, too, which takes ten times as long as to read it."""


def memory() -> Memory:
    """lo, eth0 and eth1 are up, eth2 is down."""
    found = Memory()
    found.set_device("lo", up=True)
    for name in ("eth0", "eth1", "eth2"):
        found.add_device(name, up=name != "eth2")
    return found


def drawn_word(dice: Random) -> str:
    """One that is known, one that is damaged, or none at all."""
    word = dice.choice(dice.choice((NAMES, VALUES, VALUES, WORDS, JUNK)))
    while word and dice.random() < 0.03:
        at = dice.randrange(len(word))
        word = word[:at] + dice.choice(JUNK) + word[at + dice.randint(0, 1) :]
    return word


def drawn_line(dice: Random) -> str:
    """It begins like a declaration, mostly."""
    words = [drawn_word(dice) for _ in range(dice.choice((0, 0, 0, 1, 2, 6)))]
    if dice.random() < 0.9:
        words[:0] = [dice.choice(NAMES), dice.choice(VALUES[:10])]
        words += dice.choice(("", "", "mtu 1400", "kind label", "down", "metric 9")).split()
    return " ".join(words)


def drawn_file(dice: Random) -> str:
    """Some lines."""
    return dice.choice("\n\n\n\r").join(drawn_line(dice) for _ in range(dice.choice((1, 1, 2, 5))))


def drawn_command(dice: Random) -> str:
    """Options, a verb or a name, and words; the separator is one that no word has."""
    words = [dice.choice(OPTIONS) for _ in range(dice.choice((0, 0, 1, 2)))]
    words.append(dice.choice((*VERBS, *NAMES)) if dice.random() < 0.9 else drawn_word(dice))
    words += [drawn_word(dice) for _ in range(dice.randint(0, 5))]
    return "\n".join(words)


def drawn_import(dice: Random) -> str:
    """The name of a format, and a damaged file of it."""
    name = dice.choice(list(SAMPLES))
    tokens = re.findall(r"\w+|\s+|.", SAMPLES[name])
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(tokens))
        tokens[at : at + dice.randint(0, 2)] = [dice.choice((*TOKENS, *JUNK))]
    return f"{name}\n{''.join(tokens)}"


def check_file(text: str) -> None:
    """Declarations, or errors with their places; carried out, the second run has nothing to do."""
    found = declarations.parse([("f", text)], lazy())
    for error in found.errors:
        assert re.match(r"f:\d+:\d+: .", error), error
    if found.errors or not found.blocks or len(found) > 40 or len(text) % RECONCILED:
        return
    engine = Engine(Setup(memory()))
    try:
        first = reconcile(engine, found, Rules())
        second = reconcile(engine, found, Rules())
    except errors.NetaliasError:
        return
    assert first.failed or not second.done, (first.done, second.done)


def check_batch(text: str) -> None:
    """Errors have the line of their commands."""
    engine = Engine(Setup(memory()))
    told: list[str] = []
    with contextlib.suppress(errors.NetaliasError):
        parsed = parse_commands(text, engine.registry, "f", force=True, most=100)
        batch = Batch(engine, lambda _: 0, told.append, force=True)
        batch.run(parsed)
        lines = len(text.split("\n"))
        assert all(1 <= number <= lines for number, _ in batch.failed)


def check_command(text: str) -> None:
    """A known status, and no bug."""
    kernel, out, err = memory(), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        words = text.split("\n")
        status = cli.main(words, lambda options: Engine(Setup(kernel, options.registry)))
    assert status in STATUSES, (status, err.getvalue())
    assert "Traceback" not in out.getvalue() + err.getvalue()
    told = err.getvalue().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert all(line.isprintable() for line in told.splitlines()), told


def check_import(text: str) -> None:
    """Lines that can be read, and notes of one line."""
    name, _, content = text.partition("\n")
    given = {"f": content.encode("utf-8", "surrogateescape")}
    found = read(["f"], name, every=True, given=given)
    for lines in (found.lines, found.folded):
        assert declarations.parse([("f", "\n".join(lines))], lazy()).errors == []
    assert not any("\n" in line for line in (*found.lines, *found.notes))


def check_bytes(text: str) -> None:
    """What is no UTF-8 is a text with its place, or an error."""
    with contextlib.suppress(errors.NetaliasError):
        check_file(decode([("f", text.encode("latin-1", "replace"))])[0][1])


SORTS: dict[str, tuple[Callable[[Random], str], Callable[[str], None]]] = {
    "file": (drawn_file, check_file),
    "bytes": (drawn_file, check_bytes),
    "batch": (drawn_file, check_batch),
    "command": (drawn_command, check_command),
    "import": (drawn_import, check_import),
}
"""How an input of a sort is drawn, and checked."""


def private() -> contextlib.AbstractContextManager[object]:
    """Nothing that is installed on the machine counts, and no file of it is changed."""
    return mock.patch.object(families, "_load_entry_point", return_value=None)
