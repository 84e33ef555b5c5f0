"""The words of a command -> a wish, or a UsageError."""

from __future__ import annotations

from errno import EINVAL

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import desired, errors
from netalias.desired import Wish
from netalias.families import AliasType, Registry, lazy
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6
from netalias.kinds import AUTO, KINDS
from netalias.model.names import AliasName

DEFAULTS = {
    slot: getattr(Wish(None), slot)  # type: ignore[arg-type]
    for slot in Wish.__slots__
    if slot not in ("name", "delete")
}


def parse(text: str, registry: Registry | None = None) -> Wish:
    """``eth0:0`` and these words."""
    return desired.parse(["eth0:0", *text.split()], registry or lazy())


def said(text: str) -> dict[str, object]:
    """Attributes of a wish that the words set, by name; the type as its name."""
    wish = parse(text)
    found = {key: getattr(wish, key) for key, usual in DEFAULTS.items()
             if getattr(wish, key) != usual}  # fmt: skip
    if wish.type is not None:
        found["type"] = wish.type.name
    return found


def refused(text: str) -> errors.UsageError:
    with pytest.raises(errors.UsageError) as caught:
        parse(text)
    error = caught.value
    assert error.status == errors.STATUS_USAGE
    assert str(error).startswith(("eth0:0: ", "netmask "))
    assert "\n" not in error.line()
    return error


ADDRESS = {"type": "ip", "address": b"\xc8\1\1\1"}
MAC = bytes.fromhex("020000000001")
V6 = {"type": "ipv6", "address": bytes.fromhex("20010db8000000000000000000000005")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("200.1.1.1", ADDRESS),
        ("inet 200.1.1.1", ADDRESS),
        ("ip 200.1.1.1", ADDRESS),
        ("200.1.1.1/24", {**ADDRESS, "prefixlen": 24}),
        ("200.1.1.1/0", {**ADDRESS, "prefixlen": 0}),
        ("200.1.1.1/32", {**ADDRESS, "prefixlen": 32}),
        ("2001:db8::5", V6),
        ("inet6 2001:db8::5/64", {**V6, "prefixlen": 64}),
        ("ipv6 2001:DB8:0::5", V6),
        ("::ffff:1.2.3.4", {"type": "ipv6", "address": bytes(10) + b"\xff\xff\1\2\3\4"}),
        ("netmask 255.255.255.0", {"prefixlen": 24, "netmask": True}),
        ("netmask 0.0.0.0", {"prefixlen": 0, "netmask": True}),
        ("netmask 255.255.255.255", {"prefixlen": 32, "netmask": True}),
        ("netmask 128.0.0.0", {"prefixlen": 1, "netmask": True}),
        ("prefixlen 24", {"prefixlen": 24}),
        ("prefixlen 0", {"prefixlen": 0}),
        ("broadcast 200.1.1.255", {"broadcast": b"\xc8\1\1\xff"}),
        ("-broadcast", {"broadcast": b""}),
        ("200.1.1.1 pointopoint 200.1.1.2", {**ADDRESS, "peer": b"\xc8\1\1\2"}),
        ("200.1.1.1 pointopoint 200.1.1.2/30",
         {**ADDRESS, "peer": b"\xc8\1\1\2", "prefixlen": 30}),
        ("metric 0", {"metric": 0}),
        ("metric 4294967295", {"metric": 0xFFFFFFFF}),
        ("mtu 1400", {"mtu": 1400}),
        ("hw ether 02:00:00:00:00:01", {"mac": MAC}),
        ("hw ether 2:0:0:0:0:1", {"mac": MAC}),
        ("hw ether 02-00-00-00-00-01", {"mac": MAC}),
        ("hw ether 02:00:00:00:00:aB", {"mac": MAC[:5] + b"\xab"}),
        ("kind auto", {"kind": "auto"}),
        ("kind macvlan", {"kind": "macvlan"}),
        ("kind ipvlan", {"kind": "ipvlan"}),
        ("kind dummy", {"kind": "dummy"}),
        ("kind label", {"kind": "label"}),
        ("up", {"up": True}),
        ("down", {"up": False}),
    ],
)  # fmt: skip
def test_word(text: str, expected: dict[str, object]) -> None:
    """Every word says one thing, and nothing else."""
    assert said(text) == expected
    assert parse(text).empty == (not expected)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("200.1.1.1", "netmask 255.255.255.0"),
        ("200.1.1.1/24", "netmask 255.255.255.0"),
        ("200.1.1.1", "kind macvlan"),
        ("inet 200.1.1.1", "up"),
        ("down", "mtu 1400"),
        ("hw ether 02:00:00:00:00:01", "200.1.1.1"),
        ("2001:db8::5", "prefixlen 64"),
        ("broadcast 200.1.1.9", "200.1.1.1/24"),
        ("metric 5", "-broadcast"),
    ],
)
def test_any_order(one: str, other: str) -> None:
    """The words after the name stand in any order."""
    assert said(f"{one} {other}") == said(f"{other} {one}") == {**said(one), **said(other)}


