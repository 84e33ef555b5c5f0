"""Selected events, the scripts run for them, and the lines printed."""

from __future__ import annotations

from typing import Any

import pytest
import schemas

from netalias import errors
from netalias.model import (
    AF_INET,
    AF_INET6,
    GROUP,
    IFF_LOWER_UP,
    IFF_POINTOPOINT,
    IFF_UP,
    PROTOCOL,
    RT_SCOPE_LINK,
    Address,
    Device,
)
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    DEPARTURE,
    LINK,
    MEDIA,
    NETNS,
    Entry,
    Event,
    Route,
    State,
    address_key,
    apply,
    route_key,
)
from netalias.monitor.hooks import Occasions
from netalias.monitor.selection import Selection
from netalias.views.events import Lines

MAC = b"\2\0\0\0\0\1"
V4 = Address(2, AF_INET, b"\n\0\0\1", 24, broadcast=b"\n\0\0\xff")
V6 = Address(2, AF_INET6, bytes.fromhex("20010db8") + bytes(11) + b"\1", 64)
LOCAL = Address(2, AF_INET6, b"\xfe\x80" + bytes(13) + b"\1", 64, scope=RT_SCOPE_LINK)
LABEL = Address(2, AF_INET, b"\n\0\0\7", 32, label="eth9:7")
LABEL6 = Address(2, AF_INET6, V6.local, 128, metric=GROUP << 16 | 8, protocol=PROTOCOL)


def eth9(flags: int = 0, name: str = "eth9", **more: Any) -> Device:
    """The main device."""
    return Device(2, name, flags, mac=MAC, **more)


def alias(name: str = "eth9_0", altname: str = "eth9:0", **more: Any) -> Device:
    """The device of an alias of it."""
    altnames = (altname,) if altname else ()
    return Device(3, name, altnames=altnames, kind="macvlan", group=GROUP, link=2, **more)


class Observed:
    """A state, and the events of it that are selected."""

    def __init__(self, *words: str) -> None:
        self.state = State()
        self.selection = Selection(words)
        self.lines = Lines(self.state, GROUP)
        self.occasions = Occasions()

    def events(self, value: Any, *, gone: bool = False) -> list[Event]:
        """The selected events when an object is so, or no longer there."""
        if isinstance(value, Device):
            key: Any = (LINK, value.index)
        elif isinstance(value, Address):
            key, value = address_key(value), Entry(value)
        elif isinstance(value, Route):
            key = route_key(value)
        else:
            key, value = value
        found = apply(self.state, key, None if gone else value)
        return [one for event in found for one in self.selection.pick(event, self.state)]

    def printed(self, value: Any, *, gone: bool = False) -> list[str]:
        """The lines for them, whose JSON is as its schema says."""
        found = self.events(value, gone=gone)
        for event in found:
            schemas.hold("monitor", self.lines.fields(event))
        return [self.lines.text(event) for event in found]

    def runs(self, value: Any, *, gone: bool = False, initial: bool = False) -> list[Any]:
        """The runs for it."""
        return [
            run
            for event in self.events(value, gone=gone)
            for run in self.occasions.of(event, initial=initial)
        ]


def whats(events: list[Event]) -> list[tuple[str, int]]:
    """The event, and the index of the device."""
    return [(event.what, event.key[1]) for event in events]


def test_events_of_others_are_not_heard() -> None:
    """D-6: neither of their addresses nor of namespaces."""
    observed = Observed("eth9")
    assert observed.events(Device(5, "eth5")) == []
    assert observed.events(Device(5, "eth5", IFF_UP)) == []
    assert observed.events(Address(5, AF_INET, b"\n\0\0\1", 24)) == []
    assert observed.events(((NETNS, 0, 1), 1)) == []
    assert observed.events(Device(5, "eth5"), gone=True) == []


def test_without_names_everything_is_heard() -> None:
    """Namespaces too."""
    observed = Observed()
    assert observed.printed(((NETNS, 0, 1), 1)) == ["+ netns 1"]
    assert whats(observed.events(Device(5, "eth5"))) == [(ARRIVAL, 5)]


