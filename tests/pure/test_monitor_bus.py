"""The bus: who subscribes gets a whole state and then every change, however slowly it reads."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shortened import quarter
from subscribed import Known, Subscriber
from test_system_server import Served

from netalias import errors
from netalias.model import AF_INET, AF_INET6, GROUP, Address, Device
from netalias.model.events import (
    LINK,
    MEDIA,
    NETNS,
    ROUTE,
    Entry,
    Event,
    Route,
    State,
    address_key,
    apply,
    route_key,
)
from netalias.monitor import bus as bus_module
from netalias.monitor.bus import Bus, Channel
from netalias.monitor.request import EVERY, KINDS, Request
from netalias.monitor.selection import Selection, present
from netalias.system import feed as feed_module
from netalias.system.feed import OTHERS, ROOTS
from netalias.system.server import Server
from netalias.system.slots import ADVANCE, EACH, SHARE
from netalias.views import json
from netalias.views.events import Lines

UP = 0x1


class Bussed(Served):
    """A server with a bus, over a state that a test changes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.answers.close()
        self.answers = Server(
            self.path, ["json"], self.render, self.clock, self.work,
            streams={
                "subscribe": lambda words, connection, uid: self.bus.subscribe(
                    Request(words, uid), connection
                )
            },
        )  # fmt: skip
        self.state = State()
        self.bus = Bus(self.state, GROUP, self.clock, self.work)
        self.subscribers: list[Subscriber] = []

    def turn(self) -> int:
        """One turn of both, as the loop has it."""
        served = super().turn()
        feeds, now = self.bus.feeds, self.clock()
        for fileno, events in ready(feeds.wanted(now)):
            feeds.ready(fileno, events, now)
            served += 1
        if feeds.due(self.clock()) == 0.0:
            feeds.tick(self.clock())
            served += 1
        return served

    def subscribe(self, words: str = "", room: int = 0) -> Subscriber:
        """A subscriber that has not read anything."""
        made = Subscriber(self.path, words, room)
        self.subscribers.append(made)
        self.settle()
        return made

    def reads(self, *who: Subscriber) -> None:
        """These subscribers, or all, read until there is nothing more."""
        while True:
            self.settle()
            if not [one for one in who or self.subscribers if one.read()]:
                return

    def change(self, key: tuple[object, ...], value: object) -> None:
        """The value of an object, announced."""
        for event in apply(self.state, key, value):
            self.bus.hear(event)

    def device(self, index: int, name: str, **words: object) -> None:
        """A device is so from now on."""
        self.change((LINK, index), Device(index, name, **words))  # type: ignore[arg-type]

    def address(self, index: int, last: int, *, gone: bool = False, **words: object) -> None:
        """10.0.0.LAST of a device comes, or goes."""
        entry = Address(index, AF_INET, bytes((10, 0, last >> 8, last & 255)), 24, **words)  # type: ignore[arg-type]
        self.change(address_key(entry), None if gone else Entry(entry))

    @property
    def truth(self) -> Known:
        """What a subscriber knows that begins now."""
        fresh = Subscriber(self.path)
        try:
            self.settle()
            while fresh.read():
                self.settle()
            assert fresh.known.synced
            return fresh.known
        finally:
            fresh.close()

    def close(self) -> None:
        for one in self.subscribers:
            one.close()
        self.bus.feeds.close()
        super().close()


def ready(wanted: dict[int, int]) -> list[tuple[int, int]]:
    """The descriptors of these that have events."""
    import select

    waiting = select.poll()
    for fileno, events in wanted.items():
        waiting.register(fileno, events)
    return waiting.poll(0)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bussed]:
    """lo and eth0 with an address each."""
    made = Bussed(tmp_path / "net.sock")
    made.device(1, "lo", flags=UP)
    made.device(2, "eth0", flags=UP)
    made.address(2, 1)
    yield made
    made.close()


