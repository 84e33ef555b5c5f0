"""Conditions for published addresses: whether they are answered for, and packets to them arrive.

The conditions of the kernel, read off 6.18 (arp_process in net/ipv4/arp.c, ndisc_recv_ns in
net/ipv6/ndisc.c, ip6_forward in net/ipv6/ip6_output.c) and tested with packets:

- IPv4: the device forwards, and the route to the address leads through another device. An address
  of this host is answered for before the entry is looked up. arp_ignore and arp_filter are ignored.
- IPv6: the device forwards and has proxy_ndp. Routes are ignored for the answer, but packets to the
  address need one, and net.ipv6.conf.all.forwarding. An address of this host on another device is
  answered for like any other.
- Both: a device that is down, or a port of a bridge, hears no requests. With proxy_delay the answer
  is delayed by a random time up to that.
"""

from __future__ import annotations

from netalias import errors
from netalias.kinds import PORT_MASTERS
from netalias.model import AF_INET6, IFF_LOOPBACK, IFF_NOARP, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.families import Registry
    from netalias.model import Device, Snapshot
    from netalias.model.neighbours import Proxy, Surroundings

VRF = "vrf"
"""Devices of this kind have a routing table of their own, which is not read."""
UPPERS = ("macvlan", "ipvlan")
"""Kinds that hear requests on their lower device."""
LINK_LOCAL = (0xFE80, 0xFFC0)
"""RFC 4291, section 2.5.6: fe80::/10."""

Wanted = tuple[int, bytes]
"""Family and packed address."""


def parse(words: Sequence[str], registry: Registry) -> tuple[list[Wanted], str]:
    """The addresses, and the name of the device or "", of ``ADDRESS... dev MAIN`` in any order.

    Raises UsageError, BadAddress.
    """
    wanted: dict[Wanted, None] = {}
    name = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word != "dev":
            wanted[_address(word, registry, _hint(word, words))] = None
        elif not rest or name:
            raise errors.UsageError("dev takes the name of one device")
        else:
            name = rest.pop(0)
    return list(wanted), name


def _hint(word: str, words: Sequence[str]) -> str:
    """The advice on a *word* that is no address: it may be the device where none is named."""
    if "dev" not in words:
        return f"for the device: dev {word}"
    return f"as in 10.0.0.5 {' '.join(words[words.index('dev') :][:2])}"


def _address(word: str, registry: Registry, hint: str) -> Wanted:
    if not (":" in word or word[:1].isdigit()):
        raise errors.BadAddress(f"{word}: not an address", hint)
    alias_type = registry.get("ipv6" if ":" in word else "ip")
    packed, length = alias_type.parse(word)
    if length not in (None, alias_type.bits):
        raise errors.BadAddress(f"{word}: one address is published, not a network")
    if _is_local(packed):
        raise errors.BadAddress(f"{word}: this address is not resolved on another link")
    return alias_type.family, packed


def _is_local(packed: bytes) -> bool:
    """Whether packets to an address never leave the host, or never the link."""
    if len(packed) == 4:
        return packed[0] in (0, 127) or packed == b"\xff" * 4
    prefix, mask = LINK_LOCAL
    return int.from_bytes(packed[:2], "big") & mask == prefix or packed == bytes(15) + b"\1"


def check(main: Device, family: int) -> None:
    """Raises KindError for a device that can never answer for *family*."""
    if main.flags & IFF_LOOPBACK or not main.mac:
        raise errors.KindError(f"{main.name}: nobody can ask there: the device has no neighbours")
    if family == AF_INET6 and not main.inet6:
        raise errors.KindError(f"{main.name}: this device has no IPv6", f"its MTU is {main.mtu}")


class Case(Value):
    """A proxy neighbour entry on a device, with the state that its use depends on.

    ``around`` are routes and sysctls, None if unknown. ``holder`` is the device of this host that
    has the address, if possible one that hears requests on ``main``; None if no device has it.
    """

    __slots__ = ("around", "holder", "main", "proxy", "snapshot")

    def __init__(
        self, proxy: Proxy, main: Device, around: Surroundings | None, snapshot: Snapshot
    ) -> None:
        self.proxy = proxy
        self.main = main
        self.around = around
        self.snapshot = snapshot
        self.holder = self._holder()

    def _holder(self) -> Device | None:
        found = [
            self.snapshot.devices[index]
            for index, entries in self.snapshot.addresses.items()
            if index in self.snapshot.devices
            and any(entry.local == self.proxy.local for entry in entries)
        ]
        if not found and self.around is not None and self.around.local:
            # A whole network can be local: one on lo, or by a route of type local.
            found = [one for one in [self.snapshot.devices.get(self.around.out)] if one]
        return next(filter(self._hears, found), next(iter(found), None))

    def _hears(self, device: Device) -> bool:
        upper = device.kind in UPPERS and device.link == self.main.index
        return device is self.main or (upper and not device.remote)

    @property
    def inet6(self) -> bool:
        """Whether the entry is one of IPv6."""
        return self.proxy.family == AF_INET6

    @property
    def answers(self) -> bool:
        """Whether the holder of the address hears requests, and so answers by itself."""
        return self.holder is not None and self._hears(self.holder)


