"""netlink.Netlink against a kernel that is played: what goes wrong on a socket, on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EACCES, EBUSY, EEXIST, EINVAL, ENOBUFS, ENODEV, EOPNOTSUPP, EPERM
from typing import Any

import pytest
from player import ETH0, HOME, LO, Player, acknowledge, failing, is_dump, is_probe, wants_ack
from wire_cases import done_message, error_message, link_message

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import spec
from netalias.model import AF_INET6, Device
from netalias.model.commands import title
from netalias.model.steps import AddAddress, AddAltname, CreateLink, SetLink


@pytest.fixture
def kernel(player: Player) -> netlink.Netlink:
    return netlink.Netlink()


def changes(count: int) -> list[Any]:
    """Steps that are sent one by one."""
    return [AddAltname(f"d{place}", 100 + place, f"d{place}:0") for place in range(count)]


# Dumps


def test_snapshot(player: Player, kernel: netlink.Netlink) -> None:
    """Three dumps, of devices, addresses and local routes; nothing is sent twice."""
    snapshot = kernel.snapshot()
    assert list(snapshot.devices.values()) == [LO]
    assert snapshot.addresses == {1: [HOME]}
    asked = ["RTM_GETLINK", "RTM_GETADDR", "RTM_GETROUTE"]
    assert [request.type for request in player.requests] == asked
    assert not player.queue


def test_snapshot_of_one_family(player: Player, kernel: netlink.Netlink) -> None:
    """The kernel is asked for the addresses of the family only."""
    kernel.snapshot(AF_INET6)
    assert player.requests[-2].body.ifa_family == AF_INET6


@pytest.mark.parametrize("where", ["first", "last", "done"])
def test_an_interrupted_dump_is_repeated(
    player: Player, kernel: netlink.Netlink, where: str
) -> None:
    """NLM_F_DUMP_INTR on any message: the dump is read to its end and thrown away."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type != "RTM_GETLINK":
            yield from acknowledge(request)
            return
        again = player.count("RTM_GETLINK") > 1
        parts = [link_message(LO, request.sequence), link_message(ETH0, request.sequence)]
        parts.append(done_message(0, request.sequence))
        if not again:
            parts[0]["body"]["attributes"][0]["value"] = "old"
            place = {"first": 0, "last": 1, "done": 2}[where]
            parts[place]["flags"] = ["NLM_F_MULTI", "NLM_F_DUMP_INTR"]
        for part in parts:
            yield spec.build(part)

    player.answer = answer
    snapshot = kernel.snapshot()
    assert list(snapshot.devices.values()) == [LO, ETH0]
    assert snapshot.device("old") is None
    assert player.count("RTM_GETLINK") == 2
    assert player.count("RTM_GETADDR") == 1


