"""import beside the real programs: what they make of a file is what the lines declare.

Their Debian packages are unpacked, not installed, since they replace each other.
"""

from __future__ import annotations

import glob
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from ipaddress import ip_interface
from itertools import pairwise
from pathlib import Path

import pytest
from command import Command
from interfaces import ifup, why_no_ifup
from support import Namespace, another_user, until
from unpacked import ENVIRONMENT, PROGRAMS, daemon, networkd, unpacked

from netalias.importers import read
from netalias.importers.formats import existing

pytestmark = pytest.mark.programs

Address = tuple[str, str, str, bool]
"""ADDRESS/LEN, broadcast address, peer, and whether it is deprecated."""


def declared(path: Path, format: str) -> set[Address]:
    """What the lines of all addresses in a file declare."""
    return {_declared(row.found.words) for row in read([str(path)], format, every=True).rows}


def _declared(words: list[str]) -> Address:
    values = dict(pairwise(words[1:]))
    interface = ip_interface(words[0])
    peer = values.get("pointopoint", "")
    usual = ""
    if interface.version == 4 and interface.network.prefixlen < 31 and not peer:
        usual = "" if "-broadcast" in words else str(interface.network.broadcast_address)
    return words[0], values.get("broadcast", usual), peer, "deprecated" in words


def there(namespace: Namespace) -> set[Address]:
    """The addresses of eth9 in the kernel that are not those of its link, and not 10.20.0.1."""
    done = namespace.run(["ip", "-j", "addr", "show", "dev", "eth9"])
    found = set()
    for one in json.loads(done.stdout)[0]["addr_info"]:
        if one["scope"] != "link" and one["local"] not in ("10.20.0.1", "2001:db8:20::1"):
            peer = one.get("address", "")
            deprecated = one["family"] == "inet6" and bool(one.get("deprecated"))
            address = f"{one['local']}/{one['prefixlen']}"
            found.add((address, one.get("broadcast", ""), peer, deprecated))
    return found


def once(namespace: Namespace, script: str) -> None:
    """A shell script, in mounts of its own, to its end."""
    namespace.run(["timeout", "60", "unshare", "-m", "sh", "-c", script], check=False)


def equal(namespace: Namespace, expected: set[Address]) -> Callable[[], bool]:
    return lambda: there(namespace) == expected


KEEPALIVED = """\
static_ipaddress {
    10.21.0.1/24 dev eth9 label eth9:5
}
vrrp_instance web {
    state MASTER
    priority 255
    interface eth9
    virtual_router_id 7
    virtual_ipaddress {
        10.22.0.1/24 dev eth9 label eth9:0
        10.22.1.2/24 dev eth9 label eth9:web brd +
        10.22.2.3
        10.22.3.3/24 label eth9:6 brd -
        10.22.4.1 label eth9:7 peer 10.22.4.2
        10.22.5.1/24 label web broadcast 10.22.5.99
        10.22.6.1/33 nonsense
        10.22.7.1/024 peer 10.22.7.2/30
    }
    virtual_ipaddress_excluded {
        2001:db8::7
        2001:db8:1::8/64
        2001:db8:2::9 preferred_lft forever
    }
}
"""


def test_keepalived(cli: Command, tmp_path: Path) -> None:
    """As the master it has exactly the addresses of the lines."""
    path = unpacked("keepalived", "usr/sbin/keepalived")
    file = tmp_path / "keepalived.conf"
    file.write_text(KEEPALIVED)
    cli.namespace.ip("addr add 10.20.0.1/24 dev eth9")
    expected = declared(file, "keepalived")
    assert len(expected) == 12
    pids = f"-p {tmp_path}/one.pid -r {tmp_path}/two.pid"
    script = f"mount -t tmpfs none /run; exec {path} -n -l -P -f {file} {pids}"
    with daemon(cli.namespace, script, tmp_path / "log"):
        until(equal(cli.namespace, expected))


NETWORK = """\
[Match]
Name=eth9
[Network]
Address=10.20.0.1/24
Address=10.21.0.5
[Address]
Address=10.22.0.2/24
Label=eth9:1
[Address]
Address=10.22.1.3/24
Label=web
Broadcast=no
[Address]
Address=2001:db8:20::1/64
[Address]
Address=2001:db8::7/128
PreferredLifetime=0
[Address]
Address=10.22.0.4/32
Peer=10.23.0.4/32
Label=eth9:4
"""


