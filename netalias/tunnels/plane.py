"""The data plane: the process of one tunnel, which relays between descriptors that it inherits.

    netalias.tunnels.plane TUN CARRIAGE COUNTERS ALIVE carriage WORD[:ARGUMENT] [WORD VALUE]...

The first four are descriptors, the rest words of the line. ``spawn()`` starts it; whoever does
that keeps descriptors of its own, so that neither device nor port is lost with the process.
"""

from __future__ import annotations

import signal
import sys

from netalias import errors
from netalias.system import interpreter
from netalias.system.loop import Reader
from netalias.system.signals import Signals
from netalias.tunnels import keys, tun
from netalias.tunnels.carriage import adopt_carriage
from netalias.tunnels.counters import Counters
from netalias.tunnels.duties import Duties, network
from netalias.tunnels.relay import Relay

NAME = "netalias.tunnels.plane"
WIREGUARD = "wireguard"
"""The carriage that is the kernel's (handed.py)."""
LARGEST = 65535
"""Bytes of a packet of IP."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from netalias.tunnels.handed import Device, Handed

    class Descriptor(Protocol):
        """Something with a descriptor."""

        def fileno(self) -> int:
            """The number."""


def spawn(
    device: Descriptor,
    carriage: Descriptor,
    count: Counters,
    words: Sequence[str],
    alive: int = interpreter.NONE,
) -> int:
    """Start a data plane; its process id. *alive* is the reading end of a pipe: the data plane ends
    when nobody has the other end any more. Raises OSError."""
    held = [one.fileno() for one in (device, carriage, count)]
    return interpreter.start(NAME, [*held, alive], words)


def relay(
    device: tun.Tun | Device | None,
    carriage: str,
    fd: int,
    count: Counters,
    words: Mapping[str, str],
) -> Relay | Handed:
    """A Relay as the words of the line want it, or what stands for the kernel's, which needs no
    *device*. Raises NetaliasError.

    ``address`` is that of this host inside, ``mtu`` that of the device; ``sources`` are the
    networks, with commas between them, whose addresses the peer may send from; ``folder`` is the
    runtime directory and ``cookie`` that of its namespace, where former addresses are to be
    translated.
    """
    if _is_handed(carriage):
        from netalias.tunnels.handed import Handed

        return Handed(words["device"], count)
    assert isinstance(device, tun.Tun)
    made = _relay(device, carriage, fd, count, words)
    if "address" in words:
        made.local.add(network(words["address"])[0])
    sources = [network(one) for one in words.get("sources", "").split(",") if one]
    mtu = int(words.get("mtu") or LARGEST)
    Duties(made.carriage, count.values, made.give, mtu=mtu, sources=sources).attach(made)
    if "folder" in words:
        from netalias.tunnels.translating import Translating

        # First: what waits in the device is translated as is wanted by now.
        made.parts.insert(0, Translating(made, words["folder"], int(words["cookie"])))
    return made


def _is_handed(carriage: str) -> bool:
    """Whether the kernel carries it."""
    return carriage.partition(":")[0] == WIREGUARD


def _relay(
    device: tun.Tun, carriage: str, fd: int, count: Counters, words: Mapping[str, str]
) -> Relay:
    """A Relay over the carriage of the line, which has a key or none."""

    def say(text: str) -> None:
        _say(f"{device.name}: {text}")

    if "key" not in words:
        return Relay(device, adopt_carriage(carriage, fd), count, say=say)
    keys.check_library()
    from netalias.tunnels import keyed

    sealing = keyed.adopt(carriage, fd, words, count.values)
    made = Relay(device, sealing, count, say=say)
    made.parts += sealing.parts
    return made


def run(made: Relay | Handed, alive: int = -1) -> None:
    """Relay until SIGTERM, SIGINT or SIGHUP, or until the writing end of *alive* is closed. Raises
    StateError when the device is gone.

    SIGTERM ends the tunnel, and the peer is told; after SIGHUP another process goes on with it.
    """
    with Signals() as signals:
        ends = [signals.fileno(), *([alive] if alive >= 0 else [])]
        made.parts.append(Reader(ends, made.end))
        made.run()
        if signal.SIGTERM in signals.read():
            made.bye()


def main(arguments: Sequence[str]) -> int:
    """The process of the data plane; its exit status."""
    device, carriage, count, alive = map(int, arguments[:4])
    words = dict(zip(arguments[4::2], arguments[5::2], strict=True))
    try:
        text = words.pop("carriage")
        made = relay(
            None if _is_handed(text) else tun.adopt(device),
            text, carriage, Counters.adopt(count), words,
        )  # fmt: skip
        run(made, alive)
    except errors.NetaliasError as error:
        _say(error.line())
        return error.status
    return 0


def _say(text: str) -> None:
    """One line to the log of whoever started this."""
    print(f"netalias: {text}", file=sys.stderr, flush=True)
