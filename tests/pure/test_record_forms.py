"""The other forms of a service record: data elements of Bluetooth, read back by a decoder that
shares nothing with their builder, and the strings of DNS-SD."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest
from construct import ConstructError  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from test_record import FOUR, LOCAL, SIX, known
from zeroconf import EventLoopBlocked, NonUniqueNameException

from netalias.errors import StateError
from netalias.model import ARPHRD_ETHER, IFF_NOARP, IFF_UP
from netalias.record import Record
from netalias.record.dnssd import TYPE, Announced
from netalias.record.spec import ELEMENT, sdp
from netalias.record.txt import packed, strings, text

SIZES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 16}
UNSIGNED, UUID, TEXT, SEQUENCE = 1, 3, 4, 6


def element(data: bytes, at: int = 0) -> tuple[tuple[int, Any], int]:
    """The data element at *at*, as type and value, and its end: Bluetooth Core 3.B.3.2, 3.3."""
    kind, size = data[at] >> 3, data[at] & 7
    at += 1
    if size in SIZES:
        length = SIZES[size]
    else:
        width = 1 << (size - 5)
        length = int.from_bytes(data[at : at + width], "big")
        at += width
    end = at + length
    assert end <= len(data)
    if kind == SEQUENCE:
        found = []
        while at < end:
            one, at = element(data, at)
            found.append(one)
        assert at == end
        return (kind, found), end
    if kind == TEXT:
        return (kind, data[at:end].decode()), end
    assert kind in (UNSIGNED, UUID)
    return (kind, int.from_bytes(data[at:end], "big")), end


def attributes(data: bytes) -> dict[int, Any]:
    """The attributes of a service record; identifiers are in ascending order, each once."""
    (kind, values), end = element(data)
    assert (kind, end) == (SEQUENCE, len(data))
    identifiers = [number for kind, number in values[::2] if kind == UNSIGNED]
    assert len(identifiers) * 2 == len(values)
    assert identifiers == sorted(set(identifiers))
    return dict(zip(identifiers, values[1::2], strict=True))


def words(*protocols: int) -> tuple[int, Any]:
    """The ProtocolDescriptorList with these Ethernet types."""
    listed = (SEQUENCE, [(UNSIGNED, one) for one in protocols])
    return SEQUENCE, [
        (SEQUENCE, [(UUID, 0x0100), (UNSIGNED, 15)]),
        (SEQUENCE, [(UUID, 0x000F), (UNSIGNED, 0x0100), listed]),
    ]


def test_every_attribute_of_a_network_access_point() -> None:
    """D-2: those that btpand has, with the actual values."""
    found = attributes(sdp(known(FOUR, SIX, clients=3)))
    assert found == {
        0x0000: (UNSIGNED, 0),
        0x0001: (SEQUENCE, [(UUID, 0x1116)]),
        0x0004: words(0x0800, 0x0806, 0x86DD),
        0x0005: (SEQUENCE, [(UUID, 0x1002)]),
        0x0006: (SEQUENCE, [(UNSIGNED, 0x656E), (UNSIGNED, 106), (UNSIGNED, 0x0100)]),
        0x0008: (UNSIGNED, 146),
        0x0009: (SEQUENCE, [(SEQUENCE, [(UUID, 0x1116), (UNSIGNED, 0x0100)])]),
        0x0100: (TEXT, "Network Access Point"),
        0x0101: (TEXT, "The network of tap0"),
        0x030A: (UNSIGNED, 0),
        0x030B: (UNSIGNED, 4),
        0x030C: (UNSIGNED, 1_250_000),
        0x030D: (TEXT, "10.7.0.0/24"),
        0x030E: (TEXT, "2001:db8:7::/64"),
    }


def test_what_is_not_there_is_left_out() -> None:
    """No subnet of a family, no protocol, a rate that is not known."""
    found = attributes(sdp(known(LOCAL, flags=IFF_UP | IFF_NOARP)))
    assert not found.keys() & {0x030D, 0x030E}
    assert found[0x0004] == words(0x86DD)
    bare = attributes(sdp(Record("x", b"", 0, ARPHRD_ETHER)))
    assert (bare[0x0004], bare[0x030C], bare[0x030B]) == (
        words(), (UNSIGNED, 0), (UNSIGNED, 0xFFFE),
    )  # fmt: skip


@settings(max_examples=40)
@given(
    st.integers(0, 10**7),
    st.lists(st.integers(0, 255).map(lambda one: f"10.{one}.0.0/16"), unique=True, max_size=30),
    st.lists(
        st.integers(0, 2**16).map(lambda one: f"2001:db8:{one:x}::/48"), unique=True, max_size=30
    ),
)
def test_any_record_is_read_back(speed: int, ipv4: list[str], ipv6: list[str]) -> None:
    """Sizes of one byte and of two; a rate beyond 32 bits is the largest number. The specification
    reads the same."""
    record = Record("tap0", b"", 0, ARPHRD_ETHER, ipv4=tuple(ipv4), ipv6=tuple(ipv6), speed=speed)
    data = sdp(record)
    found = attributes(data)
    assert found[0x030C] == (UNSIGNED, min(speed * 125_000, 0xFFFFFFFF))
    for number, subnets in ((0x030D, ipv4), (0x030E, ipv6)):
        assert found.get(number, (TEXT, ""))[1] == ",".join(subnets)
    assert ELEMENT.build(ELEMENT.parse(data)) == data


def test_thousands_of_subnets() -> None:
    """As many as a text of 16 bits takes, each of them whole."""
    ipv6 = tuple(f"2001:db8:{one:x}::/48" for one in range(10_000))
    found = attributes(sdp(Record("tap0", b"", 0, ARPHRD_ETHER, ipv4=ipv6, ipv6=ipv6)))
    for number in (0x030D, 0x030E):
        told = found[number][1].split(",")
        assert told == [*ipv6[: len(told)]]
        assert 0xFFFF - 22 < len(found[number][1]) <= 0xFFFF


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """By construct's own error; what is read is built again."""
    try:
        found = ELEMENT.parse(data)
    except ConstructError:
        return
    again = ELEMENT.build(found)
    assert data.startswith(again)