def test_networkd(cli: Command, tmp_path: Path) -> None:
    """It takes eth9 for its own in a namespace whose /sys cannot be written."""
    file = tmp_path / "10-eth9.network"
    file.write_text(NETWORK)
    expected = declared(file, "networkd")
    assert len(expected) == 5
    script = networkd(tmp_path / "run", NETWORK)
    with daemon(cli.namespace, script, tmp_path / "log"):
        until(equal(cli.namespace, expected))


CUMULUS = """\
auto eth9
iface eth9 inet static
    address 10.20.0.1/24
    address 10.21.0.2
    netmask 255.255.0.0
    address 2001:db8:20::1/64
iface eth9:4 inet static
    address 10.22.0.4
    netmask 24
    up ip addr add 10.23.0.1/24 dev eth9 label $IFACE
iface eth9:5
    netmask 24
    address 10.22.1.5
iface eth9:6
    address 10.22.2.5/25
    address 2001:db8::7/64
"""


IFUP2 = "/usr/bin/python3 /usr/share/ifupdown2/ifup"


def as_ifupdown2(folder: Path) -> str:
    """The shell commands after which /usr/share and /etc/network are those of ifupdown2."""
    root = f"{PROGRAMS}/ifupdown2"
    return f"""
        cp -r {root}/usr/share/ifupdown2 {folder}/parts
        for one in /run /etc/network /var/tmp /usr/share; do mount -t tmpfs none $one; done
        mkdir -p /run/lock /run/network /etc/network/if-up.d /usr/share/ifupdown2
        cp -r {root}/etc/network/ifupdown2 /etc/network
        cp -r {folder}/parts/. /usr/share/ifupdown2
        ln -s ifupdown2 /usr/share/ifupdown2/ifup; touch /etc/network/interfaces"""


def test_ifupdown2(cli: Command, tmp_path: Path) -> None:
    """It reads its parts from below /usr/share, which is another one for it."""
    unpacked("ifupdown2", "usr/share/ifupdown2/ifupdown2")
    file = tmp_path / "interfaces"
    file.write_text(CUMULUS)
    expected = declared(file, "ifupdown2")
    assert len(expected) == 6
    once(cli.namespace, f"{as_ifupdown2(tmp_path)}; {IFUP2} -a -i {file}")
    assert there(cli.namespace) == expected


ALPINE = """\
auto eth9
iface eth9
    address 10.20.0.1/24
    address 10.21.0.2/25
    netmask 255.255.0.0
    address 10.22.0.3
    address 2001:db8:20::1
auto eth9:2
iface eth9:2
    address 10.23.0.4 # text
    address 2001:db8::7
auto eth9:3
iface eth9:3
    netmask 20
    address 10.24.0.5
    point-to-point 10.24.0.9
auto eth9:4 eth9:5
iface eth9:4
    address 10.25.0.1/32
iface eth9:5
    address 10.26.0.1/32
"""


def test_ifupdown_ng(cli: Command, tmp_path: Path) -> None:
    """It runs its executors from /usr/libexec, and raises the first word of each auto."""
    path = unpacked("ifupdown-ng", "sbin/ifup")
    file = tmp_path / "interfaces"
    file.write_text(ALPINE)
    rows = read([str(file)], "ifupdown-ng", every=True).rows
    expected = {_declared(row.found.words) for row in rows if not row.found.asleep}
    assert (len(rows), len(expected)) == (7, 6)
    once(
        cli.namespace,
        f"""
        mount -t tmpfs none /run; mount -t tmpfs none /usr/libexec
        cp -r {PROGRAMS}/ifupdown-ng/usr/libexec/ifupdown-ng /usr/libexec
        {path} -a -i {file} -S /run/state""",
    )
    assert there(cli.namespace) == expected


