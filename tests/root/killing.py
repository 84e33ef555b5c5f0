"""Commands that are killed: before a change of theirs, or at a random instant; and what has to hold
after each. tools/kills.py kills for long.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from command import COMMAND, Command, set_sysctl, sysctl
from support import until

from netalias.model import GROUP, is_scratch

KILLED = """
import os
import sys

from netalias.cli import main
from netalias.kernel.netlink import Netlink

left = int(sys.argv[1])


def act():
    global left
    if not left:
        os._exit(99)
    left -= 1


def counted(name):
    real = getattr(os, name)

    def call(path, *rest, **more):
        if "/run/netalias/" in str(path) and not (name == "open" and not rest[0] & os.O_CREAT):
            act()
        return real(path, *rest, **more)

    setattr(os, name, call)


def send(kernel, operation, data):
    if int.from_bytes(data[4:6], sys.byteorder) % 4 != 2:  # all but RTM_GET*
        act()
    return real_send(kernel, operation, data)


real_send, Netlink._send = Netlink._send, send
for name in ("open", "replace", "unlink"):
    counted(name)
sys.exit(main(sys.argv[2:]))
"""
"""``netalias`` that ends as if by SIGKILL before its change number argv[1], of kernel or file."""
STATUS = 99

KEYS = ("arp_announce", "arp_ignore", "promote_secondaries")
BEFORE = (1, 0, 0)
MANY = """
eth9:0-9 10.0.0.5/32+ kind macvlan
eth9:10-14 10.5.0.1/24+ kind label
eth9:20-23 2001:db8::1/128+ kind macvlan
eth9:30-33 2001:db8:1::1/64+ kind label
eth9:40-41 10.6.0.1/24+ kind macvlan gateway 10.6.0.254
"""
OTHERS = """
eth9:0-4 10.0.0.5/32+ kind label
eth9:5-9 10.7.0.1/24+ kind macvlan
eth9:10-12 10.5.0.1/24+ kind macvlan
eth9:20-21 2001:db8::1/128+ kind label
eth9:30-33 2001:db8:2::1/64+ kind macvlan
"""
BATCH = """
eth9:0-4 10.0.0.5/32+ kind macvlan
eth9:10 10.5.0.1/24 kind label
eth9:11 10.5.0.2/24 kind label
eth9:10-
eth9:0 10.0.0.99
eth9:1 kind label
eth9:2-3-
"""
SCENES = (
    ("", "eth9:0 10.0.0.5 kind macvlan"),
    ("", "eth9:0 10.5.0.1/24 kind label"),
    ("", "eth9:0 2001:db8::1/64 kind macvlan"),
    ("", "eth9:0-9 10.0.0.5/32+ kind macvlan"),
    ("eth9:0 10.0.0.5 kind macvlan", "eth9:0-"),
    ("eth9:0 10.0.0.5 kind macvlan", "eth9:0 kind label"),
    ("eth9:0 10.0.0.5 kind macvlan", "eth9:0 10.0.0.6/24 mtu 1400"),
    ("eth9:0 10.5.0.1/24 kind label", "eth9:0-"),
    ("eth9:0 10.5.0.1/24 kind label", "eth9:0 kind macvlan"),
    ("eth9:0-4 10.5.0.1/24+ kind label", "eth9:0 10.9.0.1/24"),
    ("", "reconcile MANY"),
    ("MANY", "reconcile --allow-empty OTHERS"),
    ("OTHERS", "reconcile --allow-empty MANY"),
    ("MANY", "reconcile --allow-empty NOTHING"),
    ("", "batch --force BATCH"),
    ("MANY", "batch --force BATCH"),
    ("", "watch MANY"),
    ("OTHERS", "watch --allow-empty MANY"),
)
"""What is there before, as words of a command or the name of a file, and what is killed."""
LONGEST = 1.5
"""Seconds in which a random instant lies."""


class Kills:
    """*cli* has eth9; *folder* is for files of the run."""

    def __init__(self, cli: Command, folder: Path, seed: int) -> None:
        self.points = self.instants = 0
        self._cli = cli
        self._dice = random.Random(seed)
        self._script = folder / "killed.py"
        self._script.write_text(KILLED)
        self._files = {"NOTHING": folder / "nothing"}
        self._files["NOTHING"].write_text("# nothing\n")
        for name, text in (("MANY", MANY), ("OTHERS", OTHERS), ("BATCH", BATCH)):
            self._files[name] = folder / name.lower()
            self._files[name].write_text(text)
        cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
        for key in (*KEYS, "arp_filter"):
            set_sysctl(cli.namespace, f"ipv4/conf/all/{key}", 0)
        for key, value in zip(KEYS, BEFORE, strict=True):
            set_sysctl(cli.namespace, f"ipv4/conf/eth9/{key}", value)
        self._log = folder / "log"

    @property
    def killed(self) -> int:
        """How many were killed so far."""
        return self.points + self.instants

    def scene(self, before: str, words: str, most: int = 1 << 30) -> None:
        """Kill it before each of its changes in turn, *most* times at most."""
        number = 0
        while number < most:
            self._prepare(before)
            killed = self._at_a_change(number, words)
            self._in_order(f"{before!r}, {words!r}, killed at change {number}")
            if not killed:
                return
            self.points += 1
            number += 1

    def instant(self) -> None:
        """Kill one of the scenes by SIGKILL, at any instant."""
        before, words = self._dice.choice(SCENES)
        delay = self._dice.uniform(0, LONGEST)
        self._prepare(before)
        process = self._start([*COMMAND, *self._named(words)])
        time.sleep(delay)  # the instant is what is varied, nothing is waited for
        process.kill()
        self.instants += process.wait() == -signal.SIGKILL
        self._in_order(f"{before!r}, {words!r}, killed after {delay:.3f} s")

    def _named(self, words: str) -> list[str]:
        return [str(self._files.get(word, word)) for word in words.split()]

    def _prepare(self, before: str) -> None:
        if before in self._files:
            self._done("reconcile", str(self._files[before]))
        elif before:
            self._done(*before.split())

    def _done(self, *words: str) -> None:
        done = self._cli.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        with self._log.open("w") as log:
            return self._cli.namespace.start(words, stdout=log, stderr=log)

    def _at_a_change(self, number: int, words: str) -> bool:
        """Whether it came to its change *number*, and was killed there."""
        process = self._start([sys.executable, str(self._script), str(number), *self._named(words)])
        if words.startswith("watch"):
            until(lambda: process.poll() is not None or "watching: " in self._log.read_text())
            process.kill()
        return process.wait() == STATUS

    def _in_order(self, told: str) -> None:
        """The next runs end well, whatever was left; then nothing is left."""
        for name in ("MANY", "NOTHING"):
            file = str(self._files[name])
            done = self._cli.run("reconcile", "--allow-empty", file)
            assert (done.returncode, done.stderr) == (0, ""), (told, done)
            done = self._cli.run("check", file)
            assert (done.returncode, done.stdout) == (0, ""), (told, done)
        found = tuple(int(sysctl(self._cli.namespace, f"ipv4/conf/eth9/{key}")) for key in KEYS)
        assert found == BEFORE, (told, found)
        links = self._cli.namespace.ip("-o link show")
        groups = [int(one) for one in re.findall(r" group (\d+) ", links)]
        assert not [one for one in groups if one == GROUP or is_scratch(one, GROUP)], (told, links)
        addresses = re.findall(r" inet6? (\S+) .*scope global", self._cli.namespace.ip("-o addr"))
        assert addresses == ["10.0.0.1/24"], (told, addresses)
        assert "eth9_" not in self._cli.namespace.ip("rule show"), told
