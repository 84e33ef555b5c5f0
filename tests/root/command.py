"""The command as users start it: a process inside a private namespace, and what it says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemas
from forked import Forks
from support import LINUX, PATIENCE, SLOW, Namespace, operstate, until

from netalias import runtime

SCRIPT = Path(sys.executable).parent / "netalias"
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "netalias"]
"""The installed command where there is one, else the module."""
FORKS = Forks(SCRIPT) if SCRIPT.exists() else None
"""By which a Command is run quickly."""
SURVEYORS = Forks(SCRIPT, "cli.doctor", "cli.move", "doctor.read") if SCRIPT.exists() else None
"""The same for verbs that load pyroute2, which takes ten times as long as their work."""
SURVEYING = {"doctor", "move"}

SECONDS = 60.0 * SLOW
"""No single command of these tests takes longer; most take a tenth of a second."""

Json = dict[str, Any]


def command(*words: str) -> list[str]:
    """The words that start netalias, bounded in time.

    timeout(1) kills after the time of -k what any signal has reached that it hands on.
    """
    return ["timeout", "-k", str(PATIENCE * SLOW), str(SECONDS), *COMMAND, *words]


class Command:
    """``netalias`` in one namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def run(self, *words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it, however it ends."""
        forks = FORKS if SURVEYING.isdisjoint(words) else SURVEYORS
        done = forks and forks.run(self.namespace, words, input, SECONDS)
        done = done or self.namespace.run(command(*words), check=False, input=input)
        schemas.check(words, done.stdout)
        return done

    def __call__(self, *words: str) -> str:
        """It succeeds without a word on standard error; gives what it printed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)
        return done.stdout

    def silent(self, *words: str) -> None:
        """It succeeds and prints nothing at all."""
        assert self(*words) == ""

    def warns(self, *words: str) -> str:
        """It succeeds with exactly one line of warning; gives that line."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (0, ""), (words, done)
        return one_line(done.stderr, "netalias: warning: ")

    def fails(self, status: int, *words: str) -> str:
        """It ends with *status* and exactly one line on standard error; gives that line."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (status, ""), (words, done)
        line = one_line(done.stderr, "netalias: ")
        assert "Traceback" not in line
        assert "this is a bug" not in line
        return line

    def json(self, *words: str) -> list[Json]:
        """What ``netalias -j show`` says."""
        found: list[Json] = json.loads(self("-j", "show", *words))
        return found

    def one(self, *name: str) -> Json:
        """What it says of one alias."""
        (found,) = self.json(*name)
        return found

    def names(self) -> list[str]:
        """The aliases in chain order."""
        return [alias["altname"] for alias in self.json()]

    def settled(self, name: str) -> Json:
        """The alias once duplicate address detection is over."""
        found = until(lambda: self._settled(name))
        assert found["state"] == "up"
        wait_for_local_route(self.namespace, str(found["local"]))
        return found

    def _settled(self, name: str) -> Json | None:
        found = self.one(name)
        return None if "tentative" in found["state"] else found


def one_line(text: str, begin: str) -> str:
    """*text* without its newline: it is one line that begins with *begin*."""
    assert text.count("\n") == 1, text
    assert text.endswith("\n"), text
    assert text.startswith(begin), text
    return text[:-1]


def ip_json(namespace: Namespace, words: str) -> list[Json]:
    """``ip -json`` with these words."""
    found: list[Json] = json.loads(namespace.ip(f"-json {words}") or "[]")
    return [one for one in found if one]


def wait_for_state(namespace: Namespace, device: str, state: str) -> None:
    """The kernel follows the carrier of a device a little later (linkwatch)."""
    until(lambda: operstate(namespace, device) == state)


RTF_LOCAL = 0x80000000
"""Flag of a route to an address of this host (linux/ipv6_route.h)."""


def wait_for_local_route(namespace: Namespace, address: str) -> None:
    """The kernel works on with a new IPv6 address after it has taken it: the last is its route."""
    if ":" in address:
        until(lambda: _has_local_route(namespace, address))


def _has_local_route(namespace: Namespace, address: str) -> bool:
    """Whether ``ip -6 route show table local`` has it, without a process: destination and length
    of its prefix, source and length, gateway, metric, two counters, flags, device."""
    with namespace, open("/proc/thread-self/net/ipv6_route", encoding="ascii") as file:
        routes = [line.split() for line in file]
    wanted = [socket.inet_pton(socket.AF_INET6, address).hex(), "80"]
    return any(route[:2] == wanted and int(route[8], 16) & RTF_LOCAL for route in routes)


def rename(namespace: Namespace, old: str, new: str) -> None:
    """Give a device that is up another name; Linux 6.1 renames only what is down."""
    words = [f"{old} name {new}"]
    if LINUX < (6, 12):
        words = [f"{old} down", *words, f"{new} up"]
    for one in words:
        namespace.ip(f"link set {one}")
    wait_for_state(namespace, new, "UP")


FOLLOWERS = ("macvlan", "veth")
"""Kinds whose state follows their carrier; that of a dummy is UNKNOWN for ever, that of an ipvlan
until its main device changes."""


def _watched(found: list[Json]) -> bool:
    """Whether linkwatch is done with devices as ``ip -d`` shows them: Linux 6.1 has UNKNOWN or DOWN
    until then."""
    return all(
        (device["operstate"] == "UP") == ("LOWER_UP" in device["flags"])
        for device in found
        if "UP" in device["flags"] and device.get("linkinfo", {}).get("info_kind") in FOLLOWERS
    )


