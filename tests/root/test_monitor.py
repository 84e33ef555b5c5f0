"""``netalias monitor``: exact sequences of what a script does to devices, and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest
import schemas
from announcements import Picture, picture, replay
from command import COMMAND, SECONDS, Command, Json, set_sysctl, wait_for_state
from shortened import later
from support import SLOW, Namespace, another_user, until
from tapping import set_media, tap

from netalias.kernel.netlink.monitor import Monitor as NetlinkMonitor
from netalias.model.events import State

FOREVER = 0xFFFFFFFF


class Watcher:
    """A running ``netalias monitor`` in a namespace, and the lines that it prints."""

    def __init__(self, namespace: Namespace, *words: str, stderr: int = subprocess.PIPE) -> None:
        self.namespace = namespace
        self._words = ["monitor", *words]
        self.process = namespace.start(
            [*COMMAND, "monitor", *words], stdout=subprocess.PIPE, stderr=stderr
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout.fileno()
        self._text = b""
        self._marks = 0
        if "--no-initial" in words:
            until(lambda: sleeps(self.process.pid))
        else:
            self.first = self.line()  # from now on it hears everything

    def line(self) -> str:
        """The next line."""
        while b"\n" not in self._text:
            assert select([self._out], [], [], 5 * SLOW)[0], "no line comes"
            data = os.read(self._out, 65536)
            assert data, f"it has ended: {self.process.wait()}"
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        schemas.check(self._words, line.decode())
        return line.decode()

    def until(self, end: str) -> list[str]:
        """The lines up to the one that is *end*, which is dropped."""
        found: list[str] = []
        while True:
            line = self.line()
            if line == end:
                return found
            found.append(line)

    def since(self) -> list[str]:
        """The lines up to now, in the order of the kernel: a change of lo marks the end."""
        self._marks += 1
        mtu = 60000 + self._marks
        self.namespace.ip(f"link set lo mtu {mtu}")
        return self.until(f"~ lo mtu {mtu - 1 if self._marks > 1 else 65536} -> {mtu}")

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the exit status, without a word on standard error."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end."""
        status = self.process.wait(SECONDS)
        assert self.process.stderr is None or self.process.stderr.read() == ""
        return status


@contextmanager
def watching(namespace: Namespace, *words: str) -> Iterator[Watcher]:
    """A monitor that has told everything that was there."""
    watcher = Watcher(namespace, *words, "lo")
    try:
        watcher.since()
        yield watcher
    finally:
        watcher.process.kill()
        watcher.process.wait()
        assert watcher.process.stdout is not None
        watcher.process.stdout.close()


@pytest.fixture
def dummy(netns: Namespace) -> Namespace:
    """A namespace with br9, a device that is alone: a bridge without ports."""
    netns.raise_lo()
    netns.ip("link add br9 type bridge")
    return netns


def sleeps(pid: int) -> bool:
    """Whether a process waits in poll(2), so that it hears what happens now."""
    return "poll" in Path(f"/proc/{pid}/wchan").read_text()


def set_flag(namespace: Namespace, bit: int, on: bool) -> None:
    """SIOCSIFFLAGS: what ip(8) has no word for."""
    with namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"br9", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(any_socket, 0x8913, request))[0]
        flags = flags | bit if on else flags & ~bit
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"br9", flags))


def test_each_flag_is_one_line(dummy: Namespace) -> None:
    """D-4: UP, NOARP, PROMISC, ALLMULTI, MULTICAST, DEBUG, DYNAMIC, PORTSEL, AUTOMEDIA: on, off,
    and nothing where nothing changes."""
    bits = {
        "DEBUG": 0x4, "NOARP": 0x80, "PROMISC": 0x100, "ALLMULTI": 0x200, "PORTSEL": 0x2000,
        "AUTOMEDIA": 0x4000, "DYNAMIC": 0x8000, "MULTICAST": 0x1000,
    }  # fmt: skip
    with watching(dummy, "br9") as watcher:
        for name, bit in bits.items():
            order = (False, True) if name == "MULTICAST" else (True, False)
            for on in order:
                set_flag(dummy, bit, on)
                set_flag(dummy, bit, on)
            words = {True: "off -> on", False: "on -> off"}
            assert watcher.since() == [f"~ br9 {name} {words[on]}" for on in order]


