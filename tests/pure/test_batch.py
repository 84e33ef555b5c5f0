"""Batches over a kernel in memory: as one command after the other, in fewer sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netalias import desired, errors
from netalias.desired.declarations import words_of
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel.memory import Memory
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.model.commands import command
from netalias.model.steps import AddAltname, Step
from netalias.plan import steps_of


class Counting(Memory):
    """Counts its sends."""

    sends = 0

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.sends += 1
        return super().send(steps)


def kernel() -> Counting:
    """lo, eth0 (also called wan) and eth1 are up, eth2 is down."""
    memory = Counting()
    memory.set_device("lo", up=True)
    for name in ("eth0", "eth1", "eth2"):
        memory.add_device(name, up=name != "eth2")
    memory.send([AddAltname("eth0", 0, "wan")])
    return memory


class Told(Batch):
    """A batch that keeps what it was told: the verbs and the warnings."""

    def __init__(self, memory: Memory, *, force: bool = False, fails: bool = False) -> None:
        self.verbs: list[tuple[list[str], list[str]]] = []
        self.warnings: list[str] = []
        self.fails = fails
        self.memory = memory
        super().__init__(Engine(Setup(memory)), self.verb, self.warnings.append, force=force)

    def run(self, lines: Iterable[str]) -> None:
        """These lines, from the first."""
        text = "\n".join(lines)
        super().run(parse_commands(text, self.engine.registry, force=self.force))

    def verb(self, words: list[str]) -> int:
        """What a verb sees."""
        there = sorted(str(alias.name) for alias in Engine(Setup(self.memory)).show())
        self.verbs.append((words, there))
        return 3 if self.fails else 0

    def problems(self) -> list[tuple[int, str]]:
        """Line and text of each error."""
        return [(number, str(error)) for number, error in self.failed]


def run(memory: Memory, *lines: str, force: bool = False) -> Told:
    """These lines, from the first."""
    batch = Told(memory, force=force)
    batch.run(lines)
    return batch


def state(memory: Memory) -> object:
    """All that a user could tell, but MACs and indexes, which are the kernel's choice."""
    snapshot = memory.snapshot()
    return {
        device.name: (
            device.kind, device.up, device.mtu, sorted(device.altnames), device.ifalias,
            device.group,
            sorted(
                (entry.local, entry.prefixlen, entry.label, entry.metric, entry.protocol,
                 entry.flags & IFA_F_NOPREFIXROUTE)
                for entry in snapshot.on(index)
            ),
        )
        for index, device in snapshot.devices.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   ", []),
        ("# eth0:0 10.0.0.1", []),
        ("eth0:0-", ["eth0:0-"]),
        ("  eth0:0\t10.0.0.1 # why", ["eth0:0", "10.0.0.1"]),
        ("eth0:0 10.0.0.1 #why", ["eth0:0", "10.0.0.1"]),
        ("show eth0#1", ["show", "eth0#1"]),
        ("show\r", ["show"]),
    ],
)
def test_words_of_a_line(line: str, words: list[str]) -> None:
    """Blanks part words; a comment begins where a word could."""
    assert words_of(line) == words


def test_many_are_few_sends() -> None:
    """A hundred aliases take no more sends than two; so do a hundred deletions."""

    def sends(count: int) -> tuple[int, int]:
        memory = kernel()
        run(memory, *(f"eth0:{slot} 10.0.0.{slot} kind macvlan" for slot in range(count)))
        made, memory.sends = memory.sends, 0
        run(memory, *(f"eth0:{slot}-" for slot in range(count)))
        assert Engine(Setup(memory)).show() == []
        return made, memory.sends

    assert sends(100) == sends(2)


def test_verbs_see_what_stands_before_them() -> None:
    """And what stands behind them is not done yet."""
    memory = kernel()
    batch = run(
        memory,
        "lo:0 10.0.0.1",
        "show",
        "lo:1 10.0.0.2",
        "lo:1",
        "lo:0-",
        "-j show",
        "lo:2 10.0.0.3",
    )
    assert batch.verbs == [
        (["show"], ["lo:0"]), (["lo:1"], ["lo:0", "lo:1"]), (["-j", "show"], ["lo:1"]),
    ]  # fmt: skip
    assert [str(alias.name) for alias in Engine(Setup(memory)).show()] == ["lo:1", "lo:2"]


