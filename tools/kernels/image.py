"""The files of a guest: this machine's Python, programs and tests, under their paths here.

So no file has to be rewritten: the first lines of scripts, and pyvenv.cfg, stay right.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import choice
import modules
from archive import Archive
from packages import Kernel, Programs

REPO = Path(__file__).resolve().parents[2]
FOLDERS = ("tests", "tools", "docs", "netalias/schema")
FILES = ("setup.cfg", "README.md")
"""Of the checkout; netalias itself is the one that is installed."""

PROGRAMS = (
    "sh", "bash", "ip", "bridge", "tc", "ifconfig", "arp", "route", "unshare", "nsenter", "setpriv",
    "mount", "umount", "timeout", "sysctl", "script", "env", "nft", "arping", "ping",
)  # fmt: skip
"""The machine's own, where they are there. busybox's ip and ifconfig would not be the same."""

APPLETS = (
    "awk", "cat", "chmod", "cp", "cut", "date", "diff", "dmesg", "echo", "false", "find", "grep",
    "head", "id", "insmod", "kill", "ln", "ls", "lsmod", "mkdir", "mktemp", "modprobe", "mv",
    "ps", "readlink", "rm", "rmdir", "sed", "seq", "sleep", "sort", "stat", "stty",
    "tail", "tee", "test", "touch", "tr", "true", "uname", "wc", "xargs", "yes",
)  # fmt: skip
"""Of busybox."""

NOT_OF_THE_LIBRARY = (
    "test", "idlelib", "ensurepip", "tkinter", "lib2to3", "pydoc_data", "turtledemo",
    "site-packages", "dist-packages",
)  # fmt: skip
"""Folders of the standard library that nothing here imports."""

NOT_NEEDED = ("setuptools", "wheel")
"""They build the product, and that is done."""

ETC = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
EMPTY = ("/proc", "/sys", "/dev", "/run", "/root", "/etc/modprobe.d", "/var/log")
SCRATCH = ("/tmp", "/var/tmp")


def build(
    kernel: Kernel, suites: list[str], programs: Programs, options: list[str], path: Path
) -> None:
    """Write the initramfs of a guest to *path*; *options* are further words for pytest."""
    archive = Archive()
    for folder in EMPTY:
        archive.folder(folder)
    for folder in SCRATCH:
        archive.folder(folder, 0o1777)
    archive.link("/var/run", "/run")
    for place, text in ETC.items():
        archive.text(place, text)
    _python(archive)
    _distributions(archive)
    _programs(archive)
    for source, place in programs.files():
        archive.file(source, place)
    for name in FOLDERS:
        archive.tree(REPO / name, without=("__pycache__",))
    for name in FILES:
        archive.file(REPO / name)
    archive.libraries()
    _modules(archive, kernel)
    _init(archive, suites, options)
    archive.write(path)


def _python(archive: Archive) -> None:
    """The interpreter below the environment, its library, and the environment's links to it."""
    real = os.path.realpath(sys.executable)
    archive.file(real)
    library = Path(sysconfig.get_path("stdlib"))
    config = [path.name for path in library.glob("config-*")]
    archive.tree(library, without=(*NOT_OF_THE_LIBRARY, *config))
    archive.file(Path(sys.prefix, "pyvenv.cfg"))
    for name in {"python", "python3", Path(sys.executable).name}:
        archive.link(str(Path(sys.prefix, "bin", name)), real)
    archive.link("/usr/bin/python3", real)


def _distributions(archive: Archive) -> None:
    """netalias and the distributions that it and its tests need, as they are installed."""
    todo, seen = ["netalias"], set(NOT_NEEDED)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another Python or system
            continue
        for file in found.files or ():
            place = os.path.normpath(str(file.locate()))
            if os.path.exists(place):
                archive.file(place)
        extra = "test" if name == "netalias" else ""
        todo += [_name(text) for text in found.requires or () if _applies(text, extra)]


def _applies(requirement: str, extra: str) -> bool:
    wanted = re.search(r"""extra\s*==\s*["']([^"']*)""", requirement)
    return wanted is None or wanted[1] == extra


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return found[0].lower()


def _programs(archive: Archive) -> None:
    for name in PROGRAMS:
        source = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if source is not None and Path(source).resolve().name != "busybox":
            archive.file(source, f"/usr/bin/{name}")
    busybox = shutil.which("busybox")
    assert busybox is not None
    archive.file(busybox, "/usr/bin/busybox")
    for name in APPLETS:
        archive.link(f"/usr/bin/{name}", "busybox")
    for folder in ("/bin", "/sbin", "/usr/sbin"):
        archive.link(folder, "/usr/bin")
    for folder in ("/etc/iproute2", "/usr/share/iproute2", "/usr/lib/locale/C.utf8"):
        archive.tree(Path(folder))


def _modules(archive: Archive, kernel: Kernel) -> None:
    chosen = modules.wanted(kernel.modules)
    place = f"/lib/modules/{kernel.release}"
    for module in chosen:
        archive.file(module.path, f"{place}/{module.path.relative_to(kernel.modules)}")
    for name, text in modules.tables(chosen, kernel.modules).items():
        archive.text(f"{place}/{name}", text)


def _init(archive: Archive, suites: list[str], options: list[str]) -> None:
    lines: list[object] = [{"folder": str(REPO), "python": sys.executable}]
    for name in suites:
        words = ["-v", "--color=no", "-p", "no:cacheprovider", *choice.words(name), *options]
        lines.append((name, choice.SUITES[name].hidden, words))
    archive.text("/suites", "".join(json.dumps(line) + "\n" for line in lines))
    program = Path(__file__).with_name("guest.py").read_text(encoding="utf-8")
    archive.text("/init", f"#!{os.path.realpath(sys.executable)}\n{program}", 0o755)
