"""The messages about proxy entries: neighbours.py = spec.py, their bytes, and anything at all."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from errno import EHOSTUNREACH, ENOBUFS
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from player import Player, acknowledge
from wire_cases import done_message, error_message, few, indexes, message, sequences, u8, u64

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, neighbours, numbers, spec
from netalias.model import AF_INET, AF_INET6
from netalias.model.neighbours import Proxy, Surroundings

SIZES = {AF_INET: 4, AF_INET6: 16}
NTF_PROXY = numbers.NTF["NTF_PROXY"]
READERS = (
    neighbours.read_proxy,
    neighbours.read_delay,
    neighbours.read_settings,
    neighbours.read_route,
)
item = spec.attribute


@st.composite
def proxies(draw: st.DrawFn) -> Proxy:
    """Entries of both families as the kernel could hold them."""
    family = draw(st.sampled_from(sorted(SIZES)))
    local = draw(st.binary(min_size=SIZES[family], max_size=SIZES[family]))
    return Proxy(draw(indexes), family, local, draw(u8), draw(u8) & ~NTF_PROXY)


def proxy_message(proxy: Proxy, sequence: int = 1) -> dict[str, Any]:
    """The RTM_NEWNEIGH by which the kernel describes *proxy*."""
    body = {
        "ndm_family": proxy.family,
        "ndm_ifindex": proxy.index,
        "ndm_flags": proxy.flags | NTF_PROXY,
        "ndm_type": "RTN_UNICAST",
        "attributes": [item("NDA_DST", proxy.local)]
        + ([item("NDA_PROTOCOL", proxy.protocol)] if proxy.protocol else []),
    }
    return message("RTM_NEWNEIGH", body, sequence, ["NLM_F_MULTI"])


def table_message(index: int, delay: int, sequence: int = 1) -> dict[str, Any]:
    """An RTM_NEWNEIGHTBL; without an index it is about the devices to come."""
    parms = [item("NDTPA_QUEUE_LEN", b"\1\0\0\0"), item("NDTPA_PROXY_DELAY", delay)]
    if index:
        parms.insert(0, item("NDTPA_IFINDEX", index))
    attributes = [item("NDTA_NAME", "arp_cache"), item("NDTA_PARMS", parms)]
    body = {"ndtm_family": AF_INET, "attributes": attributes}
    return message("RTM_NEWNEIGHTBL", body, sequence, ["NLM_F_MULTI"])


def settings_message(
    index: int, forwarding: int, answering: int, sequence: int = 1
) -> dict[str, Any]:
    """An RTM_NEWNETCONF."""
    attributes = [
        item("NETCONFA_IFINDEX", index),
        item("NETCONFA_FORWARDING", forwarding),
        item("NETCONFA_RP_FILTER", 2),
        item("NETCONFA_PROXY_NEIGH", answering),
    ]
    body = {"ncm_family": AF_INET, "attributes": attributes}
    return message("RTM_NEWNETCONF", body, sequence, ["NLM_F_MULTI"])


def route_message(kind: str, out: int, sequence: int = 1) -> dict[str, Any]:
    """An RTM_NEWROUTE."""
    body = {
        "rtm_family": AF_INET,
        "rtm_dst_len": 32,
        "rtm_type": kind,
        "attributes": [item("RTA_TABLE", 254), item("RTA_DST", bytes(4)), item("RTA_OIF", out)],
    }
    return message("RTM_NEWROUTE", body, sequence)


def parsed(packed: bytes, type: str, flags: list[str], sequence: int) -> Any:
    """The body of the only message, which spec writes the same."""
    (found,) = spec.parse(packed)
    assert spec.build(found) == packed
    assert (found.type, found.sequence, found.port) == (type, sequence, 0)
    assert sorted(found.flags.names()) == sorted(flags)
    return found.body


def read(reader: Callable[[bytes, int, int], Any], made: dict[str, Any]) -> Any:
    """What a reader makes of one message."""
    data = spec.build(made)
    ((_, _, _, start, end),) = netlink.messages(data)
    return reader(data, start, end)


@pytest.mark.parametrize(
    ("prefix", "table"),
    [
        ("RTM_", numbers.TYPES),
        ("NTF_", numbers.NTF),
        ("NUD_", numbers.NUD),
        ("NDA_", numbers.NDA),
        ("NDTA_", numbers.NDTA),
        ("NDTPA_", numbers.NDTPA),
        ("NETCONFA_", {**numbers.NETCONFA, "NETCONFA_IFINDEX_ALL": -1}),
        ("RTA_", numbers.RTA),
        ("RTN_", numbers.RTN),
    ],
)
def test_both_know_the_same_numbers(prefix: str, table: dict[str, int]) -> None:
    """A constant has the number that the specification gives to its name."""
    found = {name: value for name, value in vars(neighbours).items() if name.startswith(prefix)}
    assert found
    assert found == {name: table[name] for name in found}


@few
@given(sequences, indexes, proxies())
def test_add_proxy(sequence: int, index: int, proxy: Proxy) -> None:
    """RTM_NEWNEIGH says all of an entry, and that it is permanent."""
    flags = ["NLM_F_REQUEST", "NLM_F_CREATE", "NLM_F_EXCL"]
    made = parsed(neighbours.add_proxy(sequence, index, proxy), "RTM_NEWNEIGH", flags, sequence)
    assert (made.ndm_family, made.ndm_ifindex) == (proxy.family, index)
    assert (made.ndm_flags, made.ndm_type) == (proxy.flags | NTF_PROXY, "RTN_UNSPEC")
    assert list(made.ndm_state.names()) == ["NUD_PERMANENT"]
    assert spec.find(made, "NDA_DST") == proxy.local
    assert spec.find(made, "NDA_PROTOCOL") == (proxy.protocol or None)


@few
@given(sequences, indexes, proxies())
def test_del_proxy(sequence: int, index: int, proxy: Proxy) -> None:
    """RTM_DELNEIGH says what identifies an entry, and no more."""
    flags = ["NLM_F_REQUEST"]
    made = parsed(neighbours.del_proxy(sequence, index, proxy), "RTM_DELNEIGH", flags, sequence)
    assert (made.ndm_family, made.ndm_ifindex) == (proxy.family, index)
    assert (made.ndm_flags, made.ndm_state) == (NTF_PROXY, 0)
    assert [(one.type, one.value) for one in made.attributes] == [("NDA_DST", proxy.local)]


@few
@given(sequences, st.sampled_from(sorted(SIZES)), st.data())
def test_questions(sequence: int, family: int, data: st.DataObject) -> None:
    """Headers of dumps are zero but for what is asked, as strict checking wants it."""
    dump = ["NLM_F_REQUEST", "NLM_F_ROOT", "NLM_F_MATCH"]
    made = parsed(codec.get_proxies(sequence), "RTM_GETNEIGH", dump, sequence)
    assert (made.ndm_family, made.ndm_ifindex, made.ndm_state) == (0, 0, 0)
    assert (made.ndm_flags, made.ndm_type, made.attributes) == (NTF_PROXY, "RTN_UNSPEC", [])
    made = parsed(neighbours.get_tables(sequence, family), "RTM_GETNEIGHTBL", dump, sequence)
    assert (made.ndtm_family, made.attributes) == (family, [])
    made = parsed(neighbours.get_settings(sequence, family), "RTM_GETNETCONF", dump, sequence)
    assert (made.ncm_family, made.attributes) == (family, [])
    local = data.draw(st.binary(min_size=SIZES[family], max_size=SIZES[family]))
    packed = neighbours.get_route(sequence, family, local)
    made = parsed(packed, "RTM_GETROUTE", ["NLM_F_REQUEST"], sequence)
    assert (made.rtm_family, made.rtm_dst_len, made.rtm_src_len) == (family, len(local) * 8, 0)
    assert [(one.type, one.value) for one in made.attributes] == [("RTA_DST", local)]


@few
@given(proxies())
def test_read_proxy(proxy: Proxy) -> None:
    """An entry comes out as it went in, from the kernel's message and from our own."""
    assert read(neighbours.read_proxy, proxy_message(proxy)) == proxy
    data = neighbours.add_proxy(1, proxy.index, proxy)
    assert neighbours.read_proxy(data, 16, len(data)) == proxy


