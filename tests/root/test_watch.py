"""``netalias watch``: what follows from what happens to main devices, aliases and files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path
from select import select

import pytest
from command import COMMAND, SECONDS, Command, ip_json, wait_for_state
from support import Namespace, until
from watcher import Events, watching

import netalias
from netalias.model.events import ARRIVAL, DEPARTURE, FLAG
from netalias.system import inotify
from netalias.system.inotify import Followed
from netalias.watch.settings import Settings
from netalias.watch.watcher import Watcher

IN_CLOSE_NOWRITE = 0x010
"""linux/inotify.h: the watcher closes a lock file that it has opened for reading."""
UNDO = """
import os, subprocess, sys
from netalias.kernel.netlink import Netlink
from netalias.model.steps import DelAddress
kernel = Netlink()
print(flush=True)
for _ in sys.stdin:
    snapshot = kernel.snapshot()
    main = snapshot.device("eth9")
    for entry in snapshot.on(main.index):
        if entry.label == "eth9:0":
            kernel.send([DelAddress("eth9", main.index, entry)])
    print(flush=True)
"""
"""Deletes the address of a label whenever a line comes, as one process all the time."""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file of two aliases of two kinds."""
    return written(tmp_path, "eth9:0 10.0.0.1/32 kind macvlan\neth9:1 10.0.0.2/32 kind label\n")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Where the texts go."""
    return tmp_path / "net"


@pytest.fixture
def events(cli: Command) -> Iterator[Events]:
    """The events of the namespace."""
    found = Events(cli.namespace)
    yield found
    found.close()


def written(folder: Path, text: str) -> Path:
    """A file of declarations."""
    file = folder / "netalias.conf"
    file.write_text(text)
    file.chmod(0o644)
    return file


def link_names(namespace: Namespace) -> set[str]:
    """The primary names of all devices."""
    return set(namespace.names())


# The beginning and the end


def test_what_is_declared_is_made(cli: Command, conf: Path, texts: Path) -> None:
    """The texts tell of it, the socket too, and so does the kernel."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows("eth9:0", "eth9:1")
        assert cli.names() == ["eth9:0", "eth9:1"]
        assert watch.ask("aliases") == (texts / "aliases").read_text()
        assert watch.ask("alias_types") == (texts / "alias_types").read_text()
        answered = [one["altname"] for one in json.loads(watch.ask("json"))]
        assert answered == ["eth9:0", "eth9:1"]


def test_what_is_not_declared_any_more_goes(cli: Command, conf: Path, texts: Path) -> None:
    """At the beginning, as in a reconciliation."""
    cli.silent("eth9:7", "10.0.0.7")
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows("eth9:0", "eth9:1")


def test_without_declarations_nothing_goes(cli: Command, tmp_path: Path, texts: Path) -> None:
    """No declaration is no order to remove anything; it is told, once."""
    cli.silent("eth9:7", "10.0.0.7")
    file = written(tmp_path, "")
    with watching(cli.namespace, texts, str(file)) as watch:
        watch.shows("eth9:7")
        watch.says(f"warning: nothing is declared in {file} yet: no alias is kept")


def test_a_second_one_is_told_of_the_first(cli: Command, conf: Path, texts: Path) -> None:
    """It ends at once, and names the pid."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        line = cli.fails(2, "watch", "--texts", f"{texts}2", str(conf))
        assert f"pid {watch.process.pid}" in line
        watch.shows("eth9:0", "eth9:1")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it(cli: Command, conf: Path, texts: Path, number: int, status: int) -> None:
    """The aliases stay."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        assert watch.end(number) == status
    assert cli.names() == ["eth9:0", "eth9:1"]
    assert not Path(f"{texts}.sock").exists()


