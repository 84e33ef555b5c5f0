"""codec.py = spec.py: what one writes the other reads, whole and several to a datagram."""

from __future__ import annotations

from typing import Any

import pytest
from construct import ConstructError
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import (
    FOREVER,
    MODES,
    address_attributes,
    address_message,
    addresses,
    devices,
    done_message,
    errnos,
    error_message,
    few,
    indexes,
    link_attributes,
    link_message,
    macs,
    names,
    sequences,
    u8,
    u32,
)

from netalias import model
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, group_delete, numbers, spec
from netalias.model import AF_INET, AF_INET6, Address, Device
from netalias.model.leases import MarkAddress
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

NEW = numbers.NLM_F["RTM_NEWLINK"]
CREATE = NEW["NLM_F_REQUEST"] | NEW["NLM_F_CREATE"] | NEW["NLM_F_EXCL"]
REQUEST = NEW["NLM_F_REQUEST"]
ACK = NEW["NLM_F_ACK"]


def one(packed: bytes) -> Any:
    """The only message of *packed*, which is also what spec makes of it."""
    (message,) = spec.parse(packed)
    assert spec.build(message) == packed
    return message


def body(packed: bytes, type: str, flags: int, sequence: int) -> Any:
    """The body of the only message, after its header was looked at."""
    message = one(packed)
    assert (message.type, message.flags) == (type, flags)
    assert (message.sequence, message.port) == (sequence, 0)
    return message.body


def types(body: Any) -> list[str]:
    """The attributes that are there, by name."""
    return sorted(item.type for item in body.attributes)


def read(packed: bytes) -> list[Any]:
    """The values that codec.py reads from a datagram, in order."""
    values: list[Any] = []
    for kind, flags, _, start, end in netlink.messages(packed):
        if kind == codec.RTM_NEWLINK:
            values.append(codec.read_link(packed, start, end))
        elif kind == codec.RTM_NEWADDR:
            values.append(codec.read_address(packed, start, end))
        elif kind == codec.NLMSG_ERROR:
            values.append(netlink.read_error(packed, flags, start, end))
        else:
            assert kind == codec.NLMSG_DONE
            text = netlink.read_text(packed, flags, start + 4, end)
            values.append((netlink.read_done(packed, start, end), text))
    return values


# Numbers


def constants_of(module: Any, prefix: str) -> dict[str, int]:
    """The constants of a module whose names begin so."""
    return {name: value for name, value in vars(module).items() if name.startswith(prefix)}


@pytest.mark.parametrize(
    ("module", "prefix", "table"),
    [
        (codec, "RTM_", numbers.TYPES),
        (codec, "NLMSG_", numbers.TYPES),
        (
            codec,
            "IFLA_",
            {
                **numbers.IFLA,
                **numbers.IFLA_INFO,
                **numbers.IFLA_MACVLAN,
                **numbers.IFLA_IPVLAN,
                **numbers.IFLA_INET,
                **numbers.IFLA_INET6,
            },
        ),
        (codec, "IFA_", {**numbers.IFA, **numbers.IFA_F}),
        (codec, "NLMSGERR_", numbers.NLMSGERR_ATTR),
        (codec, "NLA_", {"NLA_TYPE_MASK": 0x3FFF, "NLA_F_NESTED": 0x8000}),
        (model, "IFF_", numbers.IFF),
        (model, "IFA_F_", numbers.IFA_F),
    ],
)
def test_both_know_the_same_numbers(module: Any, prefix: str, table: dict[str, int]) -> None:
    """A constant of the hot path has the number that the specification gives to its name."""
    constants = constants_of(module, prefix)
    assert constants
    assert constants == {name: table[name] for name in constants}


def test_both_know_the_same_message_flags() -> None:
    """NLM_F_* mean different bits in different messages; each is in one group at least."""
    groups = {}
    for table in numbers.NLM_F.values():
        groups.update(table)
    constants = constants_of(codec, "NLM_F_")
    assert constants.pop("NLM_F_DUMP") == groups["NLM_F_ROOT"] | groups["NLM_F_MATCH"]
    assert constants == {name: groups[name] for name in constants}


