"""Conflicts found and addresses announced on the real kernel, between private namespaces."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import ip_json, set_sysctl, wait_for_state
from support import PATIENCE, SLOW, Namespace, another_user, until, veth_pair

from netalias import errors, packets
from netalias.kernel.netlink.subscription import Subscription
from netalias.packets import probe
from netalias.packets.acd import FAST, Timing
from netalias.packets.announce import NEAR, Announcement, announce
from netalias.packets.bpf import ARP, NEIGHBOUR
from netalias.packets.dad import DadMonitor
from netalias.packets.pacing import Attempt, Sender
from netalias.packets.socket import PacketSocket

REPO = Path(__file__).parents[2]
MANY = [(10 << 24 | number).to_bytes(4, "big") for number in range(1, 4001)]
ADDRESS = bytes([10, 0, 0, 1])
TEXT = "10.0.0.1"
IPV6 = "2001:db8::10"
PACKED6 = socket.inet_pton(socket.AF_INET6, IPV6)
STRANGER = bytes.fromhex("02000000ee01")


@pytest.fixture
def peer(veth: Namespace) -> Namespace:
    """The namespace at the other end of eth9's cable."""
    assert veth.peer is not None
    wait_for_state(veth, "eth9", "UP")
    wait_for_state(veth.peer, "p9", "UP")
    return veth.peer


def index(namespace: Namespace, device: str) -> int:
    """The number of a device."""
    found: int = ip_json(namespace, f"link show dev {device}")[0]["ifindex"]
    return found


def mac(namespace: Namespace, device: str) -> bytes:
    """Packed."""
    text: str = ip_json(namespace, f"link show dev {device}")[0]["address"]
    return bytes.fromhex(text.replace(":", ""))


def check(namespace: Namespace, asked: list[bytes], limit: float = 5.0) -> list[probe.InUse]:
    """The fast check on eth9."""
    main = index(namespace, "eth9")
    with namespace:
        return probe.check([(main, address) for address in asked], set(), FAST, limit)


@contextmanager
def beside(work: object) -> Iterator[None]:
    """A thread that repeats *work* in its own namespace as long as the block lasts."""
    over = threading.Event()

    def body() -> None:
        while not over.is_set():
            work()  # type: ignore[operator]

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_conflict_among_four_thousand_is_found_and_named(
    veth: Namespace, peer: Namespace
) -> None:
    """The kernel of the peer answers for the one that it has; all others are free."""
    peer.ip("addr add 10.0.7.7/32 dev p9")
    (found,) = check(veth, MANY)
    assert found == probe.InUse(bytes([10, 0, 7, 7]), index(veth, "eth9"), "eth9", mac(peer, "p9"))


def test_nobody_has_any(veth: Namespace, peer: Namespace) -> None:
    """Addresses of this host are none of others': its own are not asked for."""
    veth.ip("addr add 10.0.0.2/32 dev eth9")
    assert check(veth, MANY) == []


def test_every_one_of_four_thousand_is_in_use(veth: Namespace, peer: Namespace) -> None:
    """As many answers as questions find room."""
    words = "".join(f"addr add {socket.inet_ntoa(one)}/32 dev p9\n" for one in MANY)
    peer.run(["ip", "-batch", "-"], input=words)
    found = check(veth, MANY)
    assert {conflict.address for conflict in found} == set(MANY)
    assert {conflict.mac for conflict in found} == {mac(peer, "p9")}


