"""What floats, over the kernel in memory: orders of a scripted agent, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from test_desired_declarations import parse
from watched import SOON, Watched

from netalias.cluster.orders import (
    Check,
    Checked,
    Extend,
    Forget,
    Gone,
    Message,
    Release,
    Take,
    Taken,
)
from netalias.cluster.orders import parse as message
from netalias.errors import PacketError, StateError
from netalias.model import Alias
from netalias.model.leases import RenewAddress
from netalias.system.deadline import Deadline
from netalias.system.journal import Journal
from netalias.views import metrics
from netalias.watch import making
from netalias.watch.floats import LOOK, Floats
from netalias.watch.lifetimes import LESS, MOST
from netalias.watch.making import CHUNK, LEAVING

LINE = "float web eth0:100-104 10.0.0.100-104/24 kind label"
MACVLAN = "float web eth0:100-104 10.0.0.100-104/24 kind macvlan"
SIX = "float web eth0:100-104 2001:db8::100-104/64 kind label"


class Host:
    """A watcher that declares *text*; ``reports`` is what the agent is told."""

    def __init__(self, text: str = LINE) -> None:
        self.watched = Watched("", claims=True)
        self.kernel = self.watched.kernel
        self.reports: list[str] = []
        self.busy = False
        self.before: Callable[[], object] = lambda: None
        """Called after the reading, before lifetimes are set, as others may act then."""
        self.waits = 0.0
        self.apart = 5000.0
        """Seconds between the two clocks: those of suspensions."""
        journal = Journal(stream=self.watched.journal, environ={}, now=str)
        self.floats = Floats(
            self.watched.controller,
            self.watched.claims,
            journal,
            lambda: self.watched.now,
            lambda: self.watched.now + self.apart,
            lambda one: self.reports.append(one.line()),
            self.do,
        )
        self.watched.controller.hear = self.floats.hear
        self.declare(text)

    def do(self, seconds: float, work: Callable[[], str]) -> str:
        """Do it here; the kernel in memory has no other process. ``busy``: it takes too long."""
        if self.waits:  # it has read the clock, and the kernel does the work so much later
            self.apart -= self.waits
            work()
            self.apart += self.waits
        if self.busy or self.waits:
            raise StateError("too busy")
        self.before()
        return work()

    @property
    def boottime(self) -> float:
        return self.watched.now + self.apart

    def declare(self, text: str) -> None:
        """Other files."""
        found = parse(text)
        assert not found.errors
        self.watched.controller.load(found)
        self.floats.load(found.tasks)
        self.act()

    def order(self, *messages: Message) -> list[str]:
        """Carry these out; what is reported."""
        for one in messages:
            self.floats.order(message(one.line()))
        return self.act()

    def act(self) -> list[str]:
        """Do what is due; what is reported, without the numbers of orders."""
        for _ in range(20):
            self.watched.quiet()
            if self.floats.due(self.watched.now) != 0.0:
                break
            self.floats.tick(self.watched.now)
        found, self.reports = self.reports, []
        return [re.sub(r"^gone \d+", "gone", one) for one in found]

    def pass_time(self, seconds: float) -> list[str]:
        """Let the time pass; what is reported."""
        end = self.watched.now + seconds
        found = []
        while self.watched.now < end:
            self.watched.pass_time(min(LOOK, end - self.watched.now) + 0.01)
            found += self.act()
        return found

    def take(self, *addresses: str, left: float = 10.0) -> list[str]:
        """Take them for some time."""
        return self.order(Take(self.boottime + left, [("web", one) for one in addresses]))

    def there(self) -> dict[str, int]:
        """The aliases with the lifetime of each address."""
        found = self.watched.engine.observe().aliases
        return {str(one.name): one.entry.valid if one.entry is not None else 0 for one in found}

    def lose(self, name: str) -> None:
        """Somebody deletes an address, or it runs out."""
        (alias,) = (one for one in self.watched.engine.observe().aliases if one.name == name)
        assert alias.carrier is not None
        assert alias.entry is not None
        self.kernel.remove_address(alias.carrier.name, alias.entry)


@pytest.mark.parametrize("text", [LINE, MACVLAN, SIX])
def test_what_is_taken_stands_for_a_time_and_is_prolonged(text: str) -> None:
    """At first for half of the time: the rest is for the work. Each proof sets all lifetimes."""
    host = Host(text)
    first, second = [f"{'2001:db8::' if text is SIX else '10.0.0.'}{one}" for one in (100, 102)]
    assert host.take(first, second, left=10.9) == []
    assert host.there() == {"eth0:100": 5, "eth0:102": 5}
    assert host.order(Extend(host.boottime + 13.5)) == []
    assert host.there() == {"eth0:100": 12, "eth0:102": 12}
    assert "2 addresses taken (eth0:100, eth0:102)" in "".join(host.watched.said())


def test_a_machine_that_is_too_busy_prolongs_later() -> None:
    """Nothing else is lost: what stands does so for the rest of its time, and the next proof may
    come in time."""
    host = Host()
    host.take("10.0.0.100", left=10.9)
    host.busy = True
    assert host.order(Extend(host.boottime + 13.5)) == []
    assert host.there() == {"eth0:100": 5}
    assert "too busy" in "".join(host.watched.said())
    host.busy = False
    host.order(Extend(host.boottime + 13.5))
    assert host.there() == {"eth0:100": 12}


MANY = 250
WIDE = f"float web eth0:0-{MANY - 1} 10.0.0.1-{MANY}/16 kind label"


def many() -> list[str]:
    """The addresses of WIDE."""
    return [f"10.0.0.{number}" for number in range(1, MANY + 1)]


def counted(host: Host) -> list[int]:
    """A list that gets the number of lifetimes of each process that sets some."""
    counts: list[int] = []
    lifetimes = host.floats._lifetimes
    steps, do = lifetimes._steps, lifetimes._apart

    def noted(standing: Sequence[tuple[Alias, float]]) -> list[RenewAddress]:
        counts.append(len(standing))
        return steps(standing)

    def asked(seconds: float, work: Callable[[], str]) -> str:
        if host.busy:
            counts.append(0)
        return do(seconds, work)

    lifetimes._steps = noted  # type: ignore[method-assign]
    lifetimes._apart = asked
    return counts


def test_one_process_sets_the_lifetimes_of_hundreds() -> None:
    """A process and a reading of the kernel for each of them would cost more than all of it."""
    host = Host(WIDE)
    host.take(*many(), left=20)
    counts = counted(host)
    host.order(Extend(host.boottime + 30))
    assert counts == [MANY]
    assert {*host.there().values()} == {29}


def test_what_could_not_be_set_in_time_is_tried_in_smaller_parts() -> None:
    """A machine that is too busy for hundreds has time for some; nothing is tried in a circle."""
    host = Host(WIDE)
    host.take(*many(), left=20)
    counts = counted(host)
    host.busy = True
    host.order(Extend(host.boottime + 30.9))
    assert counts == [0]
    host.busy = False
    host.pass_time(LOOK)
    assert counts == [0, MOST // LESS, MOST // LESS * 2, MANY - MOST // LESS * 3]
    assert {*host.there().values()} == {29}


def test_what_moves_waits_for_one_batch_of_lifetimes() -> None:
    """It has no answer meanwhile; those that wait for the next batch have time."""
    host = Host(WIDE)
    *first, last = many()
    host.take(*first, left=20)
    counts = counted(host)
    host.floats._lifetimes._most = 50
    host.floats.order(Extend(host.boottime + 30.9))
    host.floats.tick(host.watched.now)
    assert counts == [50]
    host.floats.order(Take(host.boottime + 30, [("web", last)]))
    host.floats.tick(host.watched.now)
    assert f"eth0:{MANY - 1}" in host.there()
    assert host.act() == []
    assert sum(counts) == MANY - 1
    assert sorted(host.there().values())[1:] == [29] * (MANY - 1)


def test_what_goes_meanwhile_is_prolonged_by_nobody() -> None:
    """An address that is released or forgotten while others are prolonged is in no later batch."""
    host = Host(WIDE)
    host.take(*many(), left=20)
    counts = counted(host)
    host.floats._lifetimes._most = 50
    host.floats.order(Extend(host.boottime + 30))
    host.floats.tick(host.watched.now)
    host.order(Release([("web", one) for one in many()[50:]]))
    assert counts == [50]
    assert len(host.there()) == 50
    host.floats.order(Extend(host.boottime + 40))
    host.floats.order(Forget())
    assert host.act() == []
    assert counts == [50]
    assert {*host.there().values()} == {29}


def test_lifetimes_that_the_kernel_got_too_late_are_set_right() -> None:
    """Nothing ends a process that waits for the lock of rtnetlink: its message is carried out, by a
    clock that was read long ago, and no further proof may come."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.waits = 4.0
    host.order(Extend(host.boottime + 20.5))
    assert host.there() == {"eth0:100": 23}
    host.waits = 0.0
    host.pass_time(LOOK)
    assert host.there() == {"eth0:100": 19}


