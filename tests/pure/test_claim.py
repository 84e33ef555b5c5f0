"""Addresses that come, over a kernel in memory and a segment that is played: who is asked, who is
told, and what is left where somebody has an address already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from netalias import claim, cli, desired, errors, packets
from netalias.claim import Policy
from netalias.claim import announce as telling
from netalias.desired import declarations
from netalias.engine import Engine, Setup, reconcile
from netalias.engine import announce as announcing
from netalias.engine.batch import Batch, parse_commands
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import IFA_F_OPTIMISTIC, IFA_F_TENTATIVE
from netalias.model.names import AliasName
from netalias.model.steps import AddAltname, SetLink
from netalias.packets import announce, dad, probe
from netalias.packets.probe import InUse
from netalias.watch import claims

STRANGER = bytes.fromhex("02000000ee01")
V6 = "2001:db8::1"


def packed(text: str) -> bytes:
    """An address as it stands on the wire."""
    return lazy().get("ipv6" if ":" in text else "ip").parse(text)[0]


class Wire:
    """Who has what behind the main devices, and all that was asked and told."""

    def __init__(self, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
        self.memory = memory
        self.taken: set[bytes] = set()
        self.dead: set[int] = set()
        self.late: set[bytes] = set()
        self.unnamed: set[bytes] = set()
        self.limits: list[float] = []
        self.forbidden = False
        self.interrupted = False
        self.failures: list[errors.NetaliasError] = []
        self.asked: list[bytes] = []
        self.followed: list[bytes] = []
        self.told: list[tuple[str, bytes, str]] = []
        self.slept: Callable[[], object] = lambda: None
        wire = self

        class DadMonitor:
            def __init__(self, mains: Iterable[int], ours: Collection[bytes] = ()) -> None:
                wire.open()

            def __enter__(self) -> DadMonitor:
                return self

            def __exit__(self, *_: object) -> None:
                self.close()

            def close(self, *, over: str = "", aside: bool = False) -> None:
                """Nothing is held."""

            def verdicts(
                self, places: Collection[tuple[int, bytes]], limit: float, *, usable: bool
            ) -> tuple[list[InUse], list[tuple[int, bytes]]]:
                assert not usable
                if wire.interrupted:
                    raise KeyboardInterrupt
                wire.limits.append(limit)
                wire.followed += [address for _, address in places]
                bad = [place for place in places if place[1] in wire.taken]
                late = [place for place in places if place[1] in wire.late]
                macs = [STRANGER if address not in wire.unnamed else b"" for _, address in bad]
                pairs = zip(bad, macs, strict=True)
                return [InUse(address, i, f"i{i}", mac) for (i, address), mac in pairs], late

        class Probing:
            """A check of a watcher, which ends with its first turn."""

            files = ()

            def __init__(self, pairs: Any, ours: Any, timing: Any, limit: float, _: Any) -> None:
                self.found = wire.verdicts(pairs, ours, timing, limit, aside=True)

            def turn(self) -> None:
                """It is over."""

            def verdicts(self) -> tuple[list[InUse], list[tuple[int, bytes]]]:
                return self.found

            def close(self, *, aside: bool = False) -> None:
                """Nothing is held."""

        monkeypatch.setattr(claims, "Probing", Probing)
        monkeypatch.setattr(dad, "DadMonitor", DadMonitor)
        monkeypatch.setattr(probe, "verdicts", self.verdicts)
        monkeypatch.setattr(packets, "single", self.single)
        monkeypatch.setattr(packets, "opened", self.opened)
        monkeypatch.setattr(announce, "announce", self.announce)
        monkeypatch.setattr(telling, "_child", lambda work: work())
        monkeypatch.setattr(telling, "sleep", lambda seconds: seconds and self.slept())

    def open(self) -> None:
        if self.forbidden:
            raise errors.NotPermitted("frames", 1, hint="CAP_NET_RAW is needed")

    def opened(self) -> Any:
        """As the real one."""
        if self.forbidden:
            raise OSError(1, "Operation not permitted")

        class Socket:
            def close(self) -> None:
                """Nothing is held."""

        return Socket()

    def verdicts(
        self,
        pairs: Sequence[tuple[int, bytes]],
        ours: Collection[bytes],
        timing: object,
        limit: float,
        *,
        aside: bool,
        told: object = None,
    ) -> tuple[list[InUse], list[tuple[int, bytes]]]:
        self.open()
        for index, _ in pairs:
            if index in self.dead:
                raise errors.StateError(f"i{index} has no carrier", "is the cable plugged in?")
        self.asked += [address for _, address in pairs]
        bad = [InUse(one, i, "eth0", STRANGER) for i, one in pairs if one in self.taken]
        return bad, [pair for pair in pairs if pair[1] in self.late]

    def single(
        self, name: str, mac: bytes, address: bytes, *, over: str = "", aside: bool = False
    ) -> None:
        self.open()
        self.told.append((over or name, mac or self.memory.device(name).mac, text(address)))

    def announce(
        self,
        items: Sequence[announce.Announcement],
        rate: float,
        *,
        aside: bool,
        changes: object = None,
    ) -> list[errors.NetaliasError]:
        self.open()
        devices = self.memory.snapshot().devices
        self.told += [(devices[one.index].name, one.mac, text(one.address)) for one in items]
        return self.failures

    def heard(self) -> list[str]:
        """The addresses told since the last call."""
        found, self.told = [address for *_, address in self.told], []
        return found


def text(address: bytes) -> str:
    """An address in words."""
    return lazy().get("ipv6" if len(address) == 16 else "ip").format(address)


@pytest.fixture
def memory() -> Memory:
    """lo, eth0 (also called wan) and eth1 are up."""
    kernel = Memory()
    kernel.set_device("lo", up=True)
    for name in ("eth0", "eth1"):
        kernel.add_device(name, up=True)
    assert kernel.send([AddAltname("eth0", kernel.device("eth0").index, "wan")]) == [None]
    return kernel


@pytest.fixture
def wire(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The segment of both."""
    return Wire(memory, monkeypatch)


