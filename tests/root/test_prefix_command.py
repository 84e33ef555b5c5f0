"""Kind prefix on a real kernel: programs and other hosts, verbs, what others do to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command
from support import Namespace, until
from watcher import watching

pytestmark = pytest.mark.root

NETWORKS = "eth9:5 10.9.0.0/16 kind prefix\neth9:6 2001:db8:9::/64 kind prefix\n"


def texts(cli: Command) -> str:
    """The local routes of ours, without their metrics."""
    words = "route show table local proto 97"
    found = cli.namespace.ip(words) + cli.namespace.ip(f"-6 {words}")
    return " ".join(line.split(" metric ")[0] for line in found.splitlines())


WHOLE = "local 10.9.0.0/16 dev eth9 scope host local 2001:db8:9::/64 dev eth9"


def test_verbs(cli: Command, tmp_path: Path) -> None:
    """Made, shown, found, saved, checked, deleted and put right; among few and among many."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(NETWORKS)
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    assert cli.run("check", str(conf)).returncode == 3
    cli("-q", "eth9:5", "10.9.0.0/16", "kind", "prefix")
    cli("-q", "reconcile", str(conf))
    assert texts(cli) == WHOLE
    cli.silent("check", str(conf))
    assert cli("lookup", "10.9.200.1") == "eth9:5\n"
    assert cli("lookup", "2001:db8:9::5:5") == "eth9:6\n"
    assert cli("cat", "aliases").splitlines()[1].split() == ["eth9:5", "2", "10.9.0.0"]
    (shown,) = json.loads(cli("-j", "show", "eth9:5"))
    assert (shown["kind"], shown["addresses"], shown["prefixlen"]) == ("prefix", 65536, 16)
    assert "2^64 addresses" in cli("eth9:6")
    assert [line.split() for line in cli("save").splitlines()] == [
        line.split() for line in NETWORKS.splitlines()
    ]
    cli("eth9:5-")
    cli("eth9:6-")
    assert texts(cli) == ""


def test_a_run_that_finds_nothing_changed_sees_a_lost_route(cli: Command, tmp_path: Path) -> None:
    """The fingerprint holds the local routes too."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(NETWORKS)
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    for _ in range(3):
        cli("-q", "reconcile", str(conf))
    cli.namespace.ip("route del local 10.9.0.0/16 dev eth9 table local")
    cli("-q", "reconcile", str(conf))
    assert texts(cli) == WHOLE


def test_watch_puts_back_what_is_lost(cli: Command, tmp_path: Path) -> None:
    """By event: routes that are deleted, those that go with the device or its last address."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(NETWORKS)
    here = cli.namespace
    here.ip("addr add 10.0.0.1/24 dev eth9")
    with watching(here, tmp_path / "net", str(conf)) as watch:
        until(lambda: texts(cli) == WHOLE)
        here.ip("route del local 10.9.0.0/16 dev eth9 table local")
        until(lambda: texts(cli) == WHOLE)
        here.ip("-6 route del local 2001:db8:9::/64 dev eth9 table local")
        until(lambda: texts(cli) == WHOLE)
        here.ip("addr del 10.0.0.1/24 dev eth9")  # the kernel announces no route
        until(lambda: texts(cli) == WHOLE)
        here.ip("link set eth9 down")
        until(lambda: texts(cli) == "")
        here.ip("link set eth9 up")
        until(lambda: texts(cli) == WHOLE)
        watch.shows("eth9:5", "eth9:6")


SERVER = """
import socket, sys
made = socket.socket(socket.AF_INET6)
made.bind(("::", 7777)); made.listen(1024); print("ready", flush=True)
while True:
    one, _ = made.accept()
    one.sendall(one.getsockname()[0].encode()); one.close()
"""

CLIENT = """
import random, socket, sys
draw = random.Random(7)
for _ in range(int(sys.argv[1])):
    text = sys.argv[2] % (draw.getrandbits(16), draw.getrandbits(16)) if ":" in sys.argv[2] else (
        sys.argv[2] % (draw.randrange(256), draw.randrange(256)))
    with socket.create_connection((text, 7777), 20) as one:
        told = one.recv(64).decode()
        assert told.removeprefix("::ffff:") == socket.inet_ntop(
            one.family, socket.inet_pton(one.family, text)), (told, text)
print("done")
"""