def test_lifetimes_that_the_kernel_got_too_late_end_with_the_address() -> None:
    """Where it is too late to set them right, or nobody does that any more."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.waits = 4.0
    host.order(Extend(host.boottime + 2.1))
    assert host.there() == {"eth0:100": 5}
    assert host.pass_time(2 * LOOK) == ["gone web/10.0.0.100"]
    assert host.there() == {}
    host.take("10.0.0.100", left=21)
    host.order(Extend(host.boottime + 20.5))
    assert host.order(Forget()) == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_one_that_goes_meanwhile_keeps_no_other_lifetime_back() -> None:
    """Somebody deletes its device after the reading, and before the lifetimes of its batch are
    set."""
    host = Host(MACVLAN)
    host.take("10.0.0.100", "10.0.0.101", "10.0.0.102", left=10)
    lost = ["eth0_101"]
    host.before = lambda: lost and host.kernel.remove_device(lost.pop())
    host.order(Extend(host.boottime + 20.5))
    found = host.there()
    assert not lost
    assert {found["eth0:100"], found["eth0:102"]} == {19}


def test_lifetimes_that_were_set_too_late_are_set_once_more_after_an_error_too() -> None:
    """The kernel had refused them the second time; nothing else would set them right."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.waits = 4.0
    host.order(Extend(host.boottime + 20.9))
    host.waits = 0.0
    setting = host.floats._lifetimes._setting
    refusals = ["no memory"]

    def refused(standing: object, observed: object) -> Callable[[], str]:
        return refusals.pop if refusals else setting(standing, observed)  # type: ignore[arg-type]

    host.floats._lifetimes._setting = refused  # type: ignore[method-assign,assignment]
    host.pass_time(LOOK)
    assert host.there() == {"eth0:100": 23}
    host.pass_time(LOOK)
    assert not refusals
    assert host.there() == {"eth0:100": 19}


