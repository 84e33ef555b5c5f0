"""Addresses that another host has, among others: what is made all the same, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command, ip_json, lock_file
from support import Namespace, until

TAKEN = "10.8.0.9/24"


@pytest.fixture
def lan(cli: Command, peer: Namespace) -> Command:
    """The other end of eth9 has TAKEN."""
    peer.ip(f"addr add {TAKEN} dev p9")
    return cli


def told(cli: Command, *lines: str, force: bool = False) -> str:
    """A batch that ends with the status of a conflict; what it says."""
    words = ["--force"] * force
    done = cli.run(*words, "--acd", "fast", "batch", "-", input="\n".join(lines))
    assert (done.returncode, done.stdout) == (6, ""), done
    return done.stderr


def test_who_counted_on_the_route_of_another_brings_it(lan: Command) -> None:
    """Of two labels in one network the first would have brought its route, and is in use."""
    told(lan, f"eth9:0 {TAKEN} kind label", "eth9:1 10.8.0.8/24 kind label", force=True)
    assert lan.names() == ["eth9:1"]
    routes = [route["dst"] for route in ip_json(lan.namespace, "route show dev eth9")]
    assert routes == ["10.8.0.0/24"]


def test_only_a_conflict_of_its_own_ends_it_all(lan: Command) -> None:
    """A free address whose conflict would end the batch does not end it."""
    told(lan, f"eth9:0 {TAKEN}", "eth9:1 10.8.0.8/24 conflict abort", force=True)
    assert lan.names() == ["eth9:1"]
    told(lan, f"eth9:2 {TAKEN} conflict abort", "eth9:3 10.8.0.7/24", force=True)
    assert lan.names() == ["eth9:1"]


def test_without_force_what_stands_before_it_is_done(lan: Command) -> None:
    """And of several conflicts the first is told."""
    lines = ("eth9:0 10.8.0.7", f"eth9:1 {TAKEN}", "eth9:2 10.8.0.8", f"eth9:3 {TAKEN}")
    said = told(lan, *lines).splitlines()
    assert lan.names() == ["eth9:0"]
    assert said[0].startswith("netalias: <stdin>:2: eth9:1: 10.8.0.9 is in use on eth9 by ")
    assert said[1:] == ["netalias: <stdin>: not done after that: 2 commands"]


def test_what_was_there_before_comes_back_whoever_has_it(
    cli: Command, peer: Namespace, tmp_path: Path
) -> None:
    """Without a confirmation nobody is asked, not even where the change was made so."""
    declared = tmp_path / "declared"
    declared.write_text("eth9:1 10.8.0.8/24\n")
    cli.silent("eth9:0", TAKEN)
    peer.ip(f"addr add {TAKEN} dev p9")
    words = ("--acd", "fast", "--conflict", "abort", "--confirm", "1")
    done = cli.run(*words, "reconcile", str(declared))
    assert done.returncode == 0, done
    assert "+ eth9:1 10.8.0.8/24" in done.stdout
    rejected = lock_file(cli.namespace).parent / "rejected"
    until(lambda: rejected.exists() and "\nat " in rejected.read_text())
    assert cli.names() == ["eth9:0"]
    assert "verified by a second reading" in rejected.read_text()


def test_who_cannot_be_announced_is_told(cli: Command) -> None:
    """A label that others made is not announced, and that is not passed over."""
    cli.namespace.ip("addr add 10.8.0.44/24 dev eth9 label eth9:44")
    assert cli.warns("announce", "eth9:44").endswith("not announced: netalias did not make it")
