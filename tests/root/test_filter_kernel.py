"""Programs of filters on TAPs of the real kernel: it judges frames as they do by themselves."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from errno import EINVAL, ENOMEM
from fcntl import ioctl

import pytest
from command import Command
from support import Namespace

from netalias.filters import Filters, Judge
from netalias.filters.bnep import MOST
from netalias.filters.program import BPF_MAXINSNS, INSTRUCTION, RETURN, program
from netalias.tunnels import filter as device
from netalias.tunnels.tun import _IFREQ, DEVICE, IFF_NO_PI, IFF_TAP, IFF_TUN, TUNSETIFF

MULTI_QUEUE = 0x0100
ETH_P_ALL = 3
IPV4_AND_ARP = Filters([(0x0800, 0x0800), (0x0806, 0x0806)])
LIMITS = (0, 0x5DC, 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8, 0xFFFF)
GROUPS = (0x01005E000000, 0x01005E7FFFFF, 0x333300000000, 0x3333FFFFFFFF, 0xFFFFFFFFFFFF)


def opened(flags: int = IFF_TAP, name: str = "tap0") -> int:
    """A queue of a device."""
    fileno = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    ioctl(fileno, TUNSETIFF, _IFREQ.pack(name.encode(), flags | IFF_NO_PI))
    return fileno


@pytest.fixture
def inside(cli: Command) -> Iterator[Namespace]:
    """The namespace, entered; nothing in it speaks by itself."""
    with cli.namespace:
        yield cli.namespace


def silent(namespace: Namespace, name: str = "tap0") -> None:
    """Take a device up that sends nothing of its own."""
    namespace.ip(f"link set {name} addrgenmode none")
    namespace.ip(f"link set {name} multicast off up")


def sent(frames: list[bytes], name: str = "tap0") -> None:
    """Hand frames to a device, as they are."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sending:
        sending.bind((name, 0))
        for frame in frames:
            sending.send(frame)


def taken(*filenos: int) -> list[bytes]:
    """The frames that came to some queues, until there is none."""
    found = []
    for fileno in filenos:
        try:
            while True:
                found.append(os.read(fileno, 2000))
        except BlockingIOError:
            pass
    return found


def frame(kind: int, destination: int = 0x020000000001, *tags: int) -> bytes:
    """A frame of some type behind tags."""
    head = destination.to_bytes(6, "big") + bytes.fromhex("020000000002")
    tagged = b"".join(one.to_bytes(2, "big") + b"\0\5" for one in tags)
    return head + tagged + kind.to_bytes(2, "big") + bytes(46)


def refused(fileno: int, code: bytes) -> int:
    """The error with which a device refuses a program; 0 for none."""
    try:
        device.attach(fileno, code)
    except OSError as error:
        return error.errno or 0
    return 0


def near(dice: random.Random, numbers: tuple[int, ...], most: int) -> int:
    """A number at a limit, beside it, or anywhere."""
    found = dice.choice([*numbers, dice.randrange(most)]) + dice.choice([-1, 0, 0, 1])
    return min(max(found, 0), most - 1)


def test_the_kernel_judges_as_the_process(inside: Namespace) -> None:
    """D-3: what comes out of the TAP are the frames that pass, whole; the others count as dropped.
    The process that reads, which judges what was queued before, says the same of each."""
    tap = opened()
    silent(inside)
    dice = random.Random(1)
    for _ in range(25):
        filters = Filters(
            [sorted(near(dice, LIMITS, 1 << 16) for _ in "ab") for _ in range(dice.randrange(4))],  # type: ignore[misc]
            [sorted(near(dice, GROUPS, 1 << 48) for _ in "ab") for _ in range(dice.randrange(4))],  # type: ignore[misc]
        )
        device.attach(tap, program(filters))
        frames = [
            frame(
                near(dice, LIMITS, 1 << 16),
                near(dice, GROUPS, 1 << 48),
                *dice.choices([0x8100, 0x88A8], k=dice.randrange(3)),
            )
            for _ in range(40)
        ]
        judge, before = Judge(filters), device.dropped("tap0")
        passing = [one for one in frames if judge.passes(one)]
        sent(frames)
        assert taken(tap) == passing
        assert device.dropped("tap0") - before == len(frames) - len(passing)
    os.close(tap)


def test_all_queues_and_every_open(inside: Namespace) -> None:
    """D-3: a program is one of all queues that are there; one that is opened later has none until
    it is attached again, and none is left when it is taken off."""
    queues = [opened(IFF_TAP | MULTI_QUEUE) for _ in range(3)]
    silent(inside)
    noise, wanted = [frame(0x86DD)] * 5, frame(0x0800)
    device.attach(queues[1], program(IPV4_AND_ARP))
    sent([*noise, wanted])
    assert taken(*queues) == [wanted]
    late = opened(IFF_TAP | MULTI_QUEUE)
    for fileno in queues:
        os.close(fileno)
    sent([*noise, wanted])
    assert taken(late) == [*noise, wanted]
    device.attach(late, program(IPV4_AND_ARP))
    sent([*noise, wanted])
    assert taken(late) == [wanted]
    device.attach(late, b"")
    sent([*noise, wanted])
    assert taken(late) == [*noise, wanted]
    os.close(late)


def test_a_frame_is_never_cut(inside: Namespace) -> None:
    """What the program returns is the length that is kept: a long frame keeps all of it."""
    tap = opened()
    silent(inside)
    device.attach(tap, program(IPV4_AND_ARP))
    long = frame(0x0800) + bytes(1400)
    sent([long])
    assert taken(tap) == [long]
    os.close(tap)


def test_limits_of_the_kernel(inside: Namespace) -> None:
    """D-3: too many is what does not fit into a program, or into the memory of a socket; what was
    in force stays. A TUN takes none."""
    tap = opened()
    silent(inside)
    device.attach(tap, program(IPV4_AND_ARP))
    step = INSTRUCTION.pack(RETURN, 0, 0, 1)
    assert refused(tap, step * (BPF_MAXINSNS + 1)) in (EINVAL, ENOMEM)
    sent([frame(0x86DD), frame(0x0800)])
    assert taken(tap) == [frame(0x0800)]
    types = [(number * 3, number * 3) for number in range(MOST)]
    why = refused(tap, program(Filters(types)))
    assert why in (0, ENOMEM)  # net.core.optmem_max is small before Linux 6.8
    if not why:
        sent([frame(MOST * 3 - 3), frame(MOST * 3 - 2)])
        assert taken(tap) == [frame(MOST * 3 - 3)]
    os.close(tap)
    tun = opened(IFF_TUN, "tun0")
    assert refused(tun, program(IPV4_AND_ARP)) == EINVAL
    os.close(tun)


def test_a_tag_beside_the_frame(inside: Namespace) -> None:
    """D-3: a VLAN on the TAP: the kernel holds the tag beside the data until the frame is read, and
    the frame is judged by its inner type."""
    tap = opened()
    silent(inside)
    made = inside.run(
        ["ip", "link", "add", "v5", "link", "tap0", "type", "vlan", "id", "5"], check=False
    )
    if made.returncode:
        os.close(tap)
        pytest.skip("this kernel has no VLANs")
    silent(inside, "v5")
    device.attach(tap, program(IPV4_AND_ARP))
    sent([frame(0x86DD), frame(0x0800)], "v5")
    (found,) = taken(tap)
    assert found[12:18] == bytes.fromhex("8100 0005 0800")
    os.close(tap)
