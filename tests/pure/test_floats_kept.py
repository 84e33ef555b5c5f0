"""A reconciliation leaves the aliases that float alone: those that stand, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli_memory import Command
from test_desired_declarations import parse

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.engine.lent import Lent, settled
from netalias.engine.reconcile import Rules, check_rails, look
from netalias.kernel.memory import Memory
from netalias.runtime import tasks
from netalias.runtime.private import PrivateDirectory
from netalias.watch.reloading import check_reload

LINE = "float web eth0:100-101 10.0.0.100-101/24"


def host(folder: str = "") -> Engine:
    """eth0:100 is held for a while; eth0:101 stands for ever, eth0:102 is of no pool."""
    kernel = Memory()
    kernel.add_device("eth0", up=True)
    engine = Engine(Setup(kernel, runtime=PrivateDirectory(folder)))
    engine.create("eth0:100", "10.0.0.100/24", lease=10)
    engine.create("eth0:101", "10.0.0.101/24")
    engine.create("eth0:102", "10.0.0.102/24", lease=10)
    return engine


@pytest.mark.parametrize(
    ("text", "differences", "renewed"),
    [
        (f"{LINE}\neth0:102 10.0.0.102/24 lease 10", "-eth0:101", 1),
        (LINE, "-eth0:101 -eth0:102", 0),
        ("float db eth0:100-101 10.0.0.100-101/24", "-eth0:101 -eth0:102", 0),
        ("float web eth0:99-100 10.0.0.100-101/24", "-eth0:100 -eth0:101 -eth0:102", 0),
        ("float web eth1:100-101 10.0.0.100-101/24", "-eth0:100 -eth0:101 -eth0:102", 0),
        ("eth0:101 10.0.0.101/24", "-eth0:100 -eth0:102 ~eth0:101", 0),
    ],
)
def test_what_floats_is_left_alone(text: str, differences: str, renewed: int) -> None:
    """It has slot, address and device of a line, and a lifetime: it stays, and nobody but the
    watcher renews it. One that does not stand here is not made."""
    engine = host()
    diff = look(engine, parse(text), Rules(allow_empty=True))
    found = sorted(f"{item.sign}{item.name}" for item in diff.items if not item.sysctl_change)
    assert found == differences.split()
    assert len(diff.renewals) == renewed


def test_what_a_watcher_has_held_is_known_without_its_files(tmp_path: Path) -> None:
    """Even when it was killed: whoever renews an address then would have it beside another host."""
    engine = host(str(tmp_path))
    with engine.transaction():
        tasks.write(str(tmp_path), [LINE, "of another version"], tasks.FLOATS)
    aliases = {str(alias.name): alias for alias in engine.observe().aliases}
    found = {name: Lent(engine).pool(alias) for name, alias in aliases.items()}
    assert found == {"eth0:100": "float web", "eth0:101": "", "eth0:102": ""}
    left = [str(alias.name) for alias in settled(engine, engine.observe().aliases)]
    assert left == ["eth0:101", "eth0:102"]


def test_devices_whose_lease_has_run_out_go_without_a_question() -> None:
    """They have no address any more, so no guard rail keeps them: on a host of a cluster nothing
    else may be declared."""
    engine = host()
    engine.create("eth0:103", "10.0.0.103/24", kind="ipvlan", lease=10)
    for name in ("eth0:100", "eth0:101", "eth0:102"):
        engine.delete(name)
    (alias,) = engine.observe().aliases
    assert alias.carrier is not None
    assert alias.entry is not None
    kernel = engine.kernel
    assert isinstance(kernel, Memory)
    kernel.remove_address(alias.carrier.name, alias.entry)
    diff = look(engine, parse(LINE), Rules())
    assert [f"{item.sign}{item.name}" for item in diff.items if not item.sysctl_change] == [
        "-eth0:103"
    ]
    check_rails(diff, Rules())


def test_a_renamed_device_keeps_nobody_from_knowing_what_floats(tmp_path: Path) -> None:
    """It is not renewed under another name either, and does not stay there."""
    engine = host(str(tmp_path))
    kernel = engine.kernel
    assert isinstance(kernel, Memory)
    with engine.transaction():
        tasks.write(str(tmp_path), [LINE], tasks.FLOATS)
    kernel.set_device("eth0", name="lan0")
    aliases = [one for one in engine.observe().aliases if one.name.slot == 100]
    assert [Lent(engine, parse(LINE)).pool(one) for one in aliases] == ["float web"]
    assert not any(Lent(engine, parse(LINE)).stays(one) for one in aliases)


def test_a_move_leaves_what_floats_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its kind is that of its line, and the watcher makes it."""
    command = Command(capsys)
    file = tmp_path / "netalias.conf"
    file.write_text(
        f"cluster etcd http://127.0.0.1\n{LINE} kind label\neth0:1 10.0.0.1 kind label\n"
    )
    command.split("eth0:100 10.0.0.100/24 kind label lease 10")
    command.split("eth0:1 10.0.0.1 kind label")
    out, _ = command.run(["move", "eth0", str(file), "--kind", "macvlan", "--dry-run"], 0)
    assert "eth0:1 " in out
    assert "eth0:100 " not in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE, ""),
        ("float web eth0:200-211 10.0.0.100-111/24", ""),
        ("float web eth0:200-211 10.0.1.100-111/24", "12 of 12 aliases would be removed"),
        ("pool web 10.0.0.100-111", "nothing is declared, and 12 aliases would be removed"),
    ],
)
def test_the_same_addresses_may_float_from_now_on(text: str, message: str) -> None:
    """They are declared as they were before, and a line about them is no empty file; what stood
    here for ever goes, since another host may get the address."""
    kernel = Memory()
    kernel.add_device("eth0", up=True)
    engine = Engine(Setup(kernel, runtime=PrivateDirectory("")))
    count = 2 if text is LINE else 12
    for slot in range(count):
        engine.create(f"eth0:{100 + slot}", f"10.0.0.{100 + slot}/24")
    diff = look(engine, parse(text), Rules())
    assert diff.removed == (count if message else 0)
    assert sum(item.sign == "-" and not item.sysctl_change for item in diff.items) == count
    if not message:
        check_rails(diff, Rules())
        return
    with pytest.raises(errors.StateError, match=message):
        check_rails(diff, Rules())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("eth0:100-111 10.0.0.100-111/24", "float web eth0:100-111 10.0.0.100-111/24", ""),
        (LINE, "eth0:100 10.0.0.100/24", ""),
        ("float web eth0:100-111 10.0.0.100-111/24", LINE, ""),
        ("eth0:100-111 10.0.0.100-111/24", LINE, "10 of 12 aliases are declared no more"),
        (LINE, "", "nothing is declared any more"),
        (LINE, "cluster etcd http://a", "nothing is declared any more"),
    ],
)
def test_a_watcher_reads_lines_that_float(before: str, after: str, message: str) -> None:
    """Addresses that float from now on are not gone, and a file that has become empty is no order
    to give them up."""
    if not message:
        check_reload(parse(before), parse(after), Rules())
        return
    with pytest.raises(errors.StateError, match=message):
        check_reload(parse(before), parse(after), Rules())
    check_reload(parse(before), parse(after), Rules(allow_empty=True))


def test_a_lease_is_what_the_kernel_was_told_last() -> None:
    """An alias that floats begins with what is left of a proof, and is prolonged beyond it."""
    engine = host()
    alias = engine.observe().aliases[0]
    assert (str(alias.name), alias.lease) == ("eth0:100", 10)
    assert alias.carrier is not None
    assert alias.entry is not None
    kernel = engine.kernel
    assert isinstance(kernel, Memory)
    kernel.remove_address(alias.carrier.name, alias.entry)
    kernel.add_address(alias.carrier.name, alias.entry.lasting(25))
    found = engine.observe().aliases[0]
    assert (found.name, found.lease // 2) == (alias.name, 12)
