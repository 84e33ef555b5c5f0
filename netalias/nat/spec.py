"""The messages of nf_tables and ctnetlink as an executable specification.

The layouts that messages.py and conntrack.py encode or decode stand here once more, as declarations
of the library construct. It is slow, so only tests import it.

Sources: linux/netfilter/nfnetlink.h (struct nfgenmsg), linux/netfilter/nf_tables.h (NFTA_*),
linux/netfilter/nfnetlink_conntrack.h (CTA_*). Numbers in attributes are in network byte order,
but for the flags of a filter and what nft keeps for itself.

A message is a Container::

    type="NFT_MSG_NEWSET" flags=1537 sequence=3
    body=Container(nfgen_family=2, version=0, res_id=0, attributes=[Container(type=..., value=...)])
"""

from __future__ import annotations

from typing import Any

from construct import (  # type: ignore[import-untyped]
    Aligned,
    Container,
    Default,
    ExprAdapter,
    FocusedSeq,
    GreedyBytes,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int16un,
    Int32ub,
    Int32un,
    Prefixed,
    Struct,
    Terminated,
)

from netalias.kernel.netlink.spec import TEXT, attributes

_MESSAGES = {
    "NFNL_MSG_BATCH_BEGIN": 0x0010,
    "NFNL_MSG_BATCH_END": 0x0011,
    "IPCTNL_MSG_CT_NEW": 0x0100,
    "IPCTNL_MSG_CT_GET": 0x0101,
    "IPCTNL_MSG_CT_DELETE": 0x0102,
    "IPCTNL_MSG_CT_GET_STATS": 0x0105,
    "NFT_MSG_NEWTABLE": 0x0A00,
    "NFT_MSG_GETTABLE": 0x0A01,
    "NFT_MSG_DELTABLE": 0x0A02,
    "NFT_MSG_NEWCHAIN": 0x0A03,
    "NFT_MSG_GETCHAIN": 0x0A04,
    "NFT_MSG_NEWRULE": 0x0A06,
    "NFT_MSG_GETRULE": 0x0A07,
    "NFT_MSG_NEWSET": 0x0A09,
    "NFT_MSG_GETSET": 0x0A0A,
    "NFT_MSG_NEWSETELEM": 0x0A0C,
    "NFT_MSG_GETSETELEM": 0x0A0D,
    "NFT_MSG_DELSETELEM": 0x0A0E,
    "NFT_MSG_NEWGEN": 0x0A0F,
    "NFT_MSG_GETGEN": 0x0A10,
}
"""Subsystem << 8 | message."""
NAMES = {number: name for name, number in _MESSAGES.items()}


def _numbered(names: str) -> dict[str, int]:
    """An enum of a header: names in the order of their numbers, from 1."""
    return {name: number for number, name in enumerate(names.split(), 1)}


def _list(element: Any) -> Any:
    """Nested attributes that are all of one type, NFTA_LIST_ELEM."""
    return attributes({"NFTA_LIST_ELEM": 1}, {"NFTA_LIST_ELEM": element})


U32 = ExprAdapter(
    GreedyBytes,
    lambda payload, _: Int32ub.parse(payload),
    lambda value, _: Int32ub.build(value),
)
"""A 32-bit number in network byte order."""
HOST32 = ExprAdapter(
    GreedyBytes,
    lambda payload, _: Int32un.parse(payload),
    lambda value, _: Int32un.build(value),
)