def test_a_prober_meets_a_prober(veth: Namespace, peer: Namespace) -> None:
    """Two hosts check the same address at once: never do both find it free.

    Who hears the other first gives up, perhaps before it has asked: then the other one has it.
    """
    ready = threading.Barrier(2, timeout=PATIENCE * SLOW)
    found: dict[str, list[bytes]] = {}

    class Environment(probe.Environment):
        def packet_socket(self, index: int) -> PacketSocket:
            port = super().packet_socket(index)
            ready.wait()  # both listen before one of them asks
            return port

    def host(namespace: Namespace, device: str) -> None:
        main = index(namespace, device)
        with namespace:
            conflicts = probe.check([(main, ADDRESS)], set(), FAST, 5.0, environment=Environment())
        found[device] = [conflict.mac for conflict in conflicts]

    other = threading.Thread(target=host, args=(peer, "p9"))
    other.start()
    host(veth, "eth9")
    other.join()
    assert found["eth9"] in ([], [mac(peer, "p9")])
    assert found["p9"] in ([], [mac(veth, "eth9")])
    assert found["eth9"] or found["p9"]


def test_macs_of_this_host_are_no_conflict(veth: Namespace, peer: Namespace) -> None:
    """A host at the end of two cables hears itself; it knows its MACs."""
    peer.ip(f"addr add {TEXT}/32 dev p9")
    main = index(veth, "eth9")
    with veth:
        assert probe.check([(main, ADDRESS)], {mac(peer, "p9")}, FAST, 5.0) == []


def test_hostile_frames_disturb_nothing(veth: Namespace, peer: Namespace) -> None:
    """Garbage of every length during the check: the conflict is found, no other is."""
    peer.ip("addr add 10.0.7.7/32 dev p9")
    good = packets.arp_reply(STRANGER, bytes([192, 0, 2, 1]))
    junk = [good[:size] + os.urandom(50 - size) for size in range(14, 42, 3)]
    junk += [good[:12] + b"\x08\x06" + os.urandom(size) for size in (1, 5, 20, 27, 1400)]
    with peer:
        sender = Sender()

    def hostile() -> None:
        sender.send("p9", junk)
        time.sleep(0.001)  # as much as can be read; for a flood see below

    with beside(hostile):
        found = check(veth, MANY[:2000])
    sender.close()
    assert [conflict.mac for conflict in found if conflict.address == bytes([10, 0, 7, 7])] == [
        mac(peer, "p9")
    ]


FLOOD = """\
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("p9", 0x0806))
frames = [bytes.fromhex(word) for word in sys.argv[1:]]
print("flooding", flush=True)
while True:
    for frame in frames:
        try:
            wire.send(frame)
        except OSError:
            break  # the cable has gone: so does this
"""


