"""codec.py = pyroute2: a second oracle, written by other people from the same headers."""

from __future__ import annotations

import struct
import sys
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import (
    FOREVER,
    MODES,
    addresses,
    clean_names,
    devices,
    errnos,
    error_message,
    few,
    indexes,
    macs,
    sequences,
    u32,
)

from netalias.kernel import netlink
from netalias.kernel.netlink import codec, spec
from netalias.model import AF_INET, IFF_UP, Address, Device, Stats
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    SetLink,
)

pyroute2 = pytest.importorskip("pyroute2")
from pyroute2.netlink import nlmsgerr  # noqa: E402
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: E402
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg, state_by_code  # noqa: E402

SERIES = "macvlan", "macvtap", "ipvlan"
"""The kinds whose data pyroute2 knows."""


def decoded(made: type, packed: bytes) -> Any:
    """The message as pyroute2 reads it."""
    message = made(packed)
    message.decode()
    return message


def encoded(made: type, type: int, fields: dict[str, Any], attributes: list[Any]) -> bytes:
    """A message as pyroute2 writes it."""
    message = made()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message["header"]["type"] = type
    message["header"]["sequence_number"] = 1
    message.encode()
    return bytes(message.data)


def body(packed: bytes, type: int) -> tuple[int, int]:
    """Begin and end of the only message, after a look at its type."""
    ((kind, _, sequence, start, end),) = netlink.messages(packed)
    assert (kind, sequence, end) == (type, 1, len(packed))
    return start, end


def text(packed: bytes) -> str | None:
    """An address in the words of pyroute2."""
    return str(ip_address(packed)) if packed else None


# What codec.py writes


@few
@given(sequences, clean_names(), st.sampled_from(["dummy", *SERIES]), u32, st.data())
def test_pyroute2_reads_a_new_link(
    sequence: int, name: str, kind: str, group: int, data: st.DataObject
) -> None:
    """Name, group, kind, mode, device below, MAC, MTU, master are where pyroute2 looks for them."""
    mode = data.draw(st.sampled_from([-1, *MODES.get(kind, ())]))
    link = data.draw(indexes)
    mac = data.draw(macs)
    mtu = data.draw(st.integers(1, 65535))
    master = data.draw(indexes)
    index = data.draw(st.just(0) | indexes)
    step = CreateLink(
        name, kind, group=group,
        mode=mode, link=link, mac=mac, mtu=mtu, master=master, former=index,
    )  # fmt: skip
    packed = codec.create_link(sequence, 0, step)
    message = decoded(ifinfmsg, packed)
    assert message["header"]["type"] == codec.RTM_NEWLINK
    assert message["header"]["sequence_number"] == sequence
    assert message["header"]["length"] == len(packed)
    assert message["index"] == index
    assert message.get_attr("IFLA_IFNAME") == name
    assert message.get_attr("IFLA_GROUP") == group
    assert message.get_attr("IFLA_LINK") == link
    assert message.get_attr("IFLA_ADDRESS") == mac.hex(":")
    assert message.get_attr("IFLA_MTU") == mtu
    assert message.get_attr("IFLA_MASTER") == master
    info = message.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == kind
    inside = info.get_attr("IFLA_INFO_DATA")
    if mode < 0:
        assert inside is None
    else:
        found = inside.get_attr(f"IFLA_{kind.upper()}_MODE")
        assert found == (mode if kind == "ipvlan" else mode_word(inside, mode))


def mode_word(inside: Any, mode: int) -> str:
    """The word that pyroute2 has for a mode of macvlan and macvtap."""
    return str(inside.mode.value_map[mode])


