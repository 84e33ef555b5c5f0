"""The command relay: by the running watcher, in the foreground, and left behind."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import COMMAND, SECONDS, Command
from relaying import (
    CLIENT,
    HOME,
    INSIDE,
    NETWORK,
    SINGLE,
    SINGLE6,
    Client,
    Stage,
    declared,
    stage,
)
from support import Namespace, until

WORDS = ["on", "eth9", "to", CLIENT, "carriage", "udp:7777"]


@pytest.fixture
def made(cli: Command, peer: Namespace) -> Iterator[Stage]:
    """The stage with nothing declared."""
    with stage(cli, peer) as found:
        yield found


@pytest.fixture
def client(made: Stage) -> Iterator[Client]:
    """The other end of the tunnel."""
    found = Client(made.client, "udp:7777")
    yield found
    found.close()


def names(made: Stage) -> list[str]:
    """The devices of relays."""
    return [one for one in made.here.names() if one.startswith("relay")]


def test_in_the_foreground(made: Stage, client: Client) -> None:
    """Without a watcher the process does all of it, networks and flaps too, and undoes it at its
    end; it is shown meanwhile."""
    words = [*COMMAND, "relay", f"{SINGLE},{NETWORK}", *WORDS]
    process = made.here.start(words, stderr=subprocess.PIPE)
    try:
        until(lambda: made.proxies() == [SINGLE])
        assert made.exchange(SINGLE)
        assert made.exchange(INSIDE)
        (shown,) = json.loads(made.relay("-j", "show", "tunnels"))
        assert (shown["ifname"], shown["prefixes"]) == ("relay0", [SINGLE, NETWORK])
        made.here.ip("link set eth9 down")
        made.here.ip("link set eth9 up")
        until(lambda: made.proxies() == [SINGLE])
        assert made.exchange(INSIDE)
        made.here.ip(f"addr del {HOME}/24 dev eth9")  # its last one of IPv4
        made.here.ip(f"addr add {HOME}/24 dev eth9")
        until(lambda: made.proxies() == [SINGLE])
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err.count("warning"), err.count("Error")) == (0, 0, 0), err
    assert (names(made), made.proxies()) == ([], [])


def test_left_behind_and_ended_by_its_name(made: Stage, client: Client) -> None:
    """Two of them, each with a name, beside each other; the end of one leaves the other."""
    made.relay.silent("relay", SINGLE, *WORDS, "--detach")
    made.relay.silent("relay", SINGLE6, *WORDS[:-1], "udp:2", "--detach")
    assert names(made) == ["relay0", "relay1"]
    until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
    assert made.exchange(SINGLE)
    assert made.relay("show", "relay1").startswith("relay1")
    made.relay.silent("relay0-")
    assert (names(made), made.proxies()) == (["relay1"], [SINGLE6])
    line = made.relay.fails(2, "relay0-")
    assert line == "netalias: relay0: no such tunnel (netalias show tunnels)"
    made.relay.silent("relay0-", "--absent-ok")
    made.relay.silent("relay1-")
    assert (names(made), made.proxies()) == ([], [])


def test_by_the_running_watcher(made: Stage, client: Client, tmp_path: Path) -> None:
    """It carries two that were asked for by hand, beside one of its file, which cannot be ended by
    name; those by hand can."""
    line = f"relay 10.1.0.99 on eth9 to {CLIENT} carriage udp:9"
    with declared(made.here, tmp_path, line):
        until(lambda: made.proxies() == ["10.1.0.99"])
        made.relay.silent("relay", SINGLE, *WORDS)
        made.relay.silent("relay", SINGLE6, *WORDS[:-1], "udp:2")
        until(lambda: made.proxies() == sorted((SINGLE, SINGLE6, "10.1.0.99")))
        assert names(made) == ["relay0", "relay1", "relay2"]
        assert made.exchange(SINGLE)
        assert made.relay("save").splitlines()[0] == line
        assert "a file declares it" in made.relay.fails(2, "relay0-")
        said = made.relay.fails(2, "relay", "10.1.0.98", "on", "eth99", *WORDS[2:-1], "udp:3")
        assert "there is no device eth99" in said
        said = made.relay.fails(2, "relay", SINGLE, "on", "lo", *WORDS[2:-1], "udp:3")
        assert "nobody can ask there" in said
        made.relay.silent("relay1-")
        until(lambda: made.proxies() == sorted((SINGLE6, "10.1.0.99")))
        assert names(made) == ["relay0", "relay2"]
        made.relay.silent("relay2-")
        until(lambda: made.proxies() == ["10.1.0.99"])


def test_a_watcher_that_begins_beside_one(made: Stage, client: Client, tmp_path: Path) -> None:
    """What a process in the background carries keeps its name, and what it has published."""
    made.relay.silent("relay", SINGLE, *WORDS, "--detach")
    until(lambda: made.proxies() == [SINGLE])
    line = f"relay {SINGLE6} on eth9 to {CLIENT} carriage udp:2"
    with declared(made.here, tmp_path, line) as watch:
        until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
        assert names(made) == ["relay0", "relay1"]
        assert watch.end() == 0
    assert (names(made), made.proxies()) == (["relay0"], [SINGLE])
    made.relay.silent("relay0-")


def test_a_dry_run_and_errors(made: Stage) -> None:
    """The line is printed, and nothing done; a device that cannot answer is refused."""
    line = f"relay {SINGLE} on eth9 to {CLIENT} carriage udp:7777\n"
    assert made.relay("relay", SINGLE, *WORDS, "--dry-run") == line
    (change,) = json.loads(made.relay("-j", "relay", SINGLE, *WORDS, "--dry-run"))
    assert (change["change"], change["prefixes"]) == ("carry", [SINGLE])
    for device, error in (
        ("eth99", "there is no device eth99"),
        ("lo", "lo: nobody can ask there: the device has no neighbours"),
    ):
        words = [word.replace("eth9", device) for word in WORDS]
        assert error in made.relay.fails(2, "relay", SINGLE, *words)
    assert "carriage is missing" in made.relay.fails(1, "relay", SINGLE, *WORDS[:-2])
    assert names(made) == []
