"""The command takes modules from their compiled files (netalias/compiled.py), as Python would."""

from __future__ import annotations

import importlib
import os
import py_compile
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netalias import compiled

PACKAGE = "its_modules"
SOURCE = "VALUE = {}\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package that Finder finds, with a module ``one`` and a package ``inner``."""
    folder = tmp_path / PACKAGE
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__", "one", "inner/__init__", "inner/two"):
        source = folder / f"{name}.py"
        source.write_text(SOURCE.format(1), encoding="utf-8")
        py_compile.compile(str(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [compiled.Finder(f"{PACKAGE}."), *sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def imported(name: str) -> object:
    """The module below the package."""
    importlib.invalidate_caches()
    return importlib.import_module(f"{PACKAGE}.{name}")


def replaced(source: Path, value: int) -> None:
    """Change a compiled file in a way that only its reader can see: the constant in its code."""
    path = Path(importlib.util.cache_from_source(str(source)))
    head = path.read_bytes()[:16]
    other = source.with_name("other.py")
    other.write_text(SOURCE.format(value), encoding="utf-8")
    made = Path(py_compile.compile(str(other), cfile=str(other) + "c") or "")
    path.write_bytes(head + made.read_bytes()[16:])


def test_the_compiled_file_is_what_is_run(package: Path) -> None:
    """A module and a package come from their compiled files, with the attributes of any other."""
    replaced(package / "one.py", 5)
    one = imported("one")
    assert one.VALUE == 5  # type: ignore[attr-defined]
    assert isinstance(one.__spec__.loader, compiled.Loader)  # type: ignore[attr-defined]
    assert one.__file__ == str(package / "one.py")  # type: ignore[attr-defined]
    cached = importlib.util.cache_from_source(one.__file__)  # type: ignore[attr-defined]
    assert one.__spec__.cached == cached  # type: ignore[attr-defined]
    two = imported("inner.two")
    assert two.VALUE == 1  # type: ignore[attr-defined]
    inner = sys.modules[f"{PACKAGE}.inner"]
    assert list(inner.__path__) == [str(package / "inner")]
    assert inner.__package__ == f"{PACKAGE}.inner"


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_source_counts(package: Path, change: str) -> None:
    """A compiled file that is older than its source, or was made of another one, is not taken."""
    source = package / "one.py"
    text = SOURCE.format(22 if change == "size" else 2)
    before = source.stat()
    source.write_text(text, encoding="utf-8")
    if change == "size":
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(source, (before.st_atime + 5, before.st_mtime + 5))
    assert int(text.split()[-1]) == imported("one").VALUE  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [None, b"", b"x" * 40])
def test_without_a_compiled_file_the_source_is_read(package: Path, content: bytes | None) -> None:
    """Python compiles where the compiled file is missing, cut off, or that of another Python."""
    path = Path(importlib.util.cache_from_source(str(package / "one.py")))
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert imported("one").VALUE == 1  # type: ignore[attr-defined]


def test_a_file_that_goes_by_a_hash_is_left_to_python(package: Path) -> None:
    """A compiled file with a hash of its source (PEP 552) is checked, whatever the time says."""
    source = package / "one.py"
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(source), invalidation_mode=mode)
    source.write_text(SOURCE.format(3), encoding="utf-8")
    assert imported("one").VALUE == 3  # type: ignore[attr-defined]


def test_a_missing_module_is_missing(package: Path) -> None:
    """What has no source file is not found; a package of others is none of its business."""
    with pytest.raises(ModuleNotFoundError, match="its_modules"):
        imported("three")
    assert compiled.Finder(f"{PACKAGE}.").find_spec("json.tool", ["/tmp"]) is None


def test_an_archive_is_left_to_python(package: Path) -> None:
    """A path that is no folder has no source files."""
    finder = compiled.Finder(f"{PACKAGE}.")
    assert finder.find_spec(f"{PACKAGE}.one", [str(package / "one.py")]) is None


@pytest.mark.parametrize(("options", "installed"), [((), True), (("-O",), False),
                         (("-X", "pycache_prefix=/nowhere"), False)])  # fmt: skip
def test_it_stands_aside_where_files_lie_elsewhere(
    options: tuple[str, ...], installed: bool
) -> None:
    """Optimised code and another folder for compiled files have other names."""
    program = (
        "import sys; from netalias.compiled import Finder, install; install();"
        "print(any(isinstance(one, Finder) for one in sys.meta_path))"
    )
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{installed}\n"
