"""Readings for a diagnosis through pyroute2: routes, neighbours, names in firewall tables, and what
refers to a device by its index: rules of the policy and of firewalls, sockets.

No short command needs them. The namespace is that of the calling thread; nothing is changed, and no
packet is sent.
"""

from __future__ import annotations

from _socket import inet_pton
from errno import EBADMSG, EINTR
from sys import byteorder
from time import sleep

from pyroute2 import DiagSocket, IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import (  # type: ignore[import-untyped]
    NetlinkDecodeError,
    NetlinkDumpInterrupted,
    NetlinkError,
)
from pyroute2.netlink.nfnetlink.nftsocket import (  # type: ignore[import-untyped]
    NFT_MSG_GETSETELEM,
    nft_set_elem_list_msg,
)
from pyroute2.nftables.main import NFTables  # type: ignore[import-untyped]

from netalias import errors
from netalias.kernel.pyroute.gateways import DUMP_TRIES, PAUSE, read
from netalias.model import AF_INET, AF_INET6, RTN_UNICAST, Value, address_text
from netalias.model.events import Route
from netalias.model.gateways import Gateways, ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

ERRORS = (NetlinkError, NetlinkDecodeError, OSError)
"""Exceptions of a request: the kernel's refusal, an undecodable answer, a dead socket."""

NUD_FAILED = 0x20
"""State of a neighbour that did not answer (linux/neighbour.h)."""

