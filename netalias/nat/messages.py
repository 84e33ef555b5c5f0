"""Encoder and decoder of the nf_tables messages of our table. No socket, no state.

Layouts are those of linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h; numbers in
attributes are in network byte order. spec.py declares the same as constructs. As nft prints it::

    table ip netalias {
            comment "kept by netalias"
            map new { type ifname : ipv4_addr; elements = { "eth0" : 10.0.0.3 } }
            set old { type ifname . ipv4_addr; elements = { "eth0" . 10.0.0.1 } }
            chain postrouting {
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname . ip saddr @old snat to oifname map @new
            }
    }

A family has a table of its own: one of the family inet would have the kernel track the connections
of both families, also of the one in which no address is kept.
"""

from __future__ import annotations

from _struct import Struct
from sys import byteorder

from netalias.errors import WireError
from netalias.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    attr,
    attr_text,
    attributes,
    nest,
    spans,
    text_of,
)
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.kernel.netlink.exchange import Request
    from netalias.nat import Change, Pair

# Message types: linux/netfilter/nfnetlink.h, enum nf_tables_msg_types.
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN = 0x10
NFNL_MSG_BATCH_END = 0x11
_NFT = NFNL_SUBSYS_NFTABLES << 8
NFT_MSG_NEWTABLE = _NFT | 0
NFT_MSG_GETTABLE = _NFT | 1
NFT_MSG_DELTABLE = _NFT | 2
NFT_MSG_NEWCHAIN = _NFT | 3
NFT_MSG_GETCHAIN = _NFT | 4
NFT_MSG_NEWRULE = _NFT | 6
NFT_MSG_GETRULE = _NFT | 7
NFT_MSG_NEWSET = _NFT | 9
NFT_MSG_GETSET = _NFT | 10
NFT_MSG_NEWSETELEM = _NFT | 12
NFT_MSG_GETSETELEM = _NFT | 13
NFT_MSG_DELSETELEM = _NFT | 14
NFT_MSG_NEWGEN = _NFT | 15
NFT_MSG_GETGEN = _NFT | 16

# Attributes: linux/netfilter/nf_tables.h.
NFNL_BATCH_GENID = 1
NFTA_GEN_ID = 1
NFTA_TABLE_NAME = 1
NFTA_TABLE_FLAGS = 2
NFTA_TABLE_USERDATA = 6
NFTA_CHAIN_TABLE = 1
NFTA_CHAIN_NAME = 3
NFTA_CHAIN_HOOK = 4
NFTA_CHAIN_POLICY = 5
NFTA_CHAIN_TYPE = 7
NFTA_HOOK_HOOKNUM = 1
NFTA_HOOK_PRIORITY = 2
NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_EXPRESSIONS = 4
NFTA_SET_TABLE = 1
NFTA_SET_NAME = 2
NFTA_SET_FLAGS = 3
NFTA_SET_KEY_TYPE = 4
NFTA_SET_KEY_LEN = 5
NFTA_SET_DATA_TYPE = 6
NFTA_SET_DATA_LEN = 7
NFTA_SET_ID = 10
NFTA_SET_USERDATA = 13
NFTA_SET_ELEM_LIST_TABLE = 1
NFTA_SET_ELEM_LIST_SET = 2
NFTA_SET_ELEM_LIST_ELEMENTS = 3
NFTA_LIST_ELEM = 1
NFTA_SET_ELEM_KEY = 1
NFTA_SET_ELEM_DATA = 2
NFTA_DATA_VALUE = 1
NFTA_EXPR_NAME = 1
NFTA_EXPR_DATA = 2

# Values: linux/netfilter/nf_tables.h, linux/netfilter.h, linux/netfilter_ipv4.h.
NF_INET_POST_ROUTING = 4
NF_IP_PRI_NAT_SRC = 100
NF_ACCEPT = 1
NFT_SET_MAP = 0x8
IFNAMSIZ = 16

NAME = "netalias"
"""The table of ours, in the family ip or ip6."""
CHAIN = "postrouting"
NEW = "new"
OLD = "old"
MARK = "kept by netalias"
"""The comment of the table, by which it is ours; tables have comments since Linux 5.10."""

NFGENMSG = Struct(">BBH")
"""struct nfgenmsg: family, version, res_id, which is in network byte order."""
SIZES = {AF_INET: 4, AF_INET6: 16}
SOURCE = {AF_INET: 12, AF_INET6: 8}
"""Offset of the source address in the header of the network layer."""
DATATYPE = {AF_INET: 7, AF_INET6: 8}
"""Types of nft (ipv4_addr, ipv6_addr), which the kernel keeps for it."""
IFNAME = 41
CONCATENATED = 6
"""Bits of a type of nft in one that is concatenated."""
PER_MESSAGE = 1000
"""Elements in one message: a list of elements has at most 65535 bytes."""

