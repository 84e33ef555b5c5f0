"""Modules of this package from their compiled files, by fewer steps than the import system takes.

For each module Python asks three finders, looks for four kinds of files and builds each path anew.
A short command spends a tenth of its time on that. Here a module is found by one stat(2) of its
source, whose time and size the compiled file has to have, as Python itself demands (PEP 3147, PEP
552). Whatever is not as usual is left to Python: a stale or missing compiled file, one that is
checked by a hash, an archive.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery would be one module more
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from errno import ENOENT
from marshal import loads
from posix import O_CLOEXEC, O_RDONLY, close, open, read, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

HEAD = MAGIC_NUMBER + bytes(4)
"""Beginning of a compiled file that goes by the time and the size of its source."""
END = f".{sys.implementation.cache_tag}.pyc"
MOST = 96 << 10
"""Bytes of a compiled file that are read, few enough for malloc(3) to have them at hand; Python
reads a larger one."""


class Loader(SourceFileLoader):
    """Loads one module; ``cached`` is its compiled file, ``head`` how that has to begin."""

    cached = ""
    head = b""

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module, from the compiled file if that belongs to the source."""
        try:
            file = open(self.cached, O_RDONLY | O_CLOEXEC)
        except OSError:
            return super().get_code(fullname)
        try:
            data = read(file, MOST)
        finally:
            close(file)
        if data[:16] != self.head or len(data) == MOST:
            return super().get_code(fullname)
        code: CodeType = loads(memoryview(data)[16:])
        return code


class Finder:
    """A finder of sys.meta_path for the modules below one package, given as ``netalias.``."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: object = None
    ) -> ModuleSpec | None:
        """The spec of a module with a source file; None for any other, which Python looks for."""
        if not name.startswith(self._package) or not path:
            return None
        folder, base = path[0], name.rpartition(".")[2]
        source = f"{folder}/{base}.py"
        inner = ""
        try:
            found = stat(source)
        except OSError as error:
            if error.errno != ENOENT:
                return None
            inner, base = f"{folder}/{base}", "__init__"
            folder, source = inner, f"{inner}/__init__.py"
            try:
                found = stat(source)
            except OSError:
                return None
        loader = Loader(name, source)
        loader.cached = f"{folder}/__pycache__/{base}{END}"
        when, size = int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF
        loader.head = HEAD + when.to_bytes(4, "little") + size.to_bytes(4, "little")
        spec = ModuleSpec(name, loader, origin=source, is_package=bool(inner))
        if inner:
            assert spec.submodule_search_locations is not None
            spec.submodule_search_locations.append(inner)
        spec.has_location = True
        spec.cached = loader.cached
        return spec


def install() -> None:
    """Put the finder before those of Python, where compiled files are in their usual place."""
    if not (sys.flags.optimize or sys.pycache_prefix):
        sys.meta_path.insert(0, Finder(f"{__name__.partition('.')[0]}."))
