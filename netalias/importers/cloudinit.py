"""Network configuration of cloud-init, versions 1 and 2: of the host, or of a data source.

The model is cloud-init 25::

    network:
      version: 1
      config:
        - type: physical
          name: eth0
          subnets:
            - {type: static, address: 10.0.0.1/24}    the own address of eth0
            - {type: static, address: 10.0.0.2/24}    an alias, where all addresses are asked for
        - type: physical
          name: eth0:7                                eth0:7  10.0.0.7/24  kind label
          subnets: [{type: static, address: 10.0.0.7, netmask: 255.255.255.0}]

Version 2 is that of netplan, with usual lengths. Files of the host are merged: of each value and of
each list the one in the file with the highest name counts. A file without ``network`` stands for
itself.
"""

from __future__ import annotations

from posixpath import basename

from netalias import errors
from netalias.importers import Importer
from netalias.importers.documents import Document
from netalias.importers.netplan import Network
from netalias.importers.reading import Lengths, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.importers.documents import Node
    from netalias.importers.slots import Found

LENGTHS = Lengths(24, 64)
STATIC = ("static", "static6")
TYPES = ("bond", "bridge", "infiniband", "loopback", "physical", "vlan")
"""Entries that are devices."""

Part = tuple[Document, "Node | None"]
"""The mapping ``network`` of a document."""


class CloudInit(Importer):
    """The importer of cloud-init's network configuration."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some files, and notes. Raises StateError."""
        reading = Reading(LENGTHS, marked=self.marked, opener=self.opener)
        host: list[Part] = []
        for path in sorted(paths, key=basename, reverse=True):
            document = Document(reading, path)
            try:
                inner = document.get(document.root, "network")
                if inner is None:
                    _read(reading, [(document, document.root)])
                else:
                    host.append((document, inner))
            except errors.LimitError as error:
                reading.note(path, str(error))
        try:
            _read(reading, host)
        except errors.LimitError as error:
            reading.note(host[-1][0].path, str(error))
        return reading.found, reading.notes


def _read(reading: Reading, parts: Sequence[Part]) -> None:
    """Add the addresses of parts that are merged, the one that counts first. Raises LimitError."""
    version = next(filter(None, (part.text(node, "version") for part, node in parts)), "")
    if version == "2":
        network = Network(reading, by_id=True, firm=True)
        for part, node in parts:
            network.merge(part, node)
        network.add()
    elif version == "1":
        for part, node in parts:
            config = part.get(node, "config")
            if config is not None:
                _version1(reading, part, config)
                break
    elif version:
        reading.note(parts[0][0].path, f"version {version}: only 1 and 2 are known")


def _version1(reading: Reading, document: Document, config: Node) -> None:
    """Add the addresses of a list of entries; of equal names the last one counts. Raises
    LimitError."""
    entries = {}
    for entry in document.items(config):
        name = document.text(entry, "name")
        if name and document.text(entry, "type") in TYPES:
            entries[name] = entry
    for name, entry in entries.items():
        for subnet in document.items(document.get(entry, "subnets")):
            if document.text(subnet, "type") in STATIC:
                _subnet(reading, document, name, subnet)


def _subnet(reading: Reading, document: Document, name: str, subnet: Node) -> None:
    """Add the address of one subnet. Raises LimitError."""
    values = {
        key: document.text(subnet, key)
        for key in ("address", "ip_address", "prefix", "netmask", "control")
    }
    asleep = "not brought up automatically (control: manual)"
    reading.add(
        name,
        values["address"] or values["ip_address"],
        document.place(subnet),
        mask=values["prefix"] or values["netmask"],
        asleep=asleep if values["control"] == "manual" else "",
    )