def test_a_dump_while_the_last_one_goes_on(player: Player, kernel: netlink.Netlink) -> None:
    """EBUSY (netlink_dump_start): what is left of it is read, and the dump is asked for again."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type != "RTM_GETLINK":
            yield from acknowledge(request)
        elif player.count("RTM_GETLINK") == 1:
            yield spec.build(error_message(EBUSY, request.sequence))
            yield spec.build(link_message(ETH0, request.sequence - 1))
        else:
            yield spec.build(link_message(LO, request.sequence))
            yield spec.build(done_message(0, request.sequence))

    player.answer = answer
    assert list(kernel.snapshot().devices.values()) == [LO]
    assert player.count("RTM_GETLINK") == 2


def test_a_datagram_that_does_not_fit(player: Player, kernel: netlink.Netlink) -> None:
    """The buffer grows to what the kernel said it would need, and the dump is repeated."""
    attributes = [spec.attribute("IFLA_IFNAME", "lo"), spec.attribute(99, bytes(50000))]

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK":
            yield spec.build(link_message(LO, request.sequence, attributes))
            yield spec.build(done_message(0, request.sequence))
        else:
            yield from acknowledge(request)

    player.answer = answer
    snapshot = kernel.snapshot()
    assert [device.name for device in snapshot.devices.values()] == ["lo"]
    assert player.count("RTM_GETLINK") == 2
    assert player.sizes[0] < 50000 < player.sizes[-1]
    assert player.count("RTM_GETADDR") == 1


def test_the_end_in_a_datagram_that_does_not_fit(player: Player, kernel: netlink.Netlink) -> None:
    """NLMSG_DONE may stand in the datagram that did not fit: nothing else comes then."""
    attributes = [spec.attribute("IFLA_IFNAME", "lo"), spec.attribute(99, bytes(50000))]

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            link = link_message(LO, request.sequence, attributes)
            yield spec.build(link, done_message(0, request.sequence))
        else:
            yield from acknowledge(request)

    player.answer = answer
    assert [device.name for device in kernel.snapshot().devices.values()] == ["lo"]


def test_a_dump_that_lost_something_is_repeated(player: Player, kernel: netlink.Netlink) -> None:
    """ENOBUFS during a dump: it is read to its end and asked for again."""

    def answer(request: Any) -> Iterator[bytes]:
        if player.count("RTM_GETLINK") == 1:
            player.overrun = True
        yield from acknowledge(request)

    player.answer = answer
    assert list(kernel.snapshot().devices.values()) == [LO]
    assert player.count("RTM_GETLINK") == 2


@pytest.mark.parametrize("code", [EINVAL, EPERM])
def test_a_refused_dump(player: Player, kernel: netlink.Netlink, code: int) -> None:
    """NLMSG_ERROR instead of a dump: the kernel's words are in the error."""
    player.answer = lambda request: iter(
        [spec.build(error_message(code, request.sequence, "not now"))]
    )
    with pytest.raises(errors.KernelError, match=r"list of devices: .*not now") as caught:
        kernel.snapshot()
    assert caught.value.errno == code
    assert isinstance(caught.value, errors.NotPermitted) == (code == EPERM)


def test_a_dump_that_ends_in_an_error(player: Player, kernel: netlink.Netlink) -> None:
    """An errno in NLMSG_DONE: half a list is no list."""

    def answer(request: Any) -> Iterator[bytes]:
        yield spec.build(link_message(LO, request.sequence))
        yield spec.build(done_message(EINVAL, request.sequence, "bad filter"))

    player.answer = answer
    with pytest.raises(errors.KernelError) as caught:
        kernel.snapshot()
    assert caught.value.errno == EINVAL


def test_a_malformed_dump_is_a_wire_error(player: Player, kernel: netlink.Netlink) -> None:
    """Bytes that are no message end the reading with the error that says so."""
    player.answer = lambda request: iter([b"\xff" * 24])
    with pytest.raises(errors.WireError):
        kernel.snapshot()


def test_strangers_are_not_listened_to(player: Player, kernel: netlink.Netlink) -> None:
    """A datagram of another process (nl_pid != 0) is no answer, whatever it claims."""

    def answer(request: Any) -> Iterator[bytes]:
        sequence = request.sequence
        player.deliver(spec.build(link_message(ETH0, sequence)), source=4242)
        player.deliver(spec.build(done_message(0, sequence)), source=4242)
        player.deliver(spec.build(error_message(EPERM, sequence)), source=4242)
        player.deliver(b"\xff" * 7, source=4242)
        yield from acknowledge(request)

    player.answer = answer
    assert list(kernel.snapshot().devices.values()) == [LO]
    assert kernel.send(changes(2)) == [None, None]


def test_answers_to_earlier_requests_are_passed_over(
    player: Player, kernel: netlink.Netlink
) -> None:
    """A dump holds what carries its own sequence number."""
    player.deliver(spec.build(link_message(ETH0, 4000), done_message(EINVAL, 4000)))
    player.deliver(spec.build(error_message(EPERM, 4000)))
    assert list(kernel.snapshot().devices.values()) == [LO]


# Changes


