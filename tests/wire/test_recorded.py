"""Fingerprinted against a kernel that is played: when a reading is recognised, and when not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from errno import EACCES, ENOBUFS, ENODEV
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from player import ETH0, HOME, LO, Player, acknowledge, failing, is_dump
from wire_cases import (
    address_message,
    addresses,
    devices,
    done_message,
    error_message,
    few,
    link_message,
)

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, numbers, spec
from netalias.kernel.netlink.fingerprint import PORT_ID, Fingerprinted
from netalias.model import AF_INET, AF_INET6, PROTOCOL, Address, Device, Snapshot, Stats
from netalias.model.steps import AddAltname

Message = dict[str, Any]

STEP = AddAltname("eth0", 2, "eth0:0")


class Machine:
    """A kernel that dumps given messages, ``chunk`` of them in a datagram.

    ``apart``: NLMSG_DONE has a datagram of its own. ``marked`` is the place of a message, counted
    over both dumps, that carries NLM_F_DUMP_INTR the first time; -1 is the first NLMSG_DONE.
    """

    def __init__(
        self,
        links: Sequence[Message],
        entries: Sequence[Message] = (),
        *,
        chunk: int = 2,
        apart: bool = False,
    ) -> None:
        self.dumps = {"RTM_GETLINK": list(links), "RTM_GETADDR": list(entries)}
        self.chunk = chunk
        self.apart = apart
        self.marked: int | None = None

    def __call__(self, request: Any) -> Iterator[bytes]:
        if request.type not in self.dumps or not is_dump(request):
            yield from acknowledge(request)
            return
        messages = [{**one, "sequence": request.sequence} for one in self.dumps[request.type]]
        messages.append(done_message(0, request.sequence))
        self._mark(request.type, messages)
        ends = [len(messages) - 1] if self.apart else []
        places = sorted({*range(0, len(messages), self.chunk), *ends, len(messages)})
        for low, high in pairwise(places):
            yield spec.build(*messages[low:high])

    def _mark(self, type: str, messages: list[Message]) -> None:
        if self.marked is None:
            return
        before = 0 if type == "RTM_GETLINK" else len(self.dumps["RTM_GETLINK"])
        place = self.marked - before if self.marked >= 0 else -1
        if place < len(messages) - (self.marked >= 0):
            flags = ["NLM_F_MULTI", "NLM_F_DUMP_INTR"]
            messages[place] = {**messages[place], "flags": flags}
            self.marked = None


def machine(
    given_devices: Sequence[Device], entries: Sequence[Address] = (), **how: Any
) -> Machine:
    """One that has these devices and addresses."""
    return Machine(
        [link_message(device) for device in given_devices],
        [address_message(entry) for entry in entries],
        **how,
    )


def opened(answer: Any, *, taken: bool = False) -> Fingerprinted:
    """A Fingerprinted on a socket of its own, behind which *answer* is played."""
    player = Player()
    player.answer = answer
    player.taken = {PORT_ID} if taken else set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netlink, "socket", lambda *_: player)
        return Fingerprinted()


def heard(answer: Any) -> bytes:
    """The digest of what is read ahead."""
    kernel = opened(answer)
    kernel.listen()
    return kernel.digest(b"salt")


def seen(answer: Any) -> bytes:
    """The digest of a snapshot."""
    kernel = opened(answer)
    kernel.snapshot()
    return kernel.digest(b"salt")


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two readings hold the same."""
    return (one.devices, one.addresses) == (other.devices, other.addresses)


@pytest.fixture
def kernel(player: Player) -> Fingerprinted:
    player.answer = machine([LO, ETH0], [HOME])
    return Fingerprinted()


def reads(player: Player) -> list[str]:
    return [request.type for request in player.requests]


THREE = ["RTM_GETLINK", "RTM_GETADDR", "RTM_GETROUTE"]

# What is read


def test_nothing_was_read(kernel: Fingerprinted) -> None:
    """Nothing can be recognised then."""
    assert kernel.digest(b"salt") == b""


