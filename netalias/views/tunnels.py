"""Tunnels as table rows, details and JSON."""

from __future__ import annotations

from netalias.views import FLAGS, NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    from netalias.desired.tunnels import Tunnel
    from netalias.model import Device
    from netalias.observed.tunnels import Fault, Status

    class Record(Protocol):
        """runtime/tunnels.py."""

        name: str
        mtu: int
        pid: int
        plane: int
        since: str
        fault: str


COLUMNS = {
    "DEVICE": "ifname", "ADDRESS": "address", "TO": "to", "CARRIAGE": "carriage", "MTU": "mtu",
    "STATE": "state", "SENT": "sent_packets", "RECEIVED": "received_packets", "DROPPED": "dropped",
}  # fmt: skip
"""Heading of each column: the key of the row."""
LEFT_OUT = (("MTU",), ("CARRIAGE",), ("TO",))
"""Columns to leave out where a terminal is too narrow, the first ones first."""
UP, DOWN, FAILED = "up", "down", "failed"
EMULATED = ("LOOPBACK", "NOARP")
"""The flags that a device of VIF had; UP came with its address."""


class Standing:
    """A tunnel: its ``task``, its ``record``, its ``device``, None where there is none, and its
    ``faults``. ``counters`` are those of its *status* by name, None where that cannot be read: it
    is memory of another process."""

    def __init__(
        self,
        task: Tunnel,
        record: Record,
        device: Device | None,
        status: Status | None,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.task = task
        self.record = record
        self.device = device
        self.counters = status.counters if status is not None else None
        self.faults = [one for one in faults if not one.maybe]


def state(one: Standing) -> str:
    """Whether a tunnel stands; its peer may be silent all the same, of which its faults tell."""
    up = one.device is not None and one.device.up and one.record.plane > 0
    return FAILED if one.record.fault else UP if up else DOWN


def fields(one: Standing) -> dict[str, object]:
    """The JSON object of a tunnel: the words of its line, what they have become, and counters."""
    found = one.task.fields() | {"ifname": one.record.name, "mtu": one.record.mtu}
    if not one.record.mtu:
        del found["mtu"]
    found |= {"state": state(one)}
    error = one.record.fault or "; ".join(fault.line for fault in one.faults)
    found |= {"error": error} if error else {}
    found |= {"pid": one.record.pid, "plane": one.record.plane or None, "since": one.record.since}
    if one.device is not None:
        found |= {"flags": _flags(one.device), "emulated": emulated(one.device)}
    if one.counters is not None:
        found["counters"] = one.counters
    return found


def emulated(device: Device) -> list[str]:
    """The flags that VIF would show."""
    return [*EMULATED, *(["UP"] if device.up else [])]


def _flags(device: Device) -> list[str]:
    return [name for bit, name in FLAGS if device.flags & bit]


def dropped(counters: Mapping[str, int]) -> int:
    """The packets that came to nothing."""
    return sum(value for name, value in counters.items() if name.startswith("dropped_"))


def rows(found: Iterable[Standing]) -> list[list[str]]:
    """The rows under COLUMNS."""
    return [[_text(value) for value in _row(one)] for one in found]


def _row(one: Standing) -> list[object]:
    values = fields(one)
    if "local" in values:
        values["address"] = f"{values['local']}/{values['prefixlen']}"
    else:
        values["address"] = ",".join(map(str, values.get("prefixes", ())))  # type: ignore[call-overload]
    if "port" in values:
        values["carriage"] = f"{values['carriage']}:{values['port']}"
    if one.counters is not None:
        values |= {**one.counters, "dropped": dropped(one.counters)}
    return [values.get(key) for key in COLUMNS.values()]


def _text(value: object) -> str:
    return NOTHING if value is None else str(value)


def detail(one: Standing) -> list[str]:
    """The lines about one tunnel: its own, its flags as they are and as VIF had them, and each
    counter that is not 0."""
    values = fields(one)
    lines = [f"{one.record.name}: {one.task.text}"]
    lines.append(f"{values['state']}, mtu {one.record.mtu}, since {one.record.since}")
    lines += [f"fault: {fault.line}" for fault in one.faults]
    who = f"pid {one.record.pid}"
    lines.append(f"{who}, data plane {one.record.plane}" if one.record.plane else who)
    if one.device is not None:
        real, vif = ",".join(_flags(one.device)), ",".join(emulated(one.device))
        lines.append(f"flags <{real}>, of VIF <{vif}>")
    for name, value in (one.counters or {}).items():
        if value:
            lines.append(f"{name.replace('_', ' ')} {value}")
    return lines
