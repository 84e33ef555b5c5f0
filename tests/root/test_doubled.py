"""Two labels of one name, as a killed run may leave them, in the kernel: a command keeps one."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest
from command import Command

from netalias.kernel.netlink import Netlink
from netalias.kinds import MAGIC
from netalias.model import AF_INET, AF_INET6, IFA_F_NODAD, IFA_F_PERMANENT, PROTOCOL, Address
from netalias.model.steps import AddAddress

PAIRS = [
    ("10.1.0.5/24", "10.2.0.6/24"),
    ("10.1.0.5/32", "10.2.0.6/32"),
    ("10.1.0.5/24", "10.1.0.6/24"),
    ("10.1.0.5/24", "10.1.0.5/16"),
    ("2001:db8:1::5/64", "2001:db8:2::6/64"),
    ("2001:db8:1::5/128", "2001:db8:1::6/128"),
]


def stand(cli: Command, pair: tuple[str, str]) -> None:
    """Both are labels of ours with the name eth9:0."""
    with cli.namespace:
        kernel = Netlink()
    main = kernel.snapshot().device("eth9")
    assert main is not None
    index = main.index
    for text in pair:
        found = ip_interface(text)
        family = AF_INET if found.version == 4 else AF_INET6
        flags = IFA_F_PERMANENT | (IFA_F_NODAD if family == AF_INET6 else 0)
        length = found.network.prefixlen
        entry = Address(index, family, found.ip.packed, length, flags, 0, protocol=PROTOCOL)
        entry.label = "eth9:0" if family == AF_INET else ""
        entry.metric = 0 if family == AF_INET else MAGIC
        assert kernel.send([AddAddress("eth9", index, entry)]) == [None]
    kernel.close()


def standing(cli: Command) -> list[str]:
    """The addresses of the aliases."""
    return [line.split()[3] for line in cli("show").splitlines()[1:]]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("place", [0, 1])
def test_the_one_with_the_address_stays(cli: Command, pair: tuple[str, str], place: int) -> None:
    """Whichever the kernel has first; its network is reached, and the command again is silent."""
    stand(cli, pair)
    assert f"{pair[1 - place]} is removed" in cli.warns("eth9:0", pair[place], "kind", "label")
    assert standing(cli) == [pair[place]]
    cli.silent("eth9:0", pair[place], "kind", "label")
    cli.silent("eth9:0-")
    assert standing(cli) == []


def test_a_deletion_deletes_both(cli: Command) -> None:
    """The name is free afterwards."""
    stand(cli, PAIRS[0])
    assert f"{PAIRS[0][1]} is removed" in cli.warns("eth9:0-")
    assert standing(cli) == []
