"""interfaces(5) as other programs than ifupdown read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

from netalias.importers import read


def one(folder: Path, format: str, text: str, *, every: bool = True) -> Import:
    return Import(folder, format, {"interfaces": text}, every=every)


# ifupdown ---------------------------------------------------------------------------------------

FURTHER = """\
auto eth0
iface eth0 inet static
    address 10.0.0.1/24
iface eth0 inet static
    address 10.0.0.2/24
    up ip addr add 10.0.0.3/24 dev $IFACE
    up ip addr add 10.0.0.9/24 dev $IFACE nodad
    down ip addr del 10.0.0.3/24 dev $IFACE
iface eth0 inet6 static
    address 2001:db8::1/64
    up ip -6 addr add 2001:db8::2/64 dev eth0 || true
"""


def test_further_addresses_of_a_main_device(tmp_path: Path) -> None:
    """Those of more stanzas, and of commands, have no name: they are counted, or imported."""
    counted = one(tmp_path, "interfaces", FURTHER, every=False)
    assert not counted.aliases
    assert counted.notes == [
        "interfaces:4: 3 further addresses of eth0 have no name (--all imports them too)"
    ]
    every = one(tmp_path, "interfaces", FURTHER)
    assert every.notes == []
    assert every.aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 10.0.0.3/24 kind label -broadcast",
        "eth0:2 2001:db8::2/64 kind label",
    ]


def test_further_stanzas_of_busybox(tmp_path: Path) -> None:
    """Both addresses of two stanzas of one name stand there, too."""
    stanza = "iface eth0 inet static\n address 10.0.0.{}\n netmask 255.255.255.0\n"
    text = "auto eth0\n" + stanza.format(1) + stanza.format(2)
    assert one(tmp_path, "busybox", text).aliases == ["eth0:0 10.0.0.2/24 kind label -broadcast"]
    (note,) = one(tmp_path, "busybox", text, every=False).notes
    assert note.endswith(":5: 1 further address of eth0 has no name (--all imports them too)")


# ifupdown2 --------------------------------------------------------------------------------------

CUMULUS = """\
auto eth0 lo
iface eth0 inet static
    address 10.0.0.1/24
    address 10.0.0.2
    netmask 255.255.0.0
    up ip addr add 10.5.0.1/24 dev eth0 label eth0:8
iface eth0:4 inet static
    address 10.0.0.4
    netmask 24
    gateway 10.0.0.254
    network 10.0.0.0
iface eth0:4
    address 10.0.0.5/24
    broadcast 10.0.0.255
    address 2001:db8::7/64
    preferred-lifetime 0
iface lo:6 inet static
    address fc00::81/128