def test_up_and_down(veth: Namespace) -> None:
    """The flag first, then what follows from it; RUNNING comes with the carrier."""
    with watching(veth, "eth9") as watcher:
        veth.ip("link set eth9 down")
        assert watcher.since() == [
            "~ eth9 UP on -> off",
            "~ eth9 RUNNING on -> off",
            "~ eth9 carrier on -> off",
        ]
        veth.ip("link set eth9 up")
        wait_for_state(veth, "eth9", "UP")
        assert sorted(watcher.since()) == [
            "~ eth9 RUNNING off -> on",
            "~ eth9 UP off -> on",
            "~ eth9 carrier off -> on",
        ]


def test_name_mtu_mac_and_master(dummy: Namespace) -> None:
    """One line each, with old and new."""
    dummy.ip("link add eth8 address 02:00:00:00:00:08 type veth peer name p8")
    with watching(dummy, "eth8", "lan") as watcher:
        for words in (
            "set eth8 mtu 1400",
            "set eth8 mtu 1400",
            "set eth8 address 02:00:00:00:00:09",
            "set eth8 name lan",
            "set lan master br9",
            "set lan nomaster",
        ):
            dummy.ip(f"link {words}")
        assert [line for line in watcher.since() if "PROMISC" not in line] == [
            "~ eth8 mtu 1500 -> 1400",
            "~ eth8 mac 02:00:00:00:00:08 -> 02:00:00:00:00:09",
            "~ eth8 name eth8 -> lan",
            "~ lan master - -> br9",
            "~ lan master br9 -> -",
        ]


def test_alternative_names(veth: Namespace) -> None:
    """Of a device that is up they are told at once; of one that is down the kernel announces them
    with the next change (netdev_state_change)."""
    with watching(veth, "eth9") as watcher:
        veth.ip("link property add dev eth9 altname wan")
        veth.ip("link property del dev eth9 altname wan")
        assert watcher.since() == ["~ eth9 altname - -> wan", "~ eth9 altname wan -> -"]
        veth.ip("link set eth9 down")
        veth.ip("link property add dev eth9 altname wan")
        veth.ip("link set eth9 mtu 1400")
        assert watcher.since()[-2:] == ["~ eth9 mtu 1500 -> 1400", "~ eth9 altname - -> wan"]


def test_addresses(dummy: Namespace) -> None:
    """Family, prefix, lifetime, state; a second command that changes nothing is no line."""
    with watching(dummy, "br9") as watcher:
        for words in (
            "add 10.0.0.1/24 dev br9",
            "replace 10.0.0.1/24 dev br9",
            "add 10.0.0.2/24 dev br9",
            "change 10.0.0.1/24 dev br9 valid_lft 500 preferred_lft 400",
            "change 10.0.0.1/24 dev br9 valid_lft forever preferred_lft 0",
            "del 10.0.0.1/24 dev br9",
            "add 10.0.0.3 peer 10.0.0.4/32 dev br9",
        ):
            dummy.ip(f"addr {words}")
        assert watcher.since() == [
            "+ br9 10.0.0.1/24",
            "+ br9 10.0.0.2/24 secondary",
            "~ br9 10.0.0.1/24 lifetime forever/forever -> 500/400",
            "~ br9 10.0.0.1/24 deprecated off -> on",
            "~ br9 10.0.0.1/24 lifetime 500/400 -> forever/forever",
            "- br9 10.0.0.2/24",
            "- br9 10.0.0.1/24",
            "+ br9 10.0.0.3/32 peer 10.0.0.4",
        ]


def test_duplicate_address_detection(veth: Namespace) -> None:
    """What the kernel finds out about an IPv6 address, and that nobody else has it."""
    assert veth.peer is not None
    veth.peer.ip("addr add 2001:db8::1/64 dev p9 nodad")
    set_sysctl(veth, "ipv6/conf/eth9/accept_dad", 1)
    with watching(veth, "eth9") as watcher:
        veth.ip("addr add 2001:db8::1/64 dev eth9")
        until(lambda: "dadfailed" in veth.ip("addr show eth9"))
        assert watcher.since() == [
            "+ eth9 2001:db8::1/64 tentative",
            "~ eth9 2001:db8::1/64 dadfailed off -> on",
        ]


