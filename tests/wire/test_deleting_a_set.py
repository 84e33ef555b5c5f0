"""Many deletions are one: a scratch mark for each device, and one message for all that carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from errno import EBUSY, EINTR, EINVAL, ENOBUFS, ENODEV, EOPNOTSUPP, EPERM, ESTALE
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from player import Player, acknowledge, is_dump, is_probe, wants_ack
from wire_cases import done_message, error_message, few, link_message

from netalias.kernel import netlink
from netalias.kernel.netlink import group_delete, spec
from netalias.model import GROUP, SCRATCH, Device, is_scratch
from netalias.model.steps import AddAltname, DelLink, Step

FIRST = 100
"""The index of the first device."""


class Groups:
    """A kernel that knows devices by index and mark, and what it refuses.

    ``refused`` is the errno by index of a move, ``stuck`` that of the deletion of a group;
    ``between`` is called before the devices are listed.
    """

    def __init__(self, player: Player, count: int, group: int = GROUP) -> None:
        self.groups = {FIRST + place: group for place in range(count)}
        self.refused: dict[int, int] = {}
        self.stuck = 0
        self.between: Callable[[], None] = lambda: None
        self.player = player
        player.answer = self

    def __call__(self, request: Any) -> Iterator[bytes]:
        if request.type == "RTM_SETLINK":
            yield from self._say(request, self._move(request.body))
        elif request.type == "RTM_DELLINK":
            yield from self._say(request, self._delete(request.body))
        elif request.type == "RTM_GETLINK" and is_dump(request):
            self.between()
            for index, group in self.groups.items():
                device = Device(index, f"d{index - FIRST}", group=group)
                yield spec.build(link_message(device, request.sequence))
            yield spec.build(done_message(0, request.sequence))
        elif request.type == "RTM_GETLINK" and spec.find(request.body, "IFLA_IFNAME") == "x":
            yield spec.build(link_message(Device(7, "x"), request.sequence))
        else:
            yield from acknowledge(request)

    def _say(self, request: Any, code: int) -> Iterator[bytes]:
        if code or wants_ack(request):
            yield spec.build(error_message(code, request.sequence))

    def _move(self, body: Any) -> int:
        index = body.ifi_index
        if index not in self.groups:
            return ENODEV
        if index in self.refused:
            return self.refused[index]
        self.groups[index] = spec.find(body, "IFLA_GROUP")
        return 0

    def _delete(self, body: Any) -> int:
        """As rtnl_dellink: by index where there is one, else all of a group."""
        if body.ifi_index:
            return 0 if self.groups.pop(body.ifi_index, None) is not None else ENODEV
        group = spec.find(body, "IFLA_GROUP")
        found = [index for index, one in self.groups.items() if one == group]
        if not found:
            return ENODEV
        if self.stuck:
            return self.stuck
        for index in found:
            del self.groups[index]
        return 0


@pytest.fixture
def kernel(player: Player) -> netlink.Netlink:
    return netlink.Netlink()


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dice: the scratch group is the one of the mark."""
    monkeypatch.setattr(group_delete, "urandom", lambda size: bytes(size))


def scratch(mark: int) -> int:
    """The scratch group of a mark without dice."""
    return mark | SCRATCH | 1 << 17


def changes(player: Player) -> list[Any]:
    """All requests but the readings."""
    return [request for request in player.requests if request.type != "RTM_GETLINK"]


def deletions(count: int, group: int = GROUP, first: int = 0) -> list[DelLink]:
    places = range(first, first + count)
    return [DelLink(f"d{place}", FIRST + place, group) for place in places]


def codes(results: list[Any]) -> list[int]:
    """The errno of each answer, 0 for success."""
    return [result.errno if result else 0 for result in results]


def told(request: Any) -> tuple[str, int, int | None]:
    """Type, index and mark of a message."""
    return request.type, request.body.ifi_index, spec.find(request.body, "IFLA_GROUP")


def test_one_goes_by_its_index(player: Player, kernel: netlink.Netlink) -> None:
    """A single device is deleted by itself, and nothing is moved."""
    machine = Groups(player, 2)
    assert kernel.send(deletions(1)) == [None]
    assert [told(request) for request in player.requests] == [("RTM_DELLINK", FIRST, None)]
    assert [*machine.groups] == [FIRST + 1]


