"""Adoption of labels that others made, and declared labels that are not adopted yet."""

from __future__ import annotations

import pytest
from test_moves import Witness
from test_plan_compare import Declared

from netalias import errors
from netalias.engine.adopt import adopt
from netalias.engine.reconcile import Rules
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL, Address

LABELS = (
    ("eth0", "eth0:0", "10.7.0.1/24"),
    ("eth0", "eth0:1", "10.7.0.2/24"),
    ("eth0", "eth0:5", "10.8.0.1/32"),
    ("eth0", "eth0", "10.7.0.9/24"),
    ("eth1", "eth1:0", "10.9.0.1/25"),
)
"""Device, label and address of what others have made."""


def labelled(kernel: Memory) -> Declared:
    """A stage with LABELS."""
    stage = Declared(kernel)
    for device, label, text in LABELS:
        stage.kernel.add_address(device, text, label=label)
    return stage


@pytest.fixture(params=[True, False], ids=["marked", "replaced"])
def stage(request: pytest.FixtureRequest) -> Declared:
    """Labels over a kernel that changes the mark of an address, or not."""
    kernel = Witness()
    kernel.changes_protocol = request.param
    return labelled(kernel)


def ours(stage: Declared) -> list[str]:
    """The names of the labels with our mark."""
    return sorted(str(alias.name) for alias in stage.engine.show() if alias.ours)


def entries(stage: Declared) -> list[tuple[object, ...]]:
    """All addresses but for their marks, and for which one of a network is primary."""
    return sorted(
        (entry.index, entry.local, entry.prefixlen, entry.label, entry.broadcast, entry.metric)
        for found in stage.kernel.snapshot().addresses.values()
        for entry in found
    )


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("eth0:1", ["eth0:1"]),
        ("eth0:0-3", ["eth0:0", "eth0:1"]),
        ("eth0:1-1023 eth1:0", ["eth0:1", "eth0:5", "eth1:0"]),
        ("eth0", ["eth0:0", "eth0:1", "eth0:5"]),
        ("eth2", []),
        ("all", ["eth0:0", "eth0:1", "eth0:5", "eth1:0"]),
        ("all eth0 eth0:1", ["eth0:0", "eth0:1", "eth0:5", "eth1:0"]),
    ],
)
def test_adoption(stage: Declared, words: str, names: list[str]) -> None:
    """Of names, ranges, a main device, or all; no address is away, nothing else is changed."""
    assert isinstance(stage.kernel, Witness)
    before = entries(stage)
    stage.kernel.kept = {entry[1] for entry in before}  # type: ignore[misc]
    assert adopt(stage.engine, words.split()).notes == []
    assert ours(stage) == names
    assert entries(stage) == before
    assert stage.kernel.away == set()
    assert adopt(stage.engine, words.split()).steps == []


def test_what_is_adopted_is_in_sync(stage: Declared) -> None:
    """With the sysctls that it needs: a reconciliation has nothing to do."""
    stage.kernel.remove_address("eth0", "10.7.0.9/24")
    adopt(stage.engine, ["all"])
    text = "eth0:0-1 10.7.0.1-2/24 kind label -broadcast\neth0:5 10.8.0.1 kind label\n"
    assert stage.check(f"{text}eth1:0 10.9.0.1/25 kind label -broadcast\n").same


def test_everything_of_an_address_comes_back(stage: Declared) -> None:
    """Also its peer, scope, metric and lifetime."""
    entry = Address(
        0, AF_INET, bytes((10, 5, 0, 1)), 30, scope=253, peer=bytes((10, 5, 0, 2)),
        label="eth1:9", metric=7, valid=500, preferred=400,
    )  # fmt: skip
    stage.kernel.add_address("eth1", entry)
    adopt(stage.engine, ["eth1:9"])
    (found,) = [one for one in stage.engine.show("eth1:9") if one.entry is not None]
    assert found.entry is not None
    for field in ("prefixlen", "scope", "peer", "label", "metric", "valid", "preferred"):
        assert getattr(found.entry, field) == getattr(entry, field), field
    assert found.entry.protocol == PROTOCOL


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("eth0:0-5 eth0:7", errors.NoSuchDevice, "eth0:7: there is no such alias"),
        ("eth0:7-9", errors.NoSuchDevice, "eth0:7-9: there is no such alias"),
        ("eth7", errors.NoSuchDevice, "eth7: there is no such device"),
        ("eth7:0-9", errors.NoSuchDevice, "eth7:0-9: there is no such alias"),
        ("eth0:3-1", errors.BadName, "eth0:3-1: the range ends before it begins"),
        ("eth0:x", errors.BadName, "eth0:x: "),
        ("eth0:1-", errors.BadName, "eth0:1-: "),
    ],
)
def test_wrong_words(
    stage: Declared, words: str, kind: type[errors.NetaliasError], text: str
) -> None:
    """Nothing is adopted."""
    with pytest.raises(kind, match=text):
        adopt(stage.engine, words.split())
    assert ours(stage) == []


