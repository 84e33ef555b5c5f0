"""bulk.links() gives what wire.read_link gives, whatever came before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import address_message, addresses, devices, few, link_message

from netalias import errors
from netalias.kernel.netlink import codec, layouts, messages, spec
from netalias.model import AF_INET, Address, Device


def packed(device: Device, extra: list[tuple[int, bytes]] | None = None) -> bytes:
    """A link message without its header."""
    body = [
        codec.ifinfo(device.index, device.flags),
        codec.attr_text(codec.IFLA_IFNAME, device.name),
        codec.attr_u32(codec.IFLA_MTU, device.mtu),
        *(codec.attr(kind, payload) for kind, payload in extra or []),
    ]
    return b"".join(body)


EXTRAS = st.lists(
    st.tuples(
        st.sampled_from([codec.IFLA_MASTER, codec.IFLA_GROUP, 60, 61, codec.IFLA_LINK_NETNSID]),
        st.just(bytes(4)) | st.binary(min_size=4, max_size=4),
    ),
    max_size=4,
)


@few
@given(st.lists(st.tuples(st.sampled_from(["eth0", "eth1", "a", "long"]), EXTRAS), max_size=12))
def test_messages_of_one_length(cases: list[tuple[str, list[tuple[int, bytes]]]]) -> None:
    """Attributes of the same size in another order, or of another type, are told apart."""
    reader = layouts.links()
    for index, (name, extra) in enumerate(cases, 1):
        data = packed(Device(index, name, mtu=1500 + index), extra)
        assert reader(data, 0, len(data)) == codec.read_link(data, 0, len(data))


@few
@given(st.lists(devices(), max_size=4))
def test_whole_devices(given_devices: list[Device]) -> None:
    """Each of some devices, read three times over, is what it is."""
    reader = layouts.links()
    for _ in range(3):
        for device in given_devices:
            data = spec.build(link_message(device))
            ((_, _, _, start, end),) = messages(data)
            assert reader(data, start, end) == device


@pytest.mark.parametrize("at", range(16, 40, 4))
def test_garbage_after_a_layout_is_known(at: int) -> None:
    """A message of a known length with a spoilt header raises WireError, or is read as it is."""
    reader = layouts.links()
    data = packed(Device(1, "eth0"))
    for _ in range(3):
        reader(data, 0, len(data))
    spoilt = data[:at] + b"\xff\xff" + data[at + 2 :]
    try:
        expected: object = codec.read_link(spoilt, 0, len(spoilt))
    except errors.WireError:
        with pytest.raises(errors.WireError):
            reader(spoilt, 0, len(spoilt))
    else:
        assert reader(spoilt, 0, len(spoilt)) == expected


@few
@given(st.lists(addresses(), max_size=6))
def test_whole_addresses(given_addresses: list[Address]) -> None:
    """Each of some addresses, read three times over, is what wire.read_address gives."""
    reader = layouts.addresses()
    for _ in range(3):
        for address in given_addresses:
            data = spec.build(address_message(address))
            ((_, _, _, start, end),) = messages(data)
            assert reader(data, start, end) == codec.read_address(data, start, end)


@pytest.mark.parametrize("texts", [("eth0:1", "eth0:12", "eth0:123"), ("a", "ab", "abc", "abcd")])
def test_labels_of_one_padded_length(texts: tuple[str, ...]) -> None:
    """Labels that are padded to the same length stay what they are."""
    reader = layouts.addresses()
    for _ in range(3):
        for text in texts:
            entry = Address(2, AF_INET, b"\x0a\0\0\1", 32, label=text, protocol=97)
            data = codec.new_address(0, 1, 2, entry)
            assert reader(data, 16, len(data)).label == text


@few
@given(st.data())
def test_a_spoilt_byte_of_an_address(data: st.DataObject) -> None:
    """A known layout with any one byte changed is read, or refused, as byte by byte."""
    reader = layouts.addresses()
    message = bytearray(spec.build(address_message(data.draw(addresses()))))
    ((_, _, _, start, end),) = messages(bytes(message))
    for _ in range(3):
        reader(bytes(message), start, end)
    at = data.draw(st.integers(start, end - 1))
    message[at] = data.draw(st.integers(0, 255))
    assert outcome(reader, bytes(message), start, end) == outcome(
        codec.read_address, bytes(message), start, end
    )


@few
@given(st.data())
def test_a_spoilt_byte_of_a_device(data: st.DataObject) -> None:
    """The same for a device."""
    reader = layouts.links()
    message = bytearray(spec.build(link_message(data.draw(devices()))))
    ((_, _, _, start, end),) = messages(bytes(message))
    for _ in range(3):
        reader(bytes(message), start, end)
    at = data.draw(st.integers(start, end - 1))
    message[at] = data.draw(st.integers(0, 255))
    assert outcome(reader, bytes(message), start, end) == outcome(
        codec.read_link, bytes(message), start, end
    )


def outcome(read: Callable[[bytes, int, int], object], data: bytes, start: int, end: int) -> object:
    """What was read, or that it was refused."""
    try:
        return read(data, start, end)
    except errors.WireError:
        return errors.WireError


def test_no_more_layouts_are_kept_than_so_many() -> None:
    """Devices come in ever new shapes: what is remembered of them has an end, and what is read is
    as it is."""
    reader = layouts.links()
    for size in range(1, 4 * layouts.KEPT):
        data = packed(Device(1, "eth0"), [(60, bytes(4 * size))])
        for _ in range(3):
            assert reader(data, 0, len(data)) == codec.read_link(data, 0, len(data))
            kept = sum(map(len, reader._layouts.values()))
            assert max(kept, len(reader._layouts)) <= layouts.KEPT
    assert kept
