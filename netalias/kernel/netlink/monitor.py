"""An rtnetlink monitor: changes of devices, addresses and routes as one ordered stream of events.

One socket receives announcements, another one reads dumps. Where announcements were lost (ENOBUFS),
the rest of them is dropped, everything is read again, announcements during the reading are applied
to it, and the difference to the known state is reported: every change once.

The kernel does not announce the IPv4 routes that it drops when a device goes down or an address is
removed (fib_flush); so they are read again then.
"""

from __future__ import annotations

from _struct import Struct, error  # type: ignore[attr-defined]

from netalias.errors import NetaliasError, WireError
from netalias.kernel.netlink import GET_LOCAL_ROUTES, codec
from netalias.kernel.netlink.announced import FILTER, is_default
from netalias.kernel.netlink.ethtool import Media
from netalias.kernel.netlink.listed import arrange, is_late
from netalias.kernel.netlink.subscription import ROOM, Subscription
from netalias.model import AF_INET, AF_INET6, AF_UNSPEC, PROTOCOL, RT_TABLE_LOCAL
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    LINK,
    LOCAL,
    NETNS,
    ROUTE,
    RULE,
    Entry,
    Event,
    Route,
    State,
    address_key,
    apply,
    difference,
    local_key,
    route_key,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.kernel.netlink.subscription import Message
    from netalias.model.events import Key, Word

# linux/rtnetlink.h, linux/net_namespace.h, linux/if_link.h.
RTM_NEWNSID = 88
RTM_DELNSID = 89
RTM_GETNSID = 90
NETNSA_NSID = 1
IFLA_NEW_NETNSID = 45
IFLA_NEW_IFINDEX = 49
RTM_F_CLONED = 0x200

GROUPS = (
    codec.RTNLGRP_LINK,
    codec.RTNLGRP_IPV4_IFADDR,
    codec.RTNLGRP_IPV6_IFADDR,
    codec.RTNLGRP_NSID,
)
ROUTE_GROUPS = (codec.RTNLGRP_IPV4_ROUTE, codec.RTNLGRP_IPV6_ROUTE)
RULE_GROUPS = (8, 19)
"""RTNLGRP_IPV4_RULE and RTNLGRP_IPV6_RULE of linux/rtnetlink.h."""
RTM_DELRULE = 33

NEXTHOP = Struct("=HBBi")
_U32 = Struct("=I")
_I32 = Struct("=i")

TURN = 4096
"""Announcements that are handled in a tenth of a second."""
UPPER = ("macvlan", "macvtap", "ipvlan", "ipvtap", "vlan")
"""Kinds that answer with the media of their lower device."""