NFT_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""NFPROTO_* of linux/netfilter.h as nft(8) names them."""

# Data types of nftables (include/datatype.h there): a concatenation has 6 bits for each type.
NFT_IFINDEX = 20
NFT_IFNAME = 41
NFT_TYPE_BITS = 6
IFNAME_SIZE = 16


RULE_WORDS = (("iif", 0x8, "FRA_IIFNAME"), ("oif", 0x10, "FRA_OIFNAME"))
"""Word of ip-rule(8), flag FIB_RULE_*_DETACHED and attribute (linux/fib_rules.h)."""

PROTOCOLS = (("tcp", 6, 1 << 10), ("udp", 17, 0xFFF))
"""Word, number, and the states of sockets that wait for others: TCP_LISTEN of
net/tcp_states.h; every state of UDP."""


class DetachedRule(Value):
    """A rule of the policy for a device that was not there when it was looked for.

    ``word`` is iif or oif, ``name`` the device as the rule has it.
    """

    __slots__ = ("family", "name", "priority", "word")

    def __init__(self, family: int, priority: int, word: str, name: str) -> None:
        self.family = family
        self.priority = priority
        self.word = word
        self.name = name


class Way(Value):
    """The path of a packet to an address: index of the device, whether to a router, and the packed
    address that it is sent from, or empty."""

    __slots__ = ("device", "gateway", "source")

    def __init__(self, device: int, gateway: bool = False, source: bytes = b"") -> None:
        self.device = device
        self.gateway = gateway
        self.source = source


def routes(wanted: Iterable[tuple[int, bytes]]) -> tuple[list[Route], dict[bytes, Way]]:
    """All routes of all tables, and the Way to each *wanted* (family, address) that has a route.

    Raises KernelError.
    """
    messages = _asked("list of routes", lambda socket: list(socket.get_routes()))
    found = [_route(one) for one in messages if one["family"] in (AF_INET, AF_INET6)]
    places = list(wanted)
    ways = _asked("ways", lambda socket: [_way(socket, *place) for place in places])
    return found, {
        packed: way for (_, packed), way in zip(places, ways, strict=True) if way is not None
    }


def gateways() -> Gateways:
    """The rules and routes of gateways. Raises KernelError."""
    (found,) = _asked("list of rules", lambda socket: [read(socket)])
    return Gateways(list(filter(ours, found.rules)), list(filter(ours, found.ways)))


def unanswered() -> dict[int, str]:
    """Devices that have never received a frame for their MAC: index, and the text of a neighbour
    there that did not answer (NUD_FAILED). Raises KernelError.
    """
    found = {
        message["ifindex"]: message.get_attr("NDA_DST")
        for message in _asked("list of neighbours", lambda socket: list(socket.get_neighbours()))
        if message["state"] & NUD_FAILED and message["family"] in (AF_INET, AF_INET6)
    }
    if not found:
        return {}
    links = _asked("list of devices", lambda socket: list(socket.get_links(*found)))
    return {link["index"]: found[link["index"]] for link in links if not _received(link)}


def _received(link: Any) -> int:
    """The number of frames for the MAC of a device; multicasts are counted apart."""
    stats = link.get_attr("IFLA_STATS64") or {"rx_packets": 1, "multicast": 0}
    return int(stats["rx_packets"]) - int(stats["multicast"])


def _asked(
    operation: str, work: Callable[[Any], list[Any]], opened: Callable[[], Any] = IPRoute
) -> list[Any]:
    """The result of *work*, repeated while a dump is inconsistent. Raises KernelError."""
    for number in range(DUMP_TRIES):
        sleep(number * PAUSE)
        try:
            with opened() as socket:
                return work(socket)
        except NetlinkDumpInterrupted:
            continue
        except ERRORS as problem:
            code = getattr(problem, "code", 0) or getattr(problem, "errno", 0) or EBADMSG
            raise errors.kernel_error(operation, abs(code)) from None
    raise errors.kernel_error(operation, EINTR)


def _route(message: Any) -> Route:
    family = message["family"]
    size = 4 if family == AF_INET else 16
    text = message.get_attr("RTA_DST")
    hops = message.get_attr("RTA_MULTIPATH") or ()
    devices = [hop["oif"] for hop in hops] or [message.get_attr("RTA_OIF") or 0]
    return Route(
        family,
        inet_pton(family, text) if text else bytes(size),
        message["dst_len"],
        tuple(devices),
        gateway=_gateway(message),
        type=message["type"],
        table=message.get_attr("RTA_TABLE") or message["table"],
    )


def _gateway(message: Any) -> bytes:
    """The router, packed; empty for none, and for next hops, which may have one each."""
    via = message.get_attr("RTA_VIA") or {}
    text = message.get_attr("RTA_GATEWAY") or via.get("addr")
    return inet_pton(AF_INET6 if ":" in text else AF_INET, text) if text else b""


def _way(socket: Any, family: int, packed: bytes) -> Way | None:
    try:
        (found,) = socket.route("get", family=family, dst=address_text(family, packed))
    except NetlinkError:
        return None  # ENETUNREACH, EHOSTUNREACH, or the answer of a policy rule
    if found["type"] != RTN_UNICAST:
        return None
    source = found.get_attr("RTA_PREFSRC")
    return Way(
        found.get_attr("RTA_OIF") or 0,
        bool(_gateway(found)),
        inet_pton(family, source) if source else b"",
    )


def detached() -> list[DetachedRule]:
    """The rules of the policy that wait for a device. Raises KernelError."""
    rules = _asked(
        "rules", lambda socket: [*socket.get_rules(), *socket.get_rules(family=AF_INET6)]
    )
    found = {}
    for rule in rules:
        for word, flag, attribute in RULE_WORDS:
            if rule["flags"] & flag:
                priority, name = rule.get_attr("FRA_PRIORITY") or 0, rule.get_attr(attribute)
                one = DetachedRule(rule["family"], priority, word, name)
                found[one] = one  # the first list may have both families
    return list(found)


def bound() -> set[tuple[str, int]]:
    """The sockets that are bound to a device and wait for others: text and index of the device.

    Raises KernelError.
    """

    def sockets(diag: Any) -> list[Any]:
        return [
            (word, one)
            for family in (AF_INET, AF_INET6)
            for word, number, states in PROTOCOLS
            for one in diag.get_sock_stats(family=family, protocol=number, states=states)
        ]

    found = _asked("sockets", sockets, DiagSocket)
    return {(f"{word} {_place(one)}", one["idiag_if"]) for word, one in found if one["idiag_if"]}


def _place(socket: Any) -> str:
    """Address and port of a socket: ``0.0.0.0:80``, ``[::]:80``."""
    text = socket["idiag_src"]
    return f"{f'[{text}]' if ':' in text else text}:{socket['idiag_sport']}"


def firewall() -> tuple[set[tuple[str, str, str]], set[tuple[str, str, int]]]:
    """Family, table and text of all values that nftables may compare with a device name; family,
    table and number of all indexes that it compares a device with.

    Raises KernelError, NotPermitted without CAP_NET_ADMIN.
    """
    found: set[tuple[str, str, str]] = set()
    indexes: set[tuple[str, str, int]] = set()
    rules, sets = _asked(
        "firewall tables",
        lambda socket: [socket.get_rules(), socket.get_sets()],
        lambda: NFTables(nfgen_family=0),
    )
    for message in rules:
        table, family = message.get_attr("NFTA_RULE_TABLE"), message["nfgen_family"]
        _note(found, message, table, family)
        indexes.update((_family(family), table, index) for index in _compared(message))
    for one in sets:
        kind, table, family = (
            one.get_attr("NFTA_SET_KEY_TYPE") or 0,
            one.get_attr("NFTA_SET_TABLE"),
            one["nfgen_family"],
        )
        if _holds_names(kind):
            for message in _elements(one):
                _note(found, message, table, family)
        elif kind == NFT_IFINDEX:
            data = (data for message in _elements(one) for data in _data(message))
            indexes.update((_family(family), table, int.from_bytes(one, byteorder)) for one in data)
    return found, indexes


def _compared(rule: Any) -> Iterator[int]:
    """The indexes that a rule compares the device of a packet with: ``iif``, ``oif``."""
    loaded = False
    for expression in rule.get_attr("NFTA_RULE_EXPRESSIONS") or ():
        what = expression.get_attr("NFTA_EXPR_NAME")
        data = expression.get_attr("NFTA_EXPR_DATA")
        if loaded and what == "cmp":
            yield from (int.from_bytes(one, byteorder) for one in _data(data) if len(one) == 4)
        key = data.get_attr("NFTA_META_KEY") if what == "meta" and data is not None else None
        loaded = key in ("NFT_META_IIF", "NFT_META_OIF")


def _family(number: int) -> str:
    return NFT_FAMILIES.get(number, str(number))


def _holds_names(key_type: int) -> bool:
    while key_type:
        if key_type & ((1 << NFT_TYPE_BITS) - 1) == NFT_IFNAME:
            return True
        key_type >>= NFT_TYPE_BITS
    return False


def _elements(one: Any) -> list[Any]:
    wanted = nft_set_elem_list_msg()
    wanted["attrs"] = [
        ("NFTA_SET_ELEM_LIST_TABLE", one.get_attr("NFTA_SET_TABLE")),
        ("NFTA_SET_ELEM_LIST_SET", one.get_attr("NFTA_SET_NAME")),
    ]
    # The library takes the family of the socket for the request.
    return _asked(
        "firewall tables",
        lambda socket: list(socket.request_get(wanted, NFT_MSG_GETSETELEM)),
        lambda: NFTables(nfgen_family=one["nfgen_family"]),
    )


def _note(found: set[tuple[str, str, str]], message: Any, table: str, family: int) -> None:
    for data in _data(message):
        # Parts of a concatenation begin at multiples of four bytes.
        for at in range(0, len(data), 4):
            text, end, _ = data[at : at + IFNAME_SIZE].partition(b"\0")
            if b":" in text and end:  # without a NUL it is a prefix of names, "eth0*"
                name = text.decode("utf-8", "surrogateescape")
                found.add((_family(family), table, name))


def _data(value: Any) -> Iterator[bytes]:
    """The bytes of every NFTA_DATA_VALUE in *value*."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _data(one)
        return
    for name, inner in value["attrs"] if isinstance(value, dict) and "attrs" in value else ():
        if name == "NFTA_DATA_VALUE" and isinstance(inner, bytes):
            yield inner
        else:
            yield from _data(inner)
