"""Devices and the life of aliases: net/core/net_alias.c and its callers in net/core/dev.c.

Rules:
- an alias is in four places: the chain, the names, a row of its main's block, its type's count;
- steps that can fail come before the first of them changes, or are undone;
- the order of tests, and so of errors, is that of the variant.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, EPERM

from netalias import errors
from netalias.emulator.chain import Chain
from netalias.emulator.device import Alias, Block, Device, has_number, newborn, store
from netalias.emulator.routes import Routes
from netalias.emulator.variants import (
    IFF_ALLMULTI,
    IFF_DEBUG,
    IFF_MASTER,
    IFF_NOTRAILERS,
    IFF_PROMISC,
    IFF_SLAVE,
    IFF_SOFTHEADERS,
    MAX_ALIASES,
    VARIANTS,
)
from netalias.families import AliasType
from netalias.model import (
    AF_INET,
    AF_UNSPEC,
    ARPHRD_ETHER,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_POINTOPOINT,
    IFF_RUNNING,
    IFF_UP,
    names,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netalias.emulator.routes import Table
    from netalias.families import Registry
    from netalias.model.names import AliasName

SETTABLE = (
    IFF_BROADCAST | IFF_DEBUG | IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOTRAILERS | IFF_RUNNING
    | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MASTER | IFF_SLAVE | IFF_MULTICAST
)  # fmt: skip
"""The flags that SIOCSIFFLAGS stores as they are; IFF_UP opens and closes instead."""

MTU_MIN = 68
"""dev_ifsioc in net/core/dev.c: the datagram that every gateway forwards whole (RFC 791)."""

_ANY_SLOT = 10**99
"""No limit while a name is parsed, since the error for a large slot depends on the variant."""


class _Silent(AliasType):
    """A substitute for a type whose done hook was called already."""

    def __init__(self, one: AliasType) -> None:
        self.family = one.family


class Machine:
    """The devices of one machine, changed by name as through ioctl(2).

    Functions in ``notifier`` are called with ``"up"``, ``"down"`` or ``"free"`` and the device, as
    by a netdevice notifier chain; functions in ``hooks`` with ``"init"`` or ``"done"``, the type
    and the alias, when a hook of the type is called.
    """

    def __init__(self, variant: str, registry: Registry, privileged: bool) -> None:
        self.variant = VARIANTS[variant]
        self.registry = registry
        self.privileged = privileged
        self.chain = Chain()
        self.routes = Routes()
        self.notifier: list[Callable[[str, Device], None]] = []
        self.hooks: list[Callable[[str, AliasType, Alias], None]] = []
        self._devices: dict[str, Device] = {}
        self._maximum = MAX_ALIASES
        self._made = 0

    # Devices

    def __iter__(self) -> Iterator[Device]:
        """All devices in chain order: every main followed by its aliases."""
        return (self._devices[name] for name in self.chain)

    def get(self, name: str) -> Device:
        """dev_get as used by every SIOCGIF*: the device, which is not created. Raises ENODEV."""
        found = self.find(name)
        if found is None:
            raise errors.NoSuchDevice(f"{name}: there is no such device")
        return found

    def find(self, name: str) -> Device | None:
        """The device called *name*, a slot with leading zeros included, or None. BadName."""
        found = self._devices.get(name)
        if found is None and ":" in name:
            wanted, deleting = names.parse(name, _ANY_SLOT, names.NAME_MAX)
            found = None if deleting else self._devices.get(str(wanted))
        return found

    def configured(self) -> list[Device]:
        """SIOCGIFCONF: the devices that are up, in chain order."""
        return [device for device in self if device.up]

    def aliases_of(self, main: Device) -> list[Alias]:
        """The aliases of a device in creation order; an alias has none."""
        return list(self._aliases(self.chain.aliases(main.name))) if main.alias is None else []

    def add_device(
        self,
        name: str,
        flags: int = IFF_BROADCAST,
        type: int = ARPHRD_ETHER,
        *,
        mtu: int = 1500,
        mac: bytes = b"",
        family: int = AF_INET,
        metric: int = 0,
    ) -> Device:
        """register_netdev: a main device at the end of the chain. BadName, AlreadyExists."""
        names.check_device(name)
        if ":" in name:
            raise errors.BadName(f"{name}: a main device has no colon in its name")
        if name in self._devices:
            raise errors.AlreadyExists(f"{name}: there is such a device")
        device = Device(
            self._index(), name, flags, type, mtu=mtu, mac=mac, family=family, metric=metric
        )
        self.chain.append(name)
        self._devices[name] = device
        return device

    def remove_device(self, name: str) -> None:
        """unregister_netdev: remove a main device and its aliases. ENODEV; EINVAL for an alias."""
        device = self.get(name)
        if device.alias is not None:
            raise errors.StateError(f"{name}: an alias is deleted by {name}-")
        aliases = self.chain.remove(name)[1:]
        del self._devices[name]
        self._close(device, aliases)
        self._notify("free", device)

    # Requests by ioctl

    def set_address(self, name: str, address: bytes, family: int = AF_INET) -> Device | None:
        """SIOCSIFADDR: create or re-address an alias, or delete it if the name ends in "-".

        The address is packed; that of a deletion is ignored. Returns the device, None after a
        deletion. Raises NotPermitted (EPERM), BadName and NoSuchDevice (ENODEV), FamilyError
        (EINVAL), MainDown (EIO), KindError (EOPNOTSUPP: no family), LimitError (ENAMETOOLONG for
        a name over 15 bytes; EINVAL in 0.50 for a slot over the maximum). An error changes nothing.
        """
        self._demand_privilege(name)
        device = self.find(name)
        if device is not None:
            self._readdress(device, family, address)
            return device
        wanted, deleting = names.parse(name, _ANY_SLOT, names.NAME_MAX)
        main = self._devices.get(wanted.main)
        if main is None:
            raise errors.NoSuchDevice(f"{name}: there is no device {wanted.main}")
        if deleting:
            alias = self.get(str(wanted)).alias
            if alias is not None:
                self._delete(alias)
            return None
        return self._create(main, wanted, family, address).device

    def set_prefixlen(self, name: str, prefixlen: int) -> None:
        """SIOCSIFNETMASK; nothing is hashed anew. EPERM, ENODEV."""
        device = self._changeable(name)
        store(device, device.family, device.address, prefixlen)

    def set_flags(self, name: str, flags: int) -> None:
        """SIOCSIFFLAGS: store IFF_* flags, open or close. EPERM, ENODEV."""
        device = self._changeable(name)
        was_up = device.up
        device.flags = flags & SETTABLE | device.flags & (IFF_UP | IFF_SOFTHEADERS)
        if flags & IFF_UP and not was_up:
            device.flags |= IFF_UP | IFF_RUNNING
            self._notify("up", device)
        elif was_up and not flags & IFF_UP:
            self._close(device, self.chain.cut(device.name) if device.alias is None else ())

    def up(self, name: str) -> None:
        """``ifconfig NAME up``."""
        self.set_flags(name, self._changeable(name).flags | IFF_UP | IFF_RUNNING)

    def down(self, name: str) -> None:
        """``ifconfig NAME down``: an alias stays, a main device loses its aliases."""
        self.set_flags(name, self._changeable(name).flags & ~IFF_UP)

    def set_mtu(self, name: str, mtu: int) -> None:
        """SIOCSIFMTU; aliases do not follow. EPERM, ENODEV, EINVAL below 68."""
        device = self._changeable(name)
        if mtu < MTU_MIN:
            raise errors.LimitError(
                f"{name}: an MTU is {MTU_MIN} bytes at least, not {mtu}", errno=EINVAL
            )
        device.mtu = mtu

    def set_metric(self, name: str, metric: int) -> None:
        """SIOCSIFMETRIC; aliases do not follow. EPERM, ENODEV."""
        self._changeable(name).metric = metric

    @property
    def maximum(self) -> int:
        """/proc/sys/net/core/net_alias_max; 256 without that file (0.43).

        A raise takes effect at once on every main device, a reduction only on those without
        aliases. A negative number is accepted and allows no slot. Setting raises EPERM, ENOENT in
        0.43.
        """
        return self._maximum

    @maximum.setter
    def maximum(self, value: int) -> None:
        self._demand_privilege("net_alias_max")
        if not self.variant.settable:
            raise errors.StateError(
                f"version {self.variant.name} has no net_alias_max", errno=ENOENT
            )
        self._maximum = value
        for device in self._devices.values():
            if device.block is not None and device.block.maximum < value:
                device.block.widen(value)

    # The life of an alias

    def _create(self, main: Device, wanted: AliasName, family: int, address: bytes) -> Alias:
        for check in self.variant.checks:
            _CHECKS[check](self, main, wanted)
        self._type_for(str(wanted), family, address)
        born_as = self.registry.get(main.family)
        alias = newborn(self._index(), wanted, main, self.variant.flags, born_as)
        self._bind(born_as, alias)
        self._attach(alias)
        try:
            self._readdress(alias.device, family, address)
        except BaseException:
            self._delete(alias)
            raise
        return alias

    def _attach(self, alias: Alias) -> None:
        main = alias.main
        if main.block is None:
            main.block = Block(self.variant, self._maximum)
        self.chain.add(main.name, alias.device.name)
        self._devices[alias.device.name] = alias.device
        main.block.add(alias)

    def _delete(self, alias: Alias) -> None:
        """net_alias_dev_delete: unbind the type first, while the alias is still in the chain."""
        try:
            self._unbind(alias.type, alias)
        finally:
            self.chain.remove(alias.device.name)
            del self._devices[alias.device.name]
            self._free(alias)

    def _destroy(self, alias: Alias) -> None:
        """Unbind and free an alias that was removed from the chain with its whole block."""
        try:
            self._unbind(alias.type, alias)
        finally:
            self._free(alias)

    def _free(self, alias: Alias) -> None:
        """Close and free an alias that is unbound and out of the chain."""
        self._close(alias.device)
        if alias.block.remove(alias):
            alias.main.block = None
        self._notify("free", alias.device)

    def _bind(self, new: AliasType, alias: Alias) -> None:
        self._called("init", new, alias)
        self.registry.bind(new, alias)

    def _unbind(self, old: AliasType, alias: Alias) -> None:
        """nat_unbind: the done hook, then the count, which falls even if the hook fails."""
        try:
            self._called("done", old, alias)
            old.alias_done(alias)
        finally:
            # The registry would decrement the count before the hook.
            self.registry.unbind(_Silent(old), alias)

    def _close(self, device: Device, aliases: Iterable[str] = ()) -> None:
        """dev_close, then destroy its *aliases*, which were removed from the chain already."""
        gone = list(self._aliases(aliases))
        for alias in gone:
            del self._devices[alias.device.name]
        device.block = None
        device.flags &= ~(IFF_UP | IFF_RUNNING)
        self._notify_down(device)
        failures = []
        for alias in gone:
            try:
                self._destroy(alias)
            except Exception as failure:  # from the hook of a plug-in; destroy the others too
                failures.append(failure)
        if failures:
            raise failures[0]

    # Addresses

    def _readdress(self, device: Device, family: int, address: bytes) -> None:
        if device.alias is not None:
            new = self._type_for(device.name, family, address)
            if (device.family, device.address) != (family, address):
                self._rehash(device.alias, new, address)
        elif family == AF_UNSPEC:
            device.mac = address
        elif device.family != family or not has_number(device, address):
            self._while_down(device, lambda: store(device, family, address))

    def _rehash(self, alias: Alias, new: AliasType, address: bytes) -> None:
        """net_alias_dev_rehash: move to the front of the new bucket, unless it is the old one."""
        block = alias.block
        stays = new is alias.type and (
            block.bucket(new.get_addr32(address), new.family) == alias.bucket
        )

        def change() -> None:
            if new is not alias.type:
                self._rebind(alias, new)
            if not stays:
                block.remove(alias)
            alias.type = new
            store(alias.device, new.family, address)
            if not stays:
                block.add(alias)

        self._while_down(alias.device, change)

    def _rebind(self, alias: Alias, new: AliasType) -> None:
        """Change the type; the hooks of both types see the old address.

        If the init hook fails, the old type is bound again.
        """
        self._unbind(alias.type, alias)
        try:
            self._bind(new, alias)
        except BaseException:
            self._bind(alias.type, alias)
            raise

    def _type_for(self, name: str, family: int, address: bytes) -> AliasType:
        """The type for a requested address. Raises KindError, FamilyError, BadAddress."""
        if family == AF_UNSPEC:
            raise errors.KindError(f"{name}: an alias has no hardware address of its own")
        found = self.registry.get(family)
        if len(address) != found.size:
            raise errors.BadAddress(
                f"{name}: an address of type {found.name} has {found.size} bytes"
            )
        return found

    # Helpers

    def _while_down(self, device: Device, change: Callable[[], None]) -> None:
        """Notify "down" before *change* and "up" after it if the device is up; its routes are lost.

        They are restored if *change* fails, since an error changes nothing.
        """
        lost = self._notify_down(device) if device.up else {}
        try:
            change()
        except BaseException:
            self.routes.restore(lost)
            raise
        finally:
            if device.up:
                self._notify("up", device)

    def _notify_down(self, device: Device) -> Table:
        """Flush the routes of a device and notify "down"; the lost routes."""
        lost = self.routes.flush(device.name)
        self._notify("down", device)
        return lost

    def _notify(self, event: str, device: Device) -> None:
        for listener in self.notifier:
            listener(event, device)

    def _called(self, hook: str, one: AliasType, alias: Alias) -> None:
        for listener in self.hooks:
            listener(hook, one, alias)

    def _aliases(self, chosen: Iterable[str]) -> Iterator[Alias]:
        for name in chosen:
            alias = self._devices[name].alias
            if alias is not None:
                yield alias

    def _changeable(self, name: str) -> Device:
        self._demand_privilege(name)
        return self.get(name)

    def _demand_privilege(self, name: str) -> None:
        if not self.privileged:
            raise errors.NotPermitted(f"cannot change {name}", EPERM)

    def _index(self) -> int:
        self._made += 1
        return self._made


def _check_slot(machine: Machine, main: Device, wanted: AliasName) -> None:
    limit = machine.maximum if main.block is None else main.block.maximum
    if wanted.slot >= limit:
        highest = f"slots go up to {limit - 1}" if limit > 0 else f"the maximum is {limit}"
        raise machine.variant.slot_error(f"{wanted}: {highest}")
    size = len(str(wanted).encode("utf-8", "surrogateescape"))
    if size > names.NAME_MAX:
        raise errors.LimitError(
            f"{wanted}: the name of a device has {names.NAME_MAX} bytes at most, this one {size}"
        )


def _check_family(machine: Machine, main: Device, wanted: AliasName) -> None:
    machine.registry.get(main.family)


def _check_main(machine: Machine, main: Device, wanted: AliasName) -> None:
    if not main.up:
        raise errors.MainDown(f"{wanted}: {main.name} is down")


_CHECKS: dict[str, Callable[[Machine, Device, AliasName], None]] = {
    "slot": _check_slot,
    "family": _check_family,
    "main": _check_main,
}