def test_both_know_the_same_ipv4_settings() -> None:
    """The settings that are written have the numbers of linux/ip.h."""
    assert {name: numbers.IPV4_DEVCONF[name] for name in codec.DEVCONF} == codec.DEVCONF


# What codec.py writes


@few
@given(
    sequences,
    names(),
    st.sampled_from(["dummy", *MODES]),
    u32,
    st.data(),
)
def test_create_link(sequence: int, name: str, kind: str, group: int, data: st.DataObject) -> None:
    """RTM_NEWLINK says everything that was given, and nothing of what was not."""
    mode = data.draw(st.sampled_from([-1, *MODES.get(kind, ())]))
    link = data.draw(st.just(0) | indexes)
    mac = data.draw(st.just(b"") | macs)
    mtu = data.draw(st.integers(0, 65535))
    master = data.draw(st.just(0) | indexes)
    index = data.draw(st.just(0) | indexes)
    step = CreateLink(
        name, kind, group=group,
        mode=mode, link=link, mac=mac, mtu=mtu, master=master, former=index,
    )  # fmt: skip
    packed = codec.create_link(sequence, 0, step)
    made = body(packed, "RTM_NEWLINK", CREATE, sequence)
    assert (made.ifi_index, made.ifi_flags, made.ifi_change) == (index, 0, 0)
    assert spec.find(made, "IFLA_IFNAME") == name
    assert spec.find(made, "IFLA_GROUP") == group
    assert spec.find(made, "IFLA_LINK") == (link or None)
    assert spec.find(made, "IFLA_ADDRESS") == (mac or None)
    assert spec.find(made, "IFLA_MTU") == (mtu or None)
    assert spec.find(made, "IFLA_MASTER") == (master or None)
    (info,) = (item for item in made.attributes if item.type == "IFLA_LINKINFO")
    assert info.nested
    assert info.value[0].value == kind
    found = {item.type: item.value for item in info.value}
    if mode < 0:
        assert set(found) == {"IFLA_INFO_KIND"}
    else:
        ((word, value),) = ((item.type, item.value) for item in found["IFLA_INFO_DATA"])
        assert word == ("IFLA_IPVLAN_MODE" if "ipv" in kind else "IFLA_MACVLAN_MODE")
        assert value == mode


@few
@given(
    sequences,
    indexes,
    st.none() | st.booleans(),
    st.none() | u32,
    st.none() | macs,
    st.none() | names(200),
    st.dictionaries(st.sampled_from(sorted(codec.DEVCONF)), u32),
    st.none() | st.integers(0, 3),
)
def test_set_link(
    sequence: int,
    index: int,
    up: bool | None,
    mtu: int | None,
    mac: bytes | None,
    ifalias: str | None,
    conf: dict[str, int],
    addrgen: int | None,
) -> None:
    """RTM_SETLINK names what is not None; IFF_UP is in the mask only when it is to change."""
    step = SetLink(
        "eth0", index, up=up, mtu=mtu, mac=mac, ifalias=ifalias, conf=conf, addrgen=addrgen
    )
    made = body(codec.set_link(sequence, index, step), "RTM_SETLINK", REQUEST, sequence)
    assert made.ifi_index == index
    assert made.ifi_change == (0 if up is None else model.IFF_UP)
    assert made.ifi_flags == (model.IFF_UP if up else 0)
    assert spec.find(made, "IFLA_MTU") == mtu
    assert spec.find(made, "IFLA_ADDRESS") == mac
    assert spec.find(made, "IFLA_IFALIAS") == ifalias
    assert spec.find(made, "IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_ADDR_GEN_MODE") == addrgen
    settings = spec.find(made, "IFLA_AF_SPEC", "AF_INET", "IFLA_INET_CONF")
    assert {item.type: item.value for item in settings or ()} == conf
    assert ("IFLA_AF_SPEC" in types(made)) == (bool(conf) or addrgen is not None)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(sorted(codec.DEVCONF)), st.integers(0, 2)),
            st.none() | st.integers(0, 1),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_settings_of_one_message_are_not_those_of_another(
    settings: list[tuple[dict[str, int], int | None]],
) -> None:
    """What is kept of earlier messages never comes into later ones, in whatever order."""
    for conf, addrgen in [*settings, *settings[::-1]]:
        step = SetLink("eth0", 7, conf=conf, addrgen=addrgen)
        made = body(codec.set_link(1, 7, step), "RTM_SETLINK", REQUEST, 1)
        found = spec.find(made, "IFLA_AF_SPEC", "AF_INET", "IFLA_INET_CONF")
        assert {item.type: item.value for item in found or ()} == conf
        assert spec.find(made, "IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_ADDR_GEN_MODE") == addrgen


