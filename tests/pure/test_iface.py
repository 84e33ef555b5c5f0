"""`netalias iface` over a kernel in memory: words, the list, its order, peers, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from socket import inet_pton
from typing import Any

import pytest
from test_cli_memory import Command

from netalias import cli, errors
from netalias.desired.iface import wanted
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_NODAD,
    PROTOCOL,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    Address,
    address_text,
)
from netalias.model.iface import MANUAL
from netalias.model.steps import AddAddress, DelAddress, Step
from netalias.runtime import iface as record
from netalias.runtime.private import PrivateDirectory

KERNEL, USAGE, PERMISSION = errors.STATUS_KERNEL, errors.STATUS_USAGE, errors.STATUS_PERMISSION
ETH0 = 2


class Iface(Command):
    """``netalias iface`` with a runtime directory; eth0 is up and has no address."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        super().__init__(capsys)
        self.folder = folder
        self.session = b""

    def _open(self, options: cli.Options) -> Engine:
        return Engine(
            Setup(
                self.memory,
                options.registry,
                changed=options.changes,
                runtime=PrivateDirectory(str(self.folder)),
                session=lambda: self.session,
            )
        )

    def iface(self, words: str, status: int = 0) -> str:
        """What ``netalias iface eth0 WORDS`` printed."""
        return self.split(f"iface eth0 {words}", status)

    def fails(self, words: str, status: int = KERNEL) -> str:
        """Its one line of error; nothing has changed."""
        before = self.lines(), self.record()
        found = self.refused(f"iface eth0 {words}", status)
        assert (self.lines(), self.record()) == before
        return found

    def lines(self) -> list[str]:
        """The addresses as they are listed, with the word for their origin."""
        return [line.strip() for line in self.iface("show").splitlines()[1:]]

    def record(self) -> list[str]:
        """The lines of the record."""
        path = self.folder / "iface"
        return path.read_text().splitlines()[1:] if path.exists() else []

    def others(self, words: str, **fields: Any) -> None:
        """Others give eth0 an address."""
        entry = wanted(words.split()).copy(**fields)
        entry.label = "eth0" if entry.family == AF_INET else ""
        assert self.memory.send([AddAddress("eth0", ETH0, entry)]) == [None]

    def others_remove(self, words: str) -> None:
        """Others take an address of eth0 away."""
        assert self.memory.send([DelAddress("eth0", ETH0, wanted(words.split()))]) == [None]

    def kernel(self) -> list[tuple[str, int, str, int, int]]:
        """The kernel's addresses: local, prefix length, peer, scope, protocol."""
        return [
            (
                address_text(one.family, one.local), one.prefixlen,
                address_text(one.family, one.peer) if one.peer else "", one.scope, one.protocol,
            )
            for one in self.memory.snapshot().on(ETH0)
        ]  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iface:
    """The command, and the kernel that it changes."""
    found = Iface(capsys, tmp_path)
    device = found.memory.snapshot().device("eth0")
    assert device is not None
    assert device.index == ETH0
    for entry in found.memory.snapshot().on(ETH0):  # its link-local one
        assert found.memory.send([DelAddress("eth0", ETH0, entry)]) == [None]
    return found


def refusing(memory: Memory, which: Callable[[Step], bool], errno: int = 12) -> None:
    """Let the kernel refuse some steps from now on."""
    plain = memory.send

    def send(steps: Any) -> list[errors.NetaliasError | None]:
        found: list[errors.NetaliasError | None] = []
        for step in steps:
            found += [errors.kernel_error("no", errno)] if which(step) else plain([step])
        return found

    memory.send = send  # type: ignore[method-assign]


# Adding


def test_a_host_without_a_peer(run: Iface) -> None:
    """A-1: an address alone is a /32, shown with 255.255.255.255; the kernel has no such peer,
    which would be a route for limited broadcast. IPv6: /128."""
    run.iface("add 10.0.0.3")
    run.iface("add 2001:db8::3")
    assert run.kernel() == [
        ("10.0.0.3", 32, "", 0, MANUAL), ("2001:db8::3", 128, "", 0, MANUAL),
    ]  # fmt: skip
    assert run.lines() == [
        "inet 10.0.0.3/32 --> 255.255.255.255 manual", "inet6 2001:db8::3/128 manual",
    ]  # fmt: skip


WORDS = {
    "10.0.0.3": ("10.0.0.3", 32, ""),
    "10.0.0.3/24": ("10.0.0.3", 24, ""),
    "10.0.0.3 10.0.0.9": ("10.0.0.3", 32, "10.0.0.9"),
    "10.0.0.3/24 10.0.0.9": ("10.0.0.3", 24, "10.0.0.9"),
    "10.0.0.3 255.255.255.0 10.0.0.9": ("10.0.0.3", 24, "10.0.0.9"),
    "10.0.0.3 255.255.255.255": ("10.0.0.3", 32, ""),
    "10.0.0.3/24 255.255.255.255": ("10.0.0.3", 24, ""),
    "10.0.0.3 255.255.255.0 255.255.255.255": ("10.0.0.3", 24, ""),
    "10.0.0.3 10.0.0.3": ("10.0.0.3", 32, ""),
    "2001:db8::3": ("2001:db8::3", 128, ""),
    "2001:db8::3/64": ("2001:db8::3", 64, ""),
    "2001:db8::3 2001:db8::9": ("2001:db8::3", 128, "2001:db8::9"),
    "2001:db8::3/64 2001:db8::9": ("2001:db8::3", 64, "2001:db8::9"),
}


