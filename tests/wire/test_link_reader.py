"""wire.LinkReader gives what read_link gives, whatever came before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import devices, few, link_message

from netalias import errors
from netalias.kernel import spec, wire
from netalias.model import Device


def packed(device: Device, extra: list[tuple[int, bytes]] | None = None) -> bytes:
    """A link message without its header."""
    body = [
        wire.ifinfo(device.index, device.flags),
        wire.attr_text(wire.IFLA_IFNAME, device.name),
        wire.attr_u32(wire.IFLA_MTU, device.mtu),
        *(wire.attr(kind, payload) for kind, payload in extra or []),
    ]
    return b"".join(body)


EXTRAS = st.lists(
    st.tuples(
        st.sampled_from([wire.IFLA_MASTER, wire.IFLA_GROUP, 60, 61, wire.IFLA_LINK_NETNSID]),
        st.just(bytes(4)) | st.binary(min_size=4, max_size=4),
    ),
    max_size=4,
)


@few
@given(st.lists(st.tuples(st.sampled_from(["eth0", "eth1", "a", "long"]), EXTRAS), max_size=12))
def test_messages_of_one_length(cases: list[tuple[str, list[tuple[int, bytes]]]]) -> None:
    """Attributes of the same size in another order, or of another type, are told apart."""
    reader = wire.LinkReader()
    for index, (name, extra) in enumerate(cases, 1):
        data = packed(Device(index, name, mtu=1500 + index), extra)
        assert reader(data, 0, len(data)) == wire.read_link(data, 0, len(data))


@few
@given(st.lists(devices(), max_size=4))
def test_whole_devices(given_devices: list[Device]) -> None:
    """Each of some devices, read three times over, is what it is."""
    reader = wire.LinkReader()
    for _ in range(3):
        for device in given_devices:
            data = spec.build(link_message(device))
            ((_, _, _, start, end),) = wire.messages(data)
            assert reader(data, start, end) == device


@pytest.mark.parametrize("at", range(16, 40, 4))
def test_garbage_after_a_layout_is_known(at: int) -> None:
    """A message of a known length with a spoilt header raises WireError, or is read as it is."""
    reader = wire.LinkReader()
    data = packed(Device(1, "eth0"))
    for _ in range(3):
        reader(data, 0, len(data))
    spoilt = data[:at] + b"\xff\xff" + data[at + 2 :]
    try:
        expected: object = wire.read_link(spoilt, 0, len(spoilt))
    except errors.WireError:
        with pytest.raises(errors.WireError):
            reader(spoilt, 0, len(spoilt))
    else:
        assert reader(spoilt, 0, len(spoilt)) == expected