def test_settings_that_were_changed_since() -> None:
    """A mapping is looked at anew, though it is the same object."""
    conf = {"rp_filter": 1}
    step = SetLink("eth0", 7, conf=conf)
    before = codec.set_link(1, 7, step)
    conf["rp_filter"] = 2
    fresh = SetLink("eth0", 7, conf={"rp_filter": 2})
    assert codec.set_link(1, 7, step) == codec.set_link(1, 7, fresh) != before


@few
@given(sequences, indexes, u32)
def test_set_group(sequence: int, index: int, group: int) -> None:
    """RTM_SETLINK of the mark alone: no flag changes."""
    step = group_delete.Move(DelLink("eth0_0", index, 0), group)
    moved = group_delete.set_group(sequence, index, step)
    made = body(moved, "RTM_SETLINK", REQUEST, sequence)
    assert (made.ifi_index, made.ifi_flags, made.ifi_change) == (index, 0, 0)
    assert types(made) == ["IFLA_GROUP"]
    assert spec.find(made, "IFLA_GROUP") == group


@few
@given(sequences, u32)
def test_del_group(sequence: int, group: int) -> None:
    """RTM_DELLINK without an index or a name, which would come before the group (rtnl_dellink)."""
    removed = group_delete.del_group(sequence, 0, group_delete.DelGroup(0, group))
    made = body(removed, "RTM_DELLINK", REQUEST, sequence)
    assert made.ifi_index == 0
    assert types(made) == ["IFLA_GROUP"]
    assert spec.find(made, "IFLA_GROUP") == group


@few
@given(sequences, indexes, names(127), st.booleans())
def test_alt_name(sequence: int, index: int, altname: str, delete: bool) -> None:
    """One alternative name, given with NLM_F_APPEND or taken away."""
    step = (DelAltname if delete else AddAltname)("eth0", index, altname)
    packed = codec.ENCODERS[type(step)](sequence, index, step)
    if delete:
        made = body(packed, "RTM_DELLINKPROP", REQUEST, sequence)
    else:
        made = body(packed, "RTM_NEWLINKPROP", CREATE | NEW["NLM_F_APPEND"], sequence)
    assert made.ifi_index == index
    (properties,) = made.attributes
    assert (properties.type, properties.nested) == ("IFLA_PROP_LIST", True)
    assert [(item.type, item.value) for item in properties.value] == [("IFLA_ALT_IFNAME", altname)]


@few
@given(sequences, indexes)
def test_del_link(sequence: int, index: int) -> None:
    """A device is deleted by its index alone."""
    removed = codec.del_link(sequence, index, DelLink("eth0", index, 0))
    made = body(removed, "RTM_DELLINK", REQUEST, sequence)
    assert made.ifi_index == index
    assert made.attributes == []


@few
@given(sequences, indexes, addresses())
def test_add_address(sequence: int, index: int, entry: Address) -> None:
    """RTM_NEWADDR says all of an address, on the device that is asked for."""
    added = codec.add_address(sequence, index, AddAddress("eth0", index, entry))
    made = body(added, "RTM_NEWADDR", CREATE, sequence)
    assert (made.ifa_family, made.ifa_prefixlen) == (entry.family, entry.prefixlen)
    assert (made.ifa_scope, made.ifa_index) == (entry.scope, index)
    assert spec.find(made, "IFA_LOCAL") == entry.local
    assert spec.find(made, "IFA_ADDRESS") == (entry.peer or entry.local)
    assert spec.find(made, "IFA_BROADCAST") == (entry.broadcast or None)
    assert spec.find(made, "IFA_LABEL") == (entry.label or None)
    assert spec.find(made, "IFA_FLAGS") == (entry.flags or None)
    assert spec.find(made, "IFA_RT_PRIORITY") == (entry.metric or None)
    assert spec.find(made, "IFA_PROTO") == (entry.protocol or None)
    times = spec.find(made, "IFA_CACHEINFO")
    if entry.valid == entry.preferred == FOREVER:
        assert times is None
    else:
        assert (times.ifa_valid, times.ifa_prefered) == (entry.valid, entry.preferred)


