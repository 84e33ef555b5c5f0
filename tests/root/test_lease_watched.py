"""netalias watch renews leases; when it is dead the kernel drops them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from command import Command
from test_lease_command import PLACES, listening, local
from watcher import watching

from netalias.kernel.netlink import codec


@pytest.mark.parametrize(("kind", "address"), PLACES)
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