def test_two_go_as_a_set(player: Player, kernel: netlink.Netlink) -> None:
    """Moves in given order, a reading of who is in the group, then its deletion."""
    machine = Groups(player, 3)
    assert kernel.send(deletions(2)) == [None, None]
    moves, _, deletion = player.sends
    assert [told(message) for message in (*moves, *deletion)] == [
        ("RTM_SETLINK", FIRST, scratch(GROUP)),
        ("RTM_SETLINK", FIRST + 1, scratch(GROUP)),
        ("RTM_DELLINK", 0, scratch(GROUP)),
    ]
    assert [wants_ack(message) for message in (*moves, *deletion)] == [False, True, True]
    assert machine.groups == {FIRST + 2: GROUP}


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_group_goes_last_of_all_sends(
    player: Player, kernel: netlink.Netlink, more: int
) -> None:
    """Whatever a send holds: every device was moved, and that was answered, before."""
    machine = Groups(player, netlink.PACK + more)
    steps = deletions(netlink.PACK + more)
    assert kernel.send(steps) == [None] * len(steps)
    kinds = [message.type for message in changes(player)]
    assert kinds == ["RTM_SETLINK"] * len(steps) + ["RTM_DELLINK"]
    assert machine.groups == {}


@pytest.mark.parametrize("code", [EPERM, EBUSY])
def test_a_move_that_is_refused_fails_its_own_step(
    player: Player, kernel: netlink.Netlink, code: int
) -> None:
    """The device stays, under its own mark; the others go."""
    machine = Groups(player, 4)
    machine.refused = {FIRST + 1: code}
    assert codes(kernel.send(deletions(4))) == [0, code, 0, 0]
    assert machine.groups == {FIRST + 1: GROUP}


def test_a_device_that_is_gone_fails_its_own_step(player: Player, kernel: netlink.Netlink) -> None:
    """ENODEV for the one, and the others go."""
    machine = Groups(player, 2)
    assert codes(kernel.send(deletions(3))) == [0, 0, ENODEV]
    assert machine.groups == {}


def test_a_group_that_is_refused_fails_all_that_were_moved(
    player: Player, kernel: netlink.Netlink
) -> None:
    """Each step has the errno that was said about it: of its move, or of the group."""
    machine = Groups(player, 3)
    machine.refused, machine.stuck = {FIRST + 1: EINVAL}, EOPNOTSUPP
    assert codes(kernel.send(deletions(3))) == [EOPNOTSUPP, EINVAL, EOPNOTSUPP]
    assert len(machine.groups) == 3


def test_all_moves_are_refused(player: Player, kernel: netlink.Netlink) -> None:
    """That the group is empty then (ENODEV) is said of no step."""
    machine = Groups(player, 3)
    machine.refused = dict.fromkeys(machine.groups, EPERM)
    assert codes(kernel.send(deletions(3))) == [EPERM] * 3


def test_two_marks_are_two_sets(player: Player, kernel: netlink.Netlink) -> None:
    """Devices of one mark never get the scratch mark of another."""
    machine = Groups(player, 4)
    machine.groups[FIRST + 2] = machine.groups[FIRST + 3] = 5
    steps = [*deletions(2), *deletions(2, 5, 2)]
    steps = [steps[place] for place in (0, 2, 1, 3)]
    assert kernel.send(steps) == [None] * 4
    assert machine.groups == {}
    found = [told(request) for request in changes(player)]
    for group, places in ((GROUP, (0, 1)), (5, (2, 3))):
        mark = scratch(group)
        assert [one for one in found if one[2] == mark] == [
            *(("RTM_SETLINK", FIRST + place, mark) for place in places),
            ("RTM_DELLINK", 0, mark),
        ]
    assert len(found) == 6


def test_a_refusal_of_one_set_is_not_that_of_another(
    player: Player, kernel: netlink.Netlink
) -> None:
    """Steps are matched with the answer to their own set."""
    machine = Groups(player, 4)
    machine.groups[FIRST + 2] = machine.groups[FIRST + 3] = 5
    machine.refused = {FIRST + 2: EPERM, FIRST + 3: EPERM}
    assert codes(kernel.send([*deletions(2), *deletions(2, 5, 2)])) == [0, 0, EPERM, EPERM]
    assert machine.groups == {FIRST + 2: 5, FIRST + 3: 5}


def test_remnants_go_with_their_kin(player: Player, kernel: netlink.Netlink) -> None:
    """S86: what an interrupted deletion left under the scratch mark is in the set of its mark."""
    machine = Groups(player, 3)
    machine.groups[FIRST + 2] = GROUP | SCRATCH
    steps = [*deletions(2), *deletions(1, GROUP | SCRATCH, 2)]
    assert kernel.send(steps) == [None] * 3
    assert player.count("RTM_DELLINK") == 1
    assert machine.groups == {}