def needless(case: Case) -> str:
    """The reason why an entry would have no effect; empty if it has one."""
    if case.holder is None or (case.inet6 and not case.answers):
        return ""
    says = f"{case.proxy.text} is an address of this host ({case.holder.name})"
    if case.inet6:
        return f"{says}: it answers by itself"
    if case.answers or not case.main.arp_ignore:
        return f"{says}: it answers by itself, as far as arp_ignore allows"
    command = f"sysctl -w {key_of('ipv4/conf', case.main, 'arp_ignore')}=0"
    name = case.main.name
    silent = f"arp_ignore of {name} keeps it silent, and a proxy entry does not help"
    return f"{says}: {silent} ({command})"


def faults(cases: Iterable[Case]) -> list[str]:
    """The faults that keep entries from working, each once: a sentence with the remedy."""
    found = (
        condition(case, case.around)
        for case in cases
        if case.around is not None
        for condition in CONDITIONS
    )
    return list(dict.fromkeys(f"{text} ({command})" for text, command in found if text))


Fault = tuple[str, str]
"""A sentence and the command that remedies it, both empty for no fault."""
NONE: Fault = ("", "")


def _down(case: Case, around: Surroundings) -> Fault:
    if case.main.up:
        return NONE
    name = case.main.name
    return f"{name} answers for nobody while it is down", f"ip link set dev {name} up"


def _port(case: Case, around: Surroundings) -> Fault:
    master = case.snapshot.master(case.main, PORT_MASTERS)
    if master is None:
        return NONE
    return (
        f"{case.main.name} answers for nobody: {master.name} takes what comes to its port",
        f"netalias publish {case.proxy.text} dev {master.name}",
    )


def _noarp(case: Case, around: Surroundings) -> Fault:
    if case.inet6 or not case.main.flags & IFF_NOARP:
        return NONE
    name = case.main.name
    return f"{name} answers for nobody while its ARP is off", f"ip link set dev {name} arp on"


def _forwarding(case: Case, around: Surroundings) -> Fault:
    if around.forwarding:
        return NONE
    name = case.main.name
    if not case.inet6:
        key = key_of("ipv4/conf", case.main, "forwarding")
        return f"{name} answers for nobody while it does not forward", f"sysctl -w {key}=1"
    key = key_of("ipv6/conf", case.main, "forwarding")
    if not around.everywhere and case.holder is None:
        key = "net.ipv6.conf.all.forwarding"  # sets that of each device too
    return f"{name} answers for nobody while it does not forward IPv6", f"sysctl -w {key}=1"


def _everywhere(case: Case, around: Surroundings) -> Fault:
    if not case.inet6 or case.holder is not None:
        return NONE
    if around.everywhere or not around.forwarding:  # the latter is a fault of its own
        return NONE
    return (
        f"what comes for {case.proxy.text} is dropped while IPv6 is not forwarded everywhere",
        "sysctl -w net.ipv6.conf.all.forwarding=1",
    )


def _answering(case: Case, around: Surroundings) -> Fault:
    if not case.inet6 or around.answering:
        return NONE
    return (
        f"{case.main.name} answers for nobody while its proxy_ndp is 0",
        f"sysctl -w {key_of('ipv6/conf', case.main, 'proxy_ndp')}=1",
    )


def _route(case: Case, around: Surroundings) -> Fault:
    main, out = case.main, around.out
    if (out and out != main.index) or case.holder is not None or _has_own_table(case):
        return NONE
    why = f"the route to it leads through {main.name} itself" if out else "no route leads to it"
    text = case.proxy.text
    if case.inet6:
        says = f"what comes for {text} goes nowhere: {why}"
    else:
        says = f"{main.name} answers only for what is routed through another device: {text}: {why}"
    return says, f"ip route add {text} dev DEVICE"


def _back(case: Case, around: Surroundings) -> Fault:
    out = case.snapshot.devices.get(around.out)
    if out is None or out is case.main or case.inet6 or around.back or _has_own_table(case):
        return NONE
    return (
        f"what {case.proxy.text} answers is lost while {out.name} does not forward",
        f"sysctl -w {key_of('ipv4/conf', out, 'forwarding')}=1",
    )


def _delay(case: Case, around: Surroundings) -> Fault:
    if not around.delay:
        return NONE
    key = key_of("ipv6/neigh" if case.inet6 else "ipv4/neigh", case.main, "proxy_delay")
    seconds = around.delay / 1000
    return f"{case.main.name} answers up to {seconds:g} s late", f"sysctl -w {key}=0"


OF_DEVICE: tuple[Callable[[Case, Surroundings], Fault], ...] = (_down, _port, _noarp)
"""Those of CONDITIONS under which the device hears no request."""
CONDITIONS: tuple[Callable[[Case, Surroundings], Fault], ...] = (
    *OF_DEVICE,
    _forwarding,
    _everywhere,
    _answering,
    _route,
    _back,
    _delay,
)
"""Functions that return the fault of a case, or NONE."""


def _has_own_table(case: Case) -> bool:
    """Whether the device is in a VRF."""
    master = case.snapshot.devices.get(case.main.master)
    return master is not None and master.kind == VRF


def key_of(folder: str, device: Device, sysctl: str) -> str:
    """The key for sysctl(8), with slashes if the name of the device has a dot."""
    path = f"net/{folder}/{device.name}/{sysctl}"
    return path if "." in device.name else path.replace("/", ".")
