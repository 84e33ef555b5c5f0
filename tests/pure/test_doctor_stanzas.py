"""Declared aliases that other programs are told to bring up too."""

from __future__ import annotations

from pathlib import Path

import pytest

from netalias.desired import declarations
from netalias.doctor.checks.elsewhere import remover, stanza
from netalias.doctor.facts import Facts
from netalias.doctor.stanzas import Stanza, read, removers
from netalias.engine import Engine, Setup
from netalias.families import lazy
from netalias.kernel.memory import Memory

DECLARED = "eth0:0-3 10.7.0.1-4/32\neth0:9 2001:db8::9/64\n"

IFUPDOWN = """\
auto eth0 eth0:0 eth0:1
iface eth0 inet static
    address 192.0.2.1/24
    up ip addr add 10.7.0.3/32 dev eth0 label eth0:2
iface eth0:0 inet static
    address 10.7.0.1/32
iface eth0:1 inet static
    address 10.99.0.1/32
iface eth0:3 inet static
    address 10.7.0.4/32
"""
KEEPALIVED = """\
vrrp_instance web {
    interface eth0
    virtual_ipaddress {
        10.7.0.2/32 dev eth0 label eth0:1
    }
}
"""
IFCFG = "DEVICE=eth0:0\nIPADDR=10.7.0.1\nPREFIX=32\nONBOOT=yes\nONPARENT=yes\n"
OWN = "DEVICE=eth0\nIPADDR=192.0.2.1\nPREFIX=24\nONBOOT=yes\n"
FILES = {
    "etc/network/interfaces": (IFUPDOWN, "interfaces", {"eth0:0", "eth0:2"}),
    "etc/keepalived/keepalived.conf": (KEEPALIVED, "keepalived", {"eth0:1"}),
    "etc/sysconfig/network-scripts/ifcfg-eth0:0": (IFCFG, "ifcfg-rh", {"eth0:0"}),
}


def found(root: Path, unseen: list[str] | None = None) -> list[Stanza]:
    """The stanzas below *root* for DECLARED."""
    declared = declarations.parse([("t", DECLARED)], lazy())
    owners = {wish.address: wish.name for wish, _ in declared}
    return read(owners, str(root), [] if unseen is None else unseen)


def write(root: Path, path: str, text: str) -> Path:
    """A file below *root*; beside one of an alias of Red Hat that of its main device."""
    if path.endswith(":0"):
        write(root, path.removesuffix(":0"), OWN)
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("path", FILES)
def test_stanzas_are_found(tmp_path: Path, path: str) -> None:
    """Those that are brought up, of addresses that are declared, by whatever name."""
    text, format, names = FILES[path]
    file = write(tmp_path, path, text)
    assert {(str(one.name), one.format, one.file) for one in found(tmp_path)} == {
        (name, format, str(file)) for name in names
    }


def test_no_file_and_a_file_of_others(tmp_path: Path) -> None:
    """There is nothing to find."""
    assert found(tmp_path) == []
    write(tmp_path, "etc/network/interfaces", IFUPDOWN.replace("10.7", "10.8"))
    assert found(tmp_path) == []


def test_one_finding_for_each_file(tmp_path: Path) -> None:
    """With the aliases, what the program does, and what to take out."""
    facts = Facts(Engine(Setup(Memory())).observe())
    for path, (text, _, _) in FILES.items():
        write(tmp_path, path, text)
    facts.stanzas = found(tmp_path)
    findings = list(stanza(facts))
    assert [sorted(one.aliases) for one in findings] == [
        ["eth0:0", "eth0:2"], ["eth0:0"], ["eth0:1"],
    ]  # fmt: skip
    first, _, last = findings
    assert first.text.startswith(f"{tmp_path}/etc/network/interfaces: eth0:")
    assert "ifup -a fails" in first.why
    assert "keepalived adds and removes them by election" in last.why


COMMANDS = """\
auto eth1 eth0:1
iface eth1 inet manual
    up ip addr add 10.7.0.1/24 dev eth0 label eth0:0

iface eth0:1 inet static
    address 10.7.0.2/24
"""


def test_a_command_is_no_stanza(tmp_path: Path) -> None:
    """That at the place of the command belongs to another device, which stays."""
    facts = Facts(Engine(Setup(Memory())).observe())
    file = write(tmp_path, "etc/network/interfaces", COMMANDS)
    facts.stanzas = found(tmp_path)
    (one,) = stanza(facts)
    assert one.why.endswith(f"; take out the stanza at {file}:5 and the command at {file}:3")
    write(tmp_path, "etc/network/interfaces", COMMANDS.partition("\n\n")[0])
    facts.stanzas = found(tmp_path)
    (one,) = stanza(facts)
    assert one.why.endswith(f"; take out the command at {file}:3")


@pytest.mark.parametrize(
    ("program", "sign", "file", "label"),
    [
        ("ifupdown2", "usr/share/ifupdown2/x", "etc/network/interfaces", "eth0:1"),
        (
            "network-scripts",
            "etc/sysconfig/network-scripts/ifup-aliases",
            "etc/sysconfig/network-scripts/ifcfg-eth0",
            "eth0:0",
        ),
    ],
)
def test_programs_that_remove_labels(
    tmp_path: Path, program: str, sign: str, file: str, label: str
) -> None:
    """Those of the family that each removes, on main devices that it configures."""
    engine = Engine(Setup(Memory()))
    engine.kernel.add_device("eth0", up=True)  # type: ignore[attr-defined]
    engine.create("eth0:0", "10.7.0.1/24", "kind", "label")
    engine.create("eth0:1", "2001:db8::1/64", "kind", "label")
    engine.create("eth0:2", "2001:db8::2/64", "kind", "macvlan")
    facts = Facts(engine.observe())
    root = str(tmp_path)
    write(tmp_path, sign, "")
    assert removers(["eth0"], root) == set()
    write(tmp_path, file, "auto eth0\n")
    facts.removers = removers(["eth0", "eth1"], root)
    assert facts.removers == {("eth0", program)}
    (one,) = remover(facts)
    assert one.text.endswith(f" may remove {label}")
    assert one.command == "netalias move eth0"