def kinds_of(subscriber: Subscriber) -> list[str]:
    """The words of the lines so far."""
    return [str(line["event"]) for line in subscriber.lines]


def test_a_state_and_then_changes(bus: Bussed) -> None:
    """Objects come with ``initial`` between reset and synced, changes after it without."""
    one = bus.subscribe()
    bus.reads()
    assert one.lines[0] == {"event": "reset", "lost": 0}
    assert kinds_of(one) == ["reset", "arrival", "arrival", "address", "synced"]
    assert all(line.get("initial") for line in one.lines[1:-1])
    bus.device(2, "eth0", flags=0)
    bus.address(2, 2)
    bus.reads()
    assert kinds_of(one)[5:] == ["flag", "address"]
    assert not any("initial" in line for line in one.lines[5:])
    assert one.known == bus.truth


def test_the_lines_are_those_of_monitor(bus: Bussed) -> None:
    """The same fields, by the same names."""
    one = bus.subscribe()
    bus.device(2, "eth0", flags=UP, mtu=9000)
    bus.reads()
    assert one.lines[-1] == {
        "event": "mtu", "ifindex": 2, "ifname": "eth0", "old": 1500, "new": 9000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["arrival", "arrival", "address", "flag", "address", "arrival", "address"]),
        ("all", ["arrival", "arrival", "address", "flag", "address", "arrival", "address"]),
        ("address", ["address", "address", "address"]),
        ("address,flag", ["address", "flag", "address", "address"]),
        ("eth0", ["arrival", "address", "flag", "address"]),
        ("flag eth0", ["flag"]),
        ("all eth1", ["arrival", "address"]),
        ("flag lo", []),
    ],
)
def test_kinds_and_device(bus: Bussed, words: str, found: list[str]) -> None:
    """Whoever asks for some gets no others, neither at the beginning nor later."""
    one = bus.subscribe(words)
    bus.reads()
    bus.device(2, "eth0", flags=0)
    bus.address(2, 2)
    bus.device(3, "eth1")
    bus.address(3, 3)
    bus.reads()
    assert [kind for kind in kinds_of(one) if kind not in ("reset", "synced")] == found


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("address,nosuch", "nosuch: none of all, arrival"),
        ("nosuch eth0", "nosuch: none of all"),
        (",", "'': none of all"),
        ("adress,", "adress: none of"),
        ("address eth0 eth1", "subscribe takes KINDS and DEV"),
        ("all a/b", "a/b"),
        ("a/b", "a/b"),
    ],
)
def test_wrong_words_are_told(bus: Bussed, words: str, reason: str) -> None:
    """One line that says why, and the end."""
    one = bus.client(f"subscribe {words}\n".encode())
    bus.serve(one.over)
    assert one.data.startswith(b"error: ")
    assert one.data.count(b"\n") == 1
    assert reason in one.data.decode()
    assert not len(bus.bus.feeds)


def asked(words: str) -> tuple[frozenset[str], str]:
    """The kinds and the device of a request by root."""
    found = Request(words.split(), 0)
    return found.kinds, found.device


def test_a_single_word_is_a_device_unless_it_is_a_kind() -> None:
    """``all`` in front makes a device of any word."""
    every = frozenset(KINDS) - {ROUTE}
    assert asked("") == asked("all") == (every, "")
    assert asked("eth0") == asked("all eth0") == (every, "eth0")
    assert asked("mtu") == asked("mtu,") == (frozenset({"mtu"}), "")
    assert asked("all mtu") == (every, "mtu")
    assert asked("all route") == asked("all, route") == (every, "route")
    assert asked(f"{','.join(KINDS)} eth0:0") == (frozenset(KINDS), "eth0:0")


def test_routes_have_to_be_named_and_are_for_root() -> None:
    """Nobody else decides about the memory that they take; ``all`` is what monitor prints."""
    assert asked("route,mtu") == (frozenset({"route", "mtu"}), "")
    assert asked(f"{EVERY},route") == (frozenset(KINDS), "")
    assert Request(["media,flag"], 1).kinds == {"media", "flag"}
    for words in ("route", "all,route", "route,address eth0"):
        with pytest.raises(errors.StateError, match="only root may subscribe to route"):
            Request(words.split(), 1)


