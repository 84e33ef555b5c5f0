"""What the peers need, fetched when it is missing into .venvs, and nothing of it is started.

The machine's own packages and settings stay as they are: a Debian package is unpacked, not
installed. What cannot be had raises Failed with the reason, and the report names it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from processes import Failed, captured

REPO = Path(__file__).resolve().parents[2]
HOME = REPO / ".venvs"
DEBIAN_PYTHON = "/usr/bin/python3"
UNSANDBOXED = ("-o", "APT::Sandbox::User=root")
"""Else apt complains that its own user may not write here."""


class Installs:
    """Folders of what is installed; ``fetch`` goes to the network, the others do not."""

    def __init__(self) -> None:
        self.launcher = Path(sysconfig.get_path("scripts")) / "netalias"
        self._scratch = tempfile.TemporaryDirectory()

    def fetch(self, *, chart: bool, peers: bool) -> None:
        """Fetch what is missing; what fails is tried again the next time."""
        wanted = []
        if chart:
            wanted.append(lambda: _environment("bench", "matplotlib"))
        if peers:
            wanted += [lambda: _environment("ifstate", "ifstate"), _unpack]
        for get in wanted:
            try:
                get()
            except (Failed, OSError, subprocess.CalledProcessError) as problem:
                print(f"cannot be had: {problem}", file=sys.stderr)

    def python(self) -> Path:
        """A Python with matplotlib."""
        return _there(HOME / "bench" / "bin" / "python", "matplotlib was not installed")

    def ifstate(self) -> Path:
        """ifstatecli."""
        return _there(HOME / "ifstate" / "bin" / "ifstatecli", "not installed from PyPI")

    def ifupdown2(self) -> Path:
        """The root of the unpacked package."""
        return _there(HOME / "ifupdown2" / "root", "its Debian package was not fetched")

    def player(self) -> Path:
        """floor.c, compiled."""
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
    """A virtual environment with one package from PyPI."""
    folder = HOME / name
    done = folder / ".built"
    if done.exists():
        return
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", package], check=True)
    done.touch()


def _unpack() -> None:
    """Debian's ifupdown2, with its modules compiled, as its installation would leave it."""
    folder = HOME / "ifupdown2"
    if (folder / "root").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Failed(f"ifupdown2: no {tool}")
    quiet = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "-qq", *UNSANDBOXED, "download", "ifupdown2"], **quiet)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", package.name, "unpacked"], **quiet)
    modules = "unpacked/usr/share/ifupdown2"
    subprocess.run([DEBIAN_PYTHON, "-m", "compileall", "-q", modules], **quiet)
    (folder / "unpacked").rename(folder / "root")
