"""Start-up is a feature: what each verb loads, how many instructions it takes, how much memory.

No stopwatch decides here: sets of modules and counts of instructions are the same in every run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import Namespace

CORE = "netalias netalias.cli netalias.errors"
"""Whatever is asked for."""
OPTIONS = "netalias.cli.flags"
"""Where there is one, and where a word is not known."""
NAMES = "netalias.model.names netalias.model"
WISH = f"{NAMES} netalias.families netalias.desired"
READ = (
    f"{NAMES} netalias.model.steps netalias.families netalias.kinds netalias.observed"
    " netalias.engine"
)
KERNEL = "netalias.kernel netalias.kernel.netlink netalias.kernel.netlink.codec"
CHANGE = f"{CORE} {WISH} {READ} {KERNEL} netalias.runtime netalias.plan"
UNCHANGED = f"{CORE} {WISH} {READ} {KERNEL} netalias.runtime netalias.plan"
OUTPUT = "netalias.cli.output netalias.model netalias.model.names"
VERB = f"{CORE} netalias.cli.show {OUTPUT}"
JSON = "netalias.cli.changes netalias.views.json netalias.views.fields netalias.families.fields"
SHOW = f"{VERB} {READ} {KERNEL} netalias.views"
PLAIN = "netalias.views netalias.views.detail"
INET = "netalias.families netalias.families.inet"
INET6 = f"{INET} netalias.families.inet6"
MACVLAN = "netalias.kinds.device netalias.kinds.macvlan"
NEW = f"{MACVLAN} netalias.engine.macs"
"""An alias device that gets its MAC."""
LABEL = "netalias.kinds.label"
TOLD = "netalias.packets"
SESSION = "netalias.system netalias.system.ssh"
"""An address that goes may be that of the SSH session."""
PROOF = "netalias.kernel.proof"
"""A deletion in the second send of a plan."""
REHEARSAL = (
    "netalias.cli.rehearsal netalias.kernel.refusing netalias.kernel.memory"
    " netalias.kernel.memory.addresses"
    " netalias.kernel.memory.devices netalias.kernel.memory.links netalias.kernel.memory.routes"
    " netalias.kernel.memory.local_routes netalias.kernel.memory.rules"
    " netalias.kernel.memory.steps netalias.model.gateways"
    " netalias.model.local_routes"
    " netalias.model.prefix netalias.model.shell"
    " netalias.plan.sysctls netalias.runtime netalias.runtime.former netalias.runtime.private"
    " netalias.runtime.sysctls"
)
"""A dry run asks the kernel in memory."""
LATER = "netalias.claim netalias.claim.session netalias.claim.announce"
"""An address that is announced; one that a child announces later."""

C = {"__future__", "_blake2", "_socket", "_struct", "errno", "fcntl", "itertools"}
"""Modules of others that every verb may load: six written in C, and one of constants."""

SLOW = {
    "argparse", "asyncio", "collections", "construct", "contextlib", "ctypes", "dataclasses",
    "enum", "functools", "importlib.metadata", "inspect", "ipaddress", "json", "logging",
    "pathlib", "pyroute2", "re", "rich", "selectors", "shutil", "signal", "socket", "struct",
    "subprocess", "tempfile", "textwrap", "threading", "typing", "urllib",
}  # fmt: skip
"""What no short command loads; each of them costs a tenth of a bare Python, or much more."""

DECLARED = "eth9:0-1 192.0.2.10-11/32 kind macvlan\n"
"""What the stage has, as a file."""
KNOWN = (
    f"{CORE} netalias.cli.reconcile netalias.sources netalias.trust netalias.recognition"
    " netalias.runtime"
)
"""A reconciliation that finds what it knows."""

STAGE = (
    "eth9:0 192.0.2.10/32 kind macvlan",
    "eth9:1 192.0.2.11/32 kind macvlan",
)
"""Aliases that are there before."""

VERBS = (
    ("eth9:5 192.0.2.15 kind macvlan", 0, f"{CHANGE} {INET} {NEW} {TOLD}"),
    ("eth9:5 192.0.2.15 kind macvlan announce off", 0, f"{CHANGE} {INET} {NEW}"),
    ("eth9:0 192.0.2.20", 0, f"{CHANGE} {INET} {MACVLAN} {TOLD} {SESSION} {PROOF}"),
    ("eth9:0 192.0.2.10", 0, f"{UNCHANGED} {INET} {MACVLAN}"),
    ("eth9:0 down", 0, f"{CHANGE} {INET} {MACVLAN} {SESSION}"),
    (
        "eth9:6 2001:db8::6 kind macvlan",
        0,
        f"{CHANGE} {INET6} {NEW} {TOLD} {LATER} netalias.plan.sources",
    ),
    ("eth9:7 192.0.2.17 kind label", 0, f"{CHANGE} {INET} {LABEL} {TOLD} netalias.model.prefix"),
    ("eth9:0-", 0, f"{CHANGE} {MACVLAN} {SESSION}"),
    ("show", 0, SHOW),
    ("-br show", 0, SHOW),
    ("-o show", 0, f"{SHOW} {INET} {PLAIN}"),
    ("--tree show", 0, f"{SHOW} netalias.views.tree"),
    (
        "lookup 192.0.2.11",
        0,
        f"{VERB} {READ} {KERNEL} netalias.observed.query netalias.observed.index {INET}",
    ),
    (
        "eth9:0",
        0,
        f"{VERB} {WISH} {READ} {KERNEL} netalias.observed.query {INET} {PLAIN}",
    ),
    (
        "--dry-run eth9:8 192.0.2.18 kind macvlan",
        0,
        f"{CORE} {WISH} {READ} {KERNEL} netalias.plan netalias.model.commands"
        " netalias.model.leases netalias.model.neighbours netalias.model.renames"
        " netalias.model.routes"
        f" {OUTPUT} {INET} {NEW} {REHEARSAL}",
    ),
    (
        "cat aliases",
        0,
        f"{VERB} {READ} {KERNEL} netalias.views {INET}"
        " netalias.views.texts netalias.views.proc"
        " procfs procfs.seqfile procfs.tree",
    ),
    ("types", 0, f"{VERB} {READ} {KERNEL} {INET6} netalias.views"),
    ("nosuch:0 192.0.2.18", 2, f"{UNCHANGED} {INET} {OUTPUT}"),
)
"""Words, exit status, and the modules of ours that they load: in a namespace with STAGE."""

WITHOUT_KERNEL = (
    ("--version", 0, f"{CORE} {OUTPUT}"),
    (
        "help",
        0,
        f"{CORE} netalias.cli.help netalias.cli.help_bus netalias.cli.help_cluster"
        " netalias.cli.help_filter netalias.cli.help_iface"
        " netalias.cli.help_link"
        " netalias.cli.help_publish netalias.cli.help_reading netalias.cli.help_tunnels"
        " netalias.cli.help_watch"
        f" netalias.cli.wrapping {OUTPUT}",
    ),
    (
        "-h show",
        0,
        f"{CORE} netalias.cli.help netalias.cli.help_bus netalias.cli.help_cluster"
        " netalias.cli.help_filter netalias.cli.help_iface"
        " netalias.cli.help_link"
        " netalias.cli.help_publish netalias.cli.help_reading netalias.cli.help_tunnels"
        " netalias.cli.help_watch"
        f" netalias.cli.wrapping {OUTPUT}",
    ),
    ("--wait", 1, f"{CORE} {OUTPUT}"),
)
"""The same for what ends before anything is asked of the kernel."""

LOADED = """\
import sys
status = 0
if len(sys.argv) > 1:
    from netalias.cli import main
    status = main(sys.argv[1:])
    sys.stdout.flush()