@pytest.mark.parametrize("words", WORDS)
def test_the_forms_of_add(run: Iface, words: str) -> None:
    """A-2: with bits, with a mask and a peer, in both families."""
    run.iface(f"add {words}")
    assert [one[:3] for one in run.kernel()] == [WORDS[words]]


WRONG = {
    "": "add needs ADDRESS",
    "10.0.0.3 255.255.255.0 10.0.0.9 10.0.0.8": "add needs ADDRESS",
    "10.0.0.3/24 255.255.255.0 10.0.0.9": "only an IPv4 address without /BITS has a mask",
    "2001:db8::3 ffff:: 2001:db8::9": "only an IPv4 address without /BITS has a mask",
    "10.0.0.3 255.0.255.0 10.0.0.9": "not a netmask",
    "10.0.0.3 0.0.0.0 10.0.0.9": "a network of all addresses",
    "10.0.0.3 255.255.255.0": "a peer cannot have this address",
    "10.0.0.3 2001:db8::9": "not of the family of 10.0.0.3",
    "2001:db8::3 10.0.0.9": "not of the family of 2001:db8::3",
    "10.0.0.3 10.0.0.9/24": "a peer has no /BITS",
    "10.0.0.3/33": "a prefix length is a number from 0 to 32",
    "10.0.0.3/0": "a network of all addresses",
    "::1/0": "a network of all addresses",
    "0.0.0.0": "no device can have this address",
    "255.255.255.255": "no device can have this address",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "10.0.0": "not an IPv4 address",
    "10.0.0.3 0.0.0.0": "a peer cannot have this address",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words(run: Iface, words: str) -> None:
    """A-2: other words are wrong, families must match, and nothing is changed."""
    assert WRONG[words] in run.fails(f"add {words}", USAGE)


@pytest.mark.parametrize("words", ["", "/24", " 10.0.0.9", " 255.255.0.0 10.0.0.9"])
def test_an_address_is_there_once(run: Iface, words: str) -> None:
    """A-3: with any mask or peer it is there already, though the kernel would take it again."""
    run.others("10.0.0.3/25")
    said = run.fails(f"add 10.0.0.3{words}")
    assert said == "10.0.0.3: eth0 has it already (add! sets its mask and peer)"


def test_overwritten_in_place(run: Iface) -> None:
    """A-3: add! sets mask and peer of the entry, whose place in the list stays."""
    for last in (3, 4, 5):
        run.iface(f"add 10.0.0.{last}/24")
    run.iface("add! 10.0.0.4 10.0.0.9")
    run.iface("add! 10.0.0.3/25")
    assert run.lines() == [
        "inet 10.0.0.3/25 --> 255.255.255.255 manual",
        "inet 10.0.0.4/32 --> 10.0.0.9 manual",
        "inet 10.0.0.5/24 --> 255.255.255.255 manual",
    ]
    run.iface("add! 10.0.0.6")
    assert run.lines()[-1] == "inet 10.0.0.6/32 --> 255.255.255.255 manual"


def test_a_negotiated_one_overwritten_stays_negotiated(run: Iface) -> None:
    """A-3: also with a lifetime, which stays too."""
    run.others("10.0.0.3/24", valid=600, preferred=300)
    run.iface("add 10.0.0.4")
    run.iface("add! 10.0.0.3 10.0.0.9")
    assert run.lines() == [
        "inet 10.0.0.3/32 --> 10.0.0.9 negotiated", "inet 10.0.0.4/32 --> 255.255.255.255 manual"
    ]  # fmt: skip
    (entry,) = (one for one in run.memory.snapshot().on(ETH0) if one.peer)
    assert (entry.valid, entry.preferred) == (600, 300)


@pytest.mark.parametrize("words", WORDS)
def test_identical_is_left_alone(run: Iface, words: str) -> None:
    """A-3: add! of what is there succeeds, and the kernel is not asked to change anything."""
    run.iface(f"add {words}")
    refusing(run.memory, lambda _: True)
    run.iface(f"add! {words}")


def test_one_of_three(run: Iface) -> None:
    """A-3: of three entries with one address, which the kernel can have, add! leaves one."""
    for words in ("10.0.0.1/32", "10.0.0.1/24", "10.0.0.1 10.0.0.9"):
        run.others(words)
    assert len(run.lines()) == 3
    run.iface("add! 10.0.0.1/24")
    assert run.lines() == ["inet 10.0.0.1/24 --> 255.255.255.255 negotiated"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("10.0.0.1/24", "10.0.0.1/24 10.0.0.9"),
        ("10.0.0.1/24 10.0.0.9", "10.0.0.1/24"),
        ("10.0.0.1/24", "10.0.0.1/25"),
        ("10.0.0.1 10.0.0.9", "10.0.0.1"),
    ],
)
def test_never_without_the_address(run: Iface, before: str, after: str) -> None:
    """A-3: at no moment is the device without the address that is overwritten, not even where the
    kernel calls both the same: with it would go sockets and routes."""
    run.iface(f"add {before}")
    plain = run.memory.send

    def send(steps: Any) -> list[errors.NetaliasError | None]:
        found = []
        for step in steps:
            found += plain([step])
            assert run.memory.snapshot().on(ETH0), step
        return found

    run.memory.send = send  # type: ignore[method-assign]
    run.iface(f"add! {after}")
    assert len(run.kernel()) == 1
    assert run.kernel()[0][:3] == WORDS.get(after, run.kernel()[0][:3])


