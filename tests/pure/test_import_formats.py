"""What all formats have in common: how they are found, whose an address is, names, and lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imports import Import

from netalias import errors
from netalias.desired.declarations import parse as declared
from netalias.families import lazy
from netalias.importers import FORMATS, Importer, get, read
from netalias.importers.formats import claimed

INTERFACES = "auto lo:1\niface lo:1 inet static\n address 192.0.2.1/32\n"
NETWORKD = "[Match]\nName=eth0\n[Address]\nAddress=10.0.0.1/32\nLabel=eth0:1\n"

INTERFACES_TOO = """auto eth0 eth0:1
iface eth0 inet static
    address 10.0.0.1
    netmask 255.255.255.0
    up ip addr add 10.0.0.9/24 dev eth0 label $IFACE:9 || true
iface eth0:1 inet6 static
    address 2001:db8::1/64
    pointopoint 2001:db8::2
"""
NETPLAN = """network:
  version: 2
  ethernets: &all
    eth0: {match: {name: eth0}, addresses: [10.0.0.1/24, 10.0.0.2/24: {label: "eth0:1"}]}
  bridges: *all
"""
SAMPLES = {
    "interfaces": INTERFACES_TOO,
    "networkd": NETWORKD,
    "keyfile": "[connection]\ninterface-name=eth0\n[ipv4]\naddress1=10.0.0.1/24,10.0.0.9\n",
    "uci": "config interface 'lan'\n\toption device \"@a\" # text\n\toption proto static\n"
    "\tlist ipaddr '10.0.0.1/24'\n",
    "keepalived": "$A=10.0.0\nvrrp_instance a {\n  interface eth0 # text\n  virtual_ipaddress {\n"
    '    ${A}.1/24 dev "eth0" label eth0:1 brd +\n  }\n}\ninclude x\n',
    "netplan": NETPLAN,
    "ifcfg-rh": "DEVICE=eth0:1\nIPADDR=10.0.0.1\nNETMASK=255.255.255.0\n",
    "ifcfg-suse": "BOOTPROTO=static\nSTARTMODE=auto\nIPADDR_1=10.0.0.1/24\nLABEL_1=1\n",
    "netifrc": 'config_eth0="10.0.0.1/24 10.0.0.2/24"\nroutes_eth0="default via 10.0.0.254"\n',
    "netctl": "Interface=eth0\nConnection=ethernet\nIP=static\nAddress=('10.0.0.1/24')\n",
    "rc.inet1": 'IPADDRS[0]="10.0.0.1/24"\nIPALIASES[0]="10.0.0.2"\nUSE_DHCP[0]=""\n',
    "rc.conf": 'hostname="a"\nifconfig_em0_alias0="inet 10.0.0.2/32"\n',
    "hostname.if": "inet 10.0.0.1 255.255.255.0\ninet alias 10.0.0.2 255.255.255.255\n",
    "ifconfig.if": "up\ninet 10.0.0.2 netmask 255.255.255.255 alias\n",
}
"""A file of each format."""


@pytest.mark.parametrize("format", SAMPLES)
def test_marks(format: str) -> None:
    """A file tells its format wherever it is and however it is called, since no other one has its
    mark."""
    text = SAMPLES[format]
    marks = [name for name in FORMATS if re.search(rf"(?m)^[ \t]*{FORMATS[name].mark}", text)]
    assert marks == [format]
    assert claimed("/tmp/x", text) == format


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_an_importer(name: str) -> None:
    """The table names importers that exist, and usual paths that they alone claim."""
    assert isinstance(get(name), Importer)
    re.compile(FORMATS[name].mark)
    for pattern in FORMATS[name].usual:
        assert claimed(f"/mnt/old{pattern.replace('*', 'x')}", "") == name


TOKENS = sorted(
    {token for text in SAMPLES.values() for token in re.findall(r"[\w./:]+|[^\w./:]", text)}
    | set("\"'`$(){}[];#&|<>\\~*-,%:/\0")
    | {"10.0.0.1-9/24", "2001:db8::1-f", "_range0", "0x", "+=", "=(", "010", "\\\n"}
)


def _survives(folder: Path, name: str, content: bytes) -> None:
    """Nothing but lines and notes comes of a file that is called like one of the format."""
    one = FORMATS[FORMATS[name].variant or name]
    usual = one.usual[0].rpartition("/")[2].replace("*", "eth0")
    path = folder / name / usual
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    found = read([str(path)], name, every=True)
    assert declared([("f", "\n".join(found.lines))], lazy()).errors == []
    assert declared([("f", "\n".join(found.folded))], lazy()).errors == []
    assert not any("\n" in text for text in (*found.lines, *found.notes))


@pytest.mark.parametrize("name", FORMATS)
@given(content=st.binary(max_size=400))
def test_any_bytes(name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing but notes comes of a file that is none."""
    _survives(tmp_path_factory.getbasetemp(), name, content)