def on(memory: Memory, *, aside: bool = True, **values: Any) -> Engine:
    """An engine with a segment and a policy; as a command has it, or as a program (aside off)."""
    policy = Policy() if values else None
    for key, value in values.items():
        setattr(policy, key, value)
    return Engine(Setup(memory, claims=True, aside=aside, policy=policy))


@pytest.fixture
def engine(memory: Memory, wire: Wire) -> Engine:
    """That of a command without options."""
    return on(memory)


def do(engine: Engine, line: str) -> list[str]:
    """One command; the warnings."""
    return engine.realise(desired.parse(line.split(), engine.registry)).notes


def state(memory: Memory) -> object:
    """All that is there, but indexes."""
    snapshot = memory.snapshot()
    return {
        device.name: (
            device.kind, device.up, device.mtu, sorted(device.altnames), device.arp_ignore,
            device.arp_announce,
            sorted((entry.local, entry.prefixlen, entry.label) for entry in snapshot.on(index)),
        )
        for index, device in snapshot.devices.items()
    }  # fmt: skip


def aliases(engine: Engine) -> dict[str, str]:
    """Name: address."""
    return {str(alias.name): text(alias.address) for alias in engine.show()}


# One command


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy", "label"])
@pytest.mark.parametrize("acd", ["fast", "rfc"])
def test_a_conflict_leaves_nothing(
    engine: Engine, memory: Memory, wire: Wire, kind: str, acd: str
) -> None:
    """The other MAC is named; no device, no address, no setting, no word to anybody."""
    wire.taken = {packed("10.0.0.1")}
    before = state(memory)
    with pytest.raises(errors.Conflict) as caught:
        do(engine, f"eth0:0 10.0.0.1/24 kind {kind} acd {acd}")
    assert str(caught.value) == "eth0:0: 10.0.0.1 is in use on eth0 by 02:00:00:00:ee:01"
    assert caught.value.status == 6
    assert state(memory) == before
    assert engine.saved(engine.observe()).values == {}
    assert wire.told == []


