"""The wheel holds the packages and what belongs to them, and nothing else."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import netalias

REPO = Path(__file__).parents[2]
SCHEMAS = sorted((REPO / "netalias" / "schema").glob("*.json"))
PARTS = ("netalias", "procfs", "tools", "docs", "setup.cfg", "pyproject.toml", "README.md")
PIP = (
    sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--quiet", "--no-deps",
    "--retries", "0", "--timeout", "3",
)  # fmt: skip
UNREACHABLE = re.compile(
    r"No matching distribution|Could not find a version|[Cc]onnection|No module named pip"
    r"|Temporary failure|Network is unreachable|invalid command 'bdist_wheel'"
)

pytestmark = pytest.mark.long  # make has built one already: the tests run what it installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built from a copy so that nothing is left in the tree."""
    copy = tmp_path_factory.mktemp("source")
    for part in PARTS:
        source = REPO / part
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, copy / part, ignore=ignore)
        elif source.is_file():
            shutil.copy(source, copy / part)
    place = tmp_path_factory.mktemp("wheel")
    complaint = ""
    # A backend that is here already needs no network; else pip fetches one, if it can.
    here = importlib.util.find_spec("setuptools") is not None
    for isolation in [["--no-build-isolation"], []] if here else [[]]:
        done = subprocess.run(
            [*PIP, *isolation, "--wheel-dir", str(place), str(copy)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            (built,) = place.glob("*.whl")
            return zipfile.ZipFile(built)
        complaint = done.stderr
        if not UNREACHABLE.search(complaint):
            break
    if UNREACHABLE.search(complaint):
        pytest.skip("the build backend cannot be had here")
    raise AssertionError(complaint)


def test_the_wheel_holds_exactly_what_is_installed(wheel: zipfile.ZipFile) -> None:
    """Both packages with py.typed, the script, the manual page, the licence; no tests."""
    stem = f"netalias-{netalias.__version__}"
    modules = {
        str(path.relative_to(REPO))
        for package in ("netalias", "procfs")
        for path in (REPO / package).rglob("*.py")
    }
    expected = modules | {"netalias/py.typed", "procfs/py.typed"}
    expected |= {
        f"{stem}.data/scripts/netalias",
        f"{stem}.data/scripts/netalias-ifconfig",
        f"{stem}.data/data/share/bash-completion/completions/netalias.bash",
        f"{stem}.data/data/share/zsh/site-functions/_netalias",
        f"{stem}.data/data/share/fish/vendor_completions.d/netalias.fish",
        f"{stem}.data/data/share/man/man5/netalias.conf.5",
        f"{stem}.data/data/share/man/man7/netalias.7",
        f"{stem}.data/data/share/man/man8/netalias.8",
        f"{stem}.data/data/share/man/man8/netalias-ifconfig.8",
        *(f"{stem}.data/data/share/netalias/schema/{one.name}" for one in SCHEMAS),
    }
    names = set(wheel.namelist())
    about = {name for name in names if name.startswith(f"{stem}.dist-info/")}
    assert names - about == expected
    assert {Path(name).name for name in about} == {
        "LICENSE", "METADATA", "RECORD", "WHEEL", "top_level.txt",
    }  # fmt: skip


def test_the_wheel_runs_on_every_machine(wheel: zipfile.ZipFile) -> None:
    """It is pure Python: one wheel for all."""
    assert Path(wheel.filename or "").name == f"netalias-{netalias.__version__}-py3-none-any.whl"


def test_the_script_is_plain(wheel: zipfile.ZipFile) -> None:
    """The command is our own few lines, since a generated one imports re."""
    script = wheel.read(f"netalias-{netalias.__version__}.data/scripts/netalias").decode()
    # Whoever installs the wheel puts the path of the interpreter here.
    assert script.startswith("#!python\n")
    assert script.partition("\n")[2] == (REPO / "tools" / "netalias").read_text().partition("\n")[2]
    assert "import re" not in script
    assert "entry_points.txt" not in " ".join(wheel.namelist())


def test_the_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    """Name, version, licence and the three libraries stand in the metadata."""
    about = wheel.read(f"netalias-{netalias.__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {netalias.__version__}\n" in about
    assert "\nRequires-Python: >=3.10\n" in about
    required = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra)", about, re.MULTILINE)
    assert sorted(required) == ["construct", "pyroute2", "rich"]
