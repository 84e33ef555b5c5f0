"""Decoder for dumps of thousands of messages, by layout: faster than codec.py, with equal results.

Messages about devices of one kind, and about addresses of one sort, have the same attributes at the
same offsets. A layout holds the bytes of the headers, which must be equal, and the offsets of the
values between them. A message that fits no layout of its length is decoded by codec.py.
"""

from __future__ import annotations

from _struct import Struct

from netalias.kernel.netlink import codec
from netalias.model import AF_INET, FOREVER, Address, Device, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    _Message = Device | Address

LAYOUTS = 8
"""Layouts kept for one length of a message: texts may differ by some bytes."""
KEPT = 256
"""Layouts kept in all, some kilobytes each. Whoever follows the kernel for months meets ever new
lengths, of altnames and the like: then all are learnt anew."""

U32, U8 = "I", "B"
LINK_VALUES = {
    codec.IFLA_IFNAME: "",
    codec.IFLA_MTU: U32,
    codec.IFLA_ADDRESS: "",
    codec.IFLA_LINK: U32,
    codec.IFLA_MASTER: U32,
    codec.IFLA_GROUP: U32,
    codec.IFLA_IFALIAS: "",
    codec.IFLA_OPERSTATE: U8,
    codec.IFLA_STATS64: "32s",
    codec.IFLA_ALT_IFNAME: "",
    -1: "12s",
}
"""Attribute: the format of its value, empty for all of its bytes. The last one is codec.CONF."""
SETTINGS = -1
ADDRESS_VALUES = {
    codec.IFA_ADDRESS: "",
    codec.IFA_LOCAL: "",
    codec.IFA_BROADCAST: "",
    codec.IFA_LABEL: "",
    codec.IFA_PROTO: U8,
    codec.IFA_FLAGS: U32,
    codec.IFA_RT_PRIORITY: U32,
    codec.IFA_CACHEINFO: "16s",
}

_STATS = Struct("=QQQQ")


class Layout:
    """Offsets of the headers and values of one sort of message.

    A message has this layout when its bytes under ``mask`` are ``expected`` (both as little-endian
    numbers). ``unpack`` gives the values in the order of the message, and an empty one at the end;
    ``places`` holds the position of each attribute among them. ``like`` is the value of the first
    message of this layout, some fields of which are those of all.
    """

    __slots__ = ("expected", "like", "mask", "places", "unpack")

    def __init__(self, data: bytes, walk: _Walk, forms: Mapping[int, str], head: str) -> None:
        self.mask = int.from_bytes(walk.fixed, "little")
        self.expected = int.from_bytes(data, "little") & self.mask
        form, at = [f"={head}"], Struct(f"={head}").size
        inside = sorted((low, high, kind) for kind, (low, high) in walk.values.items())
        for low, high, kind in inside:
            code = forms[kind] or f"{high - low}s"
            form += [f"{low - at}x", code]
            at = low + Struct(f"={code}").size
        first = len(Struct(f"={head}").unpack(bytes(Struct(f"={head}").size)))
        order = [kind for _, _, kind in inside]
        last = first + len(order)
        self.places = [first + order.index(kind) if kind in order else last for kind in forms]
        self.unpack = Struct("".join([*form, "0s"])).unpack_from
        self.like: _Message | None = None


