"""netalias pool over the real kernel: many processes, kills, conflicts, a watcher beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, SECONDS, Command
from shortened import quarter
from support import until
from watcher import watching

PIPE = subprocess.PIPE

KILLED = """
import os
import sys

from netalias.cli import main
from netalias.kernel.netlink import Netlink

left = int(sys.argv[1])


def act():
    global left
    if not left:
        os._exit(99)
    left -= 1


def before(name):
    real = getattr(os, name)

    def call(*words, **more):
        act()
        return real(*words, **more)

    setattr(os, name, call)


def send(kernel, operation, data):
    if int.from_bytes(data[4:6], sys.byteorder) % 4 != 2:  # all but RTM_GET*
        act()
    return real_send(kernel, operation, data)


real_send, Netlink._send = Netlink._send, send
for name in ("write", "rename", "unlink"):
    before(name)
sys.exit(main(sys.argv[2:]))
"""
"""``netalias`` that ends as if by SIGKILL before its change number argv[1], of kernel or file."""
STATUS = 99


def declared(folder: Path, *lines: str) -> str:
    """A file of these lines."""
    file = folder / "pools"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


def loans(cli: Command, file: str, name: str) -> list[dict[str, Any]]:
    """What ``show`` says."""
    found: list[dict[str, Any]] = json.loads(cli("-j", "--from", file, "pool", name, "show"))
    return found


def test_many_processes_get_different_addresses(cli: Command, tmp_path: Path) -> None:
    """A-16: single commands and batches at once, until nothing is left: each address once; who
    comes too late is refused."""
    file = declared(tmp_path, "pool lab 10.8.0.0/24 each")
    lines = tmp_path / "lines"
    lines.write_text("pool lab take\n" * 30)
    take = [*COMMAND, "--wait", "100", "--from", file]
    words = [[*take, "batch", str(lines)]] * 8 + [[*take, "pool", "lab", "take"]] * 16
    started = [cli.namespace.start(one, stdout=PIPE, stderr=PIPE) for one in words]
    found: list[str] = []
    late = 0
    for process in started:
        out, err = process.communicate(timeout=4 * SECONDS)
        assert (process.returncode, err) == (0, "") or "no address is free" in err, err
        late += process.returncode != 0
        found += out.split()
    assert len(found) == len(set(found)) == 254
    assert late in (1, 2)
    assert [one["local"] for one in loans(cli, file, "lab")] == sorted(
        found, key=lambda text: int(text.split(".")[3])
    )


@pytest.mark.long
def test_64_processes_take_2000_at_once(cli: Command, tmp_path: Path) -> None:
    """A-16: of a /21, each a part in a batch; everybody gets what he asked for, and nobody what
    another one has."""
    file = declared(tmp_path, "pool lab 10.8.0.0/21 each")
    started = []
    for number in range(64):
        lines = tmp_path / f"lines{number}"
        lines.write_text("pool lab take\n" * (2000 // 64 + (number < 2000 % 64)))
        words = [*COMMAND, "--wait", "100", "--from", file, "batch", str(lines)]
        started.append(cli.namespace.start(words, stdout=PIPE, stderr=PIPE))
    found: list[str] = []
    for process in started:
        out, err = process.communicate(timeout=4 * SECONDS)
        assert (process.returncode, err) == (0, "")
        found += out.split()
    assert len(found) == len(set(found)) == 2000
    assert {one["local"] for one in loans(cli, file, "lab")} == {*found}


@pytest.mark.parametrize("words", quarter(["pool dev take --for a", "pool dev release --for a"]))
def test_a_kill_before_any_change(cli: Command, tmp_path: Path, words: str) -> None:
    """Whatever a killed command has left: the address belongs to its client or to nobody, others
    get others, and the next command of the client puts it right."""
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.40 dev eth9 kind macvlan")
    pools = ("--from", file)
    for count in range(40):
        if "release" in words:
            cli(*pools, "pool", "dev", "take", "--for", "a")
        done = cli.namespace.run(
            [sys.executable, "-c", KILLED, str(count), *pools, *words.split()], check=False
        )
        other = cli(*pools, "pool", "dev", "take", "--for", "b").strip()
        mine = cli(*pools, "pool", "dev", "take", "--for", "a").strip()
        assert mine != other
        assert done.stdout.strip() in ("", mine)
        standing = [one["local"] for one in cli.json() if one.get("local")]
        assert sorted(standing) == sorted({mine, other})
        assert {one["local"]: one["client"] for one in loans(cli, file, "dev")} == {
            mine: "a", other: "b",
        }  # fmt: skip
        cli(*pools, "pool", "dev", "release", "--for", "a")
        cli(*pools, "pool", "dev", "release", "--for", "b")
        assert cli.json() == []
        if done.returncode == 0:
            break
        assert done.returncode == STATUS
    assert 3 < count < 39


def test_what_a_killed_command_leaves_ends_with_its_loan(cli: Command, tmp_path: Path) -> None:
    """Nobody gives the addresses back: the kernel drops them, and the next take removes the
    devices."""
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.9 dev eth9 kind macvlan")
    words = ["--from", file, "pool", "dev", "take", "--lease", "1"]
    for count in (3, 5, 7, 9):
        cli.namespace.run([sys.executable, "-c", KILLED, str(count), *words], check=False)
    until(lambda: not loans(cli, file, "dev"))
    until(lambda: not [one for one in cli.json() if one.get("local")])
    address = cli("--from", file, "pool", "dev", "take").strip()
    assert [(one["altname"], one["local"]) for one in cli.json()] == [("eth9:0", address)]


def test_addresses_of_other_hosts(cli: Command, tmp_path: Path) -> None:
    """With acd an address in use is passed over, also if it was asked for; if all are, that is
    told, and nothing is lent."""
    peer = cli.namespace.peer
    assert peer is not None
    for last in (1, 2, 4):
        peer.ip(f"addr add 10.0.1.{last}/24 dev p9")
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.4/24 dev eth9 kind macvlan acd fast")
    done = cli.run("--from", file, "pool", "dev", "take", "10.0.1.2")
    assert (done.returncode, done.stdout) == (0, "10.0.1.3\n")
    assert "10.0.1.2 is not free, here is 10.0.1.3" in done.stderr
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.2 dev eth9 kind macvlan")
    line = cli.fails(2, "--acd", "fast", "--from", file, "pool", "dev", "take")
    assert "no address is free: 0 of 2 are taken, 2 more are in use" in line
    assert [one["local"] for one in loans(cli, file, "dev")] == ["10.0.1.3"]
    cli("--from", file, "pool", "dev", "release", "10.0.1.3")


def test_a_watcher_beside(cli: Command, tmp_path: Path) -> None:
    """It leaves what is lent alone, at its start too, and removes what is left at the end."""
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.9 dev eth9 kind macvlan")
    first = cli("--from", file, "pool", "dev", "take").strip()
    with watching(cli.namespace, tmp_path / "net", file) as watch:
        second = cli("--from", file, "pool", "dev", "take", "--lease", "1").strip()
        watch.says("its lease has expired, and it is removed")
        assert [one["local"] for one in cli.json()] == [first]
        assert second != first
        watch.end()
    assert cli("check", file) == ""
    cli.silent("reconcile", file)
    assert [one["local"] for one in loans(cli, file, "dev")] == [first]


def test_a_rollback_leaves_loans_alone(cli: Command, tmp_path: Path) -> None:
    """What was lent while a change waited for its confirmation is not of the former state, and
    nobody's mistake."""
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.9 dev eth9 kind macvlan", "eth9:0 10.9.0.1")
    before = cli("--from", file, "pool", "dev", "take").strip()
    assert cli.run("--confirm", "60", "reconcile", file).returncode == 0
    during = cli("--from", file, "pool", "dev", "take").strip()
    assert sorted(one["local"] for one in cli.json()) == sorted(["10.9.0.1", before, during])
    cli("rollback")
    assert sorted(one["local"] for one in cli.json()) == sorted([before, during])