@few
@given(
    sequences,
    indexes,
    st.booleans(),
    u32,
    macs,
    clean_names(200),
    st.integers(0, 3),
)
def test_pyroute2_reads_a_changed_link(
    sequence: int, index: int, up: bool, mtu: int, mac: bytes, ifalias: str, addrgen: int
) -> None:
    """What RTM_SETLINK sets is what pyroute2 finds."""
    step = SetLink("eth0", index, up=up, mtu=mtu, mac=mac, ifalias=ifalias, addrgen=addrgen)
    packed = codec.set_link(sequence, index, step)
    message = decoded(ifinfmsg, packed)
    assert message["header"]["type"] == codec.RTM_SETLINK
    assert (message["index"], message["change"]) == (index, IFF_UP)
    assert message["flags"] == (IFF_UP if up else 0)
    assert message.get_attr("IFLA_MTU") == mtu
    assert message.get_attr("IFLA_ADDRESS") == mac.hex(":")
    assert message.get_attr("IFLA_IFALIAS") == ifalias
    inet6 = message.get_attr("IFLA_AF_SPEC").get_attr("AF_INET6")
    assert inet6.get_attr("IFLA_INET6_ADDR_GEN_MODE") == addrgen


@few
@given(sequences, indexes, clean_names(127), st.booleans())
def test_pyroute2_reads_an_altname(sequence: int, index: int, altname: str, delete: bool) -> None:
    """The altname is in a property list, whether given or taken."""
    step = (DelAltname if delete else AddAltname)("eth0", index, altname)
    message = decoded(ifinfmsg, codec.ENCODERS[type(step)](sequence, index, step))
    wanted = codec.RTM_DELLINKPROP if delete else codec.RTM_NEWLINKPROP
    assert message["header"]["type"] == wanted
    assert message["index"] == index
    assert list(message.get_attr("IFLA_PROP_LIST").altnames()) == [altname]


@few
@given(sequences, indexes, addresses(clean_names()), st.booleans())
def test_pyroute2_reads_an_address(sequence: int, index: int, entry: Address, delete: bool) -> None:
    """Everything of a new address, and what identifies one to be deleted."""
    step = (DelAddress if delete else AddAddress)("eth0", index, entry)
    message = decoded(ifaddrmsg, codec.ENCODERS[type(step)](sequence, index, step))
    assert message["header"]["type"] == (codec.RTM_DELADDR if delete else codec.RTM_NEWADDR)
    assert (message["family"], message["prefixlen"]) == (entry.family, entry.prefixlen)
    assert (message["scope"], message["index"]) == (entry.scope, index)
    assert message.get_attr("IFA_LOCAL") == text(entry.local)
    assert message.get_attr("IFA_ADDRESS") == text(entry.peer or entry.local)
    assert message.get_attr("IFA_LABEL") == (entry.label or None)
    full = {
        "IFA_BROADCAST": text(entry.broadcast),
        "IFA_FLAGS": entry.flags or None,
        "IFA_RT_PRIORITY": entry.metric or None,
        "IFA_PROTO": entry.protocol or None,
    }
    assert {name: message.get_attr(name) for name in full} == (
        dict.fromkeys(full) if delete else full
    )
    times = message.get_attr("IFA_CACHEINFO")
    if delete or entry.valid == entry.preferred == FOREVER:
        assert times is None
    else:
        assert (times["ifa_valid"], times["ifa_preferred"]) == (entry.valid, entry.preferred)


def test_pyroute2_reads_the_questions() -> None:
    """A dump is a dump, with the mask that spares the long statistics."""
    message = decoded(ifinfmsg, codec.get_links(5))
    assert message["header"]["type"] == codec.RTM_GETLINK
    assert message["header"]["flags"] == codec.NLM_F_REQUEST | codec.NLM_F_DUMP
    assert message.get_attr("IFLA_EXT_MASK") == codec.RTEXT_FILTER_SKIP_STATS
    message = decoded(ifaddrmsg, codec.get_addresses(6, AF_INET))
    assert message["header"]["type"] == codec.RTM_GETADDR
    assert message["family"] == AF_INET


# What codec.py reads


def info(device: Device) -> dict[str, Any]:
    """IFLA_LINKINFO in the words of pyroute2."""
    attributes: list[Any] = [("IFLA_INFO_KIND", device.kind)]
    if device.kind in SERIES and device.mode >= 0:
        mode = (f"IFLA_{device.kind.upper()}_MODE", device.mode)
        attributes.append(("IFLA_INFO_DATA", {"attrs": [mode]}))
    return {"attrs": attributes}


