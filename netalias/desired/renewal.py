"""The parts of a running tunnel that begin anew when its line changes. Pure.

Flows inside live as long as the device. So that stays where it can, and so do the socket and the
process, each as long as nothing that it was made with has changed.
"""

from __future__ import annotations

from netalias.desired.tunnels import WIREGUARD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.tunnels import Tunnel

NOTHING, PROCESS, SOCKET, DEVICE = range(4)
"""The parts from the inside to the outside; with each go those before it."""
NEEDS = {"to": SOCKET, "carriage": SOCKET, "mtu": PROCESS, "address": PROCESS, "sources": PROCESS}
"""Words of a line: the part that has to begin anew when their values change."""


class Renewal:
    """The change from one line of a tunnel to the next: the ``words`` whose values are others, and
    the ``part`` that has to begin anew."""

    __slots__ = ("part", "words")

    def __init__(self, before: Tunnel, after: Tunnel) -> None:
        values = [_values(one) for one in (before, after)]
        names = [*dict.fromkeys([*values[0], *values[1]])]
        self.words = [one for one in names if values[0].get(one) != values[1].get(one)]
        self.part = max((_need(one, before, after) for one in self.words), default=NOTHING)
        carriages = [one.outer.carriage for one in (before, after)]
        if self.words and WIREGUARD in carriages:
            self.part = DEVICE


def _values(tunnel: Tunnel) -> dict[str, str]:
    words = [*tunnel.outer.words(), *tunnel.inner()]
    return dict(zip(words[::2], words[1::2], strict=True))


def _need(word: str, before: Tunnel, after: Tunnel) -> int:
    """The part for one word. A socket with a key has no connection; and in the place of an address
    of one family the device cannot have one of the other, which is switched off there."""
    if word == "key":
        return PROCESS if before.outer.key and after.outer.key else SOCKET
    families = [":" in _values(one).get("address", "") for one in (before, after)]
    return DEVICE if word == "address" and families[0] != families[1] else NEEDS[word]
