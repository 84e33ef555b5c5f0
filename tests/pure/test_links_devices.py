"""The words for devices."""

from __future__ import annotations

import pytest

from netalias import errors
from netalias.links.devices import KINDS, parse, socket_name


@pytest.mark.parametrize(
    ("word", "kind", "place", "port"),
    [
        ("192.0.2.1:6669", "tcp", "192.0.2.1", "6669"),
        ("relay.example.net:ppp/tcp", "tcp", "relay.example.net", "ppp"),
        ("192.0.2.1:6669/TCP", "tcp", "192.0.2.1", "6669"),
        ("192.0.2.1:6669/UdP", "udp", "192.0.2.1", "6669"),
        ("[::1]:6669/udp", "udp", "::1", "6669"),
        ("[2001:db8::1]:6669", "tcp", "2001:db8::1", "6669"),
        ("*:6669/udp", "udp", "*", "6669"),
        ("/dev/ttyS1", "tty", "/dev/ttyS1", ""),
        ("/dev/a:1/udp", "tty", "/dev/a:1/udp", ""),
        ("!ssh host netalias link", "exec", "ssh host netalias link", ""),
        ("!nc host:1", "exec", "nc host:1", ""),
        ("link:eth0", "link", "eth0", ""),
        ("link:6669/tcp", "tcp", "link", "6669"),
        ("fd:3", "generic", "3", ""),
        ("fd:3/udp", "udp", "fd", "3"),
    ],
)
def test_a_word_is_a_device(word: str, kind: str, place: str, port: str) -> None:
    """B-12: tcp unless a suffix says udp, in any case; a service may have a name; one colon, or an
    IPv6 address in brackets."""
    device = parse(word)
    assert (device.kind, device.place, device.port) == (kind, place, port)
    assert device.word == word
    assert device.number == KINDS.index(kind) + 1 > 0


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("eth0", "must begin with '/', '!' or contain ':'"),
        ("", "must begin with '/', '!' or contain ':'"),
        ("host:1:2", "neither HOST:PORT"),
        ("::1:6669/udp", "neither HOST:PORT"),
        ("host:6669/sctp", "neither HOST:PORT"),
        ("host:6669/", "neither HOST:PORT"),
        ("host:", "neither HOST:PORT"),
        (":6669", "neither HOST:PORT"),
        ("[::1]6669", "neither HOST:PORT"),
        ("[::1]:66:69", "neither HOST:PORT"),
        ("host:0", "a port is a number from 1 to 65535"),
        ("host:65536/udp", "a port is a number from 1 to 65535"),
        ("!", "a command follows"),
        ("!  ", "a command follows"),
        ("link:", "not the name of a network device"),
        ("link:abcdefghijklmnop", "not the name of a network device"),
        ("fd:x", "the number of a descriptor"),
        ("fd:9999999999", "the number of a descriptor"),
    ],
)
def test_other_words_are_refused(word: str, why: str) -> None:
    """B-12: what is no device says which words are."""
    with pytest.raises(errors.UsageError, match=why.replace("'", ".")):
        parse(word)


def test_the_ones_that_wait() -> None:
    """A host that means any waits for its peer."""
    assert [parse(word).passive for word in ("*:1", "0.0.0.0:1/udp", "[::]:1/udp", "h:1")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert not parse("/dev/ttyS1").passive


def test_names_of_sockets() -> None:
    """B-13: as one would write them."""
    assert socket_name("udp", "192.0.2.1", 7) == "192.0.2.1:7/udp"
    assert parse(socket_name("tcp", "2001:db8::1", 7)).place == "2001:db8::1"