@few
@given(st.just(0) | indexes, u64)
def test_read_delay(index: int, delay: int) -> None:
    """The delay of one device, or of those to come."""
    assert read(neighbours.read_delay, table_message(index, delay)) == (index, delay)


def test_a_table_without_settings() -> None:
    """What says nothing of a device says that nothing is late."""
    made = message("RTM_NEWNEIGHTBL", {"attributes": [item("NDTA_NAME", "arp_cache")]})
    assert read(neighbours.read_delay, made) == (0, 0)


@few
@given(st.integers(-2, 0x7FFFFFFF), st.integers(0, 2), st.integers(0, 2))
def test_read_settings(index: int, forwarding: int, answering: int) -> None:
    """-1 is what stands for all devices; a setting over 1 is on as well."""
    found = read(neighbours.read_settings, settings_message(index, forwarding, answering))
    assert found == (index, (forwarding > 0, answering > 0))


@pytest.mark.parametrize("kind", numbers.RTN)
def test_read_route(kind: str) -> None:
    """Only what is sent on, or stays at this host, leads anywhere."""
    leads = {"RTN_UNICAST": (7, False), "RTN_LOCAL": (7, True)}
    found = read(neighbours.read_route, route_message(kind, 7))
    assert found == leads.get(kind, neighbours.NOWHERE)


