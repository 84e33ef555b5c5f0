"""An interrupted send: the answers that are there are read, and what was refused is not undone."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EEXIST
from typing import Any

import pytest
from player import ETH0, Player, is_dump, wants_ack
from wire_cases import address_message, done_message, error_message, link_message

from netalias.kernel import netlink
from netalias.kernel.netlink import spec
from netalias.model import AF_INET6, PROTOCOL, Address
from netalias.model.steps import AddAddress

FOREIGN, OURS = (bytes.fromhex("20010db8") + bytes(11) + bytes([last]) for last in (5, 6))


def added(local: bytes) -> AddAddress:
    """The step that adds an address with our mark to eth0."""
    return AddAddress("eth0", ETH0.index, Address(0, AF_INET6, local, 64, protocol=PROTOCOL))


class Machine:
    """A kernel with eth0; ``addresses`` are what it has, ``deleted`` what it was told to delete."""

    def __init__(self, player: Player) -> None:
        self.addresses = [Address(ETH0.index, AF_INET6, FOREIGN, 64, protocol=PROTOCOL)]
        self.deleted: list[bytes] = []
        player.answer = self

    def __call__(self, request: Any) -> Iterator[bytes]:
        sequence = request.sequence
        if request.type == "RTM_GETLINK":
            yield spec.build(link_message(ETH0, sequence))
            if is_dump(request):
                yield spec.build(done_message(0, sequence))
        elif request.type == "RTM_GETADDR":
            for entry in self.addresses:
                yield spec.build(address_message(entry, sequence))
            yield spec.build(done_message(0, sequence))
        elif request.type == "RTM_GETROUTE":
            yield spec.build(done_message(0, sequence))
        else:
            code = self.change(request)
            if code or wants_ack(request):
                yield spec.build(error_message(code, sequence))

    def change(self, request: Any) -> int:
        local = spec.find(request.body, "IFA_LOCAL") or spec.find(request.body, "IFA_ADDRESS")
        if request.type == "RTM_DELADDR":
            self.deleted.append(local)
            self.addresses = [one for one in self.addresses if one.local != local]
            return 0
        if any(one.local == local for one in self.addresses):
            return EEXIST
        self.addresses.append(Address(ETH0.index, AF_INET6, local, 64, protocol=PROTOCOL))
        return 0


@pytest.mark.parametrize("at", [0, 1])
def test_what_was_refused_is_not_undone(
    player: Player, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Behind the send, or behind any of its answers: even an address that looks like ours stays,
    since the kernel has said that it was there before."""
    machine = Machine(player)
    kernel = netlink.Netlink()
    real, left = kernel._receive, [at]

    def receive(operation: str, flags: int = 0) -> bytes | None:
        if operation == "changes" and left and not flags:
            if not left[0]:
                left.clear()
                raise KeyboardInterrupt
            left[0] -= 1
        return real(operation, flags)

    monkeypatch.setattr(kernel, "_receive", receive)
    steps = [added(FOREIGN), added(OURS)]
    with pytest.raises(KeyboardInterrupt):
        kernel.apply(steps)
    assert machine.deleted == [OURS]
    assert [one.local for one in machine.addresses] == [FOREIGN]