def test_texts_in_the_working_folder(
    cli: Command, conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket stands beside them."""
    monkeypatch.chdir(tmp_path)
    with watching(cli.namespace, Path("net"), str(conf)) as watch:
        watch.shows("eth9:0", "eth9:1")
        assert watch.ask("aliases") == Path("net/aliases").read_text()


def test_without_a_socket_it_watches(cli: Command, conf: Path) -> None:
    """Something else stands in the usual place of it: that is no reason to let aliases go."""
    private = ["unshare", "-m", "sh", "-ec", 'mount -t tmpfs tmpfs /run; "$@"', "sh"]
    if cli.namespace.run([*private, "true"], check=False).returncode:
        pytest.skip("no private /run can be made here")
    private[4] = 'mount -t tmpfs tmpfs /run; mkdir -p /run/netalias/net.sock; exec "$@"'
    words = [*private, *COMMAND, "watch", str(conf)]
    with cli.namespace.start(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert "no socket: /run/netalias/net.sock: " in process.stderr.readline()
            until(lambda: cli.names() == ["eth9:0", "eth9:1"])
            process.terminate()
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()


def test_a_signal_does_not_wait_for_other_hosts(cli: Command, tmp_path: Path, texts: Path) -> None:
    """A conflict check of seven seconds is broken off, and nothing half-made is left."""
    conf = written(tmp_path, "eth9:0 10.0.0.1/32 kind macvlan acd rfc\n")
    with watching(cli.namespace, texts, str(conf), ready=False) as watch:
        until(lambda: Path(f"{texts}.sock").exists())
        until(lambda: sockets(watch.process.pid) > 0)
        assert watch.end() == 0
        assert "eth9_0" not in link_names(cli.namespace)


def sockets(pid: int) -> int:
    """How many packet sockets a process has."""
    mine = {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()}
    rows = Path(f"/proc/{pid}/net/packet").read_text().splitlines()[1:]
    return sum(f"socket:[{row.split()[-1]}]" in mine for row in rows)


def test_the_texts_of_another_namespace(cli: Command, conf: Path) -> None:
    """With -n they stand in the folder of that namespace: the usual one is not its."""
    away = Namespace()
    words = [*COMMAND, "-n", cli.namespace.path, "watch", str(conf)]
    process = away.start(words, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert any("watching: " in line for line in process.stderr)
        (found,) = Path("/run/netalias").glob(f"{cli.namespace.inode}/net/aliases")
        assert "eth9:0 " in found.read_text()
        claim = Path("/run/netalias/net/.namespace")
        assert not claim.exists() or int(claim.read_text()) != cli.namespace.inode
    finally:
        process.terminate()
        process.communicate()
        away.close()


def test_release(cli: Command, conf: Path, texts: Path) -> None:
    """Declared aliases go with the watcher, those of others stay; so does the truth of the
    texts."""
    with watching(cli.namespace, texts, "--release", str(conf)) as watch:
        cli.silent("eth9:7", "10.0.0.7")
        watch.shows("eth9:0", "eth9:7", "eth9:1")
        assert watch.end() == 0
        assert watch.aliases() == ["eth9:7"]
    assert cli.names() == ["eth9:7"]


def test_after_a_kill_the_next_one_finds_the_world(cli: Command, conf: Path, texts: Path) -> None:
    """Nothing keeps the next one from beginning, and what happened meanwhile is put right."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        assert watch.end(signal.SIGKILL) == -signal.SIGKILL
    cli.namespace.ip("link del eth9_0")
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows("eth9:0", "eth9:1")


def test_a_file_that_changes_while_it_begins(
    cli: Command, conf: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read before the lock is asked for, and again."""
    monkeypatch.setattr(inotify, "CONTENT", inotify.CONTENT | IN_CLOSE_NOWRITE)
    cli("reconcile", "-q", str(conf))
    path = f"/run/netalias/{cli.namespace.inode}/lock"
    with open(path, "rb") as lock, Followed() as tries:
        flock(lock, LOCK_EX)
        tries.follow([path])
        with watching(cli.namespace, texts, str(conf), ready=False) as watch:
            assert select([tries.fileno()], [], [], SECONDS)[0]
            conf.write_text("eth9:4 10.0.0.4\n" + conf.read_text())
            flock(lock, LOCK_UN)
            watch.says("watching: ")
            watch.shows("eth9:0", "eth9:4", "eth9:1")


def test_what_cannot_begin_leaves_the_texts_as_they_are(
    cli: Command, conf: Path, texts: Path
) -> None:
    """They are true, and it knows nothing yet."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows("eth9:0", "eth9:1")
        watch.end()
    text = (texts / "aliases").read_text()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{texts}.sock")
        other.listen()
        assert ".sock" in cli.fails(2, "watch", "--texts", str(texts), str(conf))
    assert (texts / "aliases").read_text() == text


def test_wrong_files_keep_it_from_beginning(cli: Command, tmp_path: Path, texts: Path) -> None:
    """With the place of the error, as in check; nothing is changed."""
    done = cli.run("watch", "--texts", str(texts), str(written(tmp_path, "eth9:0 10.0.0.300\n")))
    assert done.returncode == 1
    assert "netalias.conf:1:8" in done.stderr
    assert cli.names() == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--on-down", "maybe"], "one of free, keep is needed"),
        (["--dry-run"], "--dry-run"),
        (["-"], "standard input"),
        (["--confirm", "5"], "--confirm belongs to"),
    ],
)
def test_words_that_mean_nothing_here(cli: Command, words: list[str], part: str) -> None:
    """Are refused before anything is done."""
    assert part in cli.fails(1, "watch", *words)


