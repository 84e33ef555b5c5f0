"""systemd.network(5): the addresses that systemd-networkd 252 sets, as lines of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
[Match]
Name=eth0

[Network]
Address=10.0.0.1/24
Address=10.0.0.5
Address=2001:db8::1/64

[Address]
Address=10.0.0.2/24
Label=eth0:1

[Address]
# The next one has no number.
Address=10.1.0.3/24
Label=eth0:web
Broadcast=10.1.0.99
RouteMetric=7
Scope=link

[Address]
Address=2001:db8::7/128
Label=eth0:9
PreferredLifetime=0

[Address]
Address=10.0.0.4/32
Peer=10.9.0.4/32
Label=eth0:4
"""


def one(folder: Path, text: str, *, every: bool = False) -> Import:
    return Import(folder, "networkd", {"10-eth0.network": text}, every=every)


def test_labels_are_aliases(tmp_path: Path) -> None:
    """What has a label is one; the first address of each family is the own one of the device."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# 10-eth0.network",
        "eth0:1 10.0.0.2/24 kind label",
        "eth0:0 10.1.0.3/24 kind label metric 7 broadcast 10.1.0.99 # eth0:web",
        "eth0:4 10.0.0.4/32 kind label pointopoint 10.9.0.4",
    ]
    assert found.notes == [
        "10-eth0.network:6: 2 further addresses of eth0 have no name (--all imports them too)",
        "10-eth0.network:19: eth0:web: Scope=link is not carried over: the kind decides it",
        "10-eth0.network:21: eth0: networkd ignores Label=eth0:9: the address has no name",
        "10-eth0.network:13: eth0:web: 10.1.0.3/24 becomes eth0:0, since a slot is a number",
    ]


def test_all_addresses(tmp_path: Path) -> None:
    """Without a length it is that of the class; a preferred lifetime of 0 is deprecated."""
    found = one(tmp_path, FILE, every=True)
    assert "eth0:0 10.0.0.5/8 kind label" in found.lines
    assert "eth0:3 2001:db8::7/128 kind label deprecated" in found.lines
    assert not any("further" in note for note in found.notes)


def test_an_own_address_comes_back_in_no_line(tmp_path: Path) -> None:
    """Not even with --all: it would be added a second time."""
    found = one(tmp_path, "[Match]\nName=eth0\n[Network]\nAddress=10.0.0.1/24\n", every=True)
    assert found.lines == found.notes == []


def test_ipv6_needs_a_length(tmp_path: Path) -> None:
    """networkd would make it /0."""
    text = "[Match]\nName=eth0\n[Address]\nAddress=2001:db8::6/64\n[Address]\nAddress=2001:db8::7\n"
    found = one(tmp_path, text, every=True)
    assert found.notes == [
        "10-eth0.network:5: eth0: 2001:db8::7 is not carried over: a prefix length is needed"
    ]


def test_a_label_that_is_too_long(tmp_path: Path) -> None:
    """networkd drops the whole section."""
    text = "[Match]\nName=eth0\n[Address]\nAddress=10.0.0.1/24\nLabel=eth0:elevenbytes\n"
    found = one(tmp_path, text)
    assert found.lines == []
    assert "networkd drops a section with a label of more than 15 bytes" in found.notes[0]


def test_a_label_without_the_device(tmp_path: Path) -> None:
    """Any text is a label."""
    text = "[Match]\nName=eth0\n[Address]\nAddress=10.0.0.1/24\nLabel=web\n"
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.1/24 kind label # eth0:web"]


@pytest.mark.parametrize("match", ["Name=eth*", "Name=eth0 eth1", "Name=!eth0", "MACAddress=x"])
def test_for_one_device_only(tmp_path: Path, match: str) -> None:
    """A pattern means devices that only the host knows."""
    found = one(tmp_path, f"[Match]\n{match}\n[Network]\nAddress=10.0.0.1/24\n")
    assert "only a file for one device by its name is carried over" in found.notes[0]


def test_a_network_that_is_chosen(tmp_path: Path) -> None:
    """The files that come with networkd have one, for devices of containers: nothing is lost."""
    text = "[Match]\nName=ve-*\n[Network]\nAddress=0.0.0.0/28\nAddress=::/64\n"
    assert one(tmp_path, text).notes == []
    found = one(tmp_path, f"{text}Address=10.0.0.1/24\n")
    assert [note.partition(": ")[0].rpartition(":")[2] for note in found.notes] == ["6"]


def test_a_file_is_masked_and_has_drop_ins(tmp_path: Path) -> None:
    """The first folder wins; NAME.network.d belongs to the file."""
    head = "[Match]\nName=eth0\n"
    (tmp_path / "etc/1.network.d").mkdir(parents=True)
    drop = "[Address]\nAddress=10.0.0.2/32\nLabel=eth0:2\n"
    (tmp_path / "etc/1.network.d/more.conf").write_text(drop)
    files = {
        "etc/1.network": f"{head}[Address]\nAddress=10.0.0.1/32\nLabel=eth0:1\n",
        "usr/1.network": f"{head}[Address]\nAddress=10.0.0.9/32\nLabel=eth0:9\n",
    }
    found = Import(tmp_path, "networkd", files)
    assert [line.split()[1] for line in found.aliases] == ["10.0.0.1/32", "10.0.0.2/32"]


def test_continued_lines(tmp_path: Path) -> None:
    text = "[Match]\nName=eth0\n[Address]\nAddress=\\\n# between\n  10.0.0.1/32\nLabel=eth0:1\n"
    assert one(tmp_path, text).aliases == ["eth0:1 10.0.0.1/32 kind label"]
