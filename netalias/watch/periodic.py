"""Published addresses come back with their device: the kernel forgets the proxy entries of one that
goes down (pneigh_ifdown), and announces neither that nor their coming.

So they are read whenever another run has let go of the lock, since they may be others then.
"""

from __future__ import annotations

from netalias.model import PROTOCOL
from netalias.model.neighbours import AddProxy, Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.engine import Engine
    from netalias.kernel import Failure
    from netalias.model.events import State


class Publishing:
    """What is published, by the name of the device: it may come again with another index."""

    def __init__(self, engine: Engine, state: State) -> None:
        self._engine = engine
        self._state = state
        self._known: dict[str, list[Proxy]] = {}

    def read(self) -> list[Proxy]:
        """What the kernel has of ours. Raises KernelError."""
        return [one for one in self._engine.kernel.proxies() if one.protocol == PROTOCOL]

    def learn(self, proxies: Iterable[Proxy]) -> None:
        """These are published; by a device that is down it is what it was."""
        found: dict[str, list[Proxy]] = {}
        for proxy in proxies:
            device = self._state.device(proxy.index)
            if device is not None:
                found.setdefault(device.name, []).append(proxy)
        up = {device.name for device in self._state.devices() if device.up}
        self._known = {name: old for name, old in self._known.items() if name not in up} | found

    def missing(self) -> list[AddProxy]:
        """The steps that publish again what devices have forgotten that are up now."""
        steps = []
        present = {(one.index, one.local) for one in self._engine.kernel.proxies()}
        for device in self._state.devices():
            for old in self._known.get(device.name, ()) if device.up else ():
                proxy = Proxy(device.index, old.family, old.local, old.protocol, old.flags)
                if (proxy.index, proxy.local) not in present:
                    steps.append(AddProxy(device.name, device.index, proxy))
        return steps

    def again(self) -> tuple[int, list[Failure]]:
        """Publish again what was forgotten; how many, and what was refused. Raises KernelError."""
        if not self._known:
            return 0, []
        steps = self.missing()
        for number, step in enumerate(steps):
            step.owner = number
        failures = self._engine.kernel.apply(steps) if steps else []
        return len(steps) - len(failures), failures
