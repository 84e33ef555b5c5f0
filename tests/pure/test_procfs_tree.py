"""procfs.tree: texts found by path, with the errors of a real directory."""

from __future__ import annotations

import errno
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procfs.seqfile import TextFile
from procfs.tree import Tree


def text(content: bytes) -> TextFile:
    return TextFile(lambda: [content])


@pytest.fixture
def tree() -> Tree:
    return Tree(
        {
            "net": {"aliases": text(b"A\n"), "alias_types": text(b"T\n"), "empty": {}},
            "version": text(b"V\n"),
        }
    )


names = st.text(min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and "/" not in name and "\0" not in name
)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("net/aliases", b"A\n"),
        ("/net/aliases", b"A\n"),
        ("net//alias_types", b"T\n"),
        ("version", b"V\n"),
    ],
)
def test_a_text_is_opened_by_its_path(tree: Tree, path: str, content: bytes) -> None:
    with tree.open(path) as handle:
        assert handle.read() == content


@settings(deadline=None)
@given(st.lists(names, min_size=1, max_size=5), st.binary(max_size=20))
def test_any_depth_and_any_name_can_be_reached(path: list[str], content: bytes) -> None:
    *above, name = path
    tree = Tree({name: text(content)})
    for directory in reversed(above):
        tree = Tree({directory: tree})
    assert tree.open("/".join(path)).read() == content
    assert tree.listdir("/".join(above)) == [name]


def test_each_open_is_a_snapshot_of_its_own() -> None:
    lines = [b"1\n"]
    tree = Tree({"aliases": TextFile(lambda: list(lines))})
    old = tree.open("aliases")
    lines.append(b"2\n")
    assert (old.read(), tree.open("aliases").read()) == (b"1\n", b"1\n2\n")


@pytest.mark.parametrize("path", ["nothing", "net/nothing", "nothing/aliases", ".", "net/.."])
@pytest.mark.parametrize("method", ["open", "listdir", "stat"])
def test_what_is_missing_is_enoent(tree: Tree, method: str, path: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        getattr(tree, method)(path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, path)


@pytest.mark.parametrize("path", ["version/x", "net/aliases/x/y", "version/", "net/aliases//"])
@pytest.mark.parametrize("method", ["open", "listdir", "stat"])
def test_a_text_used_as_directory_is_enotdir(tree: Tree, method: str, path: str) -> None:
    with pytest.raises(NotADirectoryError) as caught:
        getattr(tree, method)(path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOTDIR, path)


def test_a_text_cannot_be_listed(tree: Tree) -> None:
    with pytest.raises(NotADirectoryError):
        tree.listdir("net/aliases")


@pytest.mark.parametrize("path", ["", "/", "net", "net/", "net/empty"])
@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_directory_cannot_be_opened(tree: Tree, path: str, mode: str) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        tree.open(path, mode)
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, path)


def test_a_text_cannot_be_opened_for_writing(tree: Tree) -> None:
    with pytest.raises(PermissionError) as caught:
        tree.open("version", "w")
    assert caught.value.errno == errno.EACCES


def test_a_directory_lists_its_names_in_the_given_order(tree: Tree) -> None:
    assert tree.listdir() == tree.listdir("/") == ["net", "version"]
    assert tree.listdir("net") == ["aliases", "alias_types", "empty"]
    assert tree.listdir("net/empty") == []


def test_a_listing_is_the_callers_own(tree: Tree) -> None:
    tree.listdir().clear()
    assert tree.listdir() == ["net", "version"]


def test_a_text_has_the_status_of_a_proc_file(tree: Tree) -> None:
    status = tree.stat("net/aliases")
    assert status.st_mode == 0o100444
    assert (status.st_size, status.st_nlink) == (0, 1)
    assert stat.filemode(status.st_mode) == "-r--r--r--"


@pytest.mark.parametrize(("path", "links"), [("", 3), ("net", 3), ("net/empty", 2)])
def test_a_directory_has_the_status_of_a_proc_directory(tree: Tree, path: str, links: int) -> None:
    """A directory counts itself, its name above, and every directory below."""
    status = tree.stat(path)
    assert status.st_mode == 0o40555
    assert (status.st_size, status.st_nlink) == (0, links)


def test_a_status_renders_no_text() -> None:
    def show() -> list[bytes]:
        raise AssertionError("rendered for a status")

    assert Tree({"aliases": TextFile(show)}).stat("aliases").st_size == 0


def test_a_tree_stands_in_a_tree(tree: Tree) -> None:
    assert Tree({"proc": tree}).open("proc/net/aliases").read() == b"A\n"


def test_a_tree_does_not_follow_its_mapping_afterwards() -> None:
    entries = {"a": text(b"")}
    tree = Tree(entries)
    entries["b"] = text(b"")
    assert tree.listdir() == ["a"]


def test_items_are_texts_and_trees(tree: Tree) -> None:
    assert [(name, type(node)) for name, node in tree.items()] == [
        ("net", Tree),
        ("version", TextFile),
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b"])
def test_a_name_that_no_path_reaches_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        Tree({"net": {name: text(b"")}})