def test_of_two_manual_ones_one_is_left(run: Iface) -> None:
    """A-3: the kernel can have two with our mark; the record has the one that is left."""
    run.iface("add 10.0.0.1/32")
    run.others("10.0.0.1/24", protocol=MANUAL)
    run.iface("add 10.0.0.2")
    run.iface("add! 10.0.0.1/24")
    assert run.record() == [f"{ETH0} 10.0.0.1/24 -", f"{ETH0} 10.0.0.2/32 -"]


# Peers


def test_a_peer_has_one_owner(run: Iface) -> None:
    """A-4: every older entry with the peer, of others too, becomes a host without a peer that new
    connections do not use as their source."""
    run.others("10.0.0.1 10.9.9.9")
    run.others("10.0.0.2/24 10.9.9.9")
    run.iface("add 10.0.0.3 10.9.9.9")
    assert run.lines() == [
        "inet 10.0.0.1/32 --> 255.255.255.255 scope host negotiated",
        "inet 10.0.0.2/32 --> 255.255.255.255 scope host negotiated",
        "inet 10.0.0.3/32 --> 10.9.9.9 manual",
    ]
    run.iface("add 10.0.0.4 10.9.9.9")
    assert run.lines()[2:] == [
        "inet 10.0.0.3/32 --> 255.255.255.255 scope host manual",
        "inet 10.0.0.4/32 --> 10.9.9.9 manual",
    ]
    run.iface("add! 10.0.0.1 10.9.9.9")
    assert "inet 10.0.0.1/32 --> 10.9.9.9 negotiated" in run.lines()
    assert "inet 10.0.0.4/32 --> 255.255.255.255 scope host manual" in run.lines()


def test_a_peer_of_ipv6(run: Iface) -> None:
    """A-4: the older one is deprecated."""
    run.others("2001:db8::1 2001:db8::9")
    run.iface("add 2001:db8::2 2001:db8::9")
    run.iface("add 2001:db8::3 2001:db8::9")
    assert run.lines() == [
        "inet6 2001:db8::1/128 deprecated negotiated",
        "inet6 2001:db8::2/128 deprecated manual",
        "inet6 2001:db8::3/128 --> 2001:db8::9 manual",
    ]


def test_no_peer_is_shared_by_many(run: Iface) -> None:
    """A-4: 255.255.255.255 may occur any number of times."""
    for last in range(3, 8):
        run.iface(f"add 10.0.0.{last} 255.255.255.255")
    assert len(run.kernel()) == 5
    assert {one[3] for one in run.kernel()} == {0}


def test_the_new_one_is_there_before_the_old_one_goes(run: Iface) -> None:
    """A-4: first the new address, then the host that the old one becomes, then the old one goes;
    the new one, its secondary, is promoted, and does not go with it."""
    run.others("10.0.0.1 10.9.9.9")
    done: list[str] = []
    plain = run.memory.send

    def send(steps: Any) -> list[errors.NetaliasError | None]:
        done.extend(type(step).__name__ for step in steps)
        return plain(steps)

    run.memory.send = send  # type: ignore[method-assign]
    run.iface("add 10.0.0.2 10.9.9.9")
    assert done == ["AddAddress", "AddAddress", "SetLink", "DelAddress", "SetLink"]
    assert sorted(run.kernel()) == [
        ("10.0.0.1", 32, "", RT_SCOPE_HOST, 0), ("10.0.0.2", 32, "10.9.9.9", 0, MANUAL),
    ]  # fmt: skip
    device = run.memory.snapshot().device("eth0")
    assert device is not None
    assert not device.promote