sys.stderr.flush()
print("\\nmodules", status, *sorted(sys.modules))
"""

RATIOS = (
    # Sets the main device, keeps what was, announces; looks whether anything may float here.
    ("eth9:0 192.0.2.10 kind macvlan", 1.486),
    ("eth9:1 192.0.2.11 kind macvlan", 1.445),  # hashes its MAC, announces
    ("eth9:2 192.0.2.12 kind macvlan announce off", 1.442),
    ("show", 1.349),  # lets go of its namespace at the end
    ("eth9:1-", 1.413),  # looks for the SSH session
)
"""Instructions of a short command over those of a bare Python, at most."""
SLOWER = 0.0 if sys.version_info >= (3, 11) else 0.06
"""The additional cost of imports in 3.10, which has only the core of the import system frozen."""
if sys.version_info < (3, 11, 5):
    SLOWER += 0.01  # 3.11.2 of Debian 12 takes so much more than 3.11.7
PLACE = 0.011
"""The difference that the folder of a clone makes, whose path is hashed and copied, and a machine
with other work, on which an answer of the kernel is waited for once more."""
MEMORY = 1.5
"""The same for the peak of the memory."""

METER = """\
import posix, sys
pid = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ)
_, status, usage = posix.wait4(pid, 0)
print(status, usage.ru_maxrss)
"""
"""The child of a small process: a peak begins at that of the process that made the child."""


class Launched:
    """The installed command and the interpreter that it belongs to, and how to run them."""

    def __init__(self, namespace: Namespace, launcher: Path) -> None:
        self.namespace = namespace
        self.launcher = launcher

    def words(self, line: str) -> list[str]:
        """The command with its interpreter in front."""
        return [sys.executable, str(self.launcher), *line.split()]

    def run(self, words: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Inside the namespace, with nothing in the environment that changes what is counted."""
        environment = {key: value for key, value in os.environ.items() if key[:6] != "PYTHON"}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        with self.namespace:
            return subprocess.run(
                list(words), capture_output=True, text=True, check=check, env=environment
            )

    def instructions(self, words: Sequence[str], status: int = 0) -> int:
        """How many a command takes (I refs).

        Cachegrind without its cache counts the same as Callgrind, and is twice as fast. Most of its
        time it translates code that runs once: so no block is followed into the next ones.
        """
        tool = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        tool += ["--vex-guest-chase=no"]
        done = self.run(["valgrind", *tool, *words], check=False)
        assert done.returncode == status, done.stderr
        found = re.search(r"I +refs: +([\d,]+)", done.stderr)
        assert found, done.stderr
        return int(found[1].replace(",", ""))

    def memory(self, words: Sequence[str]) -> int:
        """The largest resident set in KiB (getrusage(2))."""
        meter = [sys.executable, "-I", "-S", "-c", METER]
        status, peak = self.run([*meter, *words]).stdout.split()[-2:]
        assert status == "0"
        return int(peak)


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    """A program that runs the command and says which modules are loaded then."""
    path = tmp_path / "loaded.py"
    path.write_text(LOADED, encoding="utf-8")
    return path