@pytest.mark.parametrize(
    ("label", "address", "before"),
    [
        ("eth0:web", "10.9.0.1/24", ""),
        ("eth0:007", "10.9.0.1/24", ""),
        ("eth0:web", "10.7.0.11/24", ""),
        ("eth0:web", "10.6.0.1/24", "sysctl -w net/ipv4/conf/eth0/promote_secondaries=1 && "),
    ],
)
def test_a_label_that_no_slot_can_name(
    stage: Declared, label: str, address: str, before: str
) -> None:
    """By itself it is refused with what to do, without harm to its secondaries; with others it is
    left alone, which is told."""
    stage.kernel.add_address("eth0", address, label=label)
    if before:
        stage.kernel.add_address("eth0", "10.6.0.2/24")
    with pytest.raises(errors.BadName) as caught:
        adopt(stage.engine, [label])
    assert str(caught.value) == (
        f"{label}: a slot is a number, so no alias can have the name of this label"
    )
    assert caught.value.hint == (
        f"{before}ip addr del {address} dev eth0 && netalias eth0:2 {address} kind label"
    )
    assert ours(stage) == []
    assert adopt(stage.engine, ["eth0"]).notes == [f"{label}: left alone: a slot is a number"]
    assert adopt(stage.engine, ["all"]).notes == [f"{label}: left alone: a slot is a number"]


def test_names_that_are_taken(stage: Declared) -> None:
    """Of two labels of one name, or of a label beside an alias of ours, one keeps the name."""
    stage.kernel.add_address("eth0", "10.6.0.1/32", label="eth0:5")
    stage("eth1:0 10.3.0.1")
    done = adopt(stage.engine, ["all"])
    assert [note.partition(":")[2][:3] for note in sorted(done.notes)] == ["5: ", "0: "]
    assert ours(stage) == ["eth0:0", "eth0:1", "eth0:5", "eth1:0"]
    with pytest.raises(errors.AlreadyExists):
        adopt(stage.engine, ["eth1:0"])


def test_a_kernel_without_marks() -> None:
    """Before Linux 5.18: told, and all addresses are as they were."""
    stage = labelled(Memory(has_protocol=False))
    before = entries(stage)
    with pytest.raises(errors.StateError, match="eth0:0: this kernel keeps no mark of addresses"):
        adopt(stage.engine, ["all"])
    assert entries(stage) == before


# Before they are adopted ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["label", "macvlan"])
@pytest.mark.parametrize(
    ("text", "hint", "count"),
    [
        ("eth0:0 10.7.0.1/24", "eth0:0", 1),
        ("eth0:0-1 10.7.0.1-2/24", "eth0:0-1", 2),
        ("eth0:0-1 10.7.0.1-2/24\neth0:5 10.8.0.1", "eth0", 3),
        ("eth0:5 10.8.0.1\neth0:0 10.7.0.1/16", "eth0:0 eth0:5", 2),
    ],
)
def test_labels_of_others_are_skipped(text: str, kind: str, hint: str, count: int) -> None:
    """No second copy of an address: told with the one command, and skipped; then in sync."""
    stage = labelled(Memory())
    text = "".join(f"{line} kind {kind} -broadcast\n" for line in text.split("\n"))
    before = entries(stage)
    (one,) = stage.check(text).skipped
    assert one.line().endswith(f"netalias adopt {hint})")
    assert one.count == count
    outcome = stage.reconcile(text)
    assert outcome.status == errors.STATUS_KERNEL
    assert entries(stage) == before
    adopt(stage.engine, hint.split())
    assert stage.reconcile(text).status == errors.STATUS_OK
    assert stage.check(text).same


@pytest.mark.parametrize("kind", ["label", "macvlan"])
@pytest.mark.parametrize("label", ["eth0:web", "eth0:7"])
def test_labels_of_others_with_another_name(kind: str, label: str) -> None:
    """Nor is there a second copy of their addresses: they cannot be adopted under that name, so the
    command that takes one away is told."""
    stage = labelled(Memory())
    stage.kernel.add_address("eth0", "10.6.0.1/32", label=label)
    text = f"eth0:8 10.6.0.1 kind {kind}\n"
    before = entries(stage)
    (line,) = stage.skipped(text)
    assert line == (
        f"t.conf:1: eth0:8: 10.6.0.1 is there as the label {label} of others"
        " (ip addr del 10.6.0.1/32 dev eth0)"
    )
    assert stage.reconcile(text).status == errors.STATUS_KERNEL
    assert entries(stage) == before
    stage.kernel.remove_address("eth0", "10.6.0.1/32")
    assert stage.reconcile(text).status == errors.STATUS_OK


def test_the_others_of_the_file_are_served() -> None:
    """A label of others does not stop them."""
    stage = labelled(Memory())
    outcome = stage.reconcile("eth0:5 10.8.0.1 kind label\neth0:6 10.8.0.2 kind label\n", Rules())
    assert outcome.status == errors.STATUS_KERNEL
    assert ours(stage) == ["eth0:6"]


def test_an_address_of_the_main_device_is_no_label_too() -> None:
    """It would be there twice, with one kernel or another refusing it."""
    stage = labelled(Memory())
    for words in ("10.7.0.9", "10.7.0.9/24", "10.7.0.9/16"):
        with pytest.raises(
            errors.AlreadyExists, match=r"10\.7\.0\.9 is an address of eth0 already"
        ):
            stage(f"eth0:3 {words} kind label")
    assert stage("eth1:3 10.7.0.9 kind label").notes
    assert stage("eth0:4 10.7.0.9 kind macvlan").notes