NETPLAN = {
    "50-a.yaml": """\
network:
  version: 2
  ethernets:
    eth0:
      addresses:
        - 10.0.0.9/24: {label: "eth0:9"}
        - "2001:db8::1/64"
        - 10.0.0.1/24
        - 10.0.0.2/24
        - 10.0.0.3/32: {label: maas, lifetime: forever}
        - "2001:db8::7/64": {lifetime: 0}
    lan:
      match: {name: enp1}
      addresses: [10.1.0.1/24, 10.1.0.2/24]
""",
    "60-b.yaml": """\
network:
  bridges: {br0: {addresses: [10.2.0.1/24, 10.2.0.2/24]}}
  ethernets: {eth0: {addresses: [10.0.0.1/24, 10.0.0.77/24]}}
""",
}


def test_netplan(tmp_path: Path) -> None:
    """What it renders for networkd gives the same lines as its own files."""
    path = unpacked("netplan.io", "usr/libexec/netplan/generate")
    folder = tmp_path / "etc/netplan"
    folder.mkdir(parents=True)
    for name, text in NETPLAN.items():
        (folder / name).write_text(text)
    subprocess.run([path, "--root-dir", str(tmp_path)], check=True, env=ENVIRONMENT)
    sets = [
        {(str(row.name), *row.found.words) for row in read([str(path)], format, every=True).rows}
        for path, format in ((folder, "netplan"), (tmp_path / "run/systemd/network", "networkd"))
    ]
    assert len(sets[0]) == 7
    assert sets[0] == sets[1]


CLOUD = """\
network:
  version: 1
  config:
    - type: physical
      name: eth9
      subnets:
        - {type: static, address: 10.20.0.1/24}
        - {type: static, address: 10.21.0.2, netmask: 255.255.255.128}
        - {type: static, address: 10.21.1.3/30}
        - {type: static, address: 10.21.2.4}
        - {type: static6, address: "2001:db8:20::1/64"}
        - {type: static6, address: "2001:db8:21::2/56"}
    - type: physical
      name: eth9:7
      subnets: [{type: static, address: 10.22.0.7, netmask: 255.255.255.0}]
"""
CLOUD2 = """\
network:
  version: 2
  ethernets:
    eth9: {addresses: [10.20.0.1/24, 10.21.0.2/25, "2001:db8:20::1/64", "2001:db8:21::2/56"]}
"""