"""


def test_ifupdown2(tmp_path: Path) -> None:
    """Names are those of aliases, the family that of the address, and no broadcast is usual."""
    found = one(tmp_path, "ifupdown2", CUMULUS)
    assert found.aliases == [
        "eth0:0 10.0.0.2/16 kind label -broadcast",
        "eth0:4 10.0.0.4/24 kind label -broadcast",
        "eth0:1 10.0.0.5/24 kind label -broadcast # eth0:4",
        "eth0:2 2001:db8::7/64 kind label # eth0:4",
        "eth0:8 10.5.0.1/24 kind label -broadcast",
        "lo:6 fc00::81/128 kind label",
    ]
    assert found.notes[0] == (
        "interfaces:10: eth0:4: gateway is not carried over: an alias brings no default route"
    )
    assert len(one(tmp_path, "ifupdown2", CUMULUS, every=False).aliases) == 5


def test_options_belong_to_addresses_by_position(tmp_path: Path) -> None:
    """Over all stanzas of the device: one with a length in front shifts the masks of the others."""
    text = "auto eth0\niface eth0\n address 10.0.0.1/24\niface eth0:1\n address 10.0.0.2\n"
    text += " netmask 24\niface eth0:2\n netmask 16\n address 10.0.0.3\n"
    # And a netmask before the first address of its stanza is lost.
    assert one(tmp_path, "ifupdown2", text).aliases == ["eth0:1-2 10.0.0.2-3/32 kind label"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("address 10.0.0.2/24\n pointopoint 10.9.0.2", "10.0.0.2/32 kind label pointopoint"
                                                       " 10.9.0.2"),
        ("address 10.0.0.2/24\n pointopoint 10.9.0.2/30", "10.0.0.2/30 kind label pointopoint"
                                                          " 10.9.0.2"),
        ("address 10.0.0.2/255.255.0.0", "10.0.0.2/16 kind label -broadcast"),
        ("address 10.0.0.2/24\n broadcast 10.0.0.255", "10.0.0.2/24 kind label"),
        ("address 2001:db8::7/64\n preferred-lifetime 0", "2001:db8::7/64 kind label deprecated"),
        ("address 10.0.0.2/24\n preferred_lifetime 0", "10.0.0.2/24 kind label -broadcast"),
    ],
)  # fmt: skip
def test_ifupdown2_values(tmp_path: Path, options: str, line: str) -> None:
    found = one(tmp_path, "ifupdown2", f"auto eth0\niface eth0:1\n {options}\n")
    assert found.aliases == [f"eth0:1 {line}"]


@pytest.mark.parametrize(
    ("up", "awake"),
    [
        ("auto eth0", True),
        ("auto all", True),
        ("allow-hotplug eth0", True),
        ("auto eth[0-3]", True),
        ("auto eth[1-3]", False),
        ("auto eth0:1", False),
        ("allow-mgmt eth0", False),
        ("", False),
    ],
)
def test_ifupdown2_brings_up_by_the_device(tmp_path: Path, up: str, awake: bool) -> None:
    """auto of the alias counts for nothing."""
    text = f"{up}\niface eth0:1\n address 10.0.0.1/32\n"
    (line,) = one(tmp_path, "ifupdown2", text).aliases
    assert line.startswith("#") != awake


def test_auto_behind_the_interface(tmp_path: Path) -> None:
    """It comes too late."""
    text = "iface eth0:1\n address 10.0.0.1/32\nauto eth0\n"
    assert one(tmp_path, "ifupdown2", text).aliases == [
        "# eth0:1 10.0.0.1/32 kind label # not brought up automatically (no auto before it)"
    ]


def test_one_wrong_address(tmp_path: Path) -> None:
    """ifupdown2 then sets none of the interface."""
    text = "auto eth0\niface eth0:1\n address 10.0.0.1/32\niface eth0:2\n address 10.0.0.300\n"
    found = one(tmp_path, "ifupdown2", text)
    assert found.aliases == [
        "# eth0:1 10.0.0.1/32 kind label # not set (ifupdown2 stops at interfaces:5,"
        " which is no address)"
    ]
    assert found.notes[0].startswith("interfaces:5: eth0:2: 10.0.0.300 is not carried over")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("auto eth0\niface eth0\n address-virtual 00:00:5e:00:01:01 10.0.0.1/24\n",
         "address-virtual is not carried over: it is a macvlan: kind macvlan hw ether MAC"),
        ("% for n in range(3):\nauto eth0\n", "a template, which only ifupdown2 can expand"),
        ("auto eth0\niface eth0\n % if x:\n", "a template, which only ifupdown2 can expand"),
        ("auto swp1\niface swp[1-3]\n address 10.0.0.1/24\n", "a range of interfaces"),
    ],
)  # fmt: skip
def test_ifupdown2_notes(tmp_path: Path, text: str, note: str) -> None:
    found = one(tmp_path, "ifupdown2", text)
    assert found.lines == []
    assert note in found.notes[0]


def test_a_stanza_of_a_vlan(tmp_path: Path) -> None:
    """It ends the one above."""
    text = "auto eth0\niface eth0:1\n address 10.0.0.1/32\nvlan br-10\n address 10.0.0.2/32\n"
    assert one(tmp_path, "ifupdown2", text).aliases == ["eth0:1 10.0.0.1/32 kind label"]


def test_no_address_beside_dhcp(tmp_path: Path) -> None:
    text = "auto eth0\niface eth0 inet dhcp\niface eth0:1\n address 10.0.0.1/32\n"
    assert one(tmp_path, "ifupdown2", text).aliases == [
        "# eth0:1 10.0.0.1/32 kind label # not set (the method of eth0 is dhcp)"
    ]


def test_proxmox_is_read_by_ifupdown2(tmp_path: Path) -> None:
    text = "auto lo\niface lo inet loopback\niface lo:6 inet static\n address fc00::81/128\n"
    assert one(tmp_path, "proxmox", text).aliases == ["lo:6 fc00::81/128 kind label"]


# ifupdown-ng ------------------------------------------------------------------------------------

ALPINE = """\
auto eth0
iface eth0
    address 10.0.0.1
    address 10.0.0.2/25
    netmask 255.255.0.0
    address 10.0.0.3
auto eth0:1 eth0:2
iface eth0:1 inet static
    address 10.1.0.3 # text
    address fc00::1
    mtu 1400
iface eth0:2
    address 10.2.0.1
iface lo:1
    address 10.3.0.1/32
auto lo:2
iface lo:2 inherits lo:1
    address 10.4.0.1
    pointopoint 10.4.0.9
    address fc00::2/128
"""


def test_ifupdown_ng(tmp_path: Path) -> None:
    """A netmask is that of its stanza; without one it is 24 or 64; auto takes one name."""
    found = one(tmp_path, "ifupdown-ng", ALPINE)
    assert found.aliases == [
        "eth0:0 10.0.0.2/25 kind label -broadcast",
        "eth0:3 10.0.0.3/16 kind label -broadcast",
        "eth0:1 10.1.0.3/24 kind label -broadcast",
        "eth0:4 fc00::1/64 kind label # eth0:1",
        "lo:2 10.4.0.1/32 kind label pointopoint 10.4.0.9",
        "lo:0 fc00::2/128 kind label # lo:2",
        "# eth0:2 10.2.0.1/24 kind label -broadcast"
        " # not brought up automatically (auto takes one name)",
        "# lo:1 10.3.0.1/32 kind label # not brought up automatically (auto takes one name)",
    ]
    assert "lo:2: what it inherits is not carried over" in found.notes[0]
    assert "eth0:1: mtu is not carried over" in found.notes[1]


# busybox ----------------------------------------------------------------------------------------

EMBEDDED = """\
auto eth0:2 eth0 eth0:1
iface eth0 inet static
    address 10.0.0.1
    netmask 255.255.255.0
