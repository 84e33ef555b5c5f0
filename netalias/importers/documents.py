"""Documents of YAML as nodes, each with its place.

PyYAML reads them; nothing is constructed from them, so a scalar is the text that stands there. An
alias is the node that it names. So a document is as large as its file, but the way through it need
not be: a dozen lines of aliases to aliases lead to a billion values. The values that are asked for
are counted.
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from yaml import MappingNode, ScalarNode, SequenceNode

    from netalias.importers.reading import Reading

    Node = MappingNode | ScalarNode | SequenceNode

LIBRARY = "yaml"
"""The module of PyYAML."""
SIZE_MAX = 1 << 20
"""Longest document in characters; PyYAML takes ten seconds for it."""
VALUES_MAX = 100_000
"""Values on the way through a document."""
NESTED_MAX = 8
"""Merge keys inside what merge keys name."""
MERGE = "tag:yaml.org,2002:merge"
NULL = "tag:yaml.org,2002:null"


class Document:
    """The document at *path*: ``root`` is its first node, None where there is none.

    What PyYAML cannot read is noted. Raises StateError for a file that cannot be read, and without
    PyYAML.
    """

    __slots__ = ("left", "path", "root")

    def __init__(self, reading: Reading, path: str) -> None:
        self.path = path
        self.left = VALUES_MAX
        self.root: Node | None = None
        yaml = _library()
        text = reading.text(path)
        if len(text) > SIZE_MAX:
            reading.note(path, f"more than {SIZE_MAX >> 20} MiB of YAML")
            return
        try:
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}:{mark.line + 1}" if mark else path
            reading.note(place, f"not YAML: {getattr(error, 'problem', None) or error}")
        except (RecursionError, ValueError, OverflowError):
            reading.note(path, "not YAML that can be read: too deep, or with an unknown character")

    def place(self, node: Node) -> str:
        """``file:line`` of a node."""
        return f"{self.path}:{node.start_mark.line + 1}"

    def pairs(self, node: Node | None, depth: int = 0) -> list[tuple[str, Node]]:
        """Keys and values of a mapping, those of merge keys last; nothing for another node. Raises
        LimitError."""
        if node is None or node.id != "mapping":
            return []
        found: dict[str, Node] = {}
        merged: list[Node] = []
        for key, value in node.value:
            self._count()
            if key.tag == MERGE:
                merged += self.items(value) or [value]
            elif key.id == "scalar":
                found[key.value] = value
        for one in merged if depth < NESTED_MAX else ():
            for key, value in self.pairs(one, depth + 1):
                found.setdefault(key, value)
        return list(found.items())

    def items(self, node: Node | None) -> list[Node]:
        """The values of a sequence; nothing for another node. Raises LimitError."""
        if node is None or node.id != "sequence":
            return []
        self._count(len(node.value))
        return list(node.value)

    def get(self, node: Node | None, *keys: str) -> Node | None:
        """The value of a key, of a key in that, and so on. Raises LimitError."""
        for key in keys:
            node = dict(self.pairs(node)).get(key)
        return node

    def text(self, node: Node | None, *keys: str) -> str:
        """The text of a scalar at these keys; empty for another node and for null. Raises
        LimitError."""
        node = self.get(node, *keys)
        return "" if node is None or node.id != "scalar" or node.tag == NULL else str(node.value)

    def _count(self, number: int = 1) -> None:
        self.left -= number
        if self.left < 0:
            raise errors.LimitError(f"aliases make more than {VALUES_MAX} values of it")


def _library() -> ModuleType:
    """PyYAML. Raises StateError where it is missing."""
    try:
        import yaml
    except ImportError:
        hint = "apt-get install python3-yaml, or pip install 'netalias[import]'"
        raise errors.StateError("PyYAML is needed to read YAML", hint) from None
    return yaml
