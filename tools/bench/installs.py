"""The installations of the peers, fetched into .venvs if missing; nothing of them is started.

The packages and settings of the machine stay as they are: a Debian package is unpacked, not
installed. An unavailable peer raises Failed with the reason, which the report names.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from processes import Failed, captured

REPO = Path(__file__).resolve().parents[2]
HOME = REPO / ".venvs"
DEBIAN_PYTHON = "/usr/bin/python3"
UNSANDBOXED = ("-o", "APT::Sandbox::User=root")
"""Options of apt; otherwise it warns that its own user cannot write here."""

OPENVPN = (
    "openvpn", "liblzo2-2", "liblz4-1", "libpkcs11-helper1", "libcap-ng0", "libnl-3-200",
    "libnl-genl-3-200",
)  # fmt: skip
"""The package and the libraries that a machine may lack."""


class Installs:
    """The folders of the installations; only ``fetch`` uses the network."""

    def __init__(self) -> None:
        self.launcher = Path(sysconfig.get_path("scripts")) / "netalias"
        self._scratch = tempfile.TemporaryDirectory()

    def fetch(self, *, chart: bool, peers: bool, tunnels: bool) -> None:
        """Fetch missing installations; a failed one is tried again by the next run."""
        wanted: list[Callable[[], None]] = []
        if chart:
            wanted.append(lambda: _environment("bench", "matplotlib"))
        if peers:
            wanted += [lambda: _environment("ifstate", "ifstate"), _ifupdown2]
        if tunnels and shutil.which("openvpn") is None:
            wanted.append(lambda: _unpack(*OPENVPN))
        for get in wanted:
            try:
                get()
            except (Failed, OSError, subprocess.CalledProcessError) as problem:
                print(f"cannot be had: {problem}", file=sys.stderr)

    def python(self) -> Path:
        """The path of a Python with matplotlib. Raises Failed."""
        return _there(HOME / "bench" / "bin" / "python", "matplotlib was not installed")

    def ifstate(self) -> Path:
        """The path of ifstatecli. Raises Failed."""
        return _there(HOME / "ifstate" / "bin" / "ifstatecli", "not installed from PyPI")

    def ifupdown2(self) -> Path:
        """The root of the unpacked package. Raises Failed."""
        return _there(HOME / "ifupdown2" / "root", "its Debian package was not fetched")

    def player(self) -> Path:
        """The path of floor.c compiled. Raises Failed."""
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise Failed("no C compiler")
        program = Path(self._scratch.name) / "floor"
        source = Path(__file__).with_name("floor.c")
        captured([compiler, "-O2", "-o", str(program), str(source)])
        return program


def _there(path: Path, reason: str) -> Path:
    if not path.exists():
        raise Failed(reason)
    return path


def _environment(name: str, package: str) -> None:
    """Make a virtual environment with one package from PyPI."""
    folder = HOME / name
    done = folder / ".built"
    if done.exists():
        return
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", package], check=True)
    done.touch()


def _unpack(*packages: str) -> None:
    """Unpack packages of Debian, in the folder of the first one."""
    folder = HOME / packages[0]
    if (folder / "root").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Failed(f"{packages[0]}: no {tool}")
    _quietly(folder, "apt-get", "-qq", *UNSANDBOXED, "download", *packages)
    for package in folder.glob("*.deb"):
        _quietly(folder, "dpkg", "-x", package.name, "unpacked")
    (folder / "unpacked").rename(folder / "root")


def _ifupdown2() -> None:
    """Unpack Debian's ifupdown2 and compile its modules, as its installation would."""
    root = HOME / "ifupdown2" / "root"
    if not root.exists():
        _unpack("ifupdown2")
        _quietly(root, DEBIAN_PYTHON, "-m", "compileall", "-q", "usr/share/ifupdown2")


def _quietly(folder: Path, *words: str) -> None:
    subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL)