@pytest.mark.parametrize("name", FORMATS)
@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=60))
def test_any_tokens(name: str, tokens: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nor of one that looks like one."""
    text = SAMPLES.get(name, "") + "".join(tokens)
    _survives(tmp_path_factory.getbasetemp(), name, text.encode())


PIECES = (
    '"', "'", "{", "}", "[", "]", "$", "\\", "\n", ":", "/", "%", "0", "65536", "*all", "&all",
    "<<:", "\udc80", "@", "~SEQ", "\0", "\u0663", " ", "",
)  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
@given(edits=st.lists(st.tuples(st.integers(0, 200), st.sampled_from(PIECES)), max_size=6))
def test_almost_a_file(
    name: str, edits: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file that is damaged in some places gives lines that can be read, and notes."""
    tokens = re.findall(r"\w+|\s+|.", SAMPLES[name])
    for where, piece in edits:
        tokens[where % len(tokens)] = piece
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_text("".join(tokens), "utf-8", "surrogateescape")
    found = read([str(path)], name, every=True)
    assert declared([("f", "\n".join(found.lines))], lazy()).errors == []
    assert declared([("f", "\n".join(found.folded))], lazy()).errors == []
    assert not any("\n" in text for text in (*found.lines, *found.notes))


def test_a_file_tells_its_format(tmp_path: Path) -> None:
    """By a line that only this format has, if not by its path; any other is interfaces(5)."""
    for name, text, format in (
        ("x", NETWORKD, "networkd"),
        ("y", INTERFACES, "interfaces"),
        ("z", "", "interfaces"),
        ("keepalived", "vrrp_instance a {\n}\n", "keepalived"),
        ("uci", "config interface 'lan'\n", "uci"),
        ("netplan", "network:\n  version: 2\n", "netplan"),
        ("v1", "network:\n  version: 1\n", "cloud-init"),
        ("network-config", "version: 2\n", "cloud-init"),
    ):
        (tmp_path / name).write_text(text)
        assert read([str(tmp_path / name)]).formats == [format]


def test_a_folder(tmp_path: Path) -> None:
    """Its files, but no backups."""
    (tmp_path / "1.network").write_text(NETWORKD)
    (tmp_path / "1.network~").write_text(NETWORKD.replace("10.0.0.1", "10.0.0.2"))
    found = read([str(tmp_path)])
    assert (found.files, found.formats, len(found.rows)) == (1, ["networkd"], 1)


@pytest.mark.parametrize("format", ["", "networkd"])
def test_a_usual_folder(tmp_path: Path, format: str) -> None:
    """Where a format has its files among others, only its own are read."""
    folder = tmp_path / "etc/systemd/network"
    folder.mkdir(parents=True)
    (folder / "1.network").write_text(NETWORKD)
    (folder / "1.link").write_text(NETWORKD.replace("10.0.0.1", "10.0.0.2"))
    found = read([str(folder)], format)
    assert (found.files, len(found.rows)) == (1, 1)


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which it is tells the format too."""
    folder = tmp_path / "etc/systemd/network"
    folder.mkdir(parents=True)
    (folder / "1.network").write_text("")
    monkeypatch.chdir(folder)
    assert read(["1.network"]).formats == read(["."]).formats == ["networkd"]


def test_a_missing_file(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(errors.StateError, match="nowhere: No such file"):
        read([str(tmp_path / "nowhere")])


def test_usual_files_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a path the usual files are read, and only those that exist."""
    for one in FORMATS.values():
        monkeypatch.setattr(one, "usual", (f"{tmp_path}/none",))
    monkeypatch.setattr(FORMATS["interfaces"], "usual", (f"{tmp_path}/interfaces",))
    assert read().lines == []
    (tmp_path / "interfaces").write_text(INTERFACES)
    found = read()
    assert [str(row.name) for row in found.rows] == ["lo:1"]
    assert (found.files, found.formats) == (1, ["interfaces"])


WORST = """\
auto eth0:0 eth0:web eth0:1
iface eth0:0 inet static
    address 10.0.0.1/24
    gateway 10.0.0.254
    up /bin/a
iface eth0:web inet static
    address 10.0.0.2/24
iface eth0:1 inet static
    address 10.0.0.300/24
"""


def test_the_worst_comes_first(tmp_path: Path) -> None:
    """A command that would have run, and an address that is left out; then options and names."""
    found = Import(tmp_path, "interfaces", {"f": WORST})
    assert [note.partition(" is not")[0].partition(" becomes")[0] for note in found.notes] == [
        "f:5: eth0:0: up",
        "f:8: eth0:1: 10.0.0.300: not an IPv4 address",
        "f:4: eth0:0: gateway",
        "f:6: eth0:web: 10.0.0.2/24",
    ]


def test_ranges(tmp_path: Path) -> None:
    """Slots and addresses that run on are one line; what has a remark stands alone."""
    label = "[Address]\nAddress=10.0.0.%d/24\nLabel=eth0:%s\n"
    some = [(1, "1"), (2, "2"), (3, "3"), (9, "web"), (5, "5")]
    text = "[Match]\nName=eth0\n" + "".join(label % one for one in some)
    found = Import(tmp_path, "networkd", {"a.network": text})
    assert found.lines == [
        "# a.network",
        "eth0:1-3 10.0.0.1-3/24 kind label",
        "eth0:0 10.0.0.9/24 kind label # eth0:web",
        "eth0:5 10.0.0.5/24 kind label",
    ]


def test_another_kind(tmp_path: Path) -> None:
    """It is that of every line; what it cannot be is left out, and told."""
    found = Import(tmp_path, "networkd", {"a.network": NETWORKD}, kind="macvlan")
    assert found.aliases == ["eth0:1 10.0.0.1/32 kind macvlan"]


def test_other_names_of_devices(tmp_path: Path) -> None:
    """--map renames main devices, and their labels with them."""
    found = Import(tmp_path, "networkd", {"a.network": NETWORKD}, mapping={"eth0": "ens3"})
    assert found.aliases == ["ens3:1 10.0.0.1/32 kind label"]


def test_objects(tmp_path: Path) -> None:
    """The fields are those of save -j, and the place."""
    found = Import(tmp_path, "networkd", {"a.network": f"{NETWORKD}RouteMetric=7\nBroadcast=no\n"})
    (one,) = found.found.objects
    assert one.pop("place") == f"{tmp_path}/a.network:3"
    assert one == {
        "altname": "eth0:1", "kind": "label", "family": "inet", "local": "10.0.0.1",
        "prefixlen": 32, "metric": 7,
    }  # fmt: skip