@pytest.mark.parametrize(
    ("old", "new", "peer"),
    [("10.0.0.1", "10.0.0.2", "10.9.9.9"), ("2001:db8::1", "2001:db8::2", "2001:db8::9")],
)
def test_lost_where_it_cannot_be_rewritten(run: Iface, old: str, new: str, peer: str) -> None:
    """A-5: an older entry that cannot be rewritten is lost, with a warning; the add goes on."""
    run.others(f"{old} {peer}")
    packed = wanted([old]).local
    refusing(
        run.memory,
        lambda step: (
            isinstance(step, AddAddress) and step.address.local == packed and not step.address.peer
        ),
    )
    out, err = run.run(f"iface eth0 add {new} {peer}".split(), 0)
    assert out == ""
    assert err == f"netalias: warning: {old} is lost: no: Cannot allocate memory\n"
    assert [one[0] for one in run.kernel()] == [new]


def test_refused_is_put_back(run: Iface) -> None:
    """A-5: where the new address is refused, the kernel and the record are as before."""
    run.others("10.0.0.1 10.9.9.9")
    run.iface("add 10.0.0.7")
    refusing(run.memory, lambda step: isinstance(step, AddAddress))
    assert run.fails("add 10.0.0.2 10.9.9.9").startswith("eth0: no: ")
    assert run.fails("add! 10.0.0.7/24").startswith("eth0: no: ")


def test_neither_rewritten_nor_lost(run: Iface) -> None:
    """A-5: where the kernel does not even remove the older entry, nothing is changed."""
    run.others("10.0.0.1 10.9.9.9")
    packed = wanted(["10.0.0.1"]).local
    own = (AddAddress, DelAddress)
    refusing(run.memory, lambda step: isinstance(step, own) and step.address.local == packed)
    assert run.fails("add 10.0.0.2 10.9.9.9") == "no: Cannot allocate memory"


@pytest.mark.parametrize("marks", [True, False])
def test_somebody_else_was_faster(run: Iface, marks: bool) -> None:
    """A-5: an address that others add after it was looked for is refused by the kernel, whereas
    that of BSD added it again; it stays theirs."""
    run.memory.has_protocol = marks
    plain = run.memory.send

    def send(steps: Any) -> list[errors.NetaliasError | None]:
        run.memory.send = plain  # type: ignore[method-assign]
        run.others("10.0.0.2")
        return plain(steps)

    run.memory.send = send  # type: ignore[method-assign]
    assert "File exists" in run.refused("iface eth0 add 10.0.0.2", KERNEL)
    assert run.lines() == ["inet 10.0.0.2/32 --> 255.255.255.255 negotiated"]
    assert run.record() == []


def test_an_overwriting_that_fails_half_way(run: Iface) -> None:
    """A-5: the old entry is back, for IPv6 too, where it goes first."""
    run.iface("add 10.0.0.7/24")
    run.iface("add 2001:db8::7/64")
    refusing(
        run.memory,
        lambda step: isinstance(step, AddAddress) and step.address.prefixlen in (25, 65),
    )
    run.fails("add! 10.0.0.7/25")
    run.fails("add! 2001:db8::7/65")


def test_an_interruption_undoes_everything(run: Iface) -> None:
    """A-5: also what was done before the older entry is rewritten."""
    run.others("10.0.0.1 10.9.9.9")
    before = run.kernel()
    plain = run.memory.send
    count = 0

    def send(steps: Any) -> list[errors.NetaliasError | None]:
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return plain(steps)

    run.memory.send = send  # type: ignore[method-assign]
    run.run(["iface", "eth0", "add", "10.0.0.2", "10.9.9.9"], errors.STATUS_INTERRUPTED)
    assert run.kernel() == before
    assert run.record() == []


# Order


def test_negotiated_first_manual_last(run: Iface) -> None:
    """A-6: whatever the order of the kernel is; manual ones are in the order of adding."""
    for words in ("2001:db8::5", "10.0.0.9/24", "10.0.0.8/16", "2001:db8::4", "10.0.0.7"):
        run.iface(f"add {words}")
    run.others("10.0.0.1/24")
    run.others("2001:db8::1/64")
    assert [line.split()[1] for line in run.lines()] == [
        "10.0.0.1/24", "2001:db8::1/64",
        "2001:db8::5/128", "10.0.0.9/24", "10.0.0.8/16", "2001:db8::4/128", "10.0.0.7/32",
    ]  # fmt: skip


def test_negotiated_again_moves_to_the_front(run: Iface) -> None:
    """A-6: an address that is manual and then negotiated, by whatever mask and peer."""
    run.iface("add 10.0.0.2")
    run.iface("add 10.0.0.3")
    run.others("10.0.0.3 10.9.9.9")
    assert run.lines() == [
        "inet 10.0.0.3/32 --> 10.9.9.9 negotiated",
        "inet 10.0.0.3/32 --> 255.255.255.255 manual",
        "inet 10.0.0.2/32 --> 255.255.255.255 manual",
    ]
    run.iface("clear")
    assert run.lines() == ["inet 10.0.0.3/32 --> 10.9.9.9 negotiated"]