def test_without_the_right_to_change_anything(cli: Command, conf: Path, texts: Path) -> None:
    """It ends at once: nothing could be kept."""
    words = ["watch", "--texts", str(texts), str(conf)]
    done = cli.namespace.run(
        ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", *COMMAND, *words],
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "CAP_NET_ADMIN" in done.stderr


# Healing


@pytest.mark.parametrize(
    ("undo", "name", "repair"),
    [
        ("link del eth9_0", "eth9:0", " was removed"),
        ("link set eth9_0 down", "eth9:0", ": set up"),
        ("link property del dev eth9_0 altname eth9:0", "eth9:0", ": altname put back"),
        ("link set eth9_0 alias other", "eth9:0", ": ifalias put back"),
        ("link set eth9_0 mtu 1300", "eth9:0", ": mtu put back"),
        ("addr flush dev eth9_0", "eth9:0", ": address put back"),
        ("addr del 10.0.0.2/32 dev eth9", "eth9:1", " was removed"),
    ],
)
def test_what_others_undo_is_put_right(
    cli: Command, conf: Path, texts: Path, undo: str, name: str, repair: str
) -> None:
    """And the journal says what was done, once."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        before = cli.one(name)
        cli.namespace.ip(undo)
        watch.says(name + repair)
        cli.silent("check", str(conf))
        after = cli.one(name)
        for key in ("altname", "local", "kind", "state"):
            assert after[key] == before[key]
        watch.end(signal.SIGTERM)
        assert sum(name + repair in line for line in watch.said) == 1


def test_a_device_that_lost_our_mark(cli: Command, conf: Path, texts: Path) -> None:
    """Is not ours any more, and nobody touches it; when its name is free the alias comes back."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link set eth9_0 group 0")
        watch.shows("eth9:1")
        watch.says("eth9:0")
        cli.namespace.ip("link del eth9_0")
        watch.shows("eth9:0", "eth9:1")


def test_nobody_else_is_touched(cli: Command, tmp_path: Path, texts: Path, events: Events) -> None:
    """One of forty goes and comes back; of the others nothing is announced."""
    conf = written(tmp_path, "eth9:0-39 10.0.0.1/32+ kind macvlan\n")
    with watching(cli.namespace, texts, str(conf)):
        until(lambda: len(cli.names()) == 40)
        events.until(lambda found: sum(one.what == ARRIVAL for one in found) == 40)
        mark = Events(cli.namespace)
        cli.namespace.ip("link del eth9_7")
        found = mark.until(
            lambda seen: any(one.what == FLAG and one.field == "UP" and one.new for one in seen)
        )
        mark.close()
        names = {one.device.name for one in found if one.device is not None}
        assert names - {"eth9"} == {"eth9_7"}


def test_an_alias_of_a_network_comes_back(cli: Command, tmp_path: Path, texts: Path) -> None:
    """With its route."""
    conf = written(tmp_path, "eth9:0 10.1.0.1/24\neth9:1 10.1.0.2/24\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link del eth9_0")
        watch.says("eth9:0 was removed")
        cli.silent("check", str(conf))


def test_heal_off(cli: Command, tmp_path: Path, texts: Path) -> None:
    """An alias marked so stays as others leave it, until the main device comes up again."""
    conf = written(
        tmp_path, "eth9:0 10.0.0.1/32 kind label heal off\neth9:1 10.0.0.2/32 kind label\n"
    )
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("addr del 10.0.0.1/32 dev eth9")
        cli.namespace.ip("addr del 10.0.0.2/32 dev eth9")
        watch.says("eth9:1 was removed")
        watch.shows("eth9:1")
        cli.namespace.ip("link set eth9 down")
        watch.shows()
        cli.namespace.ip("link set eth9 up")
        watch.shows("eth9:0", "eth9:1")