@pytest.mark.parametrize("line", ["10.0.0.1 acd off", "10.0.0.1", f"{V6} acd off", V6])
def test_who_does_not_ask_opens_nothing_to_ask(
    memory: Memory, wire: Wire, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Not even where somebody has the address: nothing of the checks is so much as loaded."""
    monkeypatch.setattr(probe, "verdicts", None)
    engine = on(memory, aside=False)  # a program does not follow the kernel either
    monkeypatch.setattr(dad, "DadMonitor", None)
    do(engine, f"eth0:0 {line} kind macvlan")
    assert wire.asked == wire.followed == []


def test_an_alias_keeps_its_address_where_another_host_has_the_new_one(
    engine: Engine, memory: Memory, wire: Wire
) -> None:
    """IPv4 before anything is done, IPv6 by taking it back."""
    do(engine, "eth0:0 10.0.0.1/24 kind macvlan")
    do(engine, "eth0:1 2001:db8::1/64 kind macvlan")
    do(engine, "eth0:2 10.0.0.2 kind label")
    wire.taken = {packed("10.0.0.9"), packed("2001:db8::9")}
    before = state(memory)
    for line in (
        "eth0:0 10.0.0.9/24", "eth0:1 2001:db8::9/64", "eth0:1 10.0.0.9", "eth0:0 2001:db8::9/64",
        "eth0:0 2001:db8::9/64 kind dummy", "eth0:0 2001:db8::9 kind label", "eth0:2 10.0.0.9",
        "eth0:2 2001:db8::9",
    ):  # fmt: skip
        with pytest.raises(errors.Conflict):
            do(engine, f"{line} acd fast")
        assert state(memory) == before, line


def test_old_settings_are_known_after_a_conflict(
    engine: Engine, memory: Memory, wire: Wire
) -> None:
    """The last IPv4 alias stays one, so its main device gets its settings back later."""
    do(engine, "eth0:0 10.0.0.1/24 kind macvlan")
    known = engine.saved(engine.observe()).in_memory().values
    wire.taken = {packed(V6)}
    with pytest.raises(errors.Conflict):
        do(engine, f"eth0:0 {V6} acd fast")
    assert engine.saved(engine.observe()).values == known != {}
    do(engine, "eth0:0-")
    assert memory.device("eth0").arp_ignore == 0


@pytest.mark.parametrize("taken", [True, False])
def test_settings_that_change_before_the_verdict_stay(
    engine: Engine, memory: Memory, wire: Wire, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """The kernel probes for seconds, in which somebody sets the main device otherwise."""
    do(engine, "eth0:0 10.0.0.1/24 kind macvlan")
    wire.taken = {packed(V6)} if taken else set()
    told = dad.DadMonitor.verdicts

    def verdicts(*words: Any, **more: Any) -> Any:
        index = memory.device("eth0").index
        assert memory.send([SetLink("eth0", index, conf={"arp_ignore": 8})]) == [None]
        return told(*words, **more)

    monkeypatch.setattr(dad.DadMonitor, "verdicts", verdicts)
    try:
        do(engine, f"eth0:0 {V6} acd fast")
    except errors.Conflict:
        assert taken
    main = memory.device("eth0")
    assert (main.arp_ignore, main.arp_announce) == (8, 2 if taken else 0)


def test_what_is_ours_already_is_not_asked_for(engine: Engine, wire: Wire) -> None:
    """An address moves from one alias to another, or gets another length: nobody else has it."""
    do(engine, "eth0:0 10.0.0.1/24 kind macvlan")
    for line in ("eth0:0 10.0.0.1/16", "eth0:1 10.0.0.1 kind macvlan", "eth0:2 10.0.0.1"):
        do(engine, f"{line} acd fast")
    assert wire.asked == []
    do(engine, "eth1:0 10.0.0.1 kind macvlan acd fast")
    assert wire.asked == [packed("10.0.0.1")]


def test_an_alias_that_is_raised_is_looked_for(engine: Engine, wire: Wire) -> None:
    """While it was down anybody may have taken its address; then it stays down."""
    do(engine, "eth0:0 10.0.0.1 kind macvlan acd fast down")
    assert wire.asked == []
    wire.taken = {packed("10.0.0.1")}
    with pytest.raises(errors.Conflict):
        do(engine, "eth0:0 up acd fast")
    assert not engine.get("eth0:0").up
    wire.taken = set()
    do(engine, "eth0:0 up acd fast")
    assert wire.heard() == ["10.0.0.1"]


def test_a_device_that_vanished_is_no_failure(memory: Memory, wire: Wire) -> None:
    """It has no address to announce; any other failure is told, once."""
    wire.failures = [errors.NoSuchDevice("eth0_0 has vanished"), errors.MainDown("eth0 is down")]
    notes = do(on(memory, aside=False, rate=0), "eth0:0 10.0.0.1 kind macvlan announce 2")
    assert notes == ["not announced: eth0 is down"]


@pytest.mark.parametrize("address", ["10.0.0.1", V6])
def test_without_the_right_to_ask_nothing_is_made(
    engine: Engine, memory: Memory, wire: Wire, address: str
) -> None:
    """Who wants it checked does not get it unchecked; who does not gets it, and is told."""
    wire.forbidden = True
    before = state(memory)
    with pytest.raises(errors.NotPermitted):
        do(engine, f"eth0:0 {address} kind macvlan acd fast")
    assert state(memory) == before
    (note,) = do(engine, f"eth0:0 {address} kind macvlan announce 2")
    assert "not announced: " in note
    assert "CAP_NET_RAW is needed" in note
    assert aliases(engine) == {"eth0:0": address}


def test_an_interruption_while_the_kernel_decides(
    engine: Engine, memory: Memory, wire: Wire
) -> None:
    """What nobody waits for any more goes."""
    wire.interrupted = True
    before = state(memory)
    with pytest.raises(KeyboardInterrupt):
        do(engine, f"eth0:0 {V6} kind macvlan acd fast")
    assert state(memory) == before


def test_no_verdict_is_an_error(engine: Engine, memory: Memory, wire: Wire) -> None:
    """The device may have no carrier; nothing is left."""
    wire.late = {packed(V6)}
    before = state(memory)
    with pytest.raises(errors.StateError, match=f"^eth0:0: the kernel is still checking {V6}"):
        do(engine, f"eth0:0 {V6} kind macvlan acd fast")
    assert state(memory) == before


@pytest.mark.parametrize(
    ("words", "gone", "kind"),
    [
        ("", True, errors.StateError),
        ("", False, errors.Conflict),
        ("lease 60", True, errors.Conflict),
    ],
)
def test_an_address_that_is_gone_is_no_conflict(
    memory: Memory,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    gone: bool,
    kind: type[Exception],
) -> None:
    """One that another host has is there still, whether that host was heard or not, unless it is a
    lease: the kernel removes that."""
    engine = on(memory)
    wire.taken = wire.unnamed = {packed(V6)}
    if gone:
        verdicts = dad.DadMonitor.verdicts

        def dropped(self: Any, places: Any, limit: float, **more: Any) -> Any:
            memory.remove_address("eth0_0", f"{V6}/128")
            return verdicts(self, places, limit, **more)

        monkeypatch.setattr(dad.DadMonitor, "verdicts", dropped)
    why = "is gone" if kind is errors.StateError else "is in use on eth0$"
    with pytest.raises(kind, match=f"^eth0:0: {V6} {why}"):
        do(engine, f"eth0:0 {V6} kind macvlan acd fast {words}")
    assert aliases(engine) == {}


def test_more_addresses_get_more_time(engine: Engine, wire: Wire) -> None:
    """A few need what one needs, thousands take the kernel minutes."""
    declared(engine, "eth0:0-3 2001:db8::1-4 kind macvlan acd fast")
    declared(engine, "eth1:0-999 2001:db8::1:0+ kind label acd fast", allow_shrink=True)
    few, many = wire.limits
    assert few < 10
    assert many > 60


@pytest.mark.parametrize("address", ["10.0.0.1", V6])
def test_the_device_has_an_older_name(
    engine: Engine, memory: Memory, wire: Wire, address: str
) -> None:
    """The primary name of an alias stays when its main device is renamed."""
    do(engine, f"eth0:0 {address} kind macvlan down announce off")
    memory.set_device("eth0", up=False)
    memory.set_device("eth0", name="lan0")
    memory.set_device("lan0", up=True)
    for acd in ("fast", "off"):
        do(engine, f"lan0:0 up acd {acd}")
        assert [(device, told) for device, _, told in wire.told] == [("eth0_0", address)]
        wire.heard()
        do(engine, "lan0:0 down")
    assert packed(address) in wire.asked + wire.followed


# Who is told


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy", "label"])
@pytest.mark.parametrize("many", ["", " announce 2"])
@pytest.mark.parametrize("address", ["10.0.0.1", V6])
def test_the_right_mac_over_the_right_device(
    engine: Engine, memory: Memory, wire: Wire, kind: str, many: str, address: str
) -> None:
    """A macvlan has a MAC of its own; all others are reached by that of the main device."""
    do(engine, f"eth0:0 {address} kind {kind}{many}")
    device = "eth0_0" if kind == "macvlan" else "eth0"
    told = (device, memory.device(device).mac, address)
    assert wire.told == [told] * (2 if many else 1)


@pytest.mark.parametrize("address", ["10.0.0.1", V6])
def test_when_neighbours_are_told(engine: Engine, wire: Wire, address: str) -> None:
    """When it comes, is raised, or has another MAC; not when nothing of that happens. By a session
    also before the device of an address goes, whose MAC neighbours know."""
    for line, told in (
        (f"{address} kind macvlan announce off", 0),
        (f"{address}", 0),
        ("mtu 1400", 0),
        ("down", 0),
        ("up", 1),
        ("hw ether 02:00:00:00:00:07", 1),
        ("kind label", 2 if ":" in address else 1),
    ):
        do(engine, f"eth0:0 {line}")
        assert len(wire.heard()) == told, line
    do(engine, "eth0:0-")
    do(engine, "lo:0 10.1.1.1")
    assert wire.heard() == []


def test_a_memory_alone_has_no_neighbours(memory: Memory, wire: Wire) -> None:
    """An engine over it asks and tells nobody."""
    Engine(Setup(memory)).create("eth0:0", "10.0.0.1", "acd", "fast")
    assert wire.asked == wire.told == []


def test_a_program_waits_and_does_not_tell_what_is_undecided(memory: Memory, wire: Wire) -> None:
    """No child: IPv4 at once, IPv6 only where the verdict was awaited."""
    engine = on(memory, aside=False)
    engine.create("eth0:0", "10.0.0.1", "announce", "3")
    engine.create("eth0:1", V6)
    engine.create("eth0:2", "2001:db8::2", "acd", "fast")
    assert wire.heard() == ["10.0.0.1"] * 3 + ["2001:db8::2"]


def test_what_has_gone_is_not_announced_again(engine: Engine, memory: Memory, wire: Wire) -> None:
    """Between two rounds the alias is deleted: by then the address may be that of another host."""
    wire.slept = lambda: Engine(Setup(memory)).delete("eth0:0")
    do(engine, "eth0:0 10.0.0.1 kind label announce 3")
    assert wire.heard() == ["10.0.0.1"]


def test_ipv4_does_not_wait_for_ipv6(engine: Engine, wire: Wire) -> None:
    """Of a run with both, what the kernel never decides on keeps nothing else."""
    wire.late = {packed("2001:db8::2")}
    declared(engine, "eth0:0 10.0.0.1", f"eth0:1 {V6}", "eth0:2 2001:db8::2")
    assert wire.heard() == ["10.0.0.1", V6]


def test_optimistic(engine: Engine, memory: Memory, wire: Wire) -> None:
    """The flag goes to the kernel; the verdict is awaited all the same where it is asked for."""
    wire.taken = {packed(V6)}
    with pytest.raises(errors.Conflict):
        do(engine, f"eth0:0 {V6} optimistic acd fast")
    wire.taken = set()
    sent = []
    real = memory.send
    memory.send = lambda steps: sent.extend(steps) or real(steps)  # type: ignore[method-assign, func-returns-value]
    do(engine, f"eth0:0 {V6} optimistic")
    assert [s.address.flags & IFA_F_OPTIMISTIC for s in sent if hasattr(s, "address")] == [4]


# Declared aliases


def declared(engine: Engine, *lines: str, **rules: Any) -> reconcile.Outcome:
    """Reconcile with these lines."""
    found = declarations.parse([("file", "\n".join(lines))], engine.registry)
    declarations.check(found)
    return reconcile.reconcile(engine, found, reconcile.Rules(**rules))


def test_one_of_three_hundred(memory: Memory, wire: Wire) -> None:
    """The one is skipped with its place, the others are made; the next run says the same."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.77")}
    lines = ["eth0:0-253 10.0.0.1-254/32 kind label", "eth1:0-45 10.0.1.1-46/32 kind macvlan"]
    outcome = declared(engine, *lines)
    (skipped,) = outcome.diff.skipped
    assert skipped.line() == ("file:1: eth0:76: 10.0.0.77 is in use on eth0 by 02:00:00:00:ee:01")
    assert outcome.status == 6
    assert len(aliases(engine)) == len(wire.heard()) == 299
    asked = len(wire.asked)
    outcome = declared(engine, *lines)
    assert (outcome.status, len(outcome.done), len(wire.asked) - asked) == (6, 0, 1)
    wire.taken = set()
    outcome = declared(engine, *lines)
    assert (outcome.status, len(outcome.done), wire.heard()) == (0, 1, ["10.0.0.77"])
    assert declared(engine, *lines).status == 0
    assert len(wire.asked) - asked == 2


