"""Labels in any mixture become what a file says in one run over the real kernel."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import KINDS, MAINS, Watchful, hold
from test_machine_over_netlink import InNamespace

from netalias.engine import Engine, Setup
from netalias.errors import NetaliasError
from netalias.kernel.netlink import Netlink
from netalias.model.steps import Step


class Witness(Watchful, Netlink):
    """A socket; another one looks after each send which of the addresses ``kept`` are away."""

    def __init__(self) -> None:
        super().__init__()
        self._eye = Netlink()

    def _send_pack(self, steps: Sequence[Step]) -> list[NetaliasError | None]:
        answers = super()._send_pack(steps)
        self.look(self._eye.snapshot())
        return answers

    def close(self) -> None:
        self._eye.close()
        super().close()


@settings(max_examples=25)
@given(st.randoms(use_true_random=True))
def test_any_mixture_is_reconciled_in_one_run(random: Random) -> None:
    """As in memory: primary and secondary addresses, promoted or not, of ours and of others."""
    ground = InNamespace()
    try:
        for name in MAINS:
            ground.add_main(name)
        with ground.namespace, Witness() as kernel:
            kinds = [kind for kind in KINDS if kind in ("", *ground.kinds)]
            hold(Engine(Setup(kernel)), kernel, random, kinds)
    finally:
        ground.close()
