"""Dry runs on a copy of the kernel in memory."""

from __future__ import annotations

from netalias.kernel.memory import KINDS, Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.engine import Engine


def rehearsal(engine: Engine) -> Engine:
    """An engine on a copy of the kernel in memory, which refuses what the kernel would refuse, and
    in which each command sees the effect of those before it. It takes no lock, writes no file and
    sends no packet.
    """
    kernel = engine.kernel
    kinds = [kind for kind in KINDS if engine.able(kind)]
    copy = Memory.holding(kernel.snapshot(), kinds, kernel.proxies(), kernel)
    known: dict[str, bool] = {}

    def without_inet6(name: str) -> bool:
        if name not in known:
            known[name] = engine.within(lambda: kernel.disables_inet6(name))
        return known[name]

    copy.without_inet6 = without_inet6
    return engine.rehearsal(copy)