def test_abort(memory: Memory, wire: Wire) -> None:
    """One that shall end it ends it: nothing is done, and every conflict is told."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.2"), packed("10.0.0.3")}
    wire.dead = {memory.device("eth1").index}
    before = state(memory)
    lines = ["eth0:1 10.0.0.1", "eth0:2 10.0.0.2 conflict abort", "eth0:3 10.0.0.3"]
    with pytest.raises(errors.Conflict) as caught:
        declared(engine, *lines, "eth1:0 10.1.0.1")
    told = [*caught.value.details, caught.value.line()]
    assert [line.split()[0] for line in told] == ["eth1:0:", "eth0:2:", "eth0:3:"]
    assert state(memory) == before
    wire.taken = {packed("10.0.0.3")}  # not the one that shall end it
    assert declared(engine, *lines).status == 6
    assert aliases(engine) == {"eth0:1": "10.0.0.1", "eth0:2": "10.0.0.2"}


def test_defaults_and_words_over_options(memory: Memory, wire: Wire) -> None:
    """A word of the line counts before the defaults, these before the options."""
    engine = on(memory, acd="fast", announce=2)
    declared(engine, "defaults acd off announce off", "eth0:0 10.0.0.1", "eth0:1 10.0.0.2 acd rfc")
    assert (wire.asked, wire.told) == ([packed("10.0.0.2")], [])
    declared(engine, "eth0:0 10.0.0.1", "eth0:1 10.0.0.3", "eth0:2 10.0.0.4 announce 1")
    assert wire.asked[1:] == [packed("10.0.0.3"), packed("10.0.0.4")]
    assert sorted(wire.heard()) == ["10.0.0.3", "10.0.0.3", "10.0.0.4"]


def test_one_that_cannot_come_stays_as_it_is(memory: Memory, wire: Wire) -> None:
    """It keeps its old address, so that the one that wanted this does not get it."""
    engine = on(memory, acd="fast")
    declared(engine, "eth0:0 10.0.0.1 kind label", "eth0:1 10.0.0.2 kind label")
    wire.taken = {packed("10.0.0.9")}
    outcome = declared(engine, "eth0:0 10.0.0.9 kind label", "eth0:1 10.0.0.3 kind label")
    assert outcome.status == 6
    assert aliases(engine) == {"eth0:0": "10.0.0.1", "eth0:1": "10.0.0.3"}


def test_what_was_not_heard_through_a_flood_stays_away(memory: Memory, wire: Wire) -> None:
    """With an error of its own, and no other alias with it."""
    engine = on(memory, acd="fast")
    wire.late, wire.taken = {packed("10.0.0.2")}, {packed("10.0.0.3")}
    outcome = declared(engine, "eth0:1-4 10.0.0.1-4/32 kind macvlan")
    assert aliases(engine) == {"eth0:1": "10.0.0.1", "eth0:4": "10.0.0.4"}
    assert [str(one.error) for one in outcome.diff.skipped] == [
        "eth0:2: eth0 is flooded: frames were lost while conflicts were looked for",
        "eth0:3: 10.0.0.3 is in use on eth0 by 02:00:00:00:ee:01",
    ]


def test_a_network_is_planned_without_the_one_that_cannot_come(memory: Memory, wire: Wire) -> None:
    """The second one brings the route that the first would have brought."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.1")}
    declared(engine, "eth0:0 10.0.0.1/24 kind label", "eth0:1 10.0.0.2/24 kind label")
    assert [alias.prefixlen for alias in engine.show()] == [24]


