"""Kernels and programs from Debian's archive, each unpacked. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

METAS = ("linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64")
"""Packages that depend on the newest kernel of their kind, whose name has an ABI number."""

FULL, FULL_META = "full", "linux-image-amd64"
"""The word for Debian's own kernel, which has ppp, and its package; cloud kernels lack that."""

PREFIX = "linux-image-"


class Unavailable(Exception):
    """A kernel cannot be had here; the message is for people."""


def releases(*metas: str) -> list[str]:
    """The kernels that apt knows by these packages, as ``uname -r`` has them. Raises Unavailable
    without any."""
    found = []
    for meta in metas:
        done = _run("apt-cache", "depends", "--important", meta)
        for line in done.stdout.splitlines():
            word, _, package = line.strip().partition(": ")
            if word == "Depends" and package.startswith(PREFIX):
                found.append(package.removeprefix(PREFIX))
    if not found:
        raise Unavailable(f"apt knows none of {', '.join(metas)}: sudo apt-get update")
    return list(dict.fromkeys(found))


def choose(wanted: list[str]) -> list[str]:
    """Those of *wanted*, which are beginnings of versions (``6.1``) or FULL, in that order; all for
    none but FULL.

    Raises Unavailable when apt knows no such kernel.
    """
    if wanted == [FULL]:
        return releases(FULL_META)
    known = releases(*METAS)
    if not wanted:
        return known
    found = []
    for version in wanted:
        if version == FULL:
            found += releases(FULL_META)
            continue
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
        work = _unpacked(PREFIX + self.release, self.root)
        compressed = [str(path.relative_to(work)) for path in work.rglob("*.ko.xz")]
        if compressed:
            _must(work, "xz", "-d", *compressed)
        _replace(self.root, work)


class Programs:
    """Packages of programs that this machine lacks, unpacked below *cache*: those of SUITES."""

    def __init__(self, names: Iterable[str], cache: Path) -> None:
        self.names = list(names)
        self.cache = cache

    def fetch(self) -> None:
        """Download and unpack them, unless that was done. Raises Unavailable."""
        for name in self.names:
            root = self.cache / name
            if not root.exists():
                _replace(root, _unpacked(name, root))

    def files(self) -> Iterator[tuple[Path, str]]:
        """Each file of theirs that is a program or a library, and its place in a guest."""
        for name in self.names:
            root = self.cache / name
            for path in sorted(root.glob("usr/*bin/*")) + sorted(root.glob("usr/lib/*/*.so*")):
                if path.is_file():
                    place = path.relative_to(root)
                    parts = place.parts
                    yield path, f"/usr/bin/{path.name}" if "bin" in parts[1] else f"/{place}"


def _unpacked(package: str, root: Path) -> Path:
    """A folder beside *root* with the files of a package, downloaded now."""
    work = root.with_name(root.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _must(work, "apt-get", "download", "-qq", *_as_root(), package)
    (archive,) = work.glob("*.deb")
    _must(work, "dpkg-deb", "-x", archive.name, ".")
    archive.unlink()
    return work


def _replace(root: Path, work: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    work.rename(root)


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
