"""Leases on the real kernel: it drops the address itself, and nothing adds it again."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, Command, ip_json, lock_file
from shortened import quarter
from support import SLOW, Namespace

from netalias.desired.declarations import parse
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Rules, reconcile
from netalias.families import lazy
from netalias.kernel.netlink import PACK, PACK_SMALL, Netlink, codec, messages
from netalias.model import address_text

Declare = Callable[..., str]

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100

PLACES = [
    ("macvlan", "10.9.0.1/32"), ("label", "10.9.0.1/24"), ("macvlan", "fd00::1/64"),
    ("label", "fd00::1/128"),
]  # fmt: skip

DONE, REFUSED, DRIFT = 0, 2, 3


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write a file of these lines; its path."""

    def write(*lines: str) -> str:
        path = tmp_path / "declared"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


def entries(namespace: Namespace) -> list[dict[str, Any]]:
    """All addresses as ip(8) shows them."""
    return [entry for one in ip_json(namespace, "addr show") for entry in one["addr_info"]]


class Heard:
    """What the kernel has said of addresses: RTM_NEWADDR (20) and RTM_DELADDR (21)."""

    def __init__(self, namespace: Namespace, listening: socket.socket) -> None:
        self.namespace = namespace
        self.socket = listening

    def now(self) -> list[tuple[int, str]]:
        """Since the last call, as far as it has been said; link-local addresses left out."""
        found = []
        while select.select([self.socket], [], [], 0)[0]:
            data = self.socket.recv(1 << 16)
            for kind, _, _, start, end in messages(data):
                entry = codec.read_address(data, start, end)
                text = address_text(entry.family, entry.local)
                if not text.startswith("fe80"):
                    found.append((kind, text))
        return found

    def wait(self) -> None:
        """Until something is said."""
        assert select.select([self.socket], [], [], 20 * SLOW)[0], "nothing happens"

    def gone(self, *texts: str) -> None:
        """Wait until none of these is there."""
        while {str(one.get("local")) for one in entries(self.namespace)} & {*texts}:
            self.wait()
            self.now()


@contextmanager
def listening(namespace: Namespace) -> Iterator[Heard]:
    """Hear of every change of an address from now on."""
    with namespace:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        opened.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        yield Heard(namespace, opened)


def local(address: str) -> str:
    return address.partition("/")[0]


def left(cli: Command, name: str) -> tuple[int, int]:
    """The lease, and what is left of it."""
    found = cli.one(name)
    return found["lease"], found["remaining"]


@pytest.mark.parametrize(("kind", "address"), PLACES)
def test_the_kernel_has_it(cli: Command, kind: str, address: str) -> None:
    """valid_lft and preferred_lft from the message that adds the address."""
    cli.silent("eth9:0", address, "kind", kind, "lease", "300")
    (entry,) = [one for one in entries(cli.namespace) if one["local"] == local(address)]
    assert 295 <= entry["valid_life_time"] <= 300
    assert entry["preferred_life_time"] == entry["valid_life_time"]
    lease, remaining = left(cli, "eth9:0")
    assert 295 <= remaining <= lease
    assert lease in ((300,) if kind == "macvlan" else (300, 301))


@pytest.mark.parametrize(("kind", "address"), quarter(PLACES))
def test_it_is_gone_after_kill(cli: Command, declare: Declare, kind: str, address: str) -> None:
    """Who renews is killed; the kernel drops the address by itself, and what is left goes."""
    file = declare(f"eth9:0 {address} kind {kind} lease 2")
    loop = f"while :; do {' '.join([*COMMAND, 'reconcile', file])} >/dev/null; done"
    with listening(cli.namespace) as heard:
        renewing = cli.namespace.start(["sh", "-c", loop], start_new_session=True)
        try:
            said = 0
            while said < 3:  # added once, and renewed
                heard.wait()
                said += sum(text == local(address) for _, text in heard.now())
        finally:
            os.killpg(renewing.pid, signal.SIGKILL)
            renewing.wait()
        heard.gone(local(address))
    names = ["eth9:0"] if kind == "macvlan" else []
    assert cli.names() == names
    if names:
        assert cli.one("eth9:0")["state"] == "up,expired"
    cli("reconcile", declare("eth9:1 10.9.9.9 kind label"))
    assert cli.names() == ["eth9:1"]