def af_spec(device: Device) -> dict[str, Any]:
    """IFLA_AF_SPEC in the words of pyroute2, whose first setting is the attribute's header."""
    header = int.from_bytes(struct.pack("=HH", 4 + 28 * 4, codec.IFLA_INET_CONF), sys.byteorder)
    conf = {
        "dummy": header,
        "arp_announce": device.arp_announce,
        "arp_ignore": device.arp_ignore,
        "promote_secondaries": int(device.promote),
        "arp_accept": 1,
    }
    attributes: list[Any] = [("AF_INET", conf)]
    if device.inet6:
        attributes.append(("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", 1)]}))
    return {"attrs": attributes}


@few
@given(devices(clean_names()).filter(lambda device: device.kind != "ipvtap"))
def test_a_link_of_pyroute2(device: Device) -> None:
    """A device that pyroute2 wrote is read with all it has."""
    attributes: list[Any] = [
        ("IFLA_IFNAME", device.name),
        ("IFLA_MTU", device.mtu),
        ("IFLA_LINK", device.link),
        ("IFLA_MASTER", device.master),
        ("IFLA_GROUP", device.group),
        ("IFLA_OPERSTATE", state_by_code[device.operstate]),
        ("IFLA_AF_SPEC", af_spec(device)),
    ]
    if device.mac:
        attributes.append(("IFLA_ADDRESS", device.mac.hex(":")))
    if device.ifalias:
        attributes.append(("IFLA_IFALIAS", device.ifalias))
    if device.kind:
        attributes.append(("IFLA_LINKINFO", info(device)))
    if device.remote:
        attributes.append(("IFLA_LINK_NETNSID", 3))
    if device.altnames:
        altnames = [("IFLA_ALT_IFNAME", name) for name in device.altnames]
        attributes.append(("IFLA_PROP_LIST", {"attrs": altnames}))
    if device.stats is not None:
        counters = {name: getattr(device.stats, name) for name in Stats.__slots__}
        attributes.append(("IFLA_STATS64", counters))
    fields = {"ifi_type": device.type, "index": device.index, "flags": device.flags}
    packed = encoded(ifinfmsg, codec.RTM_NEWLINK, fields, attributes)
    assert codec.read_link(packed, *body(packed, codec.RTM_NEWLINK)) == device


@few
@given(addresses(clean_names()))
def test_an_address_of_pyroute2(entry: Address) -> None:
    """An address that pyroute2 wrote is read with all it has, IFA_PROTO too."""
    times = {"ifa_preferred": entry.preferred, "ifa_valid": entry.valid, "cstamp": 9, "tstamp": 9}
    attributes: list[Any] = [
        ("IFA_ADDRESS", text(entry.peer or entry.local)),
        ("IFA_LOCAL", text(entry.local)),
        ("IFA_FLAGS", entry.flags),
        ("IFA_RT_PRIORITY", entry.metric),
        ("IFA_PROTO", entry.protocol),
        ("IFA_CACHEINFO", times),
    ]
    if entry.label:
        attributes.append(("IFA_LABEL", entry.label))
    if entry.broadcast:
        attributes.append(("IFA_BROADCAST", text(entry.broadcast)))
    fields = {
        "family": entry.family,
        "prefixlen": entry.prefixlen,
        "flags": entry.flags & 0xFF,
        "scope": entry.scope,
        "index": entry.index,
    }
    packed = encoded(ifaddrmsg, codec.RTM_NEWADDR, fields, attributes)
    assert codec.read_address(packed, *body(packed, codec.RTM_NEWADDR)) == entry


@few
@given(errnos, clean_names(60) | st.just(""), st.binary(max_size=21))
def test_an_error_is_the_same_to_both(code: int, words: str, payload: bytes) -> None:
    """Errno and text, behind the echo of a request; pyroute2 asks for whole echoes only."""
    packed = spec.build(error_message(code, 1, words, capped=False, payload=payload))
    message = decoded(nlmsgerr, packed)
    ((_, flags, _, start, end),) = netlink.messages(packed)
    assert netlink.read_error(packed, flags, start, end) == (
        -message["error"],
        message.get_attr("NLMSGERR_ATTR_MSG") or "",
    )
    assert netlink.read_error(packed, flags, start, end) == (code, words)
