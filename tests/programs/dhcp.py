"""A DHCP server with one address to give, and clients, as scripts for unpacked.daemon()."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import Namespace, until
from unpacked import daemon, program, unpacked

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


def dhclient(folder: Path, device: str) -> str:
    """The words for isc-dhcp-client, with its own script."""
    words = program("dhclient")
    script = Path(words[-1]).with_name("dhclient-script")
    files = f"-lf {folder}/leases -pf {folder}/pid -cf /dev/null -sf {script}"
    return f"touch {folder}/leases; {ASIDE} exec {' '.join(words)} -4 -d -v {files} {device}"


def udhcpc(folder: Path, device: str) -> str:
    """The words for busybox with the script of Debian, which takes every IPv4 address away."""
    busybox = Path(unpacked("busybox", "bin/busybox"))
    script = unpacked("udhcpc", "etc/udhcpc/default.script")
    path = f"PATH={busybox.parent}:{os.environ['PATH']}"
    return f"{ASIDE} {path} exec {busybox} udhcpc -f -i {device} -s {script}"