def test_a_pack_asks_for_one_acknowledgement(player: Player, kernel: netlink.Netlink) -> None:
    """Many steps are one send, and its last message alone asks; success is silent before it."""
    assert kernel.send(changes(5)) == [None] * 5
    (messages,) = player.sends
    assert [wants_ack(message) for message in messages] == [False] * 4 + [True]
    assert len({message.sequence for message in messages}) == 5


@pytest.mark.parametrize("forced", [True, False])
def test_a_send_is_no_larger_than_its_answers_allow(player: Player, forced: bool) -> None:
    """More steps than a pack holds are several sends; less room for answers, smaller packs."""
    if not forced:
        player.refused = {netlink.SO_RCVBUFFORCE}
    size = netlink.PACK if forced else netlink.PACK_SMALL
    assert netlink.Netlink().send(changes(size + 3)) == [None] * (size + 3)
    assert [len(messages) for messages in player.sends] == [size, 3]


def test_an_old_kernel_without_options_serves(player: Player) -> None:
    """Options that the kernel does not have are done without."""
    player.refused = {
        netlink.NETLINK_EXT_ACK,
        netlink.NETLINK_CAP_ACK,
        netlink.NETLINK_GET_STRICT_CHK,
    }
    assert netlink.Netlink().send(changes(1)) == [None]


def test_errors_are_matched_by_sequence(player: Player, kernel: netlink.Netlink) -> None:
    """An error belongs to the step whose number it carries, even when answers come out of order."""
    held: list[bytes] = []

    def answer(request: Any) -> Iterator[bytes]:
        place = request.body.ifi_index - 100
        if place in (1, 3):
            held.append(spec.build(error_message(EEXIST + place, request.sequence)))
        if wants_ack(request):
            yield from reversed(held)
            yield spec.build(error_message(0, request.sequence))

    player.answer = answer
    results = kernel.send(changes(5))
    assert [result and result.errno for result in results] == [
        None,
        EEXIST + 1,
        None,
        EEXIST + 3,
        None,
    ]


def test_several_errors_in_one_datagram(player: Player, kernel: netlink.Netlink) -> None:
    """Answers may share a datagram."""
    held: list[Any] = []

    def answer(request: Any) -> Iterator[bytes]:
        held.append(error_message(EINVAL, request.sequence))
        if wants_ack(request):
            yield spec.build(*held)

    player.answer = answer
    results = kernel.send(changes(3))
    assert [result and result.errno for result in results] == [EINVAL] * 3


def test_an_error_of_the_last_step_ends_the_waiting(
    player: Player, kernel: netlink.Netlink
) -> None:
    """The refusal of the step that asked is its acknowledgement."""
    player.answer = failing(EEXIST)
    (result,) = kernel.send(changes(1))
    assert result is not None
    assert result.errno == EEXIST


def test_the_words_of_the_kernel_are_kept(player: Player, kernel: netlink.Netlink) -> None:
    """The extended acknowledgement reaches the error, beside what was asked and its number."""
    player.answer = failing(EINVAL, "Invalid macvlan mode")
    (result,) = kernel.send(changes(1))
    assert isinstance(result, errors.KernelError)
    assert result.text == "Invalid macvlan mode"
    assert title(changes(1)[0]) in str(result)
    assert "Invalid macvlan mode" in str(result)
    assert result.sequence == player.requests[0].sequence


@pytest.mark.parametrize("code", [EPERM, EACCES])
def test_without_permission(player: Player, kernel: netlink.Netlink, code: int) -> None:
    """EPERM and EACCES are NotPermitted, with the exit status 4 and a hint."""
    player.answer = failing(code)
    results = kernel.send(changes(2))
    for result in results:
        assert isinstance(result, errors.NotPermitted)
        assert (result.errno, result.status) == (code, 4)
        assert "CAP_NET_ADMIN" in result.hint


