"""Shards on the real kernel: reached by a peer, changed by others, watched, asked for by name."""

from __future__ import annotations

import cProfile
import json
import pstats
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from random import Random

import pytest
from command import Command, ip_json, talk
from making import has
from support import Namespace, until
from test_near_netlink import Metered
from watcher import watching

from netalias import desired, errors
from netalias.desired.declarations import parse
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Rules, carry_out, check_rails, look, prepare
from netalias.kernel.netlink.fingerprint import Fingerprinted
from netalias.model import Snapshot

MAIN, PEER = "10.10.255.253", "10.10.255.254"
COUNT = 1000
POOL = f"eth9:0-{COUNT - 1} 10.10.0.0/16+ kind shard\n"
MOST = 96 << 10
"""Bytes that may be read from the kernel for a command about one of thousands."""


@pytest.fixture
def pool(cli: Command, peer: Namespace, tmp_path: Path) -> Path:
    """A file of COUNT shards on eth9, which is in their network, as p9 is."""
    if not (has(cli.namespace, "dummy") or has(cli.namespace, "ifb")):
        pytest.skip("this kernel has neither dummy nor ifb devices")
    cli.namespace.ip(f"addr add {MAIN}/16 dev eth9")
    peer.ip(f"addr add {PEER}/16 dev p9")
    file = tmp_path / "netalias.conf"
    file.write_text(POOL)
    file.chmod(0o644)
    return file


@pytest.fixture
def shards(cli: Command, pool: Path) -> Command:
    """They are there."""
    cli.run("-q", "reconcile", str(pool))
    return cli


def address(slot: int) -> str:
    """The address of a slot."""
    return f"10.10.{slot >> 8}.{slot & 255}"


def hidden(namespace: Namespace) -> list[str]:
    """The hidden devices."""
    return sorted(name for name in namespace.names() if "_s" in name)


def count(cli: Command) -> int:
    """How many addresses there are under a label of eth9."""
    return cli.namespace.ip("-o addr show").count(" eth9:")


def test_a_peer_reaches_them(shards: Command, peer: Namespace) -> None:
    """Whichever it takes: by ARP, which the main device answers, and bound in either direction."""
    main = ip_json(shards.namespace, "link show dev eth9")[0]["address"]
    for slot in Random(7).sample(range(1, COUNT), 24):
        assert talk(peer, shards.namespace, address(slot)) == (PEER, PEER)
        (known,) = ip_json(peer, f"neigh show {address(slot)}")
        assert known["lladdr"] == main
        pinged = peer.run(["ping", "-c1", "-W9", address(slot)], check=False)
        back = shards.namespace.run(["ping", "-c1", "-W9", "-I", address(slot), PEER], check=False)
        assert (pinged.returncode, back.returncode) == (0, 0), slot


def test_what_is_told_of_them(shards: Command, pool: Path) -> None:
    """All verbs know them by their names and addresses; a saved file plans nothing."""
    assert shards("save") == f"eth9:0-{COUNT - 1}  10.10.0.0/16+  kind shard\n"
    assert shards("lookup", address(777)) == "eth9:777\n"
    assert shards.run("check", str(pool)).stdout == ""
    assert len(shards.json()) == COUNT
    found = shards.one("eth9:777")
    assert (found["kind"], found["local"], found["ifname"], found["link"], found["state"]) == (
        "shard", address(777), "eth9_s3", "eth9", "up",
    )  # fmt: skip
    assert found["address"] == ip_json(shards.namespace, "link show dev eth9")[0]["address"]
    text = shards("cat", "aliases")
    assert text.count("eth9:") == COUNT
    assert shards.run("doctor").stdout.splitlines()[::3] == [
        "warning: eth9:0: other hosts do not reach 10.10.0.0"
    ]
    shown = shards("show").splitlines()
    assert len(shown) == 2
    assert shown[1].split() == [
        f"eth9:0-{COUNT - 1}", "eth9_s0-4", "shard", f"10.10.0.0-{address(COUNT - 1)}/32", "up",
        str(found["address"]), "-", "-",
    ]  # fmt: skip
    assert hidden(shards.namespace) == [f"eth9_s{number}" for number in range(5)]


def test_all_go_by_few_messages(shards: Command, pool: Path) -> None:
    """And nothing is left, but what others have put into the group."""
    shards.namespace.ip("link add web0 group 28256 type ifb")
    pool.write_text("")
    assert shards.run("-q", "--allow-empty", "reconcile", str(pool)).returncode == 0
    assert count(shards) == 0
    assert hidden(shards.namespace) == []
    assert "web0" in shards.namespace.names()