class Monitor:
    """The events of the namespace of the calling thread; ``state`` is what is known.

    *routes*: those of the routing tables too, but the local one; *media*: those of the cards too.
    *connected*: of the routes only the deletion of those that the kernel itself has added, and of
    rules and routes with our mark, and both changes of default routes, told alike; the state knows
    nothing of these, but of our local routes. *latest*: of an address that changes several times
    between two readings only the last change, unless it is by the socket with this netlink port ID;
    and in a flood what is known, with ``lost``. *buffer* is the size of the receive buffers in
    bytes, 0 for large ones; *adopted* is the descriptor of the socket of an earlier monitor, whose
    unread announcements are the first events after start(). ``port_id`` is the netlink port ID of
    the request behind the event that is being given, 0 if there is none, or none is known.
    ``lost``: announcements were lost, and reading everything again has failed, or some were lost
    during it; read() tries it again. ``missed``: some were lost since the reader has reset it.
    Raises KernelError.
    """

    def __init__(
        self,
        *,
        routes: bool = False,
        media: bool = True,
        connected: bool = False,
        latest: int | None = None,
        buffer: int = 0,
        adopted: int = -1,
    ) -> None:
        self._latest = latest
        self._adopted = adopted >= 0
        self.state = State()
        self.port_id = 0
        self.lost = self.missed = False
        self._routes = routes
        self._stale = False
        self._unplaced: set[int] = set()
        self._connected = connected
        groups = GROUPS + (ROUTE_GROUPS if routes else ())
        self._heard = Subscription(groups=groups, buffer=buffer, adopted=adopted)
        if connected:
            self._heard.filter(FILTER)
            for group in ROUTE_GROUPS + RULE_GROUPS:
                self._heard.join(group)
        self._asked = Subscription()
        self._asked.strict()
        self._media = Media(buffer) if media else None

    def close(self) -> None:
        """Close the sockets."""
        self._heard.close()
        self._asked.close()
        if self._media is not None:
            self._media.close()

    def fileno(self) -> int:
        """The descriptor of the socket that receives the announcements of rtnetlink."""
        return self._heard.fileno()

    @property
    def behind(self) -> bool:
        """Whether there may be more announcements than the last read() has taken."""
        return self._heard.behind

    def filenos(self) -> list[int]:
        """Those that are to be polled for reading."""
        found = [self._heard.fileno()]
        return found if self._media is None else [*found, self._media.fileno()]

    def start(self) -> Iterator[Event]:
        """Everything that is there, as arrivals."""
        if self._adopted:
            # What is announced already may be older than this reading: each object has the state of
            # its last announcement in the end, and no change between the two monitors is missed.
            yield from difference(self.state, self._dumped())
        else:
            yield from self._again()
        self.missed = False
        self._place()
        if self._media is not None and self._media.present:
            yield from self._told(self._media.all())

    def read(self, most: int = ROOM) -> Iterator[Event]:
        """The events since the last call; it does not wait. No more than *most* announcements: in a
        flood the rest can be read at once, when other things are done. Raises WireError and
        KernelError."""
        try:
            if self.lost:
                yield from self._followed(self._again())
            for message in self._announced(most):
                if message is None:
                    self.port_id = 0
                    yield from self._followed(self._again())
                    break
                self.port_id = _port_id(message)
                yield from self._followed(self._applied(self.state, message))
            self.port_id = 0
            if self._stale:
                yield from self._reroute()
            self._place()
        except NetaliasError:
            self.lost = True
            raise
        finally:
            self.port_id = 0
        if self._media is not None:
            yield from self._told(self._media.read())

    def _announced(self, most: int) -> Iterator[Message | None]:
        heard, own = self._heard, self._latest
        return heard.latest(most, own) if own is not None else heard.read(most=most)

    def _applied(self, state: State, message: Message) -> Iterator[Event]:
        word = _word(message)
        if word is None:
            return
        # The route that a new one replaces, and those that it is joined with, are not named.
        key, kind, flags = word[0], *message[:2]
        new = kind == codec.RTM_NEWROUTE and key[0] == ROUTE
        if new and self._connected and not is_default(key[2]):
            return
        if key[0] == LOCAL and not self._connected:
            return
        if key[0] == RULE or (key[0] == ROUTE and self._connected):
            yield Event(key[0], key, "", key[2], None, device=state.device(key[1]), subject=key[2])
            return
        if key[0] == ROUTE and (flags & codec.NLM_F_REPLACE or len(key[2].devices) != 1):
            self._stale = True
        yield from apply(state, *word)

    def _followed(self, found: Iterator[Event]) -> Iterator[Event]:
        """The events, and what has to be asked because of them."""
        for event in found:
            yield event
            yield from self._unannounced(event)
            if event.what in (ARRIVAL, CARRIER):
                self._ask(event.key[1])
            self._stale |= self._routes and _drops_routes(event)
            if event.what == ADDRESS and event.old is None and is_late(event.new.address):  # type: ignore[attr-defined]
                self._unplaced.add(event.key[1])

    def _unannounced(self, event: Event) -> Iterator[Event]:
        """The local IPv4 routes that go with the last IPv4 address of their device (fib_disable_ip)
        and are not announced."""
        if event.what != ADDRESS or event.new is not None or event.key[2] != AF_INET:
            return
        index = event.key[1]
        keys = iter(self.state.parts.get(index, ()))  # as few as needed: thousands may go at once
        if not any(key[0] == ADDRESS and key[2] == AF_INET for key in keys):
            for key, route in self.state.of(index, LOCAL):
                if route.family == AF_INET:
                    yield from apply(self.state, key, None)

    def _ask(self, index: int) -> None:
        device = self.state.device(index)
        if self._media is None or not self._media.present:
            return
        if device is not None and device.kind not in UPPER:
            self._media.ask(index)

    def _told(self, words: Iterator[Word]) -> Iterator[Event]:
        for key, values, _ in words:
            device = self.state.device(key[1])
            if device is not None and device.kind not in UPPER:
                yield from apply(self.state, key, values)

    def _again(self) -> Iterator[Event]:
        """Read everything; what has changed.

        Where announcements are lost meanwhile too it is read once more, or with *latest* ``lost``
        is set: in a flood there may be no better reading. Nor do announcements end then: the rest
        comes after this reading, and until then an object may be as it was before it.
        """
        most = ROOM if self._latest is None else TURN
        while True:
            meanwhile: set[int] = set()
            self.missed = True
            self._heard.drain()
            fresh = self._dumped()
            lost = False
            for message in self._announced(most):
                if message is None:
                    lost = True
                elif not lost:
                    for event in self._applied(fresh, message):
                        if event.what == ADDRESS:
                            meanwhile.add(event.key[1])
            if not lost or self._latest is not None:
                break
        self.lost = lost
        yield from difference(self.state, fresh)
        self._unplaced = set() if lost else meanwhile

    def _place(self) -> None:
        """Have the addresses in order whose announcements do not tell it."""
        if self._unplaced and not self.lost:
            arrange(self.state, self._asked, sorted(self._unplaced))
            self._unplaced.clear()

    def _dumped(self) -> State:
        fresh = State()
        address = [codec.IFADDR.pack(family, 0, 0, 0, 0) for family in (AF_INET, AF_INET6)]
        links = codec.ifinfo() + codec.attr_u32(codec.IFLA_EXT_MASK, codec.RTEXT_FILTER_SKIP_STATS)
        self._take(fresh, codec.RTM_GETLINK, links)
        for body in address:
            # The kernel's list of IPv6 addresses begins with the newest (ipv6_link_dev_addr).
            self._take(fresh, codec.RTM_GETADDR, body, backwards=body is address[1])
        self._take(fresh, RTM_GETNSID, bytes(4))
        if self._routes:
            self._take_routes(fresh)
        if self._connected:
            self._take(fresh, codec.RTM_GETROUTE, GET_LOCAL_ROUTES[16:])
        return fresh

    def _take(self, fresh: State, kind: int, body: bytes, *, backwards: bool = False) -> None:
        attempts = self._asked.dump(kind, body)
        for attempt in attempts:
            if backwards:
                attempt.reverse()
            for message in attempt:
                for _ in self._applied(fresh, message):
                    pass
        if len(attempts) > 1:  # what both have stands where the later one has it
            for word in map(_word, attempts[-1]):
                if word is not None:
                    fresh.arrange(word[0][1], word[:1])

    def _take_routes(self, fresh: State) -> None:
        self._stale = False
        for family in (AF_INET, AF_INET6):
            self._take(fresh, codec.RTM_GETROUTE, codec.RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
        self._stale = False  # what a dump says needs no second one

    def _reroute(self) -> Iterator[Event]:
        fresh = State()
        self._take_routes(fresh)
        for state, other, gone in ((self.state, fresh, True), (fresh, self.state, False)):
            keys = [key for parts in state.parts.values() for key in parts if key[0] == ROUTE]
            for key in keys:
                if other.get(key) is None:
                    yield from apply(self.state, key, None if gone else key[2])


def _word(message: Message) -> Word | None:
    """The object of a message and its value, as its reader gives it; None for none that counts."""
    kind, _, _, data, start, end = message
    reader = READERS.get(kind)
    return reader(data, start, end) if reader is not None else None


def _port_id(message: Message) -> int:
    """The port ID of the socket that caused the message (nlmsg_pid of struct nlmsghdr)."""
    _, _, _, data, start, _ = message
    return int(_U32.unpack_from(data, start - 4)[0])


def _drops_routes(event: Event) -> bool:
    if event.what == FLAG:
        return event.field == "UP" and not event.new
    return event.what == DEPARTURE or (event.what == ADDRESS and event.new is None)


def _link(data: bytes, start: int, end: int) -> Word | None:
    """The change by an RTM_NEWLINK; None for those of bridge ports and radios (other families)."""
    key = _index(data, start, end)
    if key is None or codec.IFLA_IFNAME not in codec.attributes(data, start + 16, end):
        return None
    return key, codec.read_link(data, start, end), None


def _no_link(data: bytes, start: int, end: int) -> Word | None:
    key = _index(data, start, end)
    if key is None:
        return None
    found = codec.attributes(data, start + 16, end)
    moved = None
    if IFLA_NEW_NETNSID in found:
        moved = _signed(found, IFLA_NEW_NETNSID), _signed(found, IFLA_NEW_IFINDEX)
    return key, None, moved


def _index(data: bytes, start: int, end: int) -> Key | None:
    if end - start < 16:
        raise WireError(f"a link message of {end - start} bytes")
    family, _, index, _, _ = codec.IFINFO.unpack_from(data, start)
    return (LINK, index) if family == AF_UNSPEC else None


def _address(data: bytes, start: int, end: int) -> Word | None:
    address = codec.read_address(data, start, end)
    times = codec.attributes(data, start + 8, end).get(codec.IFA_CACHEINFO)
    stamp = codec.CACHEINFO.unpack(times)[3] if times else 0
    return address_key(address), Entry(address, stamp), None


def _no_address(data: bytes, start: int, end: int) -> Word | None:
    return address_key(codec.read_address(data, start, end)), None, None


def _route(data: bytes, start: int, end: int) -> Word | None:
    """The change by an RTM_NEWROUTE; None for one of the local table that is not ours, or a cloned
    one."""
    if end - start < codec.RTMSG.size:
        raise WireError(f"a route message of {end - start} bytes")
    family, length, _, tos, table, protocol, scope, kind, flags = codec.RTMSG.unpack_from(
        data, start
    )
    found = codec.attributes(data, start + codec.RTMSG.size, end)
    try:
        table = _U32.unpack(found[codec.RTA_TABLE])[0] if codec.RTA_TABLE in found else table
        if table == RT_TABLE_LOCAL and protocol == PROTOCOL:
            return _local(data, start, end)
        if table == RT_TABLE_LOCAL or flags & RTM_F_CLONED or family not in (AF_INET, AF_INET6):
            return None
        route = Route(
            family,
            found.get(codec.RTA_DST, b""),
            length,
            _devices(found),
            gateway=found.get(codec.RTA_GATEWAY, found.get(codec.RTA_VIA, b"")[2:]),
            source=found.get(codec.RTA_PREFSRC, b""),
            metric=_U32.unpack(found[codec.RTA_PRIORITY])[0] if codec.RTA_PRIORITY in found else 0,
            table=table,
            protocol=protocol,
            scope=scope,
            tos=tos,
            type=kind,
        )
    except error as problem:
        raise WireError(f"a route message is malformed: {problem}") from None
    return route_key(route), route, None


def _local(data: bytes, start: int, end: int) -> Word | None:
    """The change of a local route with our mark; None where its metric holds no slot."""
    from netalias.kernel.netlink.local_routes import read_local

    local = read_local(data, start, end)
    return (local_key(local), local, None) if local is not None else None


def _no_route(data: bytes, start: int, end: int) -> Word | None:
    word = _route(data, start, end)
    return (word[0], None, None) if word is not None else None


def _no_rule(data: bytes, start: int, end: int) -> Word | None:
    """The deletion of a rule with our mark; None for others."""
    from netalias.kernel.netlink.rules import read_rule

    rule = read_rule(data, start, end)
    return ((RULE, 0, rule), None, None) if rule is not None else None


def _devices(found: dict[int, bytes]) -> tuple[int, ...]:
    """The index in RTA_OIF, or in each struct rtnexthop of RTA_MULTIPATH."""
    hops = found.get(codec.RTA_MULTIPATH)
    if hops is None:
        return (_I32.unpack(found[codec.RTA_OIF])[0],) if codec.RTA_OIF in found else ()
    indexes, offset = [], 0
    while len(hops) - offset >= NEXTHOP.size:
        length, _, _, index = NEXTHOP.unpack_from(hops, offset)
        if length < NEXTHOP.size or offset + length > len(hops):
            raise WireError(f"a next hop claims {length} of {len(hops) - offset} bytes")
        indexes.append(index)
        offset += (length + 3) & ~3
    return tuple(indexes)


def _netns(data: bytes, start: int, end: int) -> Word | None:
    number = _signed(codec.attributes(data, start + 4, end), NETNSA_NSID)
    return (NETNS, 0, number), number, None


def _no_netns(data: bytes, start: int, end: int) -> Word | None:
    word = _netns(data, start, end)
    return (word[0], None, None) if word is not None else None


def _signed(found: dict[int, bytes], kind: int) -> int:
    try:
        return int(_I32.unpack(found[kind])[0]) if kind in found else -1
    except error as problem:
        raise WireError(f"a number is malformed: {problem}") from None


READERS: dict[int, Callable[[bytes, int, int], Word | None]] = {
    codec.RTM_NEWLINK: _link,
    codec.RTM_DELLINK: _no_link,
    codec.RTM_NEWADDR: _address,
    codec.RTM_DELADDR: _no_address,
    codec.RTM_NEWROUTE: _route,
    codec.RTM_DELROUTE: _no_route,
    RTM_DELRULE: _no_rule,
    RTM_NEWNSID: _netns,
    RTM_DELNSID: _no_netns,
}
"""Type of message: its reader, which gives the object and its value."""
