"""The members of the engine: etcd-server on the management network, each in a namespace of its own.

An installed etcd, or one that is unpacked (tests/unpacked.py). Nothing is kept: the data are in the
folder of the segment.
"""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from departures import Departures
from segment import MANAGEMENT, Host, Segment
from support import until

FIRST = 101
"""The last byte of the first member's address."""
CLIENTS, PEERS = 2379, 2380
ELECTION, HEARTBEAT = 1000, 100
"""Milliseconds, as etcd has them by itself. Pre-vote is not usual in etcd 3.4: without it a member
that comes back deposes the leader."""
ANSWERS = 5.0
"""Seconds for the answer of a member."""


class Members:
    """*count* members, of which all run once this is made."""

    def __init__(self, segment: Segment, words: Sequence[str], count: int = 3) -> None:
        self._segment = segment
        self._words = words
        self.hosts = [
            segment.another(f"m{number}", FIRST - 1 + number, MANAGEMENT)
            for number in range(1, count + 1)
        ]
        self.running: dict[str, subprocess.Popen[str]] = {}
        for host in self.hosts:
            self.start(host)
        self.wait()

    @property
    def endpoints(self) -> str:
        """The URLs for clients, with commas."""
        return ",".join(_url(host, CLIENTS) for host in self.hosts)

    def start(self, host: Host) -> None:
        """Start a member, or start it again with its data."""
        peers = ",".join(f"{one.name}={_url(one, PEERS)}" for one in self.hosts)
        options = {
            "name": host.name,
            "data-dir": str(self._segment.folder / f"{host.name}.etcd"),
            "listen-client-urls": _url(host, CLIENTS),
            "advertise-client-urls": _url(host, CLIENTS),
            "listen-peer-urls": _url(host, PEERS),
            "initial-advertise-peer-urls": _url(host, PEERS),
            "initial-cluster": peers,
            "heartbeat-interval": str(HEARTBEAT),
            "election-timeout": str(ELECTION),
            "pre-vote": "true",
        }
        words = [*self._words, *(f"--{name}={value}" for name, value in options.items())]
        self.running[host.name] = host.serve(words, self._segment.log(host))

    def kill(self, host: Host) -> None:
        """kill -9 of a member."""
        self.running[host.name].send_signal(signal.SIGKILL)
        self.running[host.name].wait()

    def wait(self) -> None:
        """Wait until every running member knows the leader."""
        for host in self.hosts:
            if self.running[host.name].poll() is None:
                until(lambda: self._status(host).get("leader"))  # noqa: B023 it is over by then

    def departures(self) -> Departures:
        """Follow which hosts leave, by the first member that runs."""
        host = next(one for one in self.hosts if self.running[one.name].poll() is None)
        return Departures(host, host.address(MANAGEMENT), CLIENTS)

    def leader(self) -> Host:
        """The member that leads."""
        for host in self.hosts:
            status = self._status(host)
            if status and status.get("leader") == status["header"]["member_id"]:
                return host
        raise RuntimeError("no member leads")

    def _status(self, host: Host) -> dict[str, Any]:
        """The answer of /v3/maintenance/status; empty where there is none."""
        request = urllib.request.Request(_url(host, CLIENTS) + "/v3/maintenance/status", b"{}")
        try:
            with host.namespace, urllib.request.urlopen(request, timeout=ANSWERS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, OSError):
            return {}


def _url(host: Host, port: int) -> str:
    return f"http://{host.address(MANAGEMENT)}:{port}"
