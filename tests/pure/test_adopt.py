"""Adoption of labels that others made, and declared labels that are not adopted yet."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EIO

import pytest
from test_moves import Witness, promoting
from test_plan_compare import Declared

from netalias import desired, errors
from netalias.engine.adopt import adopt
from netalias.engine.reconcile import Rules
from netalias.engine.renaming import adopt_as
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model import AF_INET, AF_INET6, PROTOCOL, Address
from netalias.model.steps import AddAddress, Step

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


@pytest.mark.parametrize("promote", [0, 1])
def test_neighbouring_hosts(stage: Declared, promote: int) -> None:
    """The keeper of one host is no secondary address of the keeper of its neighbour."""
    kernel = stage.kernel
    assert isinstance(kernel, Witness)
    promoting(stage, "eth0", promote)
    for last in range(2, 10):
        kernel.add_address("eth0", f"10.4.0.{last}/32", label=f"eth0:{100 + last}")
    before = entries(stage)
    kernel.kept = {entry[1] for entry in before}  # type: ignore[misc]
    adopt(stage.engine, ["eth0:100-110"])
    assert ours(stage) == [f"eth0:{100 + last}" for last in range(2, 10)]
    assert entries(stage) == before
    assert kernel.away == set()


def test_what_is_adopted_is_in_sync(stage: Declared) -> None:
    """With the sysctls that it needs: a reconciliation has nothing to do."""
    stage.kernel.remove_address("eth0", "10.7.0.9/24")
    adopt(stage.engine, ["all"])
    text = "eth0:0-1 10.7.0.1-2/24 kind label -broadcast\neth0:5 10.8.0.1 kind label\n"
    assert stage.check(f"{text}eth1:0 10.9.0.1/25 kind label -broadcast\n").same


@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("own", ["10.9.9.1/32", "10.9.9.1/24"])
def test_labels_before_an_own_address(marks: bool, own: str) -> None:
    """They come behind it, so that the host speaks with it, and keep their order; none is away."""
    kernel = Witness()
    kernel.changes_protocol = marks
    stage = Declared(kernel)
    for slot in (0, 1):
        stage.kernel.add_address("eth0", f"10.8.0.{slot}/32", label=f"eth0:{slot}")
    stage.kernel.add_address("eth0", own)
    kernel.kept = {entry[1] for entry in entries(stage)}  # type: ignore[misc]
    before = entries(stage)
    adopt(stage.engine, ["all"])
    assert stage.check("eth0:0-1 10.8.0.0-1 kind label\n").same
    labels = [f"10.8.0.{slot}/32 label=eth0:{slot}" for slot in (0, 1)]
    assert stage.on("eth0")[:3] == [own, *labels]
    assert entries(stage) == before
    assert kernel.away == set()
    assert adopt(stage.engine, ["all"]).steps == []


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
    note = f"{label}: left alone: a slot is a number (netalias adopt {label})"
    assert adopt(stage.engine, ["eth0"]).notes == [note]
    assert adopt(stage.engine, ["all"]).notes == [note]


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
    """Nor is there a second copy of their addresses: they are adopted by address, under the name
    that is declared."""
    stage = labelled(Memory())
    stage.kernel.add_address("eth0", "10.6.0.1/32", label=label)
    text = f"eth0:8 10.6.0.1 kind {kind}\n"
    before = entries(stage)
    (line,) = stage.skipped(text)
    assert line == (
        f"t.conf:1: eth0:8: 10.6.0.1 is there as the label {label} of others"
        " (netalias adopt eth0:8 10.6.0.1)"
    )
    assert stage.reconcile(text).status == errors.STATUS_KERNEL
    assert entries(stage) == before
    adopt_as(stage.engine, [wish(stage, "eth0:8 10.6.0.1/32 kind label")])
    assert stage.reconcile(text).status == errors.STATUS_OK


def wish(stage: Declared, text: str) -> desired.Wish:
    return desired.parse(text.split(), stage.engine.registry)


NEW = """\
eth0:7 10.6.0.1/24 kind label -broadcast
eth0:21-22 2001:db8:5::1-2/64 kind label
eth1:9 2001:db8:6::1/64 kind label
"""


def others(kernel: Memory) -> Declared:
    """A stage with addresses that no name selects; eth1 has the network of one of them itself."""
    stage = labelled(kernel)
    for device, text, label in (
        ("eth0", "10.6.0.1/24", "eth0:web"), ("eth0", "10.6.0.2/24", "eth0"),
        ("eth0", "2001:db8:5::1/64", ""), ("eth0", "2001:db8:5::2/64", ""),
        ("eth1", "2001:db8:6::fa/64", ""), ("eth1", "2001:db8:6::1/64", ""),
    ):  # fmt: skip
        stage.kernel.add_address(device, text, label=label)
    return stage


@pytest.mark.parametrize("promote", [0, 1])
@pytest.mark.parametrize("marks", [True, False])
def test_adoption_by_address(marks: bool, promote: int) -> None:
    """Under other names than those of the kernel, and of IPv6, which has none: as declared then. No
    IPv4 address is away, the secondary ones included, and nothing else is touched."""
    kernel = Witness()
    kernel.changes_protocol = marks
    stage = others(kernel)
    promoting(stage, "eth0", promote)
    kernel.kept = {entry[1] for entry in entries(stage) if len(entry[1]) == 4}  # type: ignore[misc, arg-type]
    before = {entry[1] for entry in entries(stage)}
    texts = ("eth0:7 10.6.0.1/24", "eth0:21 2001:db8:5::1/64", "eth0:22 2001:db8:5::2/64",
             "eth1:9 2001:db8:6::1/64")  # fmt: skip
    wishes = [wish(stage, f"{text} kind label") for text in texts]
    adopt_as(stage.engine, wishes)
    assert ours(stage) == ["eth0:21", "eth0:22", "eth0:7", "eth1:9"]
    assert kernel.away == set()
    assert {entry[1] for entry in entries(stage)} == before
    assert stage.check(NEW).same
    assert adopt_as(stage.engine, wishes).steps == []


def test_adoption_by_address_under_a_name_that_is_taken() -> None:
    """Nothing is changed."""
    stage = others(Memory())
    before = entries(stage)
    with pytest.raises(errors.AlreadyExists, match="eth0:5: an alias has that name already"):
        adopt_as(stage.engine, [wish(stage, "eth0:5 2001:db8:5::1/64 kind label")])
    assert entries(stage) == before


def test_an_address_that_the_kernel_refuses_comes_back() -> None:
    """As it was, with the network that it brings."""

    class Refusing(Memory):
        """Refuses labels of ours of one family."""

        def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
            return [
                refused(step, EIO)
                if isinstance(step, AddAddress)
                and (step.address.family, step.address.protocol) == (AF_INET6, PROTOCOL)
                else super(Refusing, self).send([step])[0]
                for step in steps
            ]

    stage = others(Refusing())
    before = entries(stage)
    with pytest.raises(errors.KernelError):
        adopt_as(stage.engine, [wish(stage, "eth0:21 2001:db8:5::1/64 kind label")])
    assert entries(stage) == before


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
