"""Virtual text files like those of /proc: one snapshot per open, trees, publishing.

    TextFile, TextHandle, padded    procfs.seqfile    a text rendered when it is opened
    Tree                            procfs.tree       directories of such texts
    publish                         procfs.publish    the texts as real files

The package stands alone and imports nothing at load: a name is fetched when first used.
`publish` is reached as `from procfs.publish import publish`; exported here it would take turns
with the module of the same name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procfs.seqfile import TextFile, TextHandle, padded
    from procfs.tree import Tree

__all__ = ["TextFile", "TextHandle", "Tree", "padded"]

_HOME = {
    "TextFile": "seqfile",
    "TextHandle": "seqfile",
    "Tree": "tree",
    "padded": "seqfile",
}


def __getattr__(name: str) -> object:
    """Fetch a public name from its module (PEP 562) and keep it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # importlib would load more than the module that is asked for
    value: object = getattr(__import__(f"{__name__}.{_HOME[name]}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names whether fetched or not."""
    return sorted({*globals(), *__all__})
