"""An alias type in a package of its own: installed, found when it is asked for, used."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution, version
from pathlib import Path

import pytest

import netalias

PACKAGE = Path(__file__).parents[1] / "third_party" / "netalias-ddp"
ROOT = Path(netalias.__file__).parents[1]

PROGRAM = """\
import contextlib, io, json, sys
from netalias.cli import main
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory

memory = Memory()
memory.add_device("eth0", up=True)
results = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words.split(), lambda options: Engine(Setup(memory, options.registry)))
    notes = {device.name: device.ifalias for device in memory.snapshot().devices.values()}
    loaded = "netalias_ddp" in sys.modules
    results.append([status, out.getvalue(), err.getvalue(), notes.get("eth0_0"), loaded])
json.dump(results, sys.stdout)
"""


class Result:
    """What a command gave: status, output, errors, the ifalias of eth0_0, ddp loaded or not."""

    def __init__(self, status: int, out: str, err: str, note: str | None, loaded: bool) -> None:
        self.status = status
        self.out = out
        self.err = err
        self.note = note
        self.loaded = loaded


def session(site: Path, *commands: str) -> list[Result]:
    """Run commands one after the other over one kernel in memory, with *site* on the path."""
    paths = os.pathsep.join([str(site), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM],
        input=json.dumps(commands), env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Result(*words) for words in json.loads(done.stdout)]


def install(target: Path) -> None:
    """What pip makes of the package as far as Python looks at it: the module and its metadata."""
    config = configparser.ConfigParser(delimiters=["="])
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(PACKAGE / "setup.cfg")
    about, options = config["metadata"], config["options"]
    for module in options["py_modules"].split():
        shutil.copy(PACKAGE / f"{module}.py", target)
    info = target / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    )
    groups = config["options.entry_points"].items()
    texts = [f"[{group}]{lines}\n" for group, lines in groups]
    (info / "entry_points.txt").write_text("\n".join(texts))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed."""
    target = tmp_path_factory.mktemp("site")
    install(target)
    return target


def entry_points(target: Path) -> set[tuple[str, str, str]]:
    (info,) = target.glob("*.dist-info")
    return {(one.group, one.name, one.value) for one in PathDistribution(info).entry_points}


def counts(text: str) -> dict[str, int]:
    return {row["name"]: row["n_attach"] for row in json.loads(text)}


def why_no_pip() -> str:
    """Why this interpreter cannot build a package; empty when it can."""
    for name in ("pip", "setuptools"):
        if importlib.util.find_spec(name) is None:
            return f"a package cannot be built here: no {name}"
    # Since 70.1 setuptools builds wheels by itself.
    release = [int(part) for part in version("setuptools").split(".")[:2]]
    if release < [70, 1] and importlib.util.find_spec("wheel") is None:
        return "a package cannot be built here: no wheel"
    return ""