def test_the_port_id_is_always_the_same(player: Player, kernel: Fingerprinted) -> None:
    """It stands in every message."""
    assert player.port == PORT_ID


def test_listening_reads_ahead(player: Player, kernel: Fingerprinted) -> None:
    """Three dumps, whose bytes are those of the next snapshot; nothing is asked twice."""
    kernel.listen()
    assert reads(player) == THREE
    snapshot = kernel.snapshot()
    assert reads(player) == THREE
    assert same(snapshot, Snapshot([LO, ETH0], [HOME]))
    assert not player.queue


def test_the_same_bytes_have_the_same_digest(player: Player, kernel: Fingerprinted) -> None:
    """The digest of reading ahead, of the snapshot made of that, of a fresh one, of any kernel."""
    kernel.listen()
    found = [kernel.digest(b"salt")]
    kernel.snapshot()
    found.append(kernel.digest(b"salt"))
    kernel.snapshot()
    found.append(kernel.digest(b"salt"))
    found += [heard(player.answer), seen(player.answer)]
    assert len(player.requests) == 6
    assert found[0]
    assert len(set(found)) == 1


def test_another_salt_is_another_digest(kernel: Fingerprinted) -> None:
    """The digest stands for declarations too."""
    kernel.listen()
    assert kernel.digest(b"a") != kernel.digest(b"b")


def test_what_was_read_ahead_serves_once(player: Player, kernel: Fingerprinted) -> None:
    """A second snapshot reads what is there by then."""
    kernel.listen()
    kernel.snapshot()
    player.answer = machine([LO])
    assert [*kernel.snapshot().devices] == [1]
    assert reads(player) == THREE * 2


def test_listening_again_forgets_what_was_heard(player: Player, kernel: Fingerprinted) -> None:
    """The last reading counts."""
    kernel.listen()
    before = kernel.digest(b"salt")
    player.answer = machine([LO])
    kernel.listen()
    assert kernel.digest(b"salt") not in (b"", before)
    assert [*kernel.snapshot().devices] == [1]


@pytest.mark.parametrize("ahead", [False, True])
def test_one_family_is_not_the_whole(player: Player, kernel: Fingerprinted, ahead: bool) -> None:
    """A snapshot of one family is asked for as such, and has no digest."""
    if ahead:
        kernel.listen()
    kernel.snapshot(AF_INET6)
    assert player.requests[-2].body.ifa_family == AF_INET6
    assert kernel.digest(b"salt") == b""


# Requests in between


def test_questions_do_not_spoil_what_was_read_ahead(player: Player, kernel: Fingerprinted) -> None:
    """Permission, kinds and single devices are asked of the socket, not of the bytes kept."""
    kernel.listen()
    before = kernel.digest(b"salt")
    kernel.permitted()
    assert kernel.able("macvlan")
    assert kernel.part(["eth0"]).device("eth0") is not None
    assert kernel.digest(b"salt") == before
    asked = len(player.requests)
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))
    assert len(player.requests) == asked
    assert kernel.digest(b"salt") == before


@pytest.mark.parametrize("ahead", [False, True])
def test_a_change_makes_the_reading_one_of_the_past(
    player: Player, kernel: Fingerprinted, ahead: bool
) -> None:
    """After send() there is no digest until the next reading, and that is a fresh one."""
    if ahead:
        kernel.listen()
    else:
        kernel.snapshot()
    assert kernel.digest(b"salt")
    player.answer = machine([LO])
    assert kernel.send([STEP]) == [None]
    assert kernel.digest(b"salt") == b""
    assert [*kernel.snapshot().devices] == [1]
    assert kernel.digest(b"salt") == heard(machine([LO]))


def test_a_partial_reading_after_a_change(player: Player, kernel: Fingerprinted) -> None:
    """Reading a part brings no digest back: that of before the change would be a lie."""
    kernel.snapshot()
    kernel.send([STEP])
    kernel.part(["eth0"])
    assert kernel.digest(b"salt") == b""


