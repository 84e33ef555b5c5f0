"""One command in an almost empty namespace, beside ip(8) and pyroute2.

Whole processes run interleaved, so that a machine that is busy for a while is busy for all of them.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

from page import LAUNCHER, duration, table, verdict
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
from stage import IP, Run

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


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    full, empty = _stage(SHOWN), _stage(0)
    with tempfile.TemporaryDirectory() as folder:
        whole = _whole(Path(folder), full, empty, FEW if run.quick else ROUNDS)
    empty.enter()
    parts = [whole, _memory(), _instructions(full, empty), _inside()]
    return "\n\n".join(parts)


def netalias(line: str) -> list[str]:
    """The command and its arguments, as a shell would split *line*."""
    return [LAUNCHER, *line.split()]


def _stage(aliases: int) -> Place:
    place = Place()
    for line in ("link add eth9 type veth peer name p9", "link set lo up"):
        captured([IP, *line.split()])
    for name in ("eth9", "p9"):
        captured([IP, "link", "set", name, "addrgenmode", "none", "up"])
    for number in range(aliases):
        captured(netalias(f"eth9:{number} 192.0.2.{number} kind macvlan"))
    return place


def _whole(folder: Path, full: Place, empty: Place, rounds: int) -> str:
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
        rounds,
        FEW,
    )
    return _compared(found, rounds)


TARGETS = {"create": 1.5, "re-address": 1.5, "no-op": 1.5, "show, piped": 1.3}
"""Multiples of a bare Python."""
ROWS = (
    "--version",
    *TARGETS,
    "create among 10",
    "show of 10",
    "show, terminal",
    "delete",
)


def _compared(found: dict[str, float], rounds: int) -> str:
    bare = found["bare"]
    kernel = found["delete, ip"] - found["--version, ip"]
    text = (
        f"Medians of {rounds} interleaved runs of whole processes (pyroute2: {FEW}), with one alias"
        f' or none present; "among 10" and "of 10": with {SHOWN}. The ratio is to a bare Python'
        f" (`python -c pass`): {bare:.1f} ms. To delete a device the kernel itself takes some"
        f" {kernel:.0f} ms (`ip link del`)."
    )
    rows = [[name, *_row(name, found)] for name in ROWS]
    head = ("", "netalias", "ratio", "limit", "", "ip", "pyroute2")
    return f"{textwrap.fill(text, 100)}\n\n{table(head, rows)}"


def _row(name: str, found: dict[str, float]) -> list[str]:
    own, bare = found[name], found["bare"]
    others = [found.get(f"{name}, {other}") for other in ("ip", "pyroute2 *")]
    limit = TARGETS.get(name)
    return [
        duration(own),
        f"{own / bare:.2f} x",
        f"<= {limit:.2f} x" if limit else "",
        verdict(own / bare, limit) if limit else "",
        *(f"{duration(one)} ({one / bare:.1f} x)" if one else "-" for one in others),
    ]


def _memory() -> str:
    bare = memory(sys.executable, [sys.executable, "-c", "pass"])
    own = memory(sys.executable, netalias("eth9:70 192.0.2.70 kind macvlan"))
    memory(sys.executable, netalias("eth9:70-"))
    row = ["create", f"{own} KiB", f"{own / bare:.2f} x", "<= 1.50 x", verdict(own / bare, 1.5)]
    head = ("peak of the memory (ru_maxrss)", "", f"ratio to {bare} KiB", "limit", "")
    return table(head, [row])


def _instructions(full: Place, empty: Place) -> str:
    own = {}
    try:
        bare = instructions([sys.executable, "-c", "pass"])
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
        return f"Instructions are not counted: {problem}."
    rows = [[name, f"{count / 1e6:.2f} M", f"{count / bare:.2f} x"] for name, count in own.items()]
    head = ("instructions in user space (callgrind)", "", f"ratio to {bare / 1e6:.2f} M")
    return table(head, rows)


def _inside() -> str:
    """Figures within one process: lookups and texts."""
    from inside import lookup, rendering

    rows = []
    for count in (100, 10_000):
        found = lookup(count)
        ratio = found["owners"] / found["dict"]
        rows.append([f"a hit among {count} addresses", f"{found['owners']:.0f} ns",
                     f"{ratio:.2f} x a dict", "<= 2 x", verdict(ratio, 2)])  # fmt: skip
    for name, taken in rendering(10_000).items():
        rows.append([f"a row, {name}", f"{taken:.2f} us", "", "<= 0.6 us", verdict(taken, 0.6)])
    return table(("within one process", "", "", "limit", ""), rows)