@few
@given(st.lists(st.sampled_from([0, 1, 5, GROUP, GROUP | SCRATCH]), min_size=2, max_size=8))
def test_never_a_group_of_others(marks: list[int]) -> None:
    """A deletion without an index names a scratch mark; above all never group 0, all devices."""
    with pytest.MonkeyPatch.context() as patch:
        player = Player()
        patch.setattr(netlink, "socket", lambda *_: player)
        machine = Groups(player, len(marks) + 1, 0)
        machine.groups |= {FIRST + place: mark for place, mark in enumerate(marks)}
        steps = [DelLink(f"d{place}", FIRST + place, mark) for place, mark in enumerate(marks)]
        assert netlink.Netlink().send(steps) == [None] * len(marks)
    deleted = [told(request) for request in player.requests if request.type == "RTM_DELLINK"]
    assert all(index or (group and group & SCRATCH) for _, index, group in deleted)
    assert machine.groups == {FIRST + len(marks): 0}


def test_other_steps_keep_their_side(player: Player, kernel: netlink.Netlink) -> None:
    """What stands behind the last deletion is sent behind the set: it may need what that frees."""
    Groups(player, 2)
    one, two = deletions(2)
    others = [AddAltname("x", 7, name) for name in ("before", "between", "behind")]
    steps: list[Step] = [others[0], one, others[1], two, others[2]]
    assert kernel.send(steps) == [None] * 5
    assert [request.type for request in changes(player)] == [
        "RTM_NEWLINKPROP", "RTM_NEWLINKPROP",
        "RTM_SETLINK", "RTM_SETLINK", "RTM_DELLINK",
        "RTM_NEWLINKPROP",
    ]  # fmt: skip
    names = [
        spec.find(request.body, "IFLA_PROP_LIST")[0]["value"]
        for request in player.requests
        if request.type == "RTM_NEWLINKPROP"
    ]
    assert names == ["before", "between", "behind"]


def test_answers_are_in_the_order_of_the_steps(player: Player, kernel: netlink.Netlink) -> None:
    """Whatever was sent first: the answers stand where the steps stand."""
    machine = Groups(player, 3)
    machine.refused = {FIRST + 1: EBUSY}
    ghost = AddAltname("ghost", 0, "ghost:0")
    one, two, three = deletions(3)
    steps: list[Step] = [one, ghost, two, AddAltname("x", 7, "x:0"), three, ghost]
    assert codes(kernel.send(steps)) == [0, ENODEV, EBUSY, 0, 0, ENODEV]


def test_devices_that_are_known_by_name(player: Player, kernel: netlink.Netlink) -> None:
    """S86: an undoing has no index: the device of that name and mark goes, another one does not."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and not is_dump(request):
            name = spec.find(request.body, "IFLA_IFNAME")
            group = {"d0": GROUP, "d1": GROUP, "d2": 5}[name]
            index = FIRST + int(name[1:])
            yield spec.build(link_message(Device(index, name, group=group), request.sequence))
        else:
            yield from machine(request)

    machine = Groups(player, 3)
    player.answer = answer
    steps = [DelLink(name, 0, GROUP) for name in ("d0", "d2", "d1")]
    assert codes(kernel.send(steps)) == [0, ENODEV, 0]
    assert [*machine.groups] == [FIRST + 2]


def test_lost_answers_are_failures(player: Player, kernel: netlink.Netlink) -> None:
    """ENOBUFS: nothing is known of any of them."""

    def answer(request: Any) -> Iterator[bytes]:
        if is_probe(request):
            yield spec.build(error_message(ENODEV, request.sequence))
        elif is_dump(request):
            yield spec.build(done_message(0, request.sequence))
        elif wants_ack(request):
            player.overrun = True

    player.answer = answer
    assert codes(kernel.send(deletions(3))) == [ENOBUFS] * 3


def test_progress_counts_every_send(player: Player, kernel: netlink.Netlink) -> None:
    """It is told as soon as a send was answered, and not after the last one only."""
    Groups(player, netlink.PACK + 5)
    heard: list[tuple[int, int]] = []
    kernel.progress = lambda count: heard.append((len(player.sends), count))
    kernel.send(deletions(netlink.PACK + 5))
    assert heard[0] == (1, netlink.PACK)
    assert [sends for sends, _ in heard] == [1, 2, 4]


# Members of the group that are not ours


def test_a_foreign_member_stays(player: Player, kernel: netlink.Netlink) -> None:
    """Who puts a device of his own into the scratch group keeps it: ours go by their indexes."""
    machine = Groups(player, 4)
    machine.between = lambda: machine.groups.update({FIRST + 3: scratch(GROUP)})
    assert kernel.send(deletions(3)) == [None] * 3
    assert machine.groups == {FIRST + 3: scratch(GROUP)}
    deleted = [told(one) for one in player.requests if one.type == "RTM_DELLINK"]
    assert deleted == [("RTM_DELLINK", FIRST + place, None) for place in range(3)]


def test_a_device_that_is_taken_out_stays(player: Player, kernel: netlink.Netlink) -> None:
    """Who takes a device out of the scratch group keeps it, and the step fails."""
    machine = Groups(player, 3)
    machine.between = lambda: machine.groups.update({FIRST + 1: 0})
    assert codes(kernel.send(deletions(3))) == [0, ESTALE, 0]
    assert machine.groups == {FIRST + 1: 0}


def test_the_group_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the mark, and cannot be that of an earlier run, but by chance."""
    monkeypatch.undo()
    found = {group_delete.drawn(GROUP) for _ in range(100)}
    assert len(found) > 90
    assert all(is_scratch(one, GROUP) and one < 1 << 31 for one in found)
    assert not is_scratch(GROUP, GROUP)


