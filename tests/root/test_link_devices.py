"""Devices of links that are really opened: sockets, terminals, programs, network devices."""

from __future__ import annotations

import os
import pty
import socket
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from fcntl import ioctl
from select import poll

import pytest
from support import PATIENCE, SLOW, Namespace, until

from netalias import errors
from netalias.links.link import Link
from netalias.links.opening import Opening, opened
from netalias.links.state import restored
from netalias.links.stream import SIOCOUTQNSD, UNSENT
from netalias.packets import ip

PACKETS = [b"\x45" + bytes([n]) * 99 for n in range(9)] + [b"~}" * 700]


@pytest.fixture(autouse=True)
def inside(netns: Namespace) -> Iterator[None]:
    """A namespace with loopback only."""
    netns.raise_lo()
    with netns:
        yield


def wait(*ones: Link | Opening) -> None:
    """Serve links and openings until one of them has something."""
    poller = poll()
    for one in ones:
        poller.register(one.fileno(), one.events())
    poller.poll(100)


def finished(*openings: Opening) -> list[Link]:
    """The links, when all are open."""

    def stepped() -> bool:
        waiting = [one for one in openings if one.link is None]
        if waiting:
            wait(*waiting)
        for one in waiting:
            one.step()
        return all(one.link is not None for one in openings)

    until(stepped)
    return [one.link for one in openings if one.link is not None]


def received(link: Link, count: int, *others: Link) -> list[bytes]:
    """The next *count* packets."""
    found: list[bytes] = []

    def enough() -> bool:
        wait(link, *others)
        for one in others:
            one.flush()
        found.extend(link.receive())
        return len(found) >= count

    until(enough)
    return found


def exchange(one: Link, other: Link) -> None:
    """Packets both ways, the first from *one*, with the counts that both have."""
    assert one.send(PACKETS) == len(PACKETS)
    assert received(other, len(PACKETS), one) == PACKETS
    assert other.send(PACKETS[:3]) == 3
    assert received(one, 3, other) == PACKETS[:3]
    ours, theirs = one.state.counters, other.state.counters
    assert (ours["out_packets"], ours["out_bytes"]) == (10, sum(map(len, PACKETS)))
    assert (theirs["in_packets"], theirs["in_bytes"]) == (10, sum(map(len, PACKETS)))
    assert ours["in_packets"] == theirs["out_packets"] == 3
    assert not one.failures()
    assert not other.failures()
    assert (one.ended, other.ended) == ("", "")


def test_tcp() -> None:
    """B-12: the one that waits, and the one that calls, both with the name of the other."""
    waiting = opened("*:6669")
    ours, its = finished(opened("127.0.0.1:6669/TCP"), waiting)
    exchange(ours, its)
    assert ours.state.name == "127.0.0.1:6669/tcp"
    assert its.state.passive
    ours.close()
    until(lambda: its.receive() or its.ended)
    assert its.ended == "closed by the other side"
    its.close()


def test_nobody_answers() -> None:
    """B-12: it cannot be opened, and says so; nor can the other words."""
    for word, why in (
        ("127.0.0.1:1", "Connection refused"),
        ("no-such-host.invalid:1/udp", "."),
        ("127.0.0.1:no-such-service", "."),
        ("/dev/null", "it is no terminal"),
        ("/dev/no-such", "No such file or directory"),
        ("link:none9", "No such device"),
        ("link:lo", "lo is no Ethernet"),
        ("fd:999", "Bad file descriptor"),
    ):
        with pytest.raises(errors.StateError, match=f"^{word}: .*{why}"):
            finished(opened(word))


