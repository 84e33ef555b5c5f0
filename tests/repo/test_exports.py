"""What the packages offer: names, docstrings, types; and what no file of the repository holds."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import netalias
import procfs

REPO = Path(__file__).parents[2]
PACKAGES = {"netalias": netalias, "procfs": procfs}

ALONE = """\
import sys, {package}
print(*[name for name in sys.modules if name.startswith(("netalias", "procfs"))])
"""

LEFTOVERS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$})~])/(?:wo" r"rk|ro" r"ot|ho" r"me|Us" r"ers)/[\w.]")


def modules(package: str) -> list[str]:
    """Every module of a package."""
    below = pkgutil.walk_packages(PACKAGES[package].__path__, f"{package}.")
    return [package, *(found.name for found in below if not found.name.endswith("__main__"))]


def files() -> list[Path]:
    """Every file that belongs to the repository; without git, every one that looks so."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(REPO), "ls-files", "-co", "--exclude-standard"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        found = [REPO / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        hidden = re.compile(r"(^|/)(\.(?!ci/)|build/|__pycache__|[^/]*\.egg-info)")
        found = [path for path in REPO.rglob("*") if not hidden.search(str(path.relative_to(REPO)))]
    return sorted(path for path in found if path.is_file())


def public(home: object, owner: str) -> list[tuple[str, object]]:
    """The functions and classes that were written here, and the methods of these classes."""
    found: list[tuple[str, object]] = []
    for name, value in vars(home).items():
        if name.startswith("_"):
            continue
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        if not (inspect.isfunction(value) or inspect.isclass(value) or isinstance(value, property)):
            continue
        module = getattr(value, "__module__", owner)
        if module != owner or getattr(value, "__name__", "") == "<lambda>":
            continue
        found.append((name, value))
        if inspect.isclass(value):
            found += [(f"{name}.{inner}", one) for inner, one in public(value, owner)]
    return found


def documented(home: ModuleType, name: str, value: object) -> bool:
    """By itself, or as a method by the one that it overrides."""
    if inspect.isclass(value):
        return bool(value.__doc__)
    if getattr(value, "__doc__", None):
        return True
    owner, _, method = name.rpartition(".")
    if not owner:
        return False
    bases = getattr(home, owner).__mro__[1:]
    return any(getattr(base.__dict__.get(method), "__doc__", None) for base in bases)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    """What stands in __all__ can be imported, shows in dir(), and nothing else is promised."""
    home = PACKAGES[package]
    assert home.__all__ == sorted(set(home.__all__))
    for name in home.__all__:
        assert getattr(home, name) is not None
    assert set(home.__all__) <= set(dir(home))
    with pytest.raises(AttributeError):
        _ = home.no_such_name


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_else(package: str) -> None:
    """``import netalias`` costs one file; what it offers is loaded when it is used."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(package=package)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [package]


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_for_others_too(package: str) -> None:
    """py.typed stands in the package as it is imported (PEP 561)."""
    assert (Path(PACKAGES[package].__file__ or "").parent / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_has_a_docstring(package: str) -> None:
    """Modules, functions, classes and methods; a method that overrides may leave it to its base."""
    silent = []
    for module in modules(package):
        home = importlib.import_module(module)
        silent += [] if home.__doc__ else [module]
        for name, value in public(home, module):
            silent += [] if documented(home, name, value) else [f"{module}.{name}"]
    assert not silent


def test_no_file_holds_anything_of_its_making() -> None:
    """No path of somebody's machine, and no note of what is still to be done."""
    found = {}
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        if words := MACHINE_PATHS.findall(text) + LEFTOVERS.findall(text):
            found[str(path.relative_to(REPO))] = words
    assert not found
