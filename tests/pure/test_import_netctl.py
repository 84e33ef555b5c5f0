"""Profiles of netctl: addresses have no labels there, but commands may set some."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

HEAD = "Description='office'\nInterface=eth0\nConnection=ethernet\n"
FILE = f"""\
{HEAD}IP=static
Address=('10.0.0.1/24' "10.0.0.2/24"
         10.0.0.3)   # without a length
IP6=static
Address6=('2001:db8::1/64' '2001:db8::2/64 nodad preferred_lft 0')
Gateway='10.0.0.254'
ExecUpPost='ip addr add 10.0.0.9/24 dev $Interface label ${{Interface}}:9 || true'
ExecDownPre="$(cleanup)"
"""


def one(folder: Path, text: str, *, every: bool = True) -> Import:
    return Import(folder, "netctl", {"office": text}, every=every)


def test_all_addresses(tmp_path: Path) -> None:
    """In the order of the arrays; the first of each family is the own one of the device."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# office",
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 10.0.0.3/32 kind label",
        "eth0:2 2001:db8::2/64 kind label deprecated",
        "eth0:9 10.0.0.9/24 kind label -broadcast",
    ]
    assert found.notes == []


def test_labels_only(tmp_path: Path) -> None:
    """Those of ExecUpPost."""
    found = one(tmp_path, FILE, every=False)
    assert found.aliases == ["eth0:9 10.0.0.9/24 kind label -broadcast"]
    assert found.notes == [
        "office:5: 3 further addresses of eth0 have no name (--all imports them too)"
    ]


def test_a_single_text(tmp_path: Path) -> None:
    """It is an array of one element, which is quoted."""
    assert one(tmp_path, f"{HEAD}IP=static\nAddress='10.0.0.1/24'\n").notes == []
    found = one(tmp_path, f"{HEAD}IP=static\nAddress='10.0.0.1/24 10.0.0.2/24'\n")
    assert found.notes[0].startswith("office:5: eth0: 10.0.0.1/24 10.0.0.2/24 is not carried over:")


def test_an_element_with_words(tmp_path: Path) -> None:
    """ip(8) refuses it, and netctl stops there."""
    text = (
        f"{HEAD}IP=static\nAddress=('10.0.0.1/24' '10.0.0.5/24 label eth0:1' '10.0.0.2/24')\n"
        "ExecUpPost='ip addr add 10.0.0.9/24 dev eth0 label eth0:9'\n"
    )
    found = one(tmp_path, text)
    stop = "not brought up (netctl stops at office:5, with 10.0.0.5/24 label eth0:1)"
    assert found.aliases == [
        f"# eth0:0 10.0.0.2/24 kind label # {stop}",
        f"# eth0:9 10.0.0.9/24 kind label -broadcast # {stop}",
    ]
    assert len(found.notes) == 1


@pytest.mark.parametrize("mode", ["dhcp", "no", ""])
def test_not_static(tmp_path: Path, mode: str) -> None:
    """The array is not read by netctl."""
    found = one(tmp_path, f"{HEAD}IP={mode}\nAddress=('10.0.0.1/24' '10.0.0.2/24')\n")
    assert found.aliases == ["# eth0:0 10.0.0.2/24 kind label # not brought up (IP is not static)"]


def test_stateless(tmp_path: Path) -> None:
    """It takes addresses of IPv6 beside those of the router."""
    text = f"{HEAD}IP6=stateless\nAddress6=('2001:db8::1/64' '2001:db8::2')\n"
    assert one(tmp_path, text).aliases == ["eth0:0 2001:db8::2/128 kind label"]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("for i in 1 2; do ip addr add 10.0.0.$i/24 dev eth0 label eth0:$i; done", "only a shell"),
        ("ip addr add 10.0.0.300/24 dev eth0 label eth0:3", "10.0.0.300"),
    ],
)
def test_commands_that_nobody_can_tell(tmp_path: Path, command: str, what: str) -> None:
    found = one(tmp_path, f"{HEAD}ExecUpPost='{command}'\n")
    assert found.lines == []
    assert found.notes[0].startswith(f"office:4: eth0: ExecUpPost is not carried over: {what}")


def test_other_commands(tmp_path: Path) -> None:
    """They are nobody's alias."""
    found = one(tmp_path, f"{HEAD}ExecUpPost='systemctl start foo'\n")
    assert found.lines == found.notes == []


def test_additions(tmp_path: Path) -> None:
    """Nothing but literals is read."""
    text = f"{HEAD}IP=static\nAddress=('10.0.0.1/24')\nAddress+=('10.0.0.2/24')\n. /etc/netctl/x\n"
    assert one(tmp_path, text).notes == [
        "office:6: Address: += is not read: only a shell knows what it adds to",
        "office:7: . /etc/netctl/x: only a shell knows what it does; it is not read",
    ]


def test_without_a_device(tmp_path: Path) -> None:
    found = one(tmp_path, "IP=static\nAddress=('10.0.0.1/24')\n")
    assert found.notes == [
        "office:2: no Interface: only a profile for one device by its name is carried over"
    ]