def test_what_is_left_goes_with_renew(cli: Command) -> None:
    """With what it alone needed of its main device; a name is told with status 2."""
    for name, address in (("eth9:0", "10.9.0.1"), ("eth9:1", "fd00::1"), ("eth9:2", "10.9.0.3")):
        cli.silent(name, address, "kind", "macvlan", "acd", "off")
        cli.settled(name)
    with listening(cli.namespace) as heard:
        for name in ("eth9:0", "eth9:1", "eth9:2"):
            cli.silent(name, "lease", "1" if name != "eth9:2" else "2")
        heard.gone("10.9.0.1", "fd00::1")
        assert cli.fails(REFUSED, "renew", "eth9:0") == (
            "netalias: eth9:0: its lease has expired (an address creates it anew)"
        )
        heard.gone("10.9.0.3")
    assert cli.names() == ["eth9:1", "eth9:2"]
    assert "arp_announce 2, before: 0" in cli("-d", "show")
    cli.silent("renew")
    assert cli.names() == []
    assert [name for name in cli.namespace.names() if "_" in name] == []
    assert "before" not in cli("-d", "show")
    cli.silent("renew")


@pytest.mark.parametrize("verb", quarter(["renew", "reconcile", "again"]))
def test_a_renewal_disturbs_nobody(cli: Command, declare: Declare, verb: str) -> None:
    """Each address is announced by the kernel once more, and none goes."""
    lines = [f"eth9:{slot} {address.replace('1/', f'{slot + 1}/')} kind {kind} lease 300"
             for slot, (kind, address) in enumerate(PLACES)]  # fmt: skip
    file = declare(*lines)
    cli("reconcile", file)
    for slot in range(len(lines)):
        cli.settled(f"eth9:{slot}")
    texts = {one["local"] for one in cli.json()}
    with listening(cli.namespace) as heard:
        if verb == "again":
            for line in lines:
                cli.silent(*line.split())
        else:
            cli.silent(verb, *([file] if verb == "reconcile" else []))
        assert sorted(heard.now()) == sorted((codec.RTM_NEWADDR, text) for text in texts)
    assert cli("-v", "reconcile", file) == "renewed 4 leases\n"
    cli.silent("check", file)


def test_what_was_renewed_is_not_remembered(cli: Command, declare: Declare) -> None:
    """However often nothing has changed, every run renews: there is no fingerprint of it."""
    file = declare("eth9:0 10.9.0.1 kind label lease 300")
    cli("reconcile", file)
    with listening(cli.namespace) as heard:
        for _ in range(3):
            cli.silent("reconcile", file)
            assert heard.now() == [(codec.RTM_NEWADDR, "10.9.0.1")]


def test_nor_is_what_was_made(cli: Command, declare: Declare) -> None:
    """So many that all is read again to verify them: that reading is not remembered either."""
    lines = ["eth9:0-199 10.1.0.1/24+ kind label", "eth9:200 10.2.0.1 kind label lease 300"]
    cli("reconcile", declare(lines[0]))
    fingerprint = lock_file(cli.namespace).with_name("fingerprint")
    cli.silent("reconcile", declare(lines[0]))
    assert fingerprint.exists()
    fingerprint.unlink()
    cli("reconcile", declare(lines[0].replace("10.1", "10.3"), lines[1]))
    assert not fingerprint.exists()


def test_a_permanent_address_is_given_a_lease(cli: Command, declare: Declare) -> None:
    """In place, and back: a difference that is told, with no address gone in between."""
    file = declare("defaults lease 300", *(
        f"eth9:{slot} {address.replace('1/', f'{slot + 1}/')} kind {kind}"
        for slot, (kind, address) in enumerate(PLACES)
    ))  # fmt: skip
    bare = Path(file).read_text().replace("defaults lease 300\n", "")
    other = Path(file).with_name("bare")
    other.write_text(bare)
    cli("reconcile", str(other))
    for slot in range(len(PLACES)):
        cli.settled(f"eth9:{slot}")
    with listening(cli.namespace) as heard:
        for path, said in ((file, "lease none -> 300"), (str(other), "lease 300 -> none")):
            done = cli.run("check", path)
            assert done.returncode == DRIFT
            assert len(done.stdout.splitlines()) == len(PLACES)
            # Of a label it is worked out, and may be a second off.
            assert done.stdout.replace("lease 301", "lease 300").count(f" {said}\n") == len(PLACES)
            assert len(cli("reconcile", path).splitlines()) == len(PLACES)
            cli.silent("check", path)
        assert {kind for kind, _ in heard.now()} == {codec.RTM_NEWADDR}


