"""Hand-overs: whoever dies or falls silent at whatever point, one process has the link, and no
descriptor stays open elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from socket import SHUT_RDWR, SHUT_WR
from typing import Any, NoReturn

import pytest
from construct import (  # type: ignore[import-untyped]
    Bytes,
    Enum,
    Flag,
    GreedyBytes,
    Int8sb,
    Int8ub,
    Int16ub,
    Prefixed,
    Struct,
    Switch,
    this,
)
from hypothesis import given
from hypothesis import strategies as st
from support import PATIENCE, SLOW

from netalias.links import handover, spec
from netalias.links.handover import Kept, Parcel, Refused, ask, asked, give, take, version
from netalias.system import descriptors

MINE = version("1.0")
LONG = PATIENCE * SLOW


def opened() -> set[tuple[str, str]]:
    """The descriptors of this process, and what they are of."""
    found = set()
    for one in os.listdir("/proc/self/fd"):
        try:
            found.add((one, os.readlink(f"/proc/self/fd/{one}")))
        except FileNotFoundError:
            pass  # that of the listing itself
    return found


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """Every test ends with the descriptors with which it began."""
    before = opened()
    yield
    assert opened() == before


class Link:
    """A pipe as the link, and a lock file with it; after a hand-over the pipe says who has it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "LCK..link"
        self.lock = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        flock(self.lock, LOCK_EX)
        self.reading, self.writing = os.pipe()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        descriptors.close([self.reading, self.writing, self.lock])

    def parcel(self, **options: Any) -> Parcel:
        found = Parcel(
            "link", ["link", "lock"], [self.writing, self.lock], b"state", locks=["lock"], **options
        )
        found.belongs_to(os.getpid())
        return found

    @property
    def owner(self) -> int:
        """The pid in the lock file."""
        return int(self.path.read_text())

    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        file = os.open(self.path, os.O_RDWR)
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def usable(self) -> None:
        """The link works here."""
        os.write(self.writing, b"mine")
        assert os.read(self.reading, 9) == b"mine"


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    with Link(tmp_path) as found:
        yield found


class Receiver:
    """A process that gets what is sent to ``through``, and does *work* with it.

    ``said()`` is what the work has given back; ``go`` lets it go on where it waits for that.
    """

    def __init__(self, work: Callable[[Any, Receiver], object]) -> None:
        self.through, other = descriptors.packets()
        self._end, begin = os.pipe()
        self._wait, self._go = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            self.through.close()
            os.close(self._end)
            os.close(self._go)
            try:
                found = work(other, self)
                other.close()
                os.write(begin, f"{found}".encode())
            except BaseException as error:
                os.write(begin, repr(error).encode())
            os._exit(0)
        other.close()
        os.close(begin)
        os.close(self._wait)
        self._alive = True

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        os.close(self._end)
        os.close(self._go)
        self.through.close()

    def waits(self) -> None:
        """In the receiver: wait for go()."""
        os.read(self._wait, 1)

    def go(self) -> None:
        os.write(self._go, b"x")

    def said(self) -> str:
        return os.read(self._end, 65536).decode()

    def end(self) -> None:
        if self._alive:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._alive = False


