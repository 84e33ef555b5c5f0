"""Beside the real systemd-networkd: the aliases stay, and the host speaks as itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import Command, ip_json
from managed import KEEPERS, MAIN, PEERS, Managed
from support import until
from unpacked import daemon, networkd

NETWORK = """\
[Match]
Name=eth9
[Network]
LinkLocalAddressing=no
IPv6AcceptRA=no
Address=10.20.0.1/24
Address=2001:db8:20::1/64
"""


class Networkd(Managed):
    """networkd in a namespace of its own, and what it says of eth9."""

    @contextmanager
    def runs(self) -> Iterator[None]:
        """From its start to its end; it finds the state that the last one has left."""
        script = networkd(self.folder / "run", NETWORK)
        with daemon(self.namespace, script, self.folder / "log"):
            yield

    def says(self, operational: str) -> bool:
        """Whether it has come to the end of eth9, which is in this state (networkctl(1))."""
        (link,) = ip_json(self.namespace, f"link show dev {MAIN}")
        file = self.folder / f"run/systemd/netif/links/{link['ifindex']}"
        lines = file.read_text().splitlines() if file.exists() else []
        return {"ADMIN_STATE=configured", f"OPER_STATE={operational}"} <= set(lines)

    def configures(self) -> None:
        """Until eth9 has its addresses and the aliases stand; labels alone make it routable too."""
        until(lambda: self.says("routable") and self.own() == [*PEERS.values()], 20)
        self.comes_well()

    def takes_away(self, state: str) -> None:
        """Until it has removed the addresses of eth9."""
        until(lambda: self.says(state) and not self.own(), 20)


@pytest.mark.parametrize("keeper", KEEPERS)
def test_the_host_speaks_as_itself(cli: Command, tmp_path: Path, keeper: str) -> None:
    """After its start, down and up, a loss of carrier, another start: the aliases were first."""
    host = Networkd(cli, tmp_path, keeper)
    here, peer = host.namespace, host.namespace.peer
    assert peer is not None
    with host.kept():
        host.comes_well({})
        with host.runs():
            host.configures()
            here.ip(f"link set {MAIN} down")
            host.takes_away("off")
            here.ip(f"link set {MAIN} up")
            host.configures()
            peer.ip("link set p9 down")
            host.takes_away("no-carrier")
            peer.ip("link set p9 up")
            host.configures()
        with host.runs():
            host.configures()


def test_it_leaves_alias_devices_alone(cli: Command, tmp_path: Path) -> None:
    """It has a state for them, and manages none."""
    host = Networkd(cli, tmp_path, "reconcile")
    host.comes_well({})
    with host.runs():
        host.configures()
        (device,) = ip_json(host.namespace, "link show dev eth9_1")
        text = (host.folder / f"run/systemd/netif/links/{device['ifindex']}").read_text()
        assert "ADMIN_STATE=unmanaged" in text
