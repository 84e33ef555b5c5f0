"""Figures of netalias, as ratios measured in one run: ``make bench``.

Whole processes run interleaved in a private network namespace, so that a machine that is busy for
a while is busy for all of them. The comparison is with a bare Python, ip(8) and pyroute2. Targets
are printed beside the figures; the exit status is 0 even if they are missed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from processes import (
    Failed,
    Place,
    captured,
    instructions,
    interleaved,
    memory,
    on_terminal,
    piped,
    silent,
)

REPO = Path(__file__).resolve().parents[2]
HERE = "/proc/self/ns/net"

IP = shutil.which("ip") or "/sbin/ip"
Way = Callable[[list[str]], float]

ROUNDS = 30
FEW = 5
SHOWN = 10
"""Number of aliases that ``show`` shows."""

MAKE = (
    "link add link eth9 name eth9_90 type macvlan mode bridge",
    "link property add dev eth9_90 altname eth9:90",
    "addr add 192.0.2.90/32 dev eth9_90",
    "link set eth9_90 up",
)
MOVE = (
    "addr add 192.0.2.91/32 dev eth9_90",
    "addr del 192.0.2.90/32 dev eth9_90",
)

SCRIPT = """\
import sys
from pyroute2 import IPRoute
with IPRoute() as kernel:
    verb = sys.argv[1]
    if verb == "show":
        for link in kernel.get_links():
            for address in kernel.get_addr(index=link["index"]):
                print(link.get_attr("IFLA_IFNAME"), address.get_attr("IFA_ADDRESS"))
        sys.exit()
    if verb == "create":
        main = kernel.link_lookup(ifname="eth9")[0]
        kernel.link("add", ifname="eth9_80", kind="macvlan", link=main, macvlan_mode="bridge")
    index = kernel.link_lookup(ifname="eth9_80")[0]
    if verb == "create":
        kernel.link("property_add", index=index, altname="eth9:80")
        kernel.addr("add", index=index, address="192.0.2.80", prefixlen=32)
        kernel.link("set", index=index, state="up")
    elif verb == "move":
        kernel.addr("add", index=index, address="192.0.2.81", prefixlen=32)
        kernel.addr("delete", index=index, address="192.0.2.80", prefixlen=32)
    elif verb == "delete":
        kernel.link("del", index=index)