def test_one_more_and_one_less(shards: Command) -> None:
    """By a command each; the device of a slot comes and goes with its only address."""
    shards.silent("eth9:5000", "10.10.77.1", "kind", "shard")
    assert hidden(shards.namespace)[0:2] == ["eth9_s0", "eth9_s1"]
    assert "eth9_s25" in hidden(shards.namespace)
    shards.silent("eth9:5000", "10.10.77.2")
    shards.silent("eth9:77", "10.10.77.1")
    assert shards("lookup", "10.10.77.1") == "eth9:77\n"
    shards.silent("eth9:5000-")
    shards.silent("eth9:77-")
    assert "eth9_s25" not in hidden(shards.namespace)
    assert count(shards) == COUNT - 1


HARM: dict[str, Callable[[Namespace], object]] = {
    "address": lambda here: here.ip("addr del 10.10.1.44/32 dev eth9_s1"),
    "device": lambda here: here.ip("link del eth9_s1"),
    "down": lambda here: here.ip("link set eth9_s1 down"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_watcher_puts_them_back(
    cli: Command, peer: Namespace, pool: Path, tmp_path: Path, harm: str
) -> None:
    """What others delete, or set down."""
    with watching(cli.namespace, tmp_path / "net", str(pool)):
        until(lambda: count(cli) == COUNT)
        assert talk(peer, cli.namespace, "10.10.1.44") == (PEER, PEER)
        HARM[harm](cli.namespace)
        until(lambda: cli.run("check", str(pool)).returncode == 0)
        assert talk(peer, cli.namespace, "10.10.1.44") == (PEER, PEER)


def test_a_main_device_that_goes_down_frees_them(cli: Command, pool: Path, tmp_path: Path) -> None:
    """As Linux 2.0 did with all aliases; they come back with it."""
    with watching(cli.namespace, tmp_path / "net", str(pool)):
        until(lambda: count(cli) == COUNT)
        cli.namespace.ip("link set eth9 down")
        until(lambda: not hidden(cli.namespace))
        cli.namespace.ip("link set eth9 up")
        until(lambda: count(cli) == COUNT)


def test_a_main_device_that_goes_away(cli: Command, pool: Path, tmp_path: Path) -> None:
    """The kernel knows nothing of the bond between them: the watcher removes them."""
    with watching(cli.namespace, tmp_path / "net", str(pool)):
        until(lambda: count(cli) == COUNT)
        cli.namespace.ip("link del eth9")
        until(lambda: not hidden(cli.namespace))


def test_little_is_read_for_one(shards: Command) -> None:
    """A command reads the devices of its slot, not all."""
    shards.run("-q", "reconcile", "-", input="eth9:0-9999 10.10.0.0/16+ kind shard\n")
    shards.silent("eth9:30000", "10.11.0.3", "kind", "shard")
    for text in (
        "eth9:30000 10.11.0.4",
        "eth9:30000-",
        "eth9:77 10.11.0.1",
        "eth9:77-",
        "eth9:10000 10.11.0.1 kind shard",
        "eth9:20000 10.11.0.1/16 kind shard",
    ):
        with shards.namespace, Engine(Setup(Metered())) as engine:
            kernel = engine.kernel
            assert isinstance(kernel, Metered)
            wish = desired.parse(text.split(), engine.registry)
            observed, result = engine._read_and_plan(wish, False, kernel.able)
            assert observed.partial, text
            assert result.all_steps
            assert kernel.count <= MOST, text
    with shards.namespace, Engine(Setup(Metered())) as engine:
        assert isinstance(engine.kernel, Metered)
        name = desired.parse(["eth9:77-"], engine.registry).name
        found = engine.observe_one(name)
        assert found.partial
        assert engine.kernel.count <= MOST


# Whole devices that go ------------------------------------------------------------------------

CALLS = 8
"""Calls of functions for each shard that goes."""
BULK = Rules(bulk=True, allow_empty=True, allow_shrink=True)


def test_a_line_for_each_that_goes(shards: Command, pool: Path) -> None:
    """With the length that was asked for; rails and a dry run count and tell each of them."""
    expected = "".join(f"- eth9:{slot} {address(slot)}/16 shard\n" for slot in range(COUNT))
    pool.write_text("")
    assert "1000 aliases would be removed" in shards.run("reconcile", str(pool)).stderr
    words = ("--allow-empty", "reconcile", str(pool))
    assert shards.run("--dry-run", *words).stdout == expected
    assert shards.run("check", str(pool)).stdout == expected
    assert count(shards) == COUNT
    assert (
        shards("-v", *words).replace("    ip link del dev eth9_s4\n", "").startswith(expected[:999])
    )
    assert (count(shards), hidden(shards.namespace)) == (0, [])


def test_json_has_an_object_for_each_that_goes(shards: Command, pool: Path) -> None:
    """As a dry run tells."""
    pool.write_text("")
    words = ("-j", "--allow-empty", "reconcile", str(pool))
    planned = shards.run("--dry-run", *words).stdout
    assert len(json.loads(planned)) == COUNT
    assert len(json.loads(shards(*words))) == COUNT
    assert count(shards) == 0


@pytest.mark.parametrize("foreign", ["10.99.0.9/32", "10.99.0.9/32 label eth9_s1:9", "2001:db8::9"])
def test_an_address_of_others_stays(shards: Command, pool: Path, foreign: str) -> None:
    """And so does its device, without the shards."""
    shards.namespace.ip(f"addr add {foreign} dev eth9_s1")
    pool.write_text("")
    gone = shards("-q", "--allow-empty", "reconcile", str(pool))
    assert gone.count(" shard\n") == gone.count("\n") == COUNT
    assert (count(shards), hidden(shards.namespace)) == (0, ["eth9_s1"])
    assert foreign.split("/")[0] in shards.namespace.ip("addr show dev eth9_s1")


def test_a_line_that_is_removed(shards: Command, pool: Path) -> None:
    """The devices of the others stay, and so does one that they share."""
    pool.write_text("eth9:0-649 10.10.0.0/16+ kind shard\n")
    gone = shards("-q", "--allow-shrink", "reconcile", str(pool)).splitlines()
    assert {line.split()[1] for line in gone} == {f"eth9:{slot}" for slot in range(650, COUNT)}
    assert (count(shards), len(hidden(shards.namespace))) == (650, 4)
    assert shards.run("check", str(pool)).stdout == ""


def test_an_address_that_moves_to_another_kind(shards: Command, pool: Path) -> None:
    """An address that is declared elsewhere is compared with those that go."""
    pool.write_text("eth9:5000 10.10.0.7 kind label\n")
    shards("-q", "--allow-shrink", "reconcile", str(pool))
    assert (count(shards), hidden(shards.namespace)) == (1, [])
    assert shards("lookup", "10.10.0.7") == "eth9:5000\n"


def test_a_protected_address_stays(shards: Command) -> None:
    """The address of the session of whoever reconciles stays, with its device."""
    rules = Rules(bulk=True, allow_empty=True, protected=bytes((10, 10, 1, 44)))
    with shards.namespace, Engine(Setup(Fingerprinted())) as engine:
        diff = look(engine, parse([], engine.registry), rules)
    assert (len(diff.items), len(diff.skipped), diff.removed) == (COUNT - 1, 1, COUNT - 1)


def test_rails_count_addresses(shards: Command) -> None:
    """Not devices."""
    with shards.namespace, Engine(Setup(Fingerprinted())) as engine:
        diff = look(engine, parse([], engine.registry), Rules(bulk=True))
        assert len(diff.items) == len(hidden(shards.namespace))
        assert (diff.present, diff.removed) == (COUNT, COUNT)
        with pytest.raises(errors.StateError, match=f"{COUNT} aliases would be removed"):
            check_rails(diff, Rules(bulk=True))


def test_one_that_comes_before_the_send(shards: Command) -> None:
    """The proof sees it, and only its device stays."""

    class Late(Fingerprinted):
        """A kernel in which somebody adds an address after the plan."""

        def reread_beside(self, names: Collection[str], leaving: Mapping[int, object]) -> Snapshot:
            shards.namespace.ip("addr add 10.99.0.9/32 dev eth9_s1")
            return super().reread_beside(names, leaving)  # type: ignore[arg-type]

    with shards.namespace, Engine(Setup(Late())) as engine:
        outcome = carry_out(engine, prepare(engine, parse([], engine.registry), BULK))
    (failed,) = outcome.failed
    assert "another program has changed it meanwhile" in str(failed.error)
    assert hidden(shards.namespace) == ["eth9_s1"]
    assert count(shards) == 200


def test_few_calls_for_each_that_goes(shards: Command, pool: Path) -> None:
    """Neither planning nor proof makes an object of each. The first time loads modules."""
    profile = cProfile.Profile()
    for run in (lambda work, engine: work(engine), profile.runcall):
        assert shards.run("-q", "reconcile", str(pool)).returncode == 0
        with shards.namespace, Engine(Setup(Fingerprinted())) as engine:
            run(remove_all, engine)
        assert count(shards) == 0
    assert pstats.Stats(profile).total_calls < CALLS * COUNT  # type: ignore[attr-defined]


def remove_all(engine: Engine) -> None:
    """The work of reconcile with an empty file, without the printing."""
    carry_out(engine, prepare(engine, parse([], engine.registry), BULK))