def test_ipv6_addresses_go_with_the_device_that_goes_down(veth: Namespace) -> None:
    """The kernel forgets them; IPv4 ones stay."""
    veth.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    veth.ip("addr add 10.0.0.1/24 dev eth9")
    with watching(veth, "eth9") as watcher:
        veth.ip("link set eth9 down")
        assert watcher.since()[-1] == "- eth9 2001:db8::1/64"


def test_routes_with_details(veth: Namespace) -> None:
    """Each comes and goes once; those that the kernel drops without a word too."""
    with watching(veth, "-d", "eth9") as watcher:
        veth.ip("addr add 10.0.0.1/24 dev eth9")
        veth.ip("route add 10.9.0.0/16 via 10.0.0.2")
        veth.ip("route replace 10.9.0.0/16 via 10.0.0.3")
        assert watcher.since()[1:] == [
            "+ eth9 route 10.0.0.0/24 src 10.0.0.1",
            "+ eth9 route 10.9.0.0/16 via 10.0.0.2",
            *sorted(
                ["- eth9 route 10.9.0.0/16 via 10.0.0.2", "+ eth9 route 10.9.0.0/16 via 10.0.0.3"]
            ),
        ]
        veth.ip("link set eth9 down")
        watcher.until("- eth9 route 10.0.0.0/24 src 10.0.0.1")
        assert watcher.line() == "- eth9 route 10.9.0.0/16 via 10.0.0.3"


def test_routes_are_not_told_unasked(veth: Namespace) -> None:
    """Without -d."""
    with watching(veth, "eth9") as watcher:
        veth.ip("addr add 10.0.0.1/24 dev eth9")
        assert watcher.since() == ["+ eth9 10.0.0.1/24"]


def test_a_device_that_is_made_again(dummy: Namespace) -> None:
    """Two lines, with both indexes."""
    with watching(dummy, "br9") as watcher:
        first = index(dummy, "br9")
        dummy.ip("link del br9")
        dummy.ip("link add br9 type bridge")
        found = [line.split(" <")[0] for line in watcher.since() if " index " in line]
        assert found == [f"- br9 index {first}", f"+ br9 index {index(dummy, 'br9')}"]
        assert index(dummy, "br9") != first


def test_a_name_that_is_not_there_yet(dummy: Namespace) -> None:
    """D-6: it is awaited, however it comes: by a new device, or by one that gets the name."""
    with watching(dummy, "wan") as watcher:
        dummy.ip("link add wan type bridge")
        dummy.ip("link del wan")
        dummy.ip("addr add 10.0.0.1/24 dev br9")
        dummy.ip("link set br9 name wan")
        found = [line.split(" <")[0] for line in watcher.since()]
        here = index(dummy, "wan")
        assert [line for line in found if " index " in line] == [
            f"+ wan index {here + 1}",
            f"- wan index {here + 1}",
            f"+ wan index {here}",
        ]
        assert "+ wan 10.0.0.1/24" in found


def test_a_device_moves_between_namespaces(veth: Namespace) -> None:
    """It says where to; it comes back with another index, or with the same."""
    assert veth.peer is not None
    with watching(veth, "eth9") as watcher:
        here = index(veth, "eth9")
        veth.ip(f"link set eth9 netns {veth.peer.path}")
        there = index(veth.peer, "eth9")
        assert watcher.since()[-1].startswith(f"- eth9 index {here} to netns ")
        veth.peer.ip(f"link set eth9 netns {veth.path}")
        assert watcher.since()[0].startswith(f"+ eth9 index {index(veth, 'eth9')} <")
        assert there != 0


def test_aliases_have_their_names(cli: Command) -> None:
    """eth9:0 for the device eth9_0 and for a label; both belong to eth9."""
    netns = cli.namespace
    with watching(netns, "eth9") as watcher:
        cli.silent("eth9:0", "192.0.2.1", "kind", "macvlan")
        cli.silent("eth9:1", "192.0.2.2", "kind", "label")
        cli.silent("eth9:1-")
        found = watcher.since()
        assert f"+ eth9:0 index {index(netns, 'eth9_0')}" in [one.split(" <")[0] for one in found]
        assert {"+ eth9:0 192.0.2.1/32", "~ eth9:0 UP off -> on"} <= set(found)
        assert [one for one in found if "eth9:1" in one] == [
            "+ eth9:1 192.0.2.2/32",
            "- eth9:1 192.0.2.2/32",
        ]


