"""Steps as texts: the command with the same effect, and the title of a failure."""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    MODES,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    address_text,
    mac_text,
)
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.names import printable
from netalias.model.neighbours import AddProxy, DelProxy
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.routes import AddRoute, DelRoute
from netalias.model.shell import link, quoted, sysctls
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model import Address

ADDRGEN = {0: "eui64", 1: "none", 2: "stable_secret", 3: "random"}
"""Words for IFLA_INET6_ADDR_GEN_MODE (enum in6_addr_gen_mode of linux/if_link.h)."""

SCOPES = {RT_SCOPE_LINK: "link", RT_SCOPE_HOST: "host"}
"""Words for the scope of an IPv4 address; of IPv6 it follows from the address."""

ADDRESS_FLAGS = ((IFA_F_NODAD, "nodad"), (IFA_F_NOPREFIXROUTE, "noprefixroute"))
"""Bits of IFA_FLAGS and their words in ip-address(8)."""


def command(step: Step) -> str:
    """The step as commands of ip(8) and sysctl(8), one a line, for a shell."""
    return "\n".join(map(printable, _words(step)[0](step).split("\n")))


def title(step: Step) -> str:
    """The beginning of the sentence that reports a failure of the step: ``cannot create ...``."""
    return f"cannot {_words(step)[1](step)}"


def _words(step: Step) -> tuple[Callable[[Any], str], Callable[[Any], str]]:
    """The row of its class in WORDS; a class that a kernel derives has that of its base."""
    found = next((WORDS[base] for base in type(step).__mro__ if base in WORDS), None)
    if found is None:
        from netalias.model import gateways, local_routes

        return (gateways.WORDS | local_routes.WORDS)[type(step)]
    return found


def _create(step: CreateLink) -> str:
    words = ["ip link add", link(step.device)]
    if step.below:
        words += ["link", quoted(step.below)]
    if step.mac:
        words += ["address", mac_text(step.mac)]
    if step.mtu:
        words += ["mtu", str(step.mtu)]
    if step.former:
        words += ["index", str(step.former)]
    if step.inside:
        words += ["master", quoted(step.inside)]
    words += ["group", str(step.group), "type", step.kind]
    if step.mode >= 0:
        words += ["mode", MODES[step.kind][step.mode]]
    return " ".join(words)


def _set(step: SetLink) -> str:
    lines = []
    words = _link_words(step)
    if step.ifalias is not None:
        words.insert(0, f"alias {quoted(step.ifalias)}")
    if words:
        lines.append(" ".join(["ip link set dev", quoted(step.device), *words]))
    if step.conf:
        pairs = step.conf.items()
        lines.append(sysctls((("ipv4", step.device, key, value) for key, value in pairs), "-qw"))
    return "\n".join(lines)


def _link_words(step: SetLink) -> list[str]:
    words = []
    if step.mac is not None:
        words += ["address", mac_text(step.mac)]
    if step.mtu is not None:
        words += ["mtu", str(step.mtu)]
    if step.addrgen is not None:
        words += ["addrgenmode", ADDRGEN.get(step.addrgen, str(step.addrgen))]
    if step.up is not None:
        words.append("up" if step.up else "down")
    return words


def _add_address(step: AddAddress | MarkAddress | RenewAddress) -> str:
    entry = step.address
    verb = "add" if isinstance(step, AddAddress) else "change"
    words = ["ip addr", verb, address_words(entry), "dev", quoted(step.device)]
    if entry.broadcast:
        words += ["broadcast", address_text(entry.family, entry.broadcast)]
    if entry.scope and entry.family == AF_INET and isinstance(step, AddAddress):
        words += ["scope", SCOPES.get(entry.scope, str(entry.scope))]
    if entry.label and entry.label != step.device:
        words += ["label", quoted(entry.label)]
    if entry.metric:
        words += ["metric", str(entry.metric)]
    words += [word for bit, word in ADDRESS_FLAGS if entry.flags & bit]
    if entry.valid != FOREVER:
        words += ["valid_lft", str(entry.valid)]
    if entry.preferred != FOREVER:
        words += ["preferred_lft", str(entry.preferred)]
    if entry.protocol:
        words += ["proto", str(entry.protocol)]
    return " ".join(words)


