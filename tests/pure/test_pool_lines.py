"""The declared line ``pool``: its words, its errors, and what it may not share with others."""

from __future__ import annotations

import pytest
from test_desired_declarations import parse

from netalias import errors
from netalias.desired import pools
from netalias.desired.pools import Pool


def one(line: str) -> Pool:
    """The pool of a line."""
    found = pools.read(line.split())
    assert isinstance(found, Pool)
    return found


@pytest.mark.parametrize(
    ("line", "addresses"),
    [
        ("pool web 10.0.1.2-10.0.1.4,10.0.1.20", "10.0.1.2 10.0.1.3 10.0.1.4 10.0.1.20"),
        ("pool web 10.0.1.254-10.0.2.1", "10.0.1.254 10.0.1.255 10.0.2.0 10.0.2.1"),
        ("pool lab 10.8.0.0/30 each", "10.8.0.1 10.8.0.2"),
        ("pool six 2001:db8::ff-101", "2001:db8::ff 2001:db8::100 2001:db8::101"),
        ("pool one 10.0.0.9", "10.0.0.9"),
        ("pool a.b-c_1 10.0.0.9/24 dev eth0 kind label acd fast", "10.0.0.9"),
    ],
)
def test_the_addresses_of_a_line(line: str, addresses: str) -> None:
    """As ranges.py has them, in their order; both families."""
    pool = one(line)
    numbers = [number for span in pool.spans for number in span]
    assert [pool.spelled(number) for number in numbers] == addresses.split()
    assert pool.size == len(numbers)
    assert all(number in pool for number in numbers)
    assert numbers[0] - 1 not in pool
    assert one(pool.text).fields() == pool.fields()
    assert not pool.watched


def test_the_aliases_of_a_pool() -> None:
    """The words behind the device are those of each alias, which has a lease."""
    pool = one("pool web 10.0.1.2-9/24 dev eth0 kind macvlan mtu 1400")
    assert pool.wish is not None
    assert (pool.main, pool.wish.kind, pool.wish.mtu, pool.wish.prefixlen) == (
        "eth0", "macvlan", 1400, 24,
    )  # fmt: skip
    assert pool.wish.lease
    assert one("pool web 10.0.1.2-9").wish is None


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("pool web 10.0.2.0/29 dev eth0", "f:1:10: pool web: 10.0.2.0/29: that is one address, of a"
         " network (10.0.2.0/29 each)"),
        ("pool", "f:1:1: pool: a pool has a name and addresses (pool web 10.0.1.2-10.0.1.10,"
         "10.0.1.20)"),
        ("pool web", "f:1:6: pool web: a pool has a name and addresses (pool web 10.0.1.2-"
         "10.0.1.10,10.0.1.20)"),
        ("pool a/b 10.0.0.1", "f:1:6: a/b: not the name of a pool (letters, digits and . _ -,"
         " 64 at most)"),
        ("pool .. 10.0.0.1", "f:1:6: ..: not the name of a pool (letters, digits and . _ -, 64 at"
         " most)"),
        ("pool web 10.0.0.5-2", "f:1:10: pool web: 10.0.0.5-2: the range ends before it begins"),
        ("pool web 10.0.0.1-5,10.0.0.3", "f:1:10: pool web: 10.0.0.3 is given twice"),
        ("pool web 10.0.0.1/24+", "f:1:10: pool web: 10.0.0.1/24+: a pool has an end (a range such"
         " as 10.0.0.1-50)"),
        ("pool web 10.0.0.1-9/24", "f:1:10: pool web: a prefix length means nothing without dev"
         " DEVICE"),
        ("pool web eth0", "f:1:10: pool web: eth0: not an IPv4 address"),
        ("pool web 10.0.0.1-9 eth0", "f:1:21: pool web: eth0: dev DEVICE, or nothing, comes here"),
        ("pool web 10.0.0.1-9 dev", "f:1:21: pool web: dev: dev DEVICE, or nothing, comes here"),
        ("pool web 10.0.0.1-9 dev eth0:1", "f:1:25: pool web: eth0:1: not the name of a device"),
        ("pool web 10.0.0.1-9 dev eth0 kind prefix",
         "f:1:21: pool web: kind prefix: a pool lends single addresses"),
        ("pool web 10.0.0.1-9 dev eth0 kind vlan",
         "f:1:35: pool web: kind vlan: there is no such kind (did you mean ipvlan?)"),
        ("pool web 10.0.0.1-9 dev eth0 lease 60",
         "f:1:30: pool web: lease: not a word for the aliases of a pool (one of: acd announce"
         " broadcast -broadcast conflict deprecated kind metric mtu netmask optimistic prefixlen"
         " source up)"),
        ("pool web 10.0.0.1-9 dev eth0 announce every 5",
         "f:1:21: pool web: announce every is for files only (--save writes it into them)"),
    ],
)  # fmt: skip
def test_a_wrong_line(line: str, error: str) -> None:
    """Each with its place, and nothing declared."""
    found = parse(line)
    assert found.errors == [error]