def test_json(dummy: Namespace) -> None:
    """One object a line: the event, the device by the names of ip(8), old and new, the time."""
    watcher = Watcher(dummy, "-j", "-t", "br9")
    first: Json = json.loads(watcher.first)
    time = first.pop("time")
    assert len(time) == len("2026-01-01T00:00:00.000000+00:00")
    assert (first["event"], first["initial"], first["ifname"]) == ("arrival", True, "br9")
    assert (first["ifindex"], first["mtu"]) == (index(dummy, "br9"), 1500)
    dummy.ip("link set br9 mtu 1400")
    while (found := json.loads(watcher.line()))["event"] == "media":
        pass
    del found["time"]
    assert found == {
        "event": "mtu", "ifindex": first["ifindex"], "ifname": "br9", "old": 1500, "new": 1400,
    }  # fmt: skip
    dummy.ip("addr add 10.0.0.1/24 dev br9")
    found = json.loads(watcher.line())
    assert (found["event"], found["change"]) == ("address", "added")
    assert (found["family"], found["local"], found["prefixlen"]) == ("inet", "10.0.0.1", 24)
    assert found["valid_life_time"] == FOREVER
    assert watcher.end() == 130


def test_without_the_beginning(dummy: Namespace) -> None:
    """D-6: --no-initial: what was there is not told; what happens is."""
    dummy.ip("addr add 10.0.0.1/24 dev br9")
    watcher = Watcher(dummy, "--no-initial", "br9", "lo")
    assert watcher.since() == []
    assert watcher.end() == 130


def index(namespace: Namespace, name: str) -> int:
    """The index of a device."""
    with namespace:
        return socket.if_nametoindex(name)


# Media


@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="there is no /dev/net/tun")
def test_media(netns: Namespace) -> None:
    """D-4: what somebody sets is told once, with old and new; the same again is not told."""
    netns.raise_lo()
    with tap(netns, "tap9"):
        watcher = Watcher(netns, "tap9")
        assert watcher.first.startswith("= tap9 index ")
        assert [watcher.line().split()[2] for _ in range(2)] == ["port", "autoneg"]
        for speed, duplex in ((10, 0), (10, 0), (100, 0), (100, 1)):
            set_media(netns, "tap9", speed, duplex)
        found = [watcher.line() for _ in range(4)]
        assert found[0].startswith("~ tap9 speed ")
        assert found[0].endswith(" -> 10")
        assert found[1:] == [
            "~ tap9 duplex full -> half",
            "~ tap9 speed 10 -> 100",
            "~ tap9 duplex half -> full",
        ]
        assert watcher.end() == 130


# Overflow


def fresh(namespace: Namespace, *, routes: bool = False) -> Picture:
    """What a new reading says."""
    with namespace:
        stream = NetlinkMonitor(routes=routes)
    for _ in stream.start():
        pass
    stream.close()
    return picture(stream.state)


def drops(namespace: Namespace) -> int:
    """How many announcements found no room, of all sockets of the namespace."""
    with namespace:
        text = Path("/proc/thread-self/net/netlink").read_text()
    return sum(int(line.split()[8]) for line in text.splitlines()[1:])


@pytest.mark.parametrize("routes", [False, True], ids=["plain", "routes"])
def test_overflow(dummy: Namespace, tmp_path: Path, routes: bool) -> None:
    """D-5: what was lost is read again: the events lead to what a fresh dump says, none twice."""
    with dummy:
        stream = NetlinkMonitor(routes=routes, buffer=4096)
    dummy.ip("link set br9 up")
    known: Picture = {}
    replay(known, stream.start())
    commands = tmp_path / "batch"
    lines = [f"addr add 10.0.{n // 200}.{n % 200 + 1}/32 dev br9" for n in range(400)]
    lines += [f"addr del 10.0.{n // 200}.{n % 200 + 1}/32 dev br9" for n in range(0, 400, 3)]
    lines += ["link set br9 mtu 1400", "link set br9 mtu 1300", "link set br9 promisc on"]
    lines += ["link add br8 type bridge", "link del br8", "link add br7 type bridge"]
    commands.write_text("\n".join(lines))
    dummy.ip(f"-batch {commands}")
    assert drops(dummy) > 0
    found = list(stream.read())
    replay(known, found)
    told = [(event.old, event.new) for event in found if event.what == "mtu"]
    assert told == [(1500, 1300)]
    assert without_media(known) == without_media(fresh(dummy, routes=routes))
    stream.close()


