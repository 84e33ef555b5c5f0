"""codec.py on anything at all: a value or WireError, at once."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import (
    SIZES,
    address_message,
    addresses,
    devices,
    done_message,
    error_message,
    few,
    link_message,
    names,
)

from netalias.errors import WireError, kernel_error
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, spec
from netalias.model import AF_INET, AF_INET6, Address, Device, Stats
from netalias.model.steps import CreateLink

DEVICE = Device(
    7,
    "eth0_0",
    65,
    1,
    altnames=["eth0:0", "second"],
    mac=b"\x02\0\0\0\0\1",
    kind="macvlan",
    mode=4,
    link=2,
    group=28257,
    ifalias="netalias eth0:0",
    arp_announce=2,
    arp_ignore=1,
    promote=True,
    stats=Stats(1, 2, 3, 4),
)
INET = Address(
    7,
    AF_INET,
    b"\xc8\1\1\1",
    24,
    0x80,
    broadcast=b"\xc8\1\1\xff",
    label="eth0:0",
    protocol=97,
    metric=5,
    valid=60,
    preferred=30,
)
INET6 = Address(7, AF_INET6, bytes(15) + b"\1", 64, 0x202, peer=bytes(15) + b"\2")

WHOLE = {
    "link": spec.build(link_message(DEVICE)),
    "inet": spec.build(address_message(INET)),
    "inet6": spec.build(address_message(INET6)),
    "error": spec.build(error_message(17, 1, "File exists", capped=False, payload=b"request")),
    "done": spec.build(done_message(22, 1, "Unknown attribute type")),
}

messages = st.one_of(
    devices().map(link_message),
    addresses().map(address_message),
    st.builds(error_message, st.integers(0, 4095), st.just(1), names(30), st.booleans()),
    st.builds(done_message, st.integers(0, 4095), st.just(1), names(30)),
)
datagrams = st.lists(messages, min_size=1, max_size=3).map(lambda made: spec.build(*made))


def attempt(read: Any, *arguments: Any) -> Any:
    """What a reader gives, or None when it raises WireError; any other error fails the test."""
    try:
        return read(*arguments)
    except WireError:
        return None


def check_text(text: object) -> None:
    """A text can always be written again."""
    assert isinstance(text, str)
    text.encode("utf-8", "surrogateescape")


def check_body(data: bytes, flags: int, start: int, end: int) -> None:
    """Every reader on one body, whatever it is."""
    found = attempt(codec.attributes, data, start, end)
    if found is not None:
        assert sum(len(payload) + 4 for payload in found.values()) <= end - start
        assert all(0 <= kind <= codec.NLA_TYPE_MASK for kind in found)
    device = attempt(codec.read_link, data, start, end)
    if device is not None:
        assert isinstance(device, Device)
        for text in (device.name, device.kind, device.ifalias, *device.altnames):
            check_text(text)
        hash(device)
    entry = attempt(codec.read_address, data, start, end)
    if entry is not None:
        assert isinstance(entry, Address)
        check_text(entry.label)
        size = SIZES.get(entry.family, len(entry.local))
        assert len(entry.local) == size
        if entry.family in SIZES:
            assert {len(entry.peer), len(entry.broadcast)} <= {0, size}
    answer = attempt(netlink.read_error, data, flags, start, end)
    if answer is not None:
        code, text = answer
        check_text(text)
        assert 0 <= code <= 4095
        assert str(kernel_error("any", code, text))
    code = attempt(netlink.read_done, data, start, end)
    assert code is None or 0 <= code <= 4095
    text = attempt(netlink.read_text, data, flags, start + 4, end)
    assert text is None or isinstance(text, str)


def check_datagram(data: bytes) -> int:
    """Every reader on everything that can be found; how many messages there were."""
    count = 0
    iterator = netlink.messages(data)
    last = 0
    while True:
        found = attempt(next, iterator, None)
        if found is None:
            return count
        _, flags, _, start, end = found
        assert last + 16 <= start <= end <= len(data)
        last = end
        count += 1
        assert count <= len(data) // 16
        check_body(data, flags, start, end)


# Garbage


@few
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Bytes without any meaning are no danger, as a datagram or as a body."""
    check_datagram(data)
    check_body(data, 0, 0, len(data))
    check_body(data, codec.NLM_F_ACK_TLVS, 0, len(data))
    check_body(data, codec.NLM_F_ACK_TLVS | codec.NLM_F_CAPPED, 0, len(data))