def test_ipv6_conflicts_in_a_set(memory: Memory, wire: Wire) -> None:
    """Each goes alone, with the kernel's verdict; so does what is not decided."""
    engine = on(memory, acd="fast")
    wire.taken, wire.late = {packed("2001:db8::3")}, {packed("2001:db8::5")}
    outcome = declared(engine, "eth0:1-9 2001:db8::1-9/128 kind macvlan")
    told = sorted(str(item.error) for item in outcome.failed)
    assert [line.split(" after")[0] for line in told] == [
        f"eth0:3: 2001:db8::3 is in use on {told[0].split()[6]} by 02:00:00:00:ee:01",
        "eth0:5: the kernel is still checking 2001:db8::5",
    ]
    assert outcome.status == 6
    assert len(aliases(engine)) == len(wire.heard()) == 7


def test_an_interruption_of_a_set_leaves_nothing_undecided(memory: Memory, wire: Wire) -> None:
    """IPv4 was decided on, and stays."""
    engine = on(memory, acd="fast")
    wire.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        declared(engine, "eth0:0 10.0.0.1 kind macvlan", f"eth0:1 {V6} kind macvlan")
    assert aliases(engine) == {"eth0:0": "10.0.0.1"}


def test_a_replaced_alias_comes_back_while_it_is_stopped(memory: Memory, wire: Wire) -> None:
    """An interruption does not stop what brings back."""
    engine = on(memory, acd="fast")
    declared(engine, "eth0:0 10.0.0.1 kind macvlan")
    wire.taken = {packed(V6)}
    found = declarations.parse([("file", f"eth0:0 {V6} kind dummy")], engine.registry)
    real, sends = memory.send, []

    def send(steps: Sequence[Any]) -> list[errors.NetaliasError | None]:
        answers = real(steps)
        sends.append(steps)
        memory.stopping = memory.stopping or any(getattr(s, "up", False) for s in steps)
        return answers

    memory.send = send  # type: ignore[method-assign]
    reconcile.reconcile(engine, found, reconcile.Rules())
    assert aliases(engine) == {"eth0:0": "10.0.0.1"}


