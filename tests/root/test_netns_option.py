"""Other namespaces: the option -n, and engines of the library."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, forget, lock_file, picture
from support import Namespace, veth_pair

import netalias
from netalias import errors
from netalias.system.netns import entered, held

THREAD = "/proc/thread-self/ns/net"


@pytest.fixture
def away(cli: Command) -> Iterator[Command]:
    """The command in an empty namespace; aliases are wished for in that of ``cli``."""
    namespace = Namespace()
    yield Command(namespace)
    forget(namespace)
    namespace.close()


@pytest.fixture
def named(netns: Namespace) -> Iterator[str]:
    """A name of ip-netns(8) for a new namespace with lo up."""
    name = f"netalias-{uuid.uuid4().hex[:12]}"
    made = netns.run(["ip", "netns", "add", name], check=False)
    if made.returncode:
        pytest.skip(f"ip netns add is not possible here: {made.stderr.strip()}")
    netns.run(["ip", "-n", name, "link", "set", "lo", "up"])
    yield name
    netns.run(["ip", "netns", "del", name])


def test_by_name(bare: Command, named: str) -> None:
    """-n NAME works in a namespace of ip-netns(8), and only there."""
    before = picture(bare.namespace)
    bare.silent("-n", named, "lo:0", "127.0.0.2")
    bare.silent(f"--netns={named}", "lo:1", "127.0.0.3")
    assert bare("-n", named, "-br", "show").split()[::3] == ["lo:0", "lo:1"]
    assert bare("-n", named, "lookup", "127.0.0.3") == "lo:1\n"
    assert bare() == ""
    bare.silent("-n", named, "lo:0-")
    inside = bare.namespace.run(["ip", "-n", named, "-o", "addr"]).stdout
    assert "127.0.0.3" in inside
    assert "127.0.0.2" not in inside
    assert picture(bare.namespace) == before


def test_by_path(cli: Command, away: Command) -> None:
    """-n takes a path as well; the alias is made there, and not here."""
    before = picture(away.namespace)
    path = cli.namespace.path
    away.silent("-n", path, "eth9:0", "200.1.1.1")
    assert cli.names() == ["eth9:0"]
    assert "eth9:0" in away("-n", path, "show")
    assert away() == ""
    away.silent("-n", path, "eth9:0-")
    assert cli.names() == []
    assert picture(away.namespace) == before


def test_unknown_name(bare: Command) -> None:
    """There is no such namespace: status 2, and nothing is done in this one."""
    before = picture(bare.namespace)
    bare.fails(2, "-n", "nobody-has-this-name", "lo:0", "127.0.0.2")
    bare.fails(2, "-n", "/nowhere/at/all", "lo:0", "127.0.0.2")
    bare.fails(2, "-n", "/proc/self/fd/999", "show")
    assert picture(bare.namespace) == before


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_name(bare: Command, name: str) -> None:
    """An empty name is an error; it must not mean this namespace."""
    before = picture(bare.namespace)
    bare.fails(1, "-n", name, "lo:0", "127.0.0.2")
    bare.fails(1, f"--netns={name}", "lo:0-")
    assert picture(bare.namespace) == before


def test_not_a_namespace(bare: Command, tmp_path: Path) -> None:
    """A file, a folder, a FIFO, a namespace of another type: one line, status 2, no waiting."""
    before = picture(bare.namespace)
    file = tmp_path / "file"
    file.touch()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    for path in (file, tmp_path, fifo, "/proc/self/ns/uts"):
        line = bare.fails(2, "-n", str(path), "lo:0", "127.0.0.2")
        assert "not a network namespace" in line
    assert picture(bare.namespace) == before


def test_each_namespace_has_its_lock(cli: Command, away: Command) -> None:
    """A lock that is held for one namespace does not hinder another."""
    away.namespace.raise_lo()
    away.silent("lo:0", "127.0.0.2")
    with lock_file(away.namespace).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        away.silent("--wait", "0", "-n", cli.namespace.path, "eth9:0", "200.1.1.1")
        away.fails(75, "--wait", "0", "lo:1", "127.0.0.3")
        cli.fails(75, "--wait", "0", "-n", away.namespace.path, "lo:1", "127.0.0.3")
    assert cli.names() == ["eth9:0"]


# The library


@pytest.fixture
def pair(cli: Command) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces, each with an eth9."""
    other, far = Namespace(), Namespace()
    veth_pair(other, far)
    yield cli.namespace, other
    forget(other, far)
    far.close()
    other.close()


def test_library_in_another_namespace(cli: Command) -> None:
    """netalias.open(netns=...) works there, and the thread is where it was."""
    home = os.stat(THREAD).st_ino
    with netalias.open(netns=cli.namespace.path) as engine:
        assert os.stat(THREAD).st_ino == home
        alias = engine.create("eth9:0", "200.1.1.1/24", "mtu", "1400")
        assert (str(alias.name), alias.prefixlen, alias.up) == ("eth9:0", 24, True)
        assert [str(one.name) for one in engine.show()] == ["eth9:0"]
        found = engine.lookup("200.1.1.1")
        assert found is not None
        assert found == engine.get("eth9:0")
        assert engine.lookup("200.1.1.2") is None
        assert cli.names() == ["eth9:0"]
        engine.delete("eth9:0")
        assert engine.show() == []
        with pytest.raises(errors.NoSuchDevice):
            engine.delete("eth9:0")
        with pytest.raises(errors.NoSuchDevice):
            engine.get("eth9:0")
    assert os.stat(THREAD).st_ino == home
    assert cli.names() == []


