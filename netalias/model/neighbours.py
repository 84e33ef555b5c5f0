"""Published addresses: the proxy neighbour entry, and the conditions under which it works."""

from __future__ import annotations

from netalias.model import Value, address_text
from netalias.model.steps import ADDRESS, RETIRE, Step


class Proxy(Value):
    """A proxy neighbour entry: the device ``index`` answers for the address ``local``.

    ``protocol`` is NDA_PROTOCOL; ``flags`` are NTF_* of linux/neighbour.h without NTF_PROXY: with
    NTF_ROUTER (0x80) the answer has the router flag.
    """

    __slots__ = ("family", "flags", "index", "local", "protocol")

    def __init__(
        self, index: int, family: int, local: bytes, protocol: int = 0, flags: int = 0
    ) -> None:
        self.index = index
        self.family = family
        self.local = local
        self.protocol = protocol
        self.flags = flags

    @property
    def text(self) -> str:
        """The text of the address."""
        return address_text(self.family, self.local)


class Surroundings(Value):
    """The sysctls and the route that decide whether a device answers for an address.

    ``forwarding`` is the sysctl of the device, ``everywhere`` that of net.ipv6.conf.all,
    ``answering`` proxy_arp or proxy_ndp of the device or of all, ``delay`` its proxy_delay in
    milliseconds; ``out`` is the index of the device that the route to the address leads through, 0
    without a route, ``back`` forwarding of that device, ``local`` whether the route ends at this
    host.
    """

    __slots__ = ("answering", "back", "delay", "everywhere", "forwarding", "local", "out")

    def __init__(
        self,
        *,
        forwarding: bool,
        everywhere: bool,
        answering: bool,
        delay: int,
        out: int,
        back: bool,
        local: bool = False,
    ) -> None:
        self.forwarding = forwarding
        self.everywhere = everywhere
        self.answering = answering
        self.delay = delay
        self.out = out
        self.back = back
        self.local = local


class AddProxy(Step):
    """RTM_NEWNEIGH with NTF_PROXY.

    The kernel has no NLM_F_EXCL here: it overwrites flags and protocol of an entry that is there
    (neigh_add in net/core/neighbour.c), so the planner must look for one first.
    """

    __slots__ = ("proxy",)
    touches = "proxy"

    def __init__(self, device: str, index: int, proxy: Proxy) -> None:
        super().__init__(device, index, ADDRESS)
        self.proxy = proxy

    def inverse(self) -> Step:
        return DelProxy(self.device, self.index, self.proxy)


class DelProxy(Step):
    """RTM_DELNEIGH with NTF_PROXY, of exactly this device and address."""

    __slots__ = ("proxy",)
    touches = "proxy"

    def __init__(self, device: str, index: int, proxy: Proxy) -> None:
        super().__init__(device, index, RETIRE)
        self.proxy = proxy

    def inverse(self) -> Step:
        return AddProxy(self.device, self.index, self.proxy)
