"""What is done at random around a running ``netalias watch``: to main devices, to aliases, to its
files and to itself. Everything is drawn from one seed, and noted.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

from command import Command
from storm import Storm
from support import Namespace

FLOOD = 60_000
"""Changes that no receive buffer holds."""

LINES = (
    "eth9:0-9 10.0.0.1/32+ kind macvlan",
    "eth9:20-29 10.0.1.1/32+ kind label",
    "eth9:40-42 10.1.0.1/24+ kind macvlan",
    "eth9:50-52 10.2.0.1/24+ kind label",
    "eth9:60-64 2001:db8::1/128+ kind macvlan",
    "eth9:70-72 2001:db8:1::1/128+ kind label",
    "eth9:80-81 10.3.0.1/32+ kind macvlan heal off",
    "eth9:82-83 10.3.1.1/32+ kind label heal off",
    "eth9:90-91 10.4.0.1/32+ kind label on-down keep",
    "br7:0-3 10.5.0.1/32+ kind macvlan",
    "br7:10-13 10.5.1.1/32+ kind label",
)
VARIANTS = (
    LINES,
    (*LINES[1:], "eth9:0-7 10.0.0.1/32+ kind macvlan"),
    (LINES[0], *LINES[2:], "eth9:20-29 10.0.2.1/32+ kind label"),
    (*LINES[:-2], "br7:0-3 10.5.0.1/32+ kind label", "br7:10-13 10.5.1.1/32+ kind macvlan"),
)
"""Files that are written in turn: none leaves out more than a guard rail lets go."""

UP, DOWN, RENAMED, AWAY, NONE = "up", "down", "renamed", "away", "none"
STATES = DOWN, RENAMED, AWAY, NONE
BY_HAND = "10.77.0."
ODD = "odd9"
"""The name that somebody gives to the device of an alias, which is left to him then."""


def named(lines: tuple[str, ...]) -> dict[str, str]:
    """Each declared alias, and its line."""
    found = {}
    for line in lines:
        main, _, slots = line.split()[0].partition(":")
        first, _, last = slots.partition("-")
        for slot in range(int(first), int(last or first) + 1):
            found[f"{main}:{slot}"] = line
    return found


class Mischief:
    """*namespace* holds eth9, whose other end is elsewhere; br7 is made. ``signal`` sends a signal
    to the watcher, as soon as somebody says how. ``states``: of the main devices; ``lines``: what
    is declared; ``by_hand``: aliases that were made by commands."""

    def __init__(self, namespace: Namespace, conf: Path, seed: int) -> None:
        self.changes: list[str] = []
        self.lines: tuple[str, ...] = LINES
        self.states = {"eth9": UP, "br7": UP}
        self.by_hand: set[str] = set()
        self.signal: Callable[[int], None] = lambda number: None
        self._written = False
        self._dice = random.Random(seed)
        self._namespace = namespace
        self._cli = Command(namespace)
        self._away = Namespace()
        self._conf = conf
        with namespace:
            self._storm = Storm(1)
        namespace.ip("link add br7 type bridge")
        namespace.ip("link set br7 up")
        self._write()
        self._deeds = [deed for deed, weight in self._weights() for _ in range(weight)]
        slow = (self._by_command, self._spoil, self._doze, self._flood)
        self._quick = [deed for deed in self._deeds if deed not in slow]

    def close(self) -> None:
        """Nothing is held any more."""
        self._storm.close()
        self._away.close()

    def some(self) -> None:
        """A few changes."""
        self._written = False
        for _ in range(self._dice.randint(1, 6)):
            self._dice.choice(self._deeds)()
        self._lose_odd()

    def burst(self, count: int) -> None:
        """*count* deeds in a row, of those that take no time of their own."""
        self._written = False
        for _ in range(count):
            self._dice.choice(self._quick)()
        self._lose_odd()

    def _lose_odd(self) -> None:
        """A device that somebody had given another name goes; its alias is missing from then on."""
        if self._present(ODD):
            self._ip(f"link del {ODD}")

    def _weights(self) -> list[tuple[Callable[[], None], int]]:
        return [
            (self._remove, 6),
            (self._remove_some, 3),
            (self._bend, 6),
            (self._move_main, 4),
            (self._flap, 2),
            (self._again, 2),
            (self._shape, 1),
            (self._foreign, 3),
            (self._by_command, 2),
            (self._rewrite, 2),
            (self._spoil, 1),
            (self._hang_up, 1),
            (self._doze, 1),
            (self._flood, 1),
        ]

    def _note(self, text: str) -> None:
        self.changes.append(text)

    def _ip(self, *lines: str) -> None:
        """In one process; what is refused is refused."""
        for line in lines:
            self._note(f"ip {line}")
        text = "".join(f"{line}\n" for line in lines)
        self._namespace.run(["ip", "-force", "-batch", "-"], check=False, input=text)

    def _slot(self) -> tuple[str, str, str]:
        """A declared alias: main device, slot, line."""
        name = self._dice.choice(sorted(named(self.lines)))
        main, _, slot = name.partition(":")
        return main, slot, named(self.lines)[name]

    def _removal(self) -> str:
        main, slot, line = self._slot()
        if "kind macvlan" in line:
            return f"link del {main}_{slot}"
        first = line.split()[1].removesuffix("+").split("/")[0]
        head, mark, tail = first.rpartition(":" if ":" in first else ".")
        begin = int(line.split()[0].partition(":")[2].split("-")[0])
        number = int(tail, 16 if mark == ":" else 10) + int(slot) - begin
        digits = f"{number:x}" if mark == ":" else f"{number}"
        length = "128" if mark == ":" else "32"
        if "10.2.0." in line and slot == "50":
            length = "24"
        return f"addr del {head}{mark}{digits}/{length} dev {main}"

    def _remove(self) -> None:
        self._ip(self._removal())

    def _remove_some(self) -> None:
        self._ip(*(self._removal() for _ in range(self._dice.randint(2, 12))))

    def _bend(self) -> None:
        main, slot, line = self._slot()
        name = f"{main}_{slot}"
        if "kind macvlan" not in line:
            self._ip(self._removal())
            return
        lines = self._dice.choice(
            (
                (f"link set {name} down",),
                (f"link property del dev {name} altname {main}:{slot}",),
                (f"link set {name} alias other",),
                (f"addr flush dev {name}",),
                (f"addr flush dev {name}", f"addr add 10.99.0.{slot}/32 dev {name}"),
                (f"addr add 10.99.1.{slot}/32 dev {name}",),
                (f"link set {name} group 0", f"link del {name}"),
                (f"link set {name} down", f"link set {name} name {ODD}", f"link set {ODD} up"),
            )
        )
        self._ip(*lines)

    def _move_main(self) -> None:
        """From a state to another, or back."""
        main = self._dice.choice(sorted(self.states))
        if self.states[main] != UP:
            self._restore(main)
            return
        state = self._dice.choice((DOWN, AWAY, NONE) if self._written else STATES)
        self._ip(
            {
                DOWN: f"link set {main} down",
                RENAMED: f"link set {main} name {main}x",
                AWAY: f"link set {main} netns {self._away.path}",
                NONE: f"link del {main}",
            }[state]
        )
        if state == AWAY and main == "br7":
            state = UP  # it does not leave: NETIF_F_NETNS_LOCAL
            if not self._present(main):
                state = AWAY
        self.states[main] = state

    def _present(self, main: str) -> bool:
        return main in self._namespace.names()

    def _restore(self, main: str) -> None:
        state = self.states[main]
        if state == AWAY:
            self._note(f"{main} comes back")
            self._away.ip(f"link set {main} netns {self._namespace.path}")
        if state == NONE:
            self._ip(*self._making(main))
        if state == RENAMED:
            self._ip(f"link set {main}x name {main}")
        self._ip(f"link set {main} up")
        self.states[main] = UP

    @staticmethod
    def _making(main: str) -> tuple[str, ...]:
        if main == "br7":
            return ("link add br7 type bridge",)
        return ("link add eth9 type veth peer name p9", "link set p9 up")

    def _flap(self) -> None:
        main = self._dice.choice(sorted(self.states))
        if self.states[main] == UP:
            self._ip(f"link set {main} down", f"link set {main} up")

    def _again(self) -> None:
        """Deleted and made again, or renamed there and back, before anybody can look."""
        main = self._dice.choice(sorted(self.states))
        if self.states[main] != UP:
            return
        if self._dice.random() < 0.5 and not self._written:
            self._ip(f"link set {main} name odd8", f"link set odd8 name {main}")
        else:
            self._ip(f"link del {main}", *self._making(main), f"link set {main} up")

    def _shape(self) -> None:
        main = self._dice.choice(sorted(self.states))
        mtu = self._dice.choice((1500, 1400, 9000))
        self._ip(f"link set {main} mtu {mtu}")

    def _foreign(self) -> None:
        number = self._dice.randint(1, 9)
        self._ip(
            *self._dice.choice(
                (
                    (f"link add br{20 + number} type bridge", f"link set br{20 + number} up"),
                    (f"link del br{20 + number}",),
                    (f"addr add 192.0.2.{number}/24 dev lo",),
                    (f"addr del 192.0.2.{number}/24 dev lo",),
                    (f"addr add 198.51.100.{number}/24 dev eth9",),
                    (f"addr add 198.51.100.{number}/24 dev eth9 label eth9:15{number}",),
                    ("link set lo down", "link set lo up"),
                )
            )
        )

    def _by_command(self) -> None:
        if self._dice.random() < 0.3:
            self._note("netalias reconcile")
            self._cli.run("reconcile", "-q", "--wait", "20", str(self._conf))
            return
        slot = self._dice.randint(200, 209)
        kind = self._dice.choice(("macvlan", "label"))
        words = [f"eth9:{slot}", f"{BY_HAND}{slot}", "kind", kind]
        self._note(f"netalias {' '.join(words)}")
        self.by_hand.add(words[0])
        self._cli.run("--wait", "20", *words)

    # Files and signals

    def _write(self, *, replacing: bool = False) -> None:
        draft = self._conf.with_suffix(".new") if replacing else self._conf
        draft.write_text("".join(f"{line}\n" for line in self.lines))
        draft.chmod(0o644)
        if replacing:
            draft.rename(self._conf)

    def _rewrite(self) -> None:
        """Not while a device has another name: what it carries then is nobody's to remove, and
        stays until the files are read once more."""
        if RENAMED in self.states.values():
            return
        self._written = True
        self.lines = self._dice.choice(VARIANTS)
        replacing = self._dice.random() < 0.5
        self._note(f"file {VARIANTS.index(self.lines)} {'replaced' if replacing else 'written'}")
        self._write(replacing=replacing)

    def _spoil(self) -> None:
        """The file is wrong, or away, for a while: what was wished stays wished."""
        if self._dice.random() < 0.5:
            self._note("file wrong")
            self._conf.write_text("eth9:9 nonsense\n")
        else:
            self._note("file away")
            self._conf.unlink()
        self._remove()
        self._write()
        self._note("file back")

    def _signal(self, number: signal.Signals) -> None:
        self._note(number.name)
        self.signal(number)

    def _hang_up(self) -> None:
        self._signal(signal.SIGHUP)

    def _doze(self) -> None:
        self._signal(signal.SIGSTOP)
        for _ in range(self._dice.randint(1, 4)):
            self._dice.choice((self._remove, self._remove_some, self._bend, self._flap))()
        self._signal(signal.SIGCONT)

    def _flood(self) -> None:
        """It does not listen while more is announced than it has room for."""
        self._signal(signal.SIGSTOP)
        self._note(f"{FLOOD} changes")
        self._storm.blow(FLOOD)
        self._remove()
        self._signal(signal.SIGCONT)