def test_the_aliases_of_a_main_device_are_wanted_with_it() -> None:
    """By its primary name and by any alternative one; before they have their own name too."""
    for word in ("eth9", "wan"):
        observed = Observed(word)
        observed.events(eth9(altnames=("wan",)))
        assert whats(observed.events(alias(altname=""))) == [(ARRIVAL, 3)]
        assert whats(observed.events(alias())) == [("altname", 3)]


def test_an_alias_is_wanted_by_its_own_name() -> None:
    """Not its main device; and a label is an address alone."""
    observed = Observed("eth9:0", "eth9:7", "eth9:8")
    assert observed.events(eth9()) == []
    assert whats(observed.events(alias())) == [(ARRIVAL, 3)]
    assert observed.events(V4) == []
    assert observed.printed(LABEL) == ["+ eth9:7 10.0.0.7/32"]
    assert observed.printed(LABEL6) == ["+ eth9:8 2001:db8::1/128"]
    assert observed.printed(LABEL, gone=True) == ["- eth9:7 10.0.0.7/32"]


def test_a_name_that_a_device_gets_later_is_awaited() -> None:
    """It arrives with its addresses, and its aliases with it."""
    observed = Observed("lan")
    observed.events(eth9())
    observed.events(V4)
    observed.events(alias(altname="eth9:0"))
    found = observed.events(eth9(name="lan"))
    assert whats(found) == [(ARRIVAL, 2), (ADDRESS, 2), (ARRIVAL, 3)]
    assert whats(observed.events(eth9(IFF_UP, name="lan"))) == [("flag", 2)]


def test_a_name_that_a_device_loses_departs() -> None:
    """The change itself comes first, and no event of the device after it."""
    observed = Observed("eth9")
    observed.events(eth9())
    assert whats(observed.events(eth9(name="lan"))) == [("name", 2), (DEPARTURE, 2)]
    assert observed.events(eth9(IFF_UP, name="lan")) == []
    assert observed.events(eth9(name="lan"), gone=True) == []


def test_a_word_that_cannot_be_a_name_is_refused() -> None:
    """It would be awaited for ever."""
    for word in ("eth9:x", "a/b", "a" * 128):
        with pytest.raises(errors.BadName):
            Selection([word])


def test_lines() -> None:
    """Arrivals, departures, changes; the alias is called by its name."""
    observed = Observed()
    first = "index 2 <> mtu 1500 mac 02:00:00:00:00:01"
    assert observed.printed(eth9()) == [f"+ eth9 {first}"]
    assert observed.printed(eth9(IFF_UP)) == ["~ eth9 UP off -> on"]
    assert observed.printed(eth9(IFF_UP | IFF_LOWER_UP)) == ["~ eth9 carrier off -> on"]
    assert observed.printed(eth9(IFF_UP | IFF_LOWER_UP, mtu=1400)) == ["~ eth9 mtu 1500 -> 1400"]
    assert observed.printed(eth9(mtu=1400, altnames=("wan",)))[-1] == "~ eth9 altname - -> wan"
    assert observed.printed(eth9(mtu=1400, name="lan")) == [
        "~ eth9 name eth9 -> lan",
        "~ lan altname wan -> -",
    ]
    assert observed.printed(alias(master=2))[0].endswith("master lan altname eth9:0")
    assert observed.printed(alias()) == ["~ eth9:0 master lan -> -"]
    assert observed.printed(V4.copy(flags=0x60)) == ["+ lan 10.0.0.1/24 deprecated tentative"]
    assert observed.printed(V4.copy(flags=0x20)) == ["~ lan 10.0.0.1/24 tentative on -> off"]
    assert observed.printed(V4.copy(flags=0x20, valid=60, preferred=0)) == [
        "~ lan 10.0.0.1/24 lifetime forever/forever -> 60/0"
    ]
    assert observed.printed(((MEDIA, 2), {"speed": 10, "duplex": 0})) == [
        "+ lan speed 10 duplex half"
    ]
    assert observed.printed(((MEDIA, 2), {"speed": 0xFFFFFFFF})) == ["~ lan speed 10 -> -"]
    route = Route(AF_INET, b"\n\0\0\0", 8, (2,), gateway=b"\n\0\0\2", metric=5, table=9)
    assert observed.printed(route) == ["+ lan route 10.0.0.0/8 via 10.0.0.2 metric 5 table 9"]
    hole = Route(AF_INET, b"", 0, (), type=6)
    assert observed.printed(hole) == ["+ index 0 route blackhole 0.0.0.0/0"]
    assert observed.printed(eth9(), gone=True)[-1] == "- lan index 2"


