"""Events between two states: every change once, and nothing but changes."""

from __future__ import annotations

from typing import Any

import pytest
from announcements import Picture, picture, replay
from hypothesis import given
from hypothesis import strategies as st

from netalias.model import AF_INET, AF_INET6, FOREVER, IFF_UP, Address, Device
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    FLAGS,
    LINK,
    MEDIA,
    NETNS,
    Entry,
    Event,
    Route,
    State,
    address_key,
    apply,
    difference,
    route_key,
)

INDEXES = st.integers(1, 3)


@st.composite
def links(draw: st.DrawFn) -> tuple[Any, Any]:
    """A device, or that it is gone."""
    index = draw(INDEXES)
    if draw(st.integers(0, 3)) == 0:
        return (LINK, index), None
    return (LINK, index), Device(
        index,
        draw(st.sampled_from(("eth9", "eth8", "lan"))),
        draw(st.integers(0, 0x7FFFF)),
        altnames=draw(st.lists(st.sampled_from("abc"), unique=True)),
        mtu=draw(st.sampled_from((1400, 1500))),
        mac=draw(st.sampled_from((b"", b"\2\0\0\0\0\1"))),
        master=draw(st.sampled_from((0, 1))),
        kind=draw(st.sampled_from(("veth", "macvlan"))),
    )


@st.composite
def addresses(draw: st.DrawFn) -> tuple[Any, Any]:
    """An address; its lifetime is never another one by the same stamp."""
    family = draw(st.sampled_from((AF_INET, AF_INET6)))
    size = 4 if family == AF_INET else 16
    valid = draw(st.sampled_from((30, 60, FOREVER)))
    address = Address(
        draw(INDEXES),
        family,
        bytes(size - 1) + bytes([draw(st.integers(1, 2))]),
        draw(st.sampled_from((24, 32))),
        draw(st.sampled_from((0, 0x01, 0x20, 0x40, 0x48, 0x80))),
        metric=draw(st.sampled_from((0, 5))),
        label=draw(st.sampled_from(("", "eth9:1"))),
        valid=valid,
        preferred=valid,
    )
    value = Entry(address, valid & 0xFF) if draw(st.booleans()) else None
    return address_key(address), value


@st.composite
def routes(draw: st.DrawFn) -> tuple[Any, Any]:
    """A route, or that it is gone."""
    route = Route(AF_INET, bytes(4), draw(st.integers(0, 2)), (draw(INDEXES),))
    return route_key(route), route if draw(st.booleans()) else None


@st.composite
def media(draw: st.DrawFn) -> tuple[Any, Any]:
    """What one message of ethtool tells: one attribute or several."""
    values = st.dictionaries(
        st.sampled_from(("speed", "duplex", "port")), st.integers(0, 2), min_size=1
    )
    return (MEDIA, draw(INDEXES)), draw(values)


@st.composite
def namespaces(draw: st.DrawFn) -> tuple[Any, Any]:
    """The number of a namespace."""
    number = draw(st.integers(0, 1))
    return (NETNS, 0, number), number if draw(st.booleans()) else None


WORDS = st.lists(st.one_of(links(), addresses(), routes(), media(), namespaces()), max_size=40)


def told(words: list[tuple[Any, Any]]) -> State:
    """The state after these words."""
    state = State()
    for key, value in words:
        apply(state, key, value)
    return state


@given(WORDS, WORDS)
def test_the_events_lead_from_the_first_state_to_the_last(
    first: list[tuple[Any, Any]], then: list[tuple[Any, Any]]
) -> None:
    """Who applies the events, and sees nothing else, knows everything."""
    state = told(first)
    seen = picture(state)
    for key, value in then:
        replay(seen, apply(state, key, value))
    assert seen == picture(state)


