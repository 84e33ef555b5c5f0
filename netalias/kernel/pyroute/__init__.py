"""A Kernel on pyroute2: slow, and independent of codec.py; an alternative and a test oracle.

Every step is one request with one answer, by a method of pyroute2 where there is one; a change of a
device is a message of our own (_SetMessage), because the library cannot encode IFLA_INET_CONF.

Rules:
- this module raises only KernelError, whatever the library raises (ERRORS);
- the namespace is that of the thread that makes the object, and only this thread may use it:
  the library keeps a socket for every thread.
"""

from __future__ import annotations

from errno import EACCES, EINTR, EINVAL, ENODEV, EOPNOTSUPP, EPERM
from os import strerror
from struct import error as StructError
from time import sleep

from pyroute2 import IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST, nla, nlmsg  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import (  # type: ignore[import-untyped]
    NetlinkDecodeError,
    NetlinkDumpInterrupted,
    NetlinkError,
)
from pyroute2.netlink.rtnl import RTM_SETLINK  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.netlink.codec import DEVCONF, since
from netalias.kernel.pyroute import gateways, local_routes, neighbours, routes
from netalias.kernel.pyroute.gateways import DUMP_TRIES, PAUSE
from netalias.kernel.refusing import refused
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_MCAUTOJOIN,
    IFF_UP,
    MODES,
    Address,
    Device,
    Snapshot,
    Stats,
    address_text,
    mac_text,
)
from netalias.model.commands import title
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.model.gateways import Routing
    from netalias.model.neighbours import Proxy, Surroundings
    from netalias.model.routes import Connected
    from netalias.model.steps import Step

QUEUES_TOO_MANY = 0xFFFF
"""Number of queues that the kernel refuses, after it has found the kind (rtnl_create_link)."""
INDEX_NONE = 0x7FFFFFFF
"""Index that no device has."""

ERRORS = (NetlinkError, NetlinkDecodeError, OSError, StructError, LookupError, RuntimeError,
          TypeError, ValueError, AttributeError)  # fmt: skip
"""Exceptions of a request: the kernel's refusal, a dead socket, and values that the library cannot
encode (a MAC of five bytes) or decode."""

OPERSTATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
"""Operational states (RFC 2863) in the order of IF_OPER_* of linux/if.h."""