@few
@given(sequences, indexes, addresses())
def test_change_address(sequence: int, index: int, entry: Address) -> None:
    """All that a new address says, with NLM_F_REPLACE and nothing else in the header."""
    changed = group_delete.mark_address(sequence, index, MarkAddress("eth0", index, entry))
    made = body(changed, "RTM_NEWADDR", REQUEST | NEW["NLM_F_REPLACE"], sequence)
    added = codec.add_address(sequence, index, AddAddress("eth0", index, entry))
    assert made == body(added, "RTM_NEWADDR", CREATE, sequence)


@few
@given(sequences, indexes, addresses())
def test_del_address(sequence: int, index: int, entry: Address) -> None:
    """RTM_DELADDR carries what identifies an address, and no settings."""
    removed = codec.del_address(sequence, index, DelAddress("eth0", index, entry))
    made = body(removed, "RTM_DELADDR", REQUEST, sequence)
    assert (made.ifa_family, made.ifa_prefixlen) == (entry.family, entry.prefixlen)
    assert made.ifa_index == index
    assert spec.find(made, "IFA_LOCAL") == entry.local
    assert spec.find(made, "IFA_ADDRESS") == (entry.peer or entry.local)
    assert spec.find(made, "IFA_LABEL") == (entry.label or None)
    assert set(types(made)) <= {"IFA_LOCAL", "IFA_ADDRESS", "IFA_LABEL"}


@few
@given(sequences, names(), u8)
def test_questions(sequence: int, name: str, family: int) -> None:
    """The dumps ask for everything; the header of a dump is zero, as strict checking wants it."""
    get = numbers.NLM_F["RTM_GETLINK"]
    dump = REQUEST | get["NLM_F_ROOT"] | get["NLM_F_MATCH"]
    links = body(codec.get_links(sequence), "RTM_GETLINK", dump, sequence)
    assert [(item.type, item.value) for item in links.attributes] == [("IFLA_EXT_MASK", 8)]
    link = body(codec.get_link(sequence, name), "RTM_GETLINK", REQUEST, sequence)
    assert spec.find(link, "IFLA_IFNAME") == name
    for made in (links, link):
        assert (made.ifi_family, made.ifi_type, made.ifi_index) == (0, 0, 0)
        assert (made.ifi_flags, made.ifi_change) == (0, 0)
    entries = body(codec.get_addresses(sequence, family), "RTM_GETADDR", dump, sequence)
    assert entries.ifa_family == family
    assert (entries.ifa_prefixlen, entries.ifa_flags, entries.ifa_scope) == (0, 0, 0)
    assert entries.ifa_index == 0
    assert entries.attributes == []


@few
@given(sequences, names())
def test_probes(sequence: int, kind: str) -> None:
    """Each probe asks for an answer and names what cannot be."""
    made = body(codec.probe_kind(sequence, kind), "RTM_NEWLINK", CREATE | ACK, sequence)
    assert spec.find(made, "IFLA_LINKINFO", "IFLA_INFO_KIND") == kind
    assert spec.find(made, "IFLA_NUM_TX_QUEUES") > 4096
    asked = netlink.numbered(codec.PERMISSION, sequence)
    made = body(asked, "RTM_DELADDR", REQUEST | ACK, sequence)
    assert made.ifa_index == 0x7FFFFFFF


@few
@given(sequences, indexes)
def test_with_ack_sets_one_bit(sequence: int, index: int) -> None:
    """A message that asks for an acknowledgement is otherwise the same; twice is once."""
    plain = codec.del_link(sequence, index, DelLink("eth0", index, 0))
    asking = netlink.with_ack(plain)
    message = one(asking)
    assert message.flags == REQUEST | ACK
    message.flags = REQUEST
    assert spec.build(message) == plain
    assert netlink.with_ack(asking) == asking


