"""A main device that another program configures, with aliases of every kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from command import Command
from support import until
from watcher import watching

MAIN = "eth9"
LINES = """\
eth9:0 10.20.0.5/24 kind label
eth9:1 10.20.0.6/24 kind macvlan
eth9:2 10.21.0.7/24 kind label
eth9:3 2001:db8:20::5/64 kind label
eth9:4 2001:db8:20::6/64 kind macvlan
"""
ADDRESSES = ("10.20.0.5", "10.20.0.6", "10.21.0.7", "2001:db8:20::5", "2001:db8:20::6")
PEERS = {"10.20.0.2": "10.20.0.1", "2001:db8:20::2": "2001:db8:20::1"}
"""Destination -> the address of the main device that the host speaks to it with."""
KEEPERS = ("watch", "reconcile")
"""What keeps the aliases: a watcher, or a run from cron."""


class Managed:
    """The namespace of such a main device."""

    def __init__(self, cli: Command, folder: Path, keeper: str, lines: str = LINES) -> None:
        self.cli = cli
        self.namespace = cli.namespace
        self.folder = folder
        self.file = folder / "declared"
        self.file.write_text(lines)
        self._watches = keeper == "watch"

    def kept(self) -> AbstractContextManager[object]:
        """As long as the block a watcher watches, unless reconcile is run."""
        if not self._watches:
            return nullcontext()
        return watching(self.namespace, self.folder / "texts", str(self.file))

    def is_well(self, peers: Mapping[str, str] = PEERS) -> bool:
        """Whether aliases are there and up, nothing differs, and the host speaks as itself."""
        if not self._watches and self.cli.run("reconcile", "-q", str(self.file)).returncode:
            return False
        return (
            sorted(one["local"] for one in self.cli.json()) == sorted(ADDRESSES)
            and all(one["state"] == "up" for one in self.cli.json())
            and all(self.spoken(to) == (MAIN, own) for to, own in peers.items())
            and self.cli.run("check", "-q", str(self.file)).returncode == 0
        )

    def spoken(self, destination: str) -> tuple[str, str] | None:
        """The device and the address that a packet to *destination* leaves by and from."""
        done = self.namespace.run(["ip", "-j", "route", "get", destination], check=False)
        found = json.loads(done.stdout or "[]")
        return (found[0]["dev"], found[0].get("prefsrc", "")) if found else None

    def comes_well(self, peers: Mapping[str, str] = PEERS) -> None:
        """Wait for it; what stands there otherwise is told."""
        try:
            until(lambda: self.is_well(peers), seconds=20)
        except AssertionError as error:
            shown = [self.namespace.ip(words) for words in ("addr", "route", "-6 route")]
            check = self.cli.run("check", str(self.file)).stdout
            raise AssertionError("\n".join((*shown, check))) from error

    def own(self) -> list[str]:
        """The addresses of the main device that are no aliases, those of IPv4 first."""
        shown = json.loads(self.namespace.ip(f"-j addr show dev {MAIN} scope global"))
        listed = [one for device in shown if device for one in device["addr_info"]]
        return [one["local"] for one in listed if one["local"] not in ADDRESSES]