def test_media_and_routes_are_told(bus: Bussed) -> None:
    """After their device, and as they change; of a device that goes the routes go first."""
    bus.change((MEDIA, 2), {"speed": 100, "duplex": 1})
    route = Route(AF_INET, bytes((10, 1, 0, 0)), 16, (2,))
    bus.change(route_key(route), route)
    media, routes = bus.subscribe("media eth0"), bus.subscribe("route")
    every = bus.subscribe("all eth0")
    named = bus.subscribe("all,route wan")
    bus.device(2, "eth0", flags=UP, altnames=("wan",))
    bus.reads()
    assert kinds_of(named) == ["reset", "synced", "arrival", "address", "media", "route"]
    bus.change((MEDIA, 2), {"speed": 1000})
    bus.change(route_key(route), None)
    bus.change(route_key(route), route)
    bus.change((LINK, 2), None)
    bus.reads()
    assert [(line["event"], line.get("initial")) for line in media.lines] == [
        ("reset", None), ("media", True), ("synced", None), ("media", None),
    ]  # fmt: skip
    assert (media.lines[1]["speed"], media.lines[1]["duplex"]) == (100, "full")
    assert (media.lines[3]["old"], media.lines[3]["new"]) == (100, 1000)
    assert [line.get("change") for line in routes.lines] == [
        None, "added", None, "deleted", "added", "deleted",
    ]  # fmt: skip
    assert routes.lines[1]["dst"] == "10.1.0.0/16"
    assert kinds_of(every) == [
        "reset", "arrival", "address", "media", "synced", "altname", "media", "address",
        "departure",
    ]  # fmt: skip


def test_namespaces_are_told(bus: Bussed) -> None:
    """They belong to no device."""
    bus.change((NETNS, 0, 4), 4)
    one, two = bus.subscribe("netns"), bus.subscribe("all eth0")
    bus.change((NETNS, 0, 5), 5)
    bus.reads()
    assert [line["netnsid"] for line in one.lines if "netnsid" in line] == [4, 5]
    assert "netns" not in kinds_of(two)


def storm(bus: Bussed, changes: int, seed: int, turn: Callable[[], object]) -> None:
    """So many changes of devices, names and addresses; *turn* after each twenty."""
    drawn = random.Random(seed)
    for count in range(changes):
        index = drawn.randrange(2, 12)
        device = bus.state.device(index)
        what = drawn.randrange(10)
        if device is None or what == 0:
            taken = {one.name for one in bus.state.devices()}
            free = [name for name in map("eth{}".format, range(20)) if name not in taken]
            bus.device(index, drawn.choice(free), flags=drawn.randrange(2))
        elif what == 1:
            bus.change((LINK, index), None)
        elif what == 2:
            bus.device(index, device.name, flags=device.flags ^ 1, mtu=drawn.randrange(1500))
        elif what == 3:
            names = (f"alt{index}", f"also{index}")[: drawn.randrange(3)]
            bus.device(index, device.name, flags=device.flags, altnames=names)
        elif what < 6:
            entry = Address(index, AF_INET6, bytes((254, 128, *bytes(13), what)), 64)
            bus.change(address_key(entry), Entry(entry) if drawn.randrange(2) else None)
        else:
            bus.address(index, drawn.randrange(40), gone=bool(drawn.randrange(2)))
        if count % 20 == 0:
            turn()


