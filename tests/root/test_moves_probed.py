"""Aliases that move between kinds while a peer asks all of them, again and again: none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command, ip_json, without_dad
from probing import ENOUGH, MOVES, PEER, Probing, moved, stand
from shortened import quarter
from support import until

COUNT = 40


@pytest.mark.parametrize(
    ("promote", "checked", "moves"),
    quarter([(1, True, list(MOVES)[:4]), (0, False, list(MOVES)), (1, False, list(MOVES)[:2])]),
)
def test_no_address_is_away_in_a_move(
    cli: Command, promote: int, checked: bool, moves: list[str]
) -> None:
    """Three networks, with primary and secondary addresses, from labels to devices and back, also
    where the kernel checks each new IPv6 address: every address answers all the time, and a
    neighbour that asks nobody who has it."""
    if not checked:
        without_dad(cli.namespace, "eth9")
    stand(cli, COUNT, promote)
    until(lambda: not ip_json(cli.namespace, "addr show tentative"))
    for name in moves:
        found = moved(cli, COUNT, name)
        assert found.silent == [], name
        late = {address: count for address, count in found.missed.items() if count > ENOUGH}
        assert late == {}, (name, found.round, found.slowest)
        flags = ip_json(cli.namespace, "-6 addr show")
        assert not any("nodad" in one for device in flags for one in device["addr_info"]), name


@pytest.mark.parametrize("own", quarter(["", "2001:db8:51::aa/64"]))
def test_no_address_of_ipv6_is_away_when_it_is_adopted(
    cli: Command, tmp_path: Path, own: str
) -> None:
    """It is made again, in one send, and the kernel does not check it again; the main device has an
    address in their network besides, or not. Those that stay unchecked are none, for the next time
    that the device comes up."""
    here, peer = cli.namespace, cli.namespace.peer
    assert peer is not None
    for address in PEER:
        peer.ip(f"addr add {address} dev p9")
    addresses = [f"2001:db8:51::{number}" for number in range(1, 16)]
    for address in (*(f"{one}/64" for one in addresses), *([own] if own else [])):
        here.ip(f"addr add {address} dev eth9")
    until(lambda: not ip_json(here, "addr show tentative"))
    file = tmp_path / "netalias.conf"
    lines = (f"eth9:{slot} {one}/64 kind label\n" for slot, one in enumerate(addresses))
    file.write_text("".join(lines))
    with Probing(peer, addresses) as probing:
        done = cli.run("adopt", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    found = probing.found
    late = {address: count for address, count in found.missed.items() if count > ENOUGH}
    assert (late, found.silent) == ({}, []), (found.round, found.slowest)
    cli.silent("check", str(file))
    entries = [one for device in ip_json(here, "-6 addr show") for one in device["addr_info"]]
    assert not any("nodad" in one for one in entries)
    routes = [one for one in ip_json(here, "-6 route show dev eth9") if "/64" in one["dst"]]
    assert len([one for one in routes if one["dst"].startswith("2001:db8:51:")]) == 1


def test_no_address_of_ipv6_is_away_when_its_slot_changes(cli: Command) -> None:
    """A label of IPv6 is made again for that, on the same device."""
    peer = cli.namespace.peer
    assert peer is not None
    peer.ip(f"addr add {PEER[2]} dev p9")
    addresses = [f"2001:db8:51::{number}" for number in range(1, 4)]
    before, after = (
        "".join(f"eth9:{slot + at} {one}/64 kind label\n" for at, one in enumerate(addresses))
        for slot in (0, 10)
    )
    assert cli.run("reconcile", "-", input=before).returncode == 0
    until(lambda: not ip_json(cli.namespace, "addr show tentative"))
    with Probing(peer, addresses) as probing:
        done = cli.run("reconcile", "-", input=after)
    assert (done.returncode, done.stderr) == (0, "")
    found = probing.found
    late = {address: count for address, count in found.missed.items() if count > ENOUGH}
    assert (late, found.silent) == ({}, []), (found.round, found.slowest)
    assert cli.run("check", "-", input=after).stdout == ""
