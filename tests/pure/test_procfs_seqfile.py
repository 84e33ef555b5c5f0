"""procfs.seqfile: a text is rendered at open, read like a file, and never written."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import procfs
from procfs.seqfile import TextFile, TextHandle, padded

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = [b"header\n", b"one\n", b"two\n", b"no newline"]
TEXT = b"".join(LINES)

texts = st.lists(st.binary(max_size=20).map(lambda line: line + b"\n"), max_size=20).map(b"".join)
whole = settings(deadline=None)


def text_file() -> TextFile:
    return TextFile(lambda: LINES)


@pytest.fixture
def handle() -> TextHandle:
    return text_file().open()


# reading


@whole
@given(texts, st.lists(st.integers(0, 30), max_size=60))
def test_any_split_of_reads_concatenates_to_the_whole(text: bytes, sizes: list[int]) -> None:
    handle = TextFile(lambda: [text]).open()
    pieces = [handle.read(size) for size in sizes]
    assert all(len(piece) <= size for piece, size in zip(pieces, sizes, strict=True))
    assert b"".join(pieces) + handle.read() == text
    assert handle.read(1) == b""


@whole
@given(texts, st.integers(1, 70))
def test_reads_of_one_size_are_short_only_at_the_end(text: bytes, size: int) -> None:
    handle = TextFile(lambda: [text]).open()
    pieces = list(iter(lambda: handle.read(size), b""))
    assert b"".join(pieces) == text
    assert all(len(piece) == size for piece in pieces[:-1])


@whole
@given(texts, st.integers(0, 500), st.integers(0, 500))
def test_pread_is_a_slice_and_keeps_the_position(text: bytes, size: int, offset: int) -> None:
    handle = TextFile(lambda: [text]).open()
    handle.seek(3)
    assert handle.pread(size, offset) == text[offset : offset + size]
    assert handle.tell() == 3


@whole
@given(texts, st.integers(0, 500), st.integers(0, 60))
def test_read_after_seek_is_pread(text: bytes, offset: int, size: int) -> None:
    handle = TextFile(lambda: [text]).open()
    assert handle.seek(offset) == offset
    assert handle.read(size) == text[offset : offset + size]


@whole
@given(texts, st.integers(1, 40))
def test_readinto_fills_what_it_can_and_leaves_the_rest(text: bytes, size: int) -> None:
    handle = TextFile(lambda: [text]).open()
    buffer = bytearray(b"?" * size)
    filled = handle.readinto(buffer)
    assert filled == min(size, len(text))
    assert bytes(buffer) == text[:size].ljust(size, b"?")
    assert handle.tell() == filled


@whole
@given(texts)
def test_iteration_gives_the_lines_as_bytesio_does(text: bytes) -> None:
    assert list(TextFile(lambda: [text]).open()) == list(io.BytesIO(text))


@whole
@given(texts, st.integers(0, 450), st.none() | st.integers(-1, 30))
def test_readline_is_that_of_bytesio(text: bytes, offset: int, size: int | None) -> None:
    handle, model = TextFile(lambda: [text]).open(), io.BytesIO(text)
    handle.seek(offset)
    model.seek(offset)
    assert handle.readline(size) == model.readline(size)


def test_an_array_of_wide_items_is_filled_by_bytes() -> None:
    buffer = array("I", [0, 0])
    assert text_file().open().readinto(buffer) == 2 * buffer.itemsize
    assert buffer.tobytes() == TEXT[: 2 * buffer.itemsize]


@pytest.mark.parametrize("rest", [(), (-1,), (None,)])
def test_read_without_a_size_gives_the_rest(
    handle: TextHandle, rest: tuple[int | None, ...]
) -> None:
    handle.seek(7)
    assert handle.read(*rest) == TEXT[7:]


def test_readall_gives_the_rest(handle: TextHandle) -> None:
    handle.seek(7)
    assert handle.readall() == TEXT[7:]


def test_a_text_of_no_lines_is_empty() -> None:
    assert TextFile(list).open().read() == b""


@pytest.mark.parametrize("past", [0, 10, 2**40])
def test_past_the_end_there_is_nothing_and_no_error(handle: TextHandle, past: int) -> None:
    assert handle.seek(past, io.SEEK_END) == len(TEXT) + past
    assert (handle.read(), handle.read(5), handle.readline()) == (b"", b"", b"")
    assert handle.pread(5, len(TEXT) + past) == b""
    assert handle.tell() == len(TEXT) + past


# seeking


@pytest.mark.parametrize(
    ("offset", "whence", "position"),
    [(4, io.SEEK_SET, 4), (3, io.SEEK_CUR, 8), (-5, io.SEEK_CUR, 0), (-2, io.SEEK_END, 23)],
)
def test_seek_counts_from_start_position_or_end(
    handle: TextHandle, offset: int, whence: int, position: int
) -> None:
    handle.seek(5)
    assert handle.seek(offset, whence) == position
    assert handle.tell() == position


@pytest.mark.parametrize(
    "wrong",
    [
        lambda handle: handle.read(-2),
        lambda handle: handle.readline(-2),
        lambda handle: handle.pread(-1, 0),
        lambda handle: handle.pread(1, -1),
        lambda handle: handle.seek(-1),
        lambda handle: handle.seek(-6, io.SEEK_CUR),
        lambda handle: handle.seek(-len(TEXT) - 1, io.SEEK_END),
        lambda handle: handle.seek(0, 3),
        lambda handle: handle.seek(0, -1),
    ],
)
def test_a_bad_size_or_offset_is_einval_and_moves_nothing(
    handle: TextHandle, wrong: Callable[[TextHandle], object]
) -> None:
    handle.seek(5)
    with pytest.raises(OSError, match="invalid argument") as caught:
        wrong(handle)
    assert caught.value.errno == errno.EINVAL
    assert handle.tell() == 5


# one handle, one snapshot


def test_an_open_handle_keeps_its_snapshot_while_the_source_changes() -> None:
    lines = [b"header\n", b"eth0:0\n", b"eth0:1\n"]
    file = TextFile(lambda: list(lines))
    old = file.open()
    assert old.read(9) == b"header\net"
    del lines[1]
    assert old.read() == b"h0:0\neth0:1\n"
    assert old.pread(100, 0) == b"header\neth0:0\neth0:1\n"
    assert file.open().read() == b"header\neth0:1\n"


def test_show_is_asked_once_per_open_and_only_then() -> None:
    asked = []

    def show() -> list[bytes]:
        asked.append(1)
        return LINES

    file = TextFile(show)
    assert len(asked) == 0
    handle = file.open()
    assert len(asked) == 1
    handle.read()
    handle.seek(0)
    handle.read()
    assert len(asked) == 1
    file.open()
    assert len(asked) == 2


def test_two_handles_have_two_positions() -> None:
    file = text_file()
    first, second = file.open(), file.open()
    first.read(5)
    assert (first.tell(), second.tell()) == (5, 0)


def test_render_is_what_a_handle_reads() -> None:
    assert text_file().render() == TEXT == text_file().open().read()


def test_an_error_of_show_comes_out_of_open() -> None:
    def show() -> list[bytes]:
        raise LookupError("no kernel")

    with pytest.raises(LookupError, match="no kernel"):
        TextFile(show).open()


# only reading


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_reading_modes_open(mode: str) -> None:
    assert text_file().open(mode).read() == TEXT


@pytest.mark.parametrize("mode", ["w", "wb", "a", "x", "r+", "rb+", "w+b", "ab"])
def test_a_mode_that_could_write_is_eacces_and_renders_nothing(mode: str) -> None:
    def show() -> list[bytes]:
        raise AssertionError("rendered for a writer")

    with pytest.raises(PermissionError) as caught:
        TextFile(show).open(mode)
    assert caught.value.errno == errno.EACCES


@pytest.mark.parametrize("mode", ["", "b", "rt", "rr", "q"])
def test_what_is_no_mode_is_a_value_error(mode: str) -> None:
    with pytest.raises(ValueError, match="invalid mode"):
        text_file().open(mode)


@pytest.mark.parametrize(
    "write",
    [
        lambda handle: handle.write(b"x"),
        lambda handle: handle.write(b""),
        lambda handle: handle.writelines([]),
        lambda handle: handle.truncate(),
        lambda handle: handle.truncate(0),
    ],
)
def test_every_write_is_eacces_and_changes_nothing(
    handle: TextHandle, write: Callable[[TextHandle], object]
) -> None:
    with pytest.raises(PermissionError) as caught:
        write(handle)
    assert caught.value.errno == errno.EACCES
    assert handle.read() == TEXT


def test_a_handle_tells_that_it_is_read_only_and_seekable(handle: TextHandle) -> None:
    assert (handle.readable(), handle.writable(), handle.seekable()) == (True, False, True)
    assert handle.mode == TextFile.mode == 0o444
    assert not handle.isatty()


# closing


@pytest.mark.parametrize(
    "use",
    [
        lambda handle: handle.read(),
        lambda handle: handle.read(0),
        lambda handle: handle.pread(1, 0),
        lambda handle: handle.readinto(bytearray(1)),
        lambda handle: handle.readline(),
        lambda handle: handle.seek(0),
        lambda handle: handle.tell(),
        lambda handle: handle.readable(),
        lambda handle: handle.writable(),
        lambda handle: handle.seekable(),
        next,
        iter,
    ],
)
def test_a_closed_handle_refuses_all_use(
    handle: TextHandle, use: Callable[[TextHandle], object]
) -> None:
    handle.close()
    handle.close()
    with pytest.raises(ValueError, match="closed"):
        use(handle)


def test_leaving_the_with_block_closes() -> None:
    with text_file().open() as handle:
        assert not handle.closed
    assert handle.closed


# the layers of io over it


@whole
@given(texts, st.lists(st.integers(0, 30), max_size=20), st.integers(1, 16))
def test_a_buffered_reader_over_a_handle_reads_the_same(
    text: bytes, sizes: list[int], buffer: int
) -> None:
    reader = io.BufferedReader(TextFile(lambda: [text]).open(), buffer)
    assert b"".join([*(reader.read(size) for size in sizes), reader.read()]) == text
    reader.seek(0)
    assert reader.readlines() == list(io.BytesIO(text))


def test_a_text_wrapper_over_a_handle_gives_str_lines(handle: TextHandle) -> None:
    with io.TextIOWrapper(io.BufferedReader(handle), encoding="ascii") as lines:
        assert list(lines) == [line.decode("ascii") for line in LINES]
    assert handle.closed


# records


@whole
@given(st.binary(max_size=100).filter(lambda line: b"\n" not in line), st.integers(1, 80))
def test_a_record_has_its_width_and_one_newline_at_the_end(line: bytes, width: int) -> None:
    record = padded(line, width)
    assert len(record) == width
    assert record.index(b"\n") == width - 1
    assert record[:-1] == (line + b" " * width)[: width - 1]


def test_records_of_the_historical_width_make_the_historical_bytes() -> None:
    """Three lines of 64 bytes, columns at 0, 17 and 24, as Linux 2.0.40 printed them."""
    lines = [
        b"device           family address",
        b"eth0:0           2      200.1.1.1",
        b"eth0:2           2      200.1.1.2",
    ]
    text = TextFile(lambda: (padded(line, 64) for line in lines)).open().read()
    assert len(text) == 192
    assert text[63::64] == b"\n\n\n"
    assert text[64:128] == b"eth0:0           2      200.1.1.1" + b" " * 30 + b"\n"


@pytest.mark.parametrize(("length", "kept"), [(38, 38), (39, 39), (40, 39), (45, 39)])
def test_39_bytes_of_address_fit_in_a_record_of_64(length: int, kept: int) -> None:
    assert padded(b"x" * 24 + b"a" * length, 64).count(b"a") == kept


@pytest.mark.parametrize("width", [0, -1])
def test_a_width_without_room_for_the_newline_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="width"):
        padded(b"", width)


@pytest.mark.parametrize("line", [b"a\nb", b"a\n", b"x" * 70 + b"\n"])
def test_a_newline_within_a_record_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="newline"):
        padded(line, 64)


# the package


def loaded_by(statement: str) -> set[str]:
    """Return the modules that `statement` adds to os, errno and the built-in ones."""
    root = str(Path(procfs.__file__).parents[1])
    code = (
        "import sys, os, errno, __future__\n"
        f"sys.path.insert(0, {root!r}); before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*set(sys.modules) - before)"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_package_loads_nothing_until_a_name_is_used() -> None:
    assert loaded_by("import procfs") == {"procfs"}
    assert loaded_by("from procfs import TextFile") == {"procfs", "procfs.seqfile"}


def test_the_whole_package_loads_nothing_beyond_itself() -> None:
    assert loaded_by("import procfs.publish") == {
        "procfs",
        "procfs.seqfile",
        "procfs.tree",
        "procfs.publish",
    }


@pytest.mark.parametrize("name", procfs.__all__)
def test_every_exported_name_is_fetched_once_and_listed(name: str) -> None:
    assert getattr(procfs, name).__name__ == name
    assert name in vars(procfs)
    assert name in dir(procfs)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        procfs.nothing_here  # noqa: B018 - the access is what is tested