def test_options_behind_a_name_are_left_to_the_command_line() -> None:
    """It knows which words are options; lines that have them stand alone."""
    batch = run(kernel(), "lo:0 10.0.0.1", "lo:1 10.0.0.2 --force", "--force lo:2 10.0.0.3")
    assert batch.verbs == [
        (["lo:1", "10.0.0.2", "--force"], ["lo:0"]),
        (["--force", "lo:2", "10.0.0.3"], ["lo:0"]),
    ]


def test_a_verb_with_another_status_is_an_error() -> None:
    """It ends the batch, and its status is that of the error."""
    batch = Told(kernel(), fails=True)
    batch.run(["check here", "lo:0 10.0.0.1", "", "show"])
    ((number, error),) = batch.failed
    assert (number, str(error), error.status) == (1, "check here: it ended with status 3", 3)
    assert batch.skipped == 2
    assert len(batch.verbs) == 1


@pytest.mark.parametrize("bad", ["lo:9-", "lo:x 10.0.0.1", "no0:0 10.0.0.1", "eth2:0 10.0.0.1"])
def test_the_first_error_ends_it(bad: str) -> None:
    """What stands before is done, what stands behind is counted."""
    memory = kernel()
    batch = run(memory, "lo:0 10.0.0.1", bad, "lo:1 10.0.0.2", "", "# no", "lo:1-", "show")
    assert [number for number, _ in batch.problems()] == [2]
    assert batch.skipped == 3
    assert batch.verbs == []
    assert [str(alias.name) for alias in Engine(Setup(memory)).show()] == ["lo:0"]


def test_only_the_first_error_is_told() -> None:
    """Words that are wrong further down do not matter any more: that command was not reached."""
    batch = run(kernel(), "lo:9-", "lo:x 10.0.0.1", "lo:8-")
    assert [number for number, _ in batch.problems()] == [1]
    assert batch.skipped == 2


def test_force_goes_on() -> None:
    """All that can be done is; every error has its line, in order."""
    memory = kernel()
    batch = run(
        memory, "lo:9-", "lo:0 10.0.0.1", "lo:x 1.1.1.1", "lo:1 10.0.0.2", "eth2:0 10.0.0.3",
        "lo:2 10.0.0.1", "lo:3 10.0.0.4", force=True,
    )  # fmt: skip
    assert [number for number, _ in batch.problems()] == [1, 3, 5, 6]
    assert batch.skipped == 0
    there = [str(alias.name) for alias in Engine(Setup(memory)).show()]
    assert there == ["lo:0", "lo:1", "lo:3"]


@pytest.mark.parametrize("words", ["heal off", "on-down keep", "announce every 5"])
def test_words_of_files(words: str) -> None:
    """What only a file can carry is refused as in a single command."""
    batch = Told(kernel())
    batch.run([f"eth0:0 200.1.1.1 {words}"])
    ((number, text),) = batch.problems()
    assert number == 1
    assert "is for files only" in text
    with pytest.raises(errors.UsageError, match="is for files only"):
        batch.engine.create("eth0:0", "200.1.1.1", *words.split())


def test_what_comes_after_a_refusal_is_undone() -> None:
    """Although it was sent with it, and the kernel had taken it."""
    memory = kernel()
    batch = run(memory, "lo:0 10.0.0.1", "lo:1 10.0.0.1", "lo:2 10.0.0.2", "eth0:0 10.0.0.3")
    assert [number for number, _ in batch.problems()] == [2]
    assert batch.skipped == 2
    assert [str(alias.name) for alias in Engine(Setup(memory)).show()] == ["lo:0"]


def test_without_privilege_the_first_change_is_the_error() -> None:
    """With its line; what follows is not done."""
    memory = kernel()
    memory.privileged = False
    batch = run(memory, "show", "lo:0 10.0.0.1", "lo:1 10.0.0.2", "show")
    ((number, error),) = batch.failed
    assert (number, error.status) == (2, errors.STATUS_PERMISSION)
    assert batch.skipped == 2
    assert len(batch.verbs) == 1


def test_an_address_that_is_given_up_can_be_taken() -> None:
    """By a later command, never by an earlier one."""
    memory = kernel()
    run(memory, "lo:0 10.0.0.1", "lo:1 10.0.0.2")
    assert run(memory, "lo:0 10.0.0.3", "lo:1 10.0.0.1").problems() == []
    before = state(memory)
    batch = run(memory, "lo:1 10.0.0.3", "lo:0 10.0.0.4")
    assert [number for number, _ in batch.problems()] == [1]
    assert state(memory) == before