@few
@given(st.lists(st.tuples(indexes, names()), min_size=1, max_size=5))
def test_several_messages_are_one_datagram(wanted: list[tuple[int, str]]) -> None:
    """Messages of any length stand one behind the other without a gap or a prefix."""
    packed = b"".join(
        codec.add_altname(place, index, AddAltname("eth0", index, name))
        for place, (index, name) in enumerate(wanted)
    )
    messages = spec.parse(packed)
    assert [message.sequence for message in messages] == list(range(len(wanted)))
    assert [
        (message.body.ifi_index, spec.find(message.body, "IFLA_PROP_LIST", "IFLA_ALT_IFNAME"))
        for message in messages
    ] == wanted


# What codec.py reads


@few
@given(devices())
def test_read_link(device: Device) -> None:
    """A device comes out as it went in."""
    assert read(spec.build(link_message(device))) == [device]


@few
@given(addresses())
def test_read_address(entry: Address) -> None:
    """An address comes out as it went in."""
    assert read(spec.build(address_message(entry))) == [entry]


@few
@given(devices(), st.data())
def test_order_of_attributes_is_nothing(device: Device, data: st.DataObject) -> None:
    """Attributes may come in any order and among others that nobody knows."""
    unknown = st.builds(spec.attribute, st.integers(70, 0x3FFF), st.binary(max_size=9))
    found = link_attributes(device) + data.draw(st.lists(unknown, max_size=3))
    found = data.draw(st.permutations(found))
    assert read(spec.build(link_message(device, attributes=found))) == [device]


@few
@given(addresses(), st.data())
def test_order_of_address_attributes_is_nothing(entry: Address, data: st.DataObject) -> None:
    """The same for addresses."""
    unknown = st.builds(spec.attribute, st.integers(12, 0x3FFF), st.binary(max_size=9))
    found = address_attributes(entry) + data.draw(st.lists(unknown, max_size=3))
    found = data.draw(st.permutations(found))
    assert read(spec.build(address_message(entry, attributes=found))) == [entry]


@few
@given(u8, st.booleans())
def test_flags_of_an_old_kernel(flags: int, inet: bool) -> None:
    """Without IFA_FLAGS the eight bits of the header count; without lifetimes it is for ever."""
    family, local = (AF_INET, bytes(4)) if inet else (AF_INET6, bytes(16))
    entry = Address(1, family, local, 8, flags)
    packed = spec.build(address_message(entry, attributes=[spec.attribute("IFA_ADDRESS", local)]))
    assert read(packed) == [entry]


@few
@given(errnos, names(60) | st.just(""), st.booleans(), st.binary(max_size=21))
def test_read_error(code: int, text: str, capped: bool, payload: bytes) -> None:
    """The errno and the text are found behind an echo of any length, cut or not."""
    packed = spec.build(error_message(code, 7, text, capped, payload))
    assert read(packed) == [(code, text)]


@few
@given(errnos, names(60) | st.just(""))
def test_read_done(code: int, text: str) -> None:
    """At the end of a dump the text follows the errno at once: nothing is echoed."""
    assert read(spec.build(done_message(code, 7, text))) == [(code, text)]


def test_read_done_without_a_number() -> None:
    """An NLMSG_DONE without a payload is an end without an error."""
    packed = codec.HEADER.pack(16, codec.NLMSG_DONE, 0, 1, 0)
    assert read(packed) == [(0, "")]


@few
@given(
    st.lists(
        st.one_of(
            devices().map(lambda value: (value, link_message)),
            addresses().map(lambda value: (value, address_message)),
        ),
        max_size=5,
    ),
    sequences,
)
def test_several_messages_are_read_in_order(values: list[Any], sequence: int) -> None:
    """A dump may mix messages in one datagram: all are found, with their sequence numbers."""
    made = [write(value, sequence) for value, write in values]
    packed = spec.build(*made, done_message(0, sequence))
    assert read(packed) == [*(value for value, _ in values), (0, "")]
    assert {found[2] for found in netlink.messages(packed)} == {sequence}


# What spec.py refuses


@pytest.mark.parametrize("cut", range(1, 40))
def test_the_specification_is_strict(cut: int) -> None:
    """A message that was cut short is not parsed, wherever the cut is."""
    packed = spec.build(error_message(1, 1, "text", capped=True))
    with pytest.raises(ConstructError):
        spec.parse(packed[:-cut])
