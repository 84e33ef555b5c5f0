"""Beside the real ifup(8) and ifdown(8): the aliases stay, and the host speaks as itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from interfaces import ifup, why_no_ifup
from managed import KEEPERS, MAIN, PEERS, Managed
from support import until

pytestmark = pytest.mark.skipif(bool(why_no_ifup()), reason=why_no_ifup())

INTERFACES = """\
iface eth9 inet static
    address 10.20.0.1/24
iface eth9 inet6 static
    address 2001:db8:20::1/64
    dad-attempts 0
"""


class Ifupdown(Managed):
    """ifup and ifdown with a file and a state of their own."""

    def run(self, program: str) -> None:
        """One of them does its work for eth9."""
        file = self.folder / "interfaces"
        file.write_text(INTERFACES)
        path = Path(ifup()).with_name(program)
        words = ["--no-scripts", f"--state-dir={self.folder}", "-i", str(file), MAIN]
        self.namespace.run([str(path), *words])

    def up(self) -> None:
        """ifup, and until the aliases stand."""
        self.run("ifup")
        assert self.own() == [*PEERS.values()]
        self.comes_well()

    def down(self) -> None:
        """ifdown; a watcher frees the alias devices."""
        self.run("ifdown")
        assert not self.own()


@pytest.mark.parametrize("keeper", KEEPERS)
def test_the_host_speaks_as_itself(cli: Command, tmp_path: Path, keeper: str) -> None:
    """After ifup, ifdown and ifup, and a loss of carrier: the aliases were first."""
    host = Ifupdown(cli, tmp_path, keeper)
    peer = host.namespace.peer
    assert peer is not None
    with host.kept():
        host.comes_well({})
        host.up()
        for _ in range(2):
            host.down()
            host.up()
        peer.ip("link set p9 down")
        until(lambda: "NO-CARRIER" in host.namespace.ip(f"link show {MAIN}"))
        peer.ip("link set p9 up")
        host.comes_well()
