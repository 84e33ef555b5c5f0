"""netplan: the addresses that it has systemd-networkd set, as lines of ours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from imports import Import

from netalias import errors
from netalias.importers import read

FILE = """\
network:
  version: 2
  ethernets:
    eth0:
      addresses:
        - 10.0.0.9/24:
            label: eth0:9
        - "2001:db8::1/64"
        - 10.0.0.1/24
        - 10.0.0.2/24
        - "10.0.0.3/32":
            label: maas
            lifetime: forever
        - "2001:db8::7/64":
            lifetime: 0
        - 10.0.0.5
"""


def one(folder: Path, text: str, *, every: bool = False) -> Import:
    return Import(folder, "netplan", {"50-cloud.yaml": text}, every=every)


def eth0(*lines: str) -> str:
    body = "".join(f"      {line}\n" for line in lines)
    return f"network:\n  ethernets:\n    eth0:\n{body}"


def test_labels_are_aliases(tmp_path: Path) -> None:
    """Those without options come first, so the first address of each family is one of them."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# 50-cloud.yaml",
        "eth0:9 10.0.0.9/24 kind label",
        "eth0:0 10.0.0.3/32 kind label # eth0:maas",
    ]
    assert found.notes == [
        "50-cloud.yaml:16: eth0: 10.0.0.5 is not carried over: a prefix length is needed",
        "50-cloud.yaml:10: 2 further addresses of eth0 have no name (--all imports them too)",
        "50-cloud.yaml:11: eth0:maas: 10.0.0.3/32 becomes eth0:0, since a slot is a number",
    ]


def test_all_addresses(tmp_path: Path) -> None:
    """In the order of networkd; a lifetime of 0 is deprecated."""
    found = one(tmp_path, FILE, every=True)
    assert found.aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:9 10.0.0.9/24 kind label",
        "eth0:1 10.0.0.3/32 kind label # eth0:maas",
        "eth0:2 2001:db8::7/64 kind label deprecated",
    ]


def test_files_are_merged(tmp_path: Path) -> None:
    """By name, whatever the folder; lists are appended to, and a later folder shadows a file."""
    files = {
        "lib/20-b.yaml": eth0("addresses: [10.0.0.8/24]"),
        "etc/20-b.yaml": eth0("addresses: [10.0.0.3/24, 10.0.0.1/24]"),
        "run/10-a.yaml": eth0("addresses: [10.0.0.1/24, 10.0.0.2/24]"),
    }
    found = Import(tmp_path, "netplan", files, every=True)
    assert found.lines == [
        "# run/10-a.yaml",
        "eth0:0 10.0.0.2/24 kind label",
        "# etc/20-b.yaml",
        "eth0:1 10.0.0.3/24 kind label",
    ]


@pytest.mark.parametrize(
    ("lines", "main"),
    [
        (("set-name: lan", "match: {macaddress: 'a:b'}"), "lan"),
        (("match: {name: enp1}",), "enp1"),
        (("set-name: lan",), "eth0"),
        (("match: {name: 'enp*'}",), ""),
        (("match: {macaddress: 'a:b'}",), ""),
    ],
)
def test_which_device(tmp_path: Path, lines: tuple[str, ...], main: str) -> None:
    """The name that it has or gets; what has none is not carried over."""
    found = one(tmp_path, eth0(*lines, "addresses: [10.0.0.1/32, 10.0.0.2/32]"), every=True)
    assert found.aliases == ([f"{main}:0 10.0.0.2/32 kind label"] if main else [])
    if not main:
        assert "eth0: only a device that is found by its name is carried over" in found.notes[0]


def test_a_label_of_ipv6(tmp_path: Path) -> None:
    """networkd ignores it, so it is a further address, or the own one of the device; it is told."""
    text = eth0("addresses: [fc00::1/64, {'fc00::2/64': {label: 'eth0:7'}}]")
    found = one(tmp_path, text)
    assert found.lines == []
    assert found.notes[1].endswith(
        ": eth0: networkd ignores label: eth0:7: the address has no name"
    )
    assert one(tmp_path, eth0("addresses: [{'fc00::2/64': {label: 'eth0:7'}}]")).notes == [
        found.notes[1]
    ]
    assert one(tmp_path, text, every=True).aliases == ["eth0:0 fc00::2/64 kind label"]


def test_types_of_devices(tmp_path: Path) -> None:
    """A bridge has its ID as its name; what is no device has none."""
    text = "network:\n  renderer: networkd\n  bridges:\n    renderer: networkd\n"
    text += "    br0: {match: {}, addresses: [10.0.0.1/32, 10.0.0.2/32]}\n"
    text += "  openvswitch: {x: {addresses: [10.0.0.7/32]}}\n"
    assert one(tmp_path, text, every=True).aliases == ["br0:0 10.0.0.2/32 kind label"]


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        ("10.0.0.300/24", "not carried over"),
        ("10.0.0.2/x", "not carried over"),
        ("10.0.0.2/24: {lifetime: 7}", "netplan refuses lifetime 7"),
        ("10.0.0.2/24: {label: 'eth0:elevenbytes'}", "networkd drops an address with a label of"),
        ("[10.0.0.2/24]", "not carried over"),
    ],
)
def test_what_is_lost(tmp_path: Path, entry: str, note: str) -> None:
    found = one(tmp_path, eth0("addresses:", f"  - {entry}"), every=True)
    assert found.aliases == []
    assert found.notes[0].startswith("50-cloud.yaml:5: ")
    assert note in found.notes[0]