class _Walk:
    """The attributes of one message: ``fixed`` has 0xff for each byte of the layout, ``values``
    start and end of each value by attribute."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fixed = bytearray(len(data))
        self.values: dict[int, tuple[int, int]] = {}

    def fix(self, low: int, high: int) -> None:
        """Make these bytes part of the layout: equal in all of its messages."""
        self.fixed[low:high] = b"\xff" * (high - low)

    def attributes(self, start: int, end: int) -> Sequence[tuple[int, int, int]]:
        """Type, start and end of the payload of each attribute; fixes their headers. Raises
        WireError."""
        found = list(codec.spans(self.data, start, end))
        for _, low, _ in found:
            self.fix(low - codec.ATTR.size, low)
        return found


class Reader:
    """Decoder of messages of one type, given as datagram, start and end of the body."""

    def __init__(
        self,
        plain: Callable[[bytes, int, int], _Message],
        compile: Callable[[bytes], Layout | None],
        build: Callable[[Layout, bytes, int], _Message],
    ) -> None:
        self._plain = plain
        self._compile = compile
        self._build = build
        self._layouts: dict[int, list[Layout]] = {}
        self._kept = 0

    def __call__(self, data: bytes, start: int, end: int) -> _Message:
        """The Device or Address. Raises WireError."""
        layouts = self._layouts.get(end - start)
        if layouts:
            number = int.from_bytes(data[start:end], "little")
            for layout in layouts:
                if number & layout.mask == layout.expected:
                    return self._build(layout, data, start)
        found = self._plain(data, start, end)
        if self._kept >= KEPT or len(self._layouts) >= KEPT:
            self._layouts.clear()
            self._kept = 0
        elif layouts is None:
            self._layouts[end - start] = []  # a layout for the second message of a length
        elif len(layouts) < LAYOUTS:
            new = self._compile(data[start:end])
            if new is not None:
                new.like = found
                layouts.append(new)
                self._kept += 1
        return found


def _link_layout(data: bytes) -> Layout | None:
    """The layout of an RTM_NEWLINK; None with more than one altname."""
    walk = _Walk(data)
    for kind, low, high in walk.attributes(16, len(data)):
        if kind == codec.IFLA_LINKINFO:
            _fix_info(walk, low, high)
        elif kind == codec.IFLA_AF_SPEC:
            _fix_families(walk, low, high)
        elif kind == codec.IFLA_PROP_LIST:
            names = walk.attributes(low, high)
            if len(names) != 1 or names[0][0] != codec.IFLA_ALT_IFNAME:
                return None
            walk.values[codec.IFLA_ALT_IFNAME] = names[0][1:]
        elif kind in LINK_VALUES:
            walk.values[kind] = low, high
    return Layout(data, walk, LINK_VALUES, "2xHiI4x")


def _fix_info(walk: _Walk, low: int, high: int) -> None:
    """Make kind and mode part of the layout."""
    for kind, start, end in walk.attributes(low, high):
        if kind == codec.IFLA_INFO_KIND:
            walk.fix(start, end)
        elif kind == codec.IFLA_INFO_DATA:
            for inner, first, last in walk.attributes(start, end):
                if inner == codec.IFLA_MACVLAN_MODE:
                    walk.fix(first, last)


def _fix_families(walk: _Walk, low: int, high: int) -> None:
    for family, start, end in walk.attributes(low, high):
        if family == AF_INET:
            for kind, first, last in walk.attributes(start, end):
                at = first + codec.CONF_AT
                if kind == codec.IFLA_INET_CONF and at + codec.CONF.size <= last:
                    walk.values[SETTINGS] = at, at + codec.CONF.size


def _link(layout: Layout, data: bytes, start: int) -> Device:
    values = layout.unpack(data, start)
    name, mtu, mac, link, master, group, ifalias, operstate, stats, altname, conf = [
        values[place] for place in layout.places
    ]
    announce, ignore, promote = codec.CONF.unpack(conf) if conf else (0, 0, 0)
    like = layout.like
    assert isinstance(like, Device)
    return Device(
        values[1],
        _text(name),
        values[2],
        values[0],
        altnames=(_text(altname),) if altname else (),
        mtu=mtu or 0,
        mac=mac,
        kind=like.kind,
        mode=like.mode,
        link=link or 0,
        remote=like.remote,
        master=master or 0,
        group=group or 0,
        ifalias=_text(ifalias),
        operstate=operstate or 0,
        inet6=like.inet6,
        arp_announce=announce,
        arp_ignore=ignore,
        promote=bool(promote),
        stats=Stats(*_STATS.unpack(stats)) if stats else None,
    )


def _address_layout(data: bytes) -> Layout | None:
    walk = _Walk(data)
    walk.fix(0, 1)  # the family
    for kind, low, high in walk.attributes(8, len(data)):
        if kind in ADDRESS_VALUES:
            walk.values[kind] = low, high
    return Layout(data, walk, ADDRESS_VALUES, "BBBBI")


def _address(layout: Layout, data: bytes, start: int) -> Address:
    values = layout.unpack(data, start)
    outer, local, broadcast, label, protocol, flags, metric, lifetimes = [
        values[place] for place in layout.places
    ]
    local = local or outer
    preferred = valid = FOREVER
    stamp = 0
    if lifetimes:
        preferred, valid, _, stamp = codec.CACHEINFO.unpack(lifetimes)
    return Address(
        values[4],
        values[0],
        local,
        values[1],
        values[2] if flags == b"" else flags,
        values[3],
        peer=outer if outer != local else b"",
        broadcast=broadcast,
        label=_text(label),
        protocol=protocol or 0,
        metric=metric or 0,
        valid=valid,
        preferred=preferred,
        age=0 if valid == FOREVER else codec.since(stamp),
    )


def _text(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode("utf-8", "surrogateescape")


def links() -> Reader:
    """A reader of RTM_NEWLINK."""
    return Reader(codec.read_link, _link_layout, _link)


def addresses() -> Reader:
    """A reader of RTM_NEWADDR."""
    return Reader(codec.read_address, _address_layout, _address)


READERS = {codec.RTM_NEWLINK: links, codec.RTM_NEWADDR: addresses}