@contextmanager
def flood(peer: Namespace, sent: list[bytes]) -> Iterator[None]:
    """A process behind the cable that sends these frames as fast as it can."""
    words = [sys.executable, "-c", FLOOD, *(frame.hex() for frame in sent)]
    child = peer.start(words, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "flooding\n"
        yield
    finally:
        child.kill()
        child.communicate()


PATIENT = Timing(0.0, 5, 0.1, 0.2, 0.3)
"""Five probes: a full backlog of the kernel may swallow one, and nobody learns of it."""


class Narrow(probe.Environment):
    """Ports with a buffer for a few dozens of frames, which no flood leaves room in."""

    def packet_socket(self, index: int) -> PacketSocket:
        port = super().packet_socket(index)
        port._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
        return port


@pytest.mark.parametrize(
    ("claimed", "also"),
    [(bytes([10, 0, 200, 1]), []), (MANY[0], [MANY[0]])],
    ids=["about others", "about one of them"],
)
def test_a_conflict_is_found_through_a_flood(
    veth: Namespace, peer: Namespace, claimed: bytes, also: list[bytes]
) -> None:
    """What is not asked for, or is known by then, takes nobody's room; the rest is asked again."""
    peer.ip("addr add 10.0.0.7/32 dev p9")
    main = index(veth, "eth9")
    asked = [(main, address) for address in MANY[:16]]
    with (
        flood(peer, [packets.arp_request(STRANGER, claimed), packets.arp_reply(STRANGER, claimed)]),
        veth,
    ):
        found, undecided = probe.verdicts(asked, set(), PATIENT, 5.0, environment=Narrow())
    assert undecided == []
    assert {one.address for one in found} == {bytes([10, 0, 0, 7]), *also}


def test_what_cannot_be_heard_through_a_flood_is_undecided(
    veth: Namespace, peer: Namespace
) -> None:
    """Probes of a MAC of this host pass the filter and tell nothing: the check ends, and says for
    which addresses silence was no answer."""
    with peer:
        sender = Sender()

    class Flooded(Narrow):
        def wait(self, files: Sequence[Subscription | PacketSocket], seconds: float) -> None:
            sender.send("p9", [packets.arp_probe(STRANGER, MANY[0])] * 200)
            super().wait(files, seconds)

    main = index(veth, "eth9")
    asked = [(main, address) for address in MANY[:2]]
    with veth:
        found, undecided = probe.verdicts(asked, {STRANGER}, FAST, 5.0, environment=Flooded())
    sender.close()
    assert found == []
    assert sorted(undecided) == asked


@pytest.mark.parametrize("apart", [1, 2, 3000])
def test_a_port_hears_only_what_is_asked_for(veth: Namespace, peer: Namespace, apart: int) -> None:
    """Claims and probes, whether the addresses stand side by side or not; of many that do not,
    those between them too."""
    there = mac(peer, "p9")
    numbers = range(10 << 24, (10 << 24) + 90 * apart, apart)
    asked = [number.to_bytes(4, "big") for number in numbers]
    with veth:
        port = PacketSocket(index(veth, "eth9"), ARP)
    with peer:
        sender = Sender()
    other = [(number + 1).to_bytes(4, "big") for number in numbers if number + 1 not in numbers]
    outside = [((10 << 24) - 1).to_bytes(4, "big"), (numbers[-1] + 1).to_bytes(4, "big")]
    question = packets.arp_request(there, outside[0])[:38]
    unasked = [packets.arp_reply(there, one) for one in [*other, *outside]]
    unasked += [question + one for one in asked]  # an ordinary one, of somebody who has an address
    wanted = [make(there, one) for one in asked for make in (packets.arp_reply, packets.arp_probe)]
    try:
        port.only(asked)
        sender.send("p9", [*unasked, *wanted])
        heard: list[bytes] = []
        until(lambda: heard.extend(port.receive()) or len(heard) >= len(wanted))
        assert [frame[:42] for frame in heard] == wanted
        port.only((number * 3).to_bytes(4, "big") for number in range(1000, 9000))
        inside = packets.arp_reply(there, (4000).to_bytes(4, "big"))
        sender.send("p9", [packets.arp_reply(there, bytes(3) + b"\7"), inside])
        until(lambda: heard.extend(port.receive()) or len(heard) > len(wanted))
        assert [frame[:42] for frame in heard[len(wanted) :]] == [inside]
    finally:
        port.close()
        sender.close()


def test_a_port_hears_its_own_network_only(veth: Namespace, peer: Namespace) -> None:
    """Not what goes to a VLAN on the device, not its own frames, nothing but ARP."""
    heard: list[bytes] = []
    there = mac(peer, "p9")
    with veth:
        port = PacketSocket(index(veth, "eth9"), ARP)
    with peer:
        sender = Sender()
    reply = packets.arp_reply(there, ADDRESS)
    tagged = reply[:12] + b"\x81\x00\x00\x07" + reply[12:]
    priority = reply[:12] + b"\x81\x00\xe0\x00" + reply[12:]
    sender.send("p9", [tagged, packets.advertisement(there, PACKED6), priority, reply])
    frames = Attempt()
    frames.add([packets.arp_request(STRANGER, ADDRESS)])
    port.push(frames)
    try:
        assert port.mac == mac(veth, "eth9")
        until(lambda: heard.extend(port.receive()) or len(heard) >= 2)
        assert [frame[:42] for frame in heard] == [reply, reply]
    finally:
        port.close()
        sender.close()


def test_a_port_for_neighbours_hears_both_messages(veth: Namespace, peer: Namespace) -> None:
    """Advertisements, and no ARP."""
    found: list[bytes] = []
    with veth:
        port = PacketSocket(index(veth, "eth9"), NEIGHBOUR)
    with peer:
        sender = Sender()
    frame = packets.advertisement(STRANGER, PACKED6)
    sender.send("p9", [packets.arp_reply(STRANGER, ADDRESS), frame])
    try:
        until(lambda: found.extend(port.receive()) or found)
        assert found == [frame]
    finally:
        port.close()
        sender.close()


def test_a_carrier_is_waited_for(veth: Namespace, peer: Namespace) -> None:
    """The cable is plugged in while the check waits; the conflict behind it is found."""
    peer.ip(f"addr add {TEXT}/32 dev p9")
    peer.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in veth.ip("link show eth9"))

    class Environment(probe.Environment):
        def wait(self, files: object, seconds: float) -> None:
            if seconds > 1:  # it waits for the carrier: now it comes
                peer.ip("link set p9 up")
            super().wait(files, seconds)  # type: ignore[arg-type]

    main = index(veth, "eth9")
    with veth:
        found = probe.check([(main, ADDRESS)], set(), FAST, 5.0, environment=Environment())
    assert [conflict.mac for conflict in found] == [mac(peer, "p9")]


