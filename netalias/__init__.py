"""Alias devices: ``eth0:0`` as a real device, of any address family that has an alias type.

``netalias.open()`` gives an Engine with ``create``, ``delete``, ``show`` and ``lookup``;
``netalias.emulator`` is the engine of Linux 2.0 in memory. Names are loaded when they are used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.claim.session import Segment
    from netalias.engine import Engine
    from netalias.errors import NetaliasError
    from netalias.families import AliasType, Registry
    from netalias.kernel import Kernel
    from netalias.model import Address, Alias, Device, Snapshot
    from netalias.runtime import Lock

__version__ = "0.4.0"

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
}


def open(
    netns: str = "",
    *,
    kernel: Kernel | None = None,
    group: int = 0,
    wait: float = 10.0,
    recorded: bool = False,
    hands_off: bool = False,
) -> Engine:
    """An Engine for the network namespace *netns*, or for that of the calling thread.

    *netns* is a name of ``ip netns`` or a path; the thread is back where it was when this returns.
    With a *kernel* (netalias.kernel.memory.Memory for one) nothing is opened and nothing is locked.
    *group* is the mark on devices, 0 for the usual one; *wait* is how many seconds a change waits
    for another run; *recorded*: readings can be recognised again (kernel/netlink/fingerprint.py);
    *hands_off*: settings of main devices are left alone. Raises NoSuchDevice for an unknown
    namespace, KernelError.
    """
    from os import stat

    from netalias.engine import Engine
    from netalias.model import GROUP, SCRATCH

    group = group or GROUP
    if group & SCRATCH:
        from netalias.errors import UsageError

        raise UsageError(
            f"group {group}: bit 16 marks what is about to be deleted", "a number below 65536"
        )
    if kernel is not None:
        return Engine(kernel, group=group, hands_off=hands_off)

    def kernel_here() -> Kernel:
        if recorded:
            from netalias.kernel.netlink.fingerprint import Fingerprinted

            return Fingerprinted()
        from netalias.kernel.netlink import Netlink

        return Netlink()

    def lock() -> Lock:
        from netalias.runtime import Lock

        return Lock(wait, namespace)

    def found(engine: Engine) -> Engine:
        def segment() -> Segment:
            from netalias.claim.session import Segment

            return Segment(engine.within, aside=engine.aside)

        engine.hands_off = hands_off
        engine.segment = segment
        return engine

    if not netns:
        namespace = stat("/proc/thread-self/ns/net").st_ino
        return found(Engine(kernel_here(), group=group, lock=lock))
    from netalias.system.netns import entered

    def within(work: Callable[[], object]) -> object:
        with entered(netns):
            return work()

    with entered(netns):
        namespace = stat("/proc/thread-self/ns/net").st_ino
        return found(Engine(kernel_here(), group=group, lock=lock, within=within))


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        if name == "emulator":
            return __import__("netalias.emulator", fromlist=["emulator"])
        raise AttributeError(f"module 'netalias' has no attribute {name!r}")
    return getattr(__import__(f"netalias.{home}", fromlist=[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
