"""What the tests of the codec share: strategies of values, and those values as spec messages."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from netalias.kernel.netlink import spec
from netalias.model import AF_INET, AF_INET6, Address, Device, Stats

few = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The specification is slow: some examples a test, no stopwatch."""

FOREVER = 0xFFFFFFFF
SIZES = {AF_INET: 4, AF_INET6: 16}
MODES = {"macvlan": (1, 2, 4, 8, 16), "macvtap": (1, 4), "ipvlan": (0, 1, 2), "ipvtap": (0, 1)}

u8 = st.integers(0, 0xFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 2**64 - 1)
indexes = st.integers(1, 0x7FFFFFFF)
sequences = st.integers(1, 0xFFFFFFFF)
macs = st.binary(min_size=6, max_size=6)
errnos = st.integers(0, 4095)


def names(size: int = 15) -> st.SearchStrategy[str]:
    """Any bytes the kernel could hold as a name, and so also what is no UTF-8."""
    letters = st.integers(1, 255)
    return st.lists(letters, min_size=1, max_size=size).map(
        lambda codes: bytes(codes).decode("utf-8", "surrogateescape")
    )


def clean_names(size: int = 15) -> st.SearchStrategy[str]:
    """Names that are UTF-8, in at most *size* bytes."""
    letters = st.characters(min_codepoint=1, exclude_categories=["Cs"])
    return st.text(letters, min_size=1, max_size=size).filter(
        lambda text: len(text.encode()) <= size
    )


@st.composite
def addresses(draw: st.DrawFn, labels: st.SearchStrategy[str] | None = None) -> Address:
    """Addresses of both families as the kernel could hold them."""
    family = draw(st.sampled_from([AF_INET, AF_INET6]))
    packed = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    local = draw(packed)
    inet = family == AF_INET
    return Address(
        draw(indexes),
        family,
        local,
        draw(st.integers(0, 8 * SIZES[family])),
        draw(u32),
        draw(u8),
        peer=draw(st.just(b"") | packed.filter(lambda peer: peer != local)),
        broadcast=draw(st.just(b"") | packed) if inet else b"",
        label=draw(st.just("") | (names() if labels is None else labels)) if inet else "",
        protocol=draw(u8),
        metric=draw(u32),
        valid=draw(st.just(FOREVER) | u32),
        preferred=draw(st.just(FOREVER) | u32),
    )


@st.composite
def devices(draw: st.DrawFn, texts: st.SearchStrategy[str] | None = None) -> Device:
    """Devices as the kernel could hold them."""
    texts = names() if texts is None else texts
    kind = draw(st.sampled_from(["", "dummy", "bridge", *MODES]))
    return Device(
        draw(indexes),
        draw(texts),
        draw(u32),
        draw(st.sampled_from([1, 772, 65534])),
        altnames=draw(st.lists(texts, max_size=3)),
        mtu=draw(u32),
        mac=draw(st.just(b"") | macs),
        kind=kind,
        mode=draw(st.sampled_from(MODES[kind])) if kind in MODES else -1,
        link=draw(u32),
        remote=draw(st.booleans()),
        master=draw(u32),
        group=draw(u32),
        ifalias=draw(st.just("") | texts),
        operstate=draw(st.integers(0, 6)),
        inet6=draw(st.booleans()),
        arp_announce=draw(st.integers(0, 2)),
        arp_ignore=draw(st.integers(0, 8)),
        promote=draw(st.booleans()),
        stats=draw(st.none() | st.builds(Stats, u64, u64, u64, u64)),
    )


def message(type: str, body: Any, sequence: int = 1, flags: Any = ()) -> dict[str, Any]:
    """A message for spec.build()."""
    return {"type": type, "flags": flags, "sequence": sequence, "body": body}


def link_attributes(device: Device) -> list[dict[str, Any]]:
    """The attributes by which the kernel describes *device*."""
    item = spec.attribute
    found = [
        item("IFLA_IFNAME", device.name),
        item("IFLA_MTU", device.mtu),
        item("IFLA_OPERSTATE", device.operstate),
        item("IFLA_GROUP", device.group),
        item("IFLA_AF_SPEC", _af_spec(device)),
    ]
    if device.mac:
        found.append(item("IFLA_ADDRESS", device.mac))
    if device.link:
        found.append(item("IFLA_LINK", device.link))
    if device.master:
        found.append(item("IFLA_MASTER", device.master))
    if device.ifalias:
        found.append(item("IFLA_IFALIAS", device.ifalias))
    if device.remote:
        found.append(item("IFLA_LINK_NETNSID", 0))
    if device.altnames:
        altnames = [item("IFLA_ALT_IFNAME", name) for name in device.altnames]
        found.append(item("IFLA_PROP_LIST", altnames))
    if device.stats is not None:
        counters = {name: getattr(device.stats, name) for name in Stats.__slots__}
        found.append(item("IFLA_STATS64", {**counters, "rest": bytes(136)}))
    if device.kind:
        info = [item("IFLA_INFO_KIND", device.kind)]
        if device.mode >= 0:
            mode = item(
                "IFLA_IPVLAN_MODE" if device.kind.startswith("ipv") else "IFLA_MACVLAN_MODE",
                device.mode,
            )
            info.append(item("IFLA_INFO_DATA", [mode]))
        found.append(item("IFLA_LINKINFO", info, nested=False))
    return found


