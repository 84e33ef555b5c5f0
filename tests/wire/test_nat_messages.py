"""The messages of nf_tables and ctnetlink: encoders = spec.py = what nft sends."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Namespace
from wire_cases import few

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import codec
from netalias.kernel.netlink.spec import attribute as item
from netalias.kernel.netlink.spec import find
from netalias.model import AF_INET, AF_INET6
from netalias.nat import Change, entries, spec
from netalias.nat import messages as nft

SIZES = {AF_INET: 4, AF_INET6: 16}
FAMILIES = pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["inet", "inet6"])
devices = st.sampled_from(["eth0", "a", "fifteen-letters", "w\udcff"])


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Changes of both families."""
    family = draw(st.sampled_from(sorted(SIZES)))
    address = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    pairs = st.lists(st.tuples(devices, address), max_size=3, unique=True)
    create, remove = draw(st.booleans()), draw(st.booleans())
    names = ("new", "old") if create or remove else ("gone_new", "gone_old", "new", "old")
    return Change(family, create=create, remove=remove, **{name: draw(pairs) for name in names})


def packed(requests: Iterable[tuple[int, int, bytes]]) -> bytes:
    """The messages of these requests in one datagram."""
    numbered = enumerate(requests, 1)
    return b"".join(codec.message(*kind, place, body) for place, (*kind, body) in numbered)


def parsed(requests: Iterable[tuple[int, int, bytes]]) -> list[Any]:
    """What spec makes of them, which it writes the same."""
    data = packed(requests)
    found = spec.parse(data)
    assert spec.build(*found) == data
    return found


def read(reader: Callable[..., Any], made: dict[str, Any], *words: Any) -> Any:
    """What a reader makes of one message."""
    data = spec.build(made)
    ((_, _, _, start, end),) = netlink.messages(data)
    found = reader(data, start, end, *words)
    return list(found) if hasattr(found, "__next__") else found


def body(family: int, *attributes: dict[str, Any]) -> dict[str, Any]:
    """The body of a message with these attributes."""
    return {"nfgen_family": family, "version": 0, "res_id": 0, "attributes": [*attributes]}


def keys(found: Any) -> list[tuple[str, bytes, bytes | None]]:
    """The elements of a message: device, the rest of the key, the data."""
    listed = [one.value for one in find(found, "NFTA_SET_ELEM_LIST_ELEMENTS")]
    elements = []
    for one in listed:
        inside = {"attributes": one}
        key = find(inside, "NFTA_SET_ELEM_KEY", "NFTA_DATA_VALUE")
        name = key[:16].rstrip(b"\0").decode("utf-8", "surrogateescape")
        elements.append((name, key[16:], find(inside, "NFTA_SET_ELEM_DATA", "NFTA_DATA_VALUE")))
    return elements


@few
@given(changes())
def test_a_change_in_its_order(change: Change) -> None:
    """The table goes before it comes; elements go before those that replace them come."""
    found = parsed(nft.changes(change))
    whole = ["NFT_MSG_DELTABLE"] * change.remove
    made = ["NEWTABLE", "NEWSET", "NEWSET", "NEWCHAIN", "NEWRULE"] if change.create else []
    whole += [f"NFT_MSG_{word}" for word in made]
    elements = [
        ("NFT_MSG_DELSETELEM", "new", [(name, b"", None) for name, _ in change.gone_new]),
        ("NFT_MSG_DELSETELEM", "old", [(name, rest, None) for name, rest in change.gone_old]),
        ("NFT_MSG_NEWSETELEM", "new", [(name, b"", value) for name, value in change.new]),
        ("NFT_MSG_NEWSETELEM", "old", [(name, rest, None) for name, rest in change.old]),
    ]
    assert [one.type for one in found[: len(whole)]] == whole
    there = [
        (one.type, find(one.body, "NFTA_SET_ELEM_LIST_SET"), keys(one.body))
        for one in found[len(whole) :]
    ]
    assert there == [one for one in elements if one[2]]
    for one in found:
        assert one.body.nfgen_family == change.family
        first = one.body.attributes[0]
        assert (first.nla_type, first.value) == (1, "netalias")


def test_a_transaction_has_a_generation() -> None:
    """Between its two edges, which are those of the subsystem nftables."""
    first, table, last = parsed(nft.batch([(nft.NFT_MSG_DELTABLE, 0, nft.get_all(2))], 0x01020304))
    assert (first.type, table.type, last.type) == (
        "NFNL_MSG_BATCH_BEGIN", "NFT_MSG_DELTABLE", "NFNL_MSG_BATCH_END",
    )  # fmt: skip
    assert (first.body.res_id, last.body.res_id) == (10, 10)
    assert find(first.body, "NFNL_BATCH_GENID") == 0x01020304