def test_kept_addresses_stand_between(run: Iface) -> None:
    """A-6: one with the mark of netalias that no alias has is kept; clear removes it."""
    run.others(
        "10.0.0.1/32", peer=bytes((0, 0, 0, 1)), protocol=PROTOCOL, scope=RT_SCOPE_HOST,
        valid=600, preferred=0,
    )  # fmt: skip
    run.iface("add 10.0.0.2")
    run.others("10.0.0.3/24")
    assert [line.rsplit(" ", 1)[1] for line in run.lines()] == ["negotiated", "kept", "manual"]
    assert run.lines()[1] == "inet 10.0.0.1/32 --> 255.255.255.255 scope host kept"
    run.iface("clear")
    assert [line.rsplit(" ", 1)[1] for line in run.lines()] == ["negotiated"]


def test_the_kernel_knows_better_than_the_record(run: Iface) -> None:
    """A-6: others may take a manual address away and add the same one."""
    run.iface("add 10.0.0.2")
    run.iface("add 10.0.0.3")
    run.others_remove("10.0.0.2")
    run.others("10.0.0.2")
    assert [line.rsplit(" ", 1)[1] for line in run.lines()] == ["negotiated", "manual"]


def test_the_scope_of_a_network(run: Iface) -> None:
    """A-1: the kernel wants one scope for all addresses of a network; 127.0.0.0/8 is the host's."""
    run.others("10.0.0.1/24", scope=RT_SCOPE_LINK)
    run.iface("add 10.0.0.2/24")
    run.iface("add 10.1.0.2/24")
    run.iface("add 127.0.0.2")
    assert {one[0]: one[3] for one in run.kernel()} == {
        "10.0.0.1": RT_SCOPE_LINK, "10.0.0.2": RT_SCOPE_LINK, "10.1.0.2": 0,
        "127.0.0.2": RT_SCOPE_HOST,
    }  # fmt: skip


def test_ipv6_is_not_probed_for_again(run: Iface) -> None:
    """A-3: an address that was found unique is back at once; one that was not is probed for."""
    run.others("2001:db8::1")
    run.others("2001:db8::2")
    run.iface("add! 2001:db8::1/64")
    run.iface("add 2001:db8::3")
    flags = {one.local[15]: one.flags & IFA_F_NODAD for one in run.memory.snapshot().on(ETH0)}
    assert flags == {1: IFA_F_NODAD, 2: 0, 3: 0}


def test_without_marks_the_record_tells(run: Iface) -> None:
    """A-6: before Linux 5.18 the kernel keeps no mark."""
    run.memory.has_protocol = False
    run.others("10.0.0.1/24")
    run.iface("add 10.0.0.3")
    run.iface("add 10.0.0.2")
    assert [line.split()[1] for line in run.lines()] == [
        "10.0.0.1/24",
        "10.0.0.3/32",
        "10.0.0.2/32",
    ]
    run.iface("clear")
    assert [line.split()[1] for line in run.lines()] == ["10.0.0.1/24"]
    run.others("10.0.0.3")  # the record is not believed for ever
    assert [line.rsplit(" ", 1)[1] for line in run.lines()] == ["negotiated", "negotiated"]


# Removing


def test_delete(run: Iface) -> None:
    """A-7: an unknown address is an error, and none for delete! and rm!."""
    for verb in ("delete", "rm"):
        assert run.fails(f"{verb} 10.0.0.3") == "10.0.0.3: eth0 does not have it"
        run.iface(f"{verb}! 10.0.0.3")
        run.iface("add 10.0.0.3/24")
        run.iface(f"{verb} 10.0.0.3")
        run.iface("add 2001:db8::3 2001:db8::9")
        run.iface(f"{verb}! 2001:db8::3")
        assert run.kernel() == []
        assert run.record() == []


@pytest.mark.parametrize("words", ["delete", "delete 10.0.0.3 10.0.0.4", "rm 10.0.0.3/24", "rm x"])
def test_wrong_words_of_delete(run: Iface, words: str) -> None:
    """A-7: one address, without its mask."""
    run.iface("add 10.0.0.3/24")
    run.fails(words, USAGE)


def test_the_active_one_stays(run: Iface) -> None:
    """A-7: the negotiated address of a family stays while the device is up; a second one may go."""
    run.others("10.0.0.1/24")
    run.others("10.1.0.1/24")
    run.others("2001:db8::1/64")
    for verb in ("delete", "delete!"):
        for address in ("10.0.0.1", "2001:db8::1"):
            said = run.fails(f"{verb} {address}")
            assert said.startswith(f"{address}: it is the negotiated address of eth0, which is up")
    run.iface("delete 10.1.0.1")
    run.memory.set_device("eth0", up=False)
    run.iface("delete 10.0.0.1")
    assert run.kernel() == []