def wait_for_linkwatch(namespace: Namespace) -> None:
    """The states of devices are those of their carriers."""
    devices(namespace)


def devices(namespace: Namespace, *more: str) -> str:
    """All devices and addresses of the namespace with everything that ip(8) says, as one text, once
    linkwatch is done; behind it what ip(8) says to *more*, all of it by one process."""

    def seen() -> str:
        words = "\n".join(("addr show", *more))
        found = namespace.run(["ip", "-d", "-j", "-batch", "-"], input=words).stdout
        return found if _watched(json.loads(found.partition("\n")[0])) else ""

    return until(seen)


def picture(namespace: Namespace) -> str:
    """The same, and all routes, of both families, and neighbours."""
    return devices(namespace, "route show table all", "neigh show")


def sysctl(namespace: Namespace, key: str) -> str:
    """A value below /proc/sys/net, which shows the namespace of the thread that opens it."""
    with namespace:
        return Path("/proc/sys/net", key).read_text().strip()


def set_sysctl(namespace: Namespace, key: str, value: int) -> None:
    """Write one. Skips where the folder is read-only."""
    with namespace:
        try:
            Path("/proc/sys/net", key).write_text(str(value))
        except OSError as error:
            pytest.skip(f"/proc/sys/net cannot be written to here: {error.strerror}")


def without_dad(namespace: Namespace, *devices: str) -> None:
    """These devices, and those made from now on, do not wait two seconds for each IPv6 address,
    where that can be switched off; where it cannot, the tests take longer."""
    with namespace:
        try:
            for one in ("default", *devices):
                Path(f"/proc/sys/net/ipv6/conf/{one}/accept_dad").write_text("0")
        except OSError:
            return


def lock_file(namespace: Namespace) -> Path:
    """The lock of the namespace, once somebody has made it."""
    inode = namespace.inode
    locks = [Path(base, str(inode), "lock") for base in runtime._bases()]
    return next(lock for lock in locks if lock.exists())


def forget(*namespaces: Namespace) -> None:
    """Remove the lock folders of namespaces that are about to go."""
    for namespace in namespaces:
        for base in runtime._bases():
            place = f"{base}/{namespace.inode}"
            if os.path.isdir(place):
                shutil.rmtree(place, ignore_errors=True)
                if base.startswith("/tmp/") and not os.listdir(base):
                    os.rmdir(base)


@contextmanager
def listening(
    namespace: Namespace, family: int, kind: int, address: str = "", device: str = ""
) -> Iterator[socket.socket]:
    """A server socket inside, bound to a device if wished; the kernel chooses the port."""
    with namespace:
        server = socket.socket(family, kind)
    with server:
        server.settimeout(PATIENCE * SLOW)
        if device:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        server.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        yield server


@contextmanager
def client(
    namespace: Namespace,
    family: int,
    kind: int,
    *,
    source: str = "",
    device: str = "",
) -> Iterator[socket.socket]:
    """A client socket inside, bound to an address or a device if wished."""
    with namespace:
        caller = socket.socket(family, kind)
        with caller:
            caller.settimeout(PATIENCE * SLOW)
            if device:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            if source:
                caller.bind((source, 0))
            yield caller


def talk(
    here: Namespace,
    there: Namespace,
    address: str,
    *,
    source: str = "",
    device: str = "",
    vrf: str = "",
) -> tuple[str, str]:
    """TCP and UDP from *here* to *address* in *there*, in its VRF if it has one, and back -> the
    sources that it saw."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if not vrf:
        wait_for_local_route(there, address)
    if not device:
        wait_for_local_route(here, source)
    seen = []
    with (
        listening(there, family, socket.SOCK_STREAM, address, vrf) as server,
        client(here, family, socket.SOCK_STREAM, source=source, device=device) as caller,
    ):
        caller.connect((address, server.getsockname()[1]))
        accepted, peer = server.accept()
        with accepted:
            caller.sendall(b"ping")
            accepted.settimeout(PATIENCE * SLOW)
            assert accepted.recv(4) == b"ping"
            accepted.sendall(b"pong")
            assert caller.recv(4) == b"pong"
        seen.append(peer[0])
    with (
        listening(there, family, socket.SOCK_DGRAM, address, vrf) as server,
        client(here, family, socket.SOCK_DGRAM, source=source, device=device) as caller,
    ):
        caller.sendto(b"ping", (address, server.getsockname()[1]))
        data, peer = server.recvfrom(16)
        assert data == b"ping"
        server.sendto(b"pong", peer)
        answer, answerer = caller.recvfrom(16)
        assert (answer, answerer[0]) == (b"pong", address)
        seen.append(peer[0])
    return seen[0], seen[1]


class Monitor:
    """``ip monitor``: what the kernel announced of devices, addresses and routes."""

    def __init__(self, namespace: Namespace) -> None:
        with namespace:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        groups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, _IPV4_*, _IPV6_*: rtnetlink.h
        self._socket.bind((0, groups))
        self._socket.setblocking(False)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def kinds(self) -> list[int]:
        """The message types since the last call: RTM_NEWLINK is 16, RTM_NEWADDR 20, ..."""
        found = []
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return found
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                found.append(kind)
                at += (length + 3) & ~3


def environment(**changes: str | None) -> dict[str, str]:
    """The environment with changes; None takes a variable away."""
    result = dict(os.environ)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result