# Anything at all


@given(st.binary(max_size=60), st.integers(0, 3))
def test_any_bytes_are_a_value_or_a_wire_error(data: bytes, start: int) -> None:
    """No other error, whatever comes."""
    for reader in READERS:
        try:
            found = reader(data, min(start, len(data)), len(data))
        except errors.WireError:
            continue
        if isinstance(found, Proxy):
            assert found.text


WHOLE = {
    neighbours.read_proxy: spec.build(proxy_message(Proxy(7, AF_INET, b"\n\0\0\5", 97))),
    neighbours.read_delay: spec.build(table_message(7, 800)),
    neighbours.read_settings: spec.build(settings_message(7, 1, 1)),
    neighbours.read_route: spec.build(route_message("RTN_UNICAST", 3)),
}


@pytest.mark.parametrize("reader", WHOLE, ids=lambda reader: str(reader.__name__))
def test_every_cut_is_a_value_or_a_wire_error(reader: Callable[..., Any]) -> None:
    """A body that ends early, at every byte; without its family header it is always refused."""
    data = WHOLE[reader]
    for end in range(16, len(data)):
        try:
            reader(data, 16, end)
        except errors.WireError:
            continue
        assert end >= 20


@few
@given(st.sampled_from([*WHOLE]), st.data())
def test_flipped_bytes(reader: Callable[..., Any], data: st.DataObject) -> None:
    """One byte is another."""
    broken = bytearray(WHOLE[reader])
    broken[data.draw(st.integers(16, len(broken) - 1))] = data.draw(u8)
    try:
        reader(bytes(broken), 16, len(broken))
    except errors.WireError:
        return


@pytest.mark.parametrize(("family", "size"), [(AF_INET, 16), (AF_INET6, 4), (AF_INET, 0), (99, 0)])
def test_an_address_of_a_wrong_length(family: int, size: int) -> None:
    """An entry whose address is none is refused."""
    with pytest.raises(errors.WireError):
        read(neighbours.read_proxy, proxy_message(Proxy(7, family, bytes(size))))


def test_the_header_without_padding() -> None:
    """The layout has the size that linux/neighbour.h gives it."""
    assert (neighbours.NDMSG.size, neighbours.RTMSG.size) == (12, 12)
    assert (neighbours.NDTMSG.size, neighbours.NETCONFMSG.size) == (4, 4)


# The bytes


@pytest.mark.skipif(sys.byteorder != "little", reason="as a little-endian host has them")
def test_the_bytes_of_an_entry() -> None:
    """``ip neigh add proxy 10.0.0.5 dev eth0 protocol 97``, field by field."""
    golden = """
        2c 00 00 00             # nlmsg_len    44
        1c 00                   # nlmsg_type   RTM_NEWNEIGH
        01 06                   # nlmsg_flags  NLM_F_REQUEST|NLM_F_EXCL|NLM_F_CREATE
        09 00 00 00             # nlmsg_seq    9
        00 00 00 00             # nlmsg_pid    0
        02                      # ndm_family   AF_INET
        00 00 00                #   padding
        07 00 00 00             # ndm_ifindex  7
        80 00                   # ndm_state    NUD_PERMANENT
        08                      # ndm_flags    NTF_PROXY
        00                      # ndm_type     0
        08 00 01 00             # nla_len 8, NDA_DST
        0a 00 00 05             #   10.0.0.5
        05 00 0c 00             # nla_len 5, NDA_PROTOCOL
        61                      #   97
        00 00 00                #   padding
        """
    wanted = bytes.fromhex(" ".join(line.partition("#")[0] for line in golden.splitlines()))
    proxy = Proxy(7, AF_INET, b"\n\0\0\5", 97)
    assert neighbours.add_proxy(9, 7, proxy) == wanted


