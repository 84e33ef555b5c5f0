"""Keys and values of the store, and the messages between agent and watcher."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.cluster import orders, records
from netalias.cluster.records import Host, Keys, Owner, Spread

KEYS = Keys("/netalias")
KEY = ("web", "2001:db8::1")
SPREAD = Spread((("10.0.0.1", "10.0.0.9"),), "a", 30)


def test_keys() -> None:
    """Every key is read back; those of others are none."""
    assert KEYS.all == "/netalias/v1/"
    assert KEYS.split(KEYS.host("a")) == ["hosts", "a"]
    assert KEYS.split(KEYS.owner(KEY)) == ["owners", *KEY]
    assert KEYS.split(KEYS.drain("a")) == ["drains", "a"]
    assert KEYS.split(KEYS.pin(KEY)) == ["pins", *KEY]
    for key in (
        "",
        "/x/v1/hosts/a",
        "/netalias/v1/hosts/",
        "/netalias/v1/owners/web",
        "/netalias/v1/hosts/a/b",
        "/netalias/v1/hosts/a b",
        "/netalias/v1/drains/a\n",
        "/netalias/v1/owners/we b/10.0.0.1",
        "/netalias/v1/owners/web/10.0.0.1\ntake 1e300 web",
        "/netalias/v1/owners/web/10.0.0.01",
        "/netalias/v1/owners/web/10.0.0.1\0",
        "/netalias/v1/pins/web/2001:DB8::1",
        "/netalias/v1/pins/web/\udcff",
    ):
        assert KEYS.split(key) == []


def test_values() -> None:
    """What is written is read back."""
    host = Host("i1", 7, {"web": SPREAD}, "0.5.0")
    assert records.read_host(host.value()) == host
    owner = Owner("a", 17, ttl=10, held=True, since=17)
    assert records.read_owner(owner.value()) == owner
    assert records.read_node(records.node_value("b")) == "b"


def test_fields_that_a_later_release_has_are_left_alone() -> None:
    """They are no reason not to read the others."""
    later = json.loads(Owner("a", 4, ttl=10, held=False).value()) | {"colour": [1]}
    assert records.read_owner(json.dumps(later).encode()) == Owner("a", 4, ttl=10, held=False)


NOTHING = [
    b"", b"\xff", b"[]", b"{", b"1" * 5000, b"[" * 60_000, b"{" + b" " * records.VALUE_MAX + b"}",
]  # fmt: skip
NO_HOSTS = [
    b'{"instance":"i","weight":true}', b'{"instance":"i","weight":99999}', b'{"instance":7}',
    b'{"instance":"i","pools":[]}',
]  # fmt: skip
NO_OWNERS = [
    b'{"node":"a","registration":1,"held":1,"ttl":9}',
    b'{"node":"../a","registration":1,"held":true,"ttl":9}',
    b'{"node":"a","registration":"1","held":true,"ttl":9}',
    b'{"node":[],"registration":1,"held":true,"ttl":9}',
    b'{"node":"a","registration":-1,"held":true,"ttl":9}',
    b'{"node":"a","held":true,"ttl":9}',
    b'{"node":"a","registration":1,"held":true}',
    b'{"node":"a","registration":1,"held":true,"ttl":-1}',
]


def test_unreadable_values_are_none() -> None:
    """Whatever somebody has written."""
    assert [value for value in NOTHING + NO_HOSTS if records.read_host(value)] == []
    assert [value for value in NOTHING + NO_OWNERS if records.read_owner(value)] == []
    assert [value for value in NOTHING if records.read_node(value)] == []


def test_an_unreadable_pool_is_left_out() -> None:
    """The host is there all the same, and so are its other pools."""
    fields = json.loads(Host("i", pools={"web": SPREAD}).value())
    for number, wrong in enumerate(
        (1, {}, {"spans": [["a"]]}, {"spans": [[1, 2]]}, {"spans": "ab"})
    ):
        fields["pools"][f"p{number}"] = wrong
    fields["pools"]["../x"] = fields["pools"]["web"]
    found = records.read_host(json.dumps(fields).encode())
    assert found is not None
    assert found.pools == {"web": SPREAD}


FIELDS = (
    "node", "instance", "registration", "held", "since", "weight", "pools", "release", "spans",
    "web",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
    ),
)


@given(JSON)
def test_no_json_is_a_reason_to_fall(value: object) -> None:
    """An answer, or none."""
    content = json.dumps(value).encode()
    for read in (records.read_host, records.read_owner, records.read_node):
        read(content)


MESSAGES = [
    orders.Take(1234.567, [KEY, ("web", "10.0.0.1")]), orders.Extend(0.1 + 0.2),
    orders.Receive(2.5, [KEY]), orders.Release([KEY]), orders.Check([KEY]), orders.Stands(),
    orders.Gone(3, [KEY]), orders.Checked([KEY]), orders.Taken([KEY]), orders.Forget(),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.word)
def test_messages_are_read_back(message: orders.Message) -> None:
    """To the last digit of a time."""
    assert orders.parse(message.line()) == message


OTHERS = [
    "", "take", "take x", "take nan web/1", "take 1e999", "release web", "gone web/1",
    "gone x web/1", "sing web/10.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("line", OTHERS)
def test_other_lines_are_errors(line: str) -> None:
    """They come from a fault of the other process."""
    with pytest.raises(errors.PacketError):
        orders.parse(line)
