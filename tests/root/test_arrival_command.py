"""Addresses that come, on the real kernel: the command as users start it, a host at the other end
of the cable that has addresses, and one that listens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import (
    Command,
    command,
    devices,
    ip_json,
    lock_file,
    one_line,
    set_sysctl,
    sysctl,
    wait_for_state,
)
from declaring import figures
from making import has, made
from support import PATIENCE, SLOW, Namespace, until

import netalias
from netalias import errors, packets
from netalias.claim import check
from netalias.model import address_text
from netalias.packets import (
    ARPOP_REPLY,
    ARPOP_REQUEST,
    NEIGHBOR_ADVERTISEMENT,
    announce,
)
from netalias.packets.bpf import ARP, NEIGHBOUR
from netalias.packets.parse import parse
from netalias.packets.socket import PacketSocket

CONFLICT, INTERRUPTED = 6, 130
THEIRS = "10.0.0.7"
THEIRS6 = "2001:db8::7"
KINDS = ("macvlan", "ipvlan", "dummy", "label")
FENCE = bytes([192, 0, 2, 99])


def mac(namespace: Namespace, device: str) -> str:
    """That of a device."""
    found: str = ip_json(namespace, f"link show dev {device}")[0]["address"]
    return found


class Ear:
    """What the other end of the cable hears."""

    def __init__(self, namespace: Namespace, peer: Namespace, program: bytes = ARP) -> None:
        self.namespace = namespace
        index: int = ip_json(peer, "link show dev p9")[0]["ifindex"]
        with peer:
            self.port = PacketSocket(index, program)
        self.found: list[tuple[int, str, str]] = []

    def listen(self) -> None:
        """Take in what is there: operation, MAC, sender (the target, where nobody sends)."""
        for frame in self.port.receive():
            heard = parse(frame)
            address = heard.sender if any(heard.sender) else heard.target
            family = 2 if len(address) == 4 else 10
            self.found.append((heard.operation, heard.mac.hex(":"), address_text(family, address)))

    def all(self) -> list[tuple[int, str, str]]:
        """All announcements until now: what was sent before a fence is heard before it."""
        with self.namespace:
            packets.single("eth9", b"\2\0\0\0\0\1", FENCE)
        fence = [(ARPOP_REQUEST, address_text(2, FENCE)), (ARPOP_REPLY, address_text(2, FENCE))]

        def over() -> bool:
            self.listen()
            return [(one, at) for one, _, at in self.found[-2:]] == fence

        until(over)
        found, self.found = self.found[:-2], []
        return found

    def advertised(self, address: str) -> str:
        """Wait for the advertisement of an address; the MAC in it."""

        def told() -> list[str]:
            self.listen()
            return [
                mac
                for operation, mac, sender in self.found
                if operation == NEIGHBOR_ADVERTISEMENT and sender == address
            ]

        return until(told)[0]


@pytest.fixture
def ear(cli: Command, peer: Namespace) -> Iterator[Ear]:
    """ARP at the other end, which has THEIRS."""
    wait_for_state(peer, "p9", "UP")
    peer.ip(f"addr add {THEIRS}/32 dev p9")
    ear = Ear(cli.namespace, peer)
    yield ear
    ear.port.close()


@pytest.fixture
def dad(cli: Command, peer: Namespace) -> Command:
    """New devices here check IPv6 addresses; the other end has THEIRS6."""
    set_sysctl(cli.namespace, "ipv6/conf/default/accept_dad", 1)
    set_sysctl(cli.namespace, "ipv6/conf/eth9/accept_dad", 1)
    wait_for_state(peer, "p9", "UP")
    peer.ip(f"-6 addr add {THEIRS6}/64 dev p9 nodad")
    return cli


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., str]:
    """Write a file of these lines; its path."""

    def write(*lines: str) -> str:
        path = tmp_path / "declared"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


def able(cli: Command, kind: str) -> None:
    """Skip where the kernel does not have the kind."""
    if kind == "ipvlan" and not has(cli.namespace, kind):
        pytest.skip("this kernel has no ipvlan")
    if kind == "dummy":
        made(cli.namespace, "link add d9 type dummy")
        cli.namespace.ip("link del d9")


def everything(cli: Command) -> object:
    """Devices, addresses, and the settings of the main device."""
    keys = ("arp_ignore", "arp_announce")
    return devices(cli.namespace), [sysctl(cli.namespace, f"ipv4/conf/eth9/{key}") for key in keys]


def announced(cli: Command, device: str, address: str) -> list[tuple[int, str, str]]:
    """Request and reply."""
    return [(one, mac(cli.namespace, device), address) for one in (ARPOP_REQUEST, ARPOP_REPLY)]


# One command


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["fast", "rfc"])
def test_a_conflict(cli: Command, peer: Namespace, ear: Ear, kind: str, mode: str) -> None:
    """Status 6, the other MAC, and nothing else: no device, no address, no setting, no word."""
    able(cli, kind)
    before = everything(cli)
    line = cli.fails(CONFLICT, "eth9:0", f"{THEIRS}/24", "kind", kind, "acd", mode)
    assert line == f"netalias: eth9:0: {THEIRS} is in use on eth9 by {mac(peer, 'p9')}"
    assert everything(cli) == before
    assert not lock_file(cli.namespace).with_name("settings").exists()
    asked = {address for _, _, address in ear.all()}
    assert asked == {THEIRS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_free_address_is_made_and_announced(
    cli: Command, peer: Namespace, ear: Ear, kind: str
) -> None:
    """After one probe, by request and reply, with the MAC that answers for it."""
    able(cli, kind)
    cli.run("eth9:0", "10.0.0.1/24", "kind", kind, "acd", "fast")
    device = "eth9_0" if kind == "macvlan" else "eth9"
    probe = (ARPOP_REQUEST, mac(cli.namespace, "eth9"), "10.0.0.1")
    assert ear.all() == [probe, *announced(cli, device, "10.0.0.1")]


def test_when_neighbours_hear(cli: Command, ear: Ear) -> None:
    """New, moved, raised, with another MAC; silence in all other cases."""
    for words, told in (
        ("10.0.0.1 kind macvlan announce off", ""),
        ("10.0.0.1", ""),
        ("mtu 1400", ""),
        ("down", ""),
        ("up", "10.0.0.1"),
        ("10.0.0.2", "10.0.0.2"),
        ("hw ether 02:00:00:00:00:55", "10.0.0.2"),
        ("kind label mtu 0", ""),
    ):
        cli.run("eth9:0", *words.split())
        assert ear.all() == (announced(cli, "eth9_0", told) if told else []), words
    cli.silent("eth9:0-")
    assert ear.all() == []


def test_an_alias_keeps_its_address(cli: Command, ear: Ear) -> None:
    """Where the one that it should get is another host's."""
    cli.silent("eth9:0", "10.0.0.1/24", "kind", "macvlan")
    ear.all()
    before = everything(cli)
    cli.fails(CONFLICT, "eth9:0", f"{THEIRS}/24", "acd", "fast")
    assert everything(cli) == before
    assert [address for _, _, address in ear.all()] == [THEIRS]