"""


def main() -> int:
    """Install the peers if necessary, enter a namespace, measure and print; the exit status."""
    if not launcher().is_file():
        return _in_venv()
    if len(sys.argv) < 2:
        inode = str(os.stat(HERE).st_ino)
        helper = str(REPO / "tools" / "in-namespace")
        os.execv(helper, [helper, sys.executable, __file__, inode])
    _head()
    alone = str(os.stat(HERE).st_ino) != sys.argv[1]
    stages = _stages() if alone else None
    if stages is not None:
        full, empty = stages
        with tempfile.TemporaryDirectory() as folder:
            _whole(Path(folder), full, empty)
        empty.enter()
        _memory()
        _instructions(full, empty)
    _lookup()
    _rendering()
    return 0


def launcher() -> Path:
    """The installed command beside this interpreter."""
    return Path(sysconfig.get_path("scripts")) / "netalias"


def _in_venv() -> int:
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        venv.create(folder, with_pip=True)
        copy = Path(folder) / "source"
        ignore = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
        shutil.copytree(REPO, copy, ignore=ignore)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, str(copy)], check=True)
        return subprocess.run([str(python), __file__], check=False).returncode


def netalias(line: str) -> list[str]:
    """The command and its arguments, as a shell would split *line*."""
    return [str(launcher()), *line.split()]


def _head() -> None:
    print(f"machine   {platform.machine()}, {os.cpu_count()} processors: {processor()}")
    print(f"load      {os.getloadavg()[0]:.1f}; on a busy machine all ratios are too high")
    print(f"kernel    {platform.release()}")
    print(f"python    {platform.python_version()} ({platform.python_compiler()})")
    libraries = ", ".join(f"{name} {_version(name)}" for name in ("pyroute2", "rich"))
    print(f"versions  netalias {_version('netalias')}, {_iproute()}, {libraries}")


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, "of unknown make")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _iproute() -> str:
    try:
        words = captured([IP, "-V"]).split()
    except (Failed, OSError):
        return "no ip(8)"
    return words[2].strip(",").replace("-", " ") if len(words) > 2 else " ".join(words)


def _stages() -> tuple[Place, Place] | None:
    """Two namespaces with eth9, one end of a veth pair: one with aliases, one without."""
    try:
        full, empty = _stage(SHOWN), _stage(0)
    except (Failed, OSError) as problem:
        print(f"\nNo whole processes: {problem}")
        return None
    return full, empty


def _stage(aliases: int) -> Place:
    place = Place()
    for line in ("link add eth9 type veth peer name p9", "link set lo up"):
        captured([IP, *line.split()])
    for name in ("eth9", "p9"):
        captured([IP, "link", "set", name, "addrgenmode", "none", "up"])
    for number in range(aliases):
        captured(netalias(f"eth9:{number} 192.0.2.{number} kind macvlan"))
    return place


def _whole(folder: Path, full: Place, empty: Place) -> None:
    for name, lines in (("make", MAKE), ("move", MOVE)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="ascii")

    def run(words: list[str], way: Way = silent, place: Place = empty) -> Callable[[int], float]:
        def once(number: int) -> float:
            place.enter()
            return way(words)

        return once

    def ip(line: str, way: Way = silent, place: Place = empty) -> Callable[[int], float]:
        return run([IP, *line.split()], way, place)

    def own(line: str, way: Way = silent, place: Place = empty) -> Callable[[int], float]:
        return run(netalias(line), way, place)

    def library(verb: str, way: Way = silent, place: Place = empty) -> Callable[[int], float]:
        return run([sys.executable, str(script), verb], way, place)

    found = interleaved(
        (
            ("bare", run([sys.executable, "-c", "pass"])),
            ("--version", own("--version")),
            ("--version, ip", ip("-V")),
            ("create", own("eth9:70 192.0.2.70 kind macvlan")),
            ("re-address", own("eth9:70 192.0.2.71")),
            ("no-op", own("eth9:70 192.0.2.71")),
            ("show, piped", own("show", piped)),
            ("show, terminal", own("show", on_terminal)),
            ("delete", own("eth9:70-")),
            ("create, ip", ip(f"-batch {folder}/make")),
            ("re-address, ip", ip(f"-batch {folder}/move")),
            ("no-op, ip", ip("addr replace 192.0.2.91/32 dev eth9_90")),
            ("show, piped, ip", ip("-br addr", piped)),
            ("show, terminal, ip", ip("-br addr", on_terminal)),
            ("delete, ip", ip("link del eth9_90")),
            ("create, pyroute2 *", library("create")),
            ("re-address, pyroute2 *", library("move")),
            ("show, piped, pyroute2 *", library("show", piped)),
            ("delete, pyroute2 *", library("delete")),
            ("create among 10", own("eth9:70 192.0.2.70 kind macvlan", silent, full)),
            ("delete among 10", own("eth9:70-", silent, full)),
            ("show of 10", own("show", piped, full)),
            ("show of 10, ip", ip("-br addr", piped, full)),
        ),
        ROUNDS,
        FEW,
    )
    bare = found["bare"]
    print(f'\nWhole processes: median of {ROUNDS} interleaved runs (pyroute2: {FEW}); "among 10"')
    print(f'and "of 10" with {SHOWN} aliases present, the others with one. The ratio is to a')
    print(f"bare Python (python -c pass): {bare:.1f} ms.")
    print(f"{'':16}{'netalias':>12}{'ratio':>7}   {'target':25}{'ip':>8}{'pyroute2':>11}")
    for name, limit in (
        ("--version", 0.0),
        ("create", 1.3),
        ("re-address", 1.3),
        ("no-op", 1.3),
        ("show, piped", 1.3),
        ("create among 10", 0.0),
        ("show of 10", 0.0),
    ):
        taken = found[name]
        _row(name, taken, bare, verdict(taken / bare, limit, "<= {:.2f}") if limit else "", found)
    drawn = found["show, terminal"]
    _row("show, terminal", drawn, bare, verdict(drawn - bare, 60, "<= bare + {:.0f} ms"), found)
    _row("delete", found["delete"], bare, "", found)
    kernel = found["delete, ip"] - found["--version, ip"]
    print(f"To delete a device the kernel itself takes some {kernel:.0f} ms (ip link del).")


def _row(name: str, own: float, bare: float, target: str, found: dict[str, float]) -> None:
    ip, library = found.get(f"{name}, ip"), found.get(f"{name}, pyroute2 *")
    print(
        f"{name:16}{own:>9.1f} ms{own / bare:>7.2f}   {target:25}"
        f"{f'{ip:.1f} ms' if ip else '':>8}{f'{library:.1f} ms' if library else '':>11}".rstrip()
    )


def verdict(value: float, limit: float, form: str) -> str:
    """The verdict on a figure, such as ``<= 1.30 reached``."""
    return f"{form.format(limit)} {'reached' if value <= limit else 'missed'}"


def _memory() -> None:
    bare = memory(sys.executable, [sys.executable, "-c", "pass"])
    own = memory(sys.executable, netalias("eth9:70 192.0.2.70 kind macvlan"))
    memory(sys.executable, netalias("eth9:70-"))
    print("\nPeak of the memory (ru_maxrss)")
    print(f"{'bare':16}{bare:>9} KiB")
    print(f"{'create':16}{own:>9} KiB{own / bare:>6.2f}   {verdict(own / bare, 1.5, '< {:.2f}')}")


def _instructions(full: Place, empty: Place) -> None:
    try:
        bare = instructions([sys.executable, "-c", "pass"])
        own = {}
        for name, line, place in (
            ("create", "eth9:70 192.0.2.70 kind macvlan", empty),
            ("re-address", "eth9:70 192.0.2.71", empty),
            ("show, piped", "show", empty),
            ("delete", "eth9:70-", empty),
            ("create among 10", "eth9:70 192.0.2.70 kind macvlan", full),
            ("delete among 10", "eth9:70-", full),
            ("show of 10", "show", full),
        ):
            place.enter()
            own[name] = instructions([sys.executable, *netalias(line)])
    except Failed as problem:
        print(f"\nInstructions: not counted ({problem})")
        return
    print("\nInstructions in user space (callgrind), the same in every run")
    print(f"{'bare':16}{bare / 1e6:>10.2f} M")
    for name, count in own.items():
        ratio = count / bare
        target = "" if name.endswith("10") else f"   {verdict(ratio, 1.35, '<= {:.2f}')}"
        print(f"{name:16}{count / 1e6:>10.2f} M{ratio:>7.2f}{target}")


def _lookup() -> None:
    from inside import lookup

    print("\nLook-up of an address, hits, within one process")
    print(f"{'':16}{'dict':>12}{'owners().find':>16}{'ratio':>7}{'find':>12}{'ratio':>7}   target")
    for count in (100, 10_000):
        found = lookup(count)
        bare, owners, index = found["dict"], found["owners"], found["index"]
        print(
            f"{f'{count} addresses':16}{bare:>9.0f} ns{owners:>13.0f} ns{owners / bare:>7.2f}"
            f"{index:>9.0f} ns{index / bare:>7.2f}   {verdict(owners / bare, 2, '<= {:.0f}')}"
        )


def _rendering() -> None:
    from inside import rendering

    print("\nTexts of 10000 rows, within one process")
    for name, taken in rendering(10_000).items():
        print(f"{name:20}{taken:>8.2f} us a row   {verdict(taken, 0.6, '<= {:.1f}')}")


if __name__ == "__main__":
    sys.exit(main())
