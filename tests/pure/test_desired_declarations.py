"""The text of files -> declared aliases, and every error with file, line and column."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import desired, errors
from netalias.desired import Wish, commands, declarations, ranges
from netalias.desired.declarations import Block, Declarations
from netalias.desired.defaults import DEFAULT_WORDS
from netalias.families import AliasType, Registry, lazy
from netalias.families.inet import Inet, quad
from netalias.families.inet6 import Inet6
from netalias.model.names import AliasName


class Letters(AliasType):
    """A family of a third party whose addresses look like lists and ranges: ``a-b,c+``."""

    family, name, size = 99, "letters", 8

    def parse(self, text: str) -> tuple[bytes, int | None]:
        body, slash, length = text.partition("/")
        if not 0 < len(body) <= 8 or not body.isascii():
            raise errors.BadAddress(f"{text}: not letters")
        return body.encode().ljust(8, b"."), int(length) if slash else None

    def format(self, address: bytes) -> str:
        return address.rstrip(b".").decode()


LOADERS: dict[int | str, type[AliasType]] = {2: Inet, 10: Inet6, "letters": Letters}


def registry() -> Registry:
    """A registry of two families and one more, without a search for installed types."""
    return Registry(load)


def load(key: int | str) -> AliasType | None:
    return LOADERS[key]() if key in LOADERS else None


def parse(*texts: str) -> Declarations:
    """The files ``f``, ``g``, ``h`` with these texts."""
    return declarations.parse(zip("fgh", texts, strict=False), registry())


def right(*texts: str) -> list[Wish]:
    """The wishes of files without errors."""
    found = parse(*texts)
    assert found.errors == []
    assert len(found) == len(list(found))
    return [wish for wish, _ in found]


def wrong(*texts: str) -> list[str]:
    """The errors of files."""
    return parse(*texts).errors


def said(wish: Wish) -> dict[str, object]:
    """All that a wish says, comparable; the type by its name."""
    found = {slot: getattr(wish, slot) for slot in Wish.__slots__}
    return {**found, "name": str(wish.name), "type": wish.type.name if wish.type else ""}


def brief(*texts: str) -> list[str]:
    """``eth0:0 10.0.0.1/32`` of each wish."""
    found = []
    for wish in right(*texts):
        assert wish.type is not None
        length = "" if wish.prefixlen is None else f"/{wish.prefixlen}"
        found.append(f"{wish.name} {wish.type.format(wish.address)}{length}")
    return found


LINES = [
    "eth0:0 200.1.1.1",
    "eth0:0 200.1.1.1/24",
    "eth0:0 2001:db8::5/64 kind macvlan",
    "eth0:0 kind label 200.1.1.1 netmask 255.255.255.0 broadcast 200.1.1.255 metric 5 up",
    "eth0:0 inet 200.1.1.1 -broadcast mtu 1400 hw ether 02:00:00:00:00:01 down",
    "eth0:0 200.1.1.1 pointopoint 200.1.1.2/30",
    "eth0:0 letters a-b,c+/7 kind macvlan",
    "lo:65535 fe80::1",
    "eth0:0 240.0.0.1",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("form", ["{}", "{}\n", "{}\r\n", " \t{} \t# and more\n", "\n{} #\n"])
def test_a_line_is_what_a_command_is(line: str, form: str) -> None:
    """A line has the meaning of its words after ``netalias``, whatever its end and indentation."""
    (wish,) = right(form.format(line))
    assert said(wish) == said(desired.parse(line.split(), registry()))


def test_lines_of_many_forms() -> None:
    """Comments, blank lines and an empty file declare nothing; the last line needs no end."""
    assert brief("") == brief("\n\n") == brief("# x\n   #y z\n\t\n", "#") == []
    assert brief("#eth0:0 1.2.3.3\neth0:0 1.2.3.4 #up\neth0:1 1.2.3.5") == [
        "eth0:0 1.2.3.4", "eth0:1 1.2.3.5",
    ]  # fmt: skip


TAILS = ["", "kind label", "kind macvlan mtu 1400", "up # comment", "down", "metric 3", "   up\t\r"]
PLAIN = st.tuples(
    st.sampled_from(["eth0", "lo", "eth1"]),
    st.integers(0, 65535),
    st.ip_addresses(v=4) | st.ip_addresses(v=6),
    st.sampled_from(["", "/32", "/24", "/64", "/0", "/", "/032"]),
    st.sampled_from(TAILS),
)


@given(st.lists(PLAIN, max_size=30, unique_by=(lambda one: one[:2], lambda one: one[2])))
def test_the_next_of_many_is_read_as_the_first(lines: list[tuple[object, ...]]) -> None:
    """The fast path for lines of one shape gives the same result as each line alone."""
    texts = [
        f"{main}:{slot} {address}{length} {tail}" for main, slot, address, length, tail in lines
    ]
    alone = [parse("\n" * number + text) for number, text in enumerate(texts)]
    found = parse("\n".join(texts))
    assert found.errors == [error for one in alone for error in one.errors]
    assert [(said(wish), place) for wish, place in found] == [
        (said(wish), place) for one in alone for wish, place in one
    ]


NEAR = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:.]{2,12}|0*[0-9.]{7}", fullmatch=True)


@given(
    st.from_regex(r"eth0:[0-9]{1,7}|eth0:[0-9٣_+-]{1,4}", fullmatch=True),
    NEAR | st.text(min_size=1, max_size=8),
)
def test_what_is_remembered_lets_nothing_through(name: str, address: str) -> None:
    """A line that is like a known one but for a mistake is as wrong as it is alone."""
    known = "eth0:64999 198.51.100.1/24 up\neth0:64998 2001:db8:ffff::1/24 up\n"
    line = f"{name} {address}/24 up"
    after, alone = parse(known + line), parse(f"\n\n{line}")
    if not any("declared already" in error for error in after.errors):
        assert after.errors == alone.errors
        assert [said(wish) for wish, _ in after][2:] == [said(wish) for wish, _ in alone]


@pytest.mark.parametrize(
    ("known", "line", "expected"),
    [
        ("eth0:0 10.0.0.1/24 up", "eth0:1 224.0.0.1/24 up", "f:2:8: eth0:1: 224.0.0.1/24: a multi"),
        ("eth0:0 2001:db8::1 up", "eth0:1 ff02::1 up", "f:2:8: eth0:1: ff02::1: a multicast"),
        ("eth0:0 10.0.0.1 up", "eth0:1 0.0.0.0 up", "f:2:8: eth0:1: 0.0.0.0 cannot be"),
        ("eth0:0 10.0.0.1 up", "eth0:65536 10.0.0.2 up", "f:2:1: eth0:65536: slot is over"),
        ("eth0:0 10.0.0.1 up", "eth0:٣ 10.0.0.2 up", "f:2:1: eth0:٣: slot must be a decimal"),
        ("eth0:0 kind label 10.0.0.1", "eth0:1 10.0.0.2 label 10.0.0.1", "f:2:17: eth0:1: 'label'"),
        ("eth0:0 letters a", "eth0:1 10.0.0.2 a", "f:2:17: eth0:1: 'a' is not a word"),
        ("eth0:0 10.0.0.1/24 up", "eth0:1 10.0.0.2/ up", "f:2:8: eth0:1: 10.0.0.2/: a prefix"),
        ("eth0:0 10.0.0.1 up", "eth0:1 2001:db8::g up", "f:2:8: eth0:1: 2001:db8::g: not an IPv6"),
        ("eth0:0 10.0.0.1", "eth0:1", "f:2:1: eth0:1: an address is needed"),
    ],
)
def test_near_a_known_line(known: str, line: str, expected: str) -> None:
    """A line that only resembles an earlier one is still checked."""
    (error,) = wrong(f"{known}\n{line}")
    assert error.startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("eth0:1-3 10.0.0.1-3/32 kind label",
         ["eth0:1 10.0.0.1/32", "eth0:2 10.0.0.2/32", "eth0:3 10.0.0.3/32"]),
        ("eth0:1-2 kind label ip 10.0.0.255+", ["eth0:1 10.0.0.255", "eth0:2 10.0.1.0"]),
        ("eth0:1-2 inet6 2001:db8::f/64+ up", ["eth0:1 2001:db8::f/64", "eth0:2 2001:db8::10/64"]),
        ("eth0:1-3 1.2.3.4-5,1.2.3.9/24",
         ["eth0:1 1.2.3.4/24", "eth0:2 1.2.3.5/24", "eth0:3 1.2.3.9/24"]),
        ("eth0:1-2 10.1.0.4/30 each", ["eth0:1 10.1.0.5", "eth0:2 10.1.0.6"]),
        ("eth0:1-2 10.1.0.4/30 each prefixlen 30", ["eth0:1 10.1.0.5/30", "eth0:2 10.1.0.6/30"]),
        ("eth0:9-9 10.0.0.7-7", ["eth0:9 10.0.0.7"]),
        ("eth0:9 10.0.0.7+", ["eth0:9 10.0.0.7"]),
        ("eth0:9 10.1.0.4/32 each", ["eth0:9 10.1.0.4"]),
    ],
)  # fmt: skip
def test_ranges_pair_up(line: str, expected: list[str]) -> None:
    """The first slot has the first address, and so on; the other words hold for each alias."""
    assert brief(line) == expected
    tail = [said(wish)["kind"] for wish in right(line)]
    assert len(set(tail)) == 1
    assert tail[0] == ("label" if "label" in line else "")


def test_a_range_is_one_block() -> None:
    """A line is a block, however many aliases it declares; each wish is a fresh one."""
    found = parse("eth0:0-9999 10.0.0.1+ kind label\n\neth1:7 2001:db8::1", "lo:0 192.0.2.1")
    assert [(len(block), block.place, block.slots) for block in found.blocks] == [
        (10000, "f:1", range(10000)), (1, "f:3", range(7, 8)), (1, "g:1", range(1)),
    ]  # fmt: skip
    assert len(found) == 10002
    first, again = list(found.blocks[0].wishes()), list(found.blocks[0].wishes())
    assert said(first[0]) == said(found.blocks[0].wish)
    assert all(one is not other for one, other in zip(first, again, strict=True))
    assert said(first[9999]) == said(
        desired.parse(["eth0:9999", "10.0.39.16", "kind", "label"], registry())
    )


def test_places() -> None:
    """Each wish comes with the file and the line that declares it."""
    found = parse("\neth0:0-1 10.0.0.1+", "# x\r\neth0:2 10.0.0.9")
    assert [(str(wish.name), place) for wish, place in found] == [
        ("eth0:0", "f:2"), ("eth0:1", "f:2"), ("eth0:2", "g:2"),
    ]  # fmt: skip


def test_only() -> None:
    """The blocks of one main device, and all the errors."""
    found = parse("eth0:0 10.0.0.1\neth1:0-1 10.0.0.2+\neth0:1 10.0.0.9\nx")
    assert [str(wish.name) for wish, _ in found.only("eth1")] == ["eth1:0", "eth1:1"]
    assert len(found.only("eth0")) == 2
    assert len(found.only("eth2")) == 0
    assert found.only("eth2").errors == found.errors != []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("show", "f:1:1: show: not an alias name (a file declares aliases: eth0:0 200.1.1.1/24;"
                 " verbs belong to batch)"),
        ("  -q show", "f:1:3: -q: not an alias name (a file declares aliases: eth0:0 200.1.1.1/24;"
                      " verbs belong to batch)"),
        ("eth0:0", "f:1:1: eth0:0: an address is needed"),
        ("eth0:0 up", "f:1:1: eth0:0: an address is needed"),
        ("eth0:1-2", "f:1:1: eth0:1: an address is needed"),
        ("eth0:0-", "f:1:1: eth0:0-: a declaration does not delete (a range is eth0:1-50)"),
        ("eth0:0- 10.0.0.1", "f:1:1: eth0:0-: a declaration does not delete"
                             " (a range is eth0:1-50)"),
        ("\teth0:x 10.0.0.1", "f:1:2: eth0:x: slot must be a decimal number"),
        ("eth0:0 10.0.0.1 10.0.0.2", "f:1:17: eth0:0: 10.0.0.2: one alias has one address"
                                     " (use another slot)"),
        ("eth0:0  10.0.0.300 up", "f:1:9: eth0:0: 10.0.0.300: not an IPv4 address"),
        ("eth0:0 inet  10.0.0.300", "f:1:14: eth0:0: 10.0.0.300: not an IPv4 address"),
        ("eth0:0 10.0.0.1 knd label", "f:1:17: eth0:0: 'knd' is not a word that netalias knows"
                                      " (did you mean kind?)"),
        ("eth0:0 knd label 10.0.0.1", "f:1:8: eth0:0: 'knd' is not a word that netalias knows"
                                      " (did you mean kind?)"),
        ("eth0:0 10.0.0.1 kind lable", "f:1:22: eth0:0: kind lable: there is no such kind"
                                       " (did you mean label?)"),
        ("eth0:0 10.0.0.1 mtu", "f:1:17: eth0:0: mtu needs a number of bytes"),
        ("eth0:0 mtu # 1400", "f:1:8: eth0:0: mtu needs a number of bytes"),
        ("eth0:0 inet", "f:1:8: eth0:0: inet needs an address"),
        ("eth0:0 inet -broadcast", "f:1:8: eth0:0: inet needs an address"),
        ("eth0:0 0.0.0.0", "f:1:8: eth0:0: 0.0.0.0 cannot be the address of an alias"
                           " (netalias eth0:0- deletes the alias)"),
        ("eth0:1-3 10.0.0.1", "f:1:10: eth0:1-3: 3 slots and 1 address do not pair up"
                              " (a range such as 10.0.0.1-50, or 10.0.0.1+ to count up)"),
        ("eth0:1-3 10.0.0.1-5", "f:1:10: eth0:1-3: 3 slots and 5 addresses do not pair up"),
        ("eth0:1 up ip 10.0.0.1-5", "f:1:14: eth0:1: 1 slot and 5 addresses do not pair up"),
        ("eth0:1-9 10.1.0.0/24 each", "f:1:10: eth0:1-9: 9 slots and 254 addresses do not pair up"),
        ("eth0:1-2 letters a-b,c+", "f:1:18: eth0:1-2: 2 slots and 1 address do not pair up"
                                    " (a range such as 10.0.0.1-50, or 10.0.0.1+ to count up)"),
        ("eth0:1-3 10.0.0.5-1", "f:1:10: eth0:1-3: 10.0.0.5-1: the range ends before it begins"),
        ("eth0:1-2 10.1.0.4/30 each knd", "f:1:27: eth0:1: 'knd' is not a word that netalias knows"
                                          " (did you mean kind?)"),
        ("eth0:1-2 mtu x 10.1.0.4/30 each", "f:1:14: eth0:1: mtu x: a number from 0 to 4294967295"
                                            " is needed"),
        ("eth0:1 10.0.0.1 up each", "f:1:20: eth0:1: 'each' is not a word that netalias knows"
                                    " (an address, or one of: netmask prefixlen broadcast"
                                    " -broadcast pointopoint metric mtu hw kind acd"
                                    " conflict announce heal on-down optimistic lease deprecated"
                                    " source gateway linklocal up down)"),
        ("eth0:1 10.0.0.1 prefixlen 40", "f:1:1: eth0:1: prefix length 40 is over 32"),
        ("defaults 10.0.0.1", "f:1:10: defaults: 10.0.0.1: not a word for defaults"
                              " (one of: acd announce broadcast -broadcast conflict deprecated"
                              " down gateway heal kind lease linklocal metric mtu netmask"
                              " on-down optimistic prefixlen source up)"),
        ("defaults up mtu x", "f:1:17: defaults: mtu x: a number from 0 to 4294967295 is needed"),
        ("defaults kind", "f:1:10: defaults: kind needs the name of a kind"),
    ],
)  # fmt: skip
def test_error(text: str, expected: str) -> None:
    """An error has file, line, column of the wrong word, the fault and the expected words."""
    assert wrong(text) == [expected]


@pytest.mark.parametrize("word", ["inet", "hw", "pointopoint", "1.2.3.4", "::1", "xyzzy", "each"])
def test_what_belongs_to_one_alias_is_no_default(word: str) -> None:
    """Addresses, peers and MACs cannot be those of many."""
    (error,) = wrong(f"defaults up {word} 1.2.3.4")
    assert error.startswith(f"f:1:13: defaults: {word}: not a word for defaults")


def test_all_errors_of_all_files() -> None:
    """An error hides no other; they come in the order of the files and lines."""
    found = parse("x\neth0:0 10.0.0.1\neth0:1 y", "eth0:0 10.0.0.2\nz", "eth0:2 10.0.0.1")
    assert [error.split(" ")[0] for error in found.errors] == [
        "f:1:1:", "f:3:8:", "g:1:1:", "g:2:1:", "h:1:8:",
    ]  # fmt: skip
    with pytest.raises(declarations.DeclarationError) as caught:
        declarations.check(found)
    assert caught.value.details == found.errors
    assert caught.value.status == errors.STATUS_USAGE
    assert str(caught.value) == "5 errors; nothing was changed"


def test_check() -> None:
    """check() raises for one error, and for none it does not."""
    with pytest.raises(declarations.DeclarationError, match="1 error; nothing was changed"):
        declarations.check(parse("x"))
    declarations.check(parse("eth0:0 10.0.0.1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eth0:0 10.0.0.1\neth0:0 10.0.0.2", ["f:2:1: eth0:0 is already declared at f:1"]),
        ("eth0:0 10.0.0.1 up\n eth0:00 10.0.0.2 up", ["f:2:2: eth0:0 is already declared at f:1"]),
        ("eth0:0 10.0.0.1\neth0:1 10.0.0.1",
         ["f:2:8: 10.0.0.1 is already declared at f:1 (eth0:0)"]),
        ("eth0:0 10.0.0.1/24\n\neth1:0 mtu 1400 ip 10.0.0.1/32",
         ["f:3:20: 10.0.0.1 is already declared at f:1 (eth0:0)"]),
        ("eth0:0 2001:db8::1\neth0:1 2001:DB8:0::1/64",
         ["f:2:8: 2001:db8::1 is already declared at f:1 (eth0:0)"]),
        ("eth0:0 10.0.0.1\neth0:0 10.0.0.1",
         ["f:2:1: eth0:0 is already declared at f:1",
          "f:2:8: 10.0.0.1 is already declared at f:1 (eth0:0)"]),
        ("eth0:0-9 10.0.0.1+\neth0:5 10.0.1.1\neth1:0-5 10.0.0.8+",
         ["f:2:1: eth0:5 is already declared at f:1",
          "f:3:10: 10.0.0.8 is already declared at f:1 (eth0:7)"]),
        ("eth0:5 10.0.1.5\neth0:0-9 10.0.1.0-9",
         ["f:2:1: eth0:5 is already declared at f:1",
          "f:2:10: 10.0.1.5 is already declared at f:1 (eth0:5)"]),
        ("eth0:0-2 1.2.3.4-5,1.2.3.4",
         ["f:1:10: 1.2.3.4 is given twice (eth0:0)"]),
        ("eth0:0 10.0.0.1\neth0:0-1 10.0.0.5+\neth0:1 10.0.0.9\neth0:2 10.0.0.6",
         ["f:2:1: eth0:0 is already declared at f:1",
          "f:3:1: eth0:1 is already declared at f:2",
          "f:4:8: 10.0.0.6 is already declared at f:2 (eth0:1)"]),
        ("eth0:0 10.0.0.1\neth0:0 10.0.0.2\neth0:0 10.0.0.1",
         ["f:2:1: eth0:0 is already declared at f:1",
          "f:3:1: eth0:0 is already declared at f:1",
          "f:3:8: 10.0.0.1 is already declared at f:1 (eth0:0)"]),
        ("eth0:0 letters a\neth0:1 letters a/3",
         ["f:2:16: a is already declared at f:1 (eth0:0)"]),
    ],
)  # fmt: skip
def test_declared_twice(text: str, expected: list[str]) -> None:
    """A slot or an address that is declared again names the place of the first."""
    assert wrong(text) == expected


def test_declared_twice_in_two_files() -> None:
    """The first place may be in another file."""
    assert wrong("\neth0:0 10.0.0.1", "eth0:0 10.0.0.2") == [
        "g:1:1: eth0:0 is already declared at f:2"
    ]


def test_not_declared_twice() -> None:
    """Slots are those of a main, and bytes are those of a family."""
    assert len(right("eth0:0 97.98.46.46\neth1:0 10.0.0.2\neth0:1 ::6162:2e2e")) == 3


def usual(defaults: str, line: str) -> dict[str, object]:
    """Attributes of a line below these defaults, without those that are not set."""
    (wish,) = right(f"defaults {defaults}\neth0:0 {line}")
    bare = said(Wish(AliasName("eth0", 0)))
    return {key: value for key, value in said(wish).items()
            if value != bare[key] and key not in ("address", "type")}  # fmt: skip


TAKEN = {"mtu": 1400, "lenient": True}
"""An MTU of the defaults: a kind without one passes it over."""


@pytest.mark.parametrize(
    ("defaults", "line", "expected"),
    [
        ("kind macvlan mtu 1400", "10.0.0.1", {"kind": "macvlan", **TAKEN}),
        ("kind macvlan mtu 1400", "10.0.0.1 mtu 1300", {"kind": "macvlan", "mtu": 1300}),
        ("kind macvlan mtu 1400", "10.0.0.1 kind label", {"kind": "label"}),
        ("kind label mtu 1400", "10.0.0.1", {"kind": "label"}),
        ("kind label mtu 1400", "10.0.0.1 kind dummy", {"kind": "dummy", **TAKEN}),
        ("kind label", "10.0.0.1 mtu 1400", {"kind": "label", "mtu": 1400}),
        ("mtu 1400", "10.0.0.1", TAKEN),
        ("metric 5", "10.0.0.1", {"metric": 5}),
        ("metric 5", "10.0.0.1 metric 0", {"metric": 0}),
        ("down", "10.0.0.1", {"up": False}),
        ("down", "10.0.0.1 up", {"up": True}),
        ("up", "10.0.0.1 down", {"up": False}),
        ("prefixlen 24", "10.0.0.1", {"prefixlen": 24}),
        ("prefixlen 24", "2001:db8::1", {"prefixlen": 24}),
        ("prefixlen 24", "10.0.0.1/32", {"prefixlen": 32}),
        ("prefixlen 24", "10.0.0.1/0", {"prefixlen": 0}),
        ("prefixlen 64", "10.0.0.1/32", {"prefixlen": 32}),
        ("prefixlen 24", "10.0.0.1 netmask 255.255.0.0", {"prefixlen": 16, "netmask": True}),
        ("netmask 255.255.255.0", "10.0.0.1", {"prefixlen": 24, "netmask": True}),
        ("netmask 255.255.255.0", "10.0.0.1/32", {"prefixlen": 32}),
        ("netmask 255.255.255.0", "2001:db8::1", {}),
        ("netmask 255.255.255.0", "letters a", {}),
        ("broadcast 10.0.0.255", "10.0.0.1", {"broadcast": b"\x0a\0\0\xff"}),
        ("broadcast 10.0.0.255", "10.0.0.1 -broadcast", {"broadcast": b""}),
        ("-broadcast", "10.0.0.1", {"broadcast": b""}),
        ("-broadcast", "10.0.0.1 broadcast 10.0.0.9", {"broadcast": b"\x0a\0\0\x09"}),
        ("broadcast 10.0.0.255", "2001:db8::1", {}),
        ("-broadcast", "2001:db8::1", {}),
    ],
)  # fmt: skip
def test_defaults(defaults: str, line: str, expected: dict[str, object]) -> None:
    """A line takes the defaults that it does not set itself and can have."""
    assert usual(defaults, line) == expected


def test_default_prefix_is_checked_where_it_is_taken() -> None:
    """A length that is over that of the family is an error of the lines that take it."""
    assert wrong(
        "defaults prefixlen 64\neth0:0 10.0.0.1\neth0:1 2001:db8::1\neth0:2 10.0.0.2/8"
    ) == ["f:2:1: eth0:0: prefix length 64 is over 32"]


def test_defaults_hold_until_the_next() -> None:
    """The last line of defaults holds, for the lines below it in its file."""
    text = (
        "eth0:0 10.0.0.0\ndefaults mtu 1400 up\neth0:1 10.0.0.1\ndefaults up # x\neth0:2 10.0.0.2\n"
        "defaults\neth0:3 10.0.0.3\ndefaults mtu 1300\neth0:4-5 10.0.0.4+"
    )
    found = [(wish.mtu, wish.up) for wish in right(text, "eth0:6 10.0.0.9")]
    assert found == [(0, None), (1400, True), (0, True), (0, None), (1300, None), (1300, None),
                     (0, None)]  # fmt: skip


def test_a_device_may_be_called_defaults() -> None:
    """Only the word alone begins a line of defaults."""
    assert brief("defaults:0 10.0.0.1") == ["defaults:0 10.0.0.1"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "eth0:0 " + "x" * 1_000_000,
        "eth0:" + "1" * 1_000_000,
        "eth0:0 10.0.0.1" + " mtu 0x1" * 100_000,
        "eth0:0 " + "1.2.3.4," * 120_000,
        "eth0:0-65535 " + "0.0.0.1-255.255.255.255," * 40_000,
        "eth0:0-65535 2001:db8::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "defaults " + "mtu x " * 100_000,
    ],
    ids=lambda text: text[:16],
)
def test_a_line_of_a_megabyte(text: str) -> None:
    """An error has its place and a length that can be read."""
    (error,) = wrong(text)
    assert error.startswith("f:1:")
    assert len(error) < 500


def test_many_words() -> None:
    """A long line that is right is right."""
    assert brief("eth0:0 10.0.0.1" + " mtu 1400" * 100_000) == ["eth0:0 10.0.0.1"]


@pytest.mark.parametrize(
    "text",
    ["\0", "eth0:0\0 1.2.3.4", "eth0:0 1.2.3.4\0", "\udcff:0 \udcfe", "eth0:1 ip \udcff-\udcfe",
     "eth0:0 1.2.3.4\reth0:1 1.2.3.5"],
)  # fmt: skip
def test_garbage(text: str) -> None:
    """NUL, bytes that are no UTF-8 and other ends of lines are errors with their place."""
    (error,) = wrong(f"eth0:9 1.2.3.9\n{text}")
    assert error.startswith("f:2:")


WORDS = (
    st.sampled_from(
        [*desired.WORDS, "inet", "ip", "inet6", "letters", "each", "defaults", "#", "+"]
    )
    | st.sampled_from(["eth0:0", "eth0:1-3", "eth1:0-1", "10.0.0.1-3", "10.0.0.1+", "::5/64+",
                       "1.2.3.4,1.2.3.5", "10.1.0.0/30", "255.255.255.0", "24", "label", "ether"])
    | st.from_regex(r"[0-9a-f:.,/+-]{1,12}", fullmatch=True)
    | st.text(max_size=6)
)  # fmt: skip
LINE = st.lists(WORDS, max_size=7).map(" ".join)


@given(st.lists(st.lists(LINE, max_size=6).map("\n".join) | st.text(), max_size=3))
def test_any_text(texts: list[str]) -> None:
    """Any text is declarations or errors with a place that is there; nothing is raised."""
    found = parse(*texts)
    slots, owners = set(), set()
    for wish, place in found:
        assert wish.type is not None
        assert not wish.delete
        assert len(wish.address) == wish.type.size
        slots.add((wish.name.main, wish.name.slot))
        owners.add((wish.type.family, wish.address))
        assert place[0] in "fgh"
    assert len(slots) == len(owners) == len(found)
    for error in found.errors:
        name, line, column, text = error.split(":", 3)
        there = texts["fgh".index(name)].split("\n")[int(line) - 1]
        assert not there[int(column) - 1].isspace()
        assert column == "1" or there[int(column) - 2].isspace()
        assert text.startswith(" ")


def written(block: Block) -> str:
    """A block as a line of the grammar."""
    wish = block.wish
    assert wish.type is not None
    texts = ",".join(map(wish.type.format, block.addresses))
    length = "" if wish.prefixlen is None or wish.netmask else f"/{wish.prefixlen}"
    words = [f"{wish.name.main}:{block.slots[0]}-{block.slots[-1]}"]
    if len(block) == 1:
        words = [f"{wish.name}", wish.type.name]
    words += [f"{texts}{length}"]
    if wish.netmask:
        words += ["netmask", Inet().format((-1 << 32 - (wish.prefixlen or 0)).to_bytes(
            8, "big", signed=True)[4:])]  # fmt: skip
    if wish.broadcast is not None:
        words += ["broadcast", Inet().format(wish.broadcast)] if wish.broadcast else ["-broadcast"]
    if wish.peer:
        words += ["pointopoint", wish.type.format(wish.peer)]
    for word in ("metric", "mtu", "kind"):
        if getattr(wish, word) not in (None, 0, ""):
            words += [word, str(getattr(wish, word))]
    if wish.mac:
        words += ["hw", "ether", wish.mac.hex(":")]
    if wish.up is not None:
        words += ["up" if wish.up else "down"]
    return " ".join(words)


def strict(wish: Wish) -> dict[str, object]:
    """Attributes of a wish without any mark of defaults."""
    return {**said(wish), "lenient": False}


RIGHT = st.lists(
    st.tuples(
        st.sampled_from(["10.0.{}.1-{}/32", "10.0.{}.1+", "2001:db8:{}::1-{:x}/64",
                         "10.0.{}.1/9+"]),
        st.integers(1, 20),
        st.sampled_from(["", "kind label", "metric 7 up", "mtu 1400 kind macvlan down",
                         "hw ether 02:00:00:00:00:01", "pointopoint 10.9.9.9",
                         "netmask 255.128.0.0",
                         "broadcast 10.1.1.1", "-broadcast", "prefixlen 7"]),
        st.sampled_from(["", "defaults", "defaults metric 3 mtu 1300", "defaults kind label up",
                         "defaults prefixlen 30 down"]),
    ),
    max_size=8,
)  # fmt: skip


@given(RIGHT)
def test_written_blocks_are_read_back(parts: list[tuple[str, int, str, str]]) -> None:
    """Blocks that are written without defaults and ranges of addresses declare the same."""
    text = ""
    for number, (address, count, tail, defaults) in enumerate(parts):
        text += f"{defaults}\neth{number}:5-{4 + count} {address.format(number, count)} {tail}\n"
    found = parse(text)
    again = parse("\n".join(map(written, found.blocks)))
    assert again.errors == []
    assert [said(wish) for wish, _ in again] == [strict(wish) for wish, _ in found]
    assert len(found.blocks) + len(found.errors) == len(parts)


def test_quad() -> None:
    """inet_pton(3), used by the fast path, and the address family accept the same addresses."""
    for text in ("1.2.3.4", "01.2.3.4", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ", "0x1.2.3.4",
                 "1.2.3.٣", "1.2.3.+4", "1.2.3.", "", "16909060", "1.2.3.1_0"):  # fmt: skip
        try:
            packed = declarations.inet_pton(2, text)
        except (OSError, ValueError):
            packed = None
        assert packed == quad(text)


def test_words_are_looked_up_once() -> None:
    """Of thousands of lines of two forms two are read as the words of a command."""
    asked = []

    class Counting(Registry):
        def find(self, key: int | str) -> AliasType | None:
            asked.append(key)
            return super().find(key)

    lines = "".join(
        f"eth0:{slot} 10.0.{slot >> 8}.{slot & 255}/32 kind label # {slot}\n"
        f"eth0:{slot + 5000} 2001:db8::{slot:x}/32 kind label # {slot}\n"
        for slot in range(1000)
    )
    found = declarations.parse([("f", lines)], Counting(load))
    assert (len(found), found.errors) == (2000, [])
    assert asked == ["inet", "inet6"]


def test_the_result_is_small() -> None:
    """Ten thousand lines take less than 6.7 MB, a range of as many less than 1 MB."""
    lines = "".join(f"eth0:{slot} 10.0.{slot >> 8}.{slot & 255}/32 kind label\n"
                    for slot in range(10_000))  # fmt: skip
    for text, most in ((lines, 6_700_000), ("eth0:0-9999 10.0.0.0/32+ kind label", 1_000_000)):
        tracemalloc.start()
        try:
            found = parse(text)
            assert tracemalloc.get_traced_memory()[0] < most
        finally:
            tracemalloc.stop()
        assert len(found) == 10_000


def test_every_word_of_defaults_is_one_of_a_command() -> None:
    """The table of defaults and that of words agree."""
    assert set(DEFAULT_WORDS) < set(desired.WORDS)
    assert ranges.LIMIT == 65536


@pytest.mark.parametrize("text", ["10.80.0.5,10.80.0.5", "10.80.0.5/24,10.80.0.5/24"])
def test_a_command_that_gives_an_address_twice(text: str) -> None:
    """There is no file to tell of."""
    with pytest.raises(errors.UsageError) as caught:
        commands.parse(["eth0:20-21", text], lazy())
    assert str(caught.value) == "10.80.0.5 is given twice (eth0:20)"
