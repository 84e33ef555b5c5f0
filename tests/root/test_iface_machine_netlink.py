"""The random sequences of `netalias iface` over the real kernel (iface_machine.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import ip_json, without_dad
from iface_machine import Ground, play
from shortened import quarter
from support import LINUX, Namespace

from netalias import cli, errors
from netalias.kernel import Kernel
from netalias.kernel.netlink import Netlink
from netalias.model import Address
from netalias.model.steps import Step


class InNamespace(Ground):
    """eth9 of a private namespace."""

    device = "eth9"
    marks = LINUX >= (5, 18)

    def __init__(
        self, namespace: Namespace, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        self.namespace = namespace
        self.capsys = capsys
        self.folder = folder
        namespace.raise_lo()  # ::1 shows that the kernel keeps marks
        without_dad(namespace)
        self.index = int(ip_json(namespace, "link show eth9")[0]["ifindex"])
        with namespace:
            self.own = Netlink()
        self.cookie = self.own.cookie()

    def kernel(self) -> Kernel:
        with self.namespace:
            return Netlink()

    def run(self, words: list[str]) -> tuple[int, str, str]:
        status = cli.main(words, self.open)
        return status, *self.capsys.readouterr()

    def entries(self) -> list[Address]:
        return self.own.on(self.index)

    def send(self, step: Step) -> errors.NetaliasError | None:
        return self.own.send([step])[0]

    def set_up(self, up: bool) -> None:
        self.namespace.ip(f"link set eth9 {'up' if up else 'down'}")


@pytest.mark.parametrize("seed", quarter(range(100, 106)))
def test_record_list_and_kernel_agree(
    veth: Namespace, seed: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A-1 to A-8, in any sequence, with others at work."""
    ground = InNamespace(veth, capsys, tmp_path)
    with ground.own:
        play(ground, seed, 30)
