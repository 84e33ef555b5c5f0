"""Routes that IPv6 labels left behind, on the real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command

OWN = "metric 256"
"""That of a connected route whose address has none (IP6_RT_PRIO_ADDRCONF)."""
CHANGED = "~ eth9:1 2001:db8::5/64 -> 2001:db8::5/128, mark none -> 97\n"


def metric(line: str) -> str:
    """The words of a line of ip-route(8) that tell the metric."""
    words = line.split()
    at = words.index("metric")
    return " ".join(words[at : at + 2])


def test_the_route_of_a_label_that_others_deleted(cli: Command, tmp_path: Path) -> None:
    """It is found and deleted; those of labels that are there, networks and hosts, are none. The
    address that somebody has added is a source for the host, in place of the label without a
    network."""
    file = tmp_path / "netalias.conf"
    file.write_text(
        "eth9:1 2001:db8::5/64 kind label\n"
        "eth9:2 2001:db8:2::5/64 kind label\n"
        "eth9:3 2001:db8:3::5 kind label\n"
        "lo:4 2001:db8:4::5 kind label\n"
    )
    cli("reconcile", str(file))
    cli.silent("check", str(file))
    here = cli.namespace
    here.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    here.ip("addr del 2001:db8::5/64 dev eth9")
    routes = "-6 route show 2001:db8::/64 dev eth9"
    assert here.ip(routes).count("\n") == 2
    assert cli("reconcile", str(file)) == (
        "+ eth9:1 2001:db8::5/64 label\n"
        "~ eth9:3 2001:db8:3::5/128 source preferred -> deprecated\n"
        "- eth9:1 - route 2001:db8::/64\n"
    )
    assert here.ip(routes).count("\n") == 1
    cli.silent("check", str(file))


@pytest.mark.parametrize("ended", [False, True])
def test_the_route_of_a_neighbour_comes_back(cli: Command, tmp_path: Path, ended: bool) -> None:
    """The kernel took it for a label that was changed in place beside an address of the same
    network: the host would have lost its way there with the change, or the end, of the label."""
    here, file = cli.namespace, tmp_path / "netalias.conf"
    file.write_text("eth9:1 2001:db8::5/64 kind label\n")
    cli("reconcile", str(file))
    here.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    routes = "-6 route show 2001:db8::/64 dev eth9"
    (label,) = [one for one in here.ip(routes).splitlines() if metric(one) != OWN]
    here.ip(f"addr replace 2001:db8::5/64 dev eth9 preferred_lft 0 {metric(label)}")
    assert here.ip(routes).splitlines() == [label]
    if ended:
        cli("eth9:1-")
    else:
        assert cli("reconcile", str(file)) == CHANGED
    (own,) = here.ip(routes).splitlines()
    assert metric(own) == OWN


@pytest.mark.parametrize("kind", ["macvlan", "label"])
@pytest.mark.parametrize(
    "words", ["10.1.1.1/0", "10.1.1.1/1", "0.0.0.5/8", "10.1.1.1/24 broadcast 0.0.0.0"]
)
def test_what_the_kernel_does_not_keep(cli: Command, words: str, kind: str) -> None:
    """It adds no connected route of a network that begins with 0 (fib_add_ifaddr), and takes the
    broadcast address 0.0.0.0 for none: neither is a difference."""
    line = f"eth9:0 {words} kind {kind}"
    assert cli.run("reconcile", "-", input=line).returncode == 0
    done = cli.run("check", "-", input=line)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