def test_no_carrier_is_an_error(veth: Namespace, peer: Namespace) -> None:
    """After the limit, with the name of the device."""
    peer.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in veth.ip("link show eth9"))
    with pytest.raises(errors.StateError, match=r"^eth9 has no carrier$"):
        check(veth, [ADDRESS], limit=0.1)


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("link set p9 down", errors.StateError, "eth9 lost its carrier while"),
        ("link del p9", errors.NoSuchDevice, "vanished"),
    ],
)
def test_what_happens_to_the_device_ends_the_check(
    veth: Namespace, peer: Namespace, words: str, kind: type[Exception], text: str
) -> None:
    """Silence is no answer when the cable is cut or the device deleted."""

    class Environment(probe.Environment):
        done = False

        def packet_socket(self, number: int) -> PacketSocket:
            port = super().packet_socket(number)
            peer.ip(words)
            return port

    main = index(veth, "eth9")
    with veth, pytest.raises(kind, match=text):
        probe.check([(main, ADDRESS)], set(), FAST, 5.0, environment=Environment())


def test_a_device_that_is_down_is_an_error(veth: Namespace, peer: Namespace) -> None:
    """For the check, for an announcement, and for many."""
    main = index(veth, "eth9")
    veth.ip("link set eth9 down")
    with veth:
        with pytest.raises(errors.MainDown, match=r"^eth9 is down$"):
            probe.check([(main, ADDRESS)], set(), FAST, 5.0)
        with pytest.raises(errors.MainDown, match=r"^eth9 is down$"):
            packets.single("eth9", STRANGER, ADDRESS)
        (refusal,) = announce([Announcement(main, main, STRANGER, ADDRESS)])
        assert (type(refusal), str(refusal)) == (errors.MainDown, "eth9 is down")
        with pytest.raises(errors.NoSuchDevice, match=r"^eth8 has vanished$"):
            packets.single("eth8", STRANGER, ADDRESS)


CHECK = """\
import sys
from netalias.packets import probe, acd
main = int(sys.argv[1])
class Environment(probe.Environment):
    def wait(self, files, seconds):
        print("waiting", flush=True)
        super().wait(files, seconds)
probe.check([(main, b"\\x0a\\0\\0\\1")], set(), acd.RFC, 60.0, environment=Environment())
"""


def test_an_interruption_leaves_nothing_behind(veth: Namespace, peer: Namespace) -> None:
    """^C in the middle of the full timing: the process ends at once, its sockets with it."""
    words = [sys.executable, "-c", CHECK, str(index(veth, "eth9"))]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    child = veth.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    for _ in range(3):
        assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=PATIENCE * SLOW)
    assert child.returncode == -signal.SIGINT
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    with veth:
        assert len(Path("/proc/thread-self/net/packet").read_text().splitlines()) == 1