def test_what_was_set_too_late_goes_when_the_second_try_is_too_late() -> None:
    """The clock of the process that sets lifetimes is read after that of the watcher."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.waits = 4.0
    host.order(Extend(host.boottime + 2.3))
    host.waits = 0.0

    def stop() -> None:
        host.apart += 0.2

    host.before = stop
    assert host.pass_time(2 * LOOK) == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_lifetimes_are_set_soon_after_a_failure_whatever_else_happens() -> None:
    """As while somebody holds the lock for long, and an address waits to be made."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.watched.lock.held = True
    host.waits = 4.0
    host.order(Extend(host.boottime + 20.5), Take(host.boottime + 20, [("web", "10.0.0.101")]))
    assert host.there() == {"eth0:100": 23}
    host.waits = 0.0
    for _ in range(10):
        host.watched.pass_time(LOOK / 8)
        host.floats.tick(host.watched.now)
    assert host.there() == {"eth0:100": 19}


def test_what_may_stand_for_too_long_goes_without_the_lock() -> None:
    """Somebody holds it for longer than the address may stand; its end is told when it is free."""
    host = Host()
    host.take("10.0.0.100", left=21)
    host.waits = 4.0
    host.order(Extend(host.boottime + 20.5))
    host.waits = 0.0
    host.watched.lock.held = True
    assert host.order(Forget()) == []
    assert host.there() == {}
    host.watched.lock.held = False
    assert host.pass_time(0.1) == ["gone web/10.0.0.100"]


