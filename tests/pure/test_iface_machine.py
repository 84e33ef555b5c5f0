"""`netalias iface` in random sequences over a kernel in memory: the record, the list and the kernel
agree after each command, and a command that is repeated changes nothing (iface_machine.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from iface_machine import Ground, play
from shortened import quarter
from test_iface import ETH0, Iface

from netalias import cli, errors
from netalias.kernel import Kernel
from netalias.model import Address
from netalias.model.steps import Step


class InMemory(Ground):
    """eth0 of a kernel in memory."""

    device, index = "eth0", ETH0

    def __init__(self, iface: Iface, *, marks: bool) -> None:
        self.iface = iface
        self.folder = iface.folder
        self.marks = iface.memory.has_protocol = marks

    def kernel(self) -> Kernel:
        return self.iface.memory

    def run(self, words: list[str]) -> tuple[int, str, str]:
        status = cli.main(words, self.open)
        return status, *self.iface.capsys.readouterr()

    def entries(self) -> list[Address]:
        return self.iface.memory.snapshot().on(ETH0)

    def send(self, step: Step) -> errors.NetaliasError | None:
        return self.iface.memory.send([step])[0]

    def set_up(self, up: bool) -> None:
        self.iface.memory.set_device("eth0", up=up)


@pytest.mark.parametrize("seed", quarter(range(16)))
def test_record_list_and_kernel_agree(
    seed: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A-1 to A-8, in any sequence, with others at work, and without marks in the kernel."""
    play(InMemory(Iface(capsys, tmp_path), marks=seed % 3 != 2), seed, 30)