@pytest.mark.parametrize(
    "text",
    ["netmask", "prefixlen", "broadcast", "200.1.1.1 pointopoint", "metric", "mtu", "hw",
     "kind", "200.1.1.1 netmask"],
)  # fmt: skip
def test_missing_argument(text: str) -> None:
    """The error names the missing argument."""
    assert f"{text.split()[-1]} needs " in str(refused(text))


def test_missing_second_argument() -> None:
    """``hw`` takes two."""
    assert "hw needs a class and an address" in str(refused("hw ether"))


@pytest.mark.parametrize("text", ["inet", "inet6", "inet up", "ip netmask 255.0.0.0"])
def test_missing_address(text: str) -> None:
    """The name of a type is followed by an address."""
    assert "needs an address" in str(refused(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("200.1.1.1/24 netmask 255.255.0.0", "16 contradicts 24"),
        ("acd quick", "acd quick: one of off, fast, rfc is needed"),
        ("announce 0", "announce 0: off, every SECONDS, or a number from 1 to 99999 is needed"),
        ("announce 100000", "announce 100000: off, every SECONDS, or a number from 1 to 99999 is"),
        ("announce every 0", "announce every 0: a number of seconds from 1 to 99999 is needed"),
        ("netmask 255.255.0.0 200.1.1.1/24", "24 contradicts 16"),
        ("prefixlen 0 netmask 255.0.0.0", "8 contradicts 0"),
        ("200.1.1.1/24 pointopoint 200.1.1.2/30", "30 contradicts 24"),
        ("200.1.1.1 200.1.1.2", "one alias has one address"),
        ("200.1.1.1 inet6 2001:db8::5", "one alias has one address"),
        ("200.1.1.1 2001:db8::5", "one alias has one address"),
        ("200.1.1.1 200.1.1.1", "one alias has one address"),
        ("200.1.1.1 prefixlen 33", "33 is over 32"),
        ("prefixlen 64 200.1.1.1", "64 is over 32"),
        ("2001:db8::5 broadcast 200.1.1.255", "only an IPv4 address has a broadcast"),
        ("broadcast 200.1.1.255 2001:db8::5", "only an IPv4 address has a broadcast"),
        ("pointopoint 200.1.1.2", "must follow the address"),
    ],
)
def test_contradiction(text: str, words: str) -> None:
    """Words that contradict each other are refused, in both orders."""
    assert words in str(refused(text))


def test_last_word_counts() -> None:
    """As in ifconfig the words are done one after the other."""
    assert said("up down") == {"up": False}
    assert said("mtu 1400 mtu 1300") == {"mtu": 1300}
    assert said("broadcast 200.1.1.255 -broadcast") == {"broadcast": b""}


@pytest.mark.parametrize(
    "text",
    ["200.1.1", "200.1.1.1.1", "200.1.1.256", "200.1.1.-1", "200.1.1.01", "200.1.1.1/33",
     "200.1.1.1/", "200.1.1.1/x", "200.1.1.1/-1", "200.1.1.1/٣", "200.1.1.1/024x", "1",
     "0x7f000001",
     "200.1.1.1/255.255.255.0", "224.0.0.1", "239.1.2.3", "200.1.1.٣", "1.2.3.4" * 1000,
     "2001:db8::g", "2001:db8::1::2", "fe80::1%eth0", "ff02::1", "::", "2001:db8::1/129", ":",
     "inet 2001:db8::5", "inet6 200.1.1.1", "inet x", "200.1.1.1 pointopoint 2001:db8::5",
     "200.1.1.1 pointopoint x", "inet6 \ud800", "broadcast 200.1.1", "broadcast ::1",
     "0.0.0.0", "0.0.0.0/0", "inet 0.0.0.0"],
)  # fmt: skip
def test_bad_address(text: str) -> None:
    """BadAddress (EINVAL), with the name of the alias in front."""
    error = refused(text)
    assert isinstance(error, errors.BadAddress)
    assert error.errno == EINVAL