def test_what_is_ours_moves(cli: Command, ear: Ear) -> None:
    """From one alias of a main device to another, unasked."""
    cli.silent("eth9:0", "10.0.0.1", "kind", "macvlan")
    ear.all()
    cli.run("eth9:1", "10.0.0.1", "kind", "macvlan", "acd", "fast")
    assert ear.all() == announced(cli, "eth9_1", "10.0.0.1")


def test_in_a_named_namespace(cli: Command, peer: Namespace, ear: Ear) -> None:
    """-n: from outside, asked and told inside."""
    outside = Command(peer)
    inside = ("-n", cli.namespace.path)
    line = outside.fails(CONFLICT, *inside, "eth9:0", THEIRS, "acd", "fast")
    assert line.endswith(f"is in use on eth9 by {mac(peer, 'p9')}")
    ear.all()
    outside.silent(*inside, "eth9:0", "10.0.0.1", "kind", "macvlan")
    assert ear.all() == announced(cli, "eth9_0", "10.0.0.1")


def test_without_a_carrier(cli: Command, peer: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, then it is an error that names the main device; nothing is made."""
    monkeypatch.setattr(check, "CARRIER", 0.1)
    peer.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in cli.namespace.ip("link show eth9"))
    with cli.namespace, netalias.open() as engine:
        with pytest.raises(errors.StateError, match=r"^eth9:0: eth9 has no carrier$"):
            engine.create("eth9:0", "10.0.0.1", "kind", "macvlan", "acd", "fast")
        assert engine.show() == []


def test_a_main_device_that_is_down(cli: Command) -> None:
    """As without a check; with force nobody is behind it, so nobody is asked, which is said, or
    told."""
    cli.namespace.ip("link set eth9 down")
    words = ("eth9:0", "10.0.0.1", "kind", "label", "acd", "fast")
    assert "main device eth9 is down" in cli.fails(2, *words)
    line = cli.warns("--force", *words)
    warning = "netalias: warning: eth9:0: 10.0.0.1 was not probed for: eth9 is down"
    assert line == warning
    assert cli.names() == ["eth9:0"]
    cli.silent("-q", "--force", "eth9:1", *words[1:2], "kind", "macvlan", "acd", "fast")


def powerless(cli: Command, *words: str) -> subprocess.CompletedProcess[str]:
    """A process that has CAP_NET_ADMIN, and no CAP_NET_RAW."""
    if not shutil.which("setpriv"):
        pytest.skip("there is no setpriv here")
    drop = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    return cli.namespace.run([*drop, *command(*words)], check=False)


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1"])
def test_without_the_right_to_send_frames(cli: Command, address: str) -> None:
    """It is made, and a warning says that nobody was told; to be checked it needs the right."""
    done = powerless(cli, "eth9:0", address, "kind", "macvlan", "acd", "fast")
    assert done.returncode == 4
    assert "CAP_NET_RAW is needed" in one_line(done.stderr, "netalias: ")
    assert cli.names() == []
    done = powerless(cli, "eth9:0", address, "kind", "macvlan")
    assert done.returncode == 0
    warning = [line for line in done.stderr.splitlines() if "arp_" not in line]
    assert len(warning) == 1
    assert "not announced: " in warning[0]
    assert "CAP_NET_RAW is needed" in warning[0]
    assert cli.names() == ["eth9:0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_it_asks(
    cli: Command, ear: Ear, declare: Callable[..., str], number: signal.Signals
) -> None:
    """A signal once the first probe is heard: nothing is left, of one or of many."""
    before = everything(cli)
    file = declare("eth9:0-9 10.0.0.10-19 kind label", "eth9:10 10.0.0.20 kind label")
    for words in (("eth9:0", "10.0.0.1", "acd", "rfc"), ("--acd", "rfc", "reconcile", file)):
        child = cli.namespace.start(command(*words), stderr=subprocess.PIPE)
        until(lambda: ear.listen() or ear.found)
        os.kill(next(iter(children(child.pid))), number)
        _, said = child.communicate(timeout=PATIENCE * SLOW)
        status = INTERRUPTED if number == signal.SIGINT else -number
        assert (child.returncode, said) == (status, "netalias: interrupted\n")
        assert everything(cli) == before
        ear.all()


def children(pid: int) -> list[int]:
    """What timeout(1) has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# IPv6


def test_a_conflict_of_ipv6(dad: Command, peer: Namespace) -> None:
    """The kernel's verdict is awaited; nothing is left, and an old address is back."""
    dad.silent("eth9:0", "2001:db8::1/64", "kind", "macvlan", "announce", "off")
    before = figures(dad, "address", "ifindex")
    dad.settled("eth9:0")
    for name in ("eth9:0", "eth9:1"):
        line = dad.fails(CONFLICT, name, f"{THEIRS6}/64", "kind", "macvlan", "acd", "fast")
        assert line.startswith(f"netalias: {name}: {THEIRS6} is in use on eth9 by ")
        assert line.endswith(f" by {mac(peer, 'p9')}")
    assert figures(dad, "address", "ifindex") == before
    dad.settled("eth9:0")


def test_neighbours_are_told_once_the_kernel_has_decided(dad: Command, peer: Namespace) -> None:
    """With acd the command waits, and tells; the address is not tentative any more."""
    ear = Ear(dad.namespace, peer, NEIGHBOUR)
    dad.silent("eth9:0", "2001:db8::1/64", "kind", "macvlan", "acd", "fast")
    assert dad.one("eth9:0")["state"] == "up"
    assert ear.advertised("2001:db8::1") == mac(dad.namespace, "eth9_0")
    ear.port.close()


def inside(namespace: Namespace) -> list[int]:
    """The processes in a namespace."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{one}/ns/net").st_ino == namespace.inode:
                found.append(int(one))
        except OSError:
            continue
    return found


def test_a_child_tells_of_ipv6(dad: Command, peer: Namespace) -> None:
    """Without acd the command ends at once, and its pipes with it: there is no carrier, so the
    kernel decides nothing. The child holds neither pipe nor lock; with the carrier it tells, and
    ends."""
    peer.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in dad.namespace.ip("link show eth9"))
    dad.silent("eth9:0", "2001:db8::1/64", "kind", "macvlan")
    (child,) = inside(dad.namespace)
    lock = str(lock_file(dad.namespace))

    def held() -> list[str]:
        try:
            folder = f"/proc/{child}/fd"
            return [os.readlink(f"{folder}/{one}") for one in os.listdir(folder)]
        except FileNotFoundError:
            return []  # it is closing them just now

    until(lambda: held() and all(one.startswith("socket:") for one in held()))
    assert lock not in held()
    assert os.getsid(child) == child
    dad.silent("--wait", "1", "eth9:5", "10.0.0.5", "kind", "macvlan", "announce", "off")
    peer.ip("link set p9 up")
    ear = Ear(dad.namespace, peer, NEIGHBOUR)
    assert ear.advertised("2001:db8::1") == mac(dad.namespace, "eth9_0")
    ear.port.close()
    until(lambda: not inside(dad.namespace))


def test_optimistic(dad: Command) -> None:
    """The kernel takes the flag where optimistic_dad allows it."""
    set_sysctl(dad.namespace, "ipv6/conf/default/optimistic_dad", 1)
    dad.silent("eth9:0", "2001:db8::1/64", "kind", "macvlan", "optimistic", "announce", "off")
    assert "optimistic" in dad.namespace.ip("-6 addr show dev eth9_0")
    line = dad.fails(CONFLICT, "eth9:1", THEIRS6, "kind", "macvlan", "optimistic", "acd", "fast")
    assert THEIRS6 in line


# A program


def test_a_program_announces_by_itself(
    cli: Command, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In rounds, before create() returns, and without a child."""
    monkeypatch.setattr(announce, "INTERVAL", 0.01)
    with cli.namespace, netalias.open() as engine:
        engine.create("eth9:0", "10.0.0.1", "kind", "macvlan", "announce", "3")
        engine.create("eth9:1", "10.0.0.2", "kind", "macvlan")
        engine.create("eth9:2", "2001:db8::2", "kind", "macvlan")
    assert ear.all() == [
        *announced(cli, "eth9_0", "10.0.0.1") * 3, *announced(cli, "eth9_1", "10.0.0.2")
    ]  # fmt: skip
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# Many


def test_one_of_three_hundred(
    cli: Command, peer: Namespace, ear: Ear, declare: Callable[..., str]
) -> None:
    """It is told with its place, the others are made; so again, until it is free."""
    file = declare(
        "defaults kind label acd fast", "eth9:0-253 10.0.0.1-254", "eth9:300-345 10.0.1.1+"
    )
    why = f"eth9:6: {THEIRS} is in use on eth9 by {mac(peer, 'p9')}"
    done = cli.run("reconcile", file)
    assert (done.returncode, done.stderr) == (CONFLICT, f"netalias: {file}:2: {why}\n")
    assert len(done.stdout.splitlines()) == len(cli.names()) == 299
    done = cli.run("-j", "reconcile", file)
    (said,) = json.loads(done.stdout)
    assert (done.returncode, said["change"], said["error"]) == (CONFLICT, "skip", why)
    peer.ip(f"addr del {THEIRS}/32 dev p9")
    assert cli("reconcile", file) == f"+ eth9:6 {THEIRS}/32 label\n"
    cli.silent("reconcile", file)


def test_options_of_a_set(
    cli: Command, peer: Namespace, ear: Ear, declare: Callable[..., str]
) -> None:
    """abort does nothing at all; off announces nothing."""
    file = declare("eth9:0 10.0.0.1 kind label", f"eth9:1 {THEIRS} kind label")
    line = cli.fails(CONFLICT, "--acd", "fast", "--conflict", "abort", "reconcile", file)
    assert line == f"netalias: eth9:1: {THEIRS} is in use on eth9 by {mac(peer, 'p9')}"
    assert cli.names() == []
    ear.all()
    cli("--announce", "off", "--rate", "10", "reconcile", file)
    assert ear.all() == []


def test_an_alias_that_cannot_move_stays(
    cli: Command, ear: Ear, declare: Callable[..., str]
) -> None:
    """The rest of the set is done."""
    cli("reconcile", declare("eth9:0 10.0.0.1 kind macvlan", "eth9:1 10.0.0.2 kind macvlan"))
    file = declare(f"eth9:0 {THEIRS} kind macvlan acd fast", "eth9:1 10.0.0.3 kind macvlan")
    assert cli.run("reconcile", file).returncode == CONFLICT
    assert [cli.one(name)["local"] for name in ("eth9:0", "eth9:1")] == ["10.0.0.1", "10.0.0.3"]


def test_ipv6_in_a_set(dad: Command, peer: Namespace, declare: Callable[..., str]) -> None:
    """The one that another host has goes again, with its place and MAC."""
    file = declare("eth9:0 10.0.0.1 kind macvlan", "eth9:5-9 2001:db8::5-9 kind macvlan acd fast")
    done = dad.run("reconcile", file)
    assert done.returncode == CONFLICT
    told = one_line(done.stderr, f"netalias: {file}:2: eth9:7: {THEIRS6} is in use on ")
    assert told.endswith(f" by {mac(peer, 'p9')}")
    assert dad.names() == ["eth9:0", "eth9:5", "eth9:6", "eth9:8", "eth9:9"]


def test_hundreds_of_ipv6(dad: Command, peer: Namespace, declare: Callable[..., str]) -> None:
    """The kernel is waited for until it has decided on all; the one of another host goes again."""
    file = declare("eth9:0-599 2001:db8::1+ kind label acd fast announce off")
    done = dad.run("reconcile", file)
    assert done.returncode == CONFLICT
    one_line(done.stderr, f"netalias: {file}:1: eth9:6: {THEIRS6} is in use on eth9 by ")
    assert len(dad.names()) == 599
    assert "tentative" not in dad.namespace.ip("-6 addr show to 2001:db8::/64")


def test_every_so_often(cli: Command, ear: Ear, declare: Callable[..., str]) -> None:
    """Each run looks whether it is due, whatever was found before; as an option, and as a word of
    a file."""
    plain = declare("eth9:0 10.0.0.1 kind macvlan ")
    for _ in range(2):
        cli("reconcile", plain)
    ear.all()
    told = announced(cli, "eth9_0", "10.0.0.1")
    state = lock_file(cli.namespace)
    print_, note = state.with_name("fingerprint"), state.with_name("announced")
    assert print_.exists()
    for word, option in (("", ("--announce", "every 600")), ("announce every 600", ())):
        words = (*option, "reconcile", declare(f"eth9:0 10.0.0.1 kind macvlan {word}"))
        note.unlink(missing_ok=True)
        cli.silent(*words)
        assert ear.all() == told
        cli.silent(*words)
        assert ear.all() == []
        main, period, when = note.read_text().split()
        assert (main, period) == ("eth9", "600")
        note.write_text(f"eth9 600 {int(when) - 600}\n")
        cli.silent(*words)
        assert ear.all() == told


def test_a_batch(cli: Command, peer: Namespace, ear: Ear) -> None:
    """Line 3 is another host's: what is before is done and shown, what is after is not."""
    lines = [f"eth9:{n} 10.0.0.{n} kind label\n" for n in (5, 6, 7, 8)]
    done = cli.run("--acd", "fast", "-v", "batch", "-", input="".join(lines))
    assert done.returncode == CONFLICT
    error, rest = done.stderr.splitlines()
    assert error.endswith(f":3: eth9:7: {THEIRS} is in use on eth9 by {mac(peer, 'p9')}")
    assert rest.endswith("not done after that: 1 command")
    assert [line.split()[3] for line in done.stdout.splitlines()] == ["10.0.0.5/32", "10.0.0.6/32"]
    assert cli.names() == ["eth9:5", "eth9:6"]
    done = cli.run("--acd", "fast", "--force", "batch", "-", input="".join(lines))
    assert done.returncode == CONFLICT
    assert cli.names() == ["eth9:5", "eth9:6", "eth9:8"]
    done = cli.run("--acd", "fast", "--conflict", "abort", "batch", "-",
                   input=f"eth9:9 10.0.0.9 kind label\n{lines[2]}")  # fmt: skip
    assert done.returncode == CONFLICT
    assert cli.names() == ["eth9:5", "eth9:6", "eth9:8"]


def test_a_rehearsal_is_silent_on_the_wire(cli: Command, ear: Ear) -> None:
    """--dry-run of one, of a batch, of the verb."""
    cli.silent("eth9:0", "10.0.0.1", "kind", "macvlan")
    ear.all()
    cli("--dry-run", "eth9:1", "10.0.0.2", "acd", "fast")
    assert (
        "10.0.0.3" in cli.run("--dry-run", "batch", "-", input="eth9:1 10.0.0.3 acd fast\n").stdout
    )
    assert cli("--dry-run", "--announce", "every 5", "announce", "all") == (
        "announce 10.0.0.1 of eth9:0 on eth9\n"
    )
    assert ear.all() == []


def test_the_verb(cli: Command, ear: Ear) -> None:
    """Everything that can be told is told again."""
    for line in ("eth9:0 10.0.0.1 kind macvlan", "eth9:1 10.0.0.2 kind label", "lo:0 10.9.0.1",
                 "eth9:2 10.0.0.3 kind macvlan down"):  # fmt: skip
        cli.silent(*line.split())
    ear.all()
    both = announced(cli, "eth9_0", "10.0.0.1") + announced(cli, "eth9", "10.0.0.2")
    for words in (["all"], ["eth9"], ["eth9:0", "eth9:1"]):
        cli.silent("announce", *words)
        assert sorted(ear.all()) == sorted(both)
    line = cli.warns("announce", "eth9:2")
    assert line == "netalias: warning: eth9:2: not announced: eth9_2 is down"
    assert ear.all() == []
