"""The verifying reading of a reconciliation: what only one reading shows is no difference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from test_plan_compare import Declared
from watched import Watched

from netalias import errors
from netalias.desired import declarations
from netalias.engine.reconcile import Rules, reconcile
from netalias.kernel.memory import Memory
from netalias.model import Snapshot
from netalias.model.steps import AddAddress, Step


class Torn(Memory):
    """The next ``torn`` readings after an address was added do not show the addresses of eth0_0, as
    if they were read before."""

    torn = 0
    left = 0

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        if any(isinstance(step, AddAddress) for step in steps):
            self.left = self.torn
        return super().send(steps)

    def snapshot(self, family: int = 0) -> Snapshot:
        return self._torn(super().snapshot(family))

    def _torn(self, found: Snapshot) -> Snapshot:
        device = found.device("eth0_0")
        if self.left and device is not None:
            self.left -= 1
            found.addresses[device.index] = []
        return found


@pytest.mark.parametrize("text", ["eth0:0 10.0.0.5", "eth0:0 10.0.0.5/24", "eth0:0-20 10.0.0.5+"])
@pytest.mark.parametrize(("torn", "wrong"), [(0, []), (1, []), (2, ["eth0:0"])])
def test_a_reading_that_is_torn(text: str, torn: int, wrong: list[str]) -> None:
    """What a second look shows as it should be is right; what remains is wrong."""
    stage = Declared(Torn())
    stage.kernel.torn = torn  # type: ignore[attr-defined]
    outcome = reconcile(
        stage.engine, stage.parsed(f"{text} kind macvlan\n"), Rules(allow_empty=True)
    )
    assert [str(item.name) for item in outcome.wrong] == wrong
    assert outcome.status == (errors.STATUS_UNVERIFIED if wrong else errors.STATUS_OK)


def test_watch_warns_of_what_remains() -> None:
    """A difference that the next attempt does not find is put right by its event: no warning."""
    watched = Watched("eth0:0 10.0.0.5 kind macvlan\n", Torn())
    report = watched.controller._report
    outcomes = []
    for torn in (2, 2, 0, 2):
        watched.kernel.torn = torn  # type: ignore[attr-defined]
        watched.kernel.remove_device("eth0_0")
        text = declarations.parse(
            [("t", "eth0:0 10.0.0.5 kind macvlan\n")], watched.engine.registry
        )
        watched.said()
        outcomes.append(reconcile(watched.engine, text, Rules()))
        report.failures(outcomes[-1])
        outcomes.append([line for line in watched.said() if "still different" in line])
    assert [bool(said) for said in outcomes[1::2]] == [False, True, False, False]