def test_numbers_go_on_upwards(player: Player, kernel: Fingerprinted) -> None:
    """The dumps have the numbers 1, 2 and 3; that of a change was not used for another one."""
    numbers = []
    for _ in range(3):
        kernel.send([STEP, STEP])
        numbers += [request.sequence for request in player.sends[-1]]
        kernel.snapshot()
        assert [request.sequence for request in player.requests[-3:]] == [1, 2, 3]
    assert len(set(numbers)) == 6


# What is unusual


@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("place", [-1, 0, 1, 2])
def test_an_interrupted_dump(place: int, chunk: int) -> None:
    """NLM_F_DUMP_INTR on any message, whichever datagram it is in: the snapshot is read anew."""
    played = machine([LO, ETH0], [HOME], chunk=chunk)
    before = heard(played)
    played.marked = place
    kernel = opened(played)
    kernel.listen()
    assert played.marked is None
    assert kernel.digest(b"salt") != before
    if chunk == 1:
        assert kernel.digest(b"salt") == b""
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))


@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("place", [-1, 0, 1, 2])
def test_an_interrupted_dump_of_a_snapshot(place: int, chunk: int) -> None:
    """It is repeated, and has no digest."""
    played = machine([LO, ETH0], [HOME], chunk=chunk)
    played.marked = place
    kernel = opened(played)
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))
    assert played.marked is None
    assert kernel.digest(b"salt") == b""
    kernel.snapshot()
    assert kernel.digest(b"salt") == heard(played)


@pytest.mark.parametrize("type", THREE)
def test_lost_answers(player: Player, kernel: Fingerprinted, type: str) -> None:
    """ENOBUFS while reading ahead: no digest, nothing left in the queue, and a fresh snapshot."""
    whole = player.answer

    def answer(request: Any) -> Iterator[bytes]:
        player.overrun = request.type == type
        yield from whole(request)

    player.answer = answer
    kernel.listen()
    assert kernel.digest(b"salt") == b""
    assert not player.queue
    player.answer = whole
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))
    assert kernel.digest(b"salt") == heard(whole)


def test_a_datagram_that_does_not_fit(player: Player, kernel: Fingerprinted) -> None:
    """No digest; the snapshot is read with the larger buffer, and the next reading has one."""
    attributes = [spec.attribute("IFLA_IFNAME", "lo"), spec.attribute(99, bytes(50000))]
    player.answer = Machine([link_message(LO, 1, attributes)])
    kernel.listen()
    assert kernel.digest(b"salt") == b""
    assert [device.name for device in kernel.snapshot().devices.values()] == ["lo"]
    kernel.listen()
    assert kernel.digest(b"salt")


@pytest.mark.parametrize("type", THREE)
def test_a_refused_dump(player: Player, kernel: Fingerprinted, type: str) -> None:
    """NLMSG_ERROR, or an errno at the end: no digest, and the snapshot has the error."""
    whole = player.answer
    for build in (error_message, done_message):
        kernel.listen()
        player.answer = lambda request, build=build: (
            iter([spec.build(build(EACCES, request.sequence))])
            if request.type == type
            else whole(request)
        )
        kernel.listen()
        assert kernel.digest(b"salt") == b""
        with pytest.raises(errors.KernelError):
            kernel.snapshot()
        assert kernel.digest(b"salt") == b""
        player.answer = whole


def test_a_snapshot_that_failed_half_way(player: Player, kernel: Fingerprinted) -> None:
    """The first dump alone is nothing to be recognised by."""
    whole = player.answer
    player.answer = lambda request: (
        iter([spec.build(error_message(ENOBUFS, request.sequence))])
        if request.type == "RTM_GETADDR"
        else whole(request)
    )
    with pytest.raises(errors.KernelError):
        kernel.snapshot()
    assert kernel.digest(b"salt") == b""