def test_library_in_the_namespace_of_the_thread(cli: Command) -> None:
    """Without a name it is the namespace in which the thread is when it opens the engine; an
    engine stays there when the thread goes elsewhere."""
    with cli.namespace:
        engine = netalias.open()
    with engine:
        engine.create("eth9:0", "200.1.1.1")
        engine.create("eth9:0", "200.1.1.2")
        assert [one.address for one in engine.show("eth9")] == [bytes([200, 1, 1, 2])]
    assert cli.one("eth9:0")["local"] == "200.1.1.2"


def test_two_engines_for_two_namespaces(pair: tuple[Namespace, Namespace]) -> None:
    """Two engines of one process do not mix their namespaces, changing in turn."""
    here, there = pair
    with netalias.open(netns=here.path) as one, netalias.open(netns=there.path) as two:
        one.create("eth9:0", "200.1.1.1")
        two.create("eth9:0", "200.1.1.2")
        two.create("eth9:1", "200.1.1.3")
        one.create("eth9:2", "2001:db8::5/64")
        assert [str(alias.name) for alias in one.show()] == ["eth9:0", "eth9:2"]
        assert [str(alias.name) for alias in two.show()] == ["eth9:0", "eth9:1"]
        assert one.lookup("200.1.1.2") is None
        assert two.lookup("200.1.1.2") is not None
        one.delete("eth9:0")
        assert len(two.show()) == 2
    assert Command(here).names() == ["eth9:2"]
    assert Command(there).names() == ["eth9:0", "eth9:1"]


def test_library_restores_the_thread_after_an_error(tmp_path: Path) -> None:
    """An unknown name, and what is no namespace, leave the thread where it was, and no
    descriptor behind."""
    home = os.stat(THREAD).st_ino
    file = tmp_path / "file"
    file.touch()
    before = len(os.listdir("/proc/self/fd"))
    for name in ("nobody-has-this-name", str(file), "/nowhere"):
        with pytest.raises(errors.NoSuchDevice):
            netalias.open(netns=name)
    with pytest.raises(errors.UsageError):
        netalias.open(netns="..")
    assert os.stat(THREAD).st_ino == home
    assert len(os.listdir("/proc/self/fd")) == before


def test_library_lock(cli: Command) -> None:
    """Two engines of one process exclude each other as two processes do; the wait is bounded."""
    with netalias.open(netns=cli.namespace.path, wait=0) as engine:
        engine.create("eth9:0", "200.1.1.1")
        with lock_file(cli.namespace).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(errors.LockBusy):
                engine.create("eth9:1", "200.1.1.2")
            assert len(engine.show()) == 1
        engine.create("eth9:1", "200.1.1.2")


def test_library_errors_change_nothing(cli: Command) -> None:
    """What is refused leaves everything as it was, and the engine goes on working."""
    with netalias.open(netns=cli.namespace.path) as engine:
        before = picture(cli.namespace)
        for words in (
            ("eth9:0", "200.1.1.256"),
            ("eth9:x", "200.1.1.1"),
            ("none9:0", "200.1.1.1"),
            ("eth9:0", "200.1.1.1", "mtu", "9000"),
            ("lo:0", "127.0.0.2", "kind", "macvlan"),
        ):
            with pytest.raises(netalias.NetaliasError):
                engine.create(*words)
        assert picture(cli.namespace) == before
        engine.create("eth9:0", "200.1.1.1")


@pytest.mark.parametrize("again", [False, True])
def test_the_former_state_comes_back_whatever_becomes_of_the_name(
    cli: Command, away: Command, tmp_path: Path, again: bool
) -> None:
    """--confirm: the guard knows the namespace when its name is gone, or that of another one."""
    name, file = tmp_path / "name", tmp_path / "declared"
    name.symlink_to(cli.namespace.path)
    file.write_text("eth9:0 10.0.0.1/32 kind label\n")
    done = away.run("-n", str(name), "--confirm", "600", "reconcile", str(file))
    assert done.returncode == 0, done
    name.unlink()
    if again:
        name.symlink_to(away.namespace.path)
    assert "1 change taken back" in cli("rollback")
    assert cli.names() == []


@pytest.mark.skipif(not shutil.which("ip"), reason="there is no ip(8) here")
def test_many_engines_leave_no_descriptor(cli: Command) -> None:
    """A hundred engines, opened and closed: as many descriptors as before."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        with netalias.open(netns=cli.namespace.path) as engine:
            engine.show()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_held_namespace(cli: Command, tmp_path: Path) -> None:
    """A path of it leads there when its name is another one's; what is none is refused by name."""
    name, other = tmp_path / "name", Namespace()
    name.symlink_to(cli.namespace.path)
    path = held(str(name))
    name.unlink()
    name.symlink_to(other.path)
    with entered(path):
        assert os.stat(THREAD).st_ino == cli.namespace.inode
    with entered(str(name)):
        assert os.stat(THREAD).st_ino == other.inode
    os.close(int(path.rpartition("/")[2]))
    other.close()
    with pytest.raises(errors.NoSuchDevice, match=str(tmp_path)):
        held(str(tmp_path / "none"))
