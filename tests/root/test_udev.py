"""Beside the real udev: it replaces a MAC of the kernel's choice, and leaves that of an alias."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command, command, ip_json
from unpacked import program

pytestmark = pytest.mark.programs

UNABLE = 77
LAB = f"""\
mount -t tmpfs none /run && mount -t sysfs none /sys && mount -t tmpfs none /dev &&
    mknod -m 666 /dev/null c 1 3 || exit {UNABLE}
set -e
mkdir -p /run/udev/rules.d /run/systemd/network
[ "$ROOT" = / ] || cp "$ROOT"/lib/udev/rules.d/* /run/udev/rules.d
[ "$ROOT" = / ] || cp "$ROOT"/lib/systemd/network/*.link /run/systemd/network
ln -s "$UDEVADM" /run/systemd-udevd
$ENV /run/systemd-udevd >/run/log 2>&1 &
until [ -S /run/udev/control ]; do
    kill -0 $! || {{ cat /run/log >&2; exit 1; }}
    sleep 0.05
done
ip link add random link eth9 type macvlan mode bridge
"$@"
$ENV $UDEVADM settle
kill $!
cat /sys/class/net/random/addr_assign_type
"""
"""A script that runs a command beside a udev of its own, in mounts of its own. udevadm is the
daemon by another name; an unpacked one finds its rules where an administrator puts his."""
NET_ADDR_SET = "3\n"


def test_udev_leaves_the_mac_of_an_alias(cli: Command) -> None:
    """MACAddressPolicy=persistent replaces a random one; neighbours know that of the alias."""
    *env, udevadm = program("udevadm")
    root = Path(udevadm).resolve().parents[1] if env else Path("/")
    settings = [f"ENV={' '.join(env)}", f"UDEVADM={udevadm}", f"ROOT={root}"]
    words = ("eth9:0", "200.1.1.1", "kind", "macvlan")
    printed = cli("--dry-run", *words)
    lab = ["env", *settings, "unshare", "--mount", "sh", "-c", LAB, "sh", *command(*words)]
    done = cli.namespace.run(lab, check=False)
    if done.returncode == UNABLE:
        pytest.skip("devices cannot be made here")
    assert (done.stdout, done.stderr, done.returncode) == (NET_ADDR_SET, "", 0)
    (device,) = ip_json(cli.namespace, "link show dev eth9_0")
    assert f" address {device['address']} " in printed