def test_a_name_is_looked_up_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver may wait: the opening is waited for like a call, and can be given up."""
    answer = threading.Event()
    asked = []
    real = socket.getaddrinfo

    def slow(host: str, port: str, **options: int) -> object:
        if host == "name.invalid" and not options["flags"]:
            asked.append(host)
            answer.wait()
            host = "127.0.0.1"
        return real(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    waiting, given_up = opened("name.invalid:7/udp"), opened("name.invalid:7")
    assert waiting.link is None
    until(lambda: len(asked) == 2)
    given_up.close()
    answer.set()
    (ours,) = finished(waiting)
    assert ours.state.name == "127.0.0.1:7/udp"


def test_udp_from_where_no_way_leads() -> None:
    """A source that is made up is nobody's: the one that waits goes on to wait."""
    (its,) = finished(opened("0.0.0.0:7777/udp"))
    (ours,) = finished(opened("127.0.0.1:7777/udp"))
    forged = struct.pack("!4H", 9, 7777, 8 + 5, 0) + b"hello"
    addresses = [socket.inet_aton(one) for one in ("198.51.100.9", "127.0.0.1")]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip.ipv4(*addresses, socket.IPPROTO_UDP, forged), ("127.0.0.1", 0))
    ours.send([b"hello"])
    assert received(its, 1) == [b"hello"]
    assert its.state.counters["in_dropped"] == 1
    assert its.send([b"answer"]) == 1
    assert received(ours, 1) == [b"answer"]
    for one in (ours, its):
        one.close()


def test_udp_of_a_link_local_peer(netns: Namespace) -> None:
    """Its address means something on one network device only."""
    netns.ip("addr add fe80::9/64 dev lo nodad")
    (its,) = finished(opened("*:7777/udp"))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE * SLOW)
        peer.connect(("fe80::9", 7777, 0, socket.if_nametoindex("lo")))
        peer.send(b"hello")
        assert received(its, 1) == [b"hello"]
        assert its.send([b"answer"]) == 1
        assert peer.recv(9) == b"answer"
    its.close()


def test_udp_and_the_first_that_greets() -> None:
    """B-13: one that waits takes the first that greets for its peer, and hears no other."""
    waiting = opened("*:7777/udp", greets=lambda packet: packet == b"hello")
    (its,) = finished(waiting)
    assert its.state.passive
    assert its.send([b"nobody is there"]) == 0
    assert its.state.counters["out_dropped"] == 1
    other, ours = (finished(opened("127.0.0.1:7777/udp"))[0] for _ in range(2))
    other.send([b"something"])
    ours.send([b"hello"])
    other.send([b"hello"])
    assert received(its, 1) == [b"hello"]
    assert its.state.counters["in_dropped"] == 2
    name = its.state.name
    assert name == f"127.0.0.1:{ours.socket.getsockname()[1]}/udp"  # type: ignore[attr-defined]
    ours.state.counters = dict.fromkeys(ours.state.counters, 0)
    its.state.counters = dict.fromkeys(its.state.counters, 0)
    exchange(ours, its)
    other.send([b"hello"])
    ours.send([b"again"])
    assert received(its, 1) == [b"again"]
    assert its.state.name == name


@pytest.mark.parametrize("called", ["10.9.0.2", "10.9.0.1", "fd09::2"])
def test_udp_answers_from_the_address_that_was_called(netns: Namespace, called: str) -> None:
    """Also where the route to the peer has another one, and bytes follow in one train."""
    netns.ip("addr add 10.9.0.1/24 dev lo")
    netns.ip("addr add 10.9.0.2/24 dev lo")
    netns.ip("addr add fd09::1/128 dev lo nodad")
    netns.ip("addr add fd09::2/128 dev lo nodad")
    until(lambda: netns.ip(f"route get {called}").startswith("local"))  # IPv6: a moment later
    source = "fd09::1" if ":" in called else "10.9.0.1"
    (its,) = finished(opened("*:7777/udp"))
    with socket.socket(
        socket.AF_INET6 if ":" in called else socket.AF_INET, socket.SOCK_DGRAM
    ) as peer:
        peer.bind((source, 0))
        peer.connect((called, 7777))
        peer.send(b"hello")
        assert received(its, 1) == [b"hello"]
        its.send([b"answer"])
        peer.settimeout(30)
        assert peer.recv(10) == b"answer"
        peer.send(b"again")
        assert received(its, 1) == [b"again"]
        assert its.state.name.endswith(f":{peer.getsockname()[1]}/udp")
    its.close()
    finished(opened("*:7777/udp"))[0].close()


