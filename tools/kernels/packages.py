"""Kernels from Debian's archive: which there are, and each unpacked. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

METAS = ("linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64")
"""Packages that depend on the newest kernel of their kind, whose name has an ABI number."""

PREFIX = "linux-image-"


class Unavailable(Exception):
    """A kernel cannot be had here; the message is for people."""


def releases() -> list[str]:
    """The kernels that apt knows, as ``uname -r`` has them. Raises Unavailable without any."""
    found = []
    for meta in METAS:
        done = _run("apt-cache", "depends", "--important", meta)
        for line in done.stdout.splitlines():
            word, _, package = line.strip().partition(": ")
            if word == "Depends" and package.startswith(PREFIX):
                found.append(package.removeprefix(PREFIX))
    if not found:
        raise Unavailable(f"apt knows none of {', '.join(METAS)}: sudo apt-get update")
    return list(dict.fromkeys(found))


def choose(wanted: list[str]) -> list[str]:
    """Those of *wanted*, which are beginnings of versions (``6.1``), in that order; all for none.

    Raises Unavailable when apt knows no such kernel.
    """
    known = releases()
    if not wanted:
        return known
    found = []
    for version in wanted:
        matches = [one for one in known if one == version or one.startswith(f"{version}.")]
        if not matches:
            raise Unavailable(f"no kernel {version}: apt has {', '.join(known)}")
        found += matches
    return list(dict.fromkeys(found))


class Kernel:
    """A kernel package, unpacked below *cache*."""

    def __init__(self, release: str, cache: Path) -> None:
        self.release = release
        self.root = cache / release

    @property
    def image(self) -> Path:
        """The file that a boot loader loads."""
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """The folder of the modules, which are not compressed."""
        return self.root / "lib" / "modules" / self.release

    def fetch(self) -> None:
        """Download and unpack it, unless that was done. Raises Unavailable."""
        if self.image.exists():
            return
        work = self.root.with_name(self.release + ".part")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _must(work, "apt-get", "download", "-qq", *_as_root(), PREFIX + self.release)
        (package,) = work.glob("*.deb")
        _must(work, "dpkg-deb", "-x", package.name, ".")
        package.unlink()
        compressed = [str(path.relative_to(work)) for path in work.rglob("*.ko.xz")]
        if compressed:
            _must(work, "xz", "-d", *compressed)
        shutil.rmtree(self.root, ignore_errors=True)
        work.rename(self.root)


def _as_root() -> list[str]:
    """Root's apt downloads as another user, who may not write here."""
    return [] if os.getuid() else ["-o", "APT::Sandbox::User=root"]


def _must(folder: Path, *words: str) -> None:
    done = _run(*words, folder=folder)
    if done.returncode:
        why = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise Unavailable(f"{words[0]} {words[1]}: {why}")


def _run(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"there is no {words[0]} here: kernels come from Debian's archive") from (
            error
        )
