"""Routes and publications that follow the addresses of a device, over the real kernel."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from command import Command, without_dad
from support import Namespace, until, veth_pair
from watcher import watching

PEER, PEER6 = "10.9.0.254", "2001:db8:9::fe"
OTHER6 = "fe80::99"
FAR, FAR6 = "192.0.2.1", "2001:db8:77::1"
"""Addresses behind the peer."""
LINES = (
    "eth9 route default via HISADDR src MYADDR\n"
    "eth9 route ::/0 via HISADDR6 src MYADDR6\n"
    "eth9 route HISADDR table 77\n"
    "eth9 proxyall on eth8\n"
)


class Dialled:
    """eth9 towards the peer, as a device of PPP has its addresses, and eth8 towards neighbours."""

    def __init__(self, here: Namespace) -> None:
        assert here.peer is not None
        self.here = here
        self.last = 0
        veth_pair(here, here.peer, "eth8", "p8")
        here.ip("addr add 10.8.0.1/24 dev eth8")

    def negotiate(self, last: int) -> None:
        """Another address of each family; the one before goes first."""
        old, self.last = self.last, last
        for address, peer, length in (
            ("10.9.0.{}", PEER, 32),
            ("2001:db8:9::{}", PEER6, 128),
        ):
            if old:
                self.here.ip(f"addr del {address.format(old)} peer {peer}/{length} dev eth9")
            self.here.ip(f"addr add {address.format(last)} peer {peer}/{length} dev eth9")

    def leaves(self, far: str) -> tuple[str, str]:
        """The gateway and the source with which packets leave, empty where there is no route."""
        done = self.here.run(["ip", "-j", "route", "get", far], check=False)
        (found,) = json.loads(done.stdout or "[{}]")
        return found.get("gateway", ""), found.get("prefsrc", "")

    def follows(self) -> bool:
        """Whether all lines do what they say."""
        table = self.here.run(["ip", "route", "show", "table", "77"], check=False).stdout
        return (
            self.leaves(FAR) == (PEER, f"10.9.0.{self.last}")
            and self.leaves(FAR6) == (PEER6, f"2001:db8:9::{self.last}")
            and table.startswith(f"{PEER} dev eth9 ")
            and self.proxies() == [PEER, PEER6]
        )

    def proxies(self) -> list[str]:
        """What eth8 answers for."""
        lines = self.here.ip("neigh show proxy").splitlines()
        return sorted(line.split()[0] for line in lines if " dev eth8 " in line)


@pytest.fixture
def dialled(cli: Command) -> Dialled:
    """Both devices, and no address yet."""
    without_dad(cli.namespace)
    return Dialled(cli.namespace)


@pytest.mark.early
def test_they_follow_each_change(dialled: Dialled, cli: Command, tmp_path: Path) -> None:
    """A-17: the kernel drops the routes with the address, and they are there again with the next
    one, back to the first too; what others have set stays; lines that go undo what they made."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(LINES)
    dialled.here.ip("route add 10.7.0.0/16 dev eth8")
    assert "eth9 route default" in cli.fails(3, "check", str(conf))
    with watching(dialled.here, tmp_path / "net", str(conf)) as watch:
        for last in (1, 2, 3, 1):
            dialled.negotiate(last)
            until(dialled.follows)
        cli.silent("check", str(conf))
        assert cli("save") == LINES.replace("::/0", "default")
        watch.end(signal.SIGKILL)
    dialled.negotiate(4)
    conf.write_text("".join(LINES.splitlines(keepends=True)[1:]))
    with watching(dialled.here, tmp_path / "net", str(conf)):
        until(lambda: dialled.leaves(FAR6) == (PEER6, "2001:db8:9::4"))
        until(lambda: dialled.leaves(FAR) == ("", ""))
        conf.write_text("# nothing\n")
        until(lambda: dialled.proxies() == [])
        until(lambda: dialled.leaves(FAR6)[0] == "")
    assert "10.7.0.0/16 dev eth8" in dialled.here.ip("route show")
    assert dialled.here.run(["ip", "route", "show", "table", "77"], check=False).stdout == ""


def test_they_come_back_with_their_devices(dialled: Dialled, tmp_path: Path) -> None:
    """The kernel drops routes with the one, and publications with the other."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(LINES)
    with watching(dialled.here, tmp_path / "net", str(conf)):
        dialled.negotiate(1)
        until(dialled.follows)
        dialled.here.ip("link set eth8 down")
        dialled.here.ip("link set eth8 up")
        until(dialled.follows)
        dialled.here.ip("link set eth9 down")
        until(lambda: dialled.proxies() == [])
        dialled.here.ip("link set eth9 up")
        dialled.last = 0  # of IPv6 it has none any more
        dialled.here.ip("addr flush dev eth9")
        dialled.negotiate(2)
        until(dialled.follows)


def test_beside_addresses_that_are_kept(dialled: Dialled, tmp_path: Path) -> None:
    """The routes name the address with which the former ones leave."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(f"eth9 iface-alias kernel\n{LINES}")
    with watching(dialled.here, tmp_path / "net", str(conf)) as watch:
        for last in (1, 2, 1):
            dialled.negotiate(last)
            until(dialled.follows)
        watch.says("address leaves as")


def test_a_device_that_is_renamed_loses_them(dialled: Dialled, tmp_path: Path) -> None:
    """Lines name it: they are of no other device, and hold again once it has its name back."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(LINES)
    dialled.here.ip("link set eth9 up")
    with watching(dialled.here, tmp_path / "net", str(conf)):
        dialled.negotiate(1)
        until(dialled.follows)
        dialled.here.ip("link set eth9 name wan9")
        until(lambda: dialled.proxies() == [])
        until(lambda: dialled.leaves(FAR) == dialled.leaves(FAR6) == ("", ""))
        dialled.here.ip("link set wan9 name eth9")
        until(dialled.follows)


def test_beside_a_default_route_of_others(dialled: Dialled, tmp_path: Path) -> None:
    """IPv6 makes one route of two with the same metric, and lists both as that of the first: a line
    that goes takes its half, and no other one."""
    conf = tmp_path / "netalias.conf"
    conf.write_text("eth9 route ::/0 via HISADDR6\n")
    with watching(dialled.here, tmp_path / "net", str(conf)):
        dialled.negotiate(1)
        until(lambda: dialled.leaves(FAR6)[0] == PEER6)
        conf.write_text("# nothing\n")
        until(lambda: dialled.leaves(FAR6)[0] == "")
        others = f"default via {OTHER6} dev eth9 proto static metric 1024"
        dialled.here.ip(f"-6 route add {others}")
        conf.write_text("eth9 route ::/0 via HISADDR6\n")
        until(lambda: PEER6 in dialled.here.ip("-6 route show default"))
        conf.write_text("# nothing\n")
        until(lambda: PEER6 not in dialled.here.ip("-6 route show default"))
        assert others in dialled.here.ip("-6 route show default")
