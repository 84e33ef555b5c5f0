"""One host in the files of seven formats: the same aliases, as far as a format can say them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import made_up_host as host
import pytest
from imports import Import

Aliases = dict[str, str]
"""Address and prefix length: name."""
Write = Callable[[], host.Files]


def aliases(found: Import) -> Aliases:
    """What is imported. No two of them have one name."""
    assert not any(row.found.asleep for row in found.found.rows)
    assert all("kind" in row.found.words for row in found.found.rows)
    rows = {row.found.words[0]: str(row.name) for row in found.found.rows}
    assert len(set(rows.values())) == len(rows) == len(found.found.rows)
    return rows


@pytest.fixture
def old(tmp_path: Path) -> Aliases:
    """What comes of the file of ifupdown, which can say all of it: 301 addresses, each under its
    name but for eth0:web. The second name of an address is none."""
    found = aliases(Import(tmp_path / "old", "interfaces", host.interfaces()))
    wanted = {address: name for name, address in (*host.BY_COMMAND, *host.stanzas())}
    assert found == wanted | {"10.9.0.80/32": "eth0:280"}
    assert len(found) == 301
    return found


def four(found: Aliases) -> Aliases:
    return {address: name for address, name in found.items() if "." in address}


LABELLED: list[tuple[str, Write]] = [
    # IPv4 labels keep their names. IPv6 addresses are further ones of eth0: in the kernel they have
    # no labels, so none of these programs gives them one.
    ("ifcfg-rh", host.ifcfg_rh),
    ("ifcfg-suse", host.ifcfg_suse),
    ("netplan", host.netplan),
    ("networkd", host.networkd),
]
NAMELESS: list[tuple[str, Write]] = [
    # NetworkManager has no labels at all.
    ("keyfile", host.keyfile),
    # Slackware numbers its labels itself, in the order of the list.
    ("rc.inet1", host.rc_inet1),
]
BEFORE = {"ifcfg-rh": {host.DUPLICATE[1]: host.DUPLICATE[0], "10.9.0.80/32": "eth0:6"}}
"""Where files are read in the order of their names: the other one of two names of an address, and
so eth0:6 is the lowest free slot."""


@pytest.mark.parametrize(("format", "write"), LABELLED)
def test_labels_of_ipv4_keep_their_names(
    tmp_path: Path, old: Aliases, format: str, write: Write
) -> None:
    """All of them without a switch, eth0:web under the lowest free slot."""
    found = Import(tmp_path, format, write())
    assert aliases(found) == four(old) | BEFORE.get(format, {})
    (note,) = [one for one in found.notes if "--all" in one]
    assert note.endswith("15 further addresses of eth0 have no name (--all imports them too)")


@pytest.mark.parametrize(("format", "write"), [*LABELLED, *NAMELESS])
def test_all_addresses_are_there_with_the_switch(
    tmp_path: Path, old: Aliases, format: str, write: Write
) -> None:
    """The same addresses with the same prefix lengths as in the file of ifupdown, and not those of
    eth0 itself. Labels keep their names; what has no name gets the lowest free slots."""
    found = aliases(Import(tmp_path, format, write(), every=True))
    assert found.keys() == old.keys()
    assert not found.keys() & {host.OWN, host.OWN6}
    if (format, write) in LABELLED:
        kept = four(old) | BEFORE.get(format, {})
        del kept["10.9.0.80/32"]
        assert found.items() >= kept.items()
    free = {f"eth0:{slot}" for slot in range(len(old))} - set(old.values())
    assert set(found.values()) <= free | set(old.values()) | {host.DUPLICATE[0]}


def test_labels_that_are_numbered_by_the_program(tmp_path: Path, old: Aliases) -> None:
    """Slackware's: without the switch its IPv4 aliases, by the numbers that it gives them."""
    found = aliases(Import(tmp_path, "rc.inet1", host.rc_inet1()))
    assert list(found) == [one for _, one in host.ALL[:-1] if one in four(old)]
    assert list(found.values()) == [f"eth0:{slot}" for slot in range(len(found))]