def test_a_main_without_carrier_keeps_only_its_own(memory: Memory, wire: Wire) -> None:
    """The others are served, and it is named."""
    engine = on(memory, acd="fast")
    index = memory.device("eth1").index
    wire.dead = {index}
    outcome = declared(engine, "eth0:0 10.0.0.1", "eth1:0-1 10.0.0.2-3")
    (skipped,) = outcome.diff.skipped
    assert skipped.line() == (
        f"file:2: eth1:0: i{index} has no carrier (2 aliases; is the cable plugged in?)"
    )
    assert outcome.status == 2
    assert aliases(engine) == {"eth0:0": "10.0.0.1"}


# Batches


def batch(engine: Engine, *lines: str, force: bool = False) -> Batch:
    """These lines."""
    work = Batch(engine, lambda words: 0, lambda text: None, force=force)
    work.run(parse_commands("\n".join(lines), engine.registry, force=force))
    return work


def test_nobody_is_asked_on_a_main_device_that_is_down(memory: Memory, wire: Wire) -> None:
    """Forced, the alias is made; a warning says so once, in a reconciliation too. Who did not want
    to ask is told nothing."""
    engine = on(memory, acd="fast")
    memory.set_device("eth0", up=False)
    why = "{} was not probed for: eth0 is down"
    lines = [f"eth0:0 {V6} kind label", "eth0:1 10.0.0.1 kind label acd off"]
    outcome = declared(engine, *lines, force=True)
    notes = [item.plan.notes for item in outcome.done]
    assert notes == [[f"eth0:0: {why.format(V6)}"], []]
    assert wire.asked == wire.followed == wire.told == []


LINES = [f"eth0:{n} 10.0.0.{n}/24 kind macvlan" for n in range(1, 6)]


def test_a_conflict_ends_a_batch_at_its_line(memory: Memory, wire: Wire) -> None:
    """What is before is done and told, what is after is not; with force it is."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.3"), packed("10.0.0.5")}
    work = batch(engine, *LINES, "eth0:9 10.9.0.1")
    assert [(n, error.status) for n, error in work.failed] == [(3, 6)]
    assert work.skipped == 3
    assert list(aliases(engine)) == ["eth0:1", "eth0:2"]
    assert wire.heard() == ["10.0.0.1", "10.0.0.2"]
    work = batch(engine, *LINES, force=True)
    assert [n for n, _ in work.failed] == [3, 5]
    assert work.skipped == 0
    assert list(aliases(engine)) == ["eth0:1", "eth0:2", "eth0:4"]
    assert wire.heard() == ["10.0.0.4"]


def test_the_rest_of_a_batch_is_planned_without_it(memory: Memory, wire: Wire) -> None:
    """As if it were not wished for: the next one brings the route of the network."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.1")}
    batch(engine, *[line.replace("macvlan", "label") for line in LINES[:3]], force=True)
    assert [alias.prefixlen for alias in engine.show()] == [24, 32]
    assert len(wire.asked) == 3