USERDATA_NEW = bytes.fromhex("0004") + (1).to_bytes(4, byteorder)
USERDATA_NEW += bytes.fromhex("0104") + (2).to_bytes(4, byteorder)
"""The order of bytes in which nft prints ``new``: keys as the host has it, data as the network."""

Expression = tuple[str, dict[int, bytes]]


def family_header(family: int, resource: int = 0) -> bytes:
    """struct nfgenmsg of version NFNETLINK_V0; *resource* is res_id."""
    return bytes(NFGENMSG.pack(family, 0, resource))


def number(kind: int, value: int) -> bytes:
    """An attribute with a 32-bit number in network byte order."""
    return attr(kind, value.to_bytes(4, "big"))


def _table(family: int) -> bytes:
    """The name of our table is the first attribute of every message about it or its parts."""
    return family_header(family) + attr_text(NFTA_TABLE_NAME, NAME)


# Writing --------------------------------------------------------------------------------------


def batch(requests: Iterable[Request], generation: int) -> list[Request]:
    """The requests as one transaction, which fails with ERESTART where the rules of the namespace
    are of another generation than this one."""
    edge = family_header(0, NFNL_SUBSYS_NFTABLES)
    begin = edge + number(NFNL_BATCH_GENID, generation)
    return [(NFNL_MSG_BATCH_BEGIN, 0, begin), *requests, (NFNL_MSG_BATCH_END, 0, edge)]


def changes(change: Change) -> Iterator[Request]:
    """The requests that make a Change, in their order."""
    family = change.family
    if change.remove:
        yield NFT_MSG_DELTABLE, 0, _table(family)
    if change.create:
        yield from created(family)
    new = _pairs(change.new, family)
    yield from _elements(NFT_MSG_DELSETELEM, 0, family, NEW, _keys(change.gone_new))
    yield from _elements(NFT_MSG_DELSETELEM, 0, family, OLD, _keys(change.gone_old, joined=True))
    yield from _elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, NEW, new)
    yield from _elements(
        NFT_MSG_NEWSETELEM, NLM_F_CREATE, family, OLD, _keys(change.old, joined=True)
    )


def created(family: int) -> Iterator[Request]:
    """The requests that make an empty table."""
    make = NLM_F_CREATE | NLM_F_EXCL
    mark = MARK.encode() + b"\0"
    comment = attr(NFTA_TABLE_USERDATA, bytes((0, len(mark))) + mark)
    yield NFT_MSG_NEWTABLE, make, _table(family) + number(NFTA_TABLE_FLAGS, 0) + comment
    for place, name in enumerate((NEW, OLD), 1):
        shape = b"".join(number(kind, value) for kind, value in SHAPES[name](family).items())
        data = attr(NFTA_SET_USERDATA, USERDATA_NEW) if name == NEW else b""
        body = _table(family) + attr_text(NFTA_SET_NAME, name) + shape
        yield NFT_MSG_NEWSET, make, body + number(NFTA_SET_ID, place) + data
    hook = nest(
        NFTA_CHAIN_HOOK,
        number(NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING),
        number(NFTA_HOOK_PRIORITY, NF_IP_PRI_NAT_SRC),
    )
    chain = attr_text(NFTA_CHAIN_NAME, CHAIN) + attr_text(NFTA_CHAIN_TYPE, "nat") + hook
    yield NFT_MSG_NEWCHAIN, make, _table(family) + chain
    body = _table(family) + attr_text(NFTA_RULE_CHAIN, CHAIN)
    listed = (expression(name, values) for name, values in rule(family))
    yield NFT_MSG_NEWRULE, NLM_F_CREATE, body + nest(NFTA_RULE_EXPRESSIONS, *listed)


def _shape_new(family: int) -> dict[int, int]:
    return {
        NFTA_SET_FLAGS: NFT_SET_MAP,
        NFTA_SET_KEY_TYPE: IFNAME,
        NFTA_SET_KEY_LEN: IFNAMSIZ,
        NFTA_SET_DATA_TYPE: DATATYPE[family],
        NFTA_SET_DATA_LEN: SIZES[family],
    }


def _shape_old(family: int) -> dict[int, int]:
    return {
        NFTA_SET_FLAGS: 0,
        NFTA_SET_KEY_TYPE: IFNAME << CONCATENATED | DATATYPE[family],
        NFTA_SET_KEY_LEN: IFNAMSIZ + SIZES[family],
    }