def test_trains_of_udp() -> None:
    """Packets of one length go out together, and come in as they were, whatever the lengths."""
    (its,) = finished(opened("*:7777/udp"))
    (ours,) = finished(opened("127.0.0.1:7777/udp"))
    lengths = [1400] * 100 + [9, 1400, 1400, 7, 8, 9, 1, 1, 65000, 60000, 1400, 1399] * 2
    packets = [bytes([number % 251]) * length for number, length in enumerate(lengths)]
    found: list[bytes] = []
    for begin in range(0, len(packets), 20):  # a receive buffer has not room for all
        assert ours.send(packets[begin : begin + 20]) == len(packets[begin : begin + 20])
        found += received(its, len(packets[begin : begin + 20]))
    assert found == packets
    assert its.state.counters["in_packets"] == len(packets)
    assert ours.send([b"x" * 66000, b"", b"after"]) == 2
    assert ours.state.counters["out_dropped"] == 1
    assert ours.failures() == [
        "127.0.0.1:7777/udp: Message too long (a packet is too long for the path)"
    ]
    assert received(its, 1) == [b"after"]


def test_udp_to_nobody() -> None:
    """A port that nobody has is told by name, and the link stays."""
    (ours,) = finished(opened("127.0.0.1:7/udp"))
    until(lambda: not ours.send([b"hello"]) or ours.failures())
    ours.send([b"hello"])
    said = until(lambda: ours.receive() or ours.failures())
    assert said == ["127.0.0.1:7/udp: Connection refused (nobody listens there)"]
    assert not ours.ended


@pytest.mark.parametrize("connected", [True, False])
def test_an_inherited_udp_socket(connected: bool) -> None:
    """B-13: a connected one has the name of its peer; one that is not is passive, and has the name
    of the source of the first datagram."""
    one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for each in (one, two):
        each.bind(("127.0.0.1", 0))
    two.connect(one.getsockname())
    if connected:
        one.connect(two.getsockname())
    (link,) = finished(opened(f"fd:{one.fileno()}"))
    name = f"127.0.0.1:{two.getsockname()[1]}/udp"
    assert (link.state.kind, link.state.passive) == ("udp", not connected)
    assert link.state.name == (name if connected else f"fd:{one.fileno()}")
    two.send(b"first")
    assert received(link, 1) == [b"first"]
    assert link.state.name == name
    assert link.send([b"back"]) == 1
    assert two.recv(99) == b"back"


def test_nothing_of_an_inherited_descriptor_stays_open() -> None:
    """Of one that is no socket, and that opens; the descriptor itself is another's."""
    with open(os.devnull, "rb") as file:
        before = os.listdir("/proc/self/fd")
        (link,) = finished(opened(f"fd:{file.fileno()}"))
        link.close()
        assert os.listdir("/proc/self/fd") == before


def test_an_inherited_tcp_socket() -> None:
    """B-13: a stream has the name of its peer; one that nobody has called is refused."""
    listening = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(errors.StateError, match="not connected"):
        opened(f"fd:{listening.fileno()}")
    calling = socket.create_connection(listening.getsockname())
    caller, _ = listening.accept()
    (link,) = finished(opened(f"fd:{calling.fileno()}"))
    assert link.state.name == f"127.0.0.1:{listening.getsockname()[1]}/tcp"
    (its,) = finished(opened(f"fd:{caller.fileno()}"))
    exchange(link, its)


def test_other_inherited_descriptors() -> None:
    """B-10: what is of no known kind is a stream all the same."""
    one, two = socket.socketpair()
    ours, its = finished(opened(f"fd:{one.fileno()}"), opened(f"fd:{two.fileno()}"))
    assert {ours.state.kind, its.state.kind} == {"generic"}
    exchange(ours, its)


def test_a_terminal() -> None:
    """B-12 and B-17: raw, locked while it is used, as it was afterwards; without modem lines."""
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    before = termios.tcgetattr(slave)
    (ours,) = finished(opened(path))
    assert ours.carrier() is None
    with pytest.raises(errors.StateError, match="another process has locked it"):
        opened(path)
    (its,) = finished(opened(f"fd:{master}"))
    other, _ = pty.openpty()
    finished(opened(f"fd:{other}"))  # masters share one file, and no lock
    exchange(ours, its)
    ours.close()
    assert termios.tcgetattr(slave) == before
    os.close(slave)
    its.close()
    os.close(master)