def test_without_the_right_nothing_is_opened(veth: Namespace) -> None:
    """An ordinary user is told which capability is missing."""
    program = (
        "import os, sys; os.setresuid(65534, 65534, 65534)\n"
        "from netalias import errors\n"
        "from netalias import packets\n"
        "try:\n"
        "    packets.single('eth9', bytes(6), bytes(4))\n"
        "except errors.NotPermitted as error:\n"
        "    print(error.line())\n"
    )
    if not another_user():
        pytest.skip("there is no other user here")
    preload = "import netalias.errors, netalias.packets\n"
    with veth:
        done = subprocess.run(
            [sys.executable, "-c", preload + program],
            env={**os.environ, "PYTHONPATH": str(REPO)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == (
        "frames over eth9: Operation not permitted"
        " (CAP_NET_RAW is needed in this network namespace: try sudo)\n"
    ), done


# IPv6 -----------------------------------------------------------------------------------------


@pytest.fixture
def dad(veth: Namespace, peer: Namespace) -> Namespace:
    """Both ends detect duplicates, as they do by default; the peer has IPV6."""
    for namespace, device in ((veth, "eth9"), (peer, "p9")):
        set_sysctl(namespace, f"ipv6/conf/{device}/accept_dad", 1)
    peer.ip(f"-6 addr add {IPV6}/64 dev p9 nodad")
    return veth


def test_a_duplicate_of_ipv6_is_found_by_event_and_named(dad: Namespace, peer: Namespace) -> None:
    """The kernel's verdict, with the MAC that it does not tell."""
    main = index(dad, "eth9")
    good = socket.inet_pton(socket.AF_INET6, "2001:db8::11")
    with dad, DadMonitor([main], {mac(dad, "eth9")}) as watch:
        dad.ip(f"-6 addr add {IPV6}/64 dev eth9")
        dad.ip("-6 addr add 2001:db8::11/64 dev eth9")
        found = watch.wait({(main, PACKED6), (main, good)}, 10.0)
    assert found == [probe.InUse(PACKED6, main, "eth9", mac(peer, "p9"))]
    assert "dadfailed" in dad.ip(f"-6 addr show to {IPV6}")
    assert "tentative" not in dad.ip("-6 addr show to 2001:db8::11")


def test_a_duplicate_on_an_alias_is_named_by_what_its_main_device_hears(
    dad: Namespace, peer: Namespace
) -> None:
    """A macvlan made after the watch was opened: nothing is opened on it."""
    main = index(dad, "eth9")
    with dad, DadMonitor([main]) as watch:
        dad.ip("link add eth9_0 link eth9 type macvlan mode bridge")
        dad.ip("link set eth9_0 addrgenmode none up")
        dad.ip(f"-6 addr add {IPV6}/64 dev eth9_0")
        alias = index(dad, "eth9_0")
        found = watch.wait({(alias, PACKED6)}, 10.0)
    assert found == [probe.InUse(PACKED6, alias, "eth9_0", mac(peer, "p9"))]


def test_an_address_that_goes_while_it_is_awaited_has_failed(dad: Namespace) -> None:
    """Deleted by somebody else."""
    main = index(dad, "eth9")
    with dad, DadMonitor([main]) as watch:
        dad.ip("-6 addr add 2001:db8::12/64 dev eth9")
        dad.ip("-6 addr del 2001:db8::12/64 dev eth9")
        packed = socket.inet_pton(socket.AF_INET6, "2001:db8::12")
        assert [found.address for found in watch.wait({(main, packed)}, 10.0)] == [packed]


def test_what_needs_no_detection_is_done_at_once(dad: Namespace) -> None:
    """nodad; and one that was there before the watch is found by a dump."""
    main = index(dad, "eth9")
    before, after = (socket.inet_pton(socket.AF_INET6, f"2001:db8::{n}") for n in (21, 22))
    dad.ip("-6 addr add 2001:db8::21/64 dev eth9 nodad")
    with dad, DadMonitor([main]) as watch:
        dad.ip("-6 addr add 2001:db8::22/64 dev eth9 nodad")
        assert watch.wait({(main, before), (main, after)}, 5.0) == []


def test_a_device_without_a_carrier_never_decides(dad: Namespace, peer: Namespace) -> None:
    """DAD has not begun: that is said, and not taken for good."""
    peer.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in dad.ip("link show eth9"))
    main = index(dad, "eth9")
    with dad, DadMonitor([main]) as watch:
        dad.ip(f"-6 addr add {IPV6}/64 dev eth9")
        with pytest.raises(errors.StateError, match="is still being checked"):
            watch.wait({(main, PACKED6)}, 0.1)


# Announcing -----------------------------------------------------------------------------------


class Lan:
    """Three hosts on one bridge, each with eth9; the client knows the MAC of an address."""

    def __init__(self) -> None:
        self.old, self.new, self.client, self.switch = (Namespace() for _ in range(4))
        self.switch.ip("link add sw type bridge")
        self.switch.ip("link set sw addrgenmode none up")
        for number, host in enumerate((self.old, self.new, self.client)):
            veth_pair(host, self.switch, "eth9", f"port{number}")
            self.switch.ip(f"link set port{number} master sw")
            wait_for_state(host, "eth9", "UP")
        for number in range(3):
            until(
                lambda number=number: "forwarding" in self.switch.ip(f"-d link show port{number}")
            )  # type: ignore[misc]

    def close(self) -> None:
        """All of them."""
        for namespace in (self.old, self.new, self.client, self.switch):
            namespace.close()

    def entry(self, address: str) -> str:
        """The MAC that the client knows for an address."""
        found = ip_json(self.client, f"neigh show {address}")
        return str(found[0].get("lladdr", "")) if found else ""


@pytest.fixture
def lan() -> Iterator[Lan]:
    """See there."""
    lan = Lan()
    yield lan
    lan.close()


def reach(namespace: Namespace, address: str) -> None:
    """Have the kernel resolve an address: a datagram to a port where nobody is."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace, socket.socket(family, socket.SOCK_DGRAM) as caller:
        caller.sendto(b"", (address, 9))


@pytest.mark.parametrize("form", ["single", "many"])
@pytest.mark.parametrize("address", [TEXT, IPV6])
def test_an_announcement_moves_the_neighbours_entry(lan: Lan, address: str, form: str) -> None:
    """The address goes from one host to another; a client with an entry follows within a second.

    arp_accept is 0: an entry that is there is changed, none is made; and the kernel does not wait
    for its locktime where an announcement is well-formed.
    """
    family, length = (6, 64) if ":" in address else (4, 24)
    for host in (lan.old, lan.new, lan.client):
        set_sysctl(host, "ipv4/conf/eth9/arp_accept", 0)
    own = "2001:db8::99" if family == 6 else "10.0.0.99"
    lan.client.ip(f"addr add {own}/{length} dev eth9" + " nodad" * (family == 6))
    lan.old.ip(f"addr add {address}/{length} dev eth9" + " nodad" * (family == 6))
    reach(lan.client, address)
    until(lambda: lan.entry(address) == mac(lan.old, "eth9").hex(":"))
    lan.old.ip(f"addr del {address}/{length} dev eth9")
    lan.new.ip(f"addr add {address}/{length} dev eth9" + " nodad" * (family == 6))
    packed = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
    hardware, main = mac(lan.new, "eth9"), index(lan.new, "eth9")
    assert lan.entry(address) == mac(lan.old, "eth9").hex(":")
    with lan.new:
        if form == "many":
            assert announce([Announcement(main, main, hardware, packed)]) == []
        else:
            packets.single("eth9", hardware, packed)
    until(lambda: lan.entry(address) == hardware.hex(":"), seconds=10.0)


SINGLE = """\
import os, sys
from netalias import packets
packets.single("eth9", bytes.fromhex(sys.argv[1]), b"\\x0a\\0\\0\\1", aside=True)
os._exit(0)
"""


def test_a_child_takes_the_socket_and_nothing_else(veth: Namespace, peer: Namespace) -> None:
    """The frames are out, the pipe to the reader is closed, the child ends by itself."""
    with peer:
        port = PacketSocket(index(peer, "p9"), ARP)
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    with veth:
        done = subprocess.run(
            [sys.executable, "-c", SINGLE, STRANGER.hex()], env=environment,
            capture_output=True, check=False, timeout=PATIENCE * SLOW,
        )  # fmt: skip
    found: list[bytes] = []
    until(lambda: found.extend(port.receive()) or len(found) >= 2)
    port.close()
    assert (done.returncode, done.stderr) == (0, b"")
    assert found == list(packets.announcements(STRANGER, ADDRESS))
    with veth:
        until(lambda: len(Path("/proc/thread-self/net/packet").read_text().splitlines()) == 1)


def aliases(namespace: Namespace, count: int) -> list[Announcement]:
    """So many macvlans in bridge mode on eth9, each with an address to announce."""
    words = "".join(
        f"link add eth9_{n} link eth9 address 02:00:00:00:{n >> 8:02x}:{n & 255:02x}"
        f" type macvlan mode bridge\nlink set eth9_{n} addrgenmode none up\n"
        for n in range(count)
    )
    namespace.run(["ip", "-batch", "-"], input=words)
    main = index(namespace, "eth9")
    found = {link["ifname"]: link for link in ip_json(namespace, "link show type macvlan")}
    return [
        Announcement(
            found[f"eth9_{n}"]["ifindex"], main, b"\x02\0\0\0" + n.to_bytes(2, "big"), MANY[n]
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [2, NEAR + 1])
def test_peer_hears_all_and_siblings_hear_a_few(
    veth: Namespace, peer: Namespace, count: int
) -> None:
    """Few leave by their own devices, many by the main device: the peer cannot tell which."""
    items = aliases(veth, count)
    wait_for_state(veth, "eth9_1", "UP")
    with peer:
        far = PacketSocket(index(peer, "p9"), ARP)
    with veth:
        near = PacketSocket(items[1].index, ARP)
        assert announce(items, 0) == []
    wished = [one for item in items for one in packets.announcements(item.mac, item.address)]
    beyond: list[bytes] = []
    until(lambda: beyond.extend(far.receive()) or len(beyond) >= len(wished))
    assert sorted(beyond) == sorted(wished)
    sibling: list[bytes] = []
    first = list(packets.announcements(items[0].mac, items[0].address))
    if count <= NEAR:
        until(lambda: sibling.extend(near.receive()) or len(sibling) >= 2)
        assert sibling == first
    else:
        assert near.receive() == []
    far.close()
    near.close()


def test_four_thousand_are_announced_and_none_is_lost(veth: Namespace, peer: Namespace) -> None:
    """Every frame arrives at the peer, in both forms."""
    main, hardware = index(veth, "eth9"), mac(veth, "eth9")
    with peer:
        port = PacketSocket(index(peer, "p9"), ARP)
    with veth:
        assert announce([Announcement(main, main, hardware, one) for one in MANY], 0) == []
    found: list[bytes] = []
    until(lambda: found.extend(port.receive()) or len(found) >= 2 * len(MANY))
    assert found == [one for address in MANY for one in packets.announcements(hardware, address)]
    assert port.lost() == 0
    port.close()


def test_a_single_announcement_loads_next_to_nothing() -> None:
    """A process that lives for milliseconds: three small modules, none that is slow."""
    program = (
        "import sys, netalias.errors; before = set(sys.modules)\n"
        "import netalias.packets; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )  # fmt: skip
    assert set(done.stdout.split()) == {
        "_socket", "netalias.packets",
    }  # fmt: skip
