"""What --dry-run prints is what is done: the printed lines, given to a shell, do the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from command import Command, Json, command, forget, ip_json, picture, wait_for_state, without_dad
from support import Namespace, until, veth_pair

DIFFERENT = ("address", "group", "ifindex", "owned", "protocol", "stats64")
"""Chosen by the kernel for each device, or a mark that an older ip(8) cannot set on an address."""

UNMARKED = re.compile(",(foreign|no-address|tentative)")
"""States that come from a missing mark, or that pass."""

V6 = "2001:db8::5/64"

SEQUENCES = {
    "host": ["eth9:0 200.1.1.1"],
    "network": ["eth9:0 10.5.0.1/24"],
    "words": [
        "eth9:0 10.5.0.1 netmask 255.255.255.0 broadcast 10.5.0.200 metric 77 mtu 1400"
        " hw ether 02:00:00:00:00:09"
    ],
    "no broadcast": ["eth9:0 10.5.0.1/24 -broadcast"],
    "pointopoint": ["eth9:0 10.6.0.1 pointopoint 10.6.0.2"],
    "ipv6": [f"eth9:0 {V6}"],
    "made down": ["eth9:0 10.5.0.1/24 down"],
    "label": ["eth9:0 10.5.0.1/24 kind label"],
    "label of lo": ["lo:0 127.0.0.2"],
    "ipv6 label of lo": ["lo:7 2001:db8::77"],
    "inside the network of another": ["eth9:0 10.5.0.1/24", "eth9:1 10.5.0.2/24"],
    "readdressed": ["eth9:0 10.5.0.1/24", "eth9:0 10.7.0.1/24"],
    "another length": ["eth9:0 10.5.0.1/24", "eth9:0 10.5.0.1/16"],
    "another IPv6 length": [f"eth9:0 {V6}", "eth9:0 2001:db8::5/56"],
    "to IPv6": ["eth9:0 10.5.0.1/24", f"eth9:0 {V6}"],
    "to IPv4": [f"eth9:0 {V6}", "eth9:0 10.5.0.1/24"],
    "down": ["eth9:0 10.5.0.1/24", "eth9:0 down"],
    "IPv6 down": [f"eth9:0 {V6}", "eth9:0 down"],
    "IPv6 up again": [f"eth9:0 {V6}", "eth9:0 down", "eth9:0 up"],
    "settings": ["eth9:0 10.5.0.1/24", "eth9:0 mtu 1300 hw ether 02:00:00:00:00:0b metric 9"],
    "to a label": ["eth9:0 10.5.0.1/24", "eth9:0 kind label"],
    "from a label": ["eth9:0 10.5.0.1/24 kind label", "eth9:0 kind macvlan"],
    "deleted": ["eth9:0 10.5.0.1/24", "eth9:0-"],
    "label deleted": ["eth9:0 10.5.0.1/24 kind label", "eth9:0- 0"],
    "the heir": ["eth9:0 10.5.0.1/24", "eth9:1 10.5.0.2/24", "eth9:0-"],
    "nothing to do": ["eth9:0 10.5.0.1/24", "eth9:0 10.5.0.1/24"],
}


@pytest.fixture
def twins() -> Iterator[tuple[Command, Command]]:
    """The command in two namespaces that are alike."""
    spaces = [Namespace() for _ in range(4)]
    for here, there in (spaces[:2], spaces[2:]):
        veth_pair(here, there)
        wait_for_state(here, "eth9", "UP")
        here.raise_lo()
        without_dad(here)
    yield Command(spaces[0]), Command(spaces[2])
    forget(*spaces)
    for namespace in spaces:
        namespace.close()


def execute(namespace: Namespace, lines: str) -> None:
    """Run the lines by sh, which stops at the first one that fails."""
    words = re.sub(r" proto \d+$", "", lines, flags=re.MULTILINE)
    if not shutil.which("sysctl"):
        words = re.sub(r"^sysctl -qw (.*)$", _written, words, flags=re.MULTILINE)
    namespace.run(["sh", "-euc", words])


def _written(line: re.Match[str]) -> str:
    """The files that sysctl(8) would write to."""
    pairs = (pair.split("=") for pair in line[1].split())
    return "\n".join(f"echo {value} >/proc/sys/{key.replace('.', '/')}" for key, value in pairs)


def alike(aliases: list[Json]) -> list[Json]:
    """What two worlds that were made alike have in common.

    An IPv6 address without our mark is not taken for that of the alias beside a link-local one, so
    netalias knows of it from its record only; ``held`` looks at what is there.
    """
    return [
        {
            **{key: alias[key] for key in alias if key not in _different(alias)},
            "state": UNMARKED.sub("", str(alias["state"])),
        }
        for alias in aliases
    ]


def _different(alias: Json) -> tuple[str, ...]:
    entry = ("scope", "label", "valid_life_time", "preferred_life_time")
    return (*DIFFERENT, *entry) if alias.get("family") == "inet6" else DIFFERENT


def held(namespace: Namespace) -> list[Json]:
    """Every address, as ip(8) tells it."""
    return [
        {"ifname": device["ifname"], **{key: entry[key] for key in entry if key != "protocol"}}
        for device in ip_json(namespace, "addr show")
        for entry in device["addr_info"]
        if entry["scope"] != "link"
    ]


def all_routes(namespace: Namespace) -> str:
    """Routes that do not come from link-local addresses, which follow a MAC of chance."""
    text = namespace.ip("route show table all") + namespace.ip("-6 route show table all")
    return "\n".join(sorted(line for line in text.splitlines() if "fe80:" not in line))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_the_printed_lines_do_the_same(sequence: str, twins: tuple[Command, Command]) -> None:
    """The lines of the last command, executed in one world, and the command itself in the other,
    leave the same aliases and the same routes; the dry run itself changes nothing."""
    *first, last = [words.split() for words in SEQUENCES[sequence]]
    told, done = twins
    for words in first:
        told.silent(*words)
        done.silent(*words)
    for namespace in (told.namespace, done.namespace):
        until(lambda namespace=namespace: not namespace.ip("-6 addr show up tentative"))
    before = picture(told.namespace)
    lines = told("--dry-run", *last)
    assert picture(told.namespace) == before
    assert told(*last[:1], "--dry-run", *last[1:]) == lines
    execute(told.namespace, lines)
    done.silent(*last)
    assert alike(told.json()) == alike(done.json())
    assert held(told.namespace) == held(done.namespace)
    assert all_routes(told.namespace) == all_routes(done.namespace)


def test_a_dry_run_needs_no_lock_and_no_privilege(cli: Command) -> None:
    """It reads, and that anybody may; the kinds that are there to be seen count."""
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "true"]
    if cli.namespace.run(words, check=False).returncode:
        pytest.skip("privileges cannot be dropped here by setpriv(1)")
    done = cli.namespace.run([*words[:-1], *command("--dry-run", "eth9:0", "200.1.1.1")])
    assert done.stdout == cli("--dry-run", "eth9:0", "200.1.1.1")


@pytest.mark.parametrize(
    ("line", "key"), [("eth9:0 2001:db8::5 kind label", "eth9"), (f"eth9:0 {V6}", "default")]
)
def test_disabled_ipv6_is_foretold(cli: Command, line: str, key: str) -> None:
    """By the sysctl of the main device for a label, by that of new devices for a device."""
    cli.namespace.run(["sysctl", "-qw", f"net.ipv6.conf.{key}.disable_ipv6=1"])
    words = line.split()
    for status, *verb in ((3, "check"), (2, "reconcile", "--dry-run"), (2, "reconcile")):
        done = cli.run(*map(str, verb), "-", input=line)
        assert done.returncode == status
        assert f"net.ipv6.conf.{key}.disable_ipv6=0" in done.stderr
    assert cli.fails(2, "--dry-run", *words) == cli.fails(2, *words)
    cli.namespace.run(["sysctl", "-qw", f"net.ipv6.conf.{key}.disable_ipv6=0"])
    cli.silent(*words)