def test_secondaries_outlive_their_primary(run: Iface) -> None:
    """A-7: what the kernel would take along stays."""
    run.iface("add 10.0.0.3/24")
    run.others("10.0.0.4/24")
    run.iface("delete 10.0.0.3")
    assert [one[0] for one in run.kernel()] == ["10.0.0.4"]


def test_clear_while_up(run: Iface) -> None:
    """A-8: all but the negotiated ones of each family go, of both or of one."""
    stage = ("10.0.0.1/24", "2001:db8::1/64")
    for words in stage:
        run.others(words)
    for family, left in (("inet", 1), ("inet6", 1), ("", 0)):
        run.iface("add 10.0.0.2")
        run.iface("add 2001:db8::2")
        run.iface(f"clear {family}")
        assert len(run.kernel()) == 2 + left, family
        run.iface("clear")
    assert [one[0] for one in run.kernel()] == ["10.0.0.1", "2001:db8::1"]


def test_clear_while_down(run: Iface) -> None:
    """A-8: all go, but for those of aliases."""
    run.others("10.0.0.1/24")
    run.iface("add 10.0.0.2")
    run.split("eth0:5 10.0.0.5 kind label")
    run.memory.set_device("eth0", up=False)
    run.iface("clear inet6")
    assert len(run.kernel()) == 3
    run.iface("clear")
    assert [one[0] for one in run.kernel()] == ["10.0.0.5"]


@pytest.mark.parametrize("words", ["clear all", "clear inet inet6", "clear 10.0.0.1"])
def test_wrong_words_of_clear(run: Iface, words: str) -> None:
    """A-8: nothing but a family."""
    run.iface("add 10.0.0.1")
    assert "clear takes inet or inet6, or nothing" in run.fails(words, USAGE)


def test_what_cannot_be_removed_stays_in_the_list(run: Iface) -> None:
    """A-8: and in the record; the others go."""
    for last in (1, 2, 3):
        run.iface(f"add 10.0.0.{last}")
    refusing(
        run.memory,
        lambda step: isinstance(step, DelAddress) and step.address.local[3] == 2,
    )
    assert run.refused("iface eth0 clear", KERNEL) == "eth0: no: Cannot allocate memory"
    assert run.lines() == ["inet 10.0.0.2/32 --> 255.255.255.255 manual"]
    assert run.record() == [f"{ETH0} 10.0.0.2/32 -"]


def test_this_ssh_session(run: Iface) -> None:
    """The address that it comes in over goes only by force."""
    run.iface("add 10.0.0.2")
    run.session = inet_pton(AF_INET, "10.0.0.2")
    for words in ("delete 10.0.0.2", "clear"):
        assert "10.0.0.2: this SSH session comes in over it" in run.fails(words)
    run.iface("add! 10.0.0.2/24")
    run.iface("clear --force")
    assert run.kernel() == []


# Showing


def test_show(run: Iface) -> None:
    """A-9: the device with its flags, its MTU and the number of addresses, then a line for each."""
    head = "eth0 (idx 2) <UP,BROADCAST,MULTICAST,LOWER_UP> mtu 1500 has"
    assert run.iface("") == run.iface("show") == f"{head} 0 addresses:\n"
    run.iface("add 10.0.0.1/24")
    assert run.iface("show") == (
        f"{head} 1 address:\n  inet 10.0.0.1/24 --> 255.255.255.255 manual\n"
    )
    run.iface("add 10.0.0.2 10.0.0.9")
    assert run.iface("show").startswith(f"{head} 2 addresses:\n")


def test_flags_are_read_each_time(run: Iface) -> None:
    """A-9: nothing about the device is remembered."""
    run.iface("add 10.0.0.1")
    run.memory.set_device("eth0", up=False, mtu=1400)
    assert run.iface("show").startswith("eth0 (idx 2) <BROADCAST,MULTICAST> mtu 1400 has 1 ")


def test_name_and_description(run: Iface) -> None:
    """A-9: both are those of the device; a description of several words, and none again."""
    run.iface("add 10.0.0.1")
    run.iface("description the uplink")
    assert run.lines()[-1] == "description: the uplink"
    run.iface("name wan0")
    assert run.split("iface wan0 show").startswith("wan0 (idx 2) ")
    assert run.split("iface wan0 show").count(" manual\n") == 1
    run.run(["iface", "wan0", "description", ""], 0)
    assert "description" not in run.split("iface wan0 show")
    assert "eth0: there is no such device" in run.refused("iface eth0 show", KERNEL)
    assert "File exists" in run.refused("iface wan0 name eth1", KERNEL)
    for word in ("eth:0", "wan%d", "a/b", "x" * 16):
        run.refused(f"iface wan0 name {word}", USAGE)
    run.refused("iface wan0 name", USAGE)
    run.split(f"iface wan0 description {'x' * 254}")
    said = run.refused(f"iface wan0 description {'x' * 255}", KERNEL)
    assert said == "a description has 254 bytes at most, this one 255"
    run.refused("iface wan0 description", USAGE)


