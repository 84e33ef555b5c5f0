"""What has to hold of a running ``netalias watch`` at every quiet moment, whatever was done before
(mischief.py): the aliases are those that are declared, everybody who is asked says the same, and
nothing that the watcher holds grows.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from command import COMMAND, Command
from mischief import BY_HAND, DOWN, RENAMED, UP, Mischief, named
from support import SLOW, Namespace, until

from netalias.families import installed
from netalias.kernel.netlink import Netlink
from netalias.model import GROUP
from netalias.observed import Observed

SETTLED = 90.0
"""Seconds: who keeps being undone waits up to sixty."""
WARM = 8
"""Quiet moments before the memory is looked at."""
GROWTH = 12 << 10
"""KiB that it may grow by from then on: a storm needs its room."""
LAST = 12
"""Changes that are told where something is wrong."""

LAX = ("heal off", "on-down keep")


class Broken(AssertionError):
    """Something does not hold; the text tells what, and what had happened."""


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
        until(lambda: "watching: " in self.log.read_text())

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
        self.seed = seed
        self.moments = 0
        self.slowest = 0.0
        self.held = (0, 0)
        self.memory: list[int] = []
        conf = folder / "soak.conf"
        self.mischief = Mischief(namespace, conf, seed)
        self.subject = Subject(namespace, folder, conf)
        self.mischief.signal = self.subject.process.send_signal
        self._namespace = namespace
        self._cli = Command(namespace)
        self._conf = conf
        with namespace:
            self._kernel = Netlink()

    def close(self) -> None:
        """End the watcher, whatever it does."""
        self.subject.end()
        self._kernel.close()
        self.mischief.close()

    def round(self, burst: int = 0) -> None:
        """Some changes, or a burst of so many deeds, then a quiet moment."""
        if burst:
            self.mischief.burst(burst)
        else:
            self.mischief.some()
        self.quiet()

    def summary(self, *, held: bool = True) -> str:
        """Figures, also of a run that ended early."""
        verdict = "everything held" if held else "then something did not hold"
        kept = "{} descriptors, {} thread".format(*self.held)
        sizes = self.memory or [0]
        first, most, last = sizes[0], max(sizes), sizes[-1]
        return (
            f"{len(self.mischief.changes)} changes, {self.moments} quiet moments, {verdict};"
            f" the longest way to one took {self.slowest:.1f} s\nthe watcher: {kept};"
            f" {first} KiB after {WARM} moments, {most} KiB at most, {last} KiB at last"
        )

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
        last = "\n  ".join(self.mischief.changes[-LAST:])
        log = "\n  ".join(self.subject.log.read_text().splitlines()[-2 * LAST :])
        ended = self.subject.process.poll()
        alive = "" if ended is None else f"\nthe watcher ended with {ended}"
        return (
            f"seed {self.seed}, quiet moment {self.moments + 1}: {wrong}{alive}\nmain devices:"
            f" {self.mischief.states}\nthe last changes:\n  {last}\nthe watcher said:\n  {log}"
        )

    def _wrong(self) -> str:
        """What does not hold yet: first what is cheap to see."""
        return self._wrong_names() or self._wrong_pictures() or self._wrong_check()

    def _wrong_names(self) -> str:
        """Of a fresh dump."""
        with self._namespace:
            observed = Observed(self._kernel.snapshot(), installed(), GROUP)
        found = [str(alias.name) for alias in observed.aliases if alias.ours]
        if len(found) != len(set(found)):
            return f"an alias is there twice: {found}"
        needed, allowed = set(), set()
        for name, line in named(self.mischief.lines).items():
            state = self.mischief.states[name.partition(":")[0]]
            if state == UP and not any(word in line for word in LAX):
                needed.add(name)
            if state in (UP, RENAMED) or (state == DOWN and "on-down keep" in line):
                allowed.add(name)
        if self.mischief.states["eth9"] in (UP, RENAMED):
            allowed |= self.mischief.by_hand
        for main in (main for main, state in self.mischief.states.items() if state == RENAMED):
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
        lines = named(self.mischief.lines)
        for one in json.loads(done.stdout or "[]"):
            name = one.get("altname", "")
            state = self.mischief.states.get(name.partition(":")[0])
            if one["change"] == "skip" or state != UP or BY_HAND in one.get("local", ""):
                continue
            if "heal off" not in lines.get(name, ""):
                return f"check: {one}"
        return ""

    def _same(self) -> None:
        """Nothing that the watcher holds grows."""
        until(lambda: not self.subject.children())
        most = self.held if any(self.held) else self.subject.held()
        try:  # a file that is being read is one more for a moment
            until(lambda: self.subject.held() <= most)
        except AssertionError:
            text = f"descriptors and threads: {self.subject.held()}, and before {most}"
            raise Broken(self._told(text)) from None
        self.held = min(most, self.subject.held())
        if self.moments > WARM:
            self.memory.append(self.subject.memory())
            if self.memory[-1] > self.memory[0] + GROWTH:
                raise Broken(self._told(f"it grows: {self.memory} KiB"))
        log = self.subject.log.read_text()
        if "Traceback" in log or "this is a bug" in log:
            raise Broken(self._told("it failed"))
