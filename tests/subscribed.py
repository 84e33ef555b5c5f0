"""A subscriber of the bus, and what it knows by the lines that it has read."""

from __future__ import annotations

import json
import socket
from typing import Any

import schemas

HELD: set[object] = set()
"""Shapes of lines that have been held against the schema: one of each is enough."""


class Known:
    """Devices by index, their media, and addresses and routes by index and what identifies them, as
    the lines tell them."""

    def __init__(self) -> None:
        self.devices: dict[int, dict[str, Any]] = {}
        self.addresses: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.media: dict[int, dict[str, Any]] = {}
        self.routes: set[tuple[Any, ...]] = set()
        self.lost = self.resets = 0
        self.synced = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.shown() == other.shown()

    __hash__ = None  # type: ignore[assignment]

    def shown(self) -> tuple[object, ...]:
        """What there is."""
        return self.devices, self.addresses, self.media, self.routes

    def take(self, line: dict[str, Any]) -> None:
        """Take in one line."""
        what = line["event"]
        if what == "reset":
            self.devices, self.addresses, self.media, self.routes = {}, {}, {}, set()
            self.lost += line["lost"]
            self.resets += 1
            self.synced = False
        elif what == "synced":
            self.synced = True
        elif what == "address":
            self._address(line)
        elif what == "media":
            self._media(line)
        elif what == "route":
            self._route(line)
        elif what != "netns":
            self._device(what, line)

    def _device(self, what: str, line: dict[str, Any]) -> None:
        index = line["ifindex"]
        if what == "arrival":
            assert index not in self.devices
            words = ("ifname", "mtu", "group", "address", "kind", "master")
            self.devices[index] = {word: line.get(word) for word in words}
            self.devices[index] |= {one: set(line[one]) for one in ("flags", "altnames")}
            return
        device = self.devices[index]
        if what == "departure":
            del self.devices[index]
            self.media.pop(index, None)
        elif what in ("flag", "carrier"):
            flag = "LOWER_UP" if what == "carrier" else line["field"]
            (device["flags"].add if line["new"] else device["flags"].discard)(flag)
        elif what == "altname":
            device["altnames"] -= {line["old"]}
            device["altnames"] |= {line["new"]} - {None}
        else:
            device[{"name": "ifname", "mac": "address"}.get(what, what)] = line["new"]

    def _media(self, line: dict[str, Any]) -> None:
        known = self.media.setdefault(line["ifindex"], {})
        if line["change"] == "changed":
            known[line["field"]] = line["new"]
        else:
            known |= {
                one: line[one] for one in ("speed", "duplex", "port", "autoneg") if one in line
            }

    def _route(self, line: dict[str, Any]) -> None:
        words = ("ifindex", "family", "type", "dst", "table", "metric", "protocol")
        key = tuple(line.get(word) for word in (*words, "gateway", "prefsrc"))
        if line["change"] == "added":
            assert key not in self.routes
            self.routes.add(key)
        else:
            self.routes.remove(key)

    def _address(self, line: dict[str, Any]) -> None:
        key = line["ifindex"], line["family"], line["local"]
        if line["family"] == "inet":
            key = (*key, line["prefixlen"], line.get("address_peer"))
        if line["change"] == "added":
            assert key not in self.addresses
            words = ("scope", "protocol", "label", "metric", "broadcast")
            self.addresses[key] = {word: line.get(word) for word in words}
            self.addresses[key]["state"] = set(line["state"])
        elif line["change"] == "deleted":
            del self.addresses[key]
        elif line["field"] in self.addresses[key]:
            self.addresses[key][line["field"]] = line["new"]
        elif isinstance(line["new"], bool):
            state = self.addresses[key]["state"]
            (state.add if line["new"] else state.discard)(line["field"])


class Subscriber:
    """A connection that reads what there is when it is told to."""

    def __init__(self, path: str, words: str = "", room: int = 0) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.connect(path)
        self.socket.sendall(f"subscribe {words}\n".encode())
        self.socket.setblocking(False)
        self.known = Known()
        self._whole = words.split()[:1] in ([], ["all"], ["all,route"])
        self.lines: list[dict[str, Any]] = []
        self.ended = False
        self._rest = b""

    def read(self) -> list[dict[str, Any]]:
        """The lines that have come since, each as the schema says."""
        data = self._rest
        try:
            while not self.ended:
                got = self.socket.recv(1 << 20)
                data += got
                self.ended = not got
        except BlockingIOError:
            pass
        *lines, self._rest = data.split(b"\n")
        found = [json.loads(line) for line in lines]
        for line in found:
            shape = (*line, line["event"], line.get("field"))
            if shape not in HELD:
                schemas.hold("bus", line)
                HELD.add(shape)
            if self._whole or line["event"] in ("reset", "synced"):
                self.known.take(line)
        self.lines += found
        return found

    def close(self) -> None:
        """Hang up."""
        self.socket.close()
