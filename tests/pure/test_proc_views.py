"""The lines of the two /proc texts, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.views import proc


def aliases(*rows: tuple[str, int, str]) -> list[bytes]:
    return list(proc.aliases(rows))


def test_empty():
    """S73, S74: the empty text is one header line of 64 bytes."""
    assert aliases() == [b"device           family address                                \n"]
    assert len(aliases()[0]) == 64


def test_columns():
    """S75: the name at 0, the family at 17, the address at 24."""
    line = aliases(("eth0:0", 2, "200.1.1.1"))[1]
    assert line == b"eth0:0           2      200.1.1.1                              \n"
    assert (line[:16].strip(), line[17:23].strip()) == (b"eth0:0", b"2")
    assert line[24:].strip() == b"200.1.1.1"


@pytest.mark.parametrize("size", [38, 39, 40, 45, 200])
def test_long_addresses(size):
    """S76: 39 characters fit; a longer address is cut."""
    line = aliases(("eth0:0", 10, "f" * size))[1]
    assert len(line) == 64
    assert line[24:63].strip() == b"f" * min(size, 39)


def test_no_address():
    """S77: the text of a type without a printer."""
    assert aliases(("eth0:0", 5, "-"))[1][24:] == b"%-39b\n" % b"-"


def test_longest_name():
    """S75: sixteen bytes are the whole column."""
    line = aliases(("abcdefghijklmn:0", 2, "1.1.1.1"))[1]
    assert line == b"%-63b\n" % b"abcdefghijklmn:0 2      1.1.1.1"


@pytest.mark.parametrize("name", ["a" * 17, "abcdefghijklmn:10", "\u00e9" * 9])
def test_names_are_never_cut(name):
    """S19, S73: a name over the column is an error."""
    with pytest.raises(ValueError, match="do not fit"):
        aliases((name, 2, "1.1.1.1"))


def test_newline():
    """S73: a newline would make two records of one."""
    for row in (("eth\n:0", 2, "1.1.1.1"), ("eth0:0", 2, "1\n2")):
        with pytest.raises(ValueError, match="newline"):
            aliases(row)


@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=16
            ).filter(lambda name: len(name.encode()) <= 16),
            st.integers(0, 65535),
            st.text("0123456789abcdef.:\u00e9", max_size=60),
        )
    )
)
def test_every_line_has_64_bytes(rows):
    """S73, S79: so that the total is 64 times rows and header, whatever the texts."""
    lines = aliases(*rows)
    assert {len(line) for line in lines} == {64}
    assert all(line.index(b"\n") == 63 for line in lines)
    assert len(b"".join(lines)) == 64 * (len(rows) + 1)


def test_alias_types():
    """S78: a header of 33 bytes, rows of 32."""
    lines = list(proc.alias_types([(2, "ip", 1), (17, "a" * 15, 9999999)]))
    assert lines == [
        b"type    name            n_attach\n",
        b"2       ip              1      \n",
        b"17      aaaaaaaaaaaaaaa 9999999\n",
    ]
    assert list(map(len, lines)) == [33, 32, 32]


def test_surrogates():
    """S73: a name that is not UTF-8 keeps its bytes."""
    line = aliases((b"eth\xff:0".decode("utf-8", "surrogateescape"), 2, "1.1.1.1"))[1]
    assert line.startswith(b"eth\xff:0 ")
    assert len(line) == 64
