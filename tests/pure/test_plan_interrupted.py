"""What happens to an alias when a command is interrupted, or asked for what it cannot mean."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EIO

import pytest
from refusing import Refusing
from test_plan import Stage

from netalias import desired, errors
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import FOREVER
from netalias.model.steps import AddAddress, Step
from netalias.views import state


class Interrupted(Memory):
    """A kernel under which ^C comes once, while addresses are added."""

    armed = False

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        results = super().send(steps)
        if self.armed and any(isinstance(step, AddAddress) for step in steps):
            self.armed = False
            raise KeyboardInterrupt
        return results


@pytest.mark.parametrize("kind", ["label", "dummy"])
def test_change_of_kind_is_interrupted(kind: str) -> None:
    """S20: ^C while an alias is replaced brings the old one back."""
    kernel = Interrupted()
    stage = Stage(kernel)
    stage("eth0:0 10.0.0.1/24 kind macvlan")
    kernel.armed = True
    with pytest.raises(KeyboardInterrupt):
        stage(f"eth0:0 10.0.0.1/24 kind {kind}")
    (alias,) = stage.engine.show()
    assert (str(alias.name), alias.kind, state(alias)) == ("eth0:0", "macvlan", "up")
    assert stage.on("eth0_0") == ["10.0.0.1/24"]


def test_refused_change_of_kind_of_an_alias_without_address() -> None:
    """An alias that has lost its address, and cannot become a label, stands there as before."""
    stage = Stage(Refusing(kinds=("ipvlan",)))
    stage("eth0:0 10.0.0.1 kind ipvlan")
    stage.kernel.remove_address("eth0_0", "10.0.0.1/32")
    stage.kernel.set_device("eth0_0", up=False)
    with pytest.raises(errors.KernelError, match=r"cannot add 10\.0\.0\.9") as caught:
        stage(f"eth0:0 {Refusing.bad} kind label")
    assert caught.value.errno == EIO
    (alias,) = stage.engine.show()
    assert (str(alias.name), alias.kind, alias.whole, alias.up) == ("eth0:0", "ipvlan", True, False)
    assert stage.device("eth0_0").ifalias == "netalias eth0:0"


def test_creation_is_interrupted() -> None:
    """S20, S86: ^C while an alias is made leaves nothing."""
    kernel = Interrupted()
    stage = Stage(kernel)
    kernel.armed = True
    with pytest.raises(KeyboardInterrupt):
        stage("eth0:0 10.0.0.1/24")
    assert not stage.names()


@pytest.mark.parametrize("word", ["--netns", "-n", "--dry-rum", "-j"])
def test_options_behind_a_deleting_name(word: str) -> None:
    """S23: words are ignored, but an option that was ignored would delete something else."""
    with pytest.raises(errors.UsageError, match="options stand before the name"):
        desired.parse(["eth0:0-", word, "blue"], lazy())


def test_netmask_of_ipv6() -> None:
    """A mask of IPv4 says nothing of an IPv6 address, whichever comes first."""
    for words in ("2001:db8::1 netmask 255.255.0.0", "netmask 255.255.0.0 2001:db8::1"):
        with pytest.raises(errors.UsageError, match="only an IPv4 address has a netmask"):
            desired.parse(["eth0:0", *words.split()], lazy())


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_link_local_alias(stage: Stage) -> None:
    """A link-local address with our mark is the address of the alias."""
    stage("eth0:0 fe80::5/64")
    assert state(stage.engine.get("eth0:0")) == "up"
    assert not stage("eth0:0 fe80::5/64").steps


def test_change_of_kind_keeps_mtu_and_mac(stage: Stage) -> None:
    """What the wish leaves open is taken from the alias, also when its device is replaced."""
    stage("eth0:0 10.0.0.1 kind macvlan mtu 1300 hw ether 02:00:00:00:00:05")
    stage("eth0:0 kind dummy")
    device = stage.device("eth0_0")
    assert (device.kind, device.mtu, device.mac[-1]) == ("dummy", 1300, 5)


def test_deleting_by_an_old_name(stage: Stage) -> None:
    """S44: after a rename of the main device the message tells the name that is right now."""
    stage("eth0:0 10.0.0.1")
    stage.kernel.set_device("eth0", name="wan0")
    with pytest.raises(errors.NoSuchDevice, match="it is called wan0:0 now"):
        stage("eth0:0-")


def test_deleting_a_label_of_others_is_told(stage: Stage) -> None:
    """S84: it can be deleted by name, and the user learns whose it was."""
    stage.kernel.add_address("eth0", "10.1.0.1/24", label="eth0:5", valid=FOREVER)
    assert stage("eth0:5-").notes == [
        "eth0:5: deleted, though others made this label (10.1.0.1/24)"
    ]