def test_many_elements_are_in_several_messages() -> None:
    """A list of attributes has at most 65535 bytes."""
    many = [("eth0", number.to_bytes(16, "big")) for number in range(2500)]
    found = parsed(nft.changes(Change(AF_INET6, old=many)))
    assert [len(keys(one.body)) for one in found] == [1000, 1000, 500]
    assert [(name, rest) for one in found for name, rest, _ in keys(one.body)] == many


# What nft sends -------------------------------------------------------------------------------

TABLE = """table {word} netalias {{
  comment "kept by netalias"
  map new {{ type ifname : {type}; elements = {{ "eth0" : {new} }} }}
  set old {{ type ifname . {type}; elements = {{ "eth0" . {old} }} }}
  chain postrouting {{ type nat hook postrouting priority srcnat;
    oifname . {word} saddr @old snat to oifname map @new
  }}
}}
"""
WORDS = {
    AF_INET: {"word": "ip", "type": "ipv4_addr", "new": "10.0.0.2", "old": "10.0.0.1"},
    AF_INET6: {"word": "ip6", "type": "ipv6_addr", "new": "::a00:2", "old": "::a00:1"},
}
SENT = re.compile(r"^\|\s*(?:(\d{5})\|([N-])([B-])\|(\d{5})|((?:[0-9a-f]{2} ){4}))", re.ASCII)
OWN_NOTES = {"NFTA_SET_ID", "NFTA_SET_USERDATA", "NFTA_SET_ELEM_LIST_SET_ID", "NFTA_SET_DESC"}
"""Attributes that are of no consequence to the kernel, and differ from one nft to the next."""


def sent(text: str) -> bytes:
    """The messages that ``nft --debug=mnl`` shows."""
    found, message, kind = [], b"", 0
    for line in [*re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines(), "|  0 |  | message length |"]:
        if "message length" in line:
            if kind in spec.NAMES and message:
                found.append(codec.message(kind, 0, 0, message))
            message, kind = b"", 0
        elif "|  type | flags  |" in line:
            kind = int(line.split()[1])
        elif match := SENT.match(line):
            size, nested, swapped, number, data = match.groups()
            if data:
                message += bytes.fromhex(data)
            else:
                flags = 0x8000 * (nested == "N") + 0x4000 * (swapped == "B")
                message += codec.ATTR.pack(int(size), int(number) | flags)
    return b"".join(found)


def essence(found: Any) -> list[tuple[str, Any]]:
    """Type and attributes of every message about a table, in an order of their own."""
    words = ((one.type, tree(one.body.attributes)) for one in found)
    return sorted(
        (one for one in words if one[0].startswith(("NFT_MSG_NEW", "NFT_MSG_DEL"))), key=repr
    )


def tree(attributes: Any) -> Any:
    """Attributes as (type, value), sorted where that says nothing, without the notes of nft."""
    if not isinstance(attributes, list):
        return attributes
    pairs = [(one.type, tree(one.value)) for one in attributes if one.type not in OWN_NOTES]
    if [kind for kind, _ in pairs] == [1, 2, 3, 4] and pairs[2][1] == pairs[3][1]:
        pairs.pop()  # NFTA_NAT_REG_ADDR_MAX, which is _MIN where it is left out
    if (1, b"old\0") in pairs or (1, b"new\0") in pairs:
        pairs = [pair for pair in pairs if pair[0] != 4]  # NFTA_LOOKUP_SET_ID: we go by the name
    listed = any(kind == "NFTA_LIST_ELEM" for kind, _ in pairs)
    return pairs if listed else sorted(pairs, key=repr)


@pytest.mark.root
@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")
@FAMILIES
def test_nft_sends_the_same(netns: Namespace, family: int) -> None:
    """For the table as messages.py shows it in the words of nft."""
    words = WORDS[family]
    text = netns.run(["nft", "--debug=mnl", "-f", "-"], input=TABLE.format(**words)).stdout
    theirs = essence(spec.parse(sent(text)))
    last = [bytes(SIZES[family] - 4) + bytes((10, 0, 0, number)) for number in (2, 1)]
    change = Change(family, create=True, new=[("eth0", last[0])], old=[("eth0", last[1])])
    assert essence(parsed(nft.changes(change))) == theirs
    assert len(theirs) == 7


# Reading --------------------------------------------------------------------------------------