def test_a_batch_that_is_aborted(memory: Memory, wire: Wire) -> None:
    """Nothing is done, not even with force; a wish that would abort and is free aborts nothing."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.3")}
    for force in (False, True):
        work = batch(engine, *LINES[:2], f"{LINES[2]} conflict abort", LINES[3], force=force)
        assert [n for n, _ in work.failed] == [3]
        assert (work.skipped, aliases(engine)) == (3, {})
    batch(engine, f"{LINES[0]} conflict abort", LINES[2], LINES[3], force=True)
    assert list(aliases(engine)) == ["eth0:1", "eth0:4"]


def test_an_error_before_the_conflict_counts(memory: Memory, wire: Wire) -> None:
    """The first wrong line is told, whatever is wrong with it."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("10.0.0.1"), packed("10.0.0.2")}
    work = batch(engine, "no0:1 10.1.1.1", LINES[0])
    assert [n for n, _ in work.failed] == [1]
    work = batch(engine, LINES[0], "no0:1 10.1.1.1", LINES[1], force=True)
    assert [n for n, _ in work.failed] == [1, 2, 3]


def test_a_batch_that_may_not_ask(memory: Memory, wire: Wire) -> None:
    """An error of its first line, not of the program."""
    engine = on(memory, acd="fast")
    wire.forbidden = True
    for lines in (LINES, [line.replace("10.0.0.", "2001:db8::") for line in LINES]):
        work = batch(engine, *[line.replace("/24", "") for line in lines])
        assert [(n, error.status) for n, error in work.failed] == [(1, 4)]
        assert (work.skipped, aliases(engine)) == (4, {})


def test_ipv6_in_a_batch(memory: Memory, wire: Wire) -> None:
    """The verdict leaves out the one alone."""
    engine = on(memory, acd="fast")
    wire.taken = {packed("2001:db8::2")}
    work = batch(engine, *[f"eth0:{n} 2001:db8::{n} kind macvlan" for n in (1, 2, 3)])
    assert [(n, error.status) for n, error in work.failed] == [(2, 6)]
    assert list(aliases(engine)) == ["eth0:1", "eth0:3"]
    assert wire.heard() == ["2001:db8::1", "2001:db8::3"]


# The command