@pytest.mark.parametrize("seed", quarter(range(4)))
def test_every_reader_knows_the_truth_in_the_end(
    bus: Bussed, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some read at once, some seldom, some never before the end; some come in between. What each
    knows is what the state is, though the slow ones have lost lines."""
    monkeypatch.setattr(feed_module, "HELD", 400)
    monkeypatch.setattr(feed_module, "REUSE", 100)
    quick, slow = [bus.subscribe()], [bus.subscribe(room=4096) for _ in range(3)]
    drawn = random.Random(-seed)

    def turn() -> None:
        bus.turn()
        bus.reads(*quick)
        if drawn.randrange(20) == 0:
            slow[drawn.randrange(3)].read()
        if drawn.randrange(20) == 0:
            (quick if drawn.randrange(2) else slow).append(bus.subscribe())

    storm(bus, 2500, seed, turn)
    bus.reads()
    truth = bus.truth
    for one in bus.subscribers:
        assert one.known.synced
        assert one.known == truth
    assert quick[0].known.resets == 1
    assert quick[0].known.lost == 0
    assert any(one.known.lost for one in slow)


def test_lost_lines_are_counted(bus: Bussed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is read, or counted as lost; of lines of other kinds neither."""
    monkeypatch.setattr(feed_module, "HELD", 50)
    monkeypatch.setattr(feed_module, "REUSE", 10)
    quick, slow, other = bus.subscribe(), bus.subscribe(), bus.subscribe("address")
    bus.reads()
    slow.socket.setblocking(False)
    for count in range(1500):
        bus.device(2, "eth0", mtu=100 + count % 7, flags=UP)
        if count % 3 == 0:
            bus.address(2, count % 200, gone=count % 2 == 1)
        if count % 20 == 0:
            bus.reads(quick)
    bus.reads()
    told = [line for line in quick.lines if "initial" not in line and line["event"] != "reset"]
    mine = [
        line
        for line in slow.lines
        if "initial" not in line and line["event"] not in ("reset", "synced")
    ]
    assert quick.known.lost == 0
    assert slow.known.lost > 0
    assert slow.known.resets > 1
    assert len(mine) + slow.known.lost == len(told) - 1  # but for the line synced
    assert other.known.devices == {}
    assert slow.known == quick.known == bus.truth


def test_readers_that_never_read_take_no_memory(
    bus: Bussed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's log grows, and the state of before is not kept for them."""
    monkeypatch.setattr(feed_module, "HELD", 400)
    quick = bus.subscribe()
    for _ in range(20):
        bus.subscribe()
    channel = quick_channel(bus)
    longest = []

    def turn() -> None:
        bus.reads(quick)
        longest.append(len(channel.log))

    storm(bus, 6000, 1, turn)
    turn()
    assert 300 < max(longest) <= 400
    assert quick.known == bus.truth


def quick_channel(bus: Bussed) -> feed_module.Feed:
    """The feed of those who want everything."""
    return bus.bus._channels[""]


def test_a_log_is_kept_for_those_who_need_it_only(bus: Bussed) -> None:
    """Once everybody has everything there is neither a log nor a state."""
    bus.subscribe()
    bus.subscribe("flag")
    storm(bus, 500, 3, lambda: None)
    bus.reads()
    assert not quick_channel(bus).log
    assert not quick_channel(bus)._state


def test_a_miss_is_a_new_state(bus: Bussed) -> None:
    """Where events may have been left out every reader begins again, and is right."""
    one = bus.subscribe()
    bus.reads()
    apply(bus.state, (LINK, 7), Device(7, "eth7"))  # nobody tells it
    bus.bus.feeds.miss()
    bus.reads()
    assert one.known.resets == 2
    assert one.known.lost == 0
    assert one.known == bus.truth


def test_a_reader_that_hangs_up_is_forgotten(bus: Bussed) -> None:
    """Its channel too; who closes its own side only still reads."""
    one, two = bus.subscribe("all eth0"), bus.subscribe()
    two.socket.shutdown(socket.SHUT_WR)
    one.close()
    bus.settle()
    assert len(bus.bus.feeds) == 1
    bus.device(2, "eth0", flags=0)
    bus.reads(two)
    assert kinds_of(two)[-1] == "flag"
    bus.subscribe("flag")
    assert list(bus.bus._channels) == [""]


def test_nothing_is_kept_for_nobody(bus: Bussed) -> None:
    """The last reader goes in the middle of a state, with lines behind it."""
    one = bus.subscribe()
    channel = quick_channel(bus)
    storm(bus, 100, 7, lambda: None)
    assert channel.log
    one.close()
    bus.settle()
    storm(bus, 100, 8, lambda: None)
    assert not channel.log
    assert not channel._state
    assert bus.bus.feeds.due(bus.clock()) is None


def test_a_device_by_its_name(bus: Bussed) -> None:
    """A name that moves to another device makes a departure and an arrival."""
    one = bus.subscribe("all wan")
    bus.device(2, "eth0", altnames=("wan",))
    bus.device(2, "eth0")
    bus.device(3, "wan")
    bus.reads()
    assert [line for line in kinds_of(one)[2:] if line != "altname"] == [
        "arrival", "address", "departure", "arrival",
    ]  # fmt: skip


NAMES = ("all", "all eth3", "all alt4", "all eth2:7", "all eth2_7", "all eth5:0", "all eth2")


@pytest.mark.parametrize("seed", range(3))
def test_each_name_is_told_what_a_selection_picks(bus: Bussed, seed: int) -> None:
    """Through renamed devices, aliases, and labels that come and go on any device."""
    readers = {words: bus.subscribe(words) for words in NAMES}
    bus.reads()
    picked: dict[str, list[str]] = {words: [] for words in NAMES}
    selections = {words: Selection(words.split()[1:], GROUP) for words in NAMES}
    lines = Lines(bus.state, GROUP)
    for words, one in selections.items():
        for index in bus.state.parts:
            for event in present(bus.state, index):
                list(one.pick(event, bus.state))
        readers[words].lines.clear()
        readers[words]._whole = False  # addresses go with their device, when a name is lost

    def change(key: tuple[object, ...], value: object) -> None:
        for event in apply(bus.state, key, value):
            bus.bus.hear(event)
            for words, one in selections.items():
                found = [lines.fields(what) for what in one.pick(event, bus.state)]
                picked[words] += map(json.line, found)
        bus.reads()  # lines tell of names that are there

    bus.change = change  # type: ignore[method-assign]
    drawn = random.Random(seed)

    def turn() -> None:
        for _ in range(4):
            index = drawn.choice([one.index for one in bus.state.devices()])
            label = f"eth{drawn.choice((2, 5))}:{drawn.choice((0, 7))}"
            bus.address(index, drawn.randrange(3), gone=drawn.random() < 0.5, label=label)
        link = drawn.randrange(2, 6)
        if bus.state.device(20) is None:
            bus.device(20, "eth2_7", group=GROUP, link=link, altnames=("eth2:7",), kind="macvlan")
        else:
            bus.change((LINK, 20), None)

    storm(bus, 1200, seed, turn)
    for words, one in readers.items():
        assert [json.line(line) for line in one.lines] == picked[words], words
    assert [words for words in NAMES if not picked[words]] == []


def test_an_event_costs_those_who_are_told_of_it(
    bus: Bussed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many names users ask for: the watcher heals with what is left of its time."""
    for number in range(OTHERS):
        bus.subscribe(f"all eth0:{number}")
    bus.reads()
    picks: list[Event] = []
    monkeypatch.setattr(Channel, "pick", lambda one, event, names: picks.append(event) or ())
    named: list[Device] = []
    monkeypatch.setattr(bus_module, "names_of", lambda device, *_: named.append(device))
    for number in range(5, 9):
        bus.address(2, number, label=f"eth0:{number}")
    bus.device(2, "eth0", flags=0)
    assert len(picks) == 4
    bus.device(7, "eth7")
    assert len(named) == 1


def test_two_hundred_readers_of_root(bus: Bussed) -> None:
    """All of them are served, each with everything."""
    everyone = [bus.subscribe() for _ in range(200)]
    storm(bus, 60, 5, lambda: None)
    bus.reads()
    truth = bus.truth
    assert all(one.known == truth for one in everyone)


def test_readers_that_come_at_once(bus: Bussed) -> None:
    """Nobody is closed for having asked before the server has looked."""
    everyone = [Subscriber(bus.path) for _ in range(4 * EACH)]
    bus.subscribers += everyone
    bus.reads()
    assert all(one.known.synced for one in everyone)


def users(bus: Bussed, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The user of the next connections, in a list of one."""
    from netalias.system import server

    who = [0]
    monkeypatch.setattr(server, "user", lambda connection: who[0])
    return who


def test_no_user_keeps_the_others_out(bus: Bussed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a number of subscriptions; where all others have theirs, one of those who have most
    goes. Root is never refused for others."""
    who = users(bus, monkeypatch)
    assert OTHERS < ROOTS
    who[0] = 1
    mine = [bus.subscribe() for _ in range(OTHERS)]
    refused = bus.client(b"subscribe\n")
    bus.serve(refused.over)
    assert refused.data == f"error: this user has {OTHERS} subscriptions already\n".encode()
    for who[0] in range(2, 8):
        for _ in range(OTHERS):
            bus.subscribe()
    for _ in range(4):
        who[0] = 0
        bus.subscribe()
    assert len(bus.bus.feeds) == feed_module.ALL // 4 + 4
    bus.reads()
    who[0] = 99
    last = bus.subscribe()
    bus.reads()
    assert last.known.synced
    assert sum(one.ended for one in bus.subscribers) >= 7 * OTHERS + 1 - feed_module.ALL // 4
    assert mine


def test_another_user_is_told_that_routes_are_for_root(
    bus: Bussed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Media and the rest are for everybody."""
    users(bus, monkeypatch)[0] = 1
    refused = bus.client(b"subscribe all,route\n")
    bus.serve(refused.over)
    assert refused.data.startswith(b"error: only root may subscribe to route (")
    every = bus.subscribe("all")
    bus.reads()
    assert every.known.synced


def test_a_user_pays_for_its_time_and_root_does_not(
    bus: Bussed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has used its share gets its lines later; others do not wait for that."""
    who = users(bus, monkeypatch)
    who[0] = 1
    other = bus.subscribe()
    who[0] = 0
    root = bus.subscribe()
    bus.reads()
    bus.bus.feeds.accounts.charge(1, 2 * ADVANCE * SHARE, bus.clock())
    bus.device(2, "eth0", flags=0)
    bus.reads()
    assert kinds_of(root)[-1] == "flag"
    assert kinds_of(other)[-1] == "synced"
    bus.clock.now += bus.bus.feeds.due(bus.clock()) or 0.0
    bus.reads()
    assert kinds_of(other)[-1] == "flag"


def test_a_turn_is_short(bus: Bussed) -> None:
    """However much is to be sent, the loop goes on after a bounded time; those who are left come
    first in the next turn."""
    for _ in range(30):
        bus.subscribe()
    bus.reads()
    bus.device(2, "eth0", flags=0)
    bus.step = feed_module.BUDGET / 3  # by each call of the clock of work
    bus.bus.feeds.tick(bus.clock())
    served = sum(bool(one.read()) for one in bus.subscribers)
    assert 1 <= served <= 4
    assert bus.bus.feeds.due(bus.clock()) == 0
    for _ in range(40):
        bus.bus.feeds.tick(bus.clock())
    assert all(kinds_of(one)[-1] == "flag" or one.read() for one in bus.subscribers)


def test_requests_are_bounded(bus: Bussed) -> None:
    """A request for every kind and a long name fits; no other way is open to fill memory."""
    one = bus.subscribe(f"{','.join(KINDS)} {'e' * 127}")
    bus.reads()
    assert kinds_of(one) == ["reset", "synced"]
    with pytest.raises(errors.BadName):
        Request(["all", "e" * 200], 0)