# Stopping


def stopping_after(kernel: netlink.Netlink, sends: int) -> None:
    """Ask to stop as soon as so many sends were answered."""
    left = sends

    def hear(count: int) -> None:
        nonlocal left
        left -= 1
        kernel.stopping = kernel.stopping or not left

    kernel.progress = hear


def additions(count: int) -> list[AddAltname]:
    return [AddAltname("x", 7, f"a{place}") for place in range(count)]


def test_stopping_between_two_sends(player: Player, kernel: netlink.Netlink) -> None:
    """What was not sent is EINTR, what was sent has its answer."""
    Groups(player, 0)
    stopping_after(kernel, 1)
    results = kernel.send(additions(2 * netlink.PACK + 1))
    assert codes(results) == [0] * netlink.PACK + [EINTR] * (netlink.PACK + 1)
    assert len(player.sends) == 1


def test_a_set_that_was_begun_is_finished(player: Player, kernel: netlink.Netlink) -> None:
    """No device stays under the scratch mark."""
    machine = Groups(player, netlink.PACK + 5)
    stopping_after(kernel, 1)
    steps = deletions(netlink.PACK + 5)
    assert kernel.send(steps) == [None] * len(steps)
    assert machine.groups == {}


def test_an_undoing_is_not_stopped(player: Player, kernel: netlink.Netlink) -> None:
    """All that was done before is undone, in as many sends as it takes."""
    Groups(player, 0)
    stopping_after(kernel, 2)
    (failure,) = kernel.apply(additions(2 * netlink.PACK + 1))
    assert failure.error.errno == EINTR
    assert failure.left == []
    undone = player.count("RTM_DELLINKPROP")
    assert undone == player.count("RTM_NEWLINKPROP") == 2 * netlink.PACK
    assert len(player.sends) == 5  # with a reading before the undoing


@pytest.mark.parametrize("moment", ["moving", "moved", "listing", "deleting"])
def test_an_interrupted_set(moment: str) -> None:
    """Devices that are still there have their marks again; they would be nobody's."""
    groups = {FIRST + place: GROUP for place in range(4)}
    left = {"moving": 1, "moved": 1, "listing": 1, "deleting": 1}

    def interrupt(here: str) -> None:
        if here == moment and left.pop(here, 0):
            raise KeyboardInterrupt

    def send(steps: Sequence[Step], **_: object) -> list[None]:
        for place, step in enumerate(steps):
            if isinstance(step, group_delete.Move):
                groups[step.index] = step.scratch
            elif isinstance(step, group_delete.DelGroup):
                interrupt("deleting")
            if place == 1:
                interrupt("moving")
        if steps:
            interrupt("moved")
        return [None] * len(steps)

    def links() -> list[Device]:
        interrupt("listing")
        return [Device(index, f"d{index - FIRST}", group=group) for index, group in groups.items()]

    steps = deletions(3)
    with pytest.raises(KeyboardInterrupt):
        group_delete.send_with_set(send, links, steps, steps)  # type: ignore[arg-type]
    assert groups == {FIRST + place: GROUP for place in range(4)}