def test_a_program() -> None:
    """B-12: on its standard input and output; it is hung up at the end."""
    word = f"!exec {sys.executable} -c 'import os\nwhile d := os.read(0, 9): os.write(1, d)'"
    (ours,) = finished(opened(word))
    pid = ours.state.child[0]
    ours.send(PACKETS)
    assert received(ours, len(PACKETS), ours) == PACKETS
    assert ours.carrier() is None
    ours.close()
    until(lambda: gone(pid))


def gone(pid: int) -> bool:
    """Whether a child of ours has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def test_a_program_that_ends() -> None:
    """The link has ended then."""
    (ours,) = finished(opened("!exit 3"))
    until(lambda: ours.receive() or ours.ended)
    assert ours.ended == "closed by the other side"
    ours.close()


def test_a_stream_that_takes_nothing() -> None:
    """The queue is bounded: whole packets are dropped and counted, none is cut."""
    one, two = socket.socketpair()
    ours, its = finished(opened(f"fd:{one.fileno()}"), opened(f"fd:{two.fileno()}"))
    sent = 0
    while not ours.full:
        sent += ours.send([b"x" * 1500])
    assert ours.send([b"x" * 1500] * 3) == 0
    assert ours.state.counters["out_dropped"] == 3
    assert ours.send([b"sign of life"], urgent=True) == 1
    assert received(its, sent + 1, ours) == [b"x" * 1500] * sent + [b"sign of life"]
    assert ours.idle()
    assert its.state.counters["in_damaged"] == 0


def test_tcp_keeps_little_waiting() -> None:
    """What the kernel has not sent yet is bounded, though its send buffer would grow."""
    waiting = opened("*:6669")
    ours, its = finished(opened("127.0.0.1:6669"), waiting)
    until(lambda: ours.full or not ours.send([b"x" * 1400] * 10))
    sent = ours.state.counters["out_packets"]
    unsent = int.from_bytes(ioctl(ours.fileno(), SIOCOUTQNSD, bytes(4)), sys.byteorder)
    assert unsent < 2 * UNSENT
    assert ours.send([b"x"]) == 0
    assert received(its, sent, ours) == [b"x" * 1400] * sent
    assert not ours.full


def test_another_process_goes_on() -> None:
    """B-10: the state is plain, and with it and the descriptor a link goes on where it was, with
    what was read in part and what was not yet written."""
    from netalias.links.stream import StreamLink

    one, two = socket.socketpair()
    ours, its = finished(opened(f"fd:{one.fileno()}"), opened(f"fd:{two.fileno()}"))
    one.close()
    two.close()
    sent = 0
    while not ours.full:
        sent += ours.send([b"%06d" % sent * 250])
    first = its.receive()
    copies = []
    for link in (ours, its):
        state = restored(link.pack().plain())
        fd = os.dup(link.fileno())
        link.release()
        copies.append(StreamLink(fd, state))
    ours, its = copies
    assert first + received(its, sent - len(first), ours) == [
        b"%06d" % n * 250 for n in range(sent)
    ]


def test_a_network_device(veth: Namespace) -> None:
    """B-16: frames of Ethernet to all until a peer has greeted, then to it alone; a carrier."""
    assert veth.peer is not None
    with veth:
        (ours,) = finished(opened("link:eth9"))
    with veth.peer:
        (its,) = finished(opened("link:p9", greets=lambda packet: packet == b"hi"))
    ours.send([b"not yet", b"hi"])
    assert received(its, 1) == [b"hi"]
    its.send([b"x"])
    assert received(ours, 1) == [b"x"]  # short frames are padded
    for link in (ours, its):
        link.state.counters = dict.fromkeys(link.state.counters, 0)
    exchange(ours, its)
    with veth:
        assert ours.carrier()
        veth.peer.ip("link set p9 down")
        until(lambda: ours.carrier() is False)
        veth.ip("link del eth9")
        assert ours.carrier() is False
        until(lambda: ours.receive() or ours.send([b"y"]) or ours.ended)
