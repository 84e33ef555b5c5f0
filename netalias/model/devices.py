"""The devices of a state by what one of thousands is looked for: name, slot, and place. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Device

    Place = tuple[int, str, int, bool]
    """Mark (IFLA_GROUP), kind, index of the lower device, and whether that is in another namespace
    (fields ``group``, ``kind``, ``link`` and ``remote`` of a Device)."""


class Devices:
    """Each question costs as much as its answer, whatever the number of devices.

    ``places``: index -> device, by place; the devices of one place are in the order of their
    arrival there.
    """

    __slots__ = ("_names", "_slots", "places")

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self.places: dict[Place, dict[int, Device]] = {}
        self._names: dict[str, Device] = {}
        self._slots: dict[int, dict[str, tuple[Device, ...]]] = {}
        for device in devices:
            self.replace(None, device)

    def called(self, text: str) -> Device | None:
        """The device with this primary or alternative name."""
        return self._names.get(text)

    def with_slot(self, link: int, text: str) -> Iterable[Device]:
        """The devices on the one with the index *link* that are called ANYTHING:*text*."""
        return self._slots.get(link, {}).get(text, ())

    def replace(self, old: Device | None, new: Device | None) -> None:
        """Put *new* in the place of *old*, the same device before; None for no device."""
        if old is not None:
            self._remove(old, new)
        if new is None:
            return
        self.places.setdefault(_place(new), {})[new.index] = new
        for name in (new.name, *new.altnames):
            self._names[name] = new
        for text in _slots(new):
            on_link = self._slots.setdefault(new.link, {})
            on_link[text] = (*on_link.get(text, ()), new)

    def _remove(self, old: Device, new: Device | None) -> None:
        """Forget what *old* is found by. Its position among those of its place stays if *new* is
        there too."""
        place = _place(old)
        if new is None or _place(new) != place:
            members = self.places[place]
            del members[old.index]
            if not members:
                del self.places[place]
        for name in (old.name, *old.altnames):
            if self._names.get(name) is old:  # else another device has got it meanwhile
                del self._names[name]
        for text in _slots(old):
            on_link = self._slots[old.link]
            left = tuple(one for one in on_link.pop(text, ()) if one is not old)
            if left:
                on_link[text] = left
            if not on_link:
                del self._slots[old.link]


def _place(device: Device) -> Place:
    return device.group, device.kind, device.link, device.remote


def _slots(device: Device) -> set[str]:
    """The slots in the names that a device gives itself: those of its altnames, or in their place
    the one that its ifalias records."""
    texts = device.altnames or device.ifalias.split(" ", 2)[1:2]
    return {text.rpartition(":")[2] for text in texts if ":" in text}