def reached(cli: Command, peer: Namespace, count: int, pattern: str) -> str:
    """What a client of the peer says that connects to *count* random addresses of a network."""
    done = peer.run([sys.executable, "-c", CLIENT, str(count), pattern], check=False)
    return done.stdout + done.stderr[-400:]


def test_a_peer_reaches_random_addresses(cli: Command, peer: Namespace, tmp_path: Path) -> None:
    """With a watcher of IPv6, and of IPv4 where a macvlan wants arp_ignore 1; a server on the
    wildcard address answers from the address that was asked for. Multicast is given back."""
    here = cli.namespace
    conf = tmp_path / "netalias.conf"
    conf.write_text(f"{NETWORKS}eth9:0 10.0.0.5/32 kind macvlan\n")
    here.ip("addr add 10.0.0.1/24 dev eth9")
    for words in ("2001:db8:1::1/64", "fe80::1/64"):  # without the latter it solicits nobody
        here.ip(f"-6 addr add {words} dev eth9 nodad")
    peer.ip("addr add 10.0.0.2/24 dev p9")
    peer.ip("-6 addr add 2001:db8:1::2/64 dev p9 nodad")
    peer.ip("route add 10.9.0.0/16 dev p9")
    peer.ip("-6 route add 2001:db8:9::/64 dev p9")
    server = here.start([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        with watching(here, tmp_path / "net", str(conf)) as watch:
            watch.says("answering for 2 networks on eth9")
            assert reached(cli, peer, 40, "2001:db8:9:0:%x:0:0:%x") == "done\n"
            assert reached(cli, peer, 40, "10.9.%d.%d") == "done\n"
            assert "allmulti 1" in here.ip("-d link show dev eth9")
            here.ip("link set eth9 down")
            until(lambda: texts(cli) == "")
            here.ip("link set eth9 up")
            watch.says("answering for 2 networks on eth9")
            until(lambda: reached(cli, peer, 1, "10.9.%d.%d") == "done\n")
        assert "allmulti 0" in here.ip("-d link show dev eth9")
    finally:
        server.kill()
        server.wait()


def checks(cli: Command) -> list[tuple[str, str]]:
    """The checks of the doctor that found something, with their aliases."""
    done = cli.run("-j", "doctor", "eth9")
    return sorted((one["check"], one["alias"]) for one in json.loads(done.stdout))


def test_the_doctor_tells_if_nobody_answers(cli: Command, tmp_path: Path) -> None:
    """For IPv6 without a watcher, for IPv4 with arp_ignore besides; and what programs need."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(NETWORKS)
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    cli("-q", "reconcile", str(conf))
    hint = ("prefix", "eth9:6")
    assert checks(cli) == [hint, ("unserved-prefix", "eth9:6")]
    cli.namespace.run(["sysctl", "-qw", "net.ipv4.conf.eth9.arp_ignore=1"])
    assert checks(cli) == [hint, ("unserved-prefix", "eth9:5"), ("unserved-prefix", "eth9:6")]
    with watching(cli.namespace, tmp_path / "net", str(conf)):
        assert checks(cli) == [hint]


def test_conflicts_are_looked_for_by_samples(cli: Command, peer: Namespace, tmp_path: Path) -> None:
    """A host at the beginning of the network is found, by a command, a file and the watcher."""
    conf = tmp_path / "netalias.conf"
    conf.write_text("defaults acd fast\neth9:5 10.9.0.0/16 kind prefix\n")
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    peer.ip("addr add 10.9.0.1/32 dev p9")
    done = cli.run("eth9:5", "10.9.0.0/16", "kind", "prefix", "acd", "fast")
    assert (done.returncode, "10.9.0.1 is in use on eth9 by" in done.stderr) == (6, True)
    done = cli.run("reconcile", str(conf))
    assert (done.returncode, "10.9.0.1 is in use on eth9 by" in done.stderr) == (6, True)
    assert texts(cli) == ""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch:
        watch.says("10.9.0.1 is in use on eth9 by")
        assert texts(cli) == ""
        peer.ip("addr del 10.9.0.1/32 dev p9")
        until(lambda: texts(cli) == "local 10.9.0.0/16 dev eth9 scope host")
    cli("eth9:5-")
    done = cli.run("eth9:5", "10.9.0.0/16", "kind", "prefix", "acd", "fast")
    assert (done.returncode, "64 of 65536 addresses were asked for" in done.stderr) == (0, True)