def test_help(run: Iface) -> None:
    """A-9: the help of the verb, and the lines about one command."""
    assert run.iface("help") == run.split("help iface")
    assert run.iface("help rm").startswith("  delete ADDRESS ")
    assert run.iface("help add").count("\n") == 2
    run.refused("iface eth0 help nosuch", USAGE)
    run.refused("iface eth0 help add delete", USAGE)


def test_json(run: Iface) -> None:
    """The list, and what was changed, as the schemas say."""
    run.others("10.0.0.1/24")
    run.split("eth0:5 10.0.0.5 kind label")
    assert json.loads(run.split("-j iface eth0 add 10.0.0.2 10.0.0.9")) == [
        {
            "change": "add", "ifname": "eth0", "family": "inet", "local": "10.0.0.2",
            "prefixlen": 32, "address_peer": "10.0.0.9", "kind": "address",
        }
    ]  # fmt: skip
    (found,) = json.loads(run.split("-j iface eth0"))
    assert [one["origin"] for one in found["addr_info"]] == ["negotiated", "alias", "manual"]
    assert found["addr_info"][1]["altname"] == "eth0:5"
    assert json.loads(run.split("-j iface eth0 clear"))[0]["change"] == "remove"
    assert json.loads(run.split("-j iface eth0 clear")) == []
    assert json.loads(run.split("-j iface eth0 description x"))[0]["after"] == {"ifalias": "x"}
    assert json.loads(run.split("-j iface eth0 name wan0"))[0]["before"] == {"ifname": "eth0"}


# Beside the rest of netalias


def test_aliases_stay_what_they_are(run: Iface) -> None:
    """The address of an alias is listed with its name, and is changed by that alone."""
    run.split("eth0:5 10.0.0.5/24 kind label")
    run.split("eth0:6 2001:db8::6 kind label")
    run.split("eth0:7 10.0.0.7 kind macvlan")
    run.split("eth0:8 10.0.0.8 pointopoint 10.0.0.9 kind label")
    before = run.split("-d show")
    for words in ("add 10.0.0.5", "add! 10.0.0.5/25", "add! 2001:db8::6/64"):
        assert "the alias eth0:" in run.fails(words)
    for words in ("delete 10.0.0.5", "rm! 2001:db8::6", "add 10.0.0.3 10.0.0.9"):
        assert "the alias eth0:" in run.fails(words)
    said = run.refused("iface eth0:7 add 10.0.0.4", KERNEL)
    assert said == "eth0_7: it is the device of an alias (netalias eth0:7 changes that)"
    for words in ("delete 10.0.0.7", "clear", "name x", "description x"):
        assert "it is the device of an alias" in run.refused(f"iface eth0_7 {words}", KERNEL)
    assert run.split("iface eth0_7 show").endswith(" eth0:7\n")
    run.iface("clear")
    assert run.split("-d show") == before


def test_a_label_that_has_lost_its_slot(run: Iface) -> None:
    """As by a renaming of its device: it is still the address of an alias, and clear leaves it."""
    run.others("10.0.0.1/24", protocol=PROTOCOL)
    run.iface("add 10.0.0.2")
    run.iface("clear")
    assert run.lines() == ["inet 10.0.0.1/24 --> 255.255.255.255 eth0:?"]
    assert run.fails("delete 10.0.0.1") == "10.0.0.1: the alias eth0:? has it"


def test_prefixes_outlive_the_last_address(run: Iface) -> None:
    """The kernel drops local routes with the last IPv4 address of a device."""
    run.split("-q eth0:5 10.5.0.0/16 kind prefix")
    for remove in ("delete 10.0.0.3", "clear"):
        run.iface("add 10.0.0.3")
        run.iface(remove)
        assert run.split("lookup 10.5.1.1").split()[0] == "eth0:5"


def test_manual_ones_are_no_aliases(run: Iface) -> None:
    """Neither show nor reconcile sees one."""
    run.iface("add 10.0.0.3/24")
    run.iface("add 2001:db8::3/64")
    assert "10.0.0.3" not in run.split("show")
    run.split("reconcile --allow-empty /dev/null")
    assert len(run.kernel()) == 2


def test_dry_run(run: Iface) -> None:
    """The steps, in the words of ip(8); nothing is changed, and what would be refused is."""
    run.others("10.0.0.1 10.9.9.9")
    before = run.kernel()
    assert run.iface("add 10.0.0.2 10.9.9.9 --dry-run").splitlines() == [
        "ip addr add 10.0.0.2 peer 10.9.9.9/32 dev eth0 proto 98",
        "ip addr add 10.0.0.1/32 dev eth0 scope host",
        "ip addr del 10.0.0.1 peer 10.9.9.9/32 dev eth0",
    ]
    run.fails("add 10.0.0.1 --dry-run")
    assert run.kernel() == before
    assert run.record() == []