def test_a_reading_that_fails_is_not_repeated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are the lifetimes forgotten."""
    host = Host()
    host.take("10.0.0.100", left=10)
    with monkeypatch.context() as patched:
        patched.setattr(host.watched.controller, "observe", lambda: 1 / 0)
        host.floats.order(Extend(host.boottime + 20.5))
        with pytest.raises(ZeroDivisionError):
            host.floats.tick(host.watched.now)
        assert host.floats.due(host.watched.now) == LOOK
    host.pass_time(LOOK)
    assert host.there() == {"eth0:100": 19}


def test_those_that_wait_for_a_lifetime_have_it_before_others_have_the_next() -> None:
    """Where there is no time for all of them before the next proof, all have their turn."""
    host = Host(WIDE)
    host.take(*many(), left=40)
    host.floats._lifetimes._most = 100
    host.floats.order(Extend(host.boottime + 30.9))
    host.floats.tick(host.watched.now)
    host.floats._lifetimes._most = 100
    host.floats.order(Extend(host.boottime + 36.9))
    host.floats.tick(host.watched.now)
    assert sorted(host.there().values()) == [19] * 50 + [29] * 100 + [35] * 100


def test_a_stop_before_the_deadline_counts_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that it has taken is over for the addresses, too: the clock is read afterwards."""
    host = Host()

    class Stopped(Deadline):
        def __enter__(self) -> None:
            host.apart += 100.0

    monkeypatch.setattr(making, "Deadline", Stopped)
    assert host.take("10.0.0.100", left=10.9) == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_what_is_undone_gets_no_lifetime_back() -> None:
    """The former one would begin anew, and end later than it may."""
    host = Host()
    host.take("10.0.0.100", left=20)
    diff = host.floats._making.differences([("web", "10.0.0.100")], 3)
    steps = [step for item in diff.items for step in item.plan.steps]
    assert [type(step) for step in steps] == [RenewAddress]
    assert [step.inverse() for step in steps] == [None]


def test_what_comes_is_made_before_the_others_are_prolonged() -> None:
    """It has no answer meanwhile, and what stands has time. Even if it cannot be made, the others
    are prolonged."""
    host = Host()
    host.take("10.0.0.100", left=20)
    there: list[set[str]] = []
    do = host.floats._lifetimes._apart

    def noted(seconds: float, work: Callable[[], str]) -> str:
        there.append({*host.there()})
        return do(seconds, work)

    host.floats._lifetimes._apart = noted
    host.order(Take(host.boottime + 20, [("web", "10.0.0.101")]), Extend(host.boottime + 20))
    assert there == [{"eth0:100", "eth0:101"}]
    assert host.there() == {"eth0:100": 19, "eth0:101": 19}
    host.watched.lock.held = True
    host.order(Take(host.boottime + 30, [("web", "10.0.0.102")]), Extend(host.boottime + 30))
    assert host.there() == {"eth0:100": 29, "eth0:101": 29}


def test_what_comes_is_announced_by_the_next_turn_of_the_announcer() -> None:
    """It finds the address at once, and need not look again later."""
    host = Host()
    host.floats.order(Take(host.boottime + 20, [("web", "10.0.0.101")]))
    host.floats.tick(host.watched.now)
    host.watched.announcer.tick(host.watched.now + SOON)
    assert [address for _, _, address in host.watched.sender.told] == [b"\n\0\0e"]


def test_what_goes_is_told_part_by_part() -> None:
    """Others have the first addresses before the last ones have gone; what is no address at all is
    told at once, and together."""
    count = LEAVING + 10
    host = Host(f"float web eth0:1-{count} 10.1.0.1-10.1.0.{count}/32 kind label")
    texts = [f"10.1.0.{number}" for number in range(1, count + 1)]
    host.take(*texts, left=20)
    host.floats.order(Release([("web", one) for one in [*texts, "none", "nor-this"]]))
    told = [one.split()[2:] for one in host.reports]
    assert told == [["web/none", "web/nor-this"]]
    host.floats.tick(host.watched.now)
    assert [len(one.split()) - 2 for one in host.reports] == [2, LEAVING]
    assert len(host.there()) == 10
    assert len(host.act()) == 3
    assert host.there() == {}


def test_what_was_not_taken_is_never_made() -> None:
    """Neither by a proof nor by healing."""
    host = Host()
    host.order(Extend(host.boottime + 10))
    assert host.there() == {}
    host.take("10.0.0.100")
    host.lose("eth0:100")
    host.act()
    assert [*host.there()] == ["eth0:100"]


def test_a_lost_address_is_healed_until_its_end() -> None:
    """Afterwards it has run out, and the agent is told."""
    host = Host()
    host.take("10.0.0.100", left=20)
    host.lose("eth0:100")
    assert host.act() == []
    assert 1 <= host.there()["eth0:100"] <= 10
    host.pass_time(17.5)
    host.lose("eth0:100")
    assert host.act() == ["gone web/10.0.0.100"]
    assert host.there() == {}
    host.pass_time(60)
    assert host.there() == {}


