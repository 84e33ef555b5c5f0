"""Words that a kind cannot have: refused in a line of its own, and ignored in ``defaults``."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules
from netalias.kernel.memory import Memory

PREFIX, PREFIX6 = "eth0:5 10.9.0.0/16 kind prefix", "eth0:5 2001:db8:9::/64 kind prefix"
SHARD = "eth0:5 10.9.0.1/24 kind shard"
COMMANDS = [
    (PREFIX6, "acd rfc", "acd: the kernel asks for addresses of a device only"),
    (PREFIX6, "conflict skip", "conflict: the kernel asks for addresses of a device only"),
    (PREFIX, "announce 3", "announce: the addresses of a prefix are not"),
    (PREFIX, "source on", "source: a prefix is a route"),
    (SHARD, "broadcast 10.9.0.255", "broadcast: a shard is a host"),
    (SHARD, "metric 5", "metric: a shard is a host"),
    (SHARD, "source on", "source: an IPv4 address is always a source"),
]
FILES = [*COMMANDS, (PREFIX, "announce every 300", "announce: the addresses of a prefix are not")]


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan", "dummy")))


@pytest.mark.parametrize(("alias", "words", "said"), COMMANDS)
def test_a_command(stage: Declared, alias: str, words: str, said: str) -> None:
    """It is refused with the word, also for an alias that is there."""
    for _ in range(2):
        with pytest.raises(errors.KindError, match=said):
            stage(f"{alias} {words}")
        work = Batch(stage.engine, lambda words: 0, lambda text: None)
        work.run(parse_commands(f"{alias} {words}", stage.engine.registry))
        assert [said in str(error) for _, error in work.failed] == [True]
        stage(alias)
    with pytest.raises(errors.KindError, match=said):
        stage(f"eth0:5 {words}")


@pytest.mark.parametrize(("alias", "words", "said"), FILES)
def test_a_line_of_a_file(stage: Declared, alias: str, words: str, said: str) -> None:
    """check foretells what reconcile does; an alias that is there is no exception."""
    text = f"{alias} {words}\n"
    for status in (errors.STATUS_KERNEL, errors.STATUS_KERNEL):
        assert [said in one for one in stage.skipped(text)] == [True]
        assert stage.reconcile(text).status == status
        stage(alias)


@pytest.mark.parametrize(("alias", "words", "said"), FILES)
def test_defaults(stage: Declared, alias: str, words: str, said: str) -> None:
    """They hold for the other lines."""
    text = f"defaults {words}\n{alias}\n"
    if words.startswith("broadcast"):
        text = f"defaults {words}\neth0:6 10.9.0.9/24 kind label\n{alias}\n"
    assert stage.reconcile(text, Rules(allow_empty=True)).status == errors.STATUS_OK
    assert stage.lines(text) == stage.skipped(text) == []


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        (PREFIX, "acd off"),
        (PREFIX, "announce off"),
        (PREFIX, "lease off"),
        (PREFIX, "heal on"),
        (PREFIX, "source auto"),
        (SHARD, "-broadcast"),
        (SHARD, "acd rfc"),
        (SHARD, "source auto"),
    ],
)
def test_words_that_are_true_of_it(stage: Declared, alias: str, words: str) -> None:
    """What it has anyway may be said."""
    text = f"{alias} {words}\n"
    assert stage.reconcile(text).status == errors.STATUS_OK
    assert stage.lines(text) == stage.skipped(text) == []
