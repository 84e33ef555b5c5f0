"""The files of declarations after a command with --save."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netalias import errors
from netalias.desired import Wish, declarations
from netalias.desired import parse as parse_one
from netalias.desired.amend import Amended, Present, amend
from netalias.desired.commands import is_many, parse
from netalias.desired.spelling import Entry, items
from netalias.families import lazy
from netalias.model.names import AliasName

MAIN = "/etc/netalias.conf"


def present(**aliases: str) -> Present:
    """No alias is there, but for ``eth0_1="10.0.0.1/24 kind macvlan"``; the MTU is 1500."""

    def alias(name: AliasName) -> Entry | None:
        text = aliases.get(f"{name.main}_{name.slot}")
        if text is None:
            return None
        address, *rest = text.split()
        found = lazy().get("inet6" if ":" in address else "inet")
        packed, length = found.parse(address)
        return Entry(name.slot, found, packed, str(length), items(rest))

    return Present(lambda name: {"wan": "eth0"}.get(name, name), alias, lambda name: 1500)


def amended(command: str, *texts: str, there: Present | None = None) -> Amended:
    """The files after *command*; the first one is the main file, the others stand in a folder."""
    words = command.split()
    registry = lazy()
    wishes = parse(words, registry) if is_many(words) else [parse_one(words, registry)]
    names = [MAIN, *(f"/etc/netalias.d/{number}.conf" for number in range(1, 9))]
    files = list(zip(names, texts, strict=False))
    return amend(
        files, registry, wishes, words, there or present(), target=MAIN, check=lambda file: None
    )


def after(command: str, text: str, there: Present | None = None) -> str:
    """The text of the main file after *command*."""
    return amended(command, text, there=there).texts.get(MAIN, text)


CASES = (
    # command, before, after
    ("eth0:0 10.0.0.1", "", "eth0:0        10.0.0.1\n"),
    ("eth0:0 10.0.0.1/24 mtu 1400", "# mine\n", "# mine\neth0:0        10.0.0.1/24 mtu 1400\n"),
    ("eth0:0 10.0.0.1", "# no newline", "# no newline\neth0:0        10.0.0.1\n"),
    # behind the last line of the main device
    (
        "eth0:7 10.0.0.7",
        "eth0:1  10.0.0.1  # one\neth0:2  10.0.0.2\n# two\neth1:0  10.0.1.1\n",
        "eth0:1  10.0.0.1  # one\neth0:2  10.0.0.2\neth0:7  10.0.0.7\n# two\neth1:0  10.0.1.1\n",
    ),
    # the line of that name
    (
        "eth0:1 10.0.0.9/24",
        "eth0:1  10.0.0.1/32  kind label  # web\n",
        "eth0:1  10.0.0.9/24  kind label  # web\n",
    ),
    ("eth0:1 down", "eth0:1 10.0.0.1 # web\r\n", "eth0:1 10.0.0.1 down # web\r\n"),
    ("eth0:1 up", "eth0:1 10.0.0.1 down mtu 1400\n", "eth0:1 10.0.0.1 mtu 1400\n"),
    (
        "eth0:1 mtu 1300",
        "eth0:1 mtu 1400 10.0.0.1 heal off\n",
        "eth0:1 10.0.0.1 mtu 1300 heal off\n",
    ),
    ("eth0:1 prefixlen 24", "eth0:1 10.0.0.1/32\n", "eth0:1 10.0.0.1 prefixlen 24\n"),
    (
        "eth0:1 hw ether 02:00:00:00:00:09",
        "eth0:1-2 10.0.0.1-2\n",
        "eth0:1 10.0.0.1 hw ether 02:00:00:00:00:09\neth0:2 10.0.0.2\n",
    ),
    # what a new address resets
    (
        "eth0:1 10.0.0.9",
        "eth0:1 10.0.0.1 netmask 255.255.255.0 metric 5 lease 60 down mtu 1400 heal off\n",
        "eth0:1 10.0.0.9 mtu 1400 heal off\n",
    ),
    ("eth0:1 kind label", "eth0:1 10.0.0.1 mtu 1400\n", "eth0:1 10.0.0.1 kind label\n"),
    # a range is split
    (
        "eth0:4 down",
        "eth0:1-9   10.0.0.1-9/32  mtu 1400         # web\n",
        "eth0:1-3   10.0.0.1-3/32  mtu 1400         # web\n"
        "eth0:4     10.0.0.4/32    mtu 1400 down         # web\n"
        "eth0:5-9   10.0.0.5-9/32  mtu 1400         # web\n",
    ),
    ("eth0:1-", "eth0:1-3 10.0.0.1-3/32\n", "eth0:2-3 10.0.0.2-3/32\n"),
    ("eth0:2-", "eth0:1-3 10.0.0.1-3\n", "eth0:1 10.0.0.1\neth0:3 10.0.0.3\n"),
    ("eth0:1-3-", "# a\neth0:1-3 10.0.0.1-3\n# b\n", "# a\n# b\n"),
    ("eth0:1-2-", "eth0:1 10.0.0.1\neth0:2 10.0.0.2\neth0:3 10.0.0.3\n", "eth0:3 10.0.0.3\n"),
    (
        "eth0:2-3-",
        "eth0:1-5 10.0.0.250/24+ kind label\n",
        "eth0:1 10.0.0.250/24+ kind label\neth0:4-5 10.0.0.253/24+ kind label\n",
    ),
    ("eth0:2-", "eth0:1-4 10.0.0.0/29 each\n", None),
    (
        "eth0:2-",
        "eth0:1-6 10.0.0.0/29 each down\n",
        "eth0:1 10.0.0.1 down\neth0:3-6 10.0.0.3-6 down\n",
    ),
    (
        "eth0:2-",
        "eth0:1-4 10.0.0.1,10.0.0.9-10,10.0.0.40/24\n",
        "eth0:1 10.0.0.1/24\neth0:3-4 10.0.0.10,10.0.0.40/24\n",
    ),
    (
        "eth0:1-",
        "eth0:0-3 2001:db8::fffe-2001:db8::1:1/64\n",
        "eth0:0 2001:db8::fffe/64\neth0:2-3 2001:db8::1:0-2001:db8::1:1/64\n",
    ),
    # ranges
    (
        "eth0:2-5 10.9.0.1-4/24",
        "eth0:1-3 10.0.0.1-3\n",
        "eth0:1 10.0.0.1\neth0:2-3 10.9.0.1-2/24\neth0:4-5 10.9.0.3-4/24\n",
    ),
    ("eth0:1-4 down", "eth0:1-4 10.0.0.1-4\n", "eth0:1-4 10.0.0.1-4 down\n"),
    # another name of the main device
    ("eth0:1 down", "wan:1 10.0.0.1\n", "wan:1 10.0.0.1 down\n"),
    ("wan:2 10.0.0.2", "eth0:1 10.0.0.1\n", "eth0:1 10.0.0.1\neth0:2 10.0.0.2\n"),
    # defaults
    (
        "eth0:1 10.0.0.1",
        "defaults kind label down prefixlen 24 heal off\n",
        "defaults kind label down prefixlen 24 heal off\neth0:1        10.0.0.1/32 up kind auto\n",
    ),
    (
        "eth0:1 up",
        "defaults down mtu 1400\neth0:1 10.0.0.1\n",
        "defaults down mtu 1400\neth0:1 10.0.0.1 up\n",
    ),
    (
        "eth0:1 10.0.0.1",
        "defaults mtu 1400\ndefaults\n",
        "defaults mtu 1400\ndefaults\neth0:1        10.0.0.1\n",
    ),
    (
        "eth0:1 10.0.0.1",
        "defaults mtu 1400 lease 60\n",
        "defaults mtu 1400 lease 60\neth0:1        10.0.0.1 lease off mtu 1500\n",
    ),
)


@pytest.mark.parametrize(("command", "before", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_a_file_after_a_command(command: str, before: str, wanted: str | None) -> None:
    """The line of the name, else one behind the last of its main device, else one at the end."""
    if wanted is None:  # the file itself is wrong
        with pytest.raises(errors.UsageError):
            after(command, before)
        return
    assert squeezed(after(command, before)) == squeezed(wanted)


def squeezed(text: str) -> str:
    """The text with single blanks."""
    return re.sub("  +", " ", text)


def test_a_bound_of_a_network_is_not_taken_over() -> None:
    """Nothing but the aliases of the network is in the new lines, as hosts."""
    found = after("eth0:3-", "eth0:1-6 10.0.0.0/29 each\n")
    assert squeezed(found) == "eth0:1-2 10.0.0.1-2\neth0:4-6 10.0.0.4-6\n"


def test_columns_stay() -> None:
    """The lines of a range that is split keep the columns of name, address and comment."""
    before = "eth0:1-9   10.0.0.1-9/32  mtu 1400         # web\neth0:20    10.0.0.20/32\n"
    assert after("eth0:4 down", before) == (
        "eth0:1-3   10.0.0.1-3/32  mtu 1400         # web\n"
        "eth0:4     10.0.0.4/32    mtu 1400 down    # web\n"
        "eth0:5-9   10.0.0.5-9/32  mtu 1400         # web\n"
        "eth0:20    10.0.0.20/32\n"
    )
    assert after("eth0:21 10.0.0.21", before).endswith("eth0:21    10.0.0.21\n")


def test_an_alias_of_the_kernel_is_written_with_its_words() -> None:
    """A command without an address, for an alias that no file declares."""
    there = present(eth0_1="10.0.0.1/24 kind macvlan mtu 1400")
    assert after("eth0:1 down", "", there).split() == [
        *("eth0:1", "10.0.0.1/24", "kind", "macvlan", "mtu", "1400", "down")
    ]


RESETS = (
    # the alias in the kernel, command, before, after
    (
        "10.0.0.1/24 kind label broadcast 10.0.0.200", "eth0:1 netmask 255.255.0.0",
        "eth0:1 10.0.0.1/24 broadcast 10.0.0.200\n", "eth0:1 10.0.0.1 netmask 255.255.0.0\n",
    ),
    (
        "10.0.0.1/24 kind label broadcast 10.0.0.200", "eth0:1 prefixlen 24",
        "eth0:1 10.0.0.1/24 broadcast 10.0.0.200\n",
        "eth0:1 10.0.0.1 broadcast 10.0.0.200 prefixlen 24\n",
    ),
    (
        "10.0.0.1/32 kind label", "eth0:1 kind macvlan",
        "defaults mtu 1400\neth0:1 10.0.0.1 kind label\n",
        "defaults mtu 1400\neth0:1 10.0.0.1 kind macvlan mtu 1500\n",
    ),
    (
        "10.0.0.1/32 kind ipvlan mtu 1400", "eth0:1 kind macvlan",
        "defaults mtu 1400\neth0:1 10.0.0.1 kind ipvlan\n",
        "defaults mtu 1400\neth0:1 10.0.0.1 kind macvlan\n",
    ),
    (
        "2001:db8::1/128 kind label deprecated", "eth0:1 2001:db8::4/64 kind label",
        "defaults source on\neth0:1 2001:db8::1 kind label deprecated\n",
        "defaults source on\neth0:1 2001:db8::4/64 kind label source auto\n",
    ),
    (
        "2001:db8::1/64 kind macvlan", "eth0:1 kind label",
        "defaults linklocal on gateway auto\neth0:1 2001:db8::1/64 kind macvlan\n",
        "defaults linklocal on gateway auto\neth0:1 2001:db8::1/64 kind label\n",
    ),
    (
        "2001:db8::1/64 kind label", "eth0:1 kind macvlan",
        "eth0:1 2001:db8::1/64 kind label deprecated\n", "eth0:1 2001:db8::1/64 kind macvlan\n",
    ),
    (
        "2001:db8::1/64 kind label deprecated", "eth0:1 kind macvlan",
        "eth0:1 2001:db8::1/64 kind label deprecated\n",
        "eth0:1 2001:db8::1/64 kind macvlan deprecated\n",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("there", "command", "before", "wanted"), RESETS)
def test_what_the_command_resets_goes(there: str, command: str, before: str, wanted: str) -> None:
    """With a new length, kind or address; what the alias keeps stays."""
    assert squeezed(after(command, before, present(eth0_1=there))) == wanted


def test_the_last_line_of_all_files_counts() -> None:
    """A main device that another file declares is continued there."""
    found = amended(
        "eth0:9 10.0.0.9", "eth1:0 10.1.0.1\n", "eth0:1 10.0.0.1\n", "eth1:1 10.1.0.2\n"
    )
    assert found.texts == {"/etc/netalias.d/1.conf": "eth0:1 10.0.0.1\neth0:9 10.0.0.9\n"}
    assert found.lines == [("/etc/netalias.d/1.conf", "+ eth0:9 10.0.0.9")]


def test_a_file_that_may_not_be_changed_is_refused_or_passed_over() -> None:
    """The line of the name is refused there; a new line goes to another file."""

    def check(file: str) -> None:
        if file != MAIN:
            raise errors.StateError(f"{file}: no")

    files = [(MAIN, ""), ("/run/netalias.d/1.conf", "eth0:1 10.0.0.1\n")]
    for command in ("eth0:1 down", "eth0:1-"):
        words = command.split()
        with pytest.raises(errors.StateError, match="no"):
            amend(
                files, lazy(), [parse_one(words, lazy())], words, present(),
                target=MAIN, check=check,
            )  # fmt: skip
    words = ["eth0:2", "10.0.0.2"]
    wishes = [parse_one(words, lazy())]
    found = amend(files, lazy(), wishes, words, present(), target=MAIN, check=check)
    assert found.texts == {MAIN: "eth0:2        10.0.0.2\n"}


def test_an_address_that_is_declared_already_is_refused() -> None:
    """The new files must be without errors, like the old ones."""
    with pytest.raises(errors.UsageError) as caught:
        amended("eth0:2 10.0.0.1", "eth0:1 10.0.0.1\n")
    assert "10.0.0.1 is already declared" in caught.value.details[0]


SLOTS = st.integers(0, 12)
LINES = st.lists(
    st.tuples(
        st.integers(0, 2), SLOTS, st.integers(0, 6), st.sampled_from(["", " down", " heal off"])
    ),
    max_size=6,
)


@given(lines=LINES, first=SLOTS, count=st.integers(1, 5), word=st.sampled_from(["-", " mtu 1300"]))
def test_nothing_else_changes(
    lines: list[tuple[int, int, int, str]], first: int, count: int, word: str
) -> None:
    """The others are declared as before, and those of the command as it says."""
    text = "".join(
        f"eth{main}:{slot}-{slot + more} 10.{main}.{slot}.1/24+{word}\n"
        for main, slot, more, word in lines
    )
    registry = lazy()
    parsed = declarations.parse([(MAIN, text)], registry)
    assume(not parsed.errors)
    before = {wish.name: values(wish) for wish, _ in parsed}
    command = f"eth0:{first}-{first + count}{word}"
    new = after(command, text)
    found = {wish.name: values(wish) for wish, _ in declarations.parse([(MAIN, new)], registry)}
    named = {AliasName("eth0", slot) for slot in range(first, first + count + 1)}
    for name, was in before.items():
        if name not in named:
            assert found.pop(name) == was
        elif word != "-":
            assert found.pop(name) == was | {"mtu": 1300}
    assert not found


def values(wish: Wish) -> dict[str, object]:
    """All that a wish says."""
    return {slot: getattr(wish, slot) for slot in Wish.__slots__}