class Iproute(Kernel):
    """A Kernel on pyroute2's IPRoute (0.9)."""

    def __init__(self) -> None:
        self._indexes: dict[str, int] = {}
        self._able: dict[str, bool] = {}
        self._route: Any = None
        self._route = self._call("rtnetlink socket", _open)

    def close(self) -> None:
        """Close the socket."""
        if self._route is not None:
            self._route.close()
            self._route = None

    def _call(self, operation: str, work: Callable[[], Any]) -> Any:
        """The result of *work*; raises every foreign exception as a KernelError."""
        try:
            return work()
        except ERRORS as problem:
            code, text = _why(problem)
            raise errors.kernel_error(operation, code, text) from None

    # Reading

    def snapshot(self, family: int = 0) -> Snapshot:
        """The devices and addresses, by two dumps, each repeated while it is inconsistent."""
        links = self._dump("list of devices", lambda: list(self._route.get_links()))
        addresses = self._dump(
            "list of addresses", lambda: list(self._route.get_addr(family=family))
        )
        return self._call(  # type: ignore[no-any-return]
            "netlink answer",
            lambda: Snapshot(
                map(_device, links),
                map(_address, addresses),
                local_routes.local_routes(self._route),
            ),
        )

    def proxies(self) -> list[Proxy]:
        """The proxy entries, by one dump."""
        return self._call(  # type: ignore[no-any-return]
            "list of proxies", lambda: neighbours.proxies(self._route)
        )

    def connected(self) -> list[Connected]:
        """The connected routes, by two dumps."""
        return self._call("list of routes", lambda: routes.connected(self._route))  # type: ignore[no-any-return]

    def routing(self) -> Routing:
        """The answers, by one dump for each question and family."""
        return gateways.IprouteRouting(self._route, self._call)

    def surroundings(
        self, index: int, family: int, addresses: Sequence[bytes]
    ) -> list[Surroundings]:
        """The Surroundings, by separate requests for each address."""
        return self._call(  # type: ignore[no-any-return]
            "surroundings",
            lambda: [
                neighbours.surroundings(self._route, index, family, local) for local in addresses
            ],
        )

    def _dump(self, operation: str, work: Callable[[], list[Any]]) -> list[Any]:
        for number in range(DUMP_TRIES):
            sleep(number * PAUSE)
            try:
                return self._call(operation, work)  # type: ignore[no-any-return]
            except errors.KernelError as error:
                if error.errno != EINTR:
                    raise
        raise errors.kernel_error(operation, EINTR)

    def able(self, kind: str) -> bool:
        """Whether the kernel has *kind*, by a request with too many queues."""
        if kind not in self._able:
            code = self._probe(
                f"kind {kind}",
                lambda: self._route.link("add", kind=kind, num_tx_queues=QUEUES_TOO_MANY),
            )
            self._able[kind] = code != EOPNOTSUPP
        return self._able[kind]

    def permitted(self) -> None:
        """Check the permission by a deletion on a device that cannot exist. Raises NotPermitted."""
        self._probe(
            "changing addresses",
            lambda: self._route.addr("del", index=INDEX_NONE, address="0.0.0.0", prefixlen=32),
        )

    def _probe(self, operation: str, work: Callable[[], Any]) -> int:
        """The errno of a request that cannot succeed. Raises NotPermitted."""
        try:
            self._call(operation, work)
        except errors.KernelError as error:
            if error.errno in (EPERM, EACCES):
                raise
            return error.errno
        return 0

    # Writing

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Execute each step by one request."""
        answers = []
        for step in steps:
            answers.append(self._answer(step))
            if self.progress is not None:
                self.progress(1)
        return answers

    def _answer(self, step: Step) -> errors.NetaliasError | None:
        index = step.index or self._indexes.get(step.device, 0)
        if not index and not isinstance(step, CreateLink):
            return refused(step, ENODEV)
        try:
            self._call(title(step), lambda: WRITERS[type(step)](self._route, index, step))
        except errors.KernelError as error:
            if isinstance(step, CreateLink) and step.barred(error.errno):
                return self._answer(step.anyhow())
            tolerated = error.errno in getattr(step, "tolerate", ())
            return None if tolerated else refused(step, error.errno, error.text)
        if isinstance(step, CreateLink):
            self._learn(step.device)
        return None

    def _learn(self, device: str) -> None:
        """Read the index of a new device; one that is gone already has none."""
        self._indexes.pop(device, None)
        try:
            found = self._call("new device", lambda: self._route.link("get", ifname=device))
        except errors.KernelError:
            return
        self._indexes[device] = found[0]["index"]


def _open() -> IPRoute:
    return IPRoute(ext_ack=True, strict_check=True, groups=0)


def _why(problem: BaseException) -> tuple[int, str]:
    """The errno and the text of a foreign exception."""
    if isinstance(problem, NetlinkDumpInterrupted):
        return EINTR, ""
    if isinstance(problem, NetlinkError):
        text = str(problem.args[1]) if len(problem.args) > 1 else ""
        return abs(problem.code), "" if text == strerror(abs(problem.code)) else text
    if isinstance(problem, OSError) and problem.errno:
        return problem.errno, ""
    return EINVAL, f"{type(problem).__name__}: {problem}"


# Reading --------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """A text; the library gives bytes for one that is not UTF-8."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return value or ""


def _device(message: Any) -> Device:
    kind, mode = _kind(message)
    return Device(
        message["index"],
        _text(message.get_attr("IFLA_IFNAME")),
        message["flags"],
        message["ifi_type"],
        altnames=[_text(name) for name in _altnames(message)],
        mtu=message.get_attr("IFLA_MTU") or 0,
        mac=bytes.fromhex((message.get_attr("IFLA_ADDRESS") or "").replace(":", "")),
        kind=kind,
        mode=mode,
        link=message.get_attr("IFLA_LINK") or 0,
        remote=message.get_attr("IFLA_LINK_NETNSID") is not None,
        master=message.get_attr("IFLA_MASTER") or 0,
        group=message.get_attr("IFLA_GROUP") or 0,
        ifalias=_text(message.get_attr("IFLA_IFALIAS")),
        operstate=OPERSTATES.index(message.get_attr("IFLA_OPERSTATE") or "UNKNOWN"),
        inet6=message.get_nested("IFLA_AF_SPEC", "AF_INET6") is not None,
        **_settings(message),
        stats=_stats(message.get_attr("IFLA_STATS64")),
    )


