"""save on the real kernel: its output makes the same aliases again."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from command import Command
from declaring import figures, settled
from shortened import later

REFUSED = 2


def piped(cli: Command, text: str) -> None:
    """The output of save, reconciled, changes and prints nothing."""
    before = settled(cli.namespace)
    for words in (("check", "-"), ("reconcile", "-"), ("--dry-run", "reconcile", "-")):
        done = cli.run(*words, input=text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), text
    assert settled(cli.namespace) == before


def rebuilt(cli: Command, text: str) -> None:
    """All aliases are removed, and made again from the file; save says the same."""
    before = figures(cli)
    assert cli.run("--allow-empty", "reconcile", "/dev/null").returncode == 0
    assert cli.names() == []
    done = cli.run("reconcile", "-", input=text)
    assert (done.returncode, done.stderr) == (0, ""), text
    assert figures(cli) == before
    assert cli("save") == text


FILES = {
    "one of each": (
        "lo:0          192.0.2.1/32       kind label",
        "eth9:0        200.1.1.1/24       kind macvlan",
        "eth9:100-101  2001:db8::100/64+  kind macvlan mtu 1400",
        "eth9:1-5      10.0.0.1-5/32      kind label",
    ),
    "words": (
        "eth9:0  10.0.0.1/24     kind macvlan broadcast 10.0.0.7",
        "eth9:1  10.1.0.1/24     kind macvlan -broadcast",
        "eth9:2  10.2.0.1/24     kind macvlan metric 7",
        "eth9:3  10.3.0.1/32     kind macvlan pointopoint 10.3.0.2",
        "eth9:4  10.4.0.1/32     kind macvlan hw ether 00:16:3e:00:00:01",
        "eth9:5  10.5.0.1/24     kind macvlan down",
        "eth9:6  2001:db8::6/64  kind macvlan mtu 1300 down",
        "eth9:7  2001:db8::7/64  kind macvlan metric 9",
    ),
    "networks in networks": (
        "eth9:0    10.0.0.1/16    kind macvlan",
        "eth9:1-3  10.0.1.1-3/24  kind macvlan",
        "eth9:4    10.0.2.1/24    kind macvlan",
    ),
    "labels": (
        "lo:0-2      127.0.0.2-4/32    kind label",
        "lo:8-9      2001:db8:9::8/128+  kind label",
        "eth9:0      10.0.0.254/24     kind label",
        "eth9:65535  10.9.0.1/32       kind label",
    ),
    "over a border of bytes": ("eth9:250-260  10.0.0.250/32+  kind label",),
}


@pytest.mark.parametrize("name", FILES)
def test_save_is_the_inverse_of_reconcile(cli: Command, name: str) -> None:
    """Declared aliases are printed, plan nothing, and can be made again from the output."""
    text = "".join(f"{line}\n" for line in FILES[name])
    done = cli.run("reconcile", "-", input=text)
    assert (done.returncode, done.stderr) == (0, "")
    saved = cli("save")
    assert sorted(line.split() for line in saved.splitlines()) == sorted(
        line.split() for line in text.splitlines()
    )
    piped(cli, saved)
    rebuilt(cli, saved)


def test_the_order_is_that_of_the_slots(cli: Command) -> None:
    """An alias that was made again stands in order of its slot, within the range."""
    cli.run("reconcile", "-", input="lo:0 192.0.2.1\neth9:0-9 10.0.0.0/32+ kind macvlan\n")
    cli.namespace.ip("link del eth9:4")
    cli("eth9:4", "10.0.0.4", "kind", "macvlan")
    words = [line.split() for line in cli("save").splitlines()]
    assert words == [
        ["lo:0", "192.0.2.1/32", "kind", "label"],
        ["eth9:0-9", "10.0.0.0-9/32", "kind", "macvlan"],
    ]


def line(dice: random.Random, slot: int, taken: set[str]) -> str:
    """A line of words that fit together; its address is new."""
    while True:
        six = dice.random() < 0.3
        third, last = dice.randrange(4), dice.randrange(1, 250)
        address = f"2001:db8:{third}::{last:x}" if six else f"10.{third // 2}.{third}.{last}"
        if address not in taken:
            break
    taken.add(address)
    kind = dice.choice(("label", "macvlan", "macvlan"))
    if kind == "label":
        return f"{dice.choice(('eth9', 'lo'))}:{slot} {address} kind label"
    length = dice.choice((128, 64, 48) if six else (32, 24, 16, 28))
    words = [f"eth9:{slot} {address}/{length} kind macvlan"]
    words += [dice.choice(("", "", f"mtu {dice.choice((1280, 1400))}"))]
    words += [dice.choice(("", "", "", "down", f"metric {dice.randrange(1, 99)}"))]
    return " ".join(filter(None, words))


@pytest.mark.parametrize("seed", [0, *later(range(1, 8))])
def test_of_aliases_at_random(cli: Command, seed: int) -> None:
    """Twenty or so, of all lengths and words; one after the other, and then from the file."""
    dice = random.Random(seed)
    taken: set[str] = set()
    slots = dice.sample(range(60), 20)
    for slot in slots:
        words = line(dice, slot, taken).split()
        done = cli.run(*words)
        assert done.returncode == 0, (words, done.stderr)
    saved = cli("save")
    piped(cli, saved)
    before = figures(cli)
    cli("--allow-empty", "reconcile", "/dev/null")
    cli.run("reconcile", "-", input=saved)
    assert figures(cli) == before
    again = cli("save")
    piped(cli, again)
    assert sorted(again.split()) == sorted(saved.split())


def test_the_macs_on_demand(cli: Command) -> None:
    """--mac writes those that the kernel chose too, and the same devices can be had again."""
    cli.run("reconcile", "-", input="eth9:0-1 10.0.0.1-2/32 kind macvlan\n")
    macs = [one["address"] for one in cli.json()]
    saved = cli("save", "--mac")
    for mac in macs:
        assert f"hw ether {mac}" in saved
    assert "hw ether" not in cli("save")
    cli("--allow-empty", "reconcile", "/dev/null")
    cli.run("reconcile", "-", input=saved)
    assert [one["address"] for one in cli.json()] == macs
    assert cli("save", "--mac") == saved


def test_json(cli: Command) -> None:
    """-j prints one object for each alias, without ranges and defaults."""
    text = "eth9:0-1 10.0.0.1/32+ kind label\neth9:5 2001:db8::5/64 kind macvlan mtu 1400 down\n"
    cli.run("reconcile", "-", input=text)
    assert json.loads(cli("-j", "save")) == [
        {
            "altname": "eth9:0", "kind": "label", "family": "inet", "local": "10.0.0.1",
            "prefixlen": 32,
        },
        {
            "altname": "eth9:1", "kind": "label", "family": "inet", "local": "10.0.0.2",
            "prefixlen": 32,
        },
        {
            "altname": "eth9:5", "kind": "macvlan", "family": "inet6", "local": "2001:db8::5",
            "prefixlen": 64, "mtu": 1400, "up": False,
        },
    ]  # fmt: skip


def test_of_what_others_made_nothing_is_saved(cli: Command) -> None:
    """Foreign labels are left out; import prints them."""
    cli.namespace.ip("addr add 10.7.0.1/32 dev eth9 label eth9:7")
    cli.namespace.ip("link add eth9_5 link eth9 type macvlan mode bridge")
    assert cli("save") == ""
    assert json.loads(cli("-j", "save")) == []


def test_of_one_main_or_some_aliases(cli: Command) -> None:
    """By words, or by --only."""
    cli.run("reconcile", "-", input="eth9:0-2 10.0.0.1-3/32 kind label\nlo:0 192.0.2.1\n")
    assert cli("save", "lo") == cli("--only", "lo", "save") == "lo:0  192.0.2.1/32  kind label\n"
    assert cli("save", "eth9:1") == "eth9:1  10.0.0.2/32  kind label\n"
    cli.fails(REFUSED, "save", "eth9:9")
    assert [name.split()[0] for name in cli("save").splitlines()] == ["lo:0", "eth9:0-2"]


def test_a_half_made_alias_is_a_comment(cli: Command) -> None:
    """A half-made alias has no address to declare; reconciling the file removes it."""
    cli("eth9:0", "10.0.0.1", "kind", "macvlan")
    cli.namespace.ip("link add eth9_1 link eth9 group 28257 type macvlan mode bridge")
    text = cli("save")
    assert text.splitlines()[1:] == ["# eth9:1: half-made, without an address"]
    done = cli.run("reconcile", "-", input=text)
    assert (done.returncode, done.stdout) == (0, "- eth9:1 - macvlan\n")
    assert cli.names() == ["eth9:0"]


def test_after_the_main_was_renamed(cli: Command) -> None:
    """save prints the new names, so reconciling its output renames the alternative names."""
    cli.run("reconcile", "-", input="eth9:0-1 10.0.0.1-2/32 kind macvlan\n")
    for words in ("eth9 down", "eth9 name wan0", "wan0 up"):
        cli.namespace.ip(f"link set {words}")
    saved = cli("save")
    assert saved == "wan0:0-1  10.0.0.1-2/32  kind macvlan\n"
    done = cli.run("reconcile", "-", input=saved)
    assert done.stdout.splitlines() == [
        "~ wan0:0 10.0.0.1/32 name eth9:0 -> wan0:0",
        "~ wan0:1 10.0.0.2/32 name eth9:1 -> wan0:1",
    ]
    piped(cli, saved)


def test_a_file_that_was_saved_is_a_file(cli: Command, tmp_path: Path) -> None:
    """By its name it says the same as through the pipe."""
    cli("eth9:0", "10.0.0.1/24", "kind", "macvlan")
    file = tmp_path / "saved"
    file.write_text(cli("save"))
    cli.silent("check", str(file))
    cli.silent("reconcile", str(file))
