"""``netalias iface DEV keep``, where it is refused."""

from __future__ import annotations

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.nat import kernel


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a kernel in memory."""
    return Command(capsys)


def lacking() -> None:
    """A kernel without it."""
    raise errors.StateError("this kernel has no nf_tables")


def test_a_kernel_that_cannot_translate(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeping is refused with the reason, and ``off`` is not (A-10)."""
    monkeypatch.setattr(kernel, "KernelNat", lacking)
    assert run.refused("iface eth0 keep kernel", 2) == "this kernel has no nf_tables"
    assert run.refused("iface eth0 keep off", 2) == (
        "eth0: a watcher keeps addresses, and none is running (netalias watch)"
    )


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        ("eth0 keep", 1, "eth0 iface-alias: kernel, user or off is missing"),
        ("eth0 keep kernel keep 0", 1,
         "eth0 iface-alias: keep 0: seconds from 1 to 2147483647 needed"),
        ("eth0 keep kernel keep", 1,
         "eth0 iface-alias: keep: seconds from 1 to 2147483647 needed"),
        ("eth7 keep off", 2, "eth7: there is no such device"),
    ],
)  # fmt: skip
def test_wrong_words(run: Command, words: str, status: int, error: str) -> None:
    """They are those of the line."""
    assert run.refused(f"iface {words}", status) == error


def test_the_device_of_an_alias_has_no_former_addresses(run: Command) -> None:
    """Its address is declared, and goes when it is to go: nothing would ever be kept. ``off`` is
    as everywhere."""
    run.split("eth0:0 10.0.0.1 kind macvlan")
    for name in ("eth0_0", "eth0:0"):
        assert run.refused(f"iface {name} keep kernel", 2) == (
            "eth0_0: it is the device of an alias (netalias eth0:0 changes that)"
        )
        assert "none is running" in run.refused(f"iface {name} keep off", 2)