def test_zero_says_how_to_delete() -> None:
    """S23, S88: ``eth0:0 0.0.0.0`` is refused; its hint says how an alias is deleted."""
    assert refused("0.0.0.0").hint == "netalias eth0:0- deletes the alias"


@pytest.mark.parametrize(
    "mask",
    ["255.0.255.0", "0.0.0.255", "255.255.255.1", "255.255.0.128", "0.255.255.255", "24", "x",
     "255.255.255", "255.255.255.256", "ffff::"],
)  # fmt: skip
def test_bad_mask(mask: str) -> None:
    """A mask with holes, or a word that is no mask."""
    error = refused(f"200.1.1.1 netmask {mask}")
    assert isinstance(error, errors.BadAddress)
    assert "not a netmask" in str(error)


@pytest.mark.parametrize(
    "mac",
    ["", "x", "02:00:00:00:00", "02:00:00:00:00:01:02", "02:00:00:00:00:0g", "002:0:0:0:0:1",
     "02:00:00:00:00:", "020000000001", "02:00:00:00:00:+1", "02:00:00:00:00:٣",
     "01:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"],
)  # fmt: skip
def test_bad_mac(mac: str) -> None:
    """Six hexadecimal bytes of one station; neither a group nor zero."""
    with pytest.raises(errors.BadAddress, match="eth0:0: hw ether"):
        desired.parse(["eth0:0", "hw", "ether", mac], lazy())


@pytest.mark.parametrize(
    "text",
    ["prefixlen x", "prefixlen 129", "prefixlen -1", "prefixlen 1.0", "metric -1", "metric x",
     "metric 4294967296", "metric 99999999999999999999", "metric ٣", "mtu 0", "mtu x", "mtu 1e3",
     "mtu 4294967296", "hw ib 02:00:00:00:00:01"],
)  # fmt: skip
def test_bad_number(text: str) -> None:
    """Numbers are decimal and within their limits; other classes of hardware are not known."""
    refused(text)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("netmaks 255.0.0.0", "netmask"),
        ("kid macvlan", "kind"),
        ("pointtopoint 1.2.3.4", "pointopoint"),
        ("broadcats 1.2.3.4", "broadcast"),
        ("dwon", "down"),
        ("inet4 1.2.3.4", "inet"),
        ("ipv5 ::1", "ipv6"),
        ("kind macvlna", "macvlan"),
        ("kind lable", "label"),
    ],
)
def test_near_miss(text: str, near: str) -> None:
    """A word that is nearly one gets a hint."""
    assert refused(text).hint == f"did you mean {near}?"


def test_far_miss() -> None:
    """A word that is near to nothing gets the list of words; an unknown kind that of kinds."""
    error = refused("xyzzy")
    assert "'xyzzy' is not a word" in str(error)
    assert set(desired.WORDS) <= set(error.hint.split())
    assert refused("kind xyzzy").hint == f"one of {', '.join((AUTO, *KINDS))}"


def test_words_of_types_again_and_again() -> None:
    """One registry serves any number of commands with the words of types."""
    registry = lazy()
    for _ in range(3):
        assert isinstance(parse("inet 1.2.3.4", registry).type, Inet)
        assert isinstance(parse("inet6 ::5", registry).type, Inet6)
        assert isinstance(parse("ip 1.2.3.4", registry).type, Inet)
        assert isinstance(parse("1.2.3.4", registry).type, Inet)
        assert isinstance(parse("::5", registry).type, Inet6)
    assert [one.name for one in registry.types()] == ["ip", "ipv6"]


def test_type_with_a_name_like_a_word() -> None:
    """A type that is installed is found although its name is near to a word."""

    class Metrics(AliasType):
        family, name, size = 99, "metrics", 1

        def parse(self, text: str) -> tuple[bytes, int | None]:
            return bytes([int(text)]), None

    registry = Registry(lambda key: Metrics() if key == "metrics" else None)
    wish = parse("metrics 7", registry)
    assert (wish.address, wish.type) == (b"\7", registry.get(99))