def dead() -> NoReturn:
    """The end of this process, as by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def before_the_offer(through: Any, _: Receiver) -> None:
    dead()


def before_its_pid(through: Any, _: Receiver) -> None:
    descriptors.receive(through)
    dead()


def after_its_pid(through: Any, _: Receiver) -> None:
    message = descriptors.receive(through)
    descriptors.send(descriptors.adopted(message.descriptors[1]), b"1\n")
    dead()


def before_the_acknowledgement(through: Any, _: Receiver) -> None:
    take(descriptors.receive(through), MINE)
    dead()


def refusing(through: Any, _: Receiver) -> None:
    take(descriptors.receive(through), MINE).refuse("no room")


def takes(through: Any, _: Receiver) -> str:
    """Take it, use the link, and tell what has come."""
    with take(descriptors.receive(through), MINE) as taken:
        taken.accept()
        taken.finished(LONG)
        file, roles = taken.take("link"), taken.roles
        os.write(file, b"theirs")
        os.close(file)
        return f"{taken.kind} {taken.body!r} {roles}"


# The way of a parcel


def test_a_link_changes_hands(link: Link) -> None:
    """B-6, B-8: descriptors and state arrive; the lock file names the receiver, and its lock is
    held all the while, by the open file that both have."""
    with Receiver(takes) as receiver:
        pid, channel = give(receiver.through, link.parcel(), MINE, patience=LONG)
        assert pid == link.owner == receiver.pid
        assert link.locked()
        channel.close()
        assert os.read(link.reading, 9) == b"theirs"
        assert receiver.said() == "link b'state' ['lock']"


def test_the_receiver_waits_for_the_end_of_the_sender(link: Link) -> None:
    """B-8: what the sender does last, as telling the service manager, is done then."""
    with Receiver(takes) as receiver:
        _, channel = give(receiver.through, link.parcel(), MINE, patience=LONG)
        os.set_blocking(link.reading, False)
        with pytest.raises(BlockingIOError):
            os.read(link.reading, 9)
        channel.close()
        os.set_blocking(link.reading, True)
        assert os.read(link.reading, 9) == b"theirs"


def test_one_that_asks(tmp_path: Path, link: Link) -> None:
    """B-8: a new process asks the running one, over its rendezvous, and gets the same offer."""
    path = str(tmp_path / "rendezvous")
    server = descriptors.rendezvous(path)

    def asks(through: Any, _: Receiver) -> str:
        server.close()
        with (
            closing(descriptors.connected(path)) as client,
            take(ask(client, MINE, patience=LONG), MINE) as taken,
        ):
            taken.accept()
            return taken.body.decode()

    with closing(server), Receiver(asks) as receiver:
        server.settimeout(LONG)
        reply = asked(descriptors.receive(server), MINE)
        assert reply is not None
        with closing(reply):
            pid, channel = give(reply, link.parcel(), MINE, patience=LONG)
        channel.close()
        assert pid == receiver.pid
        assert receiver.said() == "state"


def test_output_is_written_before(link: Link) -> None:
    """B-5: the last answer of the sender goes out first; an output that stays is a reason to keep
    the link."""
    left = [False, False, True]
    with Receiver(takes) as receiver:
        parcel = link.parcel(drained=lambda: left.pop(0))
        give(receiver.through, parcel, MINE, patience=LONG)[1].close()
        assert left == []
        assert receiver.said()


def test_output_that_stays(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-5: nothing is offered."""
    monkeypatch.setattr(handover, "DRAIN", 0.0)
    one, other = descriptors.packets()
    with closing(one), closing(other):
        with pytest.raises(Kept, match="its output is not written"):
            give(one, link.parcel(drained=lambda: False), MINE)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            descriptors.receive(other)