@few
@given(st.lists(st.tuples(st.integers(0, 70), st.binary(max_size=20)), max_size=6), st.data())
def test_known_attributes_with_any_payload(
    pairs: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Attributes that we read, with payloads of any size and sense."""
    family = data.draw(st.sampled_from([AF_INET, AF_INET6, 12]))
    body = b"".join(codec.attr(kind, payload) for kind, payload in pairs)
    link = codec.ifinfo(3) + codec.attr_text(codec.IFLA_IFNAME, "x") + body
    address = codec.IFADDR.pack(family, 8, 0, 0, 3) + body
    assert check_datagram(codec.message(codec.RTM_NEWLINK, 0, 1, link)) == 1
    assert check_datagram(codec.message(codec.RTM_NEWADDR, 0, 1, address)) == 1


@few
@given(datagrams, st.data())
def test_flipped_bits(data: bytes, draw: st.DataObject) -> None:
    """One to three bits that are wrong in what was right."""
    changed = bytearray(data)
    for bit in draw.draw(st.sets(st.integers(0, 8 * len(data) - 1), min_size=1, max_size=3)):
        changed[bit // 8] ^= 1 << bit % 8
    check_datagram(bytes(changed))


@pytest.mark.parametrize("kind", WHOLE)
def test_every_bit_flipped(kind: str) -> None:
    """Each single bit of one message of each kind."""
    data = WHOLE[kind]
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        check_datagram(bytes(changed))


# Truncation


@pytest.mark.parametrize("kind", WHOLE)
def test_truncated_datagrams(kind: str) -> None:
    """A message that is not there to its end is never read; the end of a datagram is no message."""
    data = WHOLE[kind]
    assert len(list(netlink.messages(data))) == 1
    assert list(netlink.messages(b"")) == []
    for size in range(1, len(data)):
        with pytest.raises(WireError):
            list(netlink.messages(data[:size]))
        first, *rest = netlink.messages(data + data)
        assert len(rest) == 1
        iterator = netlink.messages(data + data[:size])
        assert next(iterator) == first
        with pytest.raises(WireError):
            next(iterator)


@pytest.mark.parametrize("kind", WHOLE)
def test_truncated_bodies(kind: str) -> None:
    """A message whose length is right for what is there, which ends anywhere."""
    data = WHOLE[kind]
    for size in range(16, len(data)):
        check_datagram(struct.pack("=I", size) + data[4:size])


@pytest.mark.parametrize(
    ("read", "least"),
    [(codec.read_link, 16), (codec.read_address, 8)],
)
def test_bodies_without_their_head(read: Any, least: int) -> None:
    """A body smaller than its family header is refused, not read beyond its end."""
    data = bytes(64)
    for size in range(least):
        with pytest.raises(WireError):
            read(data, 16, 16 + size)


def test_acknowledgements_without_their_head() -> None:
    """An acknowledgement holds an errno and the header of the request, or is none."""
    for size in range(20):
        with pytest.raises(WireError):
            netlink.read_error(bytes(64), 0, 16, 16 + size)
    assert netlink.read_error(bytes(64), 0, 16, 36) == (0, "")


# Lengths


@pytest.mark.parametrize("length", range(16))
def test_messages_of_no_length(length: int) -> None:
    """A message that claims less than its header would never end."""
    with pytest.raises(WireError):
        next(netlink.messages(struct.pack("=IHHII", length, 16, 0, 1, 0) + bytes(16)))


@pytest.mark.parametrize("length", range(4))
def test_attributes_of_no_length(length: int) -> None:
    """An attribute that claims less than its header would never end, wherever it is nested."""
    bad = struct.pack("=HHI", length, 53, 0)
    with pytest.raises(WireError):
        codec.attributes(bad, 0, 8)
    for outer in (codec.IFLA_LINKINFO, codec.IFLA_AF_SPEC, codec.IFLA_PROP_LIST):
        body = codec.ifinfo(1) + codec.attr_text(codec.IFLA_IFNAME, "x") + codec.nest(outer, bad)
        with pytest.raises(WireError):
            codec.read_link(body, 0, len(body))


def link_with(*attributes: bytes) -> Device:
    """The device of a body with a name and these attributes."""
    body = codec.ifinfo(1) + codec.attr_text(codec.IFLA_IFNAME, "x") + b"".join(attributes)
    return codec.read_link(body, 0, len(body))


@pytest.mark.parametrize(
    "kind", [codec.IFLA_MTU, codec.IFLA_LINK, codec.IFLA_MASTER, codec.IFLA_GROUP]
)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 8])
def test_numbers_of_a_wrong_size(kind: int, size: int) -> None:
    """A 32-bit number has four bytes: nothing is guessed from fewer or more."""
    with pytest.raises(WireError):
        link_with(codec.attr(kind, bytes(size)))


def test_a_link_must_have_a_name() -> None:
    """A device without IFLA_IFNAME is none; one with nothing else is read."""
    with pytest.raises(WireError):
        codec.read_link(codec.ifinfo(1), 0, 16)
    assert link_with().name == "x"


def test_short_counters_and_an_empty_state_are_refused() -> None:
    """IFLA_STATS64 holds four counters at least, IFLA_OPERSTATE one byte."""
    assert link_with(codec.attr(codec.IFLA_STATS64, bytes(32))).stats == Stats()
    for bad in (codec.attr(codec.IFLA_STATS64, bytes(31)), codec.attr(codec.IFLA_OPERSTATE, b"")):
        with pytest.raises(WireError):
            link_with(bad)


def address_with(family: int, *attributes: bytes) -> Address:
    """The address of a body with these attributes."""
    body = codec.IFADDR.pack(family, 8, 0, 0, 1) + b"".join(attributes)
    return codec.read_address(body, 0, len(body))


@pytest.mark.parametrize("family", SIZES)
@pytest.mark.parametrize("kind", [codec.IFA_LOCAL, codec.IFA_ADDRESS, codec.IFA_BROADCAST])
@pytest.mark.parametrize("size", [1, 3, 5, 8, 15, 17])
def test_addresses_of_a_wrong_size(family: int, kind: int, size: int) -> None:
    """IPv4 has four bytes, IPv6 sixteen, the address itself as well as peer and broadcast."""
    good = codec.attr(codec.IFA_LOCAL, bytes(SIZES[family]))
    assert address_with(family, good).local == bytes(SIZES[family])
    with pytest.raises(WireError):
        address_with(family, good, codec.attr(kind, bytes(size)))


@pytest.mark.parametrize("family", SIZES)
def test_an_address_message_must_have_an_address(family: int) -> None:
    """Without IFA_LOCAL and IFA_ADDRESS there is nothing to be said."""
    with pytest.raises(WireError):
        address_with(family)


def test_addresses_of_other_families_have_any_size() -> None:
    """AF_PHONET has one byte."""
    assert address_with(35, codec.attr(codec.IFA_LOCAL, b"\x6c")).local == b"\x6c"


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (codec.IFA_FLAGS, (0, 1, 3, 5)),
        (codec.IFA_RT_PRIORITY, (0, 1, 3, 5)),
        (codec.IFA_CACHEINFO, (0, 8, 15, 17)),
        (codec.IFA_PROTO, (0,)),
    ],
)
def test_settings_of_an_address_of_a_wrong_size(kind: int, sizes: tuple[int, ...]) -> None:
    """Flags, metric, lifetimes and protocol are read whole or not at all."""
    for size in sizes:
        with pytest.raises(WireError):
            address_with(
                AF_INET, codec.attr(codec.IFA_LOCAL, bytes(4)), codec.attr(kind, bytes(size))
            )


@pytest.mark.parametrize("code", [1, 0x7FFFFFFF, -4096, -0x80000000])
def test_what_is_no_errno(code: int) -> None:
    """The kernel's errors are 0 to -4095; another number is no answer, and never a success."""
    head = struct.pack("=i", code)
    with pytest.raises(WireError):
        netlink.read_error(head + bytes(16), 0, 0, 20)
    with pytest.raises(WireError):
        netlink.read_done(head, 0, 4)


@pytest.mark.parametrize("length", [0, 15, 0x1000, 0xFFFFFFFF])
def test_an_echo_of_a_wrong_length(length: int) -> None:
    """An echo that claims more than there is hides the text, never the errno."""
    body = struct.pack("=iIHHII", -17, length, 16, 1, 1, 0)
    body += codec.attr_text(codec.NLMSGERR_ATTR_MSG, "File exists")
    text = "File exists" if length < 16 else ""
    assert netlink.read_error(body, codec.NLM_F_ACK_TLVS, 0, len(body)) == (17, text)
    capped = codec.NLM_F_ACK_TLVS | codec.NLM_F_CAPPED
    assert netlink.read_error(body, capped, 0, len(body)) == (17, "File exists")


# Alignment


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("offset", [1, 2, 3, 5])
def test_odd_offsets(kind: str, offset: int) -> None:
    """A body is read wherever it stands in the buffer, and what surrounds it is not looked at."""
    data = WHOLE[kind]
    moved = b"\xff" * offset + data + b"\xff" * 3
    start, end = offset + 16, offset + len(data)
    if kind == "link":
        assert codec.read_link(moved, start, end) == DEVICE
    elif kind == "done":
        assert netlink.read_done(moved, start, end) == 22
    elif kind == "error":
        assert netlink.read_error(moved, codec.NLM_F_ACK_TLVS, start, end) == (17, "File exists")
    else:
        entry = INET if kind == "inet" else INET6
        assert codec.read_address(moved, start, end) == entry


def test_padding_at_the_end_may_be_missing() -> None:
    """The last attribute and the last message may end without their padding."""
    name = codec.attr_text(codec.IFLA_IFNAME, "eth0")
    assert len(name) == 12
    body = codec.ifinfo(4) + name[:9]
    data = struct.pack("=IHHII", 16 + len(body), codec.RTM_NEWLINK, 0, 1, 0) + body
    ((_, _, _, start, end),) = netlink.messages(data)
    assert codec.read_link(data, start, end).name == "eth0"
    padded = data + b"\0" * (-len(data) % 4)
    assert len(list(netlink.messages(padded + padded))) == 2


# Repetition


@few
@given(st.lists(st.binary(max_size=5), min_size=1, max_size=4))
def test_of_a_repeated_attribute_the_last_counts(payloads: list[bytes]) -> None:
    """As the kernel's own parser has it (nla_parse)."""
    body = b"".join(codec.attr(9, payload) for payload in payloads)
    assert codec.attributes(body, 0, len(body)) == {9: payloads[-1]}


def test_of_repeated_names_the_last_counts_and_altnames_all() -> None:
    """IFLA_ALT_IFNAME is the one attribute that is meant to be repeated."""
    altnames = [codec.attr_text(codec.IFLA_ALT_IFNAME, name) for name in ("a", "b", "a")]
    device = link_with(
        codec.attr_text(codec.IFLA_IFNAME, "last"), codec.nest(codec.IFLA_PROP_LIST, *altnames)
    )
    assert device.name == "last"
    assert device.altnames == ("a", "b", "a")


@pytest.mark.parametrize("flags", [0, 0x8000, 0x4000, 0xC000])
def test_flags_of_a_type_are_not_its_number(flags: int) -> None:
    """NLA_F_NESTED and NLA_F_NET_BYTEORDER may be set or not."""
    kind = codec.attr(codec.IFLA_INFO_KIND | flags, b"dummy\0")
    assert link_with(codec.attr(codec.IFLA_LINKINFO | flags, kind)).kind == "dummy"


# Texts


@few
@given(names(), names(127), names(200))
def test_names_of_any_bytes(name: str, altname: str, ifalias: str) -> None:
    """A name that is no UTF-8 comes out as it went in, byte for byte."""
    made = codec.create_link(1, 0, CreateLink(name, "dummy", group=1))
    (first,) = netlink.messages(made)
    assert codec.read_link(made, *first[3:]).name == name
    device = link_with(
        codec.nest(codec.IFLA_PROP_LIST, codec.attr_text(codec.IFLA_ALT_IFNAME, altname)),
        codec.attr_text(codec.IFLA_IFALIAS, ifalias),
    )
    assert (device.altnames, device.ifalias) == ((altname,), ifalias)


def test_a_name_that_is_no_text() -> None:
    """Latin-1 in a name is neither lost nor an error."""
    body = codec.ifinfo(1) + codec.attr(codec.IFLA_IFNAME, b"\xe9th\xff\0")
    name = codec.read_link(body, 0, len(body)).name
    assert name.encode("utf-8", "surrogateescape") == b"\xe9th\xff"
    assert codec.attr_text(codec.IFLA_IFNAME, name) in body
    error = spec.build(error_message(22, 1, name))
    ((_, flags, _, start, end),) = netlink.messages(error)
    assert netlink.read_error(error, flags, start, end) == (22, name)


@few
@given(addresses())
def test_what_is_written_is_read(entry: Address) -> None:
    """The writer and the reader of addresses are inverse to each other."""
    data = codec.new_address(0, 1, entry.index, entry)
    ((_, _, _, start, end),) = netlink.messages(data)
    assert codec.read_address(data, start, end) == entry
