"""keepalived.conf(5): the addresses that keepalived adds, as lines of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
! a comment
global_defs {
    router_id one   # and another one
    default_interface eth2
}
static_ipaddress {
    10.9.0.1/24 dev eth1 label eth1:5
    10.9.0.2
}
vrrp_instance web {
    state MASTER
    interface eth0
    virtual_ipaddress_excluded {
        2001:db8::7
        2001:db8::8/64
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth0 label eth0:0
        10.0.0.2/24 dev eth0 label eth0:web brd +
        10.0.0.3
        10.0.0.300/24
    }
    authentication {
        auth_pass "a{b"
    }
}
"""


def one(folder: Path, text: str, *, every: bool = True) -> Import:
    return Import(folder, "keepalived", {"keepalived.conf": text}, every=every)


def inside(*lines: str) -> str:
    """An instance on eth0 with these addresses."""
    text = "\n".join(lines)
    return f"vrrp_instance a {{\ninterface eth0\nvirtual_ipaddress {{\n{text}\n}}\n}}\n"


def test_all_addresses(tmp_path: Path) -> None:
    """Static ones come first, excluded ones behind the others of their instance; no broadcast
    address is set unasked."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# keepalived.conf",
        "eth1:5 10.9.0.1/24 kind label -broadcast",
        "eth2:0 10.9.0.2/32 kind label",
        "eth0:0 10.0.0.1/24 kind label -broadcast",
        "eth0:1 10.0.0.2/24 kind label # eth0:web",
        "eth0:2 10.0.0.3/32 kind label",
        "eth0:3 2001:db8::7/128 kind label deprecated",
        "eth0:4 2001:db8::8/64 kind label",
    ]
    elects = "may be on another host: netalias elects none, so declare them on one host only"
    assert found.notes[1:4] == [
        f"keepalived.conf:7: 1 address of eth1 {elects}",
        f"keepalived.conf:8: 1 address of eth2 {elects}",
        f"keepalived.conf:18: 5 addresses of eth0 {elects}",
    ]
    assert found.notes[0].startswith("keepalived.conf:21: eth0: 10.0.0.300/24 is not carried over")
    assert found.notes[4].startswith("keepalived.conf:19: eth0:web: 10.0.0.2/24 becomes eth0:1")


def test_nothing_is_imported_unasked(tmp_path: Path) -> None:
    """Two hosts with the same declared address would be a conflict."""
    found = one(tmp_path, inside("10.0.0.1 label eth0:1"), every=False)
    assert found.lines == []
    assert found.notes == [
        "keepalived.conf:4: 1 address of eth0 may be on another host (--all imports them)"
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("10.0.0.1/24 brd +", "10.0.0.1/24 kind label"),
        # Not "none" but the first address of the network.
        ("10.0.0.1/24 brd -", "10.0.0.1/24 kind label broadcast 10.0.0.0"),
        ("10.0.0.1/24 broadcast 10.0.0.99", "10.0.0.1/24 kind label broadcast 10.0.0.99"),
        ("10.0.0.1/31 brd +", "10.0.0.1/31 kind label"),
        ("10.0.0.1/24 peer 10.0.0.2", "10.0.0.1/32 kind label pointopoint 10.0.0.2"),
        ("10.0.0.1/24 peer 10.0.0.2/30 brd +", "10.0.0.1/24 kind label -broadcast"),
        ("10.0.0.1/33", "10.0.0.1/32 kind label"),
        ("10.0.0.1/x", "10.0.0.1/32 kind label"),
        ("10.0.0.1/024", "10.0.0.1/24 kind label -broadcast"),
        ("2001:db8::1/129", "2001:db8::1/128 kind label deprecated"),
        ("2001:db8::1", "2001:db8::1/128 kind label deprecated"),
        ("2001:db8::1 preferred_lft forever", "2001:db8::1/128 kind label"),
        ("2001:db8::1/64 preferred_lft 0", "2001:db8::1/64 kind label deprecated"),
        ("2001:db8::1/64 label eth0:7", "2001:db8::1/64 kind label"),
        ("10.0.0.1 dev eth0 no_track -nodad scope global", "10.0.0.1/32 kind label"),
        ('"10.0.0.1" dev "eth0"', "10.0.0.1/32 kind label"),
    ],
)
def test_words(tmp_path: Path, words: str, line: str) -> None:
    found = one(tmp_path, inside(words))
    assert found.aliases == [f"eth0:0 {line}"]
    assert len(found.notes) == 1


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("10.0.0.1 scope link", "scope link is not carried over: the kind decides it"),
        ("10.0.0.1/24 noprefixroute", "noprefixroute is not carried over: netalias decides it"),
        ("10.0.0.1 label eth0:elevenbytes", "keepalived drops an address with a label of more"),
        ("10.0.0.1 dev", "dev needs a value"),
        ("2001:db8::1 brd 10.0.0.1", "only an IPv4 address has one"),
        ("10.0.0.1/24 10.0.0.2/24", "10.0.0.2/24: keepalived ignores this word"),
        ("${UNKNOWN}/24", "not carried over"),
        ("@main 10.0.0.1", "whether this line counts, keepalived is told on its command line"),
        ("~SEQ(A, 1, 9) 10.0.0.$A", "~SEQ: only keepalived makes lines of it"),
    ],
)
def test_what_is_lost(tmp_path: Path, words: str, note: str) -> None:
    assert any(note in said for said in one(tmp_path, inside(words)).notes)


def test_a_label_of_any_text(tmp_path: Path) -> None:
    """keepalived does not compare it with the device."""
    text = inside("10.0.0.1 label web", "10.0.0.2 dev eth1 label eth0:3")
    assert one(tmp_path, text).aliases == [
        "eth0:0 10.0.0.1/32 kind label # eth0:web",
        "eth1:0 10.0.0.2/32 kind label # eth1:eth0:3",
    ]


def test_a_virtual_mac(tmp_path: Path) -> None:
    """It is told once that the addresses are not behind it any more."""
    text = inside("10.0.0.1", "10.0.0.2").replace("interface", "use_vmac vrrp.1\ninterface")
    found = one(tmp_path, text)
    assert found.aliases == ["eth0:0-1 10.0.0.1-2/32 kind label"]
    assert "keepalived.conf:2: use_vmac is not carried over" in found.notes[0]


def test_braces_anywhere(tmp_path: Path) -> None:
    """On a line of their own, or several in one line."""
    text = inside("10.0.0.1").replace("{", "\n{\n").replace("}", "\n}\n")
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.1/32 kind label"]
    text = 'vrrp_instance a { interface eth0\nnotify "x }" \nvirtual_ipaddress { 10.0.0.1 } }'
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.1/32 kind label"]


def test_definitions(tmp_path: Path) -> None:
    """They are put in place where they are used, and may use others; one that uses itself ends."""
    head = "$NET=10.0.${SUB}\n$SUB=3\n$IF=eth0\n$ME=$ME$ME ${ME}${ME}\n$MORE= \\\n a { \\\n }\n"
    text = inside("${NET}.1/24 dev $IF", "$ME").replace("interface eth0", "interface $IF")
    found = one(tmp_path, head + text)
    assert found.aliases == ["eth0:0 10.0.3.1/24 kind label -broadcast"]
    assert "keepalived.conf:5: $MORE: a definition of several lines" in found.notes[0]


def test_includes(tmp_path: Path) -> None:
    """Relative to the file; a file that includes itself is read once."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more/a.conf").write_text(inside("10.0.0.1") + "include ../keepalived.conf\n")
    found = one(tmp_path, "include more/*.conf\ninclude nowhere\n")
    assert found.aliases == ["eth0:0 10.0.0.1/32 kind label"]
    assert any(note.startswith("more/a.conf:7: ") and "itself" in note for note in found.notes)
    assert "keepalived.conf:2: nowhere: there is no such file" in found.notes


def test_a_device_is_missing(tmp_path: Path) -> None:
    text = inside("10.0.0.1").replace("interface eth0", "")
    assert one(tmp_path, text).notes == [
        "keepalived.conf:4: 10.0.0.1 is not carried over: there is no device"
    ]