def _altnames(message: Any) -> list[Any]:
    found = message.get_attr("IFLA_PROP_LIST")
    return list(found.get_attrs("IFLA_ALT_IFNAME")) if found is not None else []


def _kind(message: Any) -> tuple[str, int]:
    """IFLA_INFO_KIND, and the mode as the number of linux/if_link.h or -1."""
    kind = _text(message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND"))
    attribute = f"IFLA_{kind.upper()}_MODE"
    mode = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", attribute) if kind in MODES else -1
    if mode is None:
        return kind, -1
    if isinstance(mode, str):
        return kind, next(number for number, word in MODES[kind].items() if word == mode)
    return kind, int(mode)


def _settings(message: Any) -> dict[str, Any]:
    conf = message.get_nested("IFLA_AF_SPEC", "AF_INET")
    if not conf:
        return {}
    return {
        "arp_announce": conf["arp_announce"],
        "arp_ignore": conf["arp_ignore"],
        "promote": bool(conf["promote_secondaries"]),
    }


def _stats(found: Any) -> Stats | None:
    if found is None:
        return None
    return Stats(found["rx_packets"], found["tx_packets"], found["rx_bytes"], found["tx_bytes"])


def _address(message: Any) -> Address:
    family = message["family"]
    outer = _packed(family, message.get_attr("IFA_ADDRESS"))
    local = _packed(family, message.get_attr("IFA_LOCAL")) or outer
    flags = message.get_attr("IFA_FLAGS")
    life = message.get_attr("IFA_CACHEINFO") or {}
    valid = life.get("ifa_valid", FOREVER)
    return Address(
        message["index"],
        family,
        local,
        message["prefixlen"],
        message["flags"] if flags is None else flags,
        message["scope"],
        peer=outer if outer != local else b"",
        broadcast=_packed(family, message.get_attr("IFA_BROADCAST")),
        label=_text(message.get_attr("IFA_LABEL")),
        protocol=message.get_attr("IFA_PROTO") or 0,
        metric=message.get_attr("IFA_RT_PRIORITY") or 0,
        valid=valid,
        preferred=life.get("ifa_preferred", FOREVER),
        age=0 if valid == FOREVER else since(life["tstamp"]),
    )


def _packed(family: int, text: str | None) -> bytes:
    from socket import inet_pton

    return inet_pton(family, text) if text else b""


# Writing --------------------------------------------------------------------------------------


class _SetMessage(nlmsg):  # type: ignore[misc]
    """struct ifinfomsg and the attributes of SetLink, by the numbers of linux/if_link.h."""

    fields = ifinfmsg.fields
    prefix = "IFLA_"
    nla_map = (
        (1, "IFLA_ADDRESS", "l2addr"),
        (4, "IFLA_MTU", "uint32"),
        (20, "IFLA_IFALIAS", "asciiz"),
        (26, "IFLA_AF_SPEC", "families"),
    )

    class families(nla):  # type: ignore[misc]
        nla_flags = 0x8000
        nla_map = ((AF_INET, "AF_INET", "inet"), (AF_INET6, "AF_INET6", "inet6"))

        class inet(nla):  # type: ignore[misc]
            nla_flags = 0x8000
            nla_map = ((1, "IFLA_INET_CONF", "conf"),)

            class conf(nla):  # type: ignore[misc]
                nla_flags = 0x8000
                nla_map = tuple((number, key, "int32") for key, number in DEVCONF.items())

        class inet6(nla):  # type: ignore[misc]
            nla_flags = 0x8000
            nla_map = ((8, "IFLA_INET6_ADDR_GEN_MODE", "uint8"),)


def _create(route: Any, index: int, step: CreateLink) -> None:
    words: dict[str, Any] = {"ifname": _name(step.device), "kind": step.kind, "group": step.group}
    if step.link:
        words["link"] = step.link
    if step.mac:
        words["address"] = mac_text(step.mac)
    if step.mtu:
        words["mtu"] = step.mtu
    if step.master:
        words["master"] = step.master
    if step.former:
        words["index"] = step.former
    if step.mode >= 0:
        words[f"{step.kind}_mode"] = _mode_word(step.kind, step.mode)
    route.link("add", **words)


def _mode_word(kind: str, mode: int) -> str | int:
    """A mode as the library takes it: the word for a macvlan, the number for an ipvlan."""
    return MODES[kind].get(mode, mode) if kind == "macvlan" else mode


def _set(route: Any, index: int, step: SetLink) -> None:
    message = _SetMessage()
    message["index"] = index
    message["flags"] = IFF_UP if step.up else 0
    message["change"] = 0 if step.up is None else IFF_UP
    message["attrs"] = _attributes(step)
    message["header"]["type"] = RTM_SETLINK
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK
    route.nlm_request_batch([message])


def _attributes(step: SetLink) -> list[Any]:
    found: list[Any] = []
    if step.mac is not None:
        found.append(("IFLA_ADDRESS", mac_text(step.mac)))
    if step.mtu is not None:
        found.append(("IFLA_MTU", step.mtu))
    if step.ifalias is not None:
        found.append(("IFLA_IFALIAS", _name(step.ifalias)))
    families: list[Any] = []
    if step.conf:
        # The library would leave out an attribute that it does not know.
        unknown = step.conf.keys() - DEVCONF.keys()
        if unknown:
            raise LookupError(f"no such IPv4 setting: {', '.join(unknown)}")
        conf = ("IFLA_INET_CONF", {"attrs": list(step.conf.items())})
        families.append(("AF_INET", {"attrs": [conf]}))
    if step.addrgen is not None:
        mode = ("IFLA_INET6_ADDR_GEN_MODE", step.addrgen)
        families.append(("AF_INET6", {"attrs": [mode]}))
    if families:
        found.append(("IFLA_AF_SPEC", {"attrs": families}))
    return found


def _name(text: str) -> str | bytes:
    """A name as the library takes it: bytes where it is not ASCII, which it passes on."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape")


def _words(index: int, entry: Address) -> dict[str, Any]:
    """The arguments that identify an address."""
    words: dict[str, Any] = {
        "index": index,
        "family": entry.family,
        "prefixlen": entry.prefixlen,
        "scope": entry.scope,
        "local": address_text(entry.family, entry.local),
        "address": address_text(entry.family, entry.peer or entry.local),
    }
    if entry.label:
        words["label"] = _name(entry.label)
    return words


def _full(index: int, entry: Address) -> dict[str, Any]:
    words = _words(index, entry)
    if entry.broadcast:
        words["broadcast"] = address_text(entry.family, entry.broadcast)
    if entry.flags:
        words["flags"] = entry.flags
    if entry.metric:
        words["rt_priority"] = entry.metric
    if entry.protocol:
        words["proto"] = entry.protocol
    if entry.valid != FOREVER or entry.preferred != FOREVER:
        words["valid"], words["preferred"] = entry.valid, entry.preferred
    return words


def _renewing(index: int, entry: Address) -> dict[str, Any]:
    """The arguments of a renewal, as in netlink.group_delete.renew_address()."""
    if entry.family == AF_INET6:
        return _full(index, entry) | {"prefixlen": 129}
    return _full(index, entry.copy(flags=entry.flags | IFA_F_MCAUTOJOIN))


WRITERS: dict[type[Step], Callable[[Any, int, Any], object]] = {
    CreateLink: _create,
    SetLink: _set,
    DelLink: lambda route, index, step: route.link("del", index=index),
    AddAltname: lambda route, index, step: route.link(
        "property_add", index=index, altname=[_name(step.altname)]
    ),
    DelAltname: lambda route, index, step: route.link(
        "property_del", index=index, altname=[_name(step.altname)]
    ),
    AddAddress: lambda route, index, step: route.addr("add", **_full(index, step.address)),
    RenameLink: lambda route, index, step: route.link("set", index=index, ifname=_name(step.name)),
    SetGroup: lambda route, index, step: route.link("set", index=index, group=step.group),
    MarkAddress: lambda route, index, step: route.addr("replace", **_full(index, step.address)),
    RenewAddress: lambda route, index, step: route.addr(
        "replace", **_renewing(index, step.address)
    ),
    DelAddress: lambda route, index, step: route.addr("del", **_words(index, step.address)),
    **neighbours.WRITERS,
    **routes.WRITERS,
    **gateways.WRITERS,
    **local_routes.WRITERS,
}