@pytest.mark.parametrize(
    "words", [[], ["0"], ["0.0.0.0"], ["xyzzy", "hw"], ["mtu"], ["200.1.1.1", "200.1.1.2"]]
)
def test_deleting_ignores_the_rest(words: list[str]) -> None:
    """S23, S88: words after ``eth0:0-`` are ignored."""
    wish = desired.parse(["eth0:0-", *words], lazy())
    assert wish.delete
    assert not wish.empty
    assert all(getattr(wish, key) == usual for key, usual in DEFAULTS.items())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("eth0 200.1.1.1", "eth0"),
        ("eth0:0 200.1.1.300", "200.1.1.300"),
        ("eth0:0 inet 200.1.1.300 up", "200.1.1.300"),
        ("eth0:0 200.1.1.1 200.1.1.2", "200.1.1.2"),
        ("eth0:0 up 200.1.1.1 knd label", "knd"),
        ("eth0:0 200.1.1.1 kind lable up", "lable"),
        ("eth0:0 200.1.1.1 mtu x up", "x"),
        ("eth0:0 up mtu", "mtu"),
        ("eth0:0 up inet", "inet"),
        ("eth0:0 up inet down", "inet"),
        ("eth0:0 up hw ether", "hw"),
        ("eth0:0 hw ether x up", "x"),
        ("eth0:0 up netmask 1.2.3.4 down", "1.2.3.4"),
        ("eth0:0 up pointopoint 1.2.3.4 down", "1.2.3.4"),
        ("eth0:0 200.1.1.1 prefixlen 33", "eth0:0"),
        ("eth0:0- up -q down", "-q"),
    ],
)
def test_the_wrong_word_is_told(text: str, word: str) -> None:
    """An error has the index of the word that is wrong; the name stands for all of them."""
    words = text.split()
    with pytest.raises(errors.UsageError) as caught:
        desired.parse(words, lazy())
    assert words[caught.value.word] == word


@pytest.mark.parametrize(
    "text", ["", "200.1.1.1/24 broadcast 200.1.1.255 metric 5 mtu 1400 up hw ether 02:0:0:0:0:1",
             "2001:db8::5 kind label down", "200.1.1.1 netmask 255.0.0.0 pointopoint 200.1.1.9"]
)  # fmt: skip
def test_copy(text: str) -> None:
    """A copy says the same of another alias, and is another wish."""
    wish = parse(text)
    copy = wish.copy(AliasName("lo", 7), b"\1\2\3\4")
    assert (str(copy.name), copy.address) == ("lo:7", b"\1\2\3\4")
    for slot in Wish.__slots__:
        if slot not in ("name", "address"):
            assert getattr(copy, slot) == getattr(wish, slot)
    copy.kind = "dummy"
    assert wish.kind != "dummy"


def test_limit() -> None:
    """S9, S10: a given limit holds for the slot."""
    with pytest.raises(errors.BadName):
        desired.parse(["eth0:256", "200.1.1.1"], lazy(), 255)
    assert desired.parse(["eth0:255", "200.1.1.1"], lazy(), 255).name.slot == 255


def test_number() -> None:
    """The limit itself is a number; the message has word, text and limit."""
    wish = parse("")
    assert desired.number(wish, "word", "7", 7) == 7
    with pytest.raises(errors.UsageError, match="word 8: a number from 0 to 7"):
        desired.number(wish, "word", "8", 7)


WORD = (
    st.sampled_from([*desired.WORDS, "inet", "inet6", "ip", "ipv6", "ether", "auto", "label"])
    | st.sampled_from(["200.1.1.1", "200.1.1.1/24", "::5/64", "255.255.255.0", "24", "1400",
                       "02:00:00:00:00:01", "macvlan", "0.0.0.0", "-1", "/", ":", "."])
    | st.text(max_size=8)
    | st.from_regex(r"[0-9a-f.:/-]{1,20}", fullmatch=True)
)  # fmt: skip


@given(
    st.sampled_from(["eth0:0", "eth0:00", "eth0:0-", "eth0", "eth0:"]) | st.text(max_size=8),
    st.lists(WORD, max_size=8),
)
def test_any_words(name: str, words: list[str]) -> None:
    """Any words are a wish, a UsageError or a FamilyError, in one breath."""
    registry = Registry(_builtin)
    try:
        wish = desired.parse([name, *words], registry)
    except (errors.UsageError, errors.FamilyError):
        return
    assert bool(wish.address) == (wish.type is not None)
    assert wish.delete or wish.empty == (not words)


def _builtin(key: int | str) -> AliasType | None:
    """A registry without a search for installed types."""
    return {2: Inet, 10: Inet6}.get(key, lambda: None)()  # type: ignore[call-overload, no-any-return]