@pytest.mark.parametrize(
    "lines", [("      renderer: NetworkManager",), ("  renderer: NetworkManager",)]
)
def test_network_manager_has_no_labels(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """netplan refuses such a file, whichever level says it."""
    body = "network:\n  ethernets:\n    eth0:\n      addresses: [10.0.0.1/24: {label: 'eth0:1'}]\n"
    found = one(tmp_path, body + "\n".join(lines))
    assert found.aliases == []
    assert "netplan refuses options of an address for NetworkManager" in found.notes[0]


def test_aliases_of_yaml(tmp_path: Path) -> None:
    """They are what they name, and merge keys are followed."""
    text = eth0("addresses: &all [10.0.0.1/24, 10.0.0.2/24]")
    text += "    eth1: {addresses: *all}\n    eth2: {<<: {addresses: [10.1.0.1/24, 10.1.0.2/24]}}\n"
    assert one(tmp_path, text, every=True).aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth2:0 10.1.0.2/24 kind label",
    ]


def exponential(merge: str) -> str:
    """A small document on whose way stand a million addresses, by lists or by merge keys."""
    lines = ["a0: &a0 [" + ", ".join(f"10.0.0.{n}/24" for n in range(200)) + "]"]
    devices = ", ".join(f"eth{n}: {{addresses: *a0}}" for n in range(100))
    lines += [f"b: &b {{{devices}}}", "network:"]
    if merge:
        lines[1:2] = ["m0: &m0 {x: *a0}"]
        for n in range(1, 30):
            lines.insert(-1, f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}")
        lines.append("  ethernets: {eth0: {<<: [" + ", ".join(["*m29"] * 9) + "]}}")
    else:
        kinds = ("ethernets", "wifis", "bonds", "bridges", "tunnels", "vlans", "vrfs")
        lines += [f"  {kind}: *b" for kind in kinds]
    return "\n".join(lines)


@pytest.mark.parametrize("merge", ["", "<<"])
def test_exponential_aliases(tmp_path: Path, merge: str) -> None:
    """They are counted, and then given up, with a note."""
    found = one(tmp_path, exponential(merge), every=True)
    assert found.notes[0] == "50-cloud.yaml: aliases make more than 100000 values of it"
    assert found.lines == found.notes[1:] == []


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("network: [", "50-cloud.yaml:1: not YAML: "),
        ("network:\n\t- x", "50-cloud.yaml:2: not YAML: "),
        ("a: *nowhere", "50-cloud.yaml:1: not YAML: found undefined alias 'nowhere'"),
        ("- " * 5000, "50-cloud.yaml: not YAML that can be read"),
        ('"\\UFFFFFFFF"', "50-cloud.yaml: not YAML that can be read"),
        ("\x01", "50-cloud.yaml: not YAML: "),
        ("# " + "x" * (1 << 20), "50-cloud.yaml: more than 1 MiB of YAML"),
    ],
)
def test_broken_documents(tmp_path: Path, text: str, note: str) -> None:
    (said,) = one(tmp_path, text).notes
    assert said.startswith(note)


@pytest.mark.parametrize(
    "text", ["", "x", "network: x", "network: {ethernets: [x]}", "network: {ethernets: {eth0: }}",
             eth0("addresses:"), "&a {network: *a}", "network: &a {ethernets: *a}"]
)  # fmt: skip
def test_nothing_in_it(tmp_path: Path, text: str) -> None:
    """Nothing, and null, are no addresses; a mapping may be inside itself."""
    found = one(tmp_path, text, every=True)
    assert found.lines == found.notes == []


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it, and how it comes."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = tmp_path / "x.yaml"
    path.write_text(FILE)
    with pytest.raises(errors.StateError, match="PyYAML is needed") as caught:
        read([str(path)], "netplan")
    assert caught.value.hint == "apt-get install python3-yaml, or pip install 'netalias[import]'"


def usual(monkeypatch: pytest.MonkeyPatch, folder: Path, files: Mapping[str, str]) -> None:
    """The usual files stand below *folder*, and these are all."""
    from netalias.importers.formats import FORMATS

    for format in FORMATS.values():
        monkeypatch.setattr(format, "usual", tuple(f"{folder}{one}" for one in format.usual))
        monkeypatch.setattr(format, "renders", tuple(f"{folder}{one}" for one in format.renders))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


RENDERED = "[Match]\nName=eth0\n[Network]\nAddress=10.0.0.1/24\nAddress=10.0.0.2/24\n"
HOST = {
    "etc/netplan/1.yaml": eth0("addresses: [10.0.0.1/24, 10.0.0.2/24]"),
    "run/systemd/network/10-netplan-eth0.network": RENDERED,
}


def test_what_it_has_made_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the usual files, those that netplan renders say nothing new."""
    usual(monkeypatch, tmp_path, HOST)
    found = read()
    assert (found.formats, found.files, len(found.notes)) == (["netplan"], 1, 1)
    assert read([], "networkd").files == 1


def test_without_the_library_what_it_has_made_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual files are no error then: what netplan has rendered says the same."""
    usual(monkeypatch, tmp_path, HOST)
    monkeypatch.setitem(sys.modules, "yaml", None)
    found = read()
    assert (found.formats, found.files, len(found.notes)) == (["networkd"], 1, 1)