PARTS = (f"map {NEW}", f"set {OLD}", f"chain {CHAIN}", f"rule in {CHAIN}")
"""The parts of our table, each of them once, as the readers call it."""
MADE_BY_MODULES = (NFT_MSG_NEWSET, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE)
"""Messages that the kernel refuses with ENOENT where it lacks a module for them."""
SHAPES = {NEW: _shape_new, OLD: _shape_old}


def rule(family: int) -> list[Expression]:
    """The expressions of our rule: name, attributes by their numbers.

    A register has 16 bytes: NFT_REG_1 holds the name of a device, NFT_REG_2 the address behind it.
    """
    u32 = _u32
    return [
        ("meta", {2: u32(7), 1: u32(1)}),  # NFTA_META_KEY NFT_META_OIFNAME, NFTA_META_DREG
        # NFTA_PAYLOAD_DREG, _BASE (NFT_PAYLOAD_NETWORK_HEADER), _OFFSET, _LEN
        ("payload", {1: u32(2), 2: u32(1), 3: u32(SOURCE[family]), 4: u32(SIZES[family])}),
        ("lookup", {1: _name(OLD), 2: u32(1)}),  # NFTA_LOOKUP_SET, _SREG
        ("meta", {2: u32(7), 1: u32(1)}),
        ("lookup", {1: _name(NEW), 2: u32(1), 3: u32(1)}),  # and NFTA_LOOKUP_DREG
        # NFTA_NAT_TYPE NFT_NAT_SNAT, _FAMILY, _REG_ADDR_MIN, _REG_ADDR_MAX
        ("nat", {1: u32(0), 2: u32(family), 3: u32(1), 4: u32(1)}),
    ]


def expression(name: str, values: dict[int, bytes]) -> bytes:
    """One expression of a rule."""
    data = nest(NFTA_EXPR_DATA, *(attr(kind, value) for kind, value in values.items()))
    return nest(NFTA_LIST_ELEM, attr_text(NFTA_EXPR_NAME, name), data)


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _name(text: str) -> bytes:
    return text.encode() + b"\0"


def _keys(pairs: Iterable[Pair], *, joined: bool = False) -> list[bytes]:
    """Elements without data: the name of the device and, *joined*, the address behind it."""
    return [_element(device, address if joined else b"") for device, address in pairs]


def _pairs(pairs: Iterable[Pair], family: int) -> list[bytes]:
    """Elements of ``new``: the name of the device, and the address as data."""
    size = SIZES[family]
    return [
        _element(device, b"", nest(NFTA_SET_ELEM_DATA, attr(NFTA_DATA_VALUE, address[:size])))
        for device, address in pairs
    ]


def _element(device: str, address: bytes, data: bytes = b"") -> bytes:
    name = device.encode("utf-8", "surrogateescape")
    key = name + bytes(IFNAMSIZ - len(name)) + address
    return nest(NFTA_LIST_ELEM, nest(NFTA_SET_ELEM_KEY, attr(NFTA_DATA_VALUE, key)), data)


def _elements(
    kind: int, flags: int, family: int, name: str, elements: Sequence[bytes]
) -> Iterator[Request]:
    head = _table(family) + attr_text(NFTA_SET_ELEM_LIST_SET, name)
    for at in range(0, len(elements), PER_MESSAGE):
        some = nest(NFTA_SET_ELEM_LIST_ELEMENTS, *elements[at : at + PER_MESSAGE])
        yield kind, flags, head + some


def get_all(family: int) -> bytes:
    """The body of a request for all tables, chains, rules or sets of a family."""
    return family_header(family)


def get_elements(family: int, name: str) -> bytes:
    """The body of a request for the elements of one of our sets."""
    return _table(family) + attr_text(NFTA_SET_ELEM_LIST_SET, name)


# Reading --------------------------------------------------------------------------------------


