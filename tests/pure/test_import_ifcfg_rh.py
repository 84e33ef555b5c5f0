"""ifcfg files of Red Hat: the addresses that ifup-aliases of network-scripts sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

MAIN = "DEVICE=eth0\nIPADDR=10.0.0.1\nPREFIX=24\nNM_CONTROLLED=no\nARPCHECK=no\n"
FOLDER = "etc/sysconfig/network-scripts"


def some(folder: Path, main: str = MAIN, every: bool = False, **files: str) -> Import:
    """The import of ``ifcfg-eth0`` and of files whose names follow it; ``_`` is a colon."""
    found = {f"ifcfg-eth0{name.replace('_', ':')}": text for name, text in files.items()}
    return Import(folder, "ifcfg-rh", {"ifcfg-eth0": main, **found}, every=every)


def test_aliases(tmp_path: Path) -> None:
    """One address each, in the order of the names as texts; the name is DEVICE, or the file's."""
    found = some(
        tmp_path,
        MAIN + "IPADDR1=10.0.0.9\nPREFIX1=24\nIPV6ADDR=2001:db8::1/64\n",
        _2="DEVICE=eth0:2\nIPADDR=10.0.0.2\n",
        _10="IPADDR=10.0.0.10\nPREFIX=32\nGATEWAY=10.0.0.254\n",
        _web="DEVICE=eth0:web\nIPADDR='10.1.0.3'\nBROADCAST=10.1.0.99\n",
        _6="DEVICE=eth0:6\nIPV6ADDR=2001:db8::6\n",
        _7="DEVICE=eth0:7\nIPADDR=$(hostname -i)\n",
    )
    assert found.aliases == [
        "eth0:10 10.0.0.10/32 kind label",
        "eth0:2 10.0.0.2/24 kind label",
        "eth0:6 2001:db8::6/64 kind label",
        "eth0:0 10.1.0.3/24 kind label broadcast 10.1.0.99 # eth0:web",
    ]
    assert found.notes == [
        "ifcfg-eth0:7:2: IPADDR: only a shell knows its value",
        "ifcfg-eth0:7:1: eth0:7: it is not carried over: ifcfg-eth0:6 has no address either",
        "ifcfg-eth0:6: 1 further address of eth0 has no name (--all imports them too)",
        "ifcfg-eth0:10:3: eth0:10: GATEWAY=10.0.0.254 is not carried over: an alias brings no"
        " default route",
        "ifcfg-eth0:web:2: eth0:web: 10.1.0.3/24 becomes eth0:0, since a slot is a number",
    ]


def test_further_addresses(tmp_path: Path) -> None:
    """IPADDR1 and its like are addresses of the main device, without a name."""
    main = MAIN + "IPADDR0=10.0.0.3\nIPADDR2=10.0.0.4\nNETMASK2=255.255.255.0\nIPADDR4=10.0.0.5\n"
    found = some(tmp_path, main, every=True)
    assert found.aliases == ["eth0:0 10.0.0.4/24 kind label"]
    assert found.notes == [
        "ifcfg-eth0:6: eth0: 10.0.0.3 is not carried over: a prefix length is needed"
    ]


@pytest.mark.parametrize(
    ("main", "alias", "length"),
    [
        ("PREFIX=24", "NETMASK=255.255.255.255", 24),
        ("PREFIX=24", "PREFIX=32", 32),
        ("NETMASK=255.255.0.0", "NETMASK=255.255.255.255", 32),
        ("NETMASK=255.255.0.0", "PREFIX=25", 25),
        ("NETMASK=255.255.0.0", "", 16),
        ("", "NETMASK=255.255.255.128", 25),
    ],
)
def test_lengths(tmp_path: Path, main: str, alias: str, length: int) -> None:
    """PREFIX beats NETMASK, wherever they are."""
    text = f"DEVICE=eth0\nNM_CONTROLLED=no\nARPCHECK=no\n{main}\n"
    found = some(tmp_path, text, _1=f"IPADDR=10.0.0.5\n{alias}\n")
    assert found.aliases == [f"eth0:1 10.0.0.5/{length} kind label"]
    assert found.notes == []


@pytest.mark.parametrize("address", ["10.0.0.5", "10.0.0.5/24", "10.0.0.300", "x"])
def test_wrong_addresses(tmp_path: Path, address: str) -> None:
    """A length is needed, in a variable of its own."""
    mask = "" if address == "10.0.0.5" else "PREFIX=24"
    main = f"DEVICE=eth0\n{mask}\nNM_CONTROLLED=no\n"
    found = some(tmp_path, main, _1=f"\nIPADDR={address}\n", _2="IPADDR=10.0.0.6\nPREFIX=32\n")
    assert found.aliases == ["eth0:2 10.0.0.6/32 kind label"]
    assert found.notes[0].startswith(f"ifcfg-eth0:1:2: eth0:1: {address} is not carried over: ")