def test_without_the_right(run: Iface) -> None:
    """EPERM comes first; looking is allowed."""
    run.others("10.0.0.1/24")
    run.memory.privileged = False
    for words in ("add 10.0.0.2", "add 10.0.0.1", "delete 10.0.0.9", "clear", "name x"):
        assert "CAP_NET_ADMIN" in run.fails(words, PERMISSION)
    assert run.lines()


def test_in_a_batch(run: Iface, tmp_path: Path) -> None:
    """Lines of a batch take the verb, and name the one that failed."""
    file = tmp_path / "lines"
    file.write_text("iface eth0 add 10.0.0.2\niface eth0 add 10.0.0.2\n")
    said = run.refused(f"batch {file}", KERNEL)
    assert said.startswith(f"{file}:2: 10.0.0.2: eth0 has it already")
    assert run.record() == [f"{ETH0} 10.0.0.2/32 -"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("iface", "iface needs a device"),
        ("iface eth0 ad 10.0.0.1", "did you mean add?"),
        ("iface eth0 xyz", "one of show, add, "),
        ("iface eth0 flush", "did you mean clear?"),
        ("iface show eth0", "the device comes first (netalias iface eth0 show)"),
        ("iface help", "iface help: the device comes first (netalias iface eth0 help)"),
        ("iface show", "iface show: the device comes first (netalias iface eth0 show)"),
        ("iface add 10.0.0.3/24", "the device comes first (netalias iface eth0 add 10.0.0.3/24)"),
        ("iface add ::1", "the device comes first (netalias iface eth0 add ::1)"),
        ("iface clear inet6", "the device comes first (netalias iface eth0 clear inet6)"),
        ("iface eth0 show all", "show takes no words"),
    ],
)
def test_mistakes(run: Iface, words: str, said: str) -> None:
    """One line that says what to write."""
    assert said in run.refused(words, USAGE)


def test_completion(run: Iface) -> None:
    """Devices, commands, addresses and families."""
    run.iface("add 10.0.0.3")
    run.split("eth0:5 10.0.0.5 kind label")

    def complete(words: str) -> list[str]:
        return run.split(f"complete -- {words}").split() if words else []

    assert "eth0" in complete("iface eth")
    assert complete("iface eth0 cl") == ["clear"]
    assert run.run(["complete", "--", "iface", "eth0", "delete", ""], 0)[0] == "10.0.0.3\n"
    assert run.run(["complete", "--", "iface", "eth0", "clear", ""], 0)[0] == "inet\ninet6\n"
    assert run.run(["complete", "--", "iface", "eth0", "name", ""], 0)[0] == ""


# The record


def test_a_record_that_is_not_ours_is_ignored(tmp_path: Path) -> None:
    """Of another namespace, malformed, or no text."""
    folder = str(tmp_path)
    manual = [
        Address(2, AF_INET, b"\n\0\0\3", 24, protocol=MANUAL),
        Address(3, AF_INET6, bytes(15) + b"\2", 128, peer=bytes(15) + b"\3", protocol=MANUAL),
    ]
    record.write(folder, 7, manual)
    path = tmp_path / "iface"
    assert record.read(folder, 7) == manual
    assert record.read(folder, 8) == []
    good = path.read_text()
    for line in (
        "2 10.0.0.3/33 -",
        "2 10.0.0.3 -",
        "x 10.0.0.3/24 -",
        "2 10.0.0.3/24",
        "",
        "0 ::/0 -",
    ):
        path.write_text(good + line + "\n")
        assert record.read(folder, 7) == manual
    path.write_bytes(b"\xff\0")
    assert record.read(folder, 7) == []
    record.write(folder, 7, [])
    assert not path.exists()


# Sockets


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("delete 10.0.0.2", ["ip addr del 10.0.0.2/32 dev eth0", "ss -K src 10.0.0.2"]),
        ("delete! 10.0.0.9", ["ss -K src 10.0.0.9"]),
        ("delete 10.0.0.3", ["ip addr del 10.0.0.3/32 dev eth0"]),
        ("clear inet6", ["ip addr del 2001:db8::2/128 dev eth0", "ss -K src 2001:db8::2"]),
    ],
)
@pytest.mark.parametrize("option", ["--dry-run", "-v"])
def test_sockets_of_an_address_that_is_gone(
    run: Iface, words: str, said: list[str], option: str
) -> None:
    """Those of one that another device has as well, or of a whole network, go on."""
    for one in ("10.0.0.2", "10.0.0.3", "10.7.1.1", "2001:db8::2"):
        run.iface(f"add {one}")
    run.split("iface eth1 add 10.0.0.3")
    run.split("-q eth0:5 10.7.0.0/16 kind prefix")
    found = run.split(f"{option} iface eth0 {words} --kill-sockets")
    assert found.splitlines() == said
    assert "ss" not in run.split(f"{option} iface eth0 delete 10.7.1.1 --kill-sockets")
    assert "ss" not in run.split(f"{option} iface eth0 delete! 10.0.0.8")