def test_both_families_on_labels(cli: Command, tmp_path: Path) -> None:
    """The addresses stand, and go."""
    file = declared(
        tmp_path,
        "pool four 10.0.1.1-10.0.1.9/24 dev eth9 kind label",
        "pool six 2001:db8::1-9/64 dev eth9 kind label",
    )
    for name in ("four", "six"):
        address = cli("--from", file, "pool", name, "take", "--for", "a").strip()
        assert f" {address}/" in cli.namespace.ip("addr show dev eth9")
        assert cli("--from", file, "pool", name, "take", "--for", "a").strip() == address
        cli.silent("--from", file, "pool", name, "release", address)
        assert f" {address}/" not in cli.namespace.ip("addr show dev eth9")
    assert cli.json() == []


def test_a_user_without_rights(cli: Command, tmp_path: Path) -> None:
    """He may look, and takes nothing: his record would be another one."""
    file = declared(tmp_path, "pool web 10.0.1.1-10.0.1.9")
    address = cli("--from", file, "pool", "web", "take").strip()
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    line = [*weak, *COMMAND, "--from", file, "pool", "web"]
    done = cli.namespace.run([*line, "take"], check=False)
    if "setpriv" in done.stderr:
        pytest.skip("there is no setpriv here")
    assert done.returncode == 4
    assert done.stderr.startswith("netalias: changing addresses: Operation not permitted")
    assert address in cli.namespace.run([*line, "show"], check=False).stdout
    assert len(loans(cli, file, "web")) == 1


def test_a_reader_that_is_gone(cli: Command, tmp_path: Path) -> None:
    """Nobody has got the address, so it is given back."""
    file = declared(tmp_path, "pool dev 10.0.1.1-10.0.1.9 dev eth9 kind macvlan")
    line = f"exec {' '.join(COMMAND)} --from {file} pool dev take"
    for end in ("> /dev/full", ">&-"):
        done = cli.namespace.run(["sh", "-c", f"{line} {end}"], check=False)
        assert done.returncode == 2
        assert "standard output" in done.stderr
        assert (loans(cli, file, "dev"), cli.json()) == ([], [])
    line = f"{{ sleep 0.3; {line[5:]}; }} | :"
    cli.namespace.run(["bash", "-c", line])
    assert (loans(cli, file, "dev"), cli.json()) == ([], [])