# The receiver dies, refuses, or is too late


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (before_the_offer, "Broken pipe|has ended|reset"),
        (before_its_pid, "the other process has ended"),
        (after_its_pid, "has ended|reset|Broken pipe"),
        (before_the_acknowledgement, "the other process has ended"),
        (refusing, "no room"),
    ],
)
def test_the_sender_keeps_its_link(link: Link, work: Callable[..., object], why: str) -> None:
    """B-8, B-9: the receiver dies at any point, and the sender goes on: the link is usable, and its
    lock file names it again."""
    with Receiver(work) as receiver:
        if work is before_the_offer:
            os.waitid(os.P_PID, receiver.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(Kept, match=why):
            give(receiver.through, link.parcel(), MINE, patience=LONG)
        assert link.owner == os.getpid()
        receiver.end()
    link.usable()
    assert link.locked()


def test_one_that_somebody_stops(link: Link) -> None:
    """The sender goes on in a second, not when its patience is over: nobody has the link meanwhile.
    The receiver learns that when it goes on, and uses nothing."""

    def works(through: Any, _: Receiver) -> str:
        with take(descriptors.receive(through), MINE) as taken:
            os.kill(os.getpid(), signal.SIGSTOP)
            try:
                taken.accept()
            except Refused:
                return "refused"
        return "taken"

    with Receiver(works) as receiver:
        why = rf"somebody has stopped the other process \(pid {receiver.pid}\)"
        with pytest.raises(Kept, match=why):
            give(receiver.through, link.parcel(), MINE, patience=LONG)
        os.kill(receiver.pid, signal.SIGCONT)
        assert receiver.said() == "refused"
        link.usable()


def test_one_that_dies_after_the_acknowledgement(link: Link) -> None:
    """B-8: it had the link, and the sender has not."""

    def works(through: Any, _: Receiver) -> None:
        take(descriptors.receive(through), MINE).accept()
        dead()

    with Receiver(works) as receiver:
        pid, channel = give(receiver.through, link.parcel(), MINE, patience=LONG)
        channel.close()
        assert pid == receiver.pid


def test_one_that_is_too_late(link: Link) -> None:
    """B-8: the sender has waited long enough and goes on; the receiver learns that when it
    acknowledges, and uses nothing."""

    def works(through: Any, receiver: Receiver) -> str:
        with take(descriptors.receive(through), MINE) as taken:
            receiver.waits()
            try:
                taken.accept()
            except Refused:
                return "refused"
        return "taken"

    with Receiver(works) as receiver:
        told = 0

        def meanwhile() -> None:
            nonlocal told
            told += 1

        with pytest.raises(Kept, match="no answer within"):
            give(receiver.through, link.parcel(), MINE, patience=0.2, meanwhile=meanwhile)
        receiver.go()
        assert receiver.said() == "refused"
        link.usable()


def test_an_acknowledgement_at_the_last_moment(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-8: it was sent before the sender gave up, so the link is the receiver's: both agree."""

    def works(through: Any, receiver: Receiver) -> str:
        with take(descriptors.receive(through), MINE) as taken:
            taken.accept()
            receiver.waits()
        return "taken"

    words = []

    def late(wait: Any, size: int, real: Any = handover._Wait.message) -> Any:
        words.append(size)
        if len(words) == 2:
            wait._poll.poll()  # it is there, and nobody has looked
            raise Kept("no answer")
        return real(wait, size)

    with Receiver(works) as receiver:
        monkeypatch.setattr(handover._Wait, "message", late)
        pid, channel = give(receiver.through, link.parcel(), MINE, patience=LONG)
        channel.close()
        assert pid == receiver.pid == link.owner
        receiver.go()
        assert receiver.said() == "taken"


def test_something_else_to_do(link: Link) -> None:
    """B-9: a signal, for one, ends the waiting, and the sender has its link."""

    def works(through: Any, receiver: Receiver) -> None:
        with take(descriptors.receive(through), MINE):
            receiver.waits()

    end, begin = os.pipe()
    os.write(begin, b"x")
    try:
        with Receiver(works) as receiver, pytest.raises(Kept, match="something else to do"):
            give(receiver.through, link.parcel(), MINE, patience=LONG, unless=[end])
    finally:
        descriptors.close([end, begin])
    link.usable()


def test_another_user_gets_nothing(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-8: by the word of the kernel, whatever pid it tells."""
    monkeypatch.setattr(descriptors.Message, "trusted", False)
    with Receiver(after_its_pid) as receiver, pytest.raises(Kept, match="of user 0"):
        give(receiver.through, link.parcel(), MINE, patience=LONG)


# The sender dies, or sends something else


def offered(content: bytes, filenos: list[int], *words: bytes) -> str:
    """Why take() refuses an offer of these descriptors, after which the channel has *words* and
    ends."""
    one, other = descriptors.packets()
    near, far = descriptors.pair()
    with closing(one), closing(other), closing(near):
        sent = [far.fileno() if number < 0 else number for number in filenos]
        descriptors.send(one, content, sent)
        far.close()
        with suppress(BrokenPipeError):  # without a channel among the descriptors
            for word in words:
                near.sendall(word)
            near.shutdown(SHUT_WR if words else SHUT_RDWR)
        with pytest.raises(Refused) as caught:
            take(descriptors.receive(other), MINE, patience=LONG)
    return str(caught.value)


GOOD = MINE + b"\0"
STATE = Parcel("link", ["link"], [0], b"x").packed()


@pytest.mark.parametrize(
    ("content", "filenos", "words", "why"),
    [
        (GOOD, [], [], "an offer with 0 descriptors"),
        (GOOD, [0], [], "an offer with 1 descriptors"),
        (GOOD, [0, 0], [], "whose channel is no socket"),
        (GOOD, [0, -1], [], "Broken pipe"),
        (GOOD, [0, -1], [b"!"], "the other process has ended"),
        (GOOD, [0, -1], [STATE[:-1]], "the other process has ended"),
        (GOOD, [0, -1], [b"?"], "something else than the go-ahead"),
        (GOOD, [0, -1], [b"!\xff\xff\xff\xff"], "a state of 4294967300 bytes"),
        (GOOD, [0, -1], [b"!\0\0\0\1\1"], "the state is malformed"),
        (GOOD, [0, -1], [b"!\0\0\0\0"], "the state is malformed"),
        (GOOD, [0, -1, 1], [STATE], "2 descriptors for 1 roles"),
        (GOOD, [0, -1], [Parcel("link", ["a", "b"], [0, 0], b"").packed()], "1 descriptors for 2"),
        (b"", [0, -1], [STATE], "the other one is nothing that is known"),
        (b"\xff" * 900, [0, -1], [STATE], "the other one is"),
    ],
)
def test_nothing_is_taken(content: bytes, filenos: list[int], words: list[bytes], why: str) -> None:
    """B-6, B-10: the sender dies at any point, sends too few descriptors, or one too many."""
    assert why in offered(content or b"\0", filenos, *words)


@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(0, 3))
def test_any_bytes(content: bytes, words: bytes, number: int) -> None:
    """B-6: an error in words, and nothing else, for whatever somebody sends."""
    offered(content or b"\0", [0, -1, 1][:number], words)
    offered(GOOD, [0, -1, 1][: max(2, number)], b"!" + words)


def test_an_offer_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """B-8: it is not taken, whatever it has."""
    monkeypatch.setattr(descriptors.Message, "trusted", False)
    assert "not taken" in offered(GOOD, [0, -1], STATE)


def test_another_version(link: Link) -> None:
    """B-7: a larger device is another layout, so the version differs without anybody having
    thought of it; both are named, on both sides, and nothing is taken."""
    larger = Struct("device" / spec.DEVICE, "modem" / Bytes(300))
    other = version("2.0", {**spec.LAYOUTS, "device": larger})
    one, two = (word.decode() for word in (MINE, other))
    assert one.split()[-1] != two.split()[-1]

    def works(through: Any, _: Receiver) -> str:
        before = opened()
        message = descriptors.receive(through)
        try:
            take(message, other)
        except Refused as error:
            return f"{error} {opened() == before}"
        return "taken"

    with Receiver(works) as receiver:
        with pytest.raises(Kept, match=f"this is {two}, the other one is {one}"):
            give(receiver.through, link.parcel(), MINE, patience=LONG)
        said = receiver.said()
        assert f"this is {two}, the other one is {one}" in said
        assert said.endswith("True")


def test_a_release_with_the_same_layouts() -> None:
    """B-7: an update changes hands, as that is what a hand-over is for."""
    assert handover.differs(version("1.0"), version("1.1")) == ""


def test_every_change_of_a_layout_is_another_version() -> None:
    """B-7: names, order, sizes and signs."""

    def one(*parts: Any) -> str:
        return spec.fingerprint({"x": Struct(*parts)})

    switch = "s" / Switch(this.a, {1: Int8ub})
    found = [
        one("a" / Int8ub, "b" / Int8ub),
        one("b" / Int8ub, "a" / Int8ub),
        one("a" / Int8ub, "c" / Int8ub),
        one("a" / Int8ub, "b" / Int8sb),
        one("a" / Int8ub, "b" / Int16ub),
        one("a" / Int8ub),
        one("a" / Flag, "b" / Int8ub),
        one("a" / Enum(Int8ub, x=1)),
        one("a" / Enum(Int8ub, x=2)),
        one("a" / Prefixed(Int8ub, GreedyBytes)),
        one("a" / Prefixed(Int16ub, GreedyBytes)),
        one("a" / Int8ub, switch),
        one("a" / Int8ub, "s" / Switch(this.a, {2: Int8ub})),
        spec.fingerprint({"y": Struct("a" / Int8ub)}),
    ]
    assert len(set(found)) == len(found)


# One that asks


def answered(work: Callable[[descriptors.Message], object]) -> str:
    """Why ask() fails when the process behind the rendezvous does this with the question."""

    def works(through: Any, _: Receiver) -> object:
        with descriptors.receive(through) as message:
            return work(message)

    with Receiver(works) as receiver, pytest.raises(Refused) as caught:
        ask(receiver.through, MINE, patience=LONG)
    return str(caught.value)


def test_one_that_asks_in_vain() -> None:
    """B-2, B-7: the other one declines, has another version, or dies."""

    def declines(message: descriptors.Message) -> None:
        reply = asked(message, MINE)
        assert reply is not None
        handover.decline(reply, "not now")

    assert answered(declines) == "not now"
    assert "this is netalias 2.0" in answered(lambda one: asked(one, b"netalias 2.0 x"))
    assert "the other process has ended" in answered(lambda one: dead())


@given(st.binary(max_size=60), st.integers(0, 2))
def test_what_is_no_question(content: bytes, number: int) -> None:
    """B-6: whatever is sent to a rendezvous, nothing of it stays open."""
    one, other = descriptors.packets()
    with closing(one), closing(other):
        for words in (content or b"x", handover.ASK + content, handover.ASK + MINE + b"\0"):
            descriptors.send(one, words, [0] * number)
            assert asked(descriptors.receive(other), MINE) is None