def rendered(folder: Path, text: str, output: str) -> Path:
    """The folder below which cloud-init has written what it makes of a file, for another program.
    Its libraries are packages that are unpacked beside it."""
    unpacked("cloud-init", "usr/bin/cloud-init")
    file, target = folder / "network.cfg", folder / "root"
    file.write_text(text)
    words = f"devel net-convert -p {file} -k yaml -d {target} -D debian -O {output}".split()
    code = "from cloudinit.cmd.main import main; main()"
    path = ":".join(glob.glob(f"{PROGRAMS}/*/usr/lib/python3/dist-packages"))
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, *words], env={**ENVIRONMENT, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"cloud-init: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.skipif(bool(why_no_ifup()), reason=why_no_ifup())
def test_cloud_init(cli: Command, tmp_path: Path) -> None:
    """ifup brings up what it writes for that, where further addresses of a device have no label."""
    target = rendered(tmp_path, CLOUD, "eni")
    (file,) = (target / "etc/network").rglob("50-cloud-init*")
    cli.namespace.run(
        [ifup(), "-a", "--no-scripts", f"--state-dir={tmp_path}", "-i", str(file)], check=False
    )
    expected = declared(tmp_path / "network.cfg", "cloud-init")
    assert len(expected) == 5
    assert there(cli.namespace) == expected


@pytest.mark.skipif(not another_user(), reason="cloud-init gives its files to systemd-network")
def test_cloud_init_version_2(tmp_path: Path) -> None:
    """The files that it writes for networkd give the same addresses as its own file."""
    target = rendered(tmp_path, CLOUD2, "networkd")
    expected = declared(tmp_path / "network.cfg", "cloud-init")
    assert len(expected) == 2
    assert declared(target / "etc/systemd/network", "networkd") == expected


IFCFG = {
    "ifcfg-eth9": "DEVICE=eth9\nIPADDR=10.20.0.1\nPREFIX=24\nARPCHECK=no\nARPUPDATE=no\n",
    "ifcfg-eth9:0": "DEVICE=eth9:0\nIPADDR=10.21.0.1\nNETMASK=255.255.255.255\n",
    "ifcfg-eth9:1": "DEVICE=eth9:1\nIPADDR=10.21.1.1\nPREFIX=32\n",
    "ifcfg-eth9:10": "IPADDR=10.21.2.1\nPREFIX=25\nBROADCAST=10.21.2.99\n",
    "ifcfg-eth9:2": "DEVICE=eth9:2\nIPADDR=10.21.2.1\n",
    "ifcfg-eth9:2.TEMPLATE": "DEVICE=eth9:2\nIPADDR=10.21.3.1\n",
    "ifcfg-eth9:3": "DEVICE=eth9:3\nIPADDR=10.21.4.1\nONPARENT=no\n",
    "ifcfg-eth9:4.bak": "DEVICE=eth9:4\nIPADDR=10.21.5.1\n",
    "ifcfg-eth9:web": "DEVICE=eth9:web\nIPADDR=10.21.6.1\nONBOOT=no\n",
    "ifcfg-eth9-range0": "IPADDR_START=10.22.0.10\nIPADDR_END=10.22.0.12\nCLONENUM_START=5\n",
    "ifcfg-eth9-range1": "IPADDR_START=10.22.1.250\nIPADDR_END=10.22.2.2\nCLONENUM_START=20\n",
    "ifcfg-eth9-range2": "IPADDR_START=10.22.3.4\nIPADDR_END=10.22.3.4\nCLONENUM_START=30\n"
    "NETMASK=255.255.0.0\nPREFIX=30\n",
    "ifcfg-eth9-range3": "IPADDR_START=10.22.4.1\nIPADDR_END=10.22.4.3\n",
}  # fmt: skip
"""Lengths of the main device and of its aliases, an address and a slot that are taken, a file that
is passed over, one that the parent does not raise, and ranges: one that crosses a network, and one
without a first slot, for which that of the file before counts."""
NUMBERED = re.compile(r"eth9:(?:0|[1-9][0-9]*)")


def as_network_scripts(folder: Path, files: dict[str, str]) -> str:
    """The shell commands after which /etc/sysconfig has the scripts and these *files*, and ipcalc
    is that of Fedora."""
    scripts = unpacked("initscripts", "network-scripts/ifup-aliases")
    ipcalc = unpacked("ipcalc-ng", "usr/bin/ipcalc-ng")
    etc = folder / "etc"
    subprocess.run(["cp", "-a", "/etc", str(etc)], check=False)
    (etc / "init.d").mkdir(exist_ok=True)
    functions = f"{PROGRAMS}/initscripts/etc/rc.d/init.d/functions"
    shutil.copy(functions, etc / "init.d/functions")
    (etc / "sysconfig").mkdir(exist_ok=True)
    (etc / "sysconfig/network").write_text("NETWORKING=yes\n")
    shutil.copytree(Path(scripts).parent, etc / "sysconfig/network-scripts")
    for name, text in files.items():
        (etc / "sysconfig/network-scripts" / name).write_text(text)
    (folder / "bin").mkdir()
    shutil.copy(ipcalc, folder / "bin/ipcalc")
    return f"""
        mount --bind {etc} /etc
        mount -t overlay overlay -o lowerdir={folder}/bin:/usr/bin /usr/bin"""


def test_network_scripts(cli: Command, tmp_path: Path) -> None:
    """Its aliases are those that the lines declare; they have their labels, where these are slots.
    What it refuses, the lines do not have."""
    script = as_network_scripts(tmp_path, IFCFG)
    imported = read(existing("ifcfg-rh", str(tmp_path)), "ifcfg-rh")
    rows = [row for row in imported.rows if not row.found.asleep]
    expected = {_declared(row.found.words) for row in rows}
    cli.namespace.ip("addr add 10.20.0.1/24 brd + dev eth9")
    once(cli.namespace, f"{script}; cd /; /etc/sysconfig/network-scripts/ifup-aliases eth9")
    found = {
        (one, "" if one.endswith("/32") else brd, *more) for one, brd, *more in there(cli.namespace)
    }
    assert found == expected
    assert len(rows) == 10
    done = cli.namespace.run(["ip", "-j", "addr", "show", "dev", "eth9"])
    labels = {one["local"]: one.get("label") for one in json.loads(done.stdout)[0]["addr_info"]}
    for row in rows:
        label = labels[row.found.words[0].partition("/")[0]]
        if NUMBERED.fullmatch(label):
            assert str(row.name) == label
