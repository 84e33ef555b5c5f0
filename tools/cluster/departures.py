"""Times at which registrations of hosts went, as a member of the engine tells who follows."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

from segment import Host

from netalias.cluster.records import HOSTS, Keys

PREFIX = "/netalias"
"""The usual prefix of a line ``cluster``."""


class Departures:
    """Follow one member from now on, by *port* in the namespace of its host. A member that ends
    tells no more."""

    def __init__(self, host: Host, address: str, port: int) -> None:
        keys = f"{Keys(PREFIX).all}{HOSTS}/".encode()
        asked = {
            "key": b64encode(keys).decode(),
            "range_end": b64encode(keys[:-1] + bytes([keys[-1] + 1])).decode(),
            "filters": ["NOPUT"],
        }
        self._found: list[tuple[float, str]] = []
        self._connection = HTTPConnection(address, port)
        with host.namespace:
            self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("POST", "/v3/watch", json.dumps({"create_request": asked}))
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        with suppress(HTTPException, OSError):
            for line in self._answer:
                now = time.time()
                for event in json.loads(line).get("result", {}).get("events", ()):
                    key = b64decode(event["kv"]["key"]).decode()
                    self._found.append((now, key.rpartition("/")[2]))

    def end(self) -> list[tuple[float, str]]:
        """End it; when which hosts went."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()
        return self._found
