"""Alias devices: ``eth0:0`` as a real device, of any address family that has an alias type.

``netalias.open()`` returns an Engine with ``create``, ``delete``, ``show`` and ``lookup``;
``netalias.events()`` are the events of a running watcher, ``netalias.emulator`` is the engine of
Linux 2.0 in memory, ``netalias.vif`` the driver of VIF.
Names are imported on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.claim import Policy
    from netalias.engine import Engine
    from netalias.engine.program.events import events as events
    from netalias.errors import NetaliasError
    from netalias.families import AliasType, Registry
    from netalias.kernel import Kernel
    from netalias.model import Address, Alias, Device, Snapshot
    from netalias.tunnels import vif as vif

__version__ = "0.5.0"

__all__ = [
    "Address",
    "Alias",
    "AliasType",
    "Device",
    "Engine",
    "Kernel",
    "NetaliasError",
    "Registry",
    "Snapshot",
    "events",
    "open",
]

_HOMES = {
    "Address": "model",
    "Alias": "model",
    "AliasType": "families",
    "Device": "model",
    "Engine": "engine",
    "Kernel": "kernel",
    "NetaliasError": "errors",
    "Registry": "families",
    "Snapshot": "model",
    "events": "engine.program.events",
}
_MODULES = {"emulator": "netalias.emulator", "vif": "netalias.tunnels.vif"}


def open(
    netns: str = "",
    *,
    kernel: Kernel | None = None,
    registry: Registry | None = None,
    group: int = 0,
    wait: float = 10.0,
    recorded: bool = False,
    hands_off: bool = False,
    aside: bool = False,
    policy: Policy | None = None,
    session: Callable[[], bytes] | None = None,
    progress: Callable[[int], None] | None = None,
    warn: Callable[[str], None] | None = None,
    changed: list[dict[str, object]] | None = None,
) -> Engine:
    """An Engine for the network namespace *netns*, or for that of the calling thread.

    *netns* is a name as for ``ip netns``, or a path; the thread returns to its own namespace.
    With a *kernel*, such as netalias.kernel.memory.Memory, nothing is opened and nothing is locked.
    *group* is IFLA_GROUP of alias devices, 0 for the default; *wait* is the time in seconds that a
    change waits for the lock; *recorded*: keep a fingerprint of each reading
    (kernel/netlink/fingerprint.py). The others are those of engine.Setup. Raises NoSuchDevice for
    an unknown namespace, UsageError, KernelError.
    """
    from netalias.model import GROUP, SCRATCH

    group = group or GROUP
    if group & SCRATCH:
        from netalias.errors import UsageError

        raise UsageError(
            f"group {group}: bit 16 marks what is about to be deleted", "a number below 65536"
        )
    if kernel is not None:
        from netalias.engine import Engine, Setup

        return Engine(
            Setup(
                kernel,
                registry,
                group=group,
                hands_off=hands_off,
                policy=policy,
                warn=warn,
                changed=changed,
                outer=_outer,
            )
        )
    within: Callable[[Callable[[], Any]], Any] | None = None
    if netns:
        from netalias.system.netns import inside

        within = inside(netns)
    kernel, namespace = within(lambda: _opened(recorded)) if within else _opened(recorded)
    cookie = kernel.cookie()
    from netalias.engine import Engine, Setup, identity

    return Engine(
        Setup(
            kernel,
            registry,
            group=group,
            namespace=namespace,
            cookie=cookie,
            wait=wait,
            within=within,
            claims=True,
            aside=aside,
            policy=policy,
            hands_off=hands_off,
            session=session,
            progress=progress,
            warn=warn,
            identity=identity,
            changed=changed,
            outer=_outer,
        )
    )


def _outer(name: str) -> Callable[..., Any]:
    """The function of Engine.check, reconcile or doctor."""
    home = "doctor.program" if name == "doctor" else "engine.program.declared"
    found: Callable[..., Any] = getattr(__import__(f"netalias.{home}", fromlist=[name]), name)
    return found


def _opened(recorded: bool) -> tuple[Kernel, int]:
    """The kernel of the network namespace of the thread, and the inode of that."""
    from os import stat

    namespace = stat("/proc/thread-self/ns/net").st_ino
    if recorded:
        from netalias.kernel.netlink.fingerprint import Fingerprinted

        return Fingerprinted(), namespace
    from netalias.kernel.netlink import Netlink

    return Netlink(), namespace


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        if name in _MODULES:
            return __import__(_MODULES[name], fromlist=[name])
        raise AttributeError(f"module 'netalias' has no attribute {name!r}")
    return getattr(__import__(f"netalias.{home}", fromlist=[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
