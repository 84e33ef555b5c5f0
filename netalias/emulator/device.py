"""The objects of the emulator: devices, and aliases with a device of their own inside.

Unlike the values of netalias.model these live and change; each is equal only to itself.
"""

from __future__ import annotations

from netalias import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass
    from collections.abc import Callable

    from netalias.emulator.variants import Variant
    from netalias.families import AliasType
    from netalias.model.names import AliasName

ETH_HLEN = 14
"""linux/if_ether.h: bytes of an Ethernet header."""


class Device(model.Device):
    """struct device (linux/netdevice.h): a device with the one address it can have.

    ``address`` is packed, empty while there is none; ``prefixlen`` 0 while no mask is set. A main
    device with aliases has a ``block``; the device of an alias has ``alias``.
    """

    __slots__ = ("address", "alias", "block", "family", "header_len", "metric", "prefixlen")

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        index: int,
        name: str,
        flags: int = model.IFF_BROADCAST,
        type: int = model.ARPHRD_ETHER,
        *,
        mtu: int = 1500,
        mac: bytes = b"",
        family: int = model.AF_INET,
        metric: int = 0,
        header_len: int = ETH_HLEN,
    ) -> None:
        super().__init__(index, name, flags, type, mtu=mtu, mac=mac)
        self.family = family
        self.address = b""
        self.prefixlen = 0
        self.metric = metric
        self.header_len = header_len
        self.block: Block | None = None
        self.alias: Alias | None = None

    def __repr__(self) -> str:
        return f"<device {self.name}>"


class Alias(model.Alias):
    """struct net_alias: an alias of a main device, bound to a type.

    ``type`` is the type it is bound to, ``block`` and ``bucket`` tell the row of its address, the
    counters are those of 0.50: packets that were looked up for it.
    """

    __slots__ = ("block", "bucket", "rx_lookups", "tx_lookups", "type")

    main: Device
    device: Device
    block: Block

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, name: AliasName, main: Device, device: Device, type: AliasType) -> None:
        super().__init__(name, "emulated", main=main, device=device)
        self.type = type
        self.bucket = 0
        self.rx_lookups = 0
        self.tx_lookups = 0
        device.alias = self
        store(device, type.family, bytes(type.size))

    def __repr__(self) -> str:
        return f"<alias {self.name}>"


def newborn(index: int, name: AliasName, main: Device, mask: int, type: AliasType) -> Alias:
    """A new alias: down, without an address, with values copied from *main* and not updated later.

    *mask* selects the flags that are copied.
    """
    device = Device(
        index,
        str(name),
        main.flags & mask & ~model.IFF_UP,
        main.type,
        mtu=main.mtu,
        mac=main.mac,
        family=main.family,
        metric=main.metric,
        header_len=main.header_len,
    )
    return Alias(name, main, device, type)


def store(device: Device, family: int, address: bytes, prefixlen: int | None = None) -> None:
    """Store an address in a device, and in its alias if it has one.

    Without *prefixlen* the mask is kept even if the family changes: the first address decides
    (1.3.99). If there is no mask, or if it belongs to an address of another length (which did not
    exist then), the mask becomes the usual one.
    """
    if prefixlen is None:
        fits = device.family == family or len(device.address or _UNSET) == len(address)
        prefixlen = (device.prefixlen if fits else 0) or usual(address)
    targets: tuple[Device | Alias, ...] = (device, device.alias) if device.alias else (device,)
    for target in targets:
        target.family, target.address, target.prefixlen = family, address, prefixlen


_UNSET = bytes(4)
"""pa_addr of struct device while no address was set."""


def has_number(device: Device, address: bytes) -> bool:
    """Whether *address* is the number in pa_addr of *device*, whatever the family; 0 if unset.

    An address of another length is never equal.
    """
    return (device.address or bytes(len(address))) == address


def usual(address: bytes) -> int:
    """The prefix length of an address without a mask: by its class, or the full length."""
    return classful(address) if len(address) == 4 else len(address) * 8


def classful(address: bytes) -> int:
    """The prefix length of an IPv4 address by its class; 0 for 0.0.0.0 and from 224 on."""
    first = address[0]
    if first >= 224 or not any(address):
        return 0
    return 8 if first < 128 else 16 if first < 192 else 24


class Block:
    """The alias table of a main device (struct net_alias_info), present while it has aliases.

    ``maximum`` is one more than the highest slot, set with the first alias; ``rows`` are the
    buckets.
    """

    __slots__ = ("count", "maximum", "rows", "variant")

    def __init__(self, variant: Variant, maximum: int) -> None:
        self.variant = variant
        self.maximum = maximum
        self.count = 0
        self.rows: list[list[Alias]] = [[] for _ in range(variant.size(maximum))]

    def bucket(self, digest: int, family: int) -> int:
        """The number of the row for a 32-bit digest of an address."""
        return self.variant.bucket(digest, family, len(self.rows))

    def add(self, alias: Alias) -> None:
        """Put *alias* in front of the row for its address."""
        alias.block = self
        alias.bucket = self.bucket(alias.type.get_addr32(alias.address), alias.family)
        self.rows[alias.bucket].insert(0, alias)
        self.count += 1

    def remove(self, alias: Alias) -> bool:
        """Remove *alias* from its row; whether it was the last alias of the block."""
        self.rows[alias.bucket].remove(alias)
        self.count -= 1
        return not self.count

    def find(self, digest: int, family: int, accept: Callable[[Alias], bool]) -> Device | None:
        """The device of the first alias of *family* in the row of *digest* for which *accept* is
        true, or None."""
        for alias in self.rows[self.bucket(digest, family)]:
            if alias.family == family and accept(alias):
                return alias.device
        return None

    def widen(self, maximum: int) -> None:
        """Raise the maximum, and enlarge the table if that requires it."""
        self.maximum = maximum
        size = self.variant.size(maximum)
        if size == len(self.rows):
            return
        # Oldest first, so that owners of one address keep their order.
        aliases = [alias for row in self.rows for alias in reversed(row)]
        self.rows = [[] for _ in range(size)]
        self.count = 0
        for alias in aliases:
            self.add(alias)