def test_steps_are_told() -> None:
    """Those that were done, and no others."""
    told: list[str] = []
    memory = kernel()
    batch = Told(memory)
    batch.tell = lambda items: told.extend(command(one) for one in steps_of(items))
    batch.run(["lo:0 10.0.0.1", "lo:1 10.0.0.1", "lo:2 10.0.0.2"])
    assert [line.split()[3] for line in told] == ["10.0.0.1/32"]


@pytest.mark.parametrize("address", ["2001:db8::{}/64", "10.0.0.{}/24", "10.0.0.{}"])
@pytest.mark.parametrize(("old", "new"), [("label", "macvlan"), ("macvlan", "label")])
@pytest.mark.parametrize("again", [False, True])
def test_a_range_that_moves_is_one_run(address: str, old: str, new: str, again: bool) -> None:
    """Between labels and devices: the kernel is sent no more often than for a single alias."""

    def sends(count: int) -> int:
        memory = kernel()
        texts = [address.format(slot + 1) for slot in range(count)]
        run(memory, *(f"eth0:{slot} {text} kind {old}" for slot, text in enumerate(texts)))
        before = memory.sends
        moved = run(
            memory,
            *(f"eth0:{slot} {text if again else ''} kind {new}" for slot, text in enumerate(texts)),
        )
        assert (moved.problems(), moved.done) == ([], count)
        assert {alias.kind for alias in Engine(Setup(memory)).show()} == {new}
        return memory.sends - before

    assert sends(12) == sends(1)


def test_moves_to_devices_that_exclude_each_other() -> None:
    """The first device that takes the place is an obstacle to those of the other kind."""
    memory = kernel()
    run(memory, "eth0:0 10.0.0.1 kind label", "eth0:1 10.0.0.2 kind label")
    batch = run(memory, "eth0:0 kind macvlan", "eth0:1 kind ipvlan")
    assert [number for number, _ in batch.problems()] == [2]


def test_warnings_have_their_lines() -> None:
    """What a command warns of when it stands alone."""
    memory = kernel()
    memory.add_address("eth1", "10.0.0.1/32")
    batch = run(memory, "", "eth0:0 10.0.0.1 kind macvlan")
    assert batch.warnings == ["2: eth0:0: 10.0.0.1 is an address of eth1 too"]


ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1", "2001:db8::1", "2001:db8::2"]
NAMES = [f"{main}:{slot}" for main in ("eth0", "wan", "eth1", "lo") for slot in range(3)]


CHANGES = ("up", "down", "mtu 1400", "kind label", "kind macvlan")


@st.composite
def commands(draw: st.DrawFn) -> str:
    """A line that is right by itself; what it meets decides whether it can be done."""
    name = draw(st.sampled_from(NAMES))
    if draw(st.integers(0, 3)) == 0:
        return f"{name}-"
    if draw(st.integers(0, 2)) == 0:
        return f"{name} {draw(st.sampled_from(CHANGES))}"
    address = draw(st.sampled_from(ADDRESSES))
    lengths = ["", "/64", "/48"] if ":" in address else ["", "/24", "/16"]
    kind = draw(st.sampled_from(["", " kind label", " kind macvlan", " kind macvlan down"]))
    return f"{name} {address}{draw(st.sampled_from(lengths))}{kind}"


def one_by_one(memory: Memory, lines: Sequence[str], *, force: bool) -> list[int]:
    """Each command by itself; the lines of the errors."""
    failed = []
    for number, line in enumerate(lines, 1):
        engine = Engine(Setup(memory))
        try:
            engine.realise(desired.parse(line.split(), engine.registry))
        except errors.NetaliasError:
            failed.append(number)
            if not force:
                break
    return failed


@settings(max_examples=300)
@example(
    lines=[
        "eth0:0 10.0.0.1",
        "eth0:1 10.0.0.1/24",
        "eth0:0 10.0.0.1/24",
        "eth0:2 up",
        "eth0:1 10.0.0.1 kind label",
    ],
    force=False,
)
@given(lines=st.lists(commands(), max_size=12), force=st.booleans())
def test_as_one_command_after_the_other(lines: list[str], force: bool) -> None:
    """The same errors at the same lines, and the same kernel at the end."""
    together, apart = kernel(), kernel()
    batch = run(together, *lines, force=force)
    assert [number for number, _ in batch.problems()] == one_by_one(apart, lines, force=force)
    assert state(together) == state(apart)