def without_media(known: Picture) -> Picture:
    """The answers about new devices are on their way."""
    return {key: value for key, value in known.items() if key[0] != "media"}


def test_overflow_while_it_is_read_again(dummy: Namespace, tmp_path: Path) -> None:
    """What is lost during the reading is not believed to be in it: it is read once more."""
    commands = tmp_path / "batch"
    lines = [f"addr add 10.0.{n // 200}.{n % 200 + 1}/32 dev br9" for n in range(400)]
    commands.write_text("\n".join(lines))
    rounds: list[State] = []

    class Disturbed(NetlinkMonitor):
        def _dumped(self) -> State:
            rounds.append(super()._dumped())
            if len(rounds) == 1:
                dummy.ip(f"-batch {commands}")
            return rounds[-1]

    with dummy:
        stream = Disturbed(buffer=4096)
    known: Picture = {}
    replay(known, stream.start())
    assert len(rounds) == 2
    assert known == fresh(dummy)
    stream.close()


def test_what_is_announced_while_it_is_read_again_is_in_it(dummy: Namespace) -> None:
    """And is not told once more: neither what came before the dump nor what came after it."""

    class Disturbed(NetlinkMonitor):
        def _dumped(self) -> State:
            dummy.ip("link set br9 mtu 1400")
            dummy.ip("link set br9 mtu 1300")
            found = super()._dumped()
            dummy.ip("link set br9 mtu 1200")
            return found

    with dummy:
        stream = Disturbed()
    known: Picture = {}
    replay(known, stream.start())
    assert list(stream.read()) == []
    assert known == fresh(dummy)
    stream.close()


def test_overflow_in_a_storm(dummy: Namespace, tmp_path: Path) -> None:
    """It overflows again and again while it reads; in the end the two worlds are one."""
    with dummy:
        stream = NetlinkMonitor(buffer=4096)
    known: Picture = {}
    replay(known, stream.start())
    commands = tmp_path / "batch"
    one = [f"link set br9 mtu {1400 + n % 50}\naddr add 10.0.0.{n}/32 dev br9" for n in range(200)]
    other = [f"addr del 10.0.0.{n}/32 dev br9" for n in range(200)]
    commands.write_text("\n".join([*one, *other] * 10))
    storm = dummy.start(["ip", "-batch", str(commands)], stderr=subprocess.DEVNULL)
    while storm.poll() is None:
        replay(known, stream.read())
    replay(known, stream.read())
    assert drops(dummy) > 0
    assert known == fresh(dummy)
    stream.close()


# Scripts