def test_broadcast(tmp_path: Path) -> None:
    """That of the main device is computed anew."""
    found = some(
        tmp_path,
        MAIN + "BROADCAST=10.0.0.77\n",
        _1="IPADDR=10.0.0.5\nBROADCAST=10.0.0.77\n",
        _2="IPADDR=10.0.0.6\n",
        _3="IPADDR=10.0.0.7\nBROADCAST=10.0.0.66\n",
    )
    assert found.aliases == [
        "eth0:1 10.0.0.5/24 kind label",
        "eth0:2 10.0.0.6/24 kind label",
        "eth0:3 10.0.0.7/24 kind label broadcast 10.0.0.66",
    ]


def test_a_range(tmp_path: Path) -> None:
    """Both ends belong to it; ranges come after all aliases."""
    text = "IPADDR_START=10.0.0.10\nIPADDR_END=10.0.0.12\nCLONENUM_START=5\n"
    more = "IPADDR_START=10.0.0.20\nIPADDR_END=10.0.0.20\nCLONENUM_START=8\nPREFIX=32\n"
    found = some(
        tmp_path, **{"-range0": text, "-range": more, "_1": "IPADDR=10.0.0.9\n", "-rangez": "\n"}
    )
    assert found.lines == [
        "# ifcfg-eth0:1",
        "eth0:1 10.0.0.9/24 kind label",
        "# ifcfg-eth0-range",
        "eth0:8 10.0.0.20/32 kind label",
        "# ifcfg-eth0-range0",
        "eth0:5-7 10.0.0.10-12/24 kind label",
    ]
    assert found.notes == [
        "ifcfg-eth0-rangez:1: eth0-rangez: a range needs IPADDR_START and IPADDR_END"
    ]


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        ("10.0.4.250", "10.0.5.2", "a range may differ in its last number only"),
        ("10.0.4.9", "10.0.4.8", "a range goes upwards to 255 at most"),
        ("10.0.4.9", "10.0.4.300", "a range goes upwards to 255 at most"),
        ("10.0.4.x", "10.0.4.9", "a range needs IPADDR_START and IPADDR_END"),
    ],
)
def test_refused_ranges(tmp_path: Path, start: str, end: str, what: str) -> None:
    """The whole range."""
    text = f"IPADDR_START={start}\nIPADDR_END={end}\nCLONENUM_START=0\n"
    found = some(tmp_path, **{"-range0": text})
    assert found.lines == []
    assert len(found.notes) == 1
    assert found.notes[0].startswith("ifcfg-eth0-range0:1: eth0-range0: ")
    assert found.notes[0].endswith(what)


def test_a_range_without_a_number(tmp_path: Path) -> None:
    """Its first address has an empty one, and so gets a slot of its own."""
    text = "IPADDR_START=10.0.3.10\nIPADDR_END=10.0.3.12\nPREFIX=24\n"
    found = some(tmp_path, **{"-range0": text})
    assert found.aliases == ["eth0:0-2 10.0.3.10-12/24 kind label"]
    assert found.notes == [
        "ifcfg-eth0-range0:1: eth0-range0: no CLONENUM_START: its first address has no number"
    ]


def test_a_second_range_without_a_number(tmp_path: Path) -> None:
    """The number of the range before counts, so the slots collide, and are refused."""
    first = "IPADDR_START=10.0.3.10\nIPADDR_END=10.0.3.12\nCLONENUM_START=5\n"
    second = "IPADDR_START=10.0.3.20\nIPADDR_END=10.0.3.23\n"
    found = some(tmp_path, **{"-range0": first, "-range1": second})
    assert found.aliases == [
        "eth0:5-7 10.0.3.10-12/24 kind label",
        "eth0:8 10.0.3.23/24 kind label",
    ]
    assert found.notes == [
        "ifcfg-eth0-range1:1: eth0-range1: no CLONENUM_START: that of a file before it counts, 5",
        "ifcfg-eth0-range1:1: eth0:5: 10.0.3.20 is not carried over: ifcfg-eth0-range0 has the"
        " slot 5 (and 2 more of this range)",
    ]


