"""netplan: the addresses of all devices, some with a label, from files in YAML.

The model is netplan 1.2, whose labels go to systemd-networkd::

    network:
      ethernets:
        eth0:
          addresses:
            - 10.0.0.1/24            the own address of eth0
            - 10.0.0.2/24            an alias, where all addresses are asked for
            - 10.0.0.3/24:           eth0:3  10.0.0.3/24  kind label
                label: eth0:3

Files count in the order of their names, whatever their folders: lists are appended to, other values
replaced. A file shadows one of the same name in an earlier folder. An address with options comes
behind all others, and IPv6 behind IPv4.
"""

from __future__ import annotations

from posixpath import basename

from netalias import errors
from netalias.importers import Importer
from netalias.importers.documents import Document
from netalias.importers.reading import NONE, Lengths, Reading
from netalias.importers.slots import labelled
from netalias.model.names import NAME_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.documents import Node
    from netalias.importers.slots import Found

PHYSICAL = ("ethernets", "wifis", "modems")
"""Types of devices that are there already, and may be found by something else than their ID."""
TYPES = (
    *PHYSICAL, "bonds", "bridges", "tunnels", "vlans", "vrfs", "dummy-devices", "virtual-ethernets",
    "nm-devices",
)  # fmt: skip
LIFETIMES = ("", "forever", "0")
MANAGER = "NetworkManager"
"""The renderer that has no labels."""
WILD = "*?["


class Netplan(Importer):
    """The importer of netplan's files."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(Lengths(NONE, NONE), marked=self.marked, opener=self.opener)
        network = Network(reading)
        for path in shadowing(paths):
            document = Document(reading, path)
            try:
                network.merge(document, document.get(document.root, "network"))
            except errors.LimitError as error:
                reading.note(path, str(error))
                return reading.found, reading.notes
        network.add()
        return reading.found, reading.notes


def shadowing(paths: Iterable[str]) -> list[str]:
    """The last path of each name, by name."""
    last = {basename(path): path for path in paths}
    return [last[name] for name in sorted(last)]


class Address:
    """An address of a list: ``text`` is ``ADDRESS/LEN``. ``options``: it is a mapping."""

    __slots__ = ("label", "lifetime", "options", "place", "text")

    def __init__(self, document: Document, node: Node) -> None:
        pairs = document.pairs(node)[:1]  # netplan looks at the first one
        self.options = bool(pairs)
        self.place = document.place(node)
        self.text, value = pairs[0] if pairs else (document.text(node), None)
        self.label = document.text(value, "label")
        self.lifetime = document.text(value, "lifetime")

    @property
    def order(self) -> tuple[bool, bool]:
        """The order in which networkd sets addresses of one device."""
        return self.options, ":" in self.text and not self.options


class Device:
    """A device with its ID, its scalars and its addresses. ``matched``: it is found by more than
    its ID."""

    __slots__ = ("addresses", "id", "matched", "physical", "texts")

    def __init__(self, id: str, *, physical: bool) -> None:
        self.id = id
        self.physical = physical
        self.matched = False
        self.texts: dict[str, str] = {}
        self.addresses: list[Address] = []

    @property
    def name(self) -> str:
        """The name of the device; empty where something else than a name finds it."""
        if not self.physical:
            return self.id
        name = self.texts.get("set-name") or self.texts.get("name") or ""
        name = name if self.matched else self.id
        return "" if any(letter in name for letter in WILD) else name


class Network:
    """The devices of all files, in order. ``by_id``: the ID is a name where nothing says another.

    ``firm``: what an earlier file says stays, lists included, as cloud-init merges files.
    """

    __slots__ = ("by_id", "devices", "firm", "reading", "renderer")

    def __init__(self, reading: Reading, *, by_id: bool = False, firm: bool = False) -> None:
        self.reading = reading
        self.by_id = by_id
        self.firm = firm
        self.devices: dict[str, Device] = {}
        self.renderer = ""

    def merge(self, document: Document, network: Node | None) -> None:
        """Take in the mapping ``network`` of a document. Raises LimitError."""
        self.renderer = document.text(network, "renderer") or self.renderer
        for type, group in document.pairs(network):
            if type not in TYPES:
                continue
            renderer = document.text(group, "renderer")
            for id, node in document.pairs(group):
                if node.id == "mapping":
                    device = Device(id, physical=type in PHYSICAL)
                    self._take(self.devices.setdefault(id, device), document, node, renderer)

    def _take(self, device: Device, document: Document, node: Node, renderer: str) -> None:
        """Take in what a document says about a device. Raises LimitError."""
        match = document.get(node, "match")
        device.matched = device.matched or match is not None
        texts = {
            "set-name": document.text(node, "set-name"),
            "name": document.text(match, "name"),
            "renderer": document.text(node, "renderer") or renderer,
        }
        for key, text in texts.items():
            if text and not (self.firm and device.texts.get(key)):
                device.texts[key] = text
        if self.firm and device.addresses:
            return
        known = {one.text for one in device.addresses}
        for item in document.items(document.get(node, "addresses")):
            one = Address(document, item)
            if one.text not in known:
                known.add(one.text)
                device.addresses.append(one)

    def add(self) -> None:
        """Add the addresses of all devices to the reading."""
        for device in self.devices.values():
            name = device.name or (device.id if self.by_id else "")
            for one in sorted(device.addresses, key=lambda one: one.order):
                if not name:
                    what = "only a device that is found by its name is carried over"
                    self.reading.note(one.place, f"{device.id}: {what}")
                    break
                self._add(one, name, device.texts.get("renderer") or self.renderer)

    def _add(self, one: Address, main: str, renderer: str) -> None:
        label = one.label if ":" not in one.text else ""
        why = ""
        if one.options and renderer == MANAGER:
            why = f"netplan refuses options of an address for {MANAGER}"
        elif one.lifetime not in LIFETIMES:
            why = f"netplan refuses lifetime {one.lifetime}"
        elif len(label.encode("utf-8", "surrogateescape")) > NAME_MAX:
            why = f"networkd drops an address with a label of more than {NAME_MAX} bytes"
        if why:
            self.reading.note(one.place, f"{label or main}: {one.text} is not carried over: {why}")
            return
        if one.label not in (label, main):
            self.reading.nameless(one.place, main, f"label: {one.label}", "networkd")
        label = labelled(main, label) if label else main
        self.reading.add(label, one.text, one.place, change=lambda to: _change(to, one))


def _change(assignment: Assignment, one: Address) -> None:
    assignment.deprecated = one.lifetime == "0"
