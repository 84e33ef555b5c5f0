"""Published addresses as table rows, lines and JSON."""

from __future__ import annotations

from netalias.families.fields import address_fields
from netalias.model import AF_INET, PROTOCOL, Value, mac_text
from netalias.views import NOTHING, carried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model import Device, Snapshot
    from netalias.model.neighbours import Proxy

KIND = "published"


class Published(Value):
    """A proxy neighbour entry, and the device that answers."""

    __slots__ = ("main", "proxy")

    def __init__(self, main: Device, proxy: Proxy) -> None:
        self.main = main
        self.proxy = proxy

    @property
    def state(self) -> str:
        """The state of the device; ``foreign`` is added when netalias did not make the entry."""
        words = [carried(self.main)]
        if self.proxy.protocol != PROTOCOL:
            words.append("foreign")
        return ",".join(words)


def select(
    proxies: Iterable[Proxy], snapshot: Snapshot, words: Sequence[str], family: int
) -> list[Published]:
    """The entries of the devices that *words* name, or all; in the order of devices."""
    wanted = [snapshot.device(word) for word in words if ":" not in word]
    found = [
        Published(snapshot.devices[one.index], one)
        for one in proxies
        if one.index in snapshot.devices and family in (0, one.family)
    ]
    shown = [one for one in found if not words or one.main in wanted]
    order = {index: place for place, index in enumerate(snapshot.devices)}
    return sorted(shown, key=lambda one: (order[one.main.index], one.proxy.family, one.proxy.local))


def row(one: Published, headings: Sequence[str]) -> tuple[str, ...]:
    """The row of an entry under *headings*; "-" for a value that it does not have."""
    main = one.main
    texts = {
        "ALIAS": main.name,
        "DEVICE": main.name,
        "KIND": KIND,
        "ADDRESS": one.proxy.text,
        "STATE": one.state,
        "MAC": mac_text(main.mac) or NOTHING,
    }
    return tuple(texts.get(heading, NOTHING) for heading in headings)


def detail(one: Published) -> list[str]:
    """The details of an entry as lines, in the style of those of an alias."""
    main, proxy = one.main, one.proxy
    name = "ip" if proxy.family == AF_INET else "ipv6"  # the names of the alias types
    mark = f" proto {proxy.protocol}" if proxy.protocol else ""
    return [
        f"{main.name}: kind {KIND} state {one.state}",
        f"device {main.name} index {main.index}",
        f"lladdr {mac_text(main.mac) or NOTHING}",
        f"{name} {proxy.text}{mark}",
    ]


def branches(found: Iterable[Published]) -> dict[int, list[str]]:
    """The lines of the tree for each device, by its index."""
    result: dict[int, list[str]] = {}
    for one in found:
        text = f"{one.proxy.text} {KIND} {one.state}"
        result.setdefault(one.main.index, []).append(text)
    return result


def fields(one: Published) -> dict[str, object]:
    """The JSON object of an entry: the field names of ``ip -json``, and our kind, owned, state."""
    main, proxy = one.main, one.proxy
    return {
        "kind": KIND,
        "owned": proxy.protocol == PROTOCOL,
        "state": one.state,
        "link": main.name,
        "ifindex": main.index,
        "ifname": main.name,
        "address": mac_text(main.mac) or NOTHING,
        **address_fields(proxy.family, proxy.local, 8 * len(proxy.local)),
        "protocol": proxy.protocol,
    }