def test_the_number_of_a_refused_range(tmp_path: Path) -> None:
    """It counts for the range behind, too."""
    first = "IPADDR_START=10.0.3.9\nIPADDR_END=10.0.3.8\nCLONENUM_START=5\n"
    found = some(
        tmp_path, **{"-range0": first, "-range1": "IPADDR_START=10.0.3.1\nIPADDR_END=10.0.3.2\n"}
    )
    assert found.aliases == ["eth0:5-6 10.0.3.1-2/24 kind label"]


def test_octal_numbers(tmp_path: Path) -> None:
    """To a shell a number with a leading zero is one."""
    text = "IPADDR_START=10.0.3.10\nIPADDR_END=10.0.3.11\nCLONENUM_START=%s\n"
    found = some(tmp_path, **{"-range0": text % "010"})
    assert [line.split()[0] for line in found.aliases] == ["eth0:0", "eth0:9"]
    found = some(tmp_path, **{"-range0": text % "08"})
    assert found.lines == []
    assert found.notes[-1].endswith("CLONENUM_START=08: not a number")


def test_copies_beside(tmp_path: Path) -> None:
    """The first one by name counts, and each other one is refused."""
    text = "DEVICE=eth0:0\nIPADDR=10.0.0.%s\n"
    found = some(tmp_path, **{"_0": text % 2, "_0.MASTER": text % 3, "_1": "IPADDR=10.0.0.2\n"})
    assert found.aliases == ["eth0:0 10.0.0.2/24 kind label"]
    assert found.notes == [
        "ifcfg-eth0:0.MASTER:2: eth0:0: 10.0.0.3 is not carried over: ifcfg-eth0:0 has the slot 0",
        "ifcfg-eth0:1:1: eth0:1: 10.0.0.2 is not carried over: ifcfg-eth0:0 has the address"
        " 10.0.0.2",
    ]


def test_labels_that_are_refused(tmp_path: Path) -> None:
    """By ifup-aliases, or by ip(8)."""
    found = some(
        tmp_path, **{"_a-b": "IPADDR=10.0.0.2\n", "_1": "DEVICE=eth1:1\nIPADDR=10.0.0.3\n"}
    )
    assert found.lines == []
    assert [note.partition("over: ")[2] for note in found.notes] == [
        "ip(8) refuses a label that does not begin with eth0",
        "ifup-aliases takes letters, digits and _ behind the colon",
    ]


def test_an_alias_without_a_slot(tmp_path: Path) -> None:
    """It is one of the file of an alias, and has no name."""
    found = some(tmp_path, _1="DEVICE=eth0\nIPADDR=10.0.0.2\n")
    assert found.aliases == ["eth0:0 10.0.0.2/24 kind label"]


def test_both_families(tmp_path: Path) -> None:
    """An IPv4 and an IPv6 address of one file need two slots."""
    text = "IPADDR=10.0.0.2\nIPV6ADDR=2001:db8::2/128\n"
    found = some(tmp_path, _1=text)
    assert found.aliases == [
        "eth0:1 10.0.0.2/24 kind label",
        "eth0:0 2001:db8::2/128 kind label # eth0:1",
    ]
    assert some(tmp_path, _1=f"{text}IPV6INIT=no\n").aliases == ["eth0:1 10.0.0.2/24 kind label"]


@pytest.mark.parametrize(
    ("main", "alias", "what"),
    [
        ("", "ONPARENT=No", "not brought up (ONPARENT=no)"),
        ("ONBOOT=no", "", "not brought up automatically (ONBOOT=no in ifcfg-eth0)"),
    ],
)
def test_not_brought_up(tmp_path: Path, main: str, alias: str, what: str) -> None:
    """ONPARENT of the alias and ONBOOT of the main device decide."""
    found = some(tmp_path, f"{MAIN}{main}\n", _1=f"ONBOOT=no\nIPADDR=10.0.0.2\n{alias}\n")
    assert found.aliases == [f"# eth0:1 10.0.0.2/24 kind label # {what}"]


def test_onboot_of_an_alias(tmp_path: Path) -> None:
    """It is ignored."""
    assert some(tmp_path, _1="ONBOOT=no\nIPADDR=10.0.0.2\n").aliases == [
        "eth0:1 10.0.0.2/24 kind label"
    ]