def test_a_tolerated_error_is_no_error(player: Player, kernel: netlink.Netlink) -> None:
    """A step may name errors that count as done; others still count."""
    player.answer = failing(EOPNOTSUPP)
    step = SetLink("x", 5, up=True, tolerate=(EOPNOTSUPP,))
    assert kernel.send([step]) == [None]
    player.answer = failing(EINVAL)
    assert kernel.send([step]) != [None]


def test_a_step_on_a_device_that_is_not_known(player: Player, kernel: netlink.Netlink) -> None:
    """Without an index nothing is sent, and the step fails by itself; others are served."""
    results = kernel.send([AddAltname("ghost", 0, "ghost:0"), *changes(1)])
    assert [result and result.errno for result in results] == [ENODEV, None]
    assert [message.type for message in player.requests] == ["RTM_NEWLINKPROP"]
    assert kernel.send([AddAltname("ghost", 0, "ghost:0")])[0] is not None
    assert len(player.sends) == 1


@pytest.mark.parametrize("count", [1, netlink.FEW + 1])
def test_a_new_device_is_known_by_name(player: Player, kernel: netlink.Netlink, count: int) -> None:
    """The index that the kernel chose is found, for a few one by one and for many by a dump."""
    made = [f"m{place}" for place in range(count)]

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK" and is_dump(request):
            for place, name in enumerate(made):
                yield spec.build(link_message(Device(41 + place, name, group=1), request.sequence))
            yield spec.build(done_message(0, request.sequence))
        elif request.type == "RTM_GETLINK":
            name = spec.find(request.body, "IFLA_IFNAME")
            index = 41 + made.index(name)
            yield spec.build(link_message(Device(index, name, group=1), request.sequence))
        else:
            yield from acknowledge(request)

    player.answer = answer
    assert kernel.send([CreateLink(name, "dummy", group=1) for name in made]) == [None] * count
    assert kernel.send([AddAddress(name, 0, HOME) for name in made]) == [None] * count
    added = [request for request in player.requests if request.type == "RTM_NEWADDR"]
    assert [request.body.ifa_index for request in added] == list(range(41, 41 + count))


# Loss


def unanswered(results: list[Any]) -> list[bool]:
    """Which steps are reported as lost."""
    return [result is not None and result.errno == ENOBUFS for result in results]


def test_lost_answers_are_failures(player: Player, kernel: netlink.Netlink) -> None:
    """ENOBUFS: a step without an answer has an unknown outcome, which is not success; the
    acknowledgement may have been lost too, so another one is asked for."""

    def answer(request: Any) -> Iterator[bytes]:
        if is_probe(request):
            yield spec.build(error_message(ENODEV, request.sequence))
        elif wants_ack(request):
            player.overrun = True

    player.answer = answer
    results = kernel.send(changes(3))
    assert unanswered(results) == [True] * 3
    assert all("lost" in str(result) for result in results)
    assert not player.queue


def test_what_was_answered_before_the_loss_is_believed(
    player: Player, kernel: netlink.Netlink
) -> None:
    """An error that did arrive keeps its own number."""

    def answer(request: Any) -> Iterator[bytes]:
        if is_probe(request):
            yield spec.build(error_message(ENODEV, request.sequence))
        elif request.body.ifi_index == 100:
            yield spec.build(error_message(EEXIST, request.sequence))
        elif wants_ack(request):
            player.overrun = True

    player.answer = answer
    results = kernel.send(changes(3))
    assert results[0] is not None
    assert results[0].errno == EEXIST
    assert unanswered(results) == [False, True, True]


def test_a_queue_that_ran_over(player: Player, kernel: netlink.Netlink) -> None:
    """The kernel drops silently until the queue was read empty: only then is asking of use."""
    player.room = 2
    player.answer = failing(EEXIST)
    results = kernel.send(changes(6))
    assert [result and result.errno for result in results[:2]] == [EEXIST, EEXIST]
    assert unanswered(results) == [False, False, True, True, True, True]