def test_what_is_undone_again_and_again(cli: Command, tmp_path: Path, texts: Path) -> None:
    """It takes longer and longer to come back, and the process that does it is named."""
    conf = written(tmp_path, "eth9:0 10.0.0.1/32 kind label\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        other = cli.namespace.start(
            [sys.executable, "-c", UNDO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdin is not None
        other.line()
        try:
            while "keeps undoing it" not in watch.said[-1]:
                other.stdin.write("\n")
                other.stdin.flush()
                other.line()
                watch.says("eth9:0")
        finally:
            other.kill()
            other.wait()
        line = watch.said[-1]
        assert f"(pid {other.pid}) keeps undoing it: next try in 1 s" in line
        assert sum("was removed by" in one for one in watch.said) == 5
        watch.says("eth9:0 was removed: put right")


def test_whoever_undoes_it_in_a_container(cli: Command, tmp_path: Path, texts: Path) -> None:
    """Has another number inside, which is that of somebody else outside."""
    conf = written(tmp_path, "eth9:0 10.0.0.1/32 kind label\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        other = cli.namespace.start(
            ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", UNDO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdin is not None
        other.line()
        try:
            other.stdin.write("\n")
            other.stdin.flush()
            line = watch.says("eth9:0 was removed")
            inside = Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text().strip()
            assert line.endswith(f" (pid {inside}): put right")
        finally:
            other.kill()
            other.wait()


def test_another_run_at_work(cli: Command, conf: Path, texts: Path) -> None:
    """The watcher does not wait for it: readers are answered, and the repair is made
    when the lock is free."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        with open(f"/run/netalias/{cli.namespace.inode}/lock", "rb") as lock:
            flock(lock, LOCK_EX)
            cli.namespace.ip("link del eth9_0")
            watch.shows("eth9:1")
            assert "eth9:0" not in watch.ask("aliases")
        watch.shows("eth9:0", "eth9:1")
        assert watch.end() == 0


def test_an_altname_of_the_main_device(cli: Command, tmp_path: Path, texts: Path) -> None:
    """Aliases may be declared by it, of every kind."""
    cli.namespace.ip("link property add dev eth9 altname lan")
    conf = written(tmp_path, "lan:0 10.0.0.1/32 kind macvlan\nlan:1 10.0.0.2/32 kind label\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link del eth9_0")
        watch.says("eth9:0 was removed")
        cli.namespace.ip("addr del 10.0.0.2/32 dev eth9")
        watch.says("eth9:1 was removed")
        cli.silent("check", str(conf))


def test_an_ipv6_alias_that_is_kept(cli: Command, tmp_path: Path, texts: Path) -> None:
    """The kernel drops addresses of a device that goes down; they are back when it is up."""
    conf = written(
        tmp_path,
        "eth9:0 fd00::1 kind macvlan on-down keep\neth9:1 fd00::2 kind label on-down keep\n",
    )
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link set eth9 down")
        watch.shows("eth9:0")
        cli.namespace.ip("link set eth9 up")
        watch.shows("eth9:0", "eth9:1")
        until(lambda: cli.run("check", str(conf)).returncode == 0)


def test_an_alias_made_by_hand_stays(cli: Command, conf: Path, texts: Path) -> None:
    """Events put right what is wished; what is not wished is nobody's business until the files are
    read again."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.silent("eth9:7", "10.0.0.7")
        cli.namespace.ip("link del eth9_0")
        watch.shows("eth9:0", "eth9:7", "eth9:1")
        cli.namespace.ip("link set eth9 mtu 1400")
        until(lambda: ip_json(cli.namespace, "link show dev eth9_7")[0]["mtu"] == 1400)
        assert "eth9:7" in cli.names()
        watch.process.send_signal(signal.SIGHUP)
        watch.shows("eth9:0", "eth9:1")


def test_the_texts_have_the_order_of_the_kernel(cli: Command, tmp_path: Path, texts: Path) -> None:
    """Its list of IPv6 addresses begins with the newest."""
    conf = written(
        tmp_path,
        "eth9:0-2 2001:db8::1/128+ kind label\neth9:5-6 10.0.0.5/24+ kind label\n"
        "eth9:8 10.1.0.1/32 kind label\n",
    )
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    with watching(cli.namespace, texts, str(conf)) as watch:

        def same() -> bool:
            return watch.ask("aliases") == cli("cat", "aliases")

        until(same)
        for words in ("2001:db8::2/128", "10.0.0.5/32", "10.1.0.1/32"):
            cli.namespace.ip(f"addr del {words} dev eth9")
            watch.says("was removed")
            until(same)


# Main devices


def test_a_main_device_goes_down(cli: Command, conf: Path, texts: Path, events: Events) -> None:
    """S38, S39: its aliases are freed after it, in chain order; the text has its header only."""
    more = conf.read_text() + "eth9:5 10.0.0.5/32\neth9:3 10.0.0.3/32\n"
    conf.write_text(more)
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows("eth9:0", "eth9:5", "eth9:3", "eth9:1")
        cli.namespace.ip("link set eth9 down")
        watch.shows()
        found = events.until(lambda seen: sum(one.what == DEPARTURE for one in seen) == 3)
        gone = [one.device.name for one in found if one.what == DEPARTURE and one.device]
        assert gone == ["eth9_0", "eth9_5", "eth9_3"]
        assert cli.names() == []
        assert watch.says("freed").endswith(" netalias: eth9 is down: 4 aliases freed")


def test_they_come_back_only_if_they_are_wished(cli: Command, conf: Path, texts: Path) -> None:
    """S40."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.silent("eth9:7", "10.0.0.7")
        watch.shows("eth9:0", "eth9:7", "eth9:1")
        cli.namespace.ip("link set eth9 down")
        watch.shows()
        cli.namespace.ip("link set eth9 up")
        watch.shows("eth9:0", "eth9:1")
        cli.silent("check", str(conf))


def test_settings_go_back_with_the_last_alias(cli: Command, conf: Path, texts: Path) -> None:
    """Settings of the main device are as they were."""
    path = "/proc/sys/net/ipv4/conf/eth9/arp_announce"
    with watching(cli.namespace, texts, str(conf)) as watch:
        assert cli.namespace.run(["cat", path]).stdout == "2\n"
        cli.namespace.ip("link set eth9 down")
        watch.shows()
        assert cli.namespace.run(["cat", path]).stdout == "0\n"


def test_on_down_keep(cli: Command, conf: Path, texts: Path) -> None:
    """As a word it is for one alias, as an option for all that do not say it."""
    conf.write_text(
        "eth9:0 10.0.0.1/32 on-down keep\neth9:1 10.0.0.2/32\neth9:2 10.0.0.3/32 on-down free\n"
    )
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link set eth9 down")
        watch.shows("eth9:0")
        watch.end()
    cli.namespace.ip("link set eth9 up")
    with watching(cli.namespace, texts, "--on-down", "keep", str(conf)) as watch:
        cli.namespace.ip("link set eth9 down")
        watch.shows("eth9:0", "eth9:1")


def test_one_that_is_down_at_the_beginning(cli: Command, conf: Path, texts: Path) -> None:
    """Has no aliases, as if it went down now; the next one up has them."""
    cli("reconcile", "-q", str(conf))
    cli.namespace.ip("link set eth9 down")
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.shows()
        cli.namespace.ip("link set eth9 up")
        watch.shows("eth9:0", "eth9:1")


def test_a_main_device_is_deleted_and_made_again(cli: Command, conf: Path, texts: Path) -> None:
    """S34: its aliases go with it; a new one of its name gets what is wished."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.namespace.ip("link del eth9")
        watch.shows()
        cli.namespace.ip("link add eth9 type bridge")
        cli.namespace.ip("link set eth9 up")
        watch.shows("eth9:0", "eth9:1")


def test_a_main_device_moves_to_another_namespace(cli: Command, conf: Path, texts: Path) -> None:
    """Its aliases here are gone, and come back with it."""
    away = Namespace()
    try:
        with watching(cli.namespace, texts, str(conf)) as watch:
            cli.namespace.ip(f"link set eth9 netns {away.path}")
            watch.shows()
            assert link_names(cli.namespace) == {"lo"}
            away.ip(f"link set eth9 netns {cli.namespace.path}")
            cli.namespace.ip("link set eth9 up")
            watch.shows("eth9:0", "eth9:1")
            cli.silent("check", str(conf))
    finally:
        away.close()


def test_devices_that_are_no_matter_of_ours(
    cli: Command, conf: Path, texts: Path, events: Events
) -> None:
    """Come and go, up and down, and nobody says a word."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        for _ in range(3):
            cli.namespace.ip("link add br7 type bridge")
            cli.namespace.ip("link set br7 up")
            cli.namespace.ip("addr add 192.0.2.1/24 dev br7")
            cli.namespace.ip("link set br7 down")
            cli.namespace.ip("link set br7 name br8")
            cli.namespace.ip("link del br8")
        count = len(watch.said)
        assert watch.end() == 0
        assert watch.process.stderr is not None
        assert watch.process.stderr.read() == ""
        assert len(watch.said) == count


def test_what_happened_while_it_slept(cli: Command, tmp_path: Path, texts: Path) -> None:
    """More than its buffer holds, or not: afterwards the world is as it is wished."""
    conf = written(tmp_path, "eth9:0-99 10.0.0.1/32+ kind label\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.process.send_signal(signal.SIGSTOP)
        batch = "".join(f"addr del 10.0.0.{slot + 1}/32 dev eth9\n" for slot in range(100))
        batch += "".join(
            f"addr {verb} 10.9.{one >> 8}.{one & 255}/32 dev lo\n"
            for one in range(1, 2000)
            for verb in ("add", "del")
        )
        cli.namespace.run(["ip", "-batch", "-"], input=batch)
        watch.process.send_signal(signal.SIGCONT)
        until(lambda: cli.run("check", str(conf)).returncode == 0)
        watch.shows(*(f"eth9:{slot}" for slot in range(100)))


# Files


def replaced(conf: Path, text: str) -> None:
    """Another file takes its name."""
    draft = conf.with_suffix(".new")
    draft.write_text(text)
    draft.rename(conf)


def test_half_a_file_is_no_wish(cli: Command, conf: Path, texts: Path) -> None:
    """While it is being written the previous declarations stay in force."""
    first, second = conf.read_text().splitlines(keepends=True)
    with watching(cli.namespace, texts, str(conf)) as watch:
        with conf.open("w") as file:
            for line in (first, second, "eth9:2 10.0.0.3/32 kind label\n"):
                file.write(line)
                file.flush()
                with pytest.raises(AssertionError):
                    until(lambda: cli.names() != ["eth9:0", "eth9:1"], seconds=0.2)
        watch.shows("eth9:0", "eth9:1", "eth9:2")
        assert sum("read again" in line for line in watch.said) <= 1


@pytest.mark.parametrize("write", [Path.write_text, replaced])
def test_a_changed_file_is_read_again(
    cli: Command, conf: Path, texts: Path, write: Callable[[Path, str], object]
) -> None:
    """Whether it was written to or replaced; aliases that are not in it any more go."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        write(conf, "eth9:1 10.0.0.2/32 kind label\neth9:2 10.0.0.3/32\n")
        watch.shows("eth9:2", "eth9:1")


def test_a_wrong_file_changes_nothing(cli: Command, conf: Path, texts: Path) -> None:
    """The error has its place, the previous declarations stay, and a mended file counts."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        good = conf.read_text()
        conf.write_text(good + "eth9:9 nonsense\n")
        watch.says("netalias.conf:3:")
        watch.says("the previous declarations stay in force")
        cli.namespace.ip("link del eth9_0")
        watch.says("eth9:0 was removed")
        watch.shows("eth9:0", "eth9:1")
        conf.write_text(good + "eth9:9 10.0.0.9\n")
        watch.shows("eth9:0", "eth9:9", "eth9:1")


def test_a_fifo_in_its_place_is_not_waited_for(cli: Command, conf: Path, texts: Path) -> None:
    """The previous declarations stay, aliases are put back, and a file that follows counts."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        good = conf.read_text()
        conf.unlink()
        os.mkfifo(conf)
        watch.says("not a regular file")
        cli.namespace.ip("link del eth9_0")
        watch.says("eth9:0 was removed")
        replaced(conf, good + "eth9:9 10.0.0.9\n")
        watch.shows("eth9:0", "eth9:9", "eth9:1")


def test_a_folder_that_is_gone(
    cli: Command, conf: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is found again though it was named from a working folder that is no more."""
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with watching(cli.namespace, texts, "../netalias.conf") as watch:
        folder.rmdir()
        conf.write_text(conf.read_text() + "eth9:9 10.0.0.9\n")
        watch.shows("eth9:0", "eth9:9", "eth9:1")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IndexError("nothing there"), "this is a bug in netalias: IndexError"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_a_bug_ends_nothing(
    cli: Command,
    conf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    """Neither while files are read again nor while events are acted on; memory may come back."""

    def fail(*_: object) -> None:
        raise error

    with cli.namespace:
        watcher = Watcher(Settings([str(conf)], private_texts=True), netalias.open())
        monkeypatch.setattr(watcher.reloading._files, "parsed", fail)
        monkeypatch.setattr(watcher.controller, "act", fail)
        watcher.controller.touched = False
        with Followed() as watcher.reloading._followed:
            watcher._reload(forced=True)
            watcher._act()
        assert (watcher.reloading.due(0.0) is not None) == isinstance(error, MemoryError)
        watcher.monitor.close()
    lines = capfd.readouterr().err.splitlines()
    assert sum(said in line for line in lines) == 2
    assert sum("stay in force" in line for line in lines) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_no_order(cli: Command, conf: Path, texts: Path, text: str) -> None:
    """Nothing goes, and what was declared before is still healed; with --allow-empty everything
    goes."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        replaced(conf, text)
        watch.says("nothing is declared any more")
        watch.says("the previous declarations stay in force")
        cli.namespace.ip("link del eth9_0")
        watch.shows("eth9:0", "eth9:1")
        watch.end()
    with watching(cli.namespace, texts, "--allow-empty", str(conf)) as watch:
        watch.shows()


def test_a_file_that_is_gone_keeps_its_wishes(cli: Command, conf: Path, texts: Path) -> None:
    """It may be about to be written again."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        text = conf.read_text()
        conf.unlink()
        watch.says("the previous declarations stay in force")
        watch.shows("eth9:0", "eth9:1")
        conf.write_text(text.replace("eth9:1 ", "eth9:4 "))
        watch.shows("eth9:0", "eth9:4")


def test_what_waits_for_a_confirmation_is_left_alone(
    cli: Command, conf: Path, texts: Path, tmp_path: Path
) -> None:
    """The watcher does not undo the change, and goes on when it is decided."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        other = tmp_path / "other.conf"
        other.write_text("eth9:1 10.0.0.2/32 kind label\neth9:4 10.0.0.4/32\n")
        other.chmod(0o644)
        assert cli.run("reconcile", "--confirm", "60", str(other)).returncode == 0
        watch.says("waits for its confirmation")
        assert cli.names() == ["eth9:4", "eth9:1"]
        cli.silent("confirm")
        watch.says("eth9:0 was removed")
        watch.shows("eth9:0", "eth9:4", "eth9:1")


def test_a_guard_that_is_killed(cli: Command, conf: Path, texts: Path, tmp_path: Path) -> None:
    """Nothing waits any more: the watcher goes on, though the file of the guard stays behind."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        other = tmp_path / "other.conf"
        other.write_text("eth9:1 10.0.0.2/32 kind label\neth9:4 10.0.0.4/32\n")
        other.chmod(0o644)
        assert cli.run("reconcile", "--confirm", "60", str(other)).returncode == 0
        watch.says("waits for its confirmation")
        pending = Path(f"/run/netalias/{cli.namespace.inode}/pending")
        pid = int(pending.read_text().split()[1])
        os.kill(pid, signal.SIGKILL)
        watch.says("eth9:0 was removed")
        watch.shows("eth9:0", "eth9:4", "eth9:1")
        assert pending.exists()


# Around


def test_published_addresses_come_back(cli: Command, conf: Path, texts: Path) -> None:
    """The kernel forgets them when the device goes down, or loses its last IPv4 address."""
    with watching(cli.namespace, texts, str(conf)):
        cli("publish", "-q", "10.7.0.1", "dev", "eth9")
        cli.namespace.ip("link set eth9 down")
        assert "10.7.0.1" not in cli.namespace.ip("neigh show proxy")
        cli.namespace.ip("link set eth9 up")
        until(lambda: "10.7.0.1 dev eth9 proxy" in cli.namespace.ip("neigh show proxy"))
        for own in cli.namespace.ip("-4 -o addr show dev eth9").split("\n"):
            if "inet" in own:
                cli.namespace.ip(f"addr del {own.split()[3]} dev eth9")
        cli.namespace.ip("addr add 192.0.2.1/24 dev eth9")
        until(lambda: "10.7.0.1 dev eth9 proxy" in cli.namespace.ip("neigh show proxy"))
        cli.namespace.ip("link set eth9 down")
        cli("unpublish", "10.7.0.1")
        cli.namespace.ip("link set eth9 up")
        wait_for_state(cli.namespace, "eth9", "UP")
        assert "10.7.0.1" not in cli.namespace.ip("neigh show proxy")


def test_a_carrier_that_comes_back_is_greeted(
    cli: Command, conf: Path, texts: Path, peer: Namespace
) -> None:
    """The peer has forgotten everything, and learns it without asking."""
    peer.ip("addr add 10.0.0.99/24 dev p9")
    with peer:
        Path("/proc/sys/net/ipv4/conf/p9/arp_accept").write_text("1")
    with watching(cli.namespace, texts, str(conf)) as watch:
        peer.ip("link set p9 down")
        wait_for_state(cli.namespace, "eth9", "DOWN")
        peer.ip("link set p9 up")
        watch.says("the carrier is back: 2 addresses announced")
        until(lambda: "10.0.0.2 " in peer.ip("neigh show dev p9"))


def test_a_lease_that_ran_out_meanwhile(
    cli: Command, tmp_path: Path, texts: Path, events: Events
) -> None:
    """It is made again, and nobody is said to have taken it away."""
    conf = written(tmp_path, "eth9:0 10.0.0.1/32 kind macvlan lease 2\n")
    with watching(cli.namespace, texts, str(conf)) as watch:
        watch.process.send_signal(signal.SIGSTOP)
        events.until(lambda seen: any(one.what == "address" and one.new is None for one in seen))
        watch.process.send_signal(signal.SIGCONT)
        watch.says("the lease of eth9:0 had run out: put right")
        cli.silent("check", str(conf))


def test_what_is_left_of_a_lease_of_others_goes(cli: Command, conf: Path, texts: Path) -> None:
    """Nobody renews it, and the watcher does not either: it only takes the device away."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        cli.silent("eth9:7", "10.0.0.7", "lease", "1")
        watch.says("eth9:7: its lease has expired, and it is removed")
        watch.shows("eth9:0", "eth9:1")
        assert "eth9_7" not in link_names(cli.namespace)


def test_no_descriptor_and_no_child_is_left(cli: Command, conf: Path, texts: Path) -> None:
    """However often the carrier comes back and aliases are put right."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        folder = f"/proc/{watch.process.pid}/fd"

        def undo() -> int:
            cli.namespace.ip("link del eth9_0")
            watch.says("eth9:0 was removed")
            return len(os.listdir(folder))

        first = undo()  # perhaps with descriptors that it is about to close
        for _ in range(3):
            undo()
        until(lambda: len(os.listdir(folder)) <= first)
        children = Path(f"/proc/{watch.process.pid}/task/{watch.process.pid}/children")
        until(lambda: children.read_text() == "")


def test_a_namespace_keeps_its_watcher(cli: Command, conf: Path, texts: Path) -> None:
    """Another one that gets its name meanwhile is left alone, and nothing is amiss."""
    name, other = texts.with_name("blue"), Namespace()
    name.symlink_to(cli.namespace.path)
    with watching(other, texts, "-n", str(name), str(conf)) as watch:
        name.unlink()
        cli.namespace.ip("link del eth9_0")
        until(lambda: "eth9_0" in cli.namespace.names())
        name.symlink_to(other.path)
        cli.namespace.ip("link del eth9_0")
        until(lambda: "eth9_0" in cli.namespace.names())
        watch.shows("eth9:0", "eth9:1")
        assert watch.end() == 0
        assert watch.process.stderr is not None
        watch.said += watch.process.stderr.read().splitlines()
        assert not [line for line in watch.said if "netns" in line or "not announced" in line]
    other.close()
