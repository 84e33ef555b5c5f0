"""Other people's programs: installed ones, else those of Debian packages that are unpacked.

NETALIAS_PROGRAMS is a folder with a folder for each package, as ``dpkg -x`` fills it.
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import SLOW, Namespace, another_user

PROGRAMS = os.environ.get("NETALIAS_PROGRAMS", "")
LIBRARIES = ":".join(
    path
    for below in ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/systemd", "lib/*-linux-gnu")
    for path in glob.glob(f"{PROGRAMS}/*/{below}")
)
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": LIBRARIES}
LIBRARY_MISSING = "error while loading shared libraries"
"""The dynamic linker cannot start a program; its exit status, 127, is one of busybox too."""
FOLDERS = ("usr/sbin", "sbin", "usr/bin", "bin", "lib/systemd")


def program(name: str) -> list[str]:
    """The words that start a program; the test is skipped where there is none that can run."""
    words, why = found(name)
    if not words:
        pytest.skip(why)
    return [*words]


@functools.cache
def found(name: str) -> tuple[tuple[str, ...], str]:
    """The words, or why there are none."""
    here = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/lib/systemd")
    if here is not None:
        return (here,), ""
    every = [one for below in FOLDERS for one in glob.glob(f"{PROGRAMS}/*/{below}/{name}")]
    if not PROGRAMS or not every:
        return (), f"{name} is not installed, nor unpacked in NETALIAS_PROGRAMS"
    path = every[0]
    why = _missing_library(path)
    return ((), why) if why else (("env", f"LD_LIBRARY_PATH={LIBRARIES}", path), "")


def unpacked(package: str, path: str) -> str:
    """The path of a file of a package that is unpacked; the test is skipped where it cannot run."""
    found = f"{PROGRAMS}/{package}/{path}"
    if not PROGRAMS or not os.path.exists(found):
        pytest.skip(f"{package} is not unpacked in NETALIAS_PROGRAMS")
    if why := _missing_library(found):
        pytest.skip(why)
    return found


def _missing_library(path: str) -> str:
    words = ["sh", "-c", f"exec {path} --version"]
    done = subprocess.run(
        words, capture_output=True, check=False, env=ENVIRONMENT, stdin=subprocess.DEVNULL
    )
    said = done.stderr.decode(errors="replace").strip()
    return f"{path} lacks a library: {said}" if LIBRARY_MISSING in said else ""


@contextmanager
def daemon(namespace: Namespace, script: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A shell script, in mounts and with a host name of its own, that ends in the exec of a daemon;
    the process. It is terminated at the end."""
    words = ["unshare", "-mu", "sh", "-ec", script]
    with log.open("ab") as file, namespace:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=ENVIRONMENT
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20 * SLOW)


def networkd(run: Path, network: str) -> str:
    """A script for daemon(): systemd-networkd with *run* as its /run, and one file for eth9.

    Without udev it takes devices for its own where /sys cannot be written to.
    """
    words = " ".join(program("systemd-networkd"))
    if not another_user():
        pytest.skip("systemd-networkd becomes another user, which cannot be done here")
    file = run / "systemd/network/10-eth9.network"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(network)
    return f"""
        mount --bind {run} /run; mount -t tmpfs none /etc/systemd
        mount -t sysfs -o ro none /sys
        for one in passwd group; do
            cat /etc/$one >/run/$one
            grep -q ^systemd-network: /run/$one || echo systemd-network:x:998:998::/: >>/run/$one
            mount --bind /run/$one /etc/$one
        done
        mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
        chown -R systemd-network: /run/systemd/netif; exec {words}"""


IPTABLES = ("iptables", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnftnl11")
"""Packages of iptables, and the libraries that it needs."""


def iptables_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both forms of iptables in a *place* that stands first in PATH. Skips the test where a
    package is missing."""
    folders = [f"{PROGRAMS}/{package}" for package in IPTABLES]
    for folder in folders:
        if not PROGRAMS or not os.path.isdir(folder):
            pytest.skip(f"{os.path.basename(folder)} is not unpacked in NETALIAS_PROGRAMS")
    libraries = [str(one.parent) for folder in folders for one in Path(folder).rglob("*.so*")]
    plugins = next(Path(folders[0]).rglob("libxt_tcp.so")).parent
    programs = place / "bin"
    programs.mkdir()
    for form in ("nft", "legacy"):
        multi = next(Path(folders[0]).rglob(f"xtables-{form}-multi"))
        for name in ("iptables", "ip6tables"):
            for end in ("", "-save", "-restore"):
                file = programs / f"{name}-{form}{end}"
                file.write_text(f'#!/bin/sh\nexec {multi} {name}{end} "$@"\n')
                file.chmod(0o755)
    monkeypatch.setenv("LD_LIBRARY_PATH", ":".join(dict.fromkeys(libraries)))
    monkeypatch.setenv("XTABLES_LIBDIR", str(plugins))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
