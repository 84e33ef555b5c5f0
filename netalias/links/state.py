"""Everything that is to be known of a link, as one plain object: a process that has it and the
descriptor goes on with the link.
"""

from __future__ import annotations

from netalias.links.devices import Device, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COUNTERS = (
    "in_packets", "in_bytes", "in_damaged", "in_dropped",
    "out_packets", "out_bytes", "out_dropped", "opened",
)  # fmt: skip
"""Packets and their bytes, without what the device adds; ``opened``: so often it was opened.

``in_damaged`` were no frames, ``in_dropped`` were frames that nobody waits for, ``out_dropped``
did not go out, since the device had no room or refused them.
"""


SAMPLES = 6
"""With which the rate is that of the last five seconds."""


class LinkState:
    """The state of one link.

    ``word`` is that of the device, ``kind`` the kind that it was found to be of, ``name`` says what
    it is connected to (``192.0.2.1:6669/udp``); ``peer`` is the address of the one peer that may
    send, as the socket gives it: (host, port) of udp, (MAC as hex, protocol) of link, empty for
    none yet.

    ``passive``: it waits for its peer. ``phase`` is one of links.phases.PHASES. ``unread`` came in
    and is the beginning of a frame; ``unsent`` begins where the device stopped to take bytes.
    ``cd`` is the word of --cd. ``magic`` is our number and ``heard`` that of the peer, 0 for none;
    ``mru`` is the longest packet that both take. The samples are the bytes in all at the end of
    each of the last SAMPLES seconds, the oldest first.
    ``timers`` maps the name of each that runs to the seconds that are left. ``child`` is the pid of
    the program behind ``!command`` and its start time, ``modes`` are those of a terminal before.
    """

    __slots__ = (
        "cd", "child", "counters", "framed", "heard", "in_samples", "kind", "magic", "modes", "mru",
        "name", "out_samples", "passive", "peer", "phase", "timers", "unread", "unsent", "word",
    )  # fmt: skip

    def __init__(self, word: str, kind: str, name: str = "") -> None:
        self.word = word
        self.kind = kind
        self.name = name or word
        self.peer: tuple[str, int] | tuple[()] = ()
        self.passive = False
        self.framed = False
        """Whether frames are marked in a stream of bytes; else each is a datagram."""
        self.phase = "closed"
        self.unread = b""
        self.unsent = b""
        self.cd = ""
        self.magic = self.heard = self.mru = 0
        self.in_samples: list[int] = []
        self.out_samples: list[int] = []
        self.timers: dict[str, float] = {}
        self.child: tuple[int, str] | tuple[()] = ()
        self.modes: list[Any] = []
        self.counters = dict.fromkeys(COUNTERS, 0)

    def sample(self) -> None:
        """Note the bytes in all at the end of a second."""
        for direction in ("in", "out"):
            samples = getattr(self, f"{direction}_samples")
            samples.append(self.counters[f"{direction}_bytes"])
            del samples[:-SAMPLES]

    def rate(self, direction: str) -> int:
        """Bytes a second, ``in`` or ``out``, of the last seconds."""
        samples = getattr(self, f"{direction}_samples")
        return (samples[-1] - samples[0]) // (len(samples) - 1) if len(samples) > 1 else 0

    @property
    def device(self) -> Device:
        """The device of the word. Raises UsageError."""
        return parse(self.word)

    def plain(self) -> dict[str, Any]:
        """The same as texts, numbers, bytes, tuples and dictionaries of them, by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def restored(plain: dict[str, Any]) -> LinkState:
    """The state that plain() gave. Raises KeyError."""
    state = LinkState(plain["word"], plain["kind"])
    for name in LinkState.__slots__:
        setattr(state, name, plain[name])
    return state
