"""The commands of ``doctor`` for devices whose names mean something to a shell, to ip(8) or to
sysctl(8): pasted into a shell, each of them mends its fault."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from command import ip_json, set_sysctl, wait_for_state, without_dad
from shortened import quarter
from support import Namespace, until, veth_pair
from test_doctor import ALIASES, FAULTS, MAIN_ADDRESS, MAIN_SETTINGS, Doctor
from test_dry_run_is_truth import execute

ODD = "-e=.'$(9)\"&"
"""An option, a separator of sysctl(8) twice, and what a shell expands."""
NAMES = (ODD, "-up", "up", "a=b")
PROBES = ("main-down", "arp-flux", "down", "remnant")
"""Checks with one command of each program, for the other names."""


@pytest.fixture
def odd(netns: Namespace, request: pytest.FixtureRequest) -> Iterator[Doctor]:
    """The stage of test_doctor.py on a device of another name."""
    main = request.param
    netns.peer = Namespace()
    veth_pair(netns, netns.peer)
    netns.ip("link set eth9 down")
    netns.run(["ip", "link", "set", "dev", "eth9", "name", main])
    netns.run(["ip", "link", "set", "dev", main, "up"])
    without_dad(netns)
    netns.raise_lo()
    wait_for_state(netns, main, "UP")
    netns.run(["ip", "addr", "add", MAIN_ADDRESS, "dev", main])
    cli = Doctor(netns)
    for line in ALIASES:
        name, *words = line.split()
        cli.silent("--", name.replace("eth9", main), *words)
    for key, value in MAIN_SETTINGS.items():
        set_sysctl(netns, f"ipv4/conf/{main}/{key}", value)
    until(lambda: "tentative" not in netns.run(["ip", "addr", "show", "dev", f"{main}_3"]).stdout)
    yield cli
    netns.peer.close()


def renamed(script: str, main: str) -> str:
    """A fault of eth9 as a script about *main*: by paths and with ``dev`` and ``--``."""
    script = re.sub(
        r"net\.(ipv[46])\.conf\.(\w+)\.(\w+)=(\d+)", r"/proc/sys/net/\1/conf/\2/\3 \4", script
    )
    script = re.sub(r"ip link (set|del) eth9", r"ip link \1 dev eth9", script)
    script = script.replace("ip link add eth9_7", "ip link add name eth9_7")
    script = script.replace("netalias ", "netalias -- ").replace("sysctl -w", "settings")
    place = re.compile(r"[\w/]*eth9[\w:/-]*")
    return place.sub(lambda found: shlex.quote(found[0].replace("eth9", main)), script)


SETTINGS = 'settings() { while [ $# -gt 0 ]; do echo "$2" > "$1"; shift 2; done; }\n'
"""Writes sysctls: no program stands between the test and the kernel."""


def mended(cli: Doctor, fault: str, check: str, main: str) -> None:
    """A fault is found; after the commands of all findings there is none."""
    cli.content()
    cli.sh(SETTINGS + renamed(fault, main))
    found = until(cli.findings)
    assert check in [one["check"] for one in found]
    for one in found:
        assert one["command"]
        cli.sh(one["command"])
    until(lambda: not cli.findings())


SHAPES = {re.sub(r"\d", "", one[4]): one[:2] for one in FAULTS}
"""Check and fault, one for each form of a command."""


@pytest.mark.parametrize("odd", [ODD], indirect=True, ids=["odd"])
@pytest.mark.parametrize(("check", "fault"), quarter(SHAPES.values()))
def test_each_command_can_be_pasted(odd: Doctor, check: str, fault: str) -> None:
    """A fault for every command of test_doctor.py, on a device with the oddest name."""
    mended(odd, fault, check, ODD)


@pytest.mark.parametrize("odd", quarter(NAMES[1:]), indirect=True)
def test_other_odd_names(odd: Doctor) -> None:
    """One command of each program: a name that looks like an option, like a word, like a value."""
    (main,) = [one["ifname"] for one in ip_json(odd.namespace, "addr") if one["ifname"] in NAMES]
    faults = {one[0]: one[1] for one in FAULTS}
    for check in PROBES:
        mended(odd, faults[check], check, main)


@pytest.mark.parametrize("odd", [ODD], indirect=True, ids=["odd"])
def test_what_is_left_of_a_gateway(odd: Doctor) -> None:
    """A rule for a device that is gone, and a gateway that lost its rule."""
    odd.silent("--", f"{ODD}:0", "gateway", "10.0.0.254")
    for fault in ("ip rule del pref 32768", "ip link del dev eth9_0"):
        mended(odd, fault, "gateway" if "rule" in fault else "leftover-rule", ODD)


@pytest.mark.parametrize("odd", [ODD], indirect=True, ids=["odd"])
def test_a_rehearsal_can_be_pasted(odd: Doctor) -> None:
    """The commands of a dry run, by ip(8) and sysctl(8), make what netalias would make."""
    done = odd.run("--dry-run", "--", f"{ODD}:8", "10.0.0.8", "kind", "macvlan")
    assert (done.returncode, done.stderr) == (0, "")
    execute(odd.namespace, done.stdout)
    assert odd.one("--", f"{ODD}:8")["local"] == "10.0.0.8"
    odd.silent("--", f"{ODD}:8-")
