"""Settings of the main device that an alias needs: made, kept, and given back.

A macvlan with IPv4 wants arp_ignore 1 and arp_announce 2 on its main device, so that this neither
answers ARP for the alias nor asks with its address (docs/traffic.md).
"""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path

import pytest
from command import (
    COMMAND,
    Command,
    ip_json,
    lock_file,
    rename,
    set_sysctl,
    sysctl,
    wait_for_state,
)
from support import Namespace, until, veth_pair

ALIAS = "10.0.0.5"
OTHER = "10.0.0.6"
NEW = ("kind", "macvlan")
BEFORE, DURING = (0, 0), (1, 2)
"""(arp_ignore, arp_announce) without and with a macvlan."""


def settings(namespace: Namespace, device: str = "eth9") -> tuple[int, int]:
    """What the main device has."""
    keys = ("arp_ignore", "arp_announce")
    ignore, announce = (int(sysctl(namespace, f"ipv4/conf/{device}/{key}")) for key in keys)
    return ignore, announce


def put(namespace: Namespace, ignore: int, announce: int, device: str = "eth9") -> None:
    """Somebody else sets them."""
    set_sysctl(namespace, f"ipv4/conf/{device}/arp_ignore", ignore)
    set_sysctl(namespace, f"ipv4/conf/{device}/arp_announce", announce)


@pytest.fixture
def main(cli: Command) -> Command:
    """eth9 with an address, and with the values of a new kernel."""
    put(cli.namespace, *BEFORE)
    for key in ("arp_ignore", "arp_announce", "arp_filter"):
        for scope in ("all", "default"):
            set_sysctl(cli.namespace, f"ipv4/conf/{scope}/{key}", 0)
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    return cli


@pytest.fixture
def two(main: Command) -> Command:
    """And a second main device, eth8."""
    assert main.namespace.peer is not None
    veth_pair(main.namespace, main.namespace.peer, "eth8", "p8")
    wait_for_state(main.namespace, "eth8", "UP")
    put(main.namespace, *BEFORE, "eth8")
    return main