def test_the_main_device_is_beside(tmp_path: Path) -> None:
    """Its file is read even if only that of an alias is named."""
    (tmp_path / "ifcfg-eth0").write_text(MAIN)
    found = Import(tmp_path, "ifcfg-rh", {"ifcfg-eth0:1": "IPADDR=10.0.0.2\n"})
    assert found.aliases == ["eth0:1 10.0.0.2/24 kind label"]
    found = Import(tmp_path, "ifcfg-rh", {"ifcfg-eth1:1": "IPADDR=10.0.0.2\nPREFIX=24\n"})
    assert found.aliases == [
        "# eth1:1 10.0.0.2/24 kind label # not brought up (there is no ifcfg-eth1 beside it)"
    ]


def test_the_main_device_is_called_otherwise(tmp_path: Path) -> None:
    """Aliases are found by DEVICE."""
    files = {"ifcfg-office": MAIN, "ifcfg-eth0:1": "IPADDR=10.0.0.2\n"}
    found = Import(tmp_path, "ifcfg-rh", files)
    assert found.aliases == ["eth0:1 10.0.0.2/24 kind label"]


def test_an_alias_without_a_colon_in_its_file(tmp_path: Path) -> None:
    """Nothing but its own ifup uses it."""
    found = Import(
        tmp_path, "ifcfg-rh", {"ifcfg-lo.1": "DEVICE=lo:1\nIPADDR=10.0.0.2\nPREFIX=32\n"}
    )
    assert found.aliases == ["# lo:1 10.0.0.2/32 kind label # only ifup lo.1 brings it up"]


def test_network_manager(tmp_path: Path) -> None:
    """What it makes of the same files is told, unless it is kept from them."""
    main = MAIN.replace("NM_CONTROLLED=no\n", "")
    text = "IPADDR_START=10.0.0.10\nIPADDR_END=10.0.0.10\nCLONENUM_START=5\n"
    found = some(
        tmp_path,
        main,
        **{
            "-range0": text,
            "_1": "IPADDR=10.0.0.2\n",
            "_2": "DEVICE=eth0:2\nIPADDR=10.0.0.3\nPREFIX=32\n",
            "_3": "DEVICE=eth0:3\nIPADDR=10.0.0.4\nPREFIX=25\n",
        },
    )
    assert found.notes == [
        "ifcfg-eth0:1:1: eth0:1: no DEVICE: NetworkManager refuses it, since its name is another",
        "ifcfg-eth0-range0:1: eth0-range0: NetworkManager does not read it",
        "ifcfg-eth0:2:2: eth0:2: 10.0.0.3/32: NetworkManager gives it /24, as 10.0.0.1/24 has it"
        " (and 1 more)",
    ]


def test_a_whole_folder(tmp_path: Path) -> None:
    """Scripts, routes and backups in it are not read."""
    files = {
        "ifcfg-eth0": MAIN,
        "ifcfg-eth0:1": "IPADDR=10.0.0.2\n",
        "ifcfg-eth0:2.bak": "IPADDR=10.0.0.3\n",
        "route-eth0": "ADDRESS0=10.1.0.0\n",
        "ifup-aliases": "DEVICE=$1\n",
    }
    (tmp_path / FOLDER).mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / FOLDER / name).write_text(text)
    from netalias.importers import read

    found = read([str(tmp_path / FOLDER)])
    assert (found.formats, found.files, len(found.rows)) == (["ifcfg-rh"], 2, 1)
    assert found.notes == []


def test_other_files(tmp_path: Path) -> None:
    """The name says what a file is."""
    found = Import(tmp_path, "ifcfg-rh", {"route-eth0": "IPADDR=10.0.0.2\n"})
    assert found.notes == ["route-eth0: its name does not begin with ifcfg-: it is not read"]


@pytest.mark.parametrize(("main", "alias"), [("", ""), ("yes", ""), ("no", "yes"), ("no", "")])
def test_the_check_for_another_host(tmp_path: Path, main: str, alias: str) -> None:
    """ifup-aliases makes one unless a file says no, its own before that of the main device. That it
    is lost is said once, and how to have it here; not for aliases that are not brought up."""
    ours = MAIN.replace("ARPCHECK=no", f"ARPCHECK={main}" if main else "")
    said = f"\nARPCHECK={alias}\n" if alias else "\n"
    found = some(
        tmp_path,
        ours,
        _0="IPADDR=10.0.0.9\nONPARENT=no\n",
        _1=f"IPADDR=10.0.0.5{said}",
        _2=f"IPADDR=10.0.0.6{said}",
        _3="IPADDR=10.0.0.7\nARPCHECK=no\n",
    )
    checked = [
        "ifcfg-eth0:1:1: eth0:1: ARPCHECK is not carried over: the words acd fast look for another"
        " host with the address (and 1 more)"
    ]
    assert found.notes == ([] if (main, alias) == ("no", "") else checked)
