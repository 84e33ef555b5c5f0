"""Keyfiles of NetworkManager: addresses have no labels there."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

HEAD = "[connection]\nid=office\ntype=ethernet\ninterface-name=eth0\n"


def one(folder: Path, text: str, *, every: bool = True) -> Import:
    return Import(folder, "keyfile", {"office.nmconnection": HEAD + text}, every=every)


def test_by_number(tmp_path: Path) -> None:
    """The bare key comes first, and the gateway behind the comma is no matter of an alias."""
    text = "address2=10.0.0.2/24\naddress1=10.0.0.1/24,10.0.0.254\naddress=10.0.0.9/24\n"
    found = one(tmp_path, f"[ipv4]\n{text}")
    assert found.lines == ["# office.nmconnection", "eth0:0-1 10.0.0.1-2/24 kind label"]
    assert found.notes == []


def test_nothing_is_imported_unasked(tmp_path: Path) -> None:
    """They may be the own addresses of the device; how many there are is said once."""
    found = one(tmp_path, "[ipv4]\naddress1=10.0.0.1/24\naddress2=10.0.0.2/24\n", every=False)
    assert found.lines == []
    assert found.notes == [
        "office.nmconnection:7: 1 further address of eth0 has no name (--all imports them too)"
    ]


def test_lengths(tmp_path: Path) -> None:
    """24 and 64 where none is given, as NetworkManager takes them, with a warning."""
    text = "[ipv4]\naddress1=10.0.0.1\naddress2=10.0.0.2\n"
    text += "[ipv6]\naddress1=2001:db8::1\naddress2=2001:db8::2\n"
    assert one(tmp_path, text).aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 2001:db8::2/64 kind label",
    ]


def test_of_equal_keys_the_last_counts(tmp_path: Path) -> None:
    """Keys with leading zeros are none."""
    text = "[ipv4]\naddress1=10.0.0.1/24\naddress2=10.0.0.2/24\n"
    text += "address2=10.0.0.3/24\naddress03=10.0.0.4/24\n"
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.3/24 kind label"]


def test_not_brought_up(tmp_path: Path) -> None:
    """What nobody brings up is a comment."""
    text = "autoconnect=false\n[ipv4]\naddress1=10.0.0.1/24\naddress2=10.0.0.2/24\n"
    assert one(tmp_path, text).aliases == [
        "# eth0:0 10.0.0.2/24 kind label # not brought up automatically (autoconnect=false)"
    ]


@pytest.mark.parametrize("address", ["10.0.0.300/24", "10.0.0.2/33", "x"])
def test_wrong_addresses(tmp_path: Path, address: str) -> None:
    """A note with its place and no line; the other ones stay."""
    text = f"[ipv4]\naddress1=10.0.0.1/24\naddress2={address}\naddress3=10.0.0.3/24\n"
    found = one(tmp_path, text)
    assert found.aliases == ["eth0:0 10.0.0.3/24 kind label"]
    assert found.notes[0].startswith(f"office.nmconnection:7: eth0: {address} is not carried over")


def test_without_a_device(tmp_path: Path) -> None:
    """A connection for any device has no main device."""
    text = "[connection]\nid=any\n[ipv4]\naddress1=10.0.0.1/24\n"
    found = Import(tmp_path, "keyfile", {"any.nmconnection": text})
    assert "only a connection for one device by its name" in found.notes[0]