def script(path: Path, text: str) -> str:
    """An executable script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


HOOKS = ("arrival", "departure", "up", "down", "carrier", "no-carrier")


def hooks(path: Path) -> list[str]:
    """The options with one script each, that writes its occasion and arguments to a file."""
    words = []
    for name in HOOKS:
        text = f'echo "{name}($#):" "$1" "$2" "$3" "<$4>" "<$5>" >>{path}/log'
        words += [f"--on-{name}", script(path / name, text)]
    return words


def log(path: Path) -> list[str]:
    """What the scripts wrote."""
    file = path / "log"
    return file.read_text().splitlines() if file.exists() else []


def test_scripts(veth: Namespace, tmp_path: Path) -> None:
    """D-6, D-7: those of ifwatchd run unchanged: five arguments, in the order of what happens."""
    veth.ip("addr add 10.0.0.1/24 brd + dev eth9")
    assert veth.peer is not None
    with watching(veth, *hooks(tmp_path), "eth9") as watcher:
        veth.ip("addr add 2001:db8::1/64 dev eth9 nodad")
        veth.ip("addr add fe80::1/64 dev eth9 nodad")
        veth.ip("addr del 10.0.0.1/24 dev eth9")
        until(lambda: len([one for one in log(tmp_path) if "eth9" in one]) >= 5)
        veth.peer.ip("link set p9 down")
        wait_for_state(veth, "eth9", "DOWN")
        veth.ip("link del eth9")
        watcher.since()
        until(lambda: any("departure" in one for one in log(tmp_path)))
    tail = "eth9 /dev/null 9600"
    assert [one for one in log(tmp_path) if "eth9" in one] == [
        f"arrival(5): {tail} <> <>",
        f"carrier(5): {tail} <> <>",
        f"up(5): {tail} <10.0.0.1> <10.0.0.255>",
        f"up(5): {tail} <2001:db8::1> <>",
        f"down(5): {tail} <10.0.0.1> <10.0.0.255>",
        f"no-carrier(5): {tail} <> <>",
        f"down(5): {tail} <2001:db8::1> <>",
        f"departure(5): {tail} <> <>",
    ]


def test_a_slow_script_keeps_nobody_waiting(dummy: Namespace, tmp_path: Path) -> None:
    """D-7: lines come while it runs; the next ones run after it, one by one; nothing is left."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    slow = script(tmp_path / "slow", f"read word <{gate}; echo $4 >>{tmp_path}/log; exit 3")
    with watching(dummy, "--on-up", slow, "--no-initial", "br9") as watcher:
        for number in range(3):
            dummy.ip(f"addr add 10.0.0.{number}/32 dev br9")
        assert watcher.since() == [f"+ br9 10.0.0.{number}/32" for number in range(3)]
        for number in range(3):
            # A script is started after the line of its event is printed, or the last one has ended.
            until(lambda: len(children(watcher.process.pid)) == 1)
            gate.write_text("go\n")
            expected = [f"10.0.0.{one}" for one in range(number + 1)]
            until(lambda: log(tmp_path) == expected)  # noqa: B023 it is over by then
        until(lambda: not children(watcher.process.pid))


def children(pid: int) -> list[str]:
    """The pids of the children of a process, zombies too."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_script_that_is_missing_is_told_at_once(cli: Command, tmp_path: Path) -> None:
    """It is not waited for until something comes up."""
    missing = tmp_path / "missing"
    assert cli.fails(2, "monitor", "--on-up", str(missing), "lo") == (
        f"netalias: --on-up {missing}: No such file or directory"
    )


def test_a_script_that_vanishes_is_told(dummy: Namespace, tmp_path: Path) -> None:
    """One line, and it goes on."""
    true = shutil.which("true")
    assert true is not None
    # No script: its interpreter could come too late to open it, and say so itself.
    path = shutil.copy(true, tmp_path / "vanishing")
    watcher = Watcher(dummy, "--on-up", str(path), "br9", "lo")
    watcher.since()
    path.unlink()
    dummy.ip("addr add 10.0.0.1/32 dev br9")
    assert watcher.since() == ["+ br9 10.0.0.1/32"]
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.process.wait(SECONDS) == 130
    assert watcher.process.stderr is not None
    said = watcher.process.stderr.read().splitlines()
    assert set(said) == {f"netalias: warning: {path}: No such file or directory"}


def test_a_script_that_others_may_change_is_refused(cli: Command, tmp_path: Path) -> None:
    """Before a line is printed."""
    hook = script(tmp_path / "hook", f"echo x >{tmp_path}/log")
    os.chmod(hook, 0o777)
    assert "writable by others" in cli.fails(2, "monitor", "--on-arrival", hook, "lo")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("way", ["SIGINT", "reader", *later(["SIGTERM", "SIGHUP"])])
def test_a_script_ends_with_the_monitor(dummy: Namespace, tmp_path: Path, way: str) -> None:
    """However the monitor ends, and with the processes that the script has started."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    hook = script(tmp_path / "hook", f"sleep 1000 & echo $! >{gate}; wait")
    with watching(dummy, "--on-arrival", hook, "br9") as watcher:
        child = int(gate.read_text())
        assert watcher.process.stdout is not None
        if way == "reader":
            watcher.process.stdout.close()
            status = 0
        else:
            number = getattr(signal, way)
            watcher.process.send_signal(number)
            status = 130 if way == "SIGINT" else -number
        assert watcher.process.wait(SECONDS) == status
    until(lambda: not runs(child))


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_scripts_are_run_to_the_end(veth: Namespace, tmp_path: Path) -> None:
    """Where a device that goes down ends the monitor, the scripts for that still run."""
    log = tmp_path / "log"
    words = []
    for name in ("carrier", "no-carrier"):
        words += [f"--on-{name}", script(tmp_path / name, f"sleep 0.1; echo {name} $1 >>{log}")]
    watcher = Watcher(veth, "--exit-when-down", *words, "eth9")
    veth.ip("link set eth9 down")
    assert watcher.ended() == 0
    assert log.read_text().split("\n")[-2] == "no-carrier eth9"


