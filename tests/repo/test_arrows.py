"""The import arrows between packages, held to the storeys of docs/design.md.

An arrow is an import: at load, inside a function, for the type checker, or a text that names a
module of ours. One row a package; a new file in a known package needs no change here.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

REPO = Path(__file__).parents[2]

ARROWS = {
    "errors": "",
    "compiled": "",
    "procfs": "",
    "recognition": "",
    "model": "errors",
    "trust": "errors",
    "sources": "errors trust",
    "families": "errors model",
    "disclosure": "errors trust sources model",
    "alias_type": "families",
    "kernel": "errors recognition model",
    "system": "errors trust model",
    "runtime": "errors model system",
    "packets": "errors model kernel",
    "nat": "errors model kernel packets",
    "tunnels": "errors trust model kernel system runtime packets nat",
    "links": "errors system runtime tunnels",
    "record": "errors trust model system",
    "filters": "errors model kernel tunnels links",
    "kinds": "errors model families",
    "observed": "errors model families kinds",
    "desired": "errors model families kinds",
    "plan": "errors model families kinds observed desired",
    "importers": "errors trust disclosure model families desired",
    "claim": "errors model kernel packets desired plan",
    "cluster": "errors trust model kernel system runtime packets nat desired",
    "views": "errors model families record kinds observed desired cluster plan procfs",
    "engine": "errors sources model families kernel system runtime packets kinds nat tunnels"
    " observed desired plan claim views procfs",
    "doctor": "errors trust model sources kernel system runtime kinds tunnels observed desired"
    " plan importers views",
    "monitor": "errors trust model kernel system observed views",
    "emulator": "errors trust sources disclosure model families views procfs",
    "watch": "errors trust disclosure model sources families kernel system runtime packets kinds"
    " nat tunnels links record observed desired cluster plan claim views engine monitor",
    "netalias": "errors model families kernel system tunnels claim engine emulator",
    "cli": "errors recognition disclosure model sources families kernel kinds system runtime"
    " tunnels links filters record observed desired cluster plan importers claim views engine"
    " doctor monitor emulator watch"
    " netalias",
    "__main__": "cli",
}
"""Every package or single module, the lowest first, and what it may import."""

STOREYS = 11
"""The longest way down, counted in packages."""

SOCKETS = {"cluster", "kernel", "links", "packets", "recognition", "system", "tunnels"}
"""Packages that may open a socket."""

ONLY_CONVERTED = {"inet_pton", "inet_ntop", "AF_INET", "AF_INET6"}
"""The names of a socket module that everybody may take: text to bytes and back, no socket."""

TAKEN_BY = {
    "pyroute2": r"kernel\.pyroute(\..*)?",
    "construct": r".*\.spec",
    "rich": r"views\.(progress|table)",
    "yaml": r"importers\.documents",
    "cryptography": r"tunnels\.(noise|sessions)",
    "zeroconf": r"record\.dnssd",
    "json": r"views\.json|cluster\.(etcd\.messages|records|tickles)",
    "ssl": r"cluster\.etcd\.(connection|settings)",
    "subprocess": r"doctor\.(read|facts|rules)|cli\.ifconfig",
    "fcntl": r"runtime(\..*)?|engine\.texts|record\.lock|(tunnels|links)\..*"
    r"|kernel\.netlink\.holders",
    "ctypes": r"system\.(netns|inotify)|packets|kernel\.xtables",
    "asyncio": r"engine\.program\.events",
    "selectors": "nobody",
    "logging": "nobody",
    "dataclasses": "nobody",
    "argparse": "nobody",
}
"""Modules of others, and the modules of ours that may import them (a regular expression)."""

SLOW = {
    "typing", "re", "enum", "dataclasses", "functools", "contextlib", "collections", "operator",
    "abc", "ipaddress", "pathlib", "shutil", "struct",
}  # fmt: skip
"""Modules that cost a short command too much: they are loaded late, or in a room of their own."""
SLOW_ROOMS = (
    r"engine\.program|doctor\.(read|facts|rules|mending|concatenations|listeners)|.*\.spec"
    r"|kernel\.pyroute(\..*)?|views\.table"
)

LOADED, LATE, TYPES, TEXT = "loaded", "late", "types", "text"


class Import:
    """One import: the importing module, its target, the moment, and the names taken."""

    def __init__(self, module: str, target: str, when: str, names: set[str], line: int) -> None:
        self.module = module
        self.target = target
        self.when = when
        self.names = names
        self.line = line

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target} ({self.when})"

    @property
    def arrow(self) -> tuple[str, str]:
        """The packages at both ends; a target that is not ours keeps its own name."""
        return room(self.module), room(self.target)


def room(module: str) -> str:
    """``kernel.netlink.codec`` -> ``kernel``."""
    return module.partition(".")[0]


def sources() -> dict[str, Path]:
    """The file of every module, by its name without ``netalias.`` in front."""
    found = {}
    for package in ("netalias", "procfs"):
        for path in sorted((REPO / package).rglob("*.py")):
            parts = list(path.relative_to(REPO).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            own = parts if package == "procfs" or len(parts) == 1 else parts[1:]
            found[".".join(own)] = path
    return found


SOURCES = sources()


def ours(target: str) -> str:
    """The short name of a module of ours; empty for others."""
    short = target.removeprefix("netalias.")
    return short if short in SOURCES or room(short) in ("procfs", "netalias") else ""


def imports(module: str, path: Path) -> Iterator[Import]:
    """Every import statement of a file, and every text in it that names a module of ours."""
    text = path.read_text(encoding="utf-8")
    # Nine of ten nodes are parts of statements, where only texts are looked for.
    below = ast.iter_child_nodes if '"netalias.' in text else statements
    yield from walk(module, ast.parse(text), LOADED, below)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements right below a statement or a clause of one, and its clauses."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        yield from getattr(node, name, ())


def walk(
    module: str, node: ast.AST, when: str, below: Callable[[ast.AST], Iterable[ast.AST]]
) -> Iterator[Import]:
    """The imports below *node*, each with its moment."""
    for child in below(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            yield from walk(module, child, TYPES, below)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from walk(module, child, when if when == TYPES else LATE, below)
        elif isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, ours(alias.name) or alias.name, when, set(), child.lineno)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"{module}:{child.lineno}: a relative import"
            yield from taken_from(module, child, when)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            # What __import__ and entry points take. A docstring is never so short a text.
            if child.value.startswith("netalias.") and (target := ours(child.value.rstrip("."))):
                yield Import(module, target, TEXT, set(), child.lineno)
        else:
            yield from walk(module, child, when, below)


def taken_from(module: str, node: ast.ImportFrom, when: str) -> Iterator[Import]:
    """``from netalias import errors`` takes a module, ``from netalias.errors import X`` a name."""
    base = node.module or ""
    for alias in node.names:
        target = ours(f"{base}.{alias.name}") or ours(base) or base
        yield Import(module, target, when, {alias.name}, node.lineno)


@functools.cache
def everything() -> list[Import]:
    """All imports of all files: read by the first test that asks, since each of the processes of
    make test loads this file, and few of them run a test of it."""
    return [one for module, path in SOURCES.items() for one in imports(module, path)]


@functools.cache
def own() -> list[Import]:
    """Imports of modules of ours."""
    return [one for one in everything() if ours(one.target)]


@functools.cache
def between() -> list[Import]:
    """Imports of modules of ours by other packages."""
    return [one for one in own() if one.arrow[0] != one.arrow[1]]


@functools.cache
def foreign() -> list[Import]:
    """Imports of modules of others."""
    return [one for one in everything() if not ours(one.target)]


def circles(arrows: set[tuple[str, str]]) -> list[list[str]]:
    """The groups of two and more nodes that reach one another (Tarjan)."""
    targets: dict[str, set[str]] = {}
    for tail, head in arrows:
        if tail != head:
            targets.setdefault(tail, set()).add(head)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for head in sorted(targets.get(node, ())):
            if head not in number:
                visit(head)
                low[node] = min(low[node], low[head])
            elif head in stack:
                low[node] = min(low[node], number[head])
        if low[node] == number[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(targets):
        if node not in number:
            visit(node)
    return found


def storey(name: str) -> int:
    """1 for a package that imports nothing of ours, else one more than the highest below."""
    return 1 + max((storey(word) for word in ARROWS[name].split()), default=0)


def test_every_package_stands_in_the_table() -> None:
    """A new package says where it stands before anybody imports it."""
    assert {room(module) for module in SOURCES} == set(ARROWS)


def test_the_table_points_downwards() -> None:
    """A package imports only packages before it in the table: so there is no circle of packages."""
    before: list[str] = []
    for name, row in ARROWS.items():
        assert set(row.split()) <= set(before), name
        before.append(name)
    assert max(map(storey, ARROWS)) == STOREYS


def test_a_package_imports_only_its_row() -> None:
    """No arrow runs upwards, neither at load nor late nor for types."""
    rows = {name: row.split() for name, row in ARROWS.items()}
    assert not [str(one) for one in between() if one.arrow[1] not in rows.get(one.arrow[0], ())]


def test_the_table_holds_nothing_that_is_not_so() -> None:
    """Every arrow in the table is one that the sources have."""
    stated = {(name, word) for name, row in ARROWS.items() for word in row.split()}
    assert stated <= {one.arrow for one in between()}


def test_no_files_import_each_other() -> None:
    """No circle of files, whatever the moment; a table of built-ins names its own as texts."""
    arrows = {(one.module, one.target) for one in own() if one.when != TEXT}
    assert circles(arrows) == []


def test_the_design_draws_the_packages_in_this_order() -> None:
    """docs/design.md lists every package, none above one that it imports."""
    text = (REPO / "docs" / "design.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^(?: {2})?(\S.*?)(?: {2,}| (?=[a-z]+ ))", text.split("```")[1], re.MULTILINE
    )
    rows = [[re.sub(r"/$|\.py$", "", word) for word in row.split()] for row in listed]
    place = {word: number for number, row in enumerate(rows) for word in row}
    front = {"netalias", "__main__", "alias_type"}
    assert set(ARROWS) - front == set(place) - front
    for name in set(ARROWS) - front:
        for target in set(ARROWS[name].split()) - front:
            assert place[target] <= place[name], f"{name} stands above {target}"


def test_the_engine_never_makes_a_kernel() -> None:
    """The engine is handed a Kernel; netalias.open() makes the Netlink, and nobody else."""
    netlink = ("kernel.netlink", "kernel.netlink.fingerprint")
    makers = {
        one.module
        for one in own()
        if one.target in netlink and one.names & {"Netlink", "Fingerprinted"}
    }
    assert makers <= {"netalias", "kernel.netlink.fingerprint"}


def test_procfs_stands_apart() -> None:
    """procfs knows nothing of netalias and could be a distribution of its own."""
    assert not [str(one) for one in between() if one.arrow[0] == "procfs"]


def test_importing_netalias_imports_nothing() -> None:
    """The front door is open at once; the rooms behind it are loaded on use."""
    assert not [str(one) for one in everything() if one.module == "netalias" and one.when == LOADED
                and one.target != "__future__"]  # fmt: skip


def test_sockets_stay_below() -> None:
    """No package but SOCKETS takes more from a socket module than the conversion of addresses."""
    wrong = [
        str(one)
        for one in foreign()
        if room(one.target) in ("_socket", "socket") and one.when != TYPES
        and one.arrow[0] not in SOCKETS and not one.names <= ONLY_CONVERTED
    ]  # fmt: skip
    assert not wrong


def test_modules_of_others_stay_where_they_belong() -> None:
    """A library that is slow to load, or that reaches the machine, has its own room."""
    taken = [one for one in foreign() if room(one.target) in TAKEN_BY and one.when != TYPES]
    homes = [(one, TAKEN_BY[room(one.target)]) for one in taken]
    assert taken
    assert not [str(one) for one, home in homes if not re.fullmatch(home, one.module)]


def test_nothing_slow_is_loaded_by_a_module_of_the_short_path() -> None:
    """typing, re, enum and their like stand under TYPE_CHECKING, or in a room of their own."""
    wrong = [one for one in foreign() if room(one.target) in SLOW and one.when == LOADED]
    assert not [str(one) for one in wrong if not re.fullmatch(SLOW_ROOMS, one.module)]