class Verb:
    """The command over the same kernel and segment."""

    def __init__(self, memory: Memory, wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
        self.memory, self.wire, self.capsys = memory, wire, capsys

    def __call__(self, text: str) -> tuple[int, str, str]:
        status = cli.main(text.split(), self.opened)
        out, err = self.capsys.readouterr()
        return status, out, err

    def opened(self, options: cli.Options) -> Engine:
        """As cli does."""
        engine = on(self.memory)
        return engine.derived(policy=cli.policy(options, engine.policy))


@pytest.fixture
def verb(memory: Memory, wire: Wire, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Five aliases on two main devices, one of them down, and a label of others."""
    engine = on(memory)
    for line in (
        "eth0:0 10.0.0.1 kind macvlan", f"eth0:1 {V6} kind macvlan", "eth1:0 10.0.0.2 kind label",
        "eth1:1 10.0.0.3 kind macvlan down", "lo:0 10.0.0.4",
    ):  # fmt: skip
        do(engine, line)
    memory.add_address("eth1", "10.0.0.5/32", label="eth1:5")
    wire.heard()
    return Verb(memory, wire, capsys)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("all", ["10.0.0.1", V6, "10.0.0.2"]),
        ("eth0", ["10.0.0.1", V6]),
        ("wan", ["10.0.0.1", V6]),
        ("wan:0", ["10.0.0.1"]),
        ("eth1 eth0:1 eth1:0", [V6, "10.0.0.2"]),
        ("eth0 all", ["10.0.0.1", V6, "10.0.0.2"]),
        ("lo", []),
    ],
)
def test_whom_announce_announces(verb: Verb, wire: Wire, words: str, told: list[str]) -> None:
    """All that can be told, silently; -v and --dry-run say what."""
    said = verb(f"--dry-run announce {words}")[1]
    assert wire.heard() == []
    assert [line.split()[1] for line in said.splitlines()] == told
    assert verb(f"announce {words}") == (0, "", "")
    assert sorted(wire.heard()) == sorted(told)
    assert verb(f"-v announce {words}") == (0, said, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("eth1:1", "eth1_1 is down"),
        ("lo:0", "lo has no neighbours"),
        ("eth1:5", "netalias did not make it"),
    ],
)
def test_one_that_cannot_be_told_is_named(verb: Verb, wire: Wire, words: str, why: str) -> None:
    """Where it was asked for by name; its neighbours are told nothing."""
    warning = f"netalias: warning: {words}: not announced: {why}\n"
    assert verb(f"announce {words}") == (0, "", warning)
    assert verb(f"-q announce {words}") == (0, "", "")
    assert wire.told == []


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("announce", 1, "announce needs the name of an alias or a main device, or all"),
        ("announce no0", 2, "no0: there is no such device"),
        ("announce eth0:7", 2, "eth0:7: there is no such alias (an address creates it)"),
        ("--announce off announce all", 1, "--announce off: announce announces"),
        (
            "--acd fast announce all",
            1,
            "--acd belongs to NAME ADDRESS, reconcile, batch, move, pool, watch"
            " (netalias help announce)",
        ),
    ],
)
def test_what_announce_refuses(verb: Verb, words: str, status: int, text: str) -> None:
    """One line each."""
    assert verb(words) == (status, "", f"netalias: {text}\n")


def test_announce_again_and_again(verb: Verb, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is interrupted, without leaving children behind; a rehearsal ends."""
    rounds = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    command = ["--announce", "every 5", "announce", "eth0:0"]
    assert cli.main(["--dry-run", *command], verb.opened) == 0
    assert rounds == []
    assert cli.main(command, verb.opened) == 130
    assert (rounds, wire.heard()) == ([5, 5, 5], ["10.0.0.1"] * 3)


def test_announce_without_the_right(verb: Verb, wire: Wire) -> None:
    """Status 4, as of any other command."""
    wire.forbidden = True
    assert verb("announce all") == (
        4, "", "netalias: not announced: frames: Operation not permitted (CAP_NET_RAW is needed)\n"
    )  # fmt: skip


def test_an_address_that_is_being_checked_is_not_announced(
    verb: Verb, memory: Memory, wire: Wire
) -> None:
    """Optimistic or not (RFC 4429, 3.3)."""
    entry = next(
        e for e in Engine(Setup(memory)).observe().aliases if str(e.name) == "eth0:1"
    ).entry
    assert entry is not None
    for flags in (IFA_F_TENTATIVE, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC):
        alias = Engine(Setup(memory)).get("eth0:1")
        assert alias.entry is not None
        alias.entry.flags |= flags
        assert claim.reason_not_to_announce(alias) == "it is still being checked (tentative)"


def test_options_of_a_line_of_a_batch(verb: Verb, wire: Wire, tmp_path: Path) -> None:
    """They count for that line, over those of the batch."""
    file = tmp_path / "batch"
    file.write_text(
        "--acd fast eth0:5 10.0.0.6 kind macvlan\neth0:6 10.0.0.7 kind macvlan\n"
        "--acd=off eth0:7 10.0.0.8 kind macvlan\n"
    )
    assert verb(f"--announce off batch {file}") == (0, "", "")
    assert (wire.asked, wire.told) == ([packed("10.0.0.6")], [])
    file.write_text(file.read_text().replace("10.0.0.", "10.0.1."))
    assert verb(f"--acd fast batch {file}") == (0, "", "")
    assert wire.asked[1:] == [packed("10.0.1.6"), packed("10.0.1.7")]


def test_a_rehearsal_of_a_batch_sends_nothing(verb: Verb, wire: Wire, tmp_path: Path) -> None:
    """Nobody is asked, nobody is told."""
    file = tmp_path / "batch"
    wire.followed.clear()
    file.write_text("eth0:5 10.0.0.6 acd fast\nannounce all\neth0:6 2001:db8::7 acd fast\n")
    assert verb(f"--dry-run batch {file}")[0] == 0
    assert wire.asked == wire.told == wire.followed == []


# Again and again


class Clock:
    """The seconds since the boot, as engine/announce.py reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(announcing, "clock_gettime", lambda clock: self.now)


def test_what_is_announced_every_so_often(
    memory: Memory, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is due, by main device and period; what was just told is not told twice."""
    clock = Clock(monkeypatch)
    engine = on(memory)
    lines = (
        "wan:0 10.0.0.1 announce every 60",
        "eth0:1 10.0.0.2",
        "eth0:2 10.0.0.3 announce every 90",
        "eth1:0 10.0.0.4 announce every 60",
    )
    found = declarations.parse([("file", "\n".join(lines))], engine.registry)

    def run(only: str = "", told: Collection[AliasName] = ()) -> list[str]:
        assert announcing.again(engine, str(tmp_path), found, only, told) == []
        return wire.heard()

    outcome = reconcile.reconcile(engine, found, reconcile.Rules())
    assert len(wire.heard()) == len(outcome.announced) == 4
    assert run(told=outcome.announced) == []
    clock.now += 59
    assert run() == []
    clock.now += 1
    assert run(only="eth1") == ["10.0.0.4"]
    assert run(only="wan") == ["10.0.0.1"]
    assert run() == []
    clock.now += 30
    assert run() == ["10.0.0.3"]
    clock.now = 5  # another boot
    assert run() == ["10.0.0.1", "10.0.0.3", "10.0.0.4"]
    assert run() == []
    (tmp_path / "announced").write_text("what is this\n")
    assert len(run()) == 3
    do(engine, "eth0:0 down")
    clock.now += 60
    assert run() == ["10.0.0.4"]
