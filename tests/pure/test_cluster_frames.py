"""Frames that the observer of the stage (tools/cluster) sends and keeps: of ARP, and of neighbour
discovery."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from pathlib import Path

import pytest
from mmsghdr import Mmsghdr

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

import asker
import discovery as wire
from judge import Claim

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
WEB, SIX = "10.0.0.100", "fd00::1000"
PERIOD = 0.01
OWN = bytes.fromhex("02ffffffff37")
"""The asker's MAC; rounds have the last four bits."""
ASKER, ASKER_SIX = "10.0.0.222", "fd00::222"
EVERYBODY, NODES = b"\xff" * 6, bytes.fromhex("333300000001")
OVERRIDE = 0x20000000


def mac(text: str) -> bytes:
    """The bytes of a MAC."""
    return bytes.fromhex(text.replace(":", ""))


def arp(operation: int, own: str, sender: str, target: str, to: bytes = bytes(6)) -> bytes:
    """An Ethernet frame with ARP."""
    head = wire.ETHERNET.pack(OWN, mac(own), wire.ETH_P_ARP)
    spoken, asked = socket.inet_aton(sender), socket.inet_aton(target)
    return head + wire.ARP.pack(*wire.PREFIX, operation, mac(own), spoken, to, asked)


def discovery(
    kind: int, own: str, sender: str, target: str, to: bytes, option: int = 0, *, hops: int = 255
) -> bytes:
    """An Ethernet frame with a solicitation or an advertisement, whose option tells B's MAC."""
    options = wire.LINK_LAYER.pack(option, 1, mac(B)) if option else b""
    size = wire.ND.size + len(options)
    source = asker.packed(sender)
    return b"".join((
        wire.ETHERNET.pack(to, mac(own), wire.ETH_P_IPV6),
        wire.IPV6.pack(wire.VERSION, size, socket.IPPROTO_ICMPV6, hops, source, source),
        wire.ND.pack(kind, 0, 0, OVERRIDE, asker.packed(target)),
        options,
    ))  # fmt: skip


REQUEST, REPLY = wire.REQUEST, wire.REPLY
NS, NA = wire.SOLICITATION, wire.ADVERTISEMENT


def asked(count: int) -> list[float]:
    """The times of *count* rounds."""
    return [1000 + PERIOD * number for number in range(count)]


def recording(rounds: int, *frames: tuple[float, bytes], lost: int = 0) -> asker.Trace:
    """A file with these frames, read again."""
    head = asker.HEAD.pack(rounds, lost, OWN)
    times = b"".join(map(asker.TIME.pack, asked(rounds)))
    return asker.read(head + times + b"".join(asker.record(*one) for one in frames))


@pytest.mark.parametrize("late", [0.0001, 0.009, 0.05, 0.1])
@pytest.mark.parametrize("address", [WEB, SIX])
def test_an_answer_tells_its_round(address: str, late: float) -> None:
    """However late it is, up to the number of senders: it goes to the MAC that asked."""
    number = 20
    to = OWN[:5] + bytes([OWN[5] & ~asker.LOW | number % asker.SENDERS])
    answer = discovery(NA, A, SIX, SIX, to) if address == SIX else arp(REPLY, A, WEB, ASKER, to)
    trace = recording(40, (asked(40)[number] + late, answer))
    assert [(one.address, one.mac, one.round) for one in trace.answers] == [(address, A, number)]
    assert trace.claims == []


def test_what_claims_an_address() -> None:
    """Both kinds of announcements, and any question from it; no probe."""
    frames = [
        arp(REQUEST, A, WEB, WEB),
        arp(REPLY, A, WEB, WEB, EVERYBODY),
        arp(REQUEST, A, WEB, "10.0.0.1"),
        arp(REQUEST, B, "0.0.0.0", WEB),
        arp(REPLY, A, WEB, WEB)[:-1],
        bytes(60),
        b"",
    ]
    trace = recording(10, *((1000.05, one) for one in frames), lost=3)
    assert trace.claims == [Claim(1000.05, WEB, A)] * 3
    assert (trace.answers, trace.lost) == ([], 3)


def test_what_claims_an_address_of_ipv6() -> None:
    """An advertisement to everybody, and a solicitation from it, by the MAC of the option where
    there is one; none by which a kernel finds out whether it is unique, nor one from afar."""
    frames = [
        discovery(NA, A, SIX, SIX, NODES),
        discovery(NA, A, ASKER_SIX, SIX, NODES, wire.TARGET),
        discovery(NS, A, SIX, ASKER_SIX, NODES, wire.SOURCE),
        discovery(NS, A, SIX, ASKER_SIX, NODES, wire.TARGET),
        discovery(NS, A, "::", SIX, NODES),
        discovery(NA, A, SIX, SIX, NODES, hops=64),
        discovery(NA, A, SIX, SIX, NODES)[:-1],
        discovery(128, A, SIX, SIX, NODES),
    ]
    trace = recording(10, *((1000.05, one) for one in frames))
    assert [(one.address, one.mac) for one in trace.claims] == [(SIX, one) for one in (A, B, B, A)]
    assert trace.answers == []


def test_a_question() -> None:
    """To everybody, or to the group of the address; it claims the asker's own address."""
    web, six = (
        wire.question(OWN, asker.packed(own), asker.packed(target))
        for own, target in ((ASKER, WEB), (ASKER_SIX, "fd00::12:3456"))
    )
    assert (web[:6], six[:6]) == (EVERYBODY, bytes.fromhex("3333ff123456"))
    assert wire.said(web) == (asker.packed(ASKER), OWN, b"")
    assert wire.said(six) == (asker.packed(ASKER_SIX), OWN, b"")
    body = six[wire.ETHERNET.size + wire.IPV6.size :]
    pseudo = six[22:54] + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    assert wire.checksum([pseudo, body]) == 0


def test_the_messages_of_one_call() -> None:
    """The kernel's struct mmsghdr: a struct msghdr of 56 bytes and a length, aligned."""
    assert ctypes.sizeof(Mmsghdr) == 64
    assert Mmsghdr.length.offset == 56
