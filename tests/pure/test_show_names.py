"""The names after show and its like: main devices, ranges, patterns, the dev of ip(8), prefixes."""

from __future__ import annotations

import pytest

from netalias import cli, errors
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory


@pytest.fixture
def memory() -> Memory:
    """eth0 with the slots 0, 1, 5, 10 and 11, eth1 with one."""
    memory = Memory()
    for name in ("eth0", "eth1"):
        memory.add_device(name, up=True)
    for text in (
        "eth0:0-1 10.0.0.1-2 kind label", "eth0:5 10.0.0.6 kind label",
        "eth0:10-11 10.0.0.11-12 kind label", "eth1:1 10.1.0.1 kind label",
    ):  # fmt: skip
        assert run(memory, text) == 0
    return memory


def run(memory: Memory, text: str) -> int:
    """The exit status of a command."""
    return cli.main(text.split(), lambda options: Engine(Setup(memory, options.registry)))


ALL = "eth0:0 eth0:1 eth0:5 eth0:10 eth0:11"
CASES = (
    ("show dev eth0", ALL),
    ("sh eth0", ALL),
    ("s dev eth0 eth1", f"{ALL} eth1:1"),
    ("show eth0:0-9", "eth0:0 eth0:1 eth0:5"),
    ("show dev eth0:0-9", "eth0:0 eth0:1 eth0:5"),
    ("show eth0:1*", "eth0:1 eth0:10 eth0:11"),
    ("show eth0:1?", "eth0:10 eth0:11"),
    ("show eth0:[05]", "eth0:0 eth0:5"),
    ("show eth0:5 eth1", "eth0:5 eth1:1"),
)


@pytest.mark.parametrize(("words", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_names_of_show(
    memory: Memory, capsys: pytest.CaptureFixture[str], words: str, wanted: str
) -> None:
    """Each names the aliases that it selects, in chain order."""
    capsys.readouterr()
    assert run(memory, f"-br {words}") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == wanted.split()


@pytest.mark.parametrize("verb", ["save", "doctor", "top --once --interval 0.1"])
def test_dev_of_other_verbs(memory: Memory, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """It changes nothing, and is a name where it stands alone."""
    capsys.readouterr()
    status = run(memory, f"{verb} eth1")
    plain = capsys.readouterr().out
    assert run(memory, f"{verb} dev eth1") == status
    assert capsys.readouterr().out == plain
    assert run(memory, f"{verb} dev") == errors.STATUS_KERNEL


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show eth0:20-30", "there are no such aliases"),
        ("show eth0:9*", "there are no such aliases"),
        ("show dev", "dev: there is no such device"),
        ("a eth0", "this could be adopt or announce"),
    ],
)
def test_names_that_select_nothing(
    memory: Memory, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    """They are errors, not empty tables."""
    assert run(memory, words) != 0
    assert said in capsys.readouterr().err
