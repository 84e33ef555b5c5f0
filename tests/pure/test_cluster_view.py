"""The view of a store: what events and readings make of it, and when a registration has gone."""

from __future__ import annotations

import pytest

from netalias.cluster import records
from netalias.cluster.records import Host, Keys, Owner, read_owner
from netalias.cluster.store import Entry, Event, Snapshot
from netalias.cluster.view import View

KEYS = Keys("/netalias")
FIRST = ("web", "10.0.0.1")


def host(created: int, modified: int = 0, node: str = "a") -> Entry:
    """The key of a host."""
    return Entry(KEYS.host(node), Host("token").value(), created, modified or created, 1)


def owner(registration: int, modified: int, *, held: bool = True) -> Entry:
    """The key of the first address, which host a has or had."""
    value = Owner("a", registration, ttl=5, held=held).value()
    return Entry(KEYS.owner(FIRST), value, 1, modified)


def seen(*entries: Entry, revision: int = 9) -> View:
    """A view of these entries, read at the time 100."""
    found = View(KEYS)
    found.load(Snapshot(revision, entries), 100.0)
    return found


def test_a_registration_has_gone_when_its_key_is_deleted() -> None:
    """At the time of the first news, whatever comes later."""
    view = seen(host(3), owner(3, 4))
    assert view.gone == {}
    view.note([Event(KEYS.host("a"), 10, None)], 200.0)
    assert view.gone == {("a", 3): 200.0}
    view.note([Event(KEYS.host("a"), 11, host(11))], 300.0)
    view.load(Snapshot(12, [host(11), owner(3, 4)]), 400.0)
    assert view.gone == {("a", 3): 200.0}


def test_a_key_that_is_put_again_has_not_gone() -> None:
    """It has the revision of its creation still; deleted and made again it is another."""
    view = seen(host(3), owner(3, 4))
    view.note([Event(KEYS.host("a"), 10, host(3, 10))], 200.0)
    assert view.gone == {}
    view.note([Event(KEYS.host("a"), 12, host(12))], 300.0)
    assert view.gone == {("a", 3): 300.0}


def test_an_owner_without_a_host_has_gone_when_that_is_read() -> None:
    """Nobody was there to see it go."""
    assert seen(owner(3, 4)).gone == {("a", 3): 100.0}
    assert seen(owner(3, 4, held=False)).gone == {}


def test_changes_of_our_own_are_not_taken_back_by_older_news() -> None:
    """Neither by events nor by a reading that are on their way."""
    view = seen(host(3), owner(3, 4))
    view.own(FIRST, Owner("a", 3, ttl=5, held=False), 20)
    assert view.note([Event(KEYS.owner(FIRST), 15, owner(3, 15))], 200.0) == set()
    assert view.load(Snapshot(16, [host(3), owner(3, 15)]), 200.0) == set()
    assert view.modified(FIRST) == 20
    assert view.held_by("a") == set()
    assert view.note([Event(KEYS.owner(FIRST), 21, owner(3, 21))], 200.0) == {FIRST}
    assert view.held_by("a") == {FIRST}


def test_events_that_are_known_are_not_news() -> None:
    """A Follow may begin before the reading."""
    view = seen(host(3), owner(3, 4))
    assert view.note([Event(KEYS.host("a"), 9, None)], 200.0) == set()
    assert [*view.hosts] == ["a"]


def test_a_store_that_was_put_back_begins_anew() -> None:
    """Its revisions come again, so nothing that was known of registrations counts."""
    view = seen(host(30), owner(20, 31), revision=40)
    assert view.gone == {("a", 20): 100.0}
    assert view.load(Snapshot(5, []), 200.0) == {FIRST}
    assert (view.revision, view.owners, view.gone) == (5, {}, {})


def test_a_key_of_an_address_that_goes_and_comes_again() -> None:
    """Every event counts, whether the key was known before or not, readable or not."""
    view = seen(host(3))
    key = KEYS.owner(FIRST)
    broken = Entry(key, b"garbage", 10, 11)
    for entry, revision in [(owner(3, 10), 10), (broken, 11), (owner(3, 12), 12), (None, 13)]:
        assert view.note([Event(key, revision, entry)], 200.0) == {FIRST}
        assert view.revision == revision
        assert view.held_by("a") == ({FIRST} if entry not in (broken, None) else set())
        assert view.unreadable == ({key} if entry is broken else set())
    assert FIRST not in view.owners
    view.note([Event(key, 14, owner(3, 14))], 200.0)
    assert view.held_by("a") == {FIRST}


def test_values_that_are_alike_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys of a transaction have one value: each event costs little, and not a parser."""
    read = []

    def counted(value: bytes) -> Owner | None:
        read.append(value)
        return read_owner(value)

    monkeypatch.setattr(records, "read_owner", counted)
    view = seen(host(3))
    value = owner(3, 10).value
    keys = [KEYS.owner(("web", f"10.0.0.{last}")) for last in range(1, 101)]
    view.note([Event(key, 10, Entry(key, value, 10, 10)) for key in keys], 200.0)
    assert len(view.held_by("a")) == len(keys)
    assert read == [value]