iface eth0:1 inet static
    address 10.0.0.2
    netmask 255.255.255.0
    broadcast +
    post-up ip addr add 10.0.0.9/32 dev eth0 label $IFACE
iface eth0:1 inet6 static
    netmask 64
    address fc00::1
iface eth0:2 inet static
    netmask 255.255.0.0
    address 10.2.0.1
iface eth0:3 inet static
    address 10.3.0.1
    netmask 255.255.255.255
"""


def test_busybox(tmp_path: Path) -> None:
    """In the order of auto; two stanzas of one name are two addresses."""
    found = one(tmp_path, "busybox", EMBEDDED)
    assert found.aliases == [
        "eth0:2 10.2.0.1/16 kind label -broadcast",
        "eth0:1 10.0.0.2/24 kind label",
        "eth0:0 10.0.0.9/32 kind label # eth0:1",
        "eth0:4 fc00::1/64 kind label # eth0:1",
        "# eth0:3 10.3.0.1/32 kind label # not brought up automatically (no auto)",
    ]


@pytest.mark.parametrize(
    ("stanza", "note"),
    [
        ("inet static\n address 10.0.0.1\n", "address and netmask are needed"),
        ("inet static\n netmask 255.0.0.0\n", "address and netmask are needed"),
        ("inet static\n address 10.0.0.1/24\n netmask 255.0.0.0\n", "does not understand /LEN"),
        ("inet static\n address 10.0.0.1\n netmask 24\n", "netmask 24 is not that of inet"),
        ("inet6 static\n address fc00::1\n netmask 255.0.0.0\n", "is not that of inet6"),
        ("inet static\n address fc00::1\n netmask 255.0.0.0\n", "it is no address of inet"),
        ("inet dhcp\n", "inet dhcp is not carried over (an alias has a fixed address)"),
        ("inet static # text\n", "iface needs a name, a family and a method, and nothing else"),
        ("inet manual\n up\n", "up needs a value: busybox brings nothing up"),
        ("inet manual\n mtu 1\n mtu 2\n", "mtu is given twice: busybox brings nothing up"),
        ("inet manual\nauto eth0:1\n", "eth0:1 is auto twice: busybox brings nothing up"),
        ("inet manual\nallow-hotplug x\n", "unknown word allow-hotplug"),
    ],
)
def test_busybox_faults(tmp_path: Path, stanza: str, note: str) -> None:
    found = one(tmp_path, "busybox", f"auto eth0:1\niface eth0:1 {stanza}")
    assert found.aliases == []
    assert note in found.notes[0]


# Which of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sign", "target", "format"),
    [
        ("usr/share/perl5/PVE/INotify.pm", "", "proxmox"),
        ("usr/share/ifupdown2/__main__.py", "", "ifupdown2"),
        ("usr/libexec/ifupdown-ng/static", "", "ifupdown-ng"),
        ("sbin/ifup", "ifupdown", "ifupdown-ng"),
        ("sbin/ifup", "/bin/busybox", "busybox"),
        ("sbin/ifup", "/usr/bin/other", "interfaces"),
        ("sbin/other", "", "interfaces"),
    ],
)
def test_the_program_beside_the_file(tmp_path: Path, sign: str, target: str, format: str) -> None:
    """A system below a folder is read as its own program reads it."""
    path = tmp_path / "etc/network/interfaces"
    path.parent.mkdir(parents=True)
    path.write_text("auto eth0\n")
    (tmp_path / sign).parent.mkdir(parents=True)
    if target:
        (tmp_path / sign).symlink_to(target)
    else:
        (tmp_path / sign).touch()
    assert read([str(path)]).formats == [format]
    assert read([str(path)], "interfaces").formats == ["interfaces"]


def test_the_usual_file_has_one_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the host; another one is chosen by name."""
    from netalias.importers.formats import FORMATS

    for one in FORMATS.values():
        monkeypatch.setattr(one, "usual", tuple(f"{tmp_path}{path}" for path in one.usual))
    monkeypatch.setattr(FORMATS["ifupdown2"], "signs", (f"{tmp_path}/usr/share/ifupdown2",))
    path = tmp_path / "etc/network/interfaces"
    path.parent.mkdir(parents=True)
    path.write_text("auto eth0\n")
    assert read().formats == ["interfaces"]
    assert read([], "busybox").formats == ["busybox"]
    (tmp_path / "usr/share/ifupdown2").mkdir(parents=True)
    assert read().formats == ["ifupdown2"]