def test_what_others_do_beside_makes_nothing_anew() -> None:
    """Not even the lifetimes of what stands are set: devices come and go on a host all the time."""
    host = Host(MACVLAN)
    host.take("10.0.0.100", left=20)
    host.order(Extend(host.boottime + 20))
    before = host.there()
    host.take("10.0.0.101", left=20)
    host.watched.kernel.add_device("other", up=True)
    host.act()
    host.watched.kernel.set_device("other", up=False)
    host.act()
    assert host.there()["eth0:100"] == before["eth0:100"] == 19
    host.watched.kernel.set_device("eth0_100", up=False)
    host.act()
    (alias,) = (one for one in host.watched.engine.observe().aliases if one.name == "eth0:100")
    assert alias.up


def test_an_address_that_is_undone_again_and_again_comes_later_and_later() -> None:
    """As any other alias."""
    host = Host()
    host.take("10.0.0.100", left=1000)
    for _ in range(5):
        host.lose("eth0:100")
        host.act()
        assert [*host.there()] == ["eth0:100"]
    host.lose("eth0:100")
    host.act()
    assert host.there() == {}
    host.pass_time(1.5)
    assert [*host.there()] == ["eth0:100"]


def test_what_is_released_is_gone_before_that_is_told() -> None:
    """At once for what is not there."""
    host = Host()
    host.take("10.0.0.100", "10.0.0.101")
    assert host.order(Release([("web", "10.0.0.100"), ("web", "10.0.0.104")])) == [
        "gone web/10.0.0.100 web/10.0.0.104"
    ]
    assert [*host.there()] == ["eth0:101"]
    assert host.order(Release([("db", "10.0.0.101")])) == ["gone db/10.0.0.101"]


def test_nothing_is_told_while_another_run_has_the_lock() -> None:
    """An address is removed when the lock is free; proofs wait for no lock."""
    host = Host()
    host.take("10.0.0.100", "10.0.0.101")
    host.watched.lock.held = True
    assert host.order(Release([("web", "10.0.0.100")])) == []
    assert host.order(Extend(host.boottime + 13.5)) == []
    assert host.there()["eth0:101"] == 12
    host.watched.lock.held = False
    assert host.pass_time(0.1) == ["gone web/10.0.0.100"]
    assert [*host.there()] == ["eth0:101"]


def test_too_late_is_not_at_all() -> None:
    """An address whose time is over, or almost, is not made."""
    host = Host()
    for left in (-5.0, 0.0, 1.5):
        assert host.take("10.0.0.100", left=left) == ["gone web/10.0.0.100"]
        assert host.there() == {}
    host.take("10.0.0.100")
    host.order(Extend(host.boottime + 1.5))
    assert host.there() == {"eth0:100": 5}


def test_what_is_not_declared_is_not_made() -> None:
    """The agent may know lines that are gone by now."""
    host = Host()
    assert host.take("10.0.0.99") == ["gone web/10.0.0.99"]
    host.take("10.0.0.100", "10.0.0.101")
    assert host.pass_time(0.01) == []
    host.declare("float web eth0:101-104 10.0.0.101-104/24 kind label prefer a hold-down 9")
    assert host.reports == []
    assert [*host.there()] == ["eth0:101"]
    assert [*host.floats.ours] == [("web", "10.0.0.101")]


def test_a_line_that_asks_for_another_alias_gives_up_the_former() -> None:
    """The agent takes it again, as another one."""
    host = Host()
    host.take("10.0.0.100")
    reports = host.reports
    host.declare(MACVLAN)
    assert host.there() == {}
    assert host.floats.ours == {}
    assert reports is not host.reports


@pytest.mark.parametrize("text", [LINE, MACVLAN])
def test_what_is_on_a_renamed_device_is_removed_before_it_counts_as_gone(text: str) -> None:
    """It stands where no line says, and nobody else may have it as long as it does."""
    host = Host(text)
    host.take("10.0.0.100", left=20)
    host.kernel.set_device("eth0", name="lan0")
    told = host.act()
    if not told:
        told = host.order(Extend(host.boottime + 20))
    assert told == ["gone web/10.0.0.100"]
    found = host.watched.engine.observe().snapshot.addresses.values()
    assert not [one for entries in found for one in entries if one.local == b"\n\0\0d"]