@pytest.mark.long
@pytest.mark.skipif(bool(why_no_pip()), reason=why_no_pip() or "-")
def test_pip_installs_it(tmp_path: Path) -> None:
    """S14: pip registers the type by its name and by its family, and the command uses it."""
    source, target, mine = tmp_path / "source", tmp_path / "site", tmp_path / "mine"
    shutil.copytree(PACKAGE, source)  # a build writes into its source
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    here = ["--no-index", "--no-deps", "--no-build-isolation", "--no-compile"]
    done = subprocess.run(
        [*pip, *here, "--target", str(target), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mine.mkdir()
    install(mine)
    assert entry_points(target) == entry_points(mine) == {
        ("netalias.alias_types", "ddp", "netalias_ddp:Ddp"),
        ("netalias.alias_types", "netalias-5", "netalias_ddp:Ddp"),
    }  # fmt: skip
    (made,) = session(target, "eth0:0 ddp 1000.12 kind macvlan")
    assert (made.status, made.err) == (0, "")


def test_loaded_when_asked_for(site: Path) -> None:
    """S14: nobody loads the type before its name or its family is asked for."""
    results = session(
        site,
        "eth0:1 10.0.0.1", "show", "types", "cat alias_types", "eth0:1 up", "lookup 10.0.0.1",
        "eth0:0 ddp 1000.12",
    )  # fmt: skip
    assert [one.status for one in results] == [0] * 7
    assert [one.loaded for one in results] == [False] * 6 + [True]


def test_use(site: Path) -> None:
    """A device whose ifalias records the address; show, lookup and the texts of /proc have it."""
    made, shown, found, other, text, types, again, json_ = session(
        site,
        "eth0:0 ddp 1000.12 kind macvlan",
        "show",
        "lookup ddp 1000.12",
        "lookup ddp 1000.13",
        "cat aliases",
        "cat alias_types",
        "-v eth0:0 ddp 1000.12",
        "-j show",
    )
    assert (made.status, made.err) == (0, "")
    assert made.note == "netalias eth0:0 ddp 1000.12/24"
    line = shown.out.splitlines()[1].split()
    assert line[:5] == ["eth0:0", "eth0_0", "macvlan", "1000.12/24", "up"]
    assert (found.status, found.out) == (0, "eth0:0\n")
    assert (other.status, other.out, other.err) == (3, "", "")
    assert text.out.splitlines()[1] == "eth0:0           5      1000.12".ljust(63)
    assert types.out.splitlines()[1:] == [
        "2       ip              0      ",
        "5       ddp             1      ",
        "10      ipv6            0      ",
    ]
    assert (again.status, again.out) == (0, "")
    (row,) = json.loads(json_.out)
    assert (row["family"], row["local"], row["prefixlen"]) == ("ddp", "1000.12", 24)


def test_counts_follow_the_family(site: Path) -> None:
    """S51, S52: to IPv4 and IPv6 and back the counts go along; deleting takes from the last."""
    results = session(
        site,
        "eth0:0 ddp 1000.12 kind macvlan", "-j types",
        "eth0:0 10.0.0.1/24", "-j types", "show",
        "eth0:0 ddp 1000.13/16", "-j types", "lookup 10.0.0.1",
        "eth0:0 2001:db8::1/64", "-j types",
        "eth0:0 ddp 1000.12", "-j types", "lookup 2001:db8::1",
        "eth0:0-", "-j types",
    )  # fmt: skip
    statuses = [one.status for one in results]
    assert statuses == [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3, 0, 0]
    found = [counts(one.out) for one in results if one.out.startswith("[")]
    assert [(one.get("ddp", 0), one["ip"], one["ipv6"]) for one in found] == [
        (1, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 0, 0), (0, 0, 0),
    ]  # fmt: skip
    assert [one.note for one in results[::2]][:4] == [
        "netalias eth0:0 ddp 1000.12/24",
        "netalias eth0:0",
        "netalias eth0:0",
        "netalias eth0:0 ddp 1000.13/16",
    ]
    assert "10.0.0.1/24" in results[4].out


def test_down_and_up(site: Path) -> None:
    """S36: an alias that is down keeps its address of any family."""
    results = session(
        site, "eth0:0 ddp 1000.12 kind dummy down", "-br show", "eth0:0 up", "-br show"
    )
    assert results[1].out.split() == ["eth0:0", "down", "1000.12/24"]
    assert results[3].out.split() == ["eth0:0", "up", "1000.12/24"]


REFUSED = (
    ("ddp 1000", 1, "1000: not an AppleTalk address"),
    ("ddp 70000.1", 1, "'70000' is not a number from 1 to 65534"),
    ("ddp 1000.254", 1, "'254' is not a number from 1 to 253"),
    ("ddp 1000.12/25", 1, "'25' is not a number from 0 to 24"),
    ("ddp 1000.12 prefixlen 25", 1, "prefix length 25 is over 24"),
    ("ddp 1000.12 broadcast 10.0.0.255", 1, "only an IPv4 address has a broadcast"),
    ("ddp 1000.12 pointopoint 1000.13", 2, "the kernel keeps no addresses of type ddp"),
    ("ddp 1000.12 metric 7", 2, "the kernel keeps no addresses of type ddp"),
    ("ddp 1000.12 kind label", 2, "the kernel has no addresses of type ddp to label"),
    ("ddq 1000.12", 1, "'ddq' is not a word that netalias knows (an address, or one of:"),
    ("inett 10.0.0.1", 1, "did you mean inet?"),
)
"""Words, exit status, and a part of the error."""


def test_refusals(site: Path) -> None:
    """S20: one line that says why, and no alias; a word that is no type gets a hint."""
    *results, shown = session(site, *(f"eth0:0 {words}" for words, _, _ in REFUSED), "show")
    for (words, status, error), refused in zip(REFUSED, results, strict=True):
        assert (refused.status, refused.out) == (status, ""), words
        assert error in refused.err
        assert refused.err.count("\n") == 1
    assert shown.out == ""


def test_uninstalled(site: Path, tmp_path: Path) -> None:
    """S53: without the package a re-address to its family is refused and the old address stays."""
    refused, shown = session(tmp_path, "eth0:0 10.0.0.1", "eth0:0 ddp 1000.12", "-br show")[1:]
    assert refused.status == 1
    assert "'ddp' is not a word" in refused.err
    assert shown.out.split() == ["eth0:0", "up", "10.0.0.1/32"]