def test_pyroute2_reads_an_entry() -> None:
    """A second oracle: every field is where pyroute2 looks for it."""
    pytest.importorskip("pyroute2")
    from pyroute2.netlink.rtnl.ndmsg import ndmsg

    proxy = Proxy(7, AF_INET6, bytes(15) + b"\5", 97, 0x80)
    found = ndmsg(neighbours.add_proxy(9, 7, proxy))
    found.decode()
    assert found["header"]["type"] == codec.RTM_NEWNEIGH
    assert (found["family"], found["ifindex"], found["state"]) == (AF_INET6, 7, 0x80)
    assert found["flags"] == 0x88
    assert (found.get_attr("NDA_DST"), found.get_attr("NDA_PROTOCOL")) == ("::5", 97)


# The socket


def dumping(type: str, made: Callable[[int], list[dict[str, Any]]]) -> Callable[[Any], Any]:
    """A kernel that answers a dump of *type* with what *made* gives for a sequence number."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type != type:
            yield from acknowledge(request)
            return
        for one in made(request.sequence):
            yield spec.build(one)
        yield spec.build(done_message(0, request.sequence))

    return answer


@pytest.mark.parametrize("count", [0, 1, netlink.MANY - 1, netlink.MANY, netlink.MANY * 3])
def test_any_number_of_entries(player: Player, count: int) -> None:
    """Many entries are read one by one: there is no layout for them."""
    wanted = [Proxy(7, AF_INET, struct.pack("!I", place), 97) for place in range(1, count + 1)]
    player.answer = dumping(
        "RTM_GETNEIGH", lambda sequence: [proxy_message(one, sequence) for one in wanted]
    )
    assert netlink.Netlink().proxies() == wanted


LOCAL = b"\n\0\0\5"


def router(route: Callable[[int], bytes]) -> Callable[[Any], Any]:
    """A kernel with devices 3 and 7 that answers the question for a route with *route*."""
    settings = [(-1, 0, 1), (-2, 0, 0), (3, 1, 0), (7, 1, 0)]

    def answer(request: Any) -> Iterator[bytes]:
        sequence = request.sequence
        if request.type == "RTM_GETNETCONF":
            for index, forwarding, answering in settings:
                yield spec.build(settings_message(index, forwarding, answering, sequence))
        elif request.type == "RTM_GETNEIGHTBL":
            for index, delay in ((0, 900), (7, 800)):
                yield spec.build(table_message(index, delay, sequence))
        elif request.type == "RTM_GETROUTE":
            yield route(sequence)
            return
        else:
            yield from acknowledge(request)
            return
        yield spec.build(done_message(0, sequence))

    return answer


def test_surroundings(player: Player) -> None:
    """Settings of the device, of all and of the other device; the delay; the way."""
    player.answer = router(lambda sequence: spec.build(route_message("RTN_UNICAST", 3, sequence)))
    (found,) = netlink.Netlink().surroundings(7, AF_INET, [LOCAL])
    assert found == Surroundings(
        forwarding=True, everywhere=False, answering=True, delay=800, out=3, back=True
    )


def test_no_route(player: Player) -> None:
    """A refusal is the answer that there is no way."""
    player.answer = router(lambda sequence: spec.build(error_message(EHOSTUNREACH, sequence)))
    (found,) = netlink.Netlink().surroundings(7, AF_INET, [LOCAL])
    assert (found.out, found.back, found.local) == (0, False, False)


def test_a_lost_answer_is_no_answer(player: Player) -> None:
    """What was lost is an error, and never taken for a route that is not there."""
    big = bytes(netlink.CHUNK + 16)
    player.answer = router(lambda _: big)
    with pytest.raises(errors.KernelError) as caught:
        netlink.Netlink().surroundings(7, AF_INET, [LOCAL])
    assert caught.value.errno == ENOBUFS


def test_default_is_nothing() -> None:
    """A device that the kernel says nothing of has everything off."""
    data = WHOLE[neighbours.read_route]
    (found,) = neighbours.surroundings(
        lambda *_: [],
        lambda *_: (neighbours.RTM_NEWROUTE, data, 16, len(data)),
        7,
        AF_INET,
        [LOCAL],
    )
    assert found == Surroundings(
        forwarding=False, everywhere=False, answering=False, delay=0, out=3, back=False
    )