class Counting(Netlink):
    """Counts sends and the messages in them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []

    def _send(self, operation: str, data: bytes) -> None:
        if operation == "changes":
            self.sent.append(len(list(messages(data))))
        super()._send(operation, data)


@pytest.mark.parametrize("address", ["10.1.0.1-10.1.3.232/32", "fd00::1-3e8/128"])
def test_a_thousand_in_one_batch(veth: Namespace, address: str) -> None:
    """As many messages as leases, and in as few sends as they fit."""
    text = f"eth9:1-1000 {address} kind label lease 300"
    declared = parse([("f", text)], lazy())
    assert declared.errors == []
    with veth:
        kernel = Counting()
    with Engine(Setup(kernel)) as engine:
        reconcile(engine, declared, Rules())
        kernel.sent.clear()
        with listening(veth) as heard:
            outcome = reconcile(engine, declared, Rules())
            assert {kind for kind, _ in heard.now()} <= {codec.RTM_NEWADDR}
    assert outcome.diff.items == []
    assert outcome.prepared.renewed == 1000
    assert sum(kernel.sent) == 1000
    assert len(kernel.sent) in (-(-1000 // PACK), -(-1000 // PACK_SMALL))


def test_the_printed_command_renews(cli: Command) -> None:
    """What -v prints is what ip(8) would have to be told."""
    cli.silent("eth9:0", "10.9.0.1", "kind", "macvlan", "lease", "300")
    said = cli("--dry-run", "eth9:0", "10.9.0.1", "lease", "300")
    line = "ip addr change 10.9.0.1/32 dev eth9_0 valid_lft 300 preferred_lft 300"
    assert said == f"{line} proto 97\n"
    with listening(cli.namespace) as heard:
        cli.namespace.run(line.split())  # not every ip(8) knows proto
        assert heard.now() == [(codec.RTM_NEWADDR, "10.9.0.1")]


def test_a_batch_renews(cli: Command) -> None:
    """By the line that makes it, and by the verb."""
    cli.silent("eth9:0", "10.9.0.1", "kind", "label", "lease", "300")
    text = "eth9:0 10.9.0.1 lease 300\nrenew\nrenew eth9:0\n"
    with listening(cli.namespace) as heard:
        done = cli.run("batch", "-", input=text)
        assert (done.returncode, done.stdout, done.stderr) == (DONE, "", "")
        assert heard.now() == [(codec.RTM_NEWADDR, "10.9.0.1")] * 3


def test_restored_with_its_lease(cli: Command, declare: Declare) -> None:
    """save | reconcile: what was deleted comes back with its lease."""
    cli.silent("eth9:0", "10.9.0.1", "kind", "macvlan", "lease", "300")
    cli.silent("eth9:1", "fd00::1/64", "kind", "macvlan", "lease", "400")
    saved = cli("save")
    for name in ("eth9:0-", "eth9:1-"):
        cli.silent(name)
    cli("reconcile", declare(*saved.splitlines()))
    assert left(cli, "eth9:0")[0] == 300
    assert left(cli, "eth9:1")[0] == 400
    assert cli("save") == saved


def test_a_family_that_goes_down(cli: Command) -> None:
    """The kernel forgets the IPv6 address, raising makes it anew with its lease."""
    cli.silent("eth9:0", "fd00::1/64", "kind", "macvlan", "lease", "300")
    cli.settled("eth9:0")
    cli.silent("eth9:0", "down")
    assert cli.one("eth9:0")["state"] == "down"
    cli.silent("renew", "eth9:0")
    cli.silent("eth9:0", "up")
    assert left(cli, "eth9:0")[0] == 300