def test_the_metric_of_an_address() -> None:
    """As it was asked for; what a label of ours has there instead is its slot."""
    observed = Observed()
    observed.events(eth9())
    assert observed.printed(V4.copy(metric=77)) == ["+ eth9 10.0.0.1/24 metric 77"]
    for address, metric in ((V6.copy(metric=78), 78), (LABEL6.copy(local=V6.local[::-1]), None)):
        (event,) = observed.events(address)
        assert observed.lines.fields(event).get("metric") == metric


def test_where_a_device_went() -> None:
    """The number of the namespace as this one counts, and the index there."""
    observed = Observed()
    observed.events(eth9())
    (event,) = apply(observed.state, (LINK, 2), None, (1, 7))
    assert observed.lines.text(event) == "- eth9 index 2 to netns 1 index 7"
    fields = observed.lines.fields(event)
    schemas.hold("monitor", fields)
    assert (fields["event"], fields["netnsid"], fields["new_ifindex"]) == ("departure", 1, 7)


def test_what_is_run() -> None:
    """D-6, D-7: the occasions of ifwatchd: nothing for a link-local address, a flag, or a name."""
    observed = Observed()
    assert observed.runs(eth9()) == [("arrival", "eth9", "", "")]
    assert observed.runs(eth9(IFF_UP)) == []
    assert observed.runs(eth9(IFF_UP | IFF_LOWER_UP)) == [("carrier", "eth9", "", "")]
    assert observed.runs(V4) == [("up", "eth9", "10.0.0.1", "10.0.0.255")]
    assert observed.runs(LOCAL) == []
    assert observed.runs(LOCAL, gone=True) == []
    assert observed.runs(V6) == [("up", "eth9", "2001:db8::1", "")]
    assert observed.runs(V4.copy(flags=0x20)) == []
    assert observed.runs(V4, gone=True) == [("down", "eth9", "10.0.0.1", "10.0.0.255")]
    assert observed.runs(eth9(IFF_UP)) == [("no-carrier", "eth9", "", "")]
    assert observed.runs(eth9(), gone=True)[-1] == ("departure", "eth9", "", "")


def test_what_is_run_for_what_was_there() -> None:
    """D-6, D-7: arrival and carrier; addresses where the device is up."""
    observed = Observed()
    assert observed.runs(eth9(IFF_UP | IFF_LOWER_UP), initial=True) == [
        ("arrival", "eth9", "", ""),
        ("carrier", "eth9", "", ""),
    ]
    assert [run[0] for run in observed.runs(V4, initial=True)] == ["up"]
    observed = Observed()
    assert [run[0] for run in observed.runs(eth9(), initial=True)] == ["arrival"]
    assert observed.runs(V4, initial=True) == []


def test_point_to_point_waits_for_its_connection() -> None:
    """D-8: a device that is up and not connected has its addresses up when it is: once."""
    waiting = IFF_UP | IFF_POINTOPOINT
    observed = Observed()
    observed.runs(eth9(waiting))
    entry = Address(2, AF_INET, b"\n\0\0\1", 32, peer=b"\n\0\0\2")
    assert observed.runs(entry) == []
    up = ("up", "eth9", "10.0.0.1", "10.0.0.2")
    assert observed.runs(eth9(waiting | IFF_LOWER_UP)) == [("carrier", "eth9", "", ""), up]
    assert observed.runs(eth9(waiting)) == [("no-carrier", "eth9", "", "")]
    assert observed.runs(eth9(waiting | IFF_LOWER_UP)) == [("carrier", "eth9", "", "")]