def test_made_and_given_back(main: Command) -> None:
    """With the first macvlan they are there, with the last they are as they were."""
    main.silent("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == DURING
    main.silent("eth9:1", OTHER, *NEW)
    main.silent("eth9:0-")
    assert settings(main.namespace) == DURING
    main.silent("eth9:1-")
    assert settings(main.namespace) == BEFORE


@pytest.mark.parametrize("words", [(ALIAS, "kind", "label"), ("2001:db8::5", *NEW)])
def test_nobody_else_needs_them(main: Command, words: tuple[str, ...]) -> None:
    """Labels and IPv6 leave the main device alone."""
    main.silent("eth9:0", *words)
    assert settings(main.namespace) == BEFORE


@pytest.mark.parametrize("had", [(2, 2), (8, 2), (1, 2)])
def test_what_is_more_stays(main: Command, had: tuple[int, int]) -> None:
    """Values that do as well are neither lowered nor given back."""
    put(main.namespace, *had)
    main.run("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == had
    main.silent("eth9:0-")
    assert settings(main.namespace) == had


def test_one_of_both(main: Command) -> None:
    """Each is kept and given back by itself."""
    put(main.namespace, 2, 1)
    main.run("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == (2, 2)
    main.silent("eth9:0-")
    assert settings(main.namespace) == (2, 1)


@pytest.mark.parametrize("now", [(2, 1), (0, 2), (1, 0), (8, 0)])
def test_what_somebody_changed_is_theirs(main: Command, now: tuple[int, int]) -> None:
    """Only what still has the value that netalias set is given back."""
    main.silent("eth9:0", ALIAS, *NEW)
    put(main.namespace, *now)
    main.silent("eth9:0-")
    kept = [value if value != ours else 0 for value, ours in zip(now, DURING, strict=True)]
    assert settings(main.namespace) == tuple(kept)


def test_a_second_first_one(main: Command) -> None:
    """Nothing of an earlier life is remembered: old values are those before the first alias."""
    main.silent("eth9:0", ALIAS, *NEW)
    main.silent("eth9:0-")
    put(main.namespace, 0, 1)
    main.silent("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == DURING
    main.silent("eth9:0-")
    assert settings(main.namespace) == (0, 1)


def test_an_alias_changes_its_family(main: Command) -> None:
    """From IPv4 to IPv6 they are given back, the other way they are made."""
    main.silent("eth9:0", ALIAS, *NEW)
    main.silent("eth9:0", "2001:db8::5")
    assert settings(main.namespace) == BEFORE
    main.silent("eth9:0", ALIAS)
    assert settings(main.namespace) == DURING


def test_an_alias_changes_its_kind(main: Command) -> None:
    """To a label they are given back, to a macvlan they are made."""
    main.silent("eth9:0", ALIAS, *NEW)
    main.silent("eth9:0", ALIAS, "kind", "label")
    assert settings(main.namespace) == BEFORE
    main.silent("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == DURING


def test_two_mains(two: Command) -> None:
    """Each has its own values and its own last alias."""
    put(two.namespace, 0, 1, "eth8")
    two.silent("eth9:0", ALIAS, *NEW)
    assert settings(two.namespace, "eth8") == (0, 1)
    two.silent("eth8:0", "10.8.0.5", *NEW)
    assert (settings(two.namespace), settings(two.namespace, "eth8")) == (DURING, DURING)
    two.silent("eth9:0-")
    assert (settings(two.namespace), settings(two.namespace, "eth8")) == (BEFORE, DURING)
    two.silent("eth8:0-")
    assert settings(two.namespace, "eth8") == (0, 1)


def test_a_renamed_main(main: Command) -> None:
    """It is the device that has them, not its name."""
    main.silent("eth9:0", ALIAS, *NEW)
    rename(main.namespace, "eth9", "eth7")
    main("eth7:0-")
    assert settings(main.namespace, "eth7") == BEFORE


def test_a_main_that_was_made_anew(main: Command) -> None:
    """What was kept of the one that is gone is not given to the one of its name."""
    assert main.namespace.peer is not None
    main.silent("eth9:0", ALIAS, *NEW)
    main.namespace.ip("link del eth9")
    until(lambda: "p9" not in main.namespace.peer.names())
    veth_pair(main.namespace, main.namespace.peer)
    wait_for_state(main.namespace, "eth9", "UP")
    put(main.namespace, 0, 1)
    main.silent("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == DURING
    main.silent("eth9:0-")
    assert settings(main.namespace) == (0, 1)


def declared(tmp_path: Path, text: str) -> str:
    """A file of declarations."""
    path = tmp_path / "declared"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_reconcile(main: Command, tmp_path: Path) -> None:
    """The same by declarations; a second run finds nothing to do, and check nothing to say."""
    file = declared(tmp_path, f"eth9:0-9 10.0.0.16/32+ kind macvlan\neth9:10 {OTHER} kind label\n")
    main.run("reconcile", file)
    assert settings(main.namespace) == DURING
    main.silent("check", file)
    main.silent("reconcile", file)
    file = declared(tmp_path, f"eth9:10 {OTHER} kind label\n")
    done = main.run("reconcile", "--allow-shrink", file)
    assert done.returncode == 0, done
    assert settings(main.namespace) == BEFORE


def test_reconcile_mends_what_the_kernel_does_not_announce(main: Command, tmp_path: Path) -> None:
    """Also when it has found everything as declared before, and need not compare."""
    file = declared(tmp_path, f"eth9:0 {ALIAS} kind macvlan\n")
    main.run("reconcile", file)
    main.silent("reconcile", file)
    put(main.namespace, 0, 2)
    assert main.run("check", file).returncode == 3
    assert main("reconcile", file) == "= eth9 arp_ignore 0 -> 1\n"
    main.silent("reconcile", file)
    main.silent("check", file)


@pytest.mark.parametrize("key", ["arp_filter", "arp_ignore", "arp_announce"])
def test_what_holds_for_all_devices_is_compared_too(
    main: Command, tmp_path: Path, key: str
) -> None:
    """With arp_filter for all the main device must answer again; nothing is missed without it."""
    file = declared(tmp_path, f"eth9:0 {ALIAS} kind macvlan\n")
    main.run("reconcile", file)
    main.silent("reconcile", file)
    set_sysctl(main.namespace, f"ipv4/conf/all/{key}", 1)
    assert main.run("check", file).returncode == (3 if key == "arp_filter" else 0)


def test_promote_secondaries_is_mended_too(main: Command, tmp_path: Path) -> None:
    """Of the main device of a label that brings its network."""
    set_sysctl(main.namespace, "ipv4/conf/eth9/promote_secondaries", 0)
    file = declared(tmp_path, "eth9:0 10.5.0.1/24 kind label\n")
    main.run("reconcile", file)
    main.silent("reconcile", file)
    set_sysctl(main.namespace, "ipv4/conf/eth9/promote_secondaries", 0)
    assert main("reconcile", file) == "= eth9 promote_secondaries 0 -> 1\n"
    main.silent("eth9:0-")
    assert sysctl(main.namespace, "ipv4/conf/eth9/promote_secondaries") == "0"


def test_another_line_of_a_batch_keeps_its_record(two: Command) -> None:
    """A line with options is executed by itself; what it has saved is not overwritten."""
    text = (
        f"eth9:0 {ALIAS} kind macvlan\n--quiet eth8:0 10.8.0.5 kind macvlan\n"
        f"eth9:1 {OTHER} kind macvlan\neth9:0-\neth9:1-\n"
    )
    assert two.run("batch", "-", input=text).returncode == 0
    assert settings(two.namespace) == BEFORE
    two.silent("eth8:0-")
    assert settings(two.namespace, "eth8") == BEFORE


def test_reconcile_mends(main: Command, tmp_path: Path) -> None:
    """Who took them away is told by check, and reconcile makes them again."""
    file = declared(tmp_path, f"eth9:0 {ALIAS} kind macvlan\n")
    main.run("reconcile", file)
    put(main.namespace, *BEFORE)
    assert main.run("check", file).returncode == 3
    assert main.run("reconcile", file).returncode == 0
    assert settings(main.namespace) == DURING
    main.silent("eth9:0-")
    assert settings(main.namespace) == BEFORE


def test_batch(main: Command) -> None:
    """The same by a batch, whose last line takes the last alias away."""
    text = f"eth9:0 {ALIAS} kind macvlan\neth9:1 {OTHER} kind macvlan\n"
    assert main.run("batch", "-", input=text).returncode == 0
    assert settings(main.namespace) == DURING
    assert main.run("batch", "-", input="eth9:0-\neth9:1-\n").returncode == 0
    assert settings(main.namespace) == BEFORE


def test_a_refused_alias_leaves_nothing(main: Command) -> None:
    """When the kernel refuses the alias its main device is as it was."""
    mac = main.namespace.ip("-o link show eth9").split("link/ether ")[1].split()[0]
    main.fails(2, "eth9:0", ALIAS, *NEW, "hw", "ether", mac)
    assert settings(main.namespace) == BEFORE


def test_a_rehearsal_touches_nothing(main: Command) -> None:
    """--dry-run prints the step, in the words of ip(8) or sysctl(8), and does nothing."""
    text = main("--dry-run", "eth9:0", ALIAS, *NEW)
    assert "arp_announce" in "".join(line for line in text.splitlines() if "eth9" in line)
    assert settings(main.namespace) == BEFORE


@pytest.mark.parametrize("kills", [12, pytest.param(40, marks=pytest.mark.long)])
def test_killed_at_any_instant(main: Command, kills: int) -> None:
    """Whatever a killed run left, after the next creation and deletion all is as it was."""
    dice = random.Random(5227)
    words = [*COMMAND, "eth9:0", ALIAS, *NEW]
    begun = time.monotonic()
    main.silent("eth9:0", ALIAS, *NEW)
    last = time.monotonic() - begun
    main.silent("eth9:0-")
    hits = 0
    for number in range(kills):
        process = main.namespace.start([*words] if number % 2 else [*COMMAND, "eth9:0-"])
        time.sleep(dice.uniform(0, last))  # the instant is what is varied
        process.send_signal(signal.SIGKILL)
        hits += process.wait() == -signal.SIGKILL
        main.silent("eth9:0", ALIAS, *NEW)
        assert settings(main.namespace) == DURING
        if number % 2:
            main.silent("eth9:0-")
            assert settings(main.namespace) == BEFORE
    assert hits


# What stands against them


def test_hands_off(main: Command) -> None:
    """--hands-off never touches the main device; the alias is made, and what follows is told."""
    done = main.run("--hands-off", "eth9:0", ALIAS, *NEW)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"netalias: warning: eth9:0: eth9 answers ARP for {ALIAS} too: its arp_ignore is 0",
        f"netalias: warning: eth9:0: eth9 asks ARP with {ALIAS}: its arp_announce is 0",
    ]
    assert settings(main.namespace) == BEFORE
    main.silent("--hands-off", "eth9:0-")


def test_hands_off_gives_nothing_back(main: Command) -> None:
    """What was set stays when the last alias goes with --hands-off."""
    main.silent("eth9:0", ALIAS, *NEW)
    main.silent("--hands-off", "eth9:0-")
    assert settings(main.namespace) == DURING


def test_an_address_that_only_the_main_answers_for(main: Command) -> None:
    """An address on lo keeps being answered for: arp_ignore stays, and what follows is told."""
    main.namespace.ip("addr add 10.0.0.50/32 dev lo")
    assert main.warns("eth9:0", ALIAS, *NEW) == (
        "netalias: warning: eth9:0: eth9 answers ARP for 10.0.0.5 too:"
        " 10.0.0.50 of lo needs arp_ignore 0 on eth9"
    )
    assert settings(main.namespace) == (0, 2)
    main.silent("eth9:0-")
    assert settings(main.namespace) == BEFORE


def test_a_filter_for_all(main: Command) -> None:
    """With conf/all/arp_filter the alias may not answer, so its main device must."""
    set_sysctl(main.namespace, "ipv4/conf/all/arp_filter", 1)
    assert main.warns("eth9:0", ALIAS, *NEW) == (
        "netalias: warning: eth9:0: eth9 answers ARP for 10.0.0.5, not the alias:"
        " arp_filter of all is 1"
    )
    assert settings(main.namespace) == (0, 2)


def test_show_tells(main: Command) -> None:
    """``show -d`` says what is set on a main device, and what it was; nothing where nothing is."""
    put(main.namespace, 0, 1)
    main.silent("eth9:0", ALIAS, *NEW)
    lines = [line.strip() for line in main("show", "-d").splitlines()]
    begin = lines.index("eth9: set for its aliases")
    assert sorted(lines[begin + 1 :]) == ["arp_announce 2, before: 1", "arp_ignore 1, before: 0"]
    main.silent("eth9:0", "2001:db8::5")
    assert "set for its aliases" not in main("show", "-d")


def test_a_main_that_is_a_macvlan(main: Command) -> None:
    """Aliases of a macvlan stand on the device below, which hears what they hear."""
    main.namespace.ip("link add mv9 link eth9 type macvlan mode bridge")
    main.namespace.ip("link set mv9 up")
    put(main.namespace, *BEFORE, "mv9")
    main.silent("mv9:0", ALIAS, *NEW)
    assert (settings(main.namespace, "mv9"), settings(main.namespace)) == (DURING, DURING)
    main.silent("mv9:0-")
    assert (settings(main.namespace, "mv9"), settings(main.namespace)) == (BEFORE, BEFORE)


def test_an_address_that_comes_later(main: Command) -> None:
    """An alias of lo inside the network of eth9 is answered for by eth9 alone, so arp_ignore goes
    back to what it was, and comes again when that alias has gone."""
    main.namespace.raise_lo()
    main.silent("eth9:0", ALIAS, *NEW)
    assert settings(main.namespace) == DURING
    main.run("lo:0", "10.0.0.53")
    assert settings(main.namespace) == (0, 2)
    main.run("lo:0-")
    assert settings(main.namespace) == DURING
    main.silent("eth9:0-")
    assert settings(main.namespace) == BEFORE


def test_what_was_refused_leaves_no_record(main: Command) -> None:
    """Whoever sets the same values later keeps them."""
    (link,) = ip_json(main.namespace, "link show dev eth9")
    main.fails(2, "eth9:0", ALIAS, *NEW, "hw", "ether", link["address"])
    put(main.namespace, *DURING)
    main.silent("eth9:0", ALIAS, *NEW)
    main.silent("eth9:0-")
    assert settings(main.namespace) == DURING


def test_hands_off_counts_on_a_line_of_a_batch(main: Command) -> None:
    """As it does by itself."""
    done = main.run("-q", "batch", "-", input=f"eth9:0 {ALIAS} kind macvlan --hands-off\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert main.names() == ["eth9:0"]
    assert settings(main.namespace) == BEFORE


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_refused_in_a_batch_leaves_the_main_device(main: Command, force: tuple[str, ...]) -> None:
    """What was set for an alias that could not be made goes back."""
    (link,) = ip_json(main.namespace, "link show dev eth9")
    line = f"eth9:0 {ALIAS} kind macvlan hw ether {link['address']}\n"
    done = main.run(*force, "batch", "-", input=line)
    assert done.returncode == 2
    assert settings(main.namespace) == BEFORE


@pytest.mark.parametrize("batch", [False, True])
def test_a_verdict_brings_back_what_the_alias_needs(main: Command, batch: bool) -> None:
    """An IPv6 address that somebody has leaves the IPv4 alias, its settings and their record."""
    assert main.namespace.peer is not None
    set_sysctl(main.namespace, "ipv6/conf/default/accept_dad", 1)
    set_sysctl(main.namespace, "ipv6/conf/eth9/accept_dad", 1)
    main.namespace.peer.ip("addr add 2001:db8::9/64 dev p9 nodad")
    main.silent("eth9:0", ALIAS, *NEW)
    words = ["eth9:0", "2001:db8::9/64", "acd", "fast"]
    line = " ".join(words)
    done = main.run("batch", "-", input=line) if batch else main.run(*words)
    assert done.returncode == 6, done
    assert settings(main.namespace) == DURING
    main.silent("eth9:0-")
    assert settings(main.namespace) == BEFORE


def test_a_namespace_that_has_gone_leaves_nothing_to_its_heir(main: Command) -> None:
    """A folder may have been that of another one, with the same inode."""
    main.silent("eth9:0", ALIAS, *NEW)
    kept = lock_file(main.namespace).parent / "settings"
    head, *lines = kept.read_text().splitlines()
    assert re.fullmatch(r"namespace [1-9]\d*", head)
    kept.write_text("\n".join([f"{head}0", *lines, ""]))
    main.silent("eth9:0-")
    assert settings(main.namespace) == DURING
