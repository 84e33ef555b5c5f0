"""Beside real DHCP clients whose lease changes: the aliases stay, and the host speaks as itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from command import Command
from managed import KEEPERS, MAIN, Managed
from support import Namespace, until
from unpacked import daemon, program, unpacked

PEER = "10.20.0.2"
LEASES = ("10.20.0.100", "10.20.0.101")
ASIDE = """
    mount -t tmpfs none /run; mkdir /run/etc; cp -L /etc/passwd /etc/group /run/etc
    touch /run/etc/fstab /run/etc/resolv.conf; mount --bind /run/etc /etc
"""
"""Scripts of clients write /etc/resolv.conf."""


@contextmanager
def server(namespace: Namespace, folder: Path, address: str) -> Iterator[None]:
    """dnsmasq, which has one address to give, and denies every other; it wants to be asked soon."""
    words = [
        *program("dnsmasq"), "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=p9",
        "--bind-interfaces", f"--dhcp-range={address},{address},255.255.255.0,2m",
        "--dhcp-authoritative", "--no-ping", f"--dhcp-leasefile={folder / address}",
        "--user=root", "--pid-file=", "--dhcp-option=option:T1,2s", "--dhcp-option=option:T2,3s",
    ]  # fmt: skip
    with daemon(namespace, f"exec {' '.join(words)}", folder / "server.log"):
        until(lambda: namespace.run(["ss", "-Hlun", "sport = :67"]).stdout)
        yield


def dhclient(folder: Path) -> str:
    """The words for isc-dhcp-client, with its own script."""
    words = program("dhclient")
    script = Path(words[-1]).with_name("dhclient-script")
    files = f"-lf {folder}/leases -pf {folder}/pid -cf /dev/null -sf {script}"
    return f"touch {folder}/leases; {ASIDE} exec {' '.join(words)} -4 -d -v {files} {MAIN}"


def udhcpc(folder: Path) -> str:
    """The words for busybox with the script of Debian, which takes every IPv4 address away."""
    busybox = Path(unpacked("busybox", "bin/busybox"))
    script = unpacked("udhcpc", "etc/udhcpc/default.script")
    path = f"PATH={busybox.parent}:{os.environ['PATH']}"
    return f"{ASIDE} {path} exec {busybox} udhcpc -f -i {MAIN} -s {script}"


CLIENTS = {dhclient: 0, udhcpc: signal.SIGUSR1}
"""Client -> the signal at which it renews its lease; 0 for one that obeys the server's times."""


@pytest.mark.parametrize("keeper", KEEPERS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_another_lease(
    cli: Command, tmp_path: Path, client: Callable[[Path], str], keeper: str
) -> None:
    """One lease, and another one when it is to be renewed."""
    host = Managed(cli, tmp_path, keeper)
    peer = cli.namespace.peer
    assert peer is not None
    script = client(tmp_path)
    first, second = LEASES
    with host.kept(), ExitStack() as servers:
        servers.enter_context(server(peer, tmp_path, first))
        with daemon(cli.namespace, script, tmp_path / "client.log") as running:
            until(lambda: host.own() == [first], 20)
            host.comes_well({PEER: first})
            servers.close()
            servers.enter_context(server(peer, tmp_path, second))
            running.send_signal(CLIENTS[client])
            until(lambda: host.own() == [second], 20)
            host.comes_well({PEER: second})