def test_one_that_is_almost_over_is_removed_before_it_counts_as_gone() -> None:
    """It has been there before."""
    host = Host()
    host.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label", lease=10)
    host.act()
    assert host.take("10.0.0.100", left=1.0) == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_an_ipv6_address_that_another_host_has_is_given_up() -> None:
    """The kernel has found that out, and removed it; it is not tried again here."""
    host = Host(SIX)
    host.take("2001:db8::100", left=20)
    host.kernel.check_address("eth0", "2001:db8::100")
    host.act()
    host.kernel.fail_address("eth0", "2001:db8::100")
    if host.there():
        host.lose("eth0:100")
    assert host.act() == ["gone web/2001:db8::100"]
    assert "eth0:100: another host has its address" in "".join(host.watched.said())
    assert host.floats.ours == {}


def test_a_device_that_goes_down_takes_its_addresses_along() -> None:
    """They are not healed here: another host may have them."""
    host = Host()
    host.take("10.0.0.100", "10.0.0.101")
    host.kernel.set_device("eth0", up=False)
    told = " ".join(host.act())
    assert "web/10.0.0.100" in told
    assert "web/10.0.0.101" in told
    assert host.there() == {}
    assert host.floats.ours == {}
    assert host.order(Check([("web", "10.0.0.100")])) == ["taken web/10.0.0.100"]


def test_the_kernel_checks_an_ipv6_address_by_itself() -> None:
    """And nobody is asked with acd off."""
    for text in (SIX, f"{LINE} acd off"):
        host = Host(text)
        (address,) = (
            one for one in ("2001:db8::100", "10.0.0.100") if (":" in one) == (text is SIX)
        )
        assert host.order(Check([("web", address)])) == [Checked([("web", address)]).line()]
    assert Host().order(Check([("web", "10.0.0.99")])) == [Taken([("web", "10.0.0.99")]).line()]


def test_after_a_suspension_all_is_given_up_before_anything_else() -> None:
    """The lifetimes stood still meanwhile; a proof that is not carried out yet is void."""
    host = Host()
    host.take("10.0.0.100", "10.0.0.101", left=30)
    host.apart += 40
    host.floats.order(Extend(host.boottime + 10))
    host.floats.tick(host.watched.now)
    assert host.there() == {}
    assert host.act() == ["gone web/10.0.0.100 web/10.0.0.101"]
    assert "suspended" in "".join(host.watched.said())
    host.pass_time(5)
    assert host.there() == {}


def test_one_that_has_gone_keeps_no_other_after_a_suspension() -> None:
    """Its device went at the same moment, and its event is not read yet."""
    host = Host(MACVLAN)
    host.take("10.0.0.100", "10.0.0.101", "10.0.0.102", left=30)
    host.apart += 40
    host.kernel.remove_device("eth0_101")
    host.watched.lock.held = True
    host.floats.tick(host.watched.now)
    assert host.there() == {"eth0:100": 0, "eth0:102": 0}


@pytest.mark.parametrize("declared", [True, False])
def test_after_a_suspension_what_only_runs_out_is_given_up_too(declared: bool) -> None:
    """What is not ours any more, or stands from a former watcher, is prolonged by nobody, but by
    the suspension."""
    host = Host()
    if declared:
        host.take("10.0.0.100", left=30)
        host.order(Forget())
    else:
        host.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label", lease=10)
    host.watched.engine.create("eth0:105", "10.0.0.105/24", kind="label", lease=10)
    host.act()
    assert [*host.there()] == ["eth0:100", "eth0:105"]
    due = host.floats.due(host.watched.now)
    assert due is not None
    assert due <= LOOK
    host.apart += 40
    host.floats.tick(host.watched.now)
    assert [*host.there()] == ["eth0:105"]


@pytest.mark.parametrize("later", ["", "float web eth0:101-104 10.0.0.101-104/24 kind label"])
def test_what_no_line_tells_of_any_more_is_removed_though_it_only_runs_out(later: str) -> None:
    """Whoever renews lifetimes would not know that this one floats."""
    host = Host()
    host.take("10.0.0.100", left=30)
    host.order(Forget())
    assert [*host.there()] == ["eth0:100"]
    host.declare(later)
    assert host.there() == {}


