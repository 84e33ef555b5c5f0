"""The emulator: the devices of a machine, how they are found by address, and the /proc texts.

Functions named after those of the kernel (dev_chk, rcv_sel, dev_tx) take and give devices.
"""

from __future__ import annotations

from netalias.emulator.device import Device, has_number
from netalias.emulator.machine import Machine
from netalias.families import Registry
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6
from netalias.model import AF_INET, AF_INET6, IFF_UP
from netalias.views import proc
from procfs.seqfile import TextFile
from procfs.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.emulator.device import Alias
    from netalias.emulator.trace import Trace
    from netalias.families import AliasType


class Emulator(Machine):
    """One machine with the alias engine of ``variant`` ``0.43`` or ``0.50`` (else KeyError).

    ``registry`` holds the alias types; without one there are ``ip`` and ``ipv6``, which select by
    the ``routes`` of the emulator, and no loader. ``no_sel`` turns the selection by source off;
    ``privileged`` is False for a caller who is not root. ``texts`` has ``aliases`` and
    ``alias_types`` as they were in /proc/net; ``trace`` is for scripts that ask for one.
    """

    def __init__(
        self,
        variant: str = "0.43",
        registry: Registry | None = None,
        no_sel: bool = False,
        privileged: bool = True,
    ) -> None:
        super().__init__(variant, Registry() if registry is None else registry, privileged)
        self.no_sel = no_sel
        self.trace: Trace | None = None
        self.texts = Tree(
            {
                "aliases": TextFile(self._aliases_text),
                "alias_types": TextFile(self._alias_types_text),
            }
        )
        if registry is None:
            for one in (Inet(), Inet6()):
                one.dev_select = self.route_device
                self.registry.register(one)

    def dev_chk(
        self, main: Device, address: bytes, family: int = AF_INET, on: int = IFF_UP, off: int = 0
    ) -> Device | None:
        """net_alias_dev_chk: the alias of *main* that owns *address*, or None.

        One of the flags *on* must be set (none given: no match) and none of the flags *off*.
        """
        found = self._registered(family)
        if main.block is None or found is None or len(address) != found.size:
            return None
        owns = found.dev_addr_chk

        def accept(alias: Alias) -> bool:
            return _flagged(alias, on, off) and owns(alias, address)

        return main.block.find(found.get_addr32(address), family, accept)

    def dev_chk32(
        self, main: Device, family: int, addr32: int, on: int = IFF_UP, off: int = 0
    ) -> Device | None:
        """net_alias_dev_chk32: dev_chk() by a 32-bit number, without asking the type."""
        if main.block is None:
            return None

        def accept(alias: Alias) -> bool:
            return _flagged(alias, on, off) and _addr32(alias.device) == addr32

        return main.block.find(addr32, family, accept)

    def rcv_sel(
        self, main: Device | None, source: bytes, target: bytes, family: int = AF_INET
    ) -> Device | None:
        """net_alias_dev_rcv_sel: the device that a packet received on *main* belongs to.

        None only for no main device. A *source* of zeros, or empty, is unknown. The address of
        *main* counts as a number: its family makes no difference, and one never set is 0.
        """
        if main is None or main.block is None or has_number(main, target):
            return main
        found = self._registered(family)
        if found is None:
            return main
        chosen = self.dev_chk(main, target, family) or self._by_source(main, found, source)
        return self._received(chosen) if chosen is not None else main

    def rcv_sel32(self, main: Device | None, family: int, src32: int, dst32: int) -> Device | None:
        """net_alias_dev_rcv_sel32: rcv_sel() by 32-bit numbers, as IP and ARP called it.

        No alias is looked up by the number 0.
        """
        if main is None or main.block is None or has_number(main, dst32.to_bytes(4, "big")):
            return main
        found = self._registered(family)
        if found is None:
            return main
        source = src32.to_bytes(4, "big")
        owner = self.dev_chk32(main, family, dst32) if dst32 else None
        chosen = owner or self._by_source(main, found, source)
        return self._received(chosen) if chosen is not None else main

    def dev_tx(self, device: Device) -> Device:
        """net_alias_dev_tx: the device that really sends: the main device. 0.50 counts."""
        alias = device.alias
        if alias is None:
            return device
        alias.tx_lookups += self.variant.counting
        return alias.main

    def owner(self, address: bytes, family: int = AF_INET) -> Device | None:
        """The first device in chain order that is up and owns *address*, aliases by dev_chk()."""
        for main in self:
            if main.alias is None:
                if main.up and (main.family, main.address) == (family, address):
                    return main
                alias = self.dev_chk(main, address, family)
                if alias is not None:
                    return alias
        return None

    def route_device(self, main: object, source: bytes) -> Device | None:
        """dev_select of the IP type (net/ipv4/ip_alias.c): the device of the route to *source*."""
        family = AF_INET6 if len(source) == 16 else AF_INET
        return self._devices.get(self.routes.find(family, source) or "")

    def bucket(self, address: bytes, family: int = AF_INET, size: int = 0) -> int:
        """The number of the hash bucket among *size*; with 0, among those of a new table."""
        digest = self.registry.get(family).get_addr32(address)
        return self.variant.bucket(digest, family, size or self.variant.size(self.maximum))

    def drift(self, main: Device) -> list[tuple[Alias, str]]:
        """(alias, field) for every ``type``, ``mac`` or ``mtu`` that *main* has no longer."""
        return [
            (alias, field)
            for alias in self.aliases_of(main)
            for field in ("type", "mac", "mtu")
            if getattr(alias.device, field) != getattr(main, field)
        ]

    def _by_source(self, main: Device, found: AliasType, source: bytes) -> Device | None:
        if self.no_sel or found.dev_select is None or not any(source):
            return None
        chosen = found.dev_select(main, source)
        if not isinstance(chosen, Device) or chosen.alias is None:
            return None
        # As in the original, IFF_UP is not tested here.
        fits = chosen.alias.main is main and chosen.family == found.family
        return chosen if fits else None

    def _received(self, device: Device) -> Device:
        if device.alias is not None:
            device.alias.rx_lookups += self.variant.counting
        return device

    def _registered(self, family: int) -> AliasType | None:
        """The registered type of *family*, or None: a lookup never loads a type."""
        return next((one for one in self.registry.types() if one.family == family), None)

    def _aliases_text(self) -> Iterable[bytes]:
        return proc.aliases(
            (device.name, device.alias.family, device.alias.type.alias_print(device.alias))
            for device in self
            if device.alias is not None
        )

    def _alias_types_text(self) -> Iterable[bytes]:
        registry = self.registry
        return proc.alias_types(
            (one.family, one.name, registry.n_attach(one)) for one in registry.types()
        )


def _flagged(alias: Alias, on: int, off: int) -> bool:
    flags = alias.device.flags
    return bool(flags & on) and not flags & off


def _addr32(device: Device) -> int:
    return int.from_bytes(device.address[:4], "big")