@pytest.fixture
def staged(veth: Namespace, loader: Path) -> Namespace:
    """A namespace with eth9 and the aliases of STAGE."""
    for line in STAGE:
        done = veth.run([sys.executable, str(loader), *line.split()])
        if "modules 0" not in done.stdout:
            pytest.skip(f"no macvlan can be made here: {done.stderr.strip()}")
    return veth


@pytest.fixture
def launched(veth: Namespace) -> Launched:
    """The installed command, if it is installed and compiled."""
    launcher = Path(sysconfig.get_path("scripts")) / "netalias"
    if not launcher.is_file():
        pytest.skip("netalias is not installed beside this Python")
    purelib = Path(sysconfig.get_path("purelib")) / "netalias" / "cli" / "__init__.py"
    compiled = Path(importlib.util.cache_from_source(str(purelib)))
    if not compiled.is_file() or compiled.stat().st_mtime < purelib.stat().st_mtime - 1:
        pytest.skip("the installed netalias is not compiled")
    return Launched(veth, launcher)


def loaded(text: str) -> tuple[int, set[str]]:
    """The exit status and the modules, out of what LOADED printed."""
    words = text.rpartition("\nmodules ")[2].split()
    return int(words[0]), set(words[1:])


def beyond_bare(loader: Path, text: str) -> tuple[int, set[str]]:
    """The same without the modules of a bare Python."""
    bare = subprocess.run([sys.executable, str(loader)], capture_output=True, text=True, check=True)
    status, modules = loaded(text)
    return status, modules - loaded(bare.stdout)[1]


def with_module(name: str) -> set[str]:
    """What a bare Python has loaded after ``import name``."""
    program = f"import {name}, sys; print('\\nmodules 0', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return loaded(done.stdout)[1]


