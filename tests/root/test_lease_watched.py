"""netalias watch renews leases; when it is dead the kernel drops them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from command import Command, set_sysctl
from shortened import quarter
from test_lease_command import PLACES, listening, local
from watcher import watching

from netalias.kernel.netlink import codec


@pytest.mark.early
@pytest.mark.parametrize(("kind", "address"), quarter(PLACES))
def test_watched_and_killed(cli: Command, tmp_path: Path, kind: str, address: str) -> None:
    """It is renewed, and no longer once the watcher is killed; the next one puts it right."""
    file = tmp_path / "declared"
    file.write_text(f"eth9:0 {address} kind {kind} lease 6\n")
    with listening(cli.namespace) as heard:
        with watching(cli.namespace, tmp_path / "net", str(file)) as watch:
            cli.settled("eth9:0")
            heard.now()
            heard.wait()
            assert heard.now() == [(codec.RTM_NEWADDR, local(address))]
            watch.end(signal.SIGKILL)
        heard.gone(local(address))
        with watching(cli.namespace, tmp_path / "net", str(file)) as watch:
            assert cli.one("eth9:0")["local"] == local(address)
            watch.end()


@pytest.mark.parametrize("kind", quarter(["macvlan", "label"]))
def test_another_host_has_the_address(cli: Command, tmp_path: Path, kind: str) -> None:
    """The kernel removes an IPv6 address with a lease where it keeps a permanent one: that is told
    as what it is, and no lease has run out. It is used once it is free."""
    peer = cli.namespace.peer
    assert peer is not None
    for one in ("default", "eth9"):
        set_sysctl(cli.namespace, f"ipv6/conf/{one}/accept_dad", 1)
    peer.ip("addr add 2001:db8::7/64 dev p9 nodad")
    cli.namespace.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    file = tmp_path / "declared"
    file.write_text(f"eth9:0 2001:db8::7/128 kind {kind} lease 60\n")
    with watching(cli.namespace, tmp_path / "net", str(file)) as watch:
        watch.says("eth9:0: another host has its address (dadfailed): next try in 1 s")
        peer.ip("addr del 2001:db8::7/64 dev p9")
        watch.says("eth9:0: its address is tried again")
        cli.settled("eth9:0")
        watch.end()
        assert not [line for line in watch.said if "run out" in line or "was removed" in line]