def _property(verb: str) -> Callable[[AddAltname | DelAltname], str]:
    return lambda step: (
        f"ip link property {verb} dev {quoted(step.device)} altname {quoted(step.altname)}"
    )


def address_words(entry: Address) -> str:
    """The address as ip-address(8) takes it: ``200.1.1.1/24``, ``10.0.0.1 peer 10.0.0.2/32``."""
    local = address_text(entry.family, entry.local)
    if entry.peer:
        return f"{local} peer {address_text(entry.family, entry.peer)}/{entry.prefixlen}"
    return f"{local}/{entry.prefixlen}"


def _proxy(step: AddProxy | DelProxy) -> str:
    return f"proxy {step.proxy.text} dev {quoted(step.device)}"


def _route(verb: str) -> Callable[[AddRoute | DelRoute], str]:
    def command(step: AddRoute | DelRoute) -> str:
        route = step.route
        network = f"{address_text(route.family, route.network)}/{route.prefixlen}"
        inet6 = route.family == AF_INET6
        device = quoted(step.device)
        words = [f"ip{' -6' * inet6} route {verb} {network} dev {device} proto kernel"]
        if not inet6:
            words.append(f"scope link src {address_text(route.family, route.source)}")
        if route.metric:
            words.append(f"metric {route.metric}")
        return " ".join(words)

    return command


WORDS: dict[type[Step], tuple[Callable[[Any], str], Callable[[Any], str]]] = {
    CreateLink: (
        _create,
        lambda step: f"create {step.kind} {step.device}" + f" on {step.below}" * bool(step.below),
    ),
    DelLink: (
        lambda step: f"ip link del {link(step.device)}",
        lambda step: f"delete {step.device}",
    ),
    AddAltname: (
        _property("add"),
        lambda step: f"give {step.device} the altname {step.altname}",
    ),
    DelAltname: (
        _property("del"),
        lambda step: f"take the altname {step.altname} from {step.device}",
    ),
    SetLink: (
        _set,
        lambda step: " ".join(["set", step.device, *_link_words(step)]),
    ),
    AddAddress: (
        _add_address,
        lambda step: f"add {address_words(step.address)} to {step.device}",
    ),
    MarkAddress: (
        _add_address,
        lambda step: f"mark {address_words(step.address)} on {step.device}",
    ),
    RenameLink: (
        lambda step: f"ip link set dev {quoted(step.device)} name {quoted(step.name)}",
        lambda step: f"rename {step.device} to {step.name}",
    ),
    SetGroup: (
        lambda step: f"ip link set dev {quoted(step.device)} group {step.group}",
        lambda step: f"put {step.device} back into the group {step.group}",
    ),
    RenewAddress: (
        _add_address,
        lambda step: f"renew {address_words(step.address)} on {step.device}",
    ),
    AddProxy: (
        lambda step: (
            f"ip neigh add {_proxy(step)}"
            + f" protocol {step.proxy.protocol}" * bool(step.proxy.protocol)
        ),
        lambda step: f"publish {step.proxy.text}",
    ),
    DelProxy: (
        lambda step: f"ip neigh del {_proxy(step)}",
        lambda step: f"unpublish {step.proxy.text}",
    ),
    AddRoute: (
        _route("append"),
        lambda step: f"add the route of its network to {step.device}",
    ),
    DelRoute: (
        _route("del"),
        lambda step: f"delete the route of a network from {step.device}",
    ),
    DelAddress: (
        lambda step: f"ip addr del {address_words(step.address)} dev {quoted(step.device)}",
        lambda step: f"delete {address_words(step.address)} from {step.device}",
    ),
}
"""Class of step: the command, and the verb phrase of its title."""
