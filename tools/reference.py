"""Write docs/api.md, the reference of the Python interface, from the docstrings.

usage: python tools/reference.py [--print]
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

REPO = Path(__file__).parents[1]
PAGE = REPO / "docs" / "api.md"

sys.path.insert(0, str(REPO))

import netalias  # noqa: E402
from netalias import errors  # noqa: E402
from netalias.doctor.finding import Finding  # noqa: E402
from netalias.engine import Engine  # noqa: E402
from netalias.engine.program import AliasView  # noqa: E402
from netalias.engine.program.declared import Comparison  # noqa: E402
from netalias.model import Address, Alias, Device  # noqa: E402
from netalias.tunnels import vif  # noqa: E402

HEAD = """\
# The Python interface

`tools/reference.py` writes this page from the docstrings. What is not on it is private, and may
change in any version.

```python
import netalias

with netalias.open() as engine:
    alias = engine.create("eth0:0", "200.1.1.1/24", mtu=1400)
    print(alias.interface, alias.device.name, engine.lookup("200.1.1.1").name)
    engine.delete("eth0:0")
```

The events of a running watcher come by `async for event in netalias.events("address", "eth0")`.

With `changed=[]`, `netalias.open` fills that list with the changes that calls make, as the objects
that [formats.md](formats.md) describes.
"""

METHODS = (
    "create", "delete", "get", "show", "lookup", "check", "reconcile", "save", "doctor", "close",
)  # fmt: skip
"""The public methods of Engine."""

VALUES = (AliasView, Comparison, Finding, Alias, Device, Address)
"""Classes of what the methods give, those of which they are made last."""


def page() -> str:
    """The text of the page."""
    parts = [HEAD, "## netalias.open\n", _call("netalias.open", netalias.open)]
    parts += ["## netalias.events\n", _call("netalias.events", netalias.events)]
    parts += ["## Engine\n", _text(Engine)]
    parts += [_call(f"Engine.{name}", getattr(Engine, name)) for name in METHODS]
    parts += ["## Values\n"]
    for home in (*VALUES, vif.Driver, vif.Interface):
        parts += ["## netalias.vif\n", _text(vif)] if home is vif.Driver else []
        parts += [f"### {home.__name__}\n", _text(home), *_members(home)]
    parts += ["## Errors\n", _tree(errors.NetaliasError)]
    return "\n".join(parts)


def _call(name: str, function: object) -> str:
    """A function: its signature and its docstring."""
    signature = str(inspect.signature(function))  # type: ignore[arg-type]
    plain = re.sub(r"(: |-> )'([^']*)'", r"\1\2", re.sub(r"\(self(, )?", "(", signature))
    return f"### {name}\n\n```\n{name}{plain}\n```\n\n{_text(function)}"


def _text(found: object) -> str:
    """A docstring as Markdown: names in double backticks or stars are code."""
    text = inspect.getdoc(found) or ""
    text = re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
    return re.sub(r"\*(\w+)\*", r"`\1`", text) + "\n"


def _members(home: type) -> list[str]:
    """The properties and methods that a class has of its own."""
    found = []
    for name, member in vars(home).items():
        if isinstance(member, property) and not name.startswith("_"):
            found.append(f"- `{name}`: {_inline(member)}")
        elif inspect.isfunction(member) and not name.startswith("_"):
            found.append(f"- `{name}()`: {_inline(member)}")
    return ["\n".join(found) + "\n"] if found else []


def _inline(found: object) -> str:
    return " ".join(_text(found).split())


def _tree(home: type, depth: int = 0) -> str:
    """An error and those that derive from it, as a nested list."""
    head = "  " * depth + f"- `{home.__name__}`: {_inline(home)}\n"
    return head + "".join(_tree(one, depth + 1) for one in home.__subclasses__())


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")