def test_no_address_has_two_owners() -> None:
    """Two pools, a pool and an alias, a pool twice."""
    found = parse("pool a 10.0.0.1-9\npool b 10.0.0.5-20\npool c 10.0.0.21\npool a 10.9.0.1")
    assert found.errors == [
        "f:2:1: pool b: 10.0.0.5 is in pool a too (f:1)",
        "f:4:1: pool a is already declared at f:1",
    ]
    found = parse("pool a 10.0.0.1-9\neth0:0-1 10.0.0.9-10/24\neth0:2 2001:db8::1")
    assert found.errors == ["f:1:1: pool a: 10.0.0.9 is declared at f:2 (eth0:0)"]
    assert not parse("pool a 10.0.0.1-9\neth0:0 10.0.0.10/24\npool b 2001:db8::1-9").errors


@pytest.mark.parametrize("name", ["proxy", "proxyall", "route", "iface-alias", "pool"])
def test_a_pool_may_be_called_as_another_line(name: str) -> None:
    """The word that begins a line decides, as it does for the commands about pools."""
    line = f"pool {name} 10.8.0.0/21 each dev eth0 kind macvlan acd fast"
    found = parse(line)
    assert not found.errors
    (pool,) = found.tasks
    assert pool.fields() == pools.found([("f", line)])[name].fields()


def test_only_the_lines_of_pools_are_read() -> None:
    """A command about a pool does not stumble over the rest of a file, and names the place of what
    concerns it."""
    text = "eth0:0 nonsense\n  pool web 10.0.0.1-9 # ten\npoolside\n\npool b 10.1.0.1\n"
    found = pools.found([("f", text), ("g", "eth0:1 10.0.0.1\n")])
    assert [(pool.name, pool.place) for pool in found.values()] == [("web", "f:2"), ("b", "f:5")]
    with pytest.raises(errors.BadAddress, match=r"^g:2: pool c: 10\.0\.0\.300: not an IPv4"):
        pools.found([("g", "\npool c 10.0.0.300\n")])
    with pytest.raises(errors.AlreadyExists, match=r"^h:1: pool web is already declared at f:2$"):
        pools.found([("f", text), ("h", "pool web 10.7.0.1\n")])


@pytest.mark.parametrize("text", ["10.0.0.1/24", "10.0.0", "web", ""])
def test_what_is_no_address(text: str) -> None:
    """What a client asks for is checked."""
    with pytest.raises(errors.BadAddress):
        one("pool web 10.0.0.1-9").number(text)


def test_an_address_of_the_other_family() -> None:
    """It is an address, and not of the pool."""
    pool = one("pool web 10.0.0.1-9")
    assert pool.number("::a00:1") == -1
    assert pool.number("10.0.0.1") in pool


def test_a_file_that_is_not_to_be_shown() -> None:
    """The user behind sudo may not be able to read it: its errors have no word of it."""
    for text in ("pool web 10.0.0.hunter2", "pool hunter2", "pool web 10.0.0.1 hunter2"):
        with pytest.raises(errors.NetaliasError) as caught:
            pools.found([("f", f"{text}\n")], lambda source: "not yours")
        assert caught.value.line().startswith("f:1: ")
        assert caught.value.line().endswith("(not yours)")
        assert "hunter2" not in caught.value.line()
