"""Beside the real udev: it replaces a MAC of the kernel's choice, and leaves that of an alias."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command, command, ip_json

DAEMON = Path("/lib/systemd/systemd-udevd")

UNABLE = 77
LAB = f"""\
mount -t tmpfs none /run && mount -t sysfs none /sys && mount -t tmpfs none /dev &&
    mknod -m 666 /dev/null c 1 3 || exit {UNABLE}
set -e
{DAEMON} >/run/log 2>&1 &
until [ -S /run/udev/control ]; do sleep 0.05; done
ip link add random link eth9 type macvlan mode bridge
"$@"
udevadm settle
kill $!
cat /sys/class/net/random/addr_assign_type
"""
"""A script that runs a command beside a udev of its own, in a mount namespace of its own."""
NET_ADDR_SET = "3\n"


@pytest.mark.skipif(not DAEMON.exists(), reason="udev is not installed")
def test_udev_leaves_the_mac_of_an_alias(cli: Command) -> None:
    """MACAddressPolicy=persistent replaces a random one; neighbours know that of the alias."""
    words = ("eth9:0", "200.1.1.1", "kind", "macvlan")
    printed = cli("--dry-run", *words)
    lab = ["unshare", "--mount", "sh", "-c", LAB, "sh", *command(*words)]
    done = cli.namespace.run(lab, check=False)
    if done.returncode == UNABLE:
        pytest.skip("devices cannot be made here")
    assert (done.stdout, done.stderr, done.returncode) == (NET_ADDR_SET, "", 0)
    (device,) = ip_json(cli.namespace, "link show dev eth9_0")
    assert f" address {device['address']} " in printed