def held(loader: Path, text: str, status: int, stated: str) -> None:
    """Compare what was loaded with what is stated."""
    found, modules = beyond_bare(loader, text)
    assert found == status
    slow = {name for name in modules if name in SLOW or name.partition(".")[0] in SLOW}
    assert not slow
    assert {name for name in modules if name.startswith(("netalias", "procfs"))} == set(
        stated.split()
    )
    assert {name for name in modules if not name.startswith(("netalias", "procfs"))} <= C


@pytest.mark.root
@pytest.mark.parametrize(("line", "status", "stated"), VERBS, ids=[verb[0] for verb in VERBS])
def test_a_verb_loads_what_is_stated(
    staged: Namespace, loader: Path, line: str, status: int, stated: str
) -> None:
    """A verb loads its own modules and none of the slow ones; a pipe gets no rich."""
    done = staged.run([sys.executable, str(loader), *line.split()])
    held(loader, done.stdout, status, f"{stated} {options_of(line)}")


@pytest.mark.parametrize(
    ("line", "status", "stated"), WITHOUT_KERNEL, ids=[verb[0] for verb in WITHOUT_KERNEL]
)
def test_what_needs_no_kernel_loads_none(loader: Path, line: str, status: int, stated: str) -> None:
    """The version, the help and a wrong option come without a socket, and without a plan."""
    done = subprocess.run(
        [sys.executable, str(loader), *line.split()], capture_output=True, text=True, check=False
    )
    held(loader, done.stdout, status, f"{stated} {options_of(line)}")


def options_of(line: str) -> str:
    """What is loaded for the options in a line."""
    return OPTIONS if any(word.startswith("-") for word in line.split()) else ""


@pytest.mark.root
def test_json_is_the_only_addition_of_json(staged: Namespace, loader: Path) -> None:
    """-j loads the json of the standard library and nothing else that is slow."""
    done = staged.run([sys.executable, str(loader), "-j", "show"])
    status, modules = beyond_bare(loader, done.stdout)
    assert status == 0
    mine = {name for name in modules if name.startswith("netalias")}
    assert mine == set(f"{SHOW} {OPTIONS} {JSON}".split())
    assert not modules - mine - with_module("json") - C


@pytest.mark.root
def test_what_is_known_is_not_parsed(staged: Namespace, loader: Path, tmp_path: Path) -> None:
    """A reconciliation in sync loads no grammar, no engine and no codec, once compared."""
    declared = tmp_path / "netalias.conf"
    declared.write_text(DECLARED, encoding="utf-8")
    words = [sys.executable, str(loader), "reconcile", str(declared)]
    assert "modules 0" in staged.run(words).stdout
    status, modules = beyond_bare(loader, staged.run(words).stdout)
    assert status == 0
    assert {name for name in modules if name.startswith("netalias")} == set(KNOWN.split())
    assert not {name for name in modules if not name.startswith("netalias")} - C


def test_a_guess_costs_difflib(loader: Path) -> None:
    """Only a word that nobody knows is compared with all that are known, by difflib."""
    done = subprocess.run(
        [sys.executable, str(loader), "shwo"], capture_output=True, text=True, check=False
    )
    status, modules = beyond_bare(loader, done.stdout)
    assert status == 1
    mine = {name for name in modules if name.startswith("netalias")}
    assert mine == set(f"{CORE} {OUTPUT} {OPTIONS} netalias.families netalias.desired".split())
    assert not modules - mine - with_module("difflib") - C


@pytest.mark.early
@pytest.mark.root
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_a_short_command_takes_few_instructions(launched: Launched) -> None:
    """Create, piped show and delete, over those of a bare Python (RATIOS)."""
    bare = launched.instructions([sys.executable, "-c", "pass"])
    found = [(line, launched.instructions(launched.words(line)) / bare) for line, _ in RATIOS]
    limits = [limit + SLOWER + PLACE for _, limit in RATIOS]
    over = [one for one, limit in zip(found, limits, strict=True) if one[1] > limit]
    assert not over, found


@pytest.mark.root
def test_a_short_command_takes_little_memory(launched: Launched) -> None:
    """The peak of a create is below one and a half times that of a bare Python."""
    bare = launched.memory([sys.executable, "-c", "pass"])
    created = launched.memory(launched.words("eth9:0 192.0.2.10 kind macvlan"))
    assert created < MEMORY * bare