def test_what_the_kernel_tells_of_a_table() -> None:
    """Its name, and whether its comment is ours."""
    for comment, marked in (
        (b"\0\x11kept by netalias\0", True),
        (b"\0\x03ab\0", False),
        (b"", False),
    ):
        attributes = [item("NFTA_TABLE_NAME", "netalias"), item("NFTA_TABLE_USERDATA", comment)]
        made = {"type": "NFT_MSG_NEWTABLE", "body": body(2, *attributes)}
        assert read(nft.read_table, made) == ("netalias", marked)


@few
@given(st.sampled_from(sorted(SIZES)), st.data())
def test_elements_are_read_as_they_were_written(family: int, data: st.DataObject) -> None:
    """Those of both sets."""
    address = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    pairs = data.draw(st.lists(st.tuples(devices, address), min_size=1, max_size=5))
    for change, expected in (
        (Change(family, new=pairs), [(name, b"", value) for name, value in pairs]),
        (Change(family, old=pairs), [(name, value, b"") for name, value in pairs]),
    ):
        ((_, _, body),) = nft.changes(change)
        assert list(nft.read_elements(body, 0, len(body))) == expected


READERS: list[Callable[[bytes, int, int], Any]] = [
    nft.read_table,
    nft.read_generation,
    lambda *where: nft.read_chain(*where, AF_INET),
    lambda *where: nft.read_rule(*where, AF_INET),
    lambda *where: nft.read_set(*where, AF_INET6),
    lambda *where: list(nft.read_elements(*where)),
    lambda *where: entries.read_entry(*where, AF_INET),
]


@few
@given(st.data(), st.sampled_from(READERS))
def test_anything_else_is_a_wire_error(
    data: st.DataObject, reader: Callable[[bytes, int, int], Any]
) -> None:
    """Bytes of all kinds, also such as begin as messages do."""
    change = Change(AF_INET, create=True, new=[("a", bytes(4))], old=[("a", bytes(4))])
    real = st.sampled_from([body for _, _, body in nft.changes(change)])
    some = bytearray(data.draw(st.binary(max_size=60) | real))
    for place in data.draw(st.lists(st.integers(0, max(len(some) - 1, 0)), max_size=4)):
        if some:
            some[place] = data.draw(st.integers(0, 255))
    try:
        reader(bytes(some), 0, len(some))
    except errors.WireError:
        pass


# Connection tracking --------------------------------------------------------------------------


@few
@given(st.sampled_from(sorted(SIZES)), st.data())
def test_a_deletion_by_filter(family: int, data: st.DataObject) -> None:
    """It names two addresses, and that nothing else counts."""
    address = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    source, leaves = data.draw(address), data.draw(address)
    request = (entries.IPCTNL_MSG_CT_DELETE, 0, entries.filtered(family, source, leaves))
    ((found),) = parsed([request])
    word = "V4" if family == AF_INET else "V6"
    assert found.body.nfgen_family == family
    assert find(found.body, "CTA_TUPLE_ORIG", "CTA_TUPLE_IP", f"CTA_IP_{word}_SRC") == source
    assert find(found.body, "CTA_TUPLE_REPLY", "CTA_TUPLE_IP", f"CTA_IP_{word}_DST") == leaves
    assert find(found.body, "CTA_FILTER", "CTA_FILTER_ORIG_FLAGS") == 1
    assert find(found.body, "CTA_FILTER", "CTA_FILTER_REPLY_FLAGS") == 2


@few
@given(st.sampled_from(sorted(SIZES)), st.data())
def test_an_entry_is_deleted_by_its_own_tuple(family: int, data: st.DataObject) -> None:
    """As it was told, with its identity and its zone."""
    word = "V4" if family == AF_INET else "V6"
    address = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    source, leaves, other = (data.draw(address) for _ in range(3))
    protocol = data.draw(st.binary(max_size=12))

    def tuple_of(first: bytes, second: bytes) -> list[dict[str, Any]]:
        inside = [item(f"CTA_IP_{word}_SRC", first), item(f"CTA_IP_{word}_DST", second)]
        return [item("CTA_TUPLE_IP", inside), item("CTA_TUPLE_PROTO", protocol)]

    attributes = [
        item("CTA_TUPLE_ORIG", tuple_of(source, other)),
        item("CTA_TUPLE_REPLY", tuple_of(other, leaves)),
        item("CTA_STATUS", b"\0\0\0\1"),
        item("CTA_ID", 77),
        item("CTA_ZONE", b"\0\5"),
    ]
    made = {"type": "IPCTNL_MSG_CT_NEW", "body": body(family, *attributes)}
    entry = read(entries.read_entry, made, family)
    assert (entry.source, entry.leaves) == (source, leaves)
    data = spec.build(made)
    assert entries.begun(data, 16, family) == source
    assert entries.begun(data, 20, family) is None
    (found,) = parsed([entry.deletion()])
    assert found.type == "IPCTNL_MSG_CT_DELETE"
    assert [one.type for one in found.body.attributes] == ["CTA_TUPLE_ORIG", "CTA_ID", "CTA_ZONE"]
    assert find(found.body, "CTA_TUPLE_ORIG", "CTA_TUPLE_PROTO") == protocol
    assert find(found.body, "CTA_ID") == 77


