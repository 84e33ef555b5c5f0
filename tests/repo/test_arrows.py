"""The arrows between the rooms: who may import whom, read from the sources and never executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]

ARROWS = {
    "procfs": "",
    "errors": "",
    "session": "",
    "unlocked": "",
    "processes": "",
    "sources": "errors",
    "guard": "errors processes",
    "lock": "errors",
    "netns": "errors",
    "names": "errors",
    "model": "names",
    "steps": "model",
    "marking": "model steps",
    "leases": "names model marking",
    "proxies": "model steps",
    "changes": "model",
    "describe": "model names steps marking",
    "alias_type": "errors model steps",
    "lookup": "model",
    "chain": "model",
    "wishes": "errors names alias_type",
    "ranges": "errors names alias_type",
    "declarations": "errors names alias_type wishes ranges",
    "families": "errors model steps alias_type",
    "fold": "model alias_type",
    "interfaces": "errors names alias_type wishes families fold model",
    "kinds": "errors names model steps alias_type leases",
    "query": "errors names model chain lookup kinds",
    "future": "model kinds",
    "strays": "names model kinds",
    "networks": "model steps kinds future",
    "plan": "errors names model steps alias_type wishes kinds networks",
    "mains": "model steps kinds networks plan",
    "kept": "errors model mains",
    "likeness": "model leases wishes kinds",
    "agenda": "errors names model steps marking leases wishes declarations kinds future strays plan"
    " mains likeness",
    "publish": "errors model alias_type proxies kinds",
    "watching": "names model changes kinds",
    "kernel": "errors names model steps marking proxies changes",
    "packets": "errors model kernel",
    "arrival": "names model steps wishes plan",
    "segment": "errors model arrival plan kernel",
    "seeking": "errors model packets arrival kernel segment",
    "telling": "errors model packets arrival kernel segment seeking",
    "engine": "errors names model steps alias_type unlocked lock wishes kinds query plan mains kept"
    " kernel packets arrival segment",
    "reconcile": "errors names model marking declarations agenda kinds query mains kept kernel"
    " segment engine",
    "batch": "errors names declarations model steps wishes kinds future"
    " networks plan agenda segment engine reconcile",
    "adopt": "errors names model steps query engine marking",
    "views": "errors names model steps leases proxies changes describe alias_type chain kinds"
    " watching plan agenda procfs",
    "emulator": "errors names model alias_type chain families views.proc procfs",
    "netalias": "errors model alias_type kernel lock netns segment engine emulator",
    "usage": "",
    "output": "errors names",
    "cli": "errors alias_type wishes arrival engine netalias output",
    "options": "errors wishes cli",
    "verbs": "errors names model alias_type kinds query engine views emulator usage output cli",
    "declared": "errors sources netalias engine cli",
    "restore": "errors chain declarations fold guard engine reconcile cli",
    "measure": "errors engine reconcile views",
    "announcing": "errors names model wishes declarations kernel arrival segment telling query"
    " engine output cli",
    "renewing": "errors names model steps marking leases kinds query plan kept engine output cli",
    "upkeep": "errors declarations sources session guard agenda arrival engine reconcile views"
    " output cli declared restore measure announcing",
    "exchange": "errors names model sources declarations fold interfaces unlocked chain steps query"
    " engine batch adopt views output cli kernel",
    "doctor": "errors names model kinds mains query netns sources strays kernel views output cli",
    "published": "errors names model steps proxies publish engine output cli",
    "live": "errors kinds views procfs",
    "hooks": "model changes",
    "monitor": "errors names model netns changes watching kernel views output cli hooks",
    "watch": "errors names model sources processes guard proxies changes chain wishes declarations"
    " fold leases kinds agenda watching kernel lock arrival segment telling engine reconcile views"
    " cli announcing upkeep live netns",
    "__main__": "cli",
}
"""Every room, the lowest first, and what it may import: rooms further up in this table only."""

UPWARDS = {
    ("steps", "describe"): "a silent run does not load the words for people",
    ("alias_type", "families"): "the table of built-in types holds their names as texts",
    ("engine", "live"): "where no texts are kept, nothing is loaded that keeps them",
    ("wishes", "families"): "netmask and broadcast are written in IPv4",
    ("wishes", "kinds"): "the word kind is compared with the table of kinds",
    ("cli", "options"): "a command without options does not load them",
    ("cli", "verbs"): "a verb is loaded when it is asked for",
    ("segment", "seeking"): "whoever looks for nobody does not load it",
    ("segment", "telling"): "whoever announces nothing does not load it",
    ("arrival", "cli"): "options are read where they mean something",
    ("declared", "upkeep"): "a run that finds nothing changed does not load the rest",
}
"""Arrows against the order, each with a reason: inside functions only, or as texts."""

TYPES_ONLY = {
    ("model", "names"),
    ("leases", "names"),
    ("reconcile", "marking"),
    ("renewing", "cli"),
    ("renewing", "engine"),
    ("renewing", "kept"),
    ("renewing", "marking"),
    ("renewing", "model"),
    ("renewing", "steps"),
    ("alias_type", "model"),
    ("alias_type", "steps"),
    ("marking", "model"),
    ("lookup", "model"),
    ("chain", "model"),
    ("ranges", "alias_type"),
    ("fold", "alias_type"),
    ("kinds", "alias_type"),
    ("query", "kinds"),
    ("networks", "future"),
    ("plan", "alias_type"),
    ("plan", "wishes"),
    ("likeness", "wishes"),
    ("announcing", "cli"),
    ("announcing", "declarations"),
    ("announcing", "engine"),
    ("announcing", "kernel"),
    ("announcing", "segment"),
    ("announcing", "names"),
    ("announcing", "wishes"),
    ("arrival", "plan"),
    ("batch", "segment"),
    ("engine", "segment"),
    ("reconcile", "segment"),
    ("segment", "arrival"),
    ("segment", "errors"),
    ("seeking", "arrival"),
    ("seeking", "kernel"),
    ("seeking", "segment"),
    ("telling", "arrival"),
    ("telling", "kernel"),
    ("telling", "segment"),
    ("segment", "kernel"),
    ("segment", "plan"),
    ("mains", "plan"),
    ("kept", "model"),
    ("agenda", "declarations"),
    ("agenda", "wishes"),
    ("engine", "kernel"),
    ("engine", "lock"),
    ("reconcile", "engine"),
    ("reconcile", "kernel"),
    ("reconcile", "model"),
    ("batch", "engine"),
    ("exchange", "steps"),
    ("adopt", "engine"),
    ("adopt", "names"),
    ("adopt", "steps"),
    ("publish", "alias_type"),
    ("publish", "proxies"),
    ("published", "cli"),
    ("published", "engine"),
    ("published", "steps"),
    ("views", "kinds"),
    ("views", "proxies"),
    ("views", "plan"),
    ("cli", "engine"),
    ("verbs", "engine"),
    ("verbs", "kinds"),
    ("verbs", "model"),
    ("declared", "engine"),
    ("exchange", "model"),
    ("restore", "cli"),
    ("restore", "engine"),
    ("measure", "engine"),
    ("measure", "reconcile"),
    ("live", "kinds"),
    ("upkeep", "agenda"),
    ("upkeep", "engine"),
    ("doctor", "cli"),
    ("options", "cli"),
    ("watch", "engine"),
    ("watch", "segment"),
}
"""Arrows that exist for the type checker only: nothing is loaded along them."""

OUTSIDE = {
    "_socket": {
        "declarations",
        "families.inet6",
        "kernel.channel",
        "kernel.memory",
        "kernel.netlink",
        "kernel.recorded",
        "kernel.survey",
        "model",
        "packets.dad",
        "packets.events",
        "packets.gratuitous",
        "packets.octets",
        "packets.port",
        "packets.probe",
        "packets.sending",
        "session",
        "watch.answers",
        "watch.culprit",
        "watch.service",
    },
    "socket": {"kernel.iproute", "kernel.iproute_proxies"},
    "fcntl": {"live", "lock", "watch.election"},
    "ctypes": {"netns", "packets.octets", "watch.inotify"},
    "pyroute2": {"kernel.iproute", "kernel.iproute_proxies", "kernel.survey"},
    "construct": {"kernel.spec", "packets.formats"},
    "rich": {"views.progress", "views.table"},
    "json": {"views.json"},
    "subprocess": {"doctor.reading"},
    "asyncio": set(),
    "selectors": set(),
    "logging": set(),
    "dataclasses": set(),
    "argparse": set(),
}
"""Modules of others that only these may import: sockets and whatever is slow to load."""

ONLY_NAMES = {
    ("families.inet6", "_socket"): {"AF_INET6", "inet_pton"},
    ("model", "_socket"): {"AF_INET6", "inet_ntop"},
    ("declarations", "_socket"): {"AF_INET", "inet_pton"},
    ("session", "_socket"): {"AF_INET", "AF_INET6", "inet_pton"},
    ("kernel.memory", "_socket"): {"inet_pton"},
    ("kernel.recorded", "_socket"): {"MSG_DONTWAIT"},
    ("packets.dad", "_socket"): {"inet_ntop"},
    ("packets.port", "_socket"): {"MSG_DONTWAIT", "SOL_SOCKET", "SO_RCVBUF", "if_indextoname"},
    ("packets.probe", "_socket"): {"inet_ntop"},
    ("packets.sending", "_socket"): {"MSG_DONTWAIT"},
    ("kernel.iproute", "socket"): {"inet_pton"},
    ("kernel.survey", "_socket"): {"inet_pton"},
    ("kernel.iproute_proxies", "socket"): {"inet_pton"},
}
"""Where of such a module nothing but these names is taken: text to bytes, no socket."""

LOADED, LATE, TYPES = "loaded", "late", "types"


class Import:
    """One import: by which module, of what, when, and which names."""

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
        """Between rooms; a target that is not ours keeps its own name."""
        return room(self.module), room(self.target)


def room(module: str) -> str:
    """``kernel.wire`` -> ``kernel``."""
    return module.partition(".")[0]


def sources() -> dict[str, Path]:
    """Module, without ``netalias.`` in front: its file."""
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
    """A module of ours by the name it has here; empty for others."""
    short = target.removeprefix("netalias.")
    return short if short in SOURCES or room(short) in ("procfs", "netalias") else ""


def imports(module: str, path: Path) -> Iterator[Import]:
    """Every import statement of a file, and every text in it that names a module of ours."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from walk(module, tree, LOADED)


