"""The device of a tunnel: opened, brought into the state of its line, and undone.

The device lives as long as a descriptor of it (tunnels/tun.py); address and routes go with it, and
only the rule is left to be deleted.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EAFNOSUPPORT, EEXIST, ENODEV, ENOENT
from os import getpid

from netalias import errors
from netalias.desired.tunnels import WIREGUARD
from netalias.model import AF_INET6, MTU_INET6, address_text
from netalias.model.steps import DelLink
from netalias.plan import tunnels as plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.desired.tunnels import Tunnel, Vif
    from netalias.engine import Engine
    from netalias.model.steps import Step
    from netalias.tunnels.carriage import Carriage
    from netalias.tunnels.counters import Counters
    from netalias.tunnels.handed import Device
    from netalias.tunnels.tun import Tun

DONE = (EEXIST, EADDRNOTAVAIL, ENODEV)
"""Errnos of steps whose effect somebody else has brought about since the reading."""
HISTORY = 1536
"""Bytes of the MTU that VIF had, where the kernel fragments the outer packets."""
HIDDEN = "a service needs the drop-in tunnel.conf, a container the device"
"""Remedies for a process that may not see what a tunnel is made of."""
ETHERNET = 1500
"""Bytes of the MTU that most paths have."""
IPV6_UDP = 48
"""Bytes of the headers of IPv6 and UDP: more than those of IPv4."""
DISABLE = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"


class Held:
    """The parts of a tunnel: its device, its carriage, and its counters."""

    def __init__(self, device: Tun | Device, carriage: Carriage, count: Counters) -> None:
        self.device = device
        self.carriage = carriage
        self.count = count

    def close(self) -> None:
        """Close all; the device goes with its last descriptor."""
        for one in (self.device, self.carriage, self.count):
            one.close()


def hold(engine: Engine, tunnel: Tunnel) -> Held:
    """The device and the carriage of a tunnel, new in the namespace. Raises StateError,
    AlreadyExists, NotPermitted, KernelError, UsageError."""
    from netalias.runtime.tunnels import read

    other = read(engine.runtime.path, tunnel.name) if engine.runtime.path else None
    if other is not None and other.pid != getpid():
        raise errors.AlreadyExists(
            f"{tunnel.name}: pid {other.pid} carries it", f"netalias {tunnel.name}- ends that"
        )

    if tunnel.outer.carriage == WIREGUARD:
        _clear(engine, [tunnel.name])
    # One that is persistent would be taken over, and left behind.
    if engine.snapshot().device(tunnel.name) is not None:
        raise errors.AlreadyExists(
            f"{tunnel.name}: there is a device of this name", f"ip link del {tunnel.name}"
        )

    def make() -> Held:
        from netalias.tunnels import tun
        from netalias.tunnels.counters import Counters

        if tunnel.outer.carriage == WIREGUARD:
            return _handed(engine, tunnel)
        carriage = _carriage(tunnel)
        try:
            return Held(tun.create(tunnel.name), carriage, Counters.create())
        except BaseException:
            carriage.close()
            raise

    return _explained(tunnel.name, lambda: engine.within(make))


def addresses(engine: Engine) -> set[str]:
    """The addresses of this host, as numbers. Raises KernelError."""
    found = engine.snapshot().addresses.values()
    return {address_text(one.family, one.local) for entries in found for one in entries}


def opened(engine: Engine, tunnel: Tunnel) -> Carriage:
    """The carriage of a tunnel alone, new in the namespace. Raises as hold() does."""
    return engine.within(lambda: _carriage(tunnel))


def _handed(engine: Engine, tunnel: Tunnel) -> Held:
    """A tunnel that the kernel carries. Raises as hold() does."""
    from netalias.tunnels import handed
    from netalias.tunnels.counters import Counters

    outer, inner = tunnel.outer, tunnel.inner()
    sources = dict(zip(inner[::2], inner[1::2], strict=True)).get("sources", "")
    handed.make(tunnel.name, outer.port, outer.peer, outer.key, sources)
    return Held(handed.Device(tunnel.name, engine.within), handed.WireGuard(), Counters.create())


def _clear(engine: Engine, names: Iterable[str]) -> None:
    """Delete devices that killed processes have handed to the kernel. Raises StateError,
    KernelError."""
    from netalias.tunnels import handed

    for name in names:
        engine.within(lambda name=name: handed.clear(name))  # type: ignore[misc]


def _carriage(tunnel: Tunnel) -> Carriage:
    """A new socket. One of a tunnel with a key has no connection: its peer may change. Raises as
    hold() does."""
    outer = tunnel.outer
    if outer.carriage == WIREGUARD:
        from netalias.tunnels.handed import WireGuard

        return WireGuard()
    if not outer.key:
        from netalias.tunnels.carriage import open_carriage

        return open_carriage(carriage_of(tunnel), outer.peer)
    from netalias.tunnels import keys, roaming

    keys.check_library()
    check_key(tunnel)
    return roaming.open_roaming(carriage_of(tunnel), outer.peer)


def adopted(tunnel: Tunnel, fd: int) -> Carriage:
    """The socket of a tunnel behind a descriptor. Raises UsageError, StateError."""
    if not tunnel.outer.key:
        from netalias.tunnels.carriage import adopt_carriage

        return adopt_carriage(carriage_of(tunnel), fd)
    from netalias.tunnels import roaming

    return roaming.adopt_roaming(carriage_of(tunnel), fd, tunnel.outer.peer)


def check_key(tunnel: Tunnel) -> None:
    """Check that the file of its key holds one, before a process is started. Raises StateError."""
    if tunnel.outer.carriage == WIREGUARD:
        from netalias.tunnels import wireguard

        wireguard.read(tunnel.outer.key)
    else:
        from netalias.tunnels import keys

        keys.read(tunnel.outer.key)


def retire(engine: Engine, former: Iterable[Tunnel], tunnel: Tunnel) -> None:
    """Delete the addresses that a device has had by *former* lines; settle() follows. The lock is
    held. Raises KernelError."""
    from netalias.desired.tunnels import Vif

    lost = {one.local for one in former if isinstance(one, Vif) and not tunnel.lends(one.local)}
    snapshot = engine.kernel.snapshot()
    device = snapshot.device(tunnel.name)
    if device is not None and lost:
        sent(engine, plan.retired(device, snapshot.on(device.index), lost))


def _explained(name: str, make: Callable[[], Held]) -> Held:
    """The result of *make*. Raises KernelError where the device of TUN, or a kind of socket, is not
    there for this process."""
    try:
        return make()
    except OSError as error:
        told = errors.kernel_error(f"{name}: {error.filename or 'socket'}", error.errno or 0)
        if error.errno in (ENOENT, EAFNOSUPPORT):
            told.hint = HIDDEN
        raise told from None


def carriage_of(tunnel: Tunnel) -> str:
    """``udp:7777``, ``ipip``."""
    outer = tunnel.outer
    return f"{outer.carriage}:{outer.port}" if outer.port else outer.carriage


def mtu_of(tunnel: Tunnel, carriage: Carriage) -> int:
    """The MTU of the device in bytes: that of the line, or the usual one of the carriage."""
    outer = tunnel.outer
    if outer.mtu or not outer.port:
        return outer.mtu or HISTORY
    if outer.carriage == WIREGUARD:
        return carriage.room()
    from netalias.tunnels import frames, keys

    room = carriage.room() if outer.peer else ETHERNET - IPV6_UDP
    room -= keys.OVERHEAD if outer.key else 0
    return max(MTU_INET6, room - frames.ROOM * carriage.trains)


def words_of(tunnel: Tunnel, mtu: int) -> list[str]:
    """Pairs of word and value for the data plane: what its line says, with nothing left open."""
    words = ["carriage", carriage_of(tunnel), "device", tunnel.name, "mtu", str(mtu)]
    outer = tunnel.outer.words()
    for word, value in zip(outer[::2], outer[1::2], strict=True):
        words += [word, value] if word not in words else []
    return words + tunnel.inner()


def settle(engine: Engine, vif: Vif, mtu: int) -> tuple[list[errors.NetaliasError], list[str]]:
    """Bring a device into the state of its line: the refusals, and sentences on networks that
    others have routed into the tunnel. The lock is held. Raises KernelError."""
    snapshot = engine.kernel.snapshot()
    device = snapshot.device(vif.name)
    if device is None:
        return [errors.NoSuchDevice(f"{vif.name}: the device is gone")], []
    if not device.up and vif.type.family != AF_INET6:
        disable_ipv6(engine, device.name)
    entries = snapshot.on(device.index)
    found = engine.kernel.routing().read()
    refused = sent(engine, plan.settle(vif, device, entries, found, mtu))
    foreign = [one for one in entries if one.local != vif.local]
    return refused, plan.described(plan.claimed(device, foreign), vif.name)


def disable_ipv6(engine: Engine, name: str) -> None:
    """Have the kernel send nothing of IPv6 by itself; where that cannot be set it is rarely much,
    since the device has no address of IPv6."""

    def disable() -> None:
        try:
            with open(DISABLE.format(name), "w", encoding="ascii") as file:
                file.write("1")
        except OSError:
            pass

    engine.within(disable)


def undo(engine: Engine, vifs: Iterable[Vif]) -> list[errors.NetaliasError]:
    """Delete the rules of tunnels that none of *vifs* has, nor any that another process carries;
    the refusals. The caller is in a transaction. Raises KernelError."""
    from netalias.desired.tunnels import Vif, unit_of
    from netalias.engine.carried import task_of
    from netalias.runtime.tunnels import carried

    records = carried(engine.runtime.path)
    others = [task_of(one) for one in records if one.pid != getpid()]
    kept = [*vifs, *(one for one in others if isinstance(one, Vif))]
    wanted = {one.name for one in kept}
    devices = engine.snapshot().devices.values()
    _clear(engine, [
        one.name for one in devices
        if one.kind == WIREGUARD and unit_of(one.name) >= 0 and one.name not in wanted
    ])  # fmt: skip
    return sent(engine, plan.leftovers(kept, engine.kernel.routing().read()))


def index_of(engine: Engine, device: int) -> int:
    """The index of the device of TUN behind a descriptor; 0 where there is none any more."""
    from netalias.tunnels import tun

    return engine.within(lambda: tun.index(device))


def delete(engine: Engine, index: int) -> None:
    """Delete the device of a tunnel that another process holds open; no error without one. Raises
    KernelError."""
    device = engine.snapshot().devices.get(index) if index else None
    if device is not None:
        sent(engine, [DelLink(device.name, index, device.group)])


def sent(engine: Engine, steps: Sequence[Step]) -> list[errors.NetaliasError]:
    """Carry out steps, each as far as it goes; the refusals. Raises KernelError."""
    for number, step in enumerate(steps):
        step.owner = number  # each as far as it goes
    if not steps:
        return []
    failures = engine.kernel.apply(steps, stoppable=False)
    return [one.error for one in failures if one.error.errno not in DONE]