GENID = attributes({"NFNL_BATCH_GENID": 1}, {"NFNL_BATCH_GENID": U32})
GEN = attributes(
    _numbered("NFTA_GEN_ID NFTA_GEN_PROC_PID NFTA_GEN_PROC_NAME"), {"NFTA_GEN_ID": U32}
)
TABLE = attributes(
    _numbered(
        "NFTA_TABLE_NAME NFTA_TABLE_FLAGS NFTA_TABLE_USE NFTA_TABLE_HANDLE NFTA_TABLE_PAD"
        " NFTA_TABLE_USERDATA NFTA_TABLE_OWNER"
    ),
    {"NFTA_TABLE_NAME": TEXT, "NFTA_TABLE_FLAGS": U32},
)
CHAIN = attributes(
    _numbered(
        "NFTA_CHAIN_TABLE NFTA_CHAIN_HANDLE NFTA_CHAIN_NAME NFTA_CHAIN_HOOK NFTA_CHAIN_POLICY"
        " NFTA_CHAIN_USE NFTA_CHAIN_TYPE NFTA_CHAIN_COUNTERS NFTA_CHAIN_PAD NFTA_CHAIN_FLAGS"
    ),
    {
        "NFTA_CHAIN_TABLE": TEXT,
        "NFTA_CHAIN_NAME": TEXT,
        "NFTA_CHAIN_TYPE": TEXT,
        "NFTA_CHAIN_POLICY": U32,
        "NFTA_CHAIN_HOOK": attributes(
            _numbered("NFTA_HOOK_HOOKNUM NFTA_HOOK_PRIORITY NFTA_HOOK_DEV"),
            {"NFTA_HOOK_HOOKNUM": U32, "NFTA_HOOK_PRIORITY": U32},
        ),
    },
)
EXPRESSION = attributes(
    _numbered("NFTA_EXPR_NAME NFTA_EXPR_DATA"),
    {"NFTA_EXPR_NAME": TEXT, "NFTA_EXPR_DATA": attributes({}, {})},
)
"""The attributes of the data go by their numbers: each expression has its own."""
RULE = attributes(
    _numbered("NFTA_RULE_TABLE NFTA_RULE_CHAIN NFTA_RULE_HANDLE NFTA_RULE_EXPRESSIONS"),
    {
        "NFTA_RULE_TABLE": TEXT,
        "NFTA_RULE_CHAIN": TEXT,
        "NFTA_RULE_EXPRESSIONS": _list(EXPRESSION),
    },
)
SET = attributes(
    _numbered(
        "NFTA_SET_TABLE NFTA_SET_NAME NFTA_SET_FLAGS NFTA_SET_KEY_TYPE NFTA_SET_KEY_LEN"
        " NFTA_SET_DATA_TYPE NFTA_SET_DATA_LEN NFTA_SET_POLICY NFTA_SET_DESC NFTA_SET_ID"
        " NFTA_SET_TIMEOUT NFTA_SET_GC_INTERVAL NFTA_SET_USERDATA"
    ),
    {
        "NFTA_SET_TABLE": TEXT,
        "NFTA_SET_NAME": TEXT,
        "NFTA_SET_FLAGS": U32,
        "NFTA_SET_KEY_TYPE": U32,
        "NFTA_SET_KEY_LEN": U32,
        "NFTA_SET_DATA_TYPE": U32,
        "NFTA_SET_DATA_LEN": U32,
        "NFTA_SET_ID": U32,
    },
)
DATA = attributes({"NFTA_DATA_VALUE": 1}, {})
ELEMENT = attributes(
    _numbered("NFTA_SET_ELEM_KEY NFTA_SET_ELEM_DATA NFTA_SET_ELEM_FLAGS"),
    {"NFTA_SET_ELEM_KEY": DATA, "NFTA_SET_ELEM_DATA": DATA, "NFTA_SET_ELEM_FLAGS": U32},
)
ELEMENTS = attributes(
    _numbered(
        "NFTA_SET_ELEM_LIST_TABLE NFTA_SET_ELEM_LIST_SET NFTA_SET_ELEM_LIST_ELEMENTS"
        " NFTA_SET_ELEM_LIST_SET_ID"
    ),
    {
        "NFTA_SET_ELEM_LIST_TABLE": TEXT,
        "NFTA_SET_ELEM_LIST_SET": TEXT,
        "NFTA_SET_ELEM_LIST_ELEMENTS": _list(ELEMENT),
        "NFTA_SET_ELEM_LIST_SET_ID": U32,
    },
)
TUPLE = attributes(
    _numbered("CTA_TUPLE_IP CTA_TUPLE_PROTO CTA_TUPLE_ZONE"),
    {
        "CTA_TUPLE_IP": attributes(
            _numbered("CTA_IP_V4_SRC CTA_IP_V4_DST CTA_IP_V6_SRC CTA_IP_V6_DST"), {}
        )
    },
)
CONNTRACK = attributes(
    {
        "CTA_TUPLE_ORIG": 1,
        "CTA_TUPLE_REPLY": 2,
        "CTA_STATUS": 3,
        "CTA_ID": 12,
        "CTA_ZONE": 18,
        "CTA_FILTER": 25,
    },
    {
        "CTA_TUPLE_ORIG": TUPLE,
        "CTA_TUPLE_REPLY": TUPLE,
        "CTA_ID": U32,
        "CTA_FILTER": attributes(
            _numbered("CTA_FILTER_ORIG_FLAGS CTA_FILTER_REPLY_FLAGS"),
            {"CTA_FILTER_ORIG_FLAGS": HOST32, "CTA_FILTER_REPLY_FLAGS": HOST32},
        ),
    },
)

PARTS = {"TABLE": TABLE, "CHAIN": CHAIN, "RULE": RULE, "SET": SET, "SETELEM": ELEMENTS, "GEN": GEN}


def body(name: str) -> Any:
    """struct nfgenmsg, and the attributes of a message of this type."""
    if name.startswith("NFNL"):
        content = GENID
    elif name.startswith("IPCTNL"):
        content = CONNTRACK
    else:
        content = PARTS[name.removeprefix("NFT_MSG_")[3:]]
    return Struct(
        "nfgen_family" / Int8ub, "version" / Int8ub, "res_id" / Int16ub, "attributes" / content
    )


MESSAGE = Aligned(
    4,
    Prefixed(
        Int32un,
        Struct(
            "type" / Int16un,
            "flags" / Default(Int16un, 0),
            "sequence" / Default(Int32un, 0),
            "port" / Default(Int32un, 0),
            "body" / GreedyBytes,
        ),
        includelength=True,
    ),
)
"""linux/netlink.h struct nlmsghdr: types are numbered anew in each protocol of netlink."""


def parse(data: bytes) -> list[Container]:
    """The messages of one datagram. Raises construct.ConstructError for malformed ones."""
    found = list(FocusedSeq("all", "all" / GreedyRange(MESSAGE), Terminated).parse(data))
    for one in found:
        one.type = NAMES[one.type]
        one.body = body(one.type).parse(one.body)
    return found


def build(*given: dict[str, Any]) -> bytes:
    """One datagram of messages in the form that parse() gives."""
    return b"".join(
        MESSAGE.build(
            {**one, "type": _MESSAGES[one["type"]], "body": body(one["type"]).build(one["body"])}
        )
        for one in given
    )
