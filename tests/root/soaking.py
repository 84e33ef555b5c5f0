"""Random changes around a running ``netalias watch``, and what has to hold at every quiet moment.

The changes are drawn from a seed. A main device is in one of a few states; whatever is done to it,
to aliases, to files and to the watcher itself: once nothing more happens, the aliases are those
that are declared, and everybody who is asked says the same.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import COMMAND, Command
from storm import Storm
from support import SLOW, Namespace, until

from netalias.alias_type import installed
from netalias.kernel.netlink import Netlink
from netalias.kinds import World
from netalias.model import GROUP

SETTLED = 90.0
"""Seconds: who keeps being undone waits up to sixty."""
FLOOD = 60_000
"""Changes that no receive buffer holds."""
WARM = 8
"""Quiet moments before the memory is looked at."""
GROWTH = 12 << 10
"""KiB that it may grow by from then on: a storm needs its room."""
LAST = 12
"""Changes that are told where something is wrong."""

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
    LINES[1:] + ("eth9:0-7 10.0.0.1/32+ kind macvlan",),
    LINES[:1] + LINES[2:] + ("eth9:20-29 10.0.2.1/32+ kind label",),
    LINES[:-2] + ("br7:0-3 10.5.0.1/32+ kind label", "br7:10-13 10.5.1.1/32+ kind macvlan"),
)
"""Files that are written in turn: none leaves out more than a guard rail lets go."""
LAX = ("heal off", "on-down keep")

UP, DOWN, RENAMED, AWAY, NONE = "up", "down", "renamed", "away", "none"


class Broken(AssertionError):
    """Something does not hold; the text tells what, and what had happened."""


def named(lines: tuple[str, ...]) -> dict[str, str]:
    """Each declared alias, and its line."""
    found = {}
    for line in lines:
        main, _, slots = line.split()[0].partition(":")
        first, _, last = slots.partition("-")
        for slot in range(int(first), int(last or first) + 1):
            found[f"{main}:{slot}"] = line
    return found


class Subject:
    """The watcher: a process, what it says, what it has open, how large it is."""

    def __init__(self, namespace: Namespace, folder: Path, conf: Path) -> None:
        self.texts = folder / "net"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = namespace.start(
                [*COMMAND, "-v", "watch", "--texts", str(self.texts), str(conf)],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._place = Path("/proc", str(self.process.pid))
        until(lambda: "watching: " in self.log.read_text(), seconds=20)

    def children(self) -> str:
        """Their pids."""
        return (self._place / "task" / self._place.name / "children").read_text()

    def held(self) -> tuple[int, int]:
        """How many descriptors and threads."""
        return len(os.listdir(self._place / "fd")), len(os.listdir(self._place / "task"))

    def memory(self) -> int:
        """KiB of the resident set."""
        text = (self._place / "status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line[:6] == "VmRSS:"))

    def end(self) -> None:
        """Whatever state it is in."""
        self.process.kill()
        self.process.wait()


class Soak:
    """*namespace* holds eth9, whose other end is elsewhere; *folder* is for files of the run."""

    def __init__(self, namespace: Namespace, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.changes: list[str] = []
        self.moments = 0
        self.slowest = 0.0
        self.held: set[tuple[int, int]] = set()
        self.memory: list[int] = []
        self._namespace = namespace
        self._cli = Command(namespace)
        self._away = Namespace()
        self._conf = folder / "soak.conf"
        self._lines: tuple[str, ...] = LINES
        self._states = {"eth9": UP, "br7": UP}
        self._by_hand: set[str] = set()
        with namespace:
            self._kernel = Netlink()
            self._storm = Storm(1)
        namespace.ip("link add br7 type bridge")
        namespace.ip("link set br7 up")
        self._write()
        self.subject = Subject(namespace, folder, self._conf)
        self._deeds = [deed for deed, weight in self._weights() for _ in range(weight)]

    def close(self) -> None:
        """End the watcher, whatever it does."""
        self.subject.end()
        self._storm.close()
        self._kernel.close()
        self._away.close()

    def summary(self) -> str:
        """Figures."""
        held = ", ".join(f"{files} descriptors, {threads} thread" for files, threads in self.held)
        sizes = self.memory or [self.subject.memory()]
        return (
            f"{len(self.changes)} changes, {self.moments} quiet moments, everything held; the longest"
            f" way to one took {self.slowest:.1f} s\nthe watcher: {held};"
            f" {sizes[0]} KiB after {WARM} moments, {max(sizes)} KiB at most, {sizes[-1]} KiB at last"
        )

    # What is done

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

    def round(self) -> None:
        """Some changes, then a quiet moment."""
        for _ in range(self.dice.randint(1, 6)):
            self.dice.choice(self._deeds)()
        self.quiet()

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
        name = self.dice.choice(sorted(named(self._lines)))
        main, _, slot = name.partition(":")
        return main, slot, named(self._lines)[name]

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
        self._ip(*(self._removal() for _ in range(self.dice.randint(2, 12))))

    def _bend(self) -> None:
        main, slot, line = self._slot()
        name = f"{main}_{slot}"
        if "kind macvlan" not in line:
            self._ip(self._removal())
            return
        lines = self.dice.choice(
            (
                (f"link set {name} down",),
                (f"link property del dev {name} altname {main}:{slot}",),
                (f"link set {name} alias other",),
                (f"addr flush dev {name}",),
                (f"addr flush dev {name}", f"addr add 10.99.0.{slot}/32 dev {name}"),
                (f"addr add 10.99.1.{slot}/32 dev {name}",),
                (f"link set {name} group 0", f"link del {name}"),
                (f"link set {name} down", f"link set {name} name odd9", "link set odd9 up"),
            )
        )
        self._ip(*lines)

    def _move_main(self) -> None:
        """From a state to another, or back."""
        main = self.dice.choice(sorted(self._states))
        if self._states[main] != UP:
            self._restore(main)
            return
        state = self.dice.choice((DOWN, RENAMED, AWAY, NONE))
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
        self._states[main] = state

    def _present(self, main: str) -> bool:
        return main in self._namespace.names()

    def _restore(self, main: str) -> None:
        state = self._states[main]
        if state == AWAY:
            self._note(f"{main} comes back")
            self._away.ip(f"link set {main} netns {self._namespace.path}")
        if state == NONE:
            self._ip(*self._making(main))
        if state == RENAMED:
            self._ip(f"link set {main}x name {main}")
        self._ip(f"link set {main} up")
        self._states[main] = UP

    @staticmethod
    def _making(main: str) -> tuple[str, ...]:
        if main == "br7":
            return ("link add br7 type bridge",)
        return ("link add eth9 type veth peer name p9", "link set p9 up")

    def _flap(self) -> None:
        main = self.dice.choice(sorted(self._states))
        if self._states[main] == UP:
            self._ip(f"link set {main} down", f"link set {main} up")

    def _again(self) -> None:
        """Deleted and made again, or renamed there and back, before anybody can look."""
        main = self.dice.choice(sorted(self._states))
        if self._states[main] != UP:
            return
        if self.dice.random() < 0.5:
            self._ip(f"link set {main} name odd8", f"link set odd8 name {main}")
        else:
            self._ip(f"link del {main}", *self._making(main), f"link set {main} up")

    def _shape(self) -> None:
        main = self.dice.choice(sorted(self._states))
        mtu = self.dice.choice((1500, 1400, 9000))
        self._ip(f"link set {main} mtu {mtu}")

    def _foreign(self) -> None:
        number = self.dice.randint(1, 9)
        self._ip(
            *self.dice.choice(
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
        if self.dice.random() < 0.3:
            self._note("netalias reconcile")
            self._cli.run("reconcile", "-q", "--wait", "20", str(self._conf))
            return
        slot = self.dice.randint(200, 209)
        kind = self.dice.choice(("macvlan", "label"))
        words = [f"eth9:{slot}", f"10.77.0.{slot}", "kind", kind]
        self._note(f"netalias {' '.join(words)}")
        self._by_hand.add(words[0])
        self._cli.run("--wait", "20", *words)

    # Files and signals

    def _write(self, *, replacing: bool = False) -> None:
        draft = self._conf.with_suffix(".new") if replacing else self._conf
        draft.write_text("".join(f"{line}\n" for line in self._lines))
        draft.chmod(0o644)
        if replacing:
            draft.rename(self._conf)

    def _rewrite(self) -> None:
        self._lines = self.dice.choice(VARIANTS)
        replacing = self.dice.random() < 0.5
        self._note(f"file {VARIANTS.index(self._lines)} {'replaced' if replacing else 'written'}")
        self._write(replacing=replacing)

    def _spoil(self) -> None:
        """The file is wrong, or away, for a while: what was wished stays wished."""
        if self.dice.random() < 0.5:
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
        self.subject.process.send_signal(number)

    def _hang_up(self) -> None:
        self._signal(signal.SIGHUP)

    def _doze(self) -> None:
        self._signal(signal.SIGSTOP)
        for _ in range(self.dice.randint(1, 4)):
            self.dice.choice((self._remove, self._remove_some, self._bend, self._flap))()
        self._signal(signal.SIGCONT)

    def _flood(self) -> None:
        """It does not listen while more is announced than it has room for."""
        self._signal(signal.SIGSTOP)
        self._note(f"{FLOOD} changes")
        self._storm.blow(FLOOD)
        self._remove()
        self._signal(signal.SIGCONT)

    # What has to hold

    def quiet(self) -> None:
        """Wait until everything holds. Raises Broken where it does not come to that."""
        begin = time.monotonic()
        end = begin + SETTLED * SLOW
        while True:
            wrong = self._wrong()
            now = time.monotonic()
            if not wrong:
                break
            if now > end or self.subject.process.poll() is not None:
                raise Broken(self._told(wrong))
            time.sleep(0.02)  # between two looks
        self.slowest = max(self.slowest, now - begin)
        self.moments += 1
        self._same()

    def _told(self, wrong: str) -> str:
        last = "\n  ".join(self.changes[-LAST:])
        log = "\n  ".join(self.subject.log.read_text().splitlines()[-2 * LAST :])
        ended = self.subject.process.poll()
        alive = "" if ended is None else f"\nthe watcher ended with {ended}"
        return (
            f"seed {self.seed}, quiet moment {self.moments + 1}: {wrong}{alive}\nmain devices:"
            f" {self._states}\nthe last changes:\n  {last}\nthe watcher said:\n  {log}"
        )

    def _wrong(self) -> str:
        """What does not hold yet: first what is cheap to see."""
        return self._wrong_names() or self._wrong_pictures() or self._wrong_check()

    def _wrong_names(self) -> str:
        """Of a fresh dump."""
        with self._namespace:
            world = World(self._kernel.snapshot(), installed(), GROUP)
        found = [str(alias.name) for alias in world.aliases if alias.ours]
        if len(found) != len(set(found)):
            return f"an alias is there twice: {found}"
        needed, allowed = set(), set()
        for name, line in named(self._lines).items():
            state = self._states[name.partition(":")[0]]
            if state == UP and not any(word in line for word in LAX):
                needed.add(name)
            if state in (UP, RENAMED) or (state == DOWN and "on-down keep" in line):
                allowed.add(name)
        if self._states["eth9"] in (UP, RENAMED):
            allowed |= self._by_hand
        for main in (main for main, state in self._states.items() if state == RENAMED):
            allowed |= {name.replace(main, f"{main}x") for name in allowed}
        missing, many = needed - set(found), set(found) - allowed
        if missing or many:
            return f"missing: {sorted(missing)}; too many: {sorted(many)}"
        return ""

    def _wrong_pictures(self) -> str:
        """Of the socket and of the texts, beside what the commands read themselves."""
        told, shown = (self._objects(text) for text in (self._ask("json"), self._show()))
        if told != shown:
            differing = [pair for pair in zip(told, shown, strict=False) if pair[0] != pair[1]]
            return f"{len(told)} told by the socket, {len(shown)} shown: {differing[:2]}"
        text = self._cli("cat", "aliases")
        for other in ((self.subject.texts / "aliases").read_text(), self._ask("aliases")):
            if other != text:
                return f"a text is not true:\n{other}\nwhere this is:\n{text}"
        return ""

    def _show(self) -> str:
        return self._cli("-j", "show")

    @staticmethod
    def _objects(text: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(text)
        for one in found:
            one.pop("stats64", None)
        return found

    def _ask(self, word: str) -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20 * SLOW)
            client.connect(f"{self.subject.texts}.sock")
            client.sendall(f"{word}\n".encode())
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def _wrong_check(self) -> str:
        """Everything is as it is declared, where its main device is up."""
        done = self._cli.run("-j", "check", "--wait", "20", str(self._conf))
        lines = named(self._lines)
        for one in json.loads(done.stdout or "[]"):
            name = one.get("altname", "")
            state = self._states.get(name.partition(":")[0])
            if one["change"] == "skip" or state != UP or name in self._by_hand:
                continue
            if "heal off" not in lines.get(name, ""):
                return f"check: {one}"
        return ""

    def _same(self) -> None:
        """Nothing that the watcher holds grows."""
        until(lambda: not self.subject.children(), seconds=20)
        self.held.add(self.subject.held())
        if len(self.held) > 1:
            raise Broken(self._told(f"descriptors and threads: {sorted(self.held)}"))
        if self.moments > WARM:
            self.memory.append(self.subject.memory())
            if self.memory[-1] > self.memory[0] + GROWTH:
                raise Broken(self._told(f"it grows: {self.memory} KiB"))
        log = self.subject.log.read_text()
        if "Traceback" in log or "this is a bug" in log:
            raise Broken(self._told("it failed"))