def test_a_script_inherits_nothing(dummy: Namespace, tmp_path: Path) -> None:
    """No socket, no signal that is ignored; its input is empty, its output not among the events."""
    text = f"""exec 9>>{tmp_path}/log
        ls -l /proc/$$/fd >&9
        (yes; echo $? >&9) | head -1
        echo spoilt"""
    words = ("--on-arrival", script(tmp_path / "fds", text), "br9")
    with open(tmp_path / "errors", "w") as errors:
        watcher = Watcher(dummy, *words, "lo", stderr=errors.fileno())
        found = watcher.since()
        until(lambda: "spoilt" in (tmp_path / "errors").read_text())
        found += watcher.since()
        watcher.process.kill()
        watcher.process.wait()
    assert not [line for line in found if "spoilt" in line]
    links = [line for line in log(tmp_path) if "->" in line]
    assert not [line for line in links if "socket" in line or "anon_inode" in line]
    assert [line for line in links if " 0 -> /dev/null" in line]
    assert str(128 + signal.SIGPIPE) in log(tmp_path)


# Ends


def test_it_ends_when_a_named_device_goes_down(veth: Namespace) -> None:
    """D-1: the last line says so; a device that was down before is waited for."""
    veth.ip("link set eth9 down")
    with watching(veth, "--exit-when-down", "eth9") as watcher:
        veth.ip("link set eth9 up")
        wait_for_state(veth, "eth9", "UP")
        assert watcher.process.poll() is None
        watcher.since()
        veth.ip("link set eth9 down")
        assert watcher.ended() == 0
        assert watcher.line() == "~ eth9 UP on -> off"


def test_others_may_go_down(veth: Namespace) -> None:
    """Neither does a name that is not there end it."""
    veth.ip("link add br9 type bridge")
    veth.ip("link set br9 up")
    with watching(veth, "--exit-when-down", "eth9", "wan") as watcher:
        veth.ip("link set br9 down")
        assert watcher.since() == []
        assert watcher.process.poll() is None


def test_it_ends_when_nobody_reads(dummy: Namespace) -> None:
    """At once, and without a word: nothing has to happen first."""
    watcher = Watcher(dummy, "br9")
    assert watcher.process.stdout is not None
    watcher.process.stdout.close()
    assert watcher.ended() == 0


def test_it_ends_by_signals(dummy: Namespace) -> None:
    """^C is 130, as for every command; SIGTERM ends it as it ends any program."""
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)):
        watcher = Watcher(dummy, "br9")
        assert watcher.end(number) == status


def test_it_needs_a_name_to_end(bare: Command) -> None:
    """--exit-when-down of nothing would never end, or end with anything."""
    line = bare.fails(1, "monitor", "--exit-when-down")
    assert line == "netalias: --exit-when-down needs the name of a device"


def test_an_ordinary_user_may_watch(dummy: Namespace) -> None:
    """Nothing of it needs CAP_NET_ADMIN."""
    if not another_user():
        pytest.skip("there is no other user here")
    watcher = dummy.start(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
         "--bounding-set=-all", *COMMAND, "monitor", "br9"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert watcher.stdout is not None
    assert watcher.stdout.readline().startswith("= br9 index ")
    watcher.terminate()
    assert watcher.wait(SECONDS) == -signal.SIGTERM


def test_another_namespace(dummy: Namespace, tmp_path: Path) -> None:
    """-n NAME: what happens there is told, and scripts are run there."""
    other = Namespace()
    other.ip("link add br8 type bridge")
    text = f"ip -o link show dev $1 >>{tmp_path}/log"
    run = script(tmp_path / "there", text)
    watcher = Watcher(dummy, "-n", other.path, "--on-arrival", run, "br8")
    assert watcher.first.startswith("= br8 index ")
    until(lambda: any("br8" in line for line in log(tmp_path)))
    assert watcher.end() == 130
    other.close()