@pytest.mark.parametrize("message", [Take, Release])
@pytest.mark.parametrize(
    "later", ["", "float web eth0:101-104 10.0.0.101-104/24 kind label", LINE.replace("web", "www")]
)
def test_what_no_line_tells_of_any_more_is_removed_before_it_counts_as_gone(
    message: type[Message], later: str
) -> None:
    """It stands from a former watcher, and the agent knows by the store that it is ours: the lines
    have changed meanwhile. As long as it stands nobody else may have it."""
    host = Host(later)
    host.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label", lease=10)
    host.act()
    assert [*host.there()] == ["eth0:100"]
    if message is Take:
        told = host.take("10.0.0.100")
    else:
        told = host.order(Release([("web", "10.0.0.100")]))
    assert told == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_an_alias_without_an_end_is_left_to_its_own_line() -> None:
    """The address floats no more."""
    host = Host()
    host.declare("")
    host.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label")
    assert host.order(Release([("web", "10.0.0.100")])) == ["gone web/10.0.0.100"]
    assert [*host.there()] == ["eth0:100"]


def test_what_stands_twice_is_removed_twice_before_it_counts_as_gone() -> None:
    """As after a line that was about another device."""
    host = Host()
    for name in ("eth0:100", "eth1:100"):
        host.watched.engine.create(name, "10.0.0.100/24", kind="label", lease=10)
    host.act()
    assert host.order(Release([("web", "10.0.0.100")])) == ["gone web/10.0.0.100"]
    assert host.there() == {}


def test_a_name_that_is_no_address_is_gone() -> None:
    """Nothing can stand by it."""
    assert Host().order(Release([("web", "x")])) == ["gone web/x"]


def test_what_stands_from_before_is_told_and_left_alone() -> None:
    """Until it is taken, or runs out."""
    host = Host()
    host.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label", lease=10)
    host.watched.engine.create("eth0:105", "10.0.0.105/24", kind="label", lease=10)
    host.act()
    assert host.floats.standing() == [("web", "10.0.0.100")]
    host.take("10.0.0.100", left=20.5)
    assert host.there() == {"eth0:100": 10, "eth0:105": 10}
    assert host.floats.standing() == []
    host.order(Forget())
    host.lose("eth0:100")
    assert host.act() == []
    assert [*host.there()] == ["eth0:105"]


def test_many_are_made_a_few_at_a_time() -> None:
    """Proofs come in between."""
    count = CHUNK + 10
    host = Host(f"float web eth0:1-{count} 10.1.0.1-10.1.{count >> 8}.{count & 255}/32 kind label")
    pool = host.floats._places.pools["web"]
    texts = [pool.spelled(one) for one in pool.addresses]
    host.take(*texts, left=20)
    assert len(host.there()) == count
    host.order(Extend(host.boottime + 21.5))
    assert set(host.there().values()) == {20}
    assert host.order(Release([("web", one) for one in texts])) != []
    assert host.there() == {}


def test_what_is_gone_is_told_with_the_number_of_orders() -> None:
    """So the agent knows whether a later order makes it again."""
    host = Host()
    host.take("10.0.0.100")
    host.floats.order(Release([("web", "10.0.0.100")]))
    host.floats.order(Extend(host.boottime + 9))
    while host.floats.due(host.watched.now) == 0.0:
        host.floats.tick(host.watched.now)
    assert host.reports == ["gone 3 web/10.0.0.100"]
    host.floats.reset()
    host.reports.clear()
    host.floats.order(Release([("db", "10.0.0.100")]))
    assert host.reports == []
    host.floats.tick(host.watched.now)
    assert host.reports == ["gone 1 db/10.0.0.100"]


def test_the_figures_for_prometheus() -> None:
    """By pool, and how long they stand without another proof."""
    host = Host(f"{LINE}\nfloat db eth1:1 10.0.1.1")
    host.take("10.0.0.100", "10.0.0.101", left=8)
    text = metrics.floats(*host.floats.counts())
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert samples[:4] == [
        'netalias_floats_declared{pool="db"} 1', 'netalias_floats_declared{pool="web"} 5',
        'netalias_floats_held{pool="db"} 0', 'netalias_floats_held{pool="web"} 2',
    ]  # fmt: skip
    assert 7.0 < float(samples[4].removeprefix("netalias_floats_left_seconds ")) <= 8.0
    assert metrics.floats({}, 0.0) == ""


def test_only_orders_are_orders() -> None:
    """Everything else is an error of the agent."""
    with pytest.raises(PacketError):
        Host().order(Gone(1, [("web", "10.0.0.100")]))