def _af_spec(device: Device) -> list[dict[str, Any]]:
    own = {
        "arp_announce": device.arp_announce,
        "arp_ignore": device.arp_ignore,
        "promote_secondaries": int(device.promote),
    }
    conf = {"forwarding": 1, **own, "arp_accept": 1}
    families = [spec.attribute("AF_INET", [spec.attribute("IFLA_INET_CONF", conf)])]
    if device.inet6:
        mode = spec.attribute("IFLA_INET6_ADDR_GEN_MODE", 1)
        families.append(spec.attribute("AF_INET6", [mode]))
    return families


def link_message(
    device: Device, sequence: int = 1, attributes: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The RTM_NEWLINK by which the kernel describes *device*."""
    body = {
        "ifi_type": device.type,
        "ifi_index": device.index,
        "ifi_flags": device.flags,
        "attributes": link_attributes(device) if attributes is None else attributes,
    }
    return message("RTM_NEWLINK", body, sequence, ["NLM_F_MULTI"])


def address_attributes(entry: Address) -> list[dict[str, Any]]:
    """The attributes by which the kernel describes *entry*."""
    item = spec.attribute
    found = [
        item("IFA_ADDRESS", entry.peer or entry.local),
        item("IFA_FLAGS", entry.flags),
        item("IFA_CACHEINFO", {"ifa_prefered": entry.preferred, "ifa_valid": entry.valid}),
    ]
    if entry.family == AF_INET or entry.peer:
        found.append(item("IFA_LOCAL", entry.local))
    if entry.broadcast:
        found.append(item("IFA_BROADCAST", entry.broadcast))
    if entry.label:
        found.append(item("IFA_LABEL", entry.label))
    if entry.metric:
        found.append(item("IFA_RT_PRIORITY", entry.metric))
    if entry.protocol:
        found.append(item("IFA_PROTO", entry.protocol))
    return found


def address_message(
    entry: Address, sequence: int = 1, attributes: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The RTM_NEWADDR by which the kernel describes *entry*."""
    body = {
        "ifa_family": entry.family,
        "ifa_prefixlen": entry.prefixlen,
        "ifa_flags": entry.flags & 0xFF,
        "ifa_scope": entry.scope,
        "ifa_index": entry.index,
        "attributes": address_attributes(entry) if attributes is None else attributes,
    }
    return message("RTM_NEWADDR", body, sequence, ["NLM_F_MULTI"])


def error_message(
    code: int, sequence: int = 1, text: str = "", capped: bool = True, payload: bytes = b""
) -> dict[str, Any]:
    """The NLMSG_ERROR for the errno *code*, or the acknowledgement when it is 0."""
    flags = ["NLM_F_CAPPED"] if capped else []
    body: dict[str, Any] = {
        "error": -code,
        "msg": {
            "length": 16 + len(payload),
            "type": "RTM_NEWLINK",
            "flags": ["NLM_F_REQUEST"],
            "sequence": sequence,
        },
    }
    if not capped:
        body["payload"] = payload + bytes(-len(payload) % 4)
    if text:
        flags.append("NLM_F_ACK_TLVS")
        body["attributes"] = [
            spec.attribute("NLMSGERR_ATTR_OFFS", 20),
            spec.attribute("NLMSGERR_ATTR_MSG", text),
        ]
    return message("NLMSG_ERROR", body, sequence, flags)


def done_message(code: int = 0, sequence: int = 1, text: str = "") -> dict[str, Any]:
    """The NLMSG_DONE that ends a dump."""
    body: dict[str, Any] = {"error": -code}
    flags = ["NLM_F_MULTI"]
    if text:
        flags.append("NLM_F_ACK_TLVS")
        body["attributes"] = [spec.attribute("NLMSGERR_ATTR_MSG", text)]
    return message("NLMSG_DONE", body, sequence, flags)
