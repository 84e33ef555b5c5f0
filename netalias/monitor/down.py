"""The end of a resident command when a device goes down or away; a Pollable (system/loop.py).

Every such command ends in order on SIGTERM, and that is what it gets: none needs another way out.
"""

from __future__ import annotations

from select import POLLIN
from signal import SIGTERM, raise_signal

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.monitor import READERS
from netalias.kernel.netlink.subscription import Subscription
from netalias.monitor.selection import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.kernel.netlink.subscription import Message


def _terminate() -> None:
    raise_signal(SIGTERM)


class Down:
    """Calls *end* once when the device *name* was up, and goes down or away, or loses that name.

    *name* is that of a main device or an alias, which need not be there yet; one that is down at
    the beginning is waited for. The namespace is that of the calling thread. Raises BadName,
    KernelError.
    """

    def __init__(self, name: str, end: Callable[[], object] = _terminate) -> None:
        self._selection = Selection([name])
        self._end = end
        self._up: set[int] = set()
        self._ended = False
        self._heard = Subscription(groups=(codec.RTNLGRP_LINK,))
        self._asked = Subscription()
        self._asked.strict()
        self._list()

    @property
    def up(self) -> bool:
        """Whether the device is there, and up."""
        return bool(self._up)

    def close(self) -> None:
        """Close the sockets."""
        self._heard.close()
        self._asked.close()

    def wanted(self, now: float) -> dict[int, int]:
        """The socket of announcements."""
        return {self._heard.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Read what the kernel has announced."""
        for message in self._heard.read():
            if message is None:
                self._heard.drain()
                self._list()
            else:
                self._take(message)

    def due(self, now: float) -> None:
        """Never."""

    def tick(self, now: float) -> None:
        """Nothing."""

    def _list(self) -> None:
        """Read all devices: at the beginning, and where announcements were lost."""
        before, self._up = self._up, set()
        skip = codec.attr_u32(codec.IFLA_EXT_MASK, codec.RTEXT_FILTER_SKIP_STATS)
        for attempt in self._asked.dump(codec.RTM_GETLINK, codec.ifinfo() + skip):
            for message in attempt:
                self._take(message)
        if before and before.isdisjoint(self._up):  # another one may have its name
            self._finish()

    def _take(self, message: Message) -> None:
        kind, _, _, data, start, end = message
        reader = READERS.get(kind)
        word = reader(data, start, end) if reader is not None else None
        if word is None:
            return
        (_, index, *_), device, _ = word
        if device is not None and device.up and self._selection.named(device):
            self._up.add(index)
        elif index in self._up:
            self._up.discard(index)
            if not self._up:
                self._finish()

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._end()