def walk(module: str, node: ast.AST, when: str) -> Iterator[Import]:
    """Import statements below *node*; ``if TYPE_CHECKING:`` and functions are told apart."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            yield from walk(module, child, TYPES)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from walk(module, child, when if when == TYPES else LATE)
        elif isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, ours(alias.name) or alias.name, when, set(), child.lineno)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"{module}:{child.lineno}: a relative import"
            yield from taken_from(module, child, when)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            # What __import__ and entry points take. A docstring is never so short a text.
            target = ours(child.value.rstrip("."))
            if child.value.startswith("netalias.") and target:
                yield Import(module, target, LATE, set(), child.lineno)
        else:
            yield from walk(module, child, when)


def taken_from(module: str, node: ast.ImportFrom, when: str) -> Iterator[Import]:
    """``from netalias import errors`` takes a module, ``from netalias.errors import X`` a name."""
    base = node.module or ""
    for alias in node.names:
        target = ours(f"{base}.{alias.name}") or ours(base) or base
        yield Import(module, target, when, {alias.name}, node.lineno)


IMPORTS = [one for module, path in SOURCES.items() for one in imports(module, path)]
OWN = [one for one in IMPORTS if ours(one.target) and one.arrow[0] != one.arrow[1]]
FOREIGN = [one for one in IMPORTS if not ours(one.target)]


def allowed(one: Import) -> bool:
    """Whether the table has this arrow, for the room or for exactly this module."""
    row = ARROWS.get(one.arrow[0], "").split()
    return one.arrow[1] in row or any(one.target == word for word in row if "." in word)


def test_every_room_stands_in_the_table() -> None:
    """A new module says where it stands before anybody imports it."""
    assert {room(module) for module in SOURCES} == set(ARROWS)


def test_the_table_points_downwards() -> None:
    """A room may import only rooms that stand before it in the table; so there is no circle."""
    before: list[str] = []
    for name, row in ARROWS.items():
        assert {room(word) for word in row.split()} <= set(before), name
        before.append(name)
    for low, high in UPWARDS:
        assert before.index(low) < before.index(high), f"{low} -> {high} is no exception"


def test_the_rooms_in_the_design_stand_in_such_an_order() -> None:
    """docs/design.md lists them all, and none above a room that it imports."""
    text = (REPO / "docs" / "design.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^(?: {2})?(\S.*?)(?: {2,}| (?=[a-z]+ ))", text.split("```")[1], re.MULTILINE
    )
    rows = [[re.sub(r"/$|\.py$", "", word) for word in row.split()] for row in listed]
    place = {word: number for number, row in enumerate(rows) for word in row}
    front = {"netalias", "__main__"}  # the package holds the others, and is what programs load
    assert set(ARROWS) - front == set(place) - front
    for name in set(ARROWS) - front:
        for target in {room(word) for word in ARROWS[name].split()} - front:
            assert place[target] <= place[name], f"{name} stands above {target}"


@pytest.mark.parametrize("name", ARROWS)
def test_a_room_imports_only_what_is_below(name: str) -> None:
    """Lower rooms never import upper ones, neither when loaded nor late nor for their types."""
    wrong = [
        str(one)
        for one in OWN
        if one.arrow[0] == name and not allowed(one) and one.arrow not in UPWARDS
    ]
    assert not wrong


def test_what_points_upwards_is_late() -> None:
    """An arrow against the order stands inside a function: loading a room loads nothing above."""
    wrong = [str(one) for one in OWN if one.arrow in UPWARDS and one.when == LOADED]
    assert not wrong


def test_arrows_for_types_load_nothing() -> None:
    """What is said to be for the type checker only is never imported by a running program."""
    wrong = [str(one) for one in OWN if one.arrow in TYPES_ONLY and one.when != TYPES]
    assert not wrong


def test_the_tables_hold_nothing_that_is_not_so() -> None:
    """Every arrow in the tables is one that the sources have."""
    present = {one.arrow for one in OWN}
    exact = {(one.arrow[0], one.target) for one in OWN}
    stated = {(name, word) for name, row in ARROWS.items() for word in row.split()}
    assert not stated - present - exact
    assert not set(UPWARDS) - present
    assert not TYPES_ONLY - present
    # The front door gets what it has by texts.
    loading = {one.arrow for one in OWN if one.when != TYPES or one.arrow[0] == "netalias"}
    assert present - loading == TYPES_ONLY


def test_the_engine_never_makes_a_kernel() -> None:
    """Whoever plans is handed a Kernel; a Netlink is made by netalias.open() and nobody else."""
    makers = {one.module for one in OWN if one.target == "kernel.netlink"}
    assert makers == {"netalias"}
    assert not [str(one) for one in OWN if one.module == "engine" and one.when != TYPES
                and one.arrow[1] == "kernel"]  # fmt: skip


def test_procfs_stands_apart() -> None:
    """procfs knows nothing of netalias and could be a distribution of its own."""
    assert not [str(one) for one in OWN if one.arrow[0] == "procfs"]


def test_importing_netalias_imports_nothing() -> None:
    """The front door is open at once; what stands behind it is loaded on use."""
    assert not [str(one) for one in IMPORTS if one.module == "netalias" and one.when == LOADED
                and one.target != "__future__"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_modules_of_others_stay_where_they_belong(name: str) -> None:
    """No socket above kernel/; what is slow to import is imported by one module each."""
    takers = {one.module for one in FOREIGN if room(one.target) == name and one.when != TYPES}
    assert takers <= OUTSIDE[name]


@pytest.mark.parametrize(("module", "other"), ONLY_NAMES)
def test_addresses_are_converted_without_a_socket(module: str, other: str) -> None:
    """Of the socket module nothing is taken but the conversion of addresses."""
    found = [one for one in FOREIGN if (one.module, one.target) == (module, other)]
    assert set().union(*(one.names for one in found)) == ONLY_NAMES[module, other]


def test_nothing_slow_is_loaded_by_a_module_of_the_short_path() -> None:
    """typing, re, enum and their like stand under TYPE_CHECKING, or in a room of their own."""
    slow = {"typing", "re", "enum", "dataclasses", "functools", "contextlib", "collections",
            "operator", "abc", "ipaddress", "pathlib", "shutil", "struct"}  # fmt: skip
    apart = {"doctor.reading", "kernel.spec", "kernel.iproute", "packets.formats", "views.table"}
    wrong = [str(one) for one in FOREIGN if room(one.target) in slow and one.when == LOADED]
    assert not [text for text in wrong if text.partition(":")[0] not in apart]