def test_a_record_that_is_cut_off_is_refused() -> None:
    """Whatever is missing."""
    whole = sdp(known(FOUR))
    for size in range(1, len(whole)):
        with pytest.raises(ConstructError):
            ELEMENT.parse(whole[:-size])


# DNS-SD


def data_of(content: bytes) -> dict[str, str]:
    """The keys and values in the data of a TXT record: RFC 6763, 6.3 and 6.4."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        (length,) = unpack_from("B", content, at)
        one = content[at + 1 : at + 1 + length].decode()
        assert len(one.encode()) == length > 0
        key, equals, value = one.partition("=")
        assert key.isascii()
        assert equals
        assert key not in found
        found[key] = value
        at += 1 + length
    return found


def test_the_strings_of_a_record() -> None:
    """Each key once."""
    assert data_of(packed(known(FOUR, SIX))) == {
        "txtvers": "1", "ifname": "tap0", "proto": "0800,0806,86dd", "nettype": "4",
        "rate": "1250000", "avail": "255", "ipv4": "10.7.0.0/24", "ipv6": "2001:db8:7::/64",
    }  # fmt: skip
    assert text(Record("x", b"", 0, 1)) == b"txtvers=1\nifname=x\nnettype=65534\navail=255\n"


@given(st.integers(0, 200), st.integers(0, 200))
def test_many_subnets_go_on_in_further_strings(four: int, six: int) -> None:
    """No string is over 255 bytes, all of it is below 1300; what has no room is counted."""
    ipv4 = [f"10.{one}.0.0/16" for one in range(four)]
    ipv6 = [f"2001:db8:{one:x}::/48" for one in range(six)]
    record = Record("tap0", b"", 0, 1, ipv4=tuple(ipv4), ipv6=tuple(ipv6))
    assert len(packed(record)) <= 1300
    assert all(len(one) <= 255 for one in strings(record))
    found = data_of(packed(record))
    told = [
        subnet
        for key, value in found.items() if key.startswith("ipv")
        for subnet in value.split(",")
    ]  # fmt: skip
    assert len(told) + int(found.get("more", "0")) == four + six
    assert set(told) <= {*ipv4, *ipv6}
    if four + six < 40:
        assert told == ipv4 + ipv6


# Announced


class Library:
    """In the place of the library zeroconf: what was asked of it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.fails = self.stuck = False

    def register_service(self, info: Any, allow_name_change: bool = False) -> None:
        self.done.append(("register", info.name))
        if self.fails:
            raise NonUniqueNameException
        info.name = info.name.replace("._", "-2._", 1)  # another host has that name

    def update_service(self, info: Any) -> None:
        self.done.append(("update", info.name))

    def close(self) -> None:
        self.done.append(("close", ""))
        if self.stuck:
            raise EventLoopBlocked

    def since(self) -> list[tuple[str, str]]:
        """What was done since the last call."""
        found, self.done = self.done, []
        return found


NAME, OTHER = f"tap0 on here.{TYPE}", f"tap0 on here-2.{TYPE}"


def test_a_service_is_updated_in_place() -> None:
    """Another subnet keeps the service and its name; other sockets are needed for another first
    address; without addresses there is nobody to be told."""
    library = Library()
    output = Announced(lambda _: library, "here")  # type: ignore[arg-type, return-value]
    output.put(known())
    assert library.since() == []
    output.put(known(FOUR))
    output.put(known(FOUR, clients=1))
    assert library.since() == [("register", NAME), ("update", OTHER)]
    output.put(known(FOUR, SIX))
    assert library.since() == [("close", ""), ("register", NAME)]
    output.put(known())
    output.put(None)
    assert library.since() == [("close", "")]


def test_a_service_that_cannot_be_announced() -> None:
    """It is told, and nothing is left open; the next try begins anew."""
    library = Library()
    output = Announced(lambda _: library, "here")  # type: ignore[arg-type, return-value]
    library.fails = True
    with pytest.raises(StateError, match="tap0: DNS-SD: NonUniqueNameException"):
        output.put(known(FOUR))
    assert library.since() == [("register", NAME), ("close", "")]
    library.stuck = True  # the thread of the library has too much to do
    with pytest.raises(StateError, match="tap0: DNS-SD: NonUniqueNameException"):
        output.put(known(FOUR))
    assert library.since() == [("register", NAME), ("close", "")]
    library.fails = library.stuck = False
    output.put(known(FOUR))
    assert library.since() == [("register", NAME)]


def test_names_have_no_dots_and_fit_a_label() -> None:
    """A device may be called almost anything, and a host too."""
    library = Library()
    output = Announced(lambda _: library, "x" * 70)  # type: ignore[arg-type, return-value]
    record = known(FOUR)
    record.name = "br.7 \u00fc"
    output.put(record)
    ((_, name),) = library.since()
    label = name.removesuffix(f".{TYPE}")
    assert label.startswith("br-7-")
    assert "." not in label
    assert len(label.encode()) <= 63
