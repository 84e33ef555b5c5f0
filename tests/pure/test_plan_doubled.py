"""Labels of one name, as a killed run may leave them: a command ends with one of them."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel.memory import Memory
from netalias.model import PROTOCOL

PAIRS = [
    ("10.1.0.5/24", "10.2.0.6/24"),
    ("10.1.0.5/32", "10.2.0.6/32"),
    ("10.1.0.5/24", "10.1.0.6/24"),
    ("10.1.0.5/24", "10.1.0.5/16"),
    ("10.1.0.5/16", "10.1.0.5/24"),
]


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan",)))


def stand(stage: Declared, pair: tuple[str, str]) -> None:
    """Both are labels of ours with the name eth0:0."""
    for text in pair:
        stage.kernel.add_address("eth0", text, label="eth0:0", protocol=PROTOCOL)


def standing(stage: Declared) -> list[str]:
    """The addresses of eth0, without their labels."""
    return [text.partition(" ")[0] for text in stage.on("eth0")]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("place", [0, 1])
def test_the_one_with_the_address_stays(stage: Declared, pair: tuple[str, str], place: int) -> None:
    """Whichever the kernel has first; the other one goes, which is told, and the command again
    finds nothing to do."""
    stand(stage, pair)
    said = f"eth0:0: it stood there several times; {pair[1 - place]} is removed"
    assert stage(f"eth0:0 {pair[place]}").notes == [said]
    assert standing(stage) == [pair[place]]
    again = stage(f"eth0:0 {pair[place]}")
    assert (again.steps, again.notes) == ([], [])


@pytest.mark.parametrize("pair", PAIRS)
def test_another_address_is_in_the_place_of_both(stage: Declared, pair: tuple[str, str]) -> None:
    """One is changed, the other one goes."""
    stand(stage, pair)
    stage("eth0:0 10.3.0.7/24")
    assert standing(stage) == ["10.3.0.7/24"]


@pytest.mark.parametrize("words", ["metric 7", "lease 60"])
def test_a_change_of_something_else_keeps_the_first(stage: Declared, words: str) -> None:
    """No address is said, so the kernel's order decides."""
    stand(stage, PAIRS[0])
    stage(f"eth0:0 {words}")
    assert standing(stage) == ["10.1.0.5/24"]


def test_a_deletion_deletes_all(stage: Declared) -> None:
    """Nothing is left that has the name."""
    stand(stage, PAIRS[0])
    assert len(stage("eth0:0-").steps) == 2
    assert standing(stage) == []


def test_a_batch_too(stage: Declared) -> None:
    """A range is a batch; the neighbour is untouched."""
    stand(stage, PAIRS[1])
    parsed = parse_commands("eth0:0 10.2.0.6\neth0:1 10.1.0.5 kind label\n", stage.engine.registry)
    said: list[str] = []
    batch = Batch(stage.engine, lambda words: 0, said.append)
    with stage.engine.transaction():
        batch.run(parsed)
    assert batch.failed == []
    assert standing(stage) == ["10.2.0.6/32", "10.1.0.5/32"]
    assert said == ["1: eth0:0: it stood there several times; 10.1.0.5/32 is removed"]


def test_a_label_of_others_stays(stage: Declared) -> None:
    """Only what is ours is removed."""
    stage.kernel.add_address("eth0", "10.1.0.5/24", label="eth0:0")
    stage.kernel.add_address("eth0", "10.2.0.6/24", label="eth0:0", protocol=PROTOCOL)
    stage("eth0:0 10.2.0.6/24")
    assert standing(stage) == ["10.1.0.5/24", "10.2.0.6/24"]


@pytest.mark.parametrize("words", ["eth0:0 10.2.0.6/24", "eth0:0-"])
def test_the_ssh_session_is_not_taken(stage: Declared, words: str) -> None:
    """Neither from the label that stays nor from the one that goes."""
    stand(stage, PAIRS[0])
    stage.engine.setup.session = lambda: bytes((10, 1, 0, 5))
    with pytest.raises(errors.StateError, match="SSH"):
        stage(words)
    assert standing(stage) == list(PAIRS[0])