@given(WORDS, WORDS)
def test_a_difference_leads_there_too(
    first: list[tuple[Any, Any]], other: list[tuple[Any, Any]]
) -> None:
    """Two states are compared as if everything in between had been heard."""
    state, fresh = told(first), told([one for one in other if one[0][0] != MEDIA])
    seen = without_media(picture(state))
    replay(seen, difference(state, fresh))
    assert seen == without_media(picture(fresh)) == without_media(picture(state))
    assert list(difference(state, fresh)) == []


def without_media(seen: Picture) -> Picture:
    """Media are told by another socket, and not compared."""
    return {key: value for key, value in seen.items() if key[0] != MEDIA}


@given(WORDS)
def test_what_is_heard_twice_happens_once(words: list[tuple[Any, Any]]) -> None:
    """A word that is repeated is no event; an event has something that changed."""
    state = State()
    for key, value in words:
        for event in apply(state, key, value):
            assert event.old != event.new or event.field == "lifetime"
        assert apply(state, key, value) == []


@pytest.mark.parametrize(("bit", "name"), FLAGS, ids=[name for _, name in FLAGS])
def test_a_flag_is_one_event_with_old_and_new(bit: int, name: str) -> None:
    """Each by itself, in both directions."""
    state = told([((LINK, 1), Device(1, "eth9", 0))])
    key = (LINK, 1)
    on, off = Device(1, "eth9", bit), Device(1, "eth9", 0)
    what = CARRIER if name == "LOWER_UP" else FLAG
    assert apply(state, key, on) == [Event(what, key, name, False, True, device=on)]
    assert apply(state, key, off) == [Event(what, key, name, True, False, device=off)]


def test_a_lifetime_that_runs_is_no_event() -> None:
    """Less is left of it: nothing has happened. Set anew it is an event, even to the same."""
    state = told([((LINK, 1), Device(1, "eth9"))])

    def heard(valid: int, stamp: int) -> list[tuple[str, object, object]]:
        entry = Entry(Address(1, AF_INET, b"\n\0\0\1", 24, valid=valid, preferred=valid), stamp)
        found = apply(state, address_key(entry.address), entry)
        return [(event.field, event.old, event.new) for event in found]

    assert [field for field, _, _ in heard(30, 100)] == [""]
    assert heard(28, 100) == []
    assert heard(28, 300) == [("lifetime", (28, 28), (28, 28))]
    assert heard(FOREVER, 400) == [("lifetime", (28, 28), (FOREVER, FOREVER))]
    assert heard(FOREVER, 500) == []


def test_a_device_that_was_made_again_is_another_one() -> None:
    """Under the same name: two events, each with its index; in a comparison too."""
    old, new = Device(4, "eth9"), Device(5, "eth9")
    state = told([((LINK, 4), old)])
    found = list(difference(state, told([((LINK, 5), new)])))
    assert [(event.what, event.key[1]) for event in found] == [(DEPARTURE, 4), (ARRIVAL, 5)]


def test_with_the_same_index_too_where_the_kind_tells() -> None:
    """``ip link add index N``: only what it is can tell then."""
    state = told([((LINK, 4), Device(4, "eth9", kind="veth"))])
    found = apply(state, (LINK, 4), Device(4, "eth9", kind="dummy"))
    assert [event.what for event in found] == [DEPARTURE, ARRIVAL]


def test_what_goes_with_a_device_goes_before_it() -> None:
    """Addresses and routes that the kernel says nothing of any more."""
    address = Address(1, AF_INET, b"\n\0\0\1", 24)
    route = Route(AF_INET, b"\n\0\0\0", 24, (1,))
    state = told(
        [
            ((LINK, 1), Device(1, "eth9", IFF_UP)),
            (address_key(address), Entry(address)),
            (route_key(route), route),
        ]
    )
    found = apply(state, (LINK, 1), None, (7, 3))
    assert [event.what for event in found] == ["route", ADDRESS, DEPARTURE]
    assert found[-1].moved == (7, 3)
    assert picture(state) == {}