@pytest.mark.parametrize("size", [4, 7, 16, 24, 40])
def test_garbage(player: Player, kernel: Fingerprinted, size: int) -> None:
    """Bytes that are no message are a WireError, and the next reading is a whole one."""
    whole = player.answer
    player.answer = lambda request: iter([b"\xff" * size])
    for read in (kernel.listen, kernel.snapshot):
        with pytest.raises(errors.WireError):
            read()
        assert kernel.digest(b"salt") == b""
    player.answer = whole
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))


def test_a_second_one_at_the_same_time() -> None:
    """The port id is taken: it works, and recognises nothing."""
    kernel = opened(machine([LO, ETH0], [HOME]), taken=True)
    kernel.listen()
    assert kernel.digest(b"salt") == b""
    assert same(kernel.snapshot(), Snapshot([LO, ETH0], [HOME]))
    assert kernel.digest(b"salt") == b""
    assert kernel.send([STEP]) == [None]


def test_another_trouble_with_the_port_id_is_told(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that it is taken is passed over."""

    def refuse(address: tuple[int, int]) -> None:
        raise OSError(EACCES, "Permission denied")

    monkeypatch.setattr(player, "bind", refuse)
    with pytest.raises(errors.NotPermitted, match="rtnetlink socket"):
        Fingerprinted()


def test_changes_fail_as_ever(player: Player, kernel: Fingerprinted) -> None:
    """The answers to changes are those of Netlink."""
    player.answer = failing(ENODEV, "gone")
    (error,) = kernel.send([STEP])
    assert error is not None
    assert error.errno == ENODEV


def test_many_devices(player: Player) -> None:
    """What is read by layout is what was heard."""
    many = [Device(place, f"d{place}", mac=bytes(6)) for place in range(1, 300)]
    kernel = opened(machine(many, [HOME] * 100, chunk=16))
    kernel.listen()
    assert same(kernel.snapshot(), Snapshot(many, [HOME] * 100))


# What the digest stands for


RawLink = tuple[int, list[tuple[int, bytes]]]
"""Index and attributes: type and payload."""

NAMES = ("IFLA_STATS", "IFLA_STATS64", "IFLA_AF_SPEC", "IFLA_OPERSTATE")
LEFT_OUT = {numbers.IFLA[name] for name in NAMES}
payloads = st.sampled_from([bytes(4), b"\1\2\3\4", bytes(8), b"\1\2\3\4\5\6\7\x08", b"\1"])
"""None looks like the header of counters, which no value of the kernel does."""


@st.composite
def raw_links(draw: st.DrawFn) -> list[RawLink]:
    """Attributes of few sizes: messages of one length often have different layouts.

    What is left out is in every message, as in those of the kernel.
    """
    links = []
    for index in draw(st.lists(st.integers(1, 2), max_size=4)):
        kinds = [*LEFT_OUT, *draw(st.lists(st.sampled_from([3, 20, 53]), max_size=3))]
        kinds = draw(st.permutations(kinds))
        links.append((index, [(kind, draw(payloads)) for kind in kinds]))
    return links


def raw(links: Sequence[RawLink]) -> Any:
    """A kernel that has these link messages."""

    def answer(request: Any) -> Iterator[bytes]:
        if request.type == "RTM_GETLINK":
            for index, attributes in links:
                body = codec.ifinfo(index) + b"".join(codec.attr(*one) for one in attributes)
                yield codec.message(codec.RTM_NEWLINK, codec.NLM_F_MULTI, request.sequence, body)
        yield spec.build(done_message(0, request.sequence))

    return answer


def lasting(links: Sequence[RawLink]) -> object:
    """All of them, without the values of what is left out."""
    return [
        (
            index,
            [(kind, len(value), value if kind not in LEFT_OUT else b"") for kind, value in rest],
        )
        for index, rest in links
    ]


@st.composite
def altered(draw: st.DrawFn) -> tuple[list[RawLink], list[RawLink]]:
    """Some links, and the same with one attribute changed, moved, or nothing."""
    links = draw(raw_links())
    other = [(index, list(rest)) for index, rest in links]
    places = [(one, two) for one, (_, rest) in enumerate(links) for two in range(len(rest))]
    if places:
        one, two = draw(st.sampled_from(places))
        kind, value = other[one][1].pop(two)
        value = draw(st.sampled_from([value, value[::-1], bytes(len(value))]))
        three = draw(st.integers(0, len(other[one][1])) | st.just(two))
        other[one][1].insert(three, (kind, value))
    return links, other


@given(altered() | st.tuples(raw_links(), raw_links()))
def test_equal_where_all_that_lasts_is_equal(
    pair: tuple[list[RawLink], list[RawLink]],
) -> None:
    """And only there: whatever the layouts, of one length or not."""
    one, other = pair
    assert (heard(raw(one)) == heard(raw(other))) == (lasting(one) == lasting(other))


@given(st.data())
def test_never_equal_where_something_else_changed(data: st.DataObject) -> None:
    """Not even where what is left out is missing, or there twice."""
    kinds = st.sampled_from([3, 20, *sorted(LEFT_OUT)])
    links = st.lists(
        st.tuples(st.just(1), st.lists(st.tuples(kinds, payloads), max_size=4)), max_size=3
    )
    one, other = data.draw(links), data.draw(links)
    if lasting(one) != lasting(other):
        assert heard(raw(one)) != heard(raw(other))


def test_one_length_and_two_layouts() -> None:
    """What stands in one device where another has its counters is no counter."""
    name, counters = (3, b"eth0"), (23, bytes(4))
    first: RawLink = (1, [counters, name])
    before: list[RawLink] = [first, (2, [name, counters])]
    after: list[RawLink] = [first, (2, [(3, b"eth1"), counters])]
    assert heard(raw(before)) != heard(raw(after))
    busy: list[RawLink] = [first, (2, [name, (23, b"\1\2\3\4")])]
    assert heard(raw(before)) == heard(raw(busy))


@few
@given(st.lists(devices(), max_size=4), st.data())
def test_counters_do_not_count(given_devices: list[Device], data: st.DataObject) -> None:
    """Traffic is no change."""
    busy = []
    for device in given_devices:
        device.stats = device.stats or Stats()
        busy.append(Device(**{name: getattr(device, name) for name in Device.__slots__}))
        busy[-1].stats = Stats(*data.draw(st.tuples(*[st.integers(0, 2**64 - 1)] * 4)))
    assert heard(machine(given_devices)) == heard(machine(busy))


def changed(**fields: Any) -> list[Device]:
    """LO and ETH0, the latter with other values."""
    values = {name: getattr(ETH0, name) for name in Device.__slots__}
    return [LO, Device(**{**values, **fields})]


endless = addresses().map(
    lambda entry: entry.copy(valid=0xFFFFFFFF, preferred=0xFFFFFFFF, flags=0x80)
)
"""Addresses whose lifetimes do not count down."""

CHANGES: dict[str, dict[str, Any]] = {
    "index": {"index": 3},
    "name": {"name": "eth1"},
    "down": {"flags": 0x1042},
    "type": {"type": 772},
    "altname": {"altnames": ("eth0:0",)},
    "mtu": {"mtu": 1400},
    "mac": {"mac": b"\x02\0\0\0\0\2"},
    "kind": {"kind": "macvlan"},
    "mode": {"kind": "macvlan", "mode": 4},
    "link": {"link": 1},
    "remote": {"remote": True},
    "master": {"master": 1},
    "group": {"group": 28257},
    "ifalias": {"ifalias": "x"},
    "no IPv6": {"inet6": False},
    "arp_announce": {"arp_announce": 1},
    "arp_ignore": {"arp_ignore": 1},
    "promote_secondaries": {"promote": True},
}


def test_operstate_does_not_count() -> None:
    """The kernel brings a hundred new devices a second to their final one, and nothing asks it."""
    assert heard(machine(changed(operstate=6))) == heard(machine(changed(operstate=0)))


def test_every_change_of_a_device_counts() -> None:
    """Each alone, against what was and against each other."""
    played = [machine(changed(**fields)) for fields in ({}, *CHANGES.values())]
    assert len({heard(one) for one in played}) == len(CHANGES) + 1


def sysctls(family: int, kind: int, count: int, own: int, drawn: int) -> bytes:
    """The digest of a device whose IFLA_AF_SPEC has an array of *count* values, of which *own* is
    arp_ignore, and then an ND reachable time that was *drawn*."""
    values = [0] * count
    if count > 18:
        values[18] = own
    conf = codec.attr(kind, b"".join(value.to_bytes(4, "little") for value in values))
    inet6 = codec.attr(10, codec.attr(5, bytes(8) + drawn.to_bytes(4, "little")))
    payload = codec.attr(family, conf) + inet6
    return heard(raw([(1, [(3, b"eth0"), (numbers.IFLA["IFLA_AF_SPEC"], payload)])]))


@pytest.mark.parametrize("count", [20, 33])
def test_of_families_the_sysctls_count(count: int) -> None:
    """Those that aliases need of their main devices, and nothing of IPv6."""
    before = sysctls(AF_INET, 1, count, 1, 30000)
    assert sysctls(AF_INET, 1, count, 1, 40000) == before
    assert sysctls(AF_INET, 1, count, 0, 30000) != before


@pytest.mark.parametrize(
    ("family", "kind", "count"), [(AF_INET6, 1, 33), (AF_INET, 2, 33), (AF_INET, 1, 19)]
)
def test_a_family_at_another_place_is_left_out(family: int, kind: int, count: int) -> None:
    """No kernel has been seen that does so; nothing may be taken for a sysctl that is none."""
    before = sysctls(family, kind, count, 1, 30000)
    assert sysctls(family, kind, count, 1, 40000) == before


def test_sysctls_of_one_device_are_those_of_no_other() -> None:
    """Messages of one length with other values are compared value by value."""
    pairs = [(one, other) for one in (0, 1) for other in (0, 1)]
    found = []
    for one, other in pairs:
        first, second = (
            Device(index, "eth0", arp_ignore=value) for index, value in ((2, one), (3, other))
        )
        found.append(heard(machine([first, second])))
    assert len(set(found)) == len(pairs)


def test_values_of_one_length_count() -> None:
    """An altname or an ifalias that only differs in a letter."""
    for key, values in {
        "altnames": [("eth0:0",), ("eth0:1",)],
        "ifalias": ["a", "b"],
        "name": ["eth0", "eth1"],
        "kind": ["macvlan", "macvtap"],
    }.items():
        one, other = (heard(machine(changed(**{key: value}))) for value in values)
        assert one != other, key


def test_the_order_of_the_kernel_counts() -> None:
    """The same devices in another order are another reading."""
    assert heard(machine([LO, ETH0])) != heard(machine([ETH0, LO]))


@few
@given(st.lists(endless, min_size=1, max_size=4), st.data())
def test_every_change_of_an_address_counts(entries: list[Address], data: st.DataObject) -> None:
    """Any value of any address; one that is added or removed."""
    before = heard(machine([LO], entries))
    place = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(endless)
    after = [*entries[:place], other, *entries[place + 1 :]]
    same_bytes = spec.build(address_message(entries[place])) == spec.build(address_message(other))
    assert (heard(machine([LO], after)) == before) == same_bytes
    assert heard(machine([LO], entries[:place] + entries[place + 1 :])) != before
    assert heard(machine([LO], [*entries, other])) != before


@few
@given(
    st.lists(devices(), max_size=5),
    st.lists(endless, max_size=3),
    st.integers(1, 6),
    st.booleans(),
)
def test_datagrams_may_be_cut_anywhere(
    given_devices: list[Device], entries: list[Address], chunk: int, apart: bool
) -> None:
    """The kernel fills larger buffers once it knows that they are read: the digest is the same."""
    once = machine(given_devices, entries, chunk=100)
    assert heard(machine(given_devices, entries, chunk=chunk, apart=apart)) == heard(once)
    assert seen(machine(given_devices, entries, chunk=chunk, apart=apart)) == heard(once)


# Lifetimes that count down


def recognised(before: Any, after: Any) -> bool:
    """Whether what is read ahead of one kernel is what was seen of another."""
    kernel = opened(after)
    kernel.listen()
    return kernel.recognises(b"salt", heard(before))


def test_a_reading_is_recognised() -> None:
    """By its own digest, and by nothing else: not with another salt, and nothing by nothing."""
    kernel = opened(machine([LO, ETH0], [HOME]))
    assert not kernel.recognises(b"salt", b"")
    kernel.listen()
    digest = kernel.digest(b"salt")
    assert kernel.recognises(b"salt", digest)
    assert not kernel.recognises(b"pepper", digest)
    assert not kernel.recognises(b"salt", b"")
    kernel.send([STEP])
    assert not kernel.recognises(b"salt", digest)


@given(st.binary(min_size=1, max_size=80))
def test_no_bytes_are_recognised_by_chance(before: bytes) -> None:
    """What was written by another version, or cut short, is nothing to be recognised."""
    kernel = opened(machine([LO, ETH0], [HOME]))
    kernel.listen()
    assert not kernel.recognises(b"salt", before)
    assert not kernel.recognises(b"salt", before + kernel.digest(b"salt"))


@few
@given(st.lists(addresses(), max_size=4), st.data())
def test_lifetimes_of_others_do_not_count(entries: list[Address], data: st.DataObject) -> None:
    """They count down by themselves; those of an address with our mark do count."""
    seconds = st.integers(1, 0xFFFFFFFE)
    protocols = st.sampled_from([0, 3, PROTOCOL])
    finite = [
        entry.copy(valid=data.draw(seconds), preferred=5, protocol=data.draw(protocols))
        for entry in entries
    ]
    later = [entry.copy(valid=data.draw(seconds), preferred=4) for entry in finite]
    before, after = machine([LO], finite), machine([LO], later)
    assert recognised(before, before)
    assert recognised(before, after) == all(entry.protocol != PROTOCOL for entry in finite)


@few
@given(st.lists(addresses(), min_size=1, max_size=4), st.data())
def test_all_else_of_them_counts(entries: list[Address], data: st.DataObject) -> None:
    """Label, protocol, flags and the address itself count, beside lifetimes that do not."""
    finite = [entry.copy(valid=600, preferred=300) for entry in entries]
    place = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(addresses()).copy(valid=599, preferred=299)
    after = [*finite[:place], other, *finite[place + 1 :]]
    alike = finite[place].copy(valid=599, preferred=299)
    if spec.build(address_message(alike)) != spec.build(address_message(other)):
        assert not recognised(machine([LO], finite), machine([LO], after))
    assert not recognised(machine([LO], finite), machine([LO], finite[1:]))


@few
@given(st.lists(addresses(), max_size=6), st.integers(1, 6), st.booleans())
def test_their_place_is_not_that_of_a_datagram(
    entries: list[Address], chunk: int, apart: bool
) -> None:
    """They are found again however the list was cut into datagrams."""
    finite = [entry.copy(valid=600, preferred=300, protocol=3) for entry in entries]
    later = [entry.copy(valid=500, preferred=200) for entry in finite]
    cut = machine([LO], later, chunk=chunk, apart=apart)
    assert recognised(machine([LO], finite, chunk=100), cut)


def test_a_lifetime_that_became_endless_counts() -> None:
    """Then the flags are others as well (IFA_F_PERMANENT)."""
    finite = HOME.copy(valid=600, preferred=300, flags=0)
    assert not recognised(machine([LO], [finite]), machine([LO], [HOME]))
    assert not recognised(machine([LO], [HOME]), machine([LO], [finite]))