# As nf_conntrack prints them, by ct_seq_show() of Linux 6.18.
LINES = b"""\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=192.0.2.1 sport=40000 dport=443 \
src=192.0.2.1 dst=10.0.0.2 sport=443 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 icmp     1 29 src=10.0.0.1 dst=192.0.2.1 type=8 code=0 id=7 \
src=192.0.2.1 dst=10.0.0.1 type=0 code=0 id=7 mark=0 zone=5 use=2
ipv6     10 udp      17 29 src=2001:0db8:0001:0000:0000:0000:0000:0001 \
dst=2001:0db8:0002:0000:0000:0000:0000:0001 sport=1 dport=53 packets=1 bytes=60 [UNREPLIED] \
src=2001:0db8:0002:0000:0000:0000:0000:0001 dst=2001:0db8:0001:0000:0000:0000:0000:0002 \
sport=53 dport=1 packets=0 bytes=0 mark=0 zone=0 use=2
ipv4     2 gre      47 29 src=10.0.0.1 dst=192.0.2.1 srckey=0x0 dstkey=0x10 \
src=192.0.2.1 dst=10.0.0.1 srckey=0x10 dstkey=0x0 mark=0 zone=0 use=2
ipv4     2 unknown  2 599 src=10.0.0.1 dst=224.0.0.22 [UNREPLIED] \
src=224.0.0.22 dst=10.0.0.1 mark=0 zone=0 use=2
"""


def every(source: bytes) -> bool:
    """All are asked for."""
    return bool(source)


def test_the_text_of_the_kernel() -> None:
    """A line gives what is needed to delete its entry, whatever its protocol."""
    tcp, icmp, gre, other = entries.read_lines(LINES, AF_INET, every)
    assert tcp.source == icmp.source == bytes((10, 0, 0, 1))
    assert (tcp.leaves, icmp.leaves) == (bytes((10, 0, 0, 2)), bytes((10, 0, 0, 1)))
    protocols = []
    for one in (tcp, icmp, gre, other):
        (found,) = parsed([one.deletion()])
        layer = find(found.body, "CTA_TUPLE_ORIG", "CTA_TUPLE_PROTO")
        protocols.append(codec.attributes(layer, 0, len(layer)))
    assert protocols == [
        {1: b"\x06", 2: b"\x9c\x40", 3: b"\x01\xbb"},
        {1: b"\x01", 4: b"\0\x07", 5: b"\x08", 6: b"\0"},
        {1: b"\x2f", 2: b"\0\0", 3: b"\0\x10"},
        {1: b"\x02"},
    ]
    assert icmp.found[entries.CTA_ZONE] == b"\0\5"
    (six,) = entries.read_lines(LINES, AF_INET6, every)
    assert (six.source[-1], six.leaves[-1], six.source[:4]) == (1, 2, b"\x20\x01\x0d\xb8")


def test_entries_of_others_are_not_read_to_the_end() -> None:
    """A machine may have a hundred thousand: only the source of each is looked at."""
    other = b"ipv4     2 udp      17 29 src=10.9.9.9 and whatever follows\n"
    asked = bytes((10, 0, 0, 1)).__eq__
    found = [*entries.read_lines(other + LINES + other, AF_INET, asked)]
    assert len(found) == 4
    assert [*entries.read_lines(other, AF_INET, asked)] == []


@pytest.mark.parametrize(
    "line",
    [
        b"ipv4     2 udp      17 29 src=10.0.0.1 dst=1.1.1.1 sport=1 dport=2 zone-orig=1 src=x",
        b"ipv4     2 udp      17 29 src=10.0.0.1 sport=1",
        b"ipv4     2 udp      17 29 src=nonsense dst=1.1.1.1 src=1.1.1.1 dst=10.0.0.1",
        b"ipv4     2 udp      x 29 src=10.0.0.1 dst=1.1.1.1 src=1.1.1.1 dst=10.0.0.1",
        b"ipv4     2",
    ],
)
def test_a_line_that_is_not_understood(line: bytes) -> None:
    """All entries are read by netlink instead."""
    with pytest.raises(entries.UNREAD):
        list(entries.read_lines(LINES + line + b"\n", AF_INET, every))
