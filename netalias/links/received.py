"""A link as a state that changes hands, and what its receiver makes of it.

The receiver builds its own objects by the type of the device, since those of the sender are of
another process: here is what they are built from.
"""

from __future__ import annotations

import os
import signal

from netalias import errors
from netalias.links import spec
from netalias.links.handover import Parcel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

STREAM, DATAGRAM = "stream", "datagram"
LAYERS = {
    "tcp": STREAM,
    "udp": DATAGRAM,
    "tty": STREAM,
    "exec": STREAM,
    "link": DATAGRAM,
}
"""The lowest layer by the type of a device: frames are found in a stream, or each is a datagram."""
UNKNOWN = ""
"""The type of a device that another release may know: the link is used as a stream."""
TITLE = b"session owner"
"""The name of a process that only keeps its session (TASK_COMM_LEN of linux/sched.h: 15 bytes)."""


class Link:
    """The state of a link.

    ``type`` is a word of spec.DEVICES, ``device`` the fields that are its own. ``timers`` are those
    that run, in seconds from now; ``unread`` was read of a frame whose rest is to come; ``octets``
    are the bytes read and written, ``rings`` the samples of them in each second, with the place of
    the next. ``carrier`` is how many seconds it is waited for, and whether it must come.
    """

    def __init__(self, name: str, type: str) -> None:
        self.name = name
        self.type = type
        self.state = 0
        self.timers: Mapping[str, float] = {}
        self.unread = b""
        self.carrier = (0, False)
        self.octets = (0, 0)
        self.rings: Sequence[tuple[int, Sequence[int]]] = [(0, [0] * spec.SAMPLES)] * 2
        self.device: Mapping[str, Any] = {}

    @property
    def layer(self) -> str:
        """STREAM or DATAGRAM."""
        return LAYERS.get(self.type, STREAM)

    def packed(self) -> bytes:
        """The body of its parcel. Raises LimitError for a name that does not fit."""
        if len(self.name.encode()) >= spec.NAME:
            raise errors.LimitError(f"{self.name}: a link's name has {spec.NAME - 1} bytes at most")
        number = [*spec.DEVICES].index(self.type) + 1
        seconds, required = self.carrier
        timers = [
            {"running": name in self.timers, "left": self.timers.get(name, 0.0)}
            for name in spec.TIMERS
        ]
        link = {
            "datalink": {"state": self.state, "timers": timers},
            "name": self.name,
            "physical": {
                "type": number,
                "carrier": {"seconds": seconds, "required": required},
                "octets": self.octets,
            },
            "rings": [{"place": place, "octets": [*samples]} for place, samples in self.rings],
            "device": self.device,
        }
        content: bytes = spec.LINK_PARCEL.build({"link": link, "unread": self.unread})
        return content

    def parcel(
        self,
        filenos: Sequence[int],
        lock: int = -1,
        drained: Callable[[], bool] = lambda: True,
    ) -> Parcel:
        """The parcel of this link: its descriptors, and that of its lock file."""
        roles = ["link", *(["lock"] if lock >= 0 else [])]
        held = [*filenos[:1], *([lock] if lock >= 0 else []), *filenos[1:]]
        roles += [f"auxiliary {number}" for number in range(1, len(filenos))]
        return Parcel("link", roles, held, self.packed(), locks=("lock",), drained=drained)


def read(
    body: bytes, names: Collection[str], log: Callable[[str], object] = lambda line: None
) -> Link:
    """The link of a parcel's body, for a receiver that has links called *names*. What is noteworthy
    goes to *log*. Raises StateError for bytes of another layout."""
    try:
        found = spec.LINK_PARCEL.parse(body)
    except (spec.FailedLayout, UnicodeError) as error:
        raise errors.StateError(f"the link is malformed: {str(error).splitlines()[0]}") from None
    one = found.link
    words = [*spec.DEVICES]
    number = one.physical.type
    known = number <= len(words)
    link = Link(unique(str(one.name), names), words[number - 1] if known else UNKNOWN)
    if link.name != one.name:
        log(f"{one.name} is called {link.name} here")
    if not known:
        log(f"{link.name}: unknown link type {number}")
    link.state = one.datalink.state
    pairs = zip(spec.TIMERS, one.datalink.timers, strict=True)
    link.timers = {name: timer.left for name, timer in pairs if timer.running}
    link.unread = found.unread
    link.carrier = one.physical.carrier.seconds, one.physical.carrier.required
    received, sent = one.physical.octets
    link.octets = received, sent
    link.rings = [(ring.place, [*ring.octets]) for ring in one.rings]
    fields = (one.device or {}).items()
    link.device = {name: value for name, value in fields if not name.startswith("_")}
    return link


def unique(name: str, taken: Collection[str]) -> str:
    """A name that is free: *name*, or with the lowest number that makes it so."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


class Session:
    """The session of a sender whose terminal goes to another process: getty(8) or sshd(8) must not
    see it end, or they would take the terminal away.

    To be made before the parcel is given, since the receiver may hang it up (SIGHUP) at once.
    """

    def __init__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

    def stay(self) -> None:
        """Do nothing but exist, under the name TITLE, until SIGHUP: after the parcel was given."""
        with open(f"/proc/{os.getpid()}/comm", "wb", buffering=0) as file:
            file.write(TITLE)
        signal.sigwait({signal.SIGHUP})
        self.close()

    def close(self) -> None:
        """Have SIGHUP as before: the parcel was kept, and this process goes on."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