def test_the_socket_serves_after_a_loss(player: Player, kernel: netlink.Netlink) -> None:
    """What was lost is over: the next send is answered as ever."""

    def answer(request: Any) -> Iterator[bytes]:
        if is_probe(request):
            yield spec.build(error_message(ENODEV, request.sequence))
        elif wants_ack(request):
            player.overrun = True

    player.answer = answer
    kernel.send(changes(1))
    player.answer = acknowledge
    assert kernel.send(changes(2)) == [None, None]
    assert list(kernel.snapshot().devices.values()) == [LO]


# Questions


def test_able(player: Player, kernel: netlink.Netlink) -> None:
    """EOPNOTSUPP says that there is no such kind, EINVAL that there is; it is asked once each."""

    def answer(request: Any) -> Iterator[bytes]:
        kind = spec.find(request.body, "IFLA_LINKINFO", "IFLA_INFO_KIND")
        yield spec.build(
            error_message(EINVAL if kind == "macvlan" else EOPNOTSUPP, request.sequence)
        )

    player.answer = answer
    for _ in range(2):
        assert kernel.able("macvlan") is True
        assert kernel.able("nosuch") is False
    assert len(player.requests) == 2


def test_able_without_permission(player: Player, kernel: netlink.Netlink) -> None:
    """Who may not ask gets no answer, and the next one may."""
    player.answer = failing(EPERM)
    with pytest.raises(errors.NotPermitted):
        kernel.able("macvlan")
    player.answer = failing(EINVAL)
    assert kernel.able("macvlan") is True


@pytest.mark.parametrize("code", [EPERM, ENODEV])
def test_permitted(player: Player, kernel: netlink.Netlink, code: int) -> None:
    """EPERM is raised; any other answer means that the caller may."""
    player.answer = lambda request: iter([spec.build(error_message(code, request.sequence))])
    if code == EPERM:
        with pytest.raises(errors.NotPermitted):
            kernel.permitted()
    else:
        kernel.permitted()
    assert [is_probe(request) for request in player.requests] == [True]


# The socket


def test_errors_of_the_socket_are_ours(player: Player, kernel: netlink.Netlink) -> None:
    """An OSError of sending or reading is a KernelError with its number."""

    def broken(*_: Any) -> Any:
        raise OSError(EINVAL, "Invalid argument")

    player.recvfrom_into = broken  # type: ignore[method-assign]
    with pytest.raises(errors.KernelError) as caught:
        kernel.snapshot()
    assert caught.value.errno == EINVAL
    player.send = broken  # type: ignore[method-assign]
    [refusal] = kernel.send(changes(1))
    assert isinstance(refusal, errors.KernelError)
    assert refusal.errno == EINVAL


def test_any_port_id_will_do(player: Player, kernel: netlink.Netlink) -> None:
    """The kernel chooses the port id."""
    assert player.port == 0


def test_no_socket_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without rtnetlink says so when the kernel is opened."""

    def refuse(*_: Any) -> Any:
        raise OSError(EACCES, "Permission denied")

    monkeypatch.setattr(netlink, "socket", refuse)
    with pytest.raises(errors.NotPermitted, match="rtnetlink socket"):
        netlink.Netlink()


def test_the_socket_is_closed(player: Player) -> None:
    """Leaving the block closes the socket."""
    with netlink.Netlink():
        assert not player.closed
    assert player.closed


def test_what_an_interrupted_creation_made_is_deleted(
    player: Player, kernel: netlink.Netlink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S86: ^C between sending and reading the answer: the device is found by its mark, and goes."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK":
            yield spec.build(link_message(Device(41, "eth0_0", group=7), request.sequence))
        else:
            yield from acknowledge(request)

    def interrupted(*_: Any) -> Any:
        monkeypatch.undo()
        raise KeyboardInterrupt

    player.answer = answer
    monkeypatch.setattr(kernel, "_answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kernel.apply([CreateLink("eth0_0", "dummy", group=7)])
    deleted = [request for request in player.requests if request.type == "RTM_DELLINK"]
    assert [request.body.ifi_index for request in deleted] == [41]