def parts(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """The attributes behind struct nfgenmsg."""
    return attributes(data, start + NFGENMSG.size, end)


def within(payload: bytes) -> dict[int, bytes]:
    """The attributes in the payload of another one."""
    return attributes(payload, 0, len(payload))


def read_number(payload: bytes) -> int:
    """A number of up to 8 bytes in network byte order. Raises WireError."""
    if not 0 < len(payload) <= 8:
        raise WireError(f"a number of {len(payload)} bytes")
    return int.from_bytes(payload, "big")


def read_generation(data: bytes, start: int, end: int) -> int:
    """The generation of an NFT_MSG_NEWGEN."""
    return read_number(parts(data, start, end).get(NFTA_GEN_ID, b""))


def read_table(data: bytes, start: int, end: int) -> tuple[str, bool]:
    """The name of a table, and whether it has our mark."""
    found = parts(data, start, end)
    comment = found.get(NFTA_TABLE_USERDATA, b"")
    return text_of(found.get(NFTA_TABLE_NAME, b"")), comment[2:].rstrip(b"\0") == MARK.encode()


def read_chain(data: bytes, start: int, end: int, family: int) -> tuple[str, str, bool]:
    """The table of a chain, what to call the chain, and whether it is as ours."""
    found = parts(data, start, end)
    hook = within(found.get(NFTA_CHAIN_HOOK, b""))
    name = text_of(found.get(NFTA_CHAIN_NAME, b""))
    ours = (
        name == CHAIN
        and text_of(found.get(NFTA_CHAIN_TYPE, b"")) == "nat"
        and hook.get(NFTA_HOOK_HOOKNUM) == _u32(NF_INET_POST_ROUTING)
        and hook.get(NFTA_HOOK_PRIORITY) == _u32(NF_IP_PRI_NAT_SRC)
        and found.get(NFTA_CHAIN_POLICY, _u32(NF_ACCEPT)) == _u32(NF_ACCEPT)
    )
    return text_of(found.get(NFTA_CHAIN_TABLE, b"")), f"chain {name}", ours


def read_rule(data: bytes, start: int, end: int, family: int) -> tuple[str, str, bool]:
    """The table of a rule, what to call the rule, and whether it is as ours."""
    found = parts(data, start, end)
    listed = found.get(NFTA_RULE_EXPRESSIONS, b"")
    wanted = rule(family)
    there = [within(listed[at:behind]) for _, at, behind in spans(listed, 0, len(listed))]
    chain = text_of(found.get(NFTA_RULE_CHAIN, b""))
    ours = (
        chain == CHAIN
        and len(there) == len(wanted)
        and all(_same(one, *expected) for one, expected in zip(there, wanted, strict=True))
    )
    return text_of(found.get(NFTA_RULE_TABLE, b"")), f"rule in {chain}", ours


def _same(found: dict[int, bytes], name: str, values: dict[int, bytes]) -> bool:
    """Whether an expression does what ours with this name and these values does."""
    there = within(found.get(NFTA_EXPR_DATA, b""))
    more = (there[kind] for kind in there.keys() - values.keys() - IMPLIED.get(name, set()))
    return (
        text_of(found.get(NFTA_EXPR_NAME, b"")) == name
        and all(there.get(kind) == value for kind, value in values.items())
        and not any(map(any, more))
    )


IMPLIED = {"nat": {7}}
"""Attributes that follow from the others: NFTA_NAT_FLAGS is NF_NAT_RANGE_MAP_IPS in newer kernels.
Any other one that is not in our rule has to be 0."""


def read_set(data: bytes, start: int, end: int, family: int) -> tuple[str, str, bool]:
    """The table of a set, what to call the set, and whether it is as one of ours."""
    found = parts(data, start, end)
    name = text_of(found.get(NFTA_SET_NAME, b""))
    shape = SHAPES[name](family) if name in SHAPES else {}
    ours = bool(shape) and all(
        found.get(kind, _u32(0)) == _u32(value) for kind, value in shape.items()
    )
    mapped = found.get(NFTA_SET_FLAGS, _u32(0))[-1:] == bytes([NFT_SET_MAP])
    return text_of(found.get(NFTA_SET_TABLE, b"")), f"{'map' if mapped else 'set'} {name}", ours


def read_elements(data: bytes, start: int, end: int) -> Iterator[tuple[str, bytes, bytes]]:
    """The elements of an NFT_MSG_NEWSETELEM: device, what stands behind it in the key, the data.
    Raises WireError."""
    listed = parts(data, start, end).get(NFTA_SET_ELEM_LIST_ELEMENTS, b"")
    for _, at, behind in spans(listed, 0, len(listed)):
        found = attributes(listed, at, behind)
        key = within(found.get(NFTA_SET_ELEM_KEY, b"")).get(NFTA_DATA_VALUE, b"")
        value = within(found.get(NFTA_SET_ELEM_DATA, b"")).get(NFTA_DATA_VALUE, b"")
        if len(key) < IFNAMSIZ:
            raise WireError(f"an element with a key of {len(key)} bytes")
        yield text_of(key[:IFNAMSIZ]), key[IFNAMSIZ:], value
