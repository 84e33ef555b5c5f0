"""As a service of an ordinary user with CAP_NET_ADMIN and CAP_NET_RAW and nothing else."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import COMMAND, Command, forget, ip_json
from support import PATIENCE, SLOW, Namespace, until

from netalias import runtime as runtime_directory
from netalias.runtime import instance

pytestmark = pytest.mark.long

USER = 65534
BOTH = "net_admin,net_raw"
REPO = Path(__file__).parents[2]
MAIN = "from netalias.cli import program; program()"


def can(words: list[str]) -> bool:
    """Whether the ordinary user can run this at all."""
    try:
        return (
            subprocess.run([*as_user(""), *words], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def as_user(capabilities: str) -> list[str]:
    """setpriv(1): another user with these capabilities, which also what it executes has."""
    sets = "-all" + "".join(f",+{name}" for name in capabilities.split(",") if name)
    return [
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs",
        f"--inh-caps={sets}", f"--ambient-caps={sets}", f"--bounding-set={sets}",
    ]  # fmt: skip


@functools.cache
def interpreter() -> str:
    """One that the ordinary user may execute and that runs this code, or empty."""
    old = "import sys; sys.exit(sys.version_info < (3, 10))"
    found = (sys.executable, shutil.which("python3", path="/usr/bin"))
    return next((one for one in found if one and can([one, "-c", old])), "")


class Service(Command):
    """``netalias`` as the ordinary user."""

    def __init__(self, namespace: Namespace, python: str, code: Path, capabilities: str) -> None:
        super().__init__(namespace)
        self.words = [
            "env", "-u", "XDG_RUNTIME_DIR", f"PYTHONPATH={code}", *as_user(capabilities), python,
            "-B", "-c", MAIN,
        ]  # fmt: skip

    def run(self, *words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        return self.namespace.run([*self.words, *words], check=False, input=input)


@contextmanager
def readable() -> Iterator[Path]:
    """A folder in which everybody may read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def sources() -> Iterator[Path]:
    """The sources where everybody may read them, and nobody writes."""
    with readable() as folder:
        for package in ("netalias", "procfs"):
            ignored = shutil.ignore_patterns("*.pyc")
            shutil.copytree(REPO / package, folder / package, ignore=ignored)
        subprocess.run(["chmod", "-R", "a+rX,a-w", str(folder)], check=True)
        yield folder


@pytest.fixture
def code(sources: Path) -> Iterator[Path]:
    """A folder with the sources, of this test alone, where everybody may read."""
    with readable() as folder:
        for package in sources.iterdir():
            (folder / package.name).symlink_to(package)
        yield folder


@pytest.fixture
def runtime() -> Iterator[Path]:
    """/run/netalias, which is the ordinary user's for the time of the test."""
    if os.geteuid() != 0 or not shutil.which("setpriv") or not can(["true"]):
        pytest.skip("no process of another user can be made here")
    path = Path(runtime_directory.SYSTEM)
    try:
        path.mkdir(exist_ok=True)
        before = path.stat().st_uid
        os.chown(path, USER, USER)
    except OSError as error:
        pytest.skip(f"{path}: {error.strerror}")
    there = set(path.iterdir())
    yield path
    for left in set(path.iterdir()) - there:
        if left.name.startswith(
            "net"
        ):  # the texts of a watcher, which later commands would refresh
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    os.chown(path, before, before)


@pytest.fixture
def service(cli: Command, runtime: Path, code: Path) -> Service:
    """The service in the namespace of ``cli``, with both capabilities."""
    python = interpreter()
    if not python:
        pytest.skip("no Python that another user may run")
    return Service(cli.namespace, python, code, BOTH)


def folder(namespace: Namespace) -> Path:
    return Path(runtime_directory.SYSTEM, str(namespace.inode))


def test_it_has_exactly_these(service: Service) -> None:
    """The stage itself: another user, two capabilities, no way to more."""
    done = service.namespace.run([*as_user(BOTH), "cat", "/proc/self/status"]).stdout.split()
    sets = {done[done.index(f"Cap{one}:") + 1] for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
    assert sets == {f"{1 << 12 | 1 << 13:016x}"}
    assert done[done.index("NoNewPrivs:") + 1] == "1"
    assert done[done.index("Uid:") + 1] == str(USER)


@pytest.mark.parametrize("kind", ["macvlan", "label"])
@pytest.mark.parametrize("address", ["192.0.2.7/24", "2001:db8::7/64"])
def test_an_alias_comes_and_goes(service: Service, kind: str, address: str) -> None:
    """Made, shown, re-addressed, taken away; the settings of the main device with it."""
    service.silent("eth9:0", address, "kind", kind)
    assert service.one("eth9:0")["kind"] == kind
    service.silent("eth9:0", address.replace("7/", "8/"))
    service.silent("eth9:0-")
    assert service.names() == []
    assert folder(service.namespace).stat().st_uid == USER


def test_a_reconciliation(service: Service, code: Path) -> None:
    """Files that are root's and readable by all; a second run finds nothing to do."""
    declared = code / "netalias.conf"
    declared.write_text("eth9:0-9 192.0.2.10/32+ kind macvlan\neth9:10 192.0.2.1/24 kind label\n")
    declared.chmod(0o644)
    service("reconcile", str(declared))
    assert len(service.names()) == 11
    service.silent("reconcile", str(declared))
    service.silent("check", str(declared))


def test_a_file_of_others_is_not_trusted(service: Service, code: Path) -> None:
    """Who could write it could use the capabilities of the service."""
    declared = code / "netalias.conf"
    declared.write_text("eth9:0 192.0.2.10\n")
    declared.chmod(0o666)
    assert "writable by others" in service.fails(2, "reconcile", str(declared))
    assert service.names() == []


def test_a_conflict_is_found(service: Service, peer: Namespace) -> None:
    """Frames are sent and heard: the other host has the address."""
    peer.ip("addr add 192.0.2.9/24 dev p9")
    said = service.fails(6, "eth9:0", "192.0.2.9/24", "acd", "fast")
    assert "192.0.2.9 is in use" in said
    service.silent("eth9:0", "192.0.2.8/24", "acd", "fast")


def test_it_announces(service: Service, peer: Namespace) -> None:
    """The neighbour's cache has the new MAC without having asked."""
    peer.ip("addr add 192.0.2.9/24 dev p9")
    peer.ip("neigh add 192.0.2.7 lladdr 02:00:00:00:00:01 dev p9 nud stale")
    service.silent("eth9:0", "192.0.2.7/24", "kind", "macvlan")
    (device,) = ip_json(service.namespace, "link show eth9_0")
    mac = device["address"]
    until(lambda: ip_json(peer, "neigh show 192.0.2.7")[0]["lladdr"] == mac)
    service.silent("announce", "eth9:0")


def test_root_and_the_service_wait_for_each_other(cli: Command, service: Service) -> None:
    """One lock, whoever was the first to make it, and what root leaves the service can use."""
    cli.silent("eth9:0", "192.0.2.7/24", "kind", "macvlan")
    assert folder(cli.namespace).stat().st_uid == USER
    assert (folder(cli.namespace) / "lock").stat().st_uid == USER
    service.silent("eth9:1", "192.0.2.8/24", "kind", "macvlan")
    held = runtime_directory.RuntimeDirectory(cli.namespace.inode, 10)
    held.acquire()
    assert held.path == str(folder(cli.namespace))
    assert "another netalias is at work" in service.fails(75, "--wait", "0", "eth9:1-")
    held.release()
    service.silent("eth9:1-")
    cli.silent("eth9:0-")


def test_what_root_keeps_the_service_gives_back(cli: Command, service: Service) -> None:
    """The old settings of a main device are kept for whoever takes the last alias away."""
    before = service.namespace.ip("-d -j link show eth9")
    cli.silent("eth9:0", "192.0.2.7/24", "kind", "macvlan")
    assert (folder(cli.namespace) / "settings").exists()
    service.silent("eth9:0-")
    assert not (folder(cli.namespace) / "settings").exists()
    assert service.namespace.ip("-d -j link show eth9") == before


def test_what_root_has_announced_the_service_announces_again(
    cli: Command, service: Service, code: Path
) -> None:
    """Whoever of them was the first to note when."""
    declared = code / "netalias.conf"
    declared.write_text("eth9:0 192.0.2.7/24 kind label announce every 1\n")
    declared.chmod(0o644)
    noted = folder(cli.namespace) / "announced"
    cli("reconcile", str(declared))
    before = noted.read_text()
    assert noted.stat().st_uid == 0
    until(lambda: service("reconcile", str(declared)) == "" and noted.read_text() != before)
    assert noted.stat().st_uid == USER


@pytest.mark.parametrize("place", ["fingerprint.$$", "announced", "announced.new"])
def test_root_writes_through_no_link_of_the_service(
    cli: Command, service: Service, code: Path, tmp_path: Path, place: str
) -> None:
    """The service could have anything overwritten by it."""
    declared, target = code / "netalias.conf", tmp_path / "target"
    target.write_text("precious")
    folder(cli.namespace).mkdir()
    link = f'ln -sf {target} {folder(cli.namespace)}/{place}; exec "$@"'
    for announce in ("every 60", "off"):
        declared.write_text(f"eth9:0 192.0.2.7/24 kind label announce {announce}\n")
        declared.chmod(0o644)
        for _ in range(2):  # the second run finds everything as it should be
            cli.namespace.run(
                ["sh", "-c", link, "sh", *COMMAND, "reconcile", str(declared)], check=False
            )
    assert cli.names() == ["eth9:0"]
    assert target.read_text() == "precious"


def test_root_follows_no_folder_of_the_service(
    cli: Command, service: Service, tmp_path: Path
) -> None:
    """A link in the place of it could lead anywhere; nothing is made there."""
    here = folder(cli.namespace)
    here.symlink_to(tmp_path)
    assert f"{here}: it is not a folder" in cli.fails(2, "eth9:0", "192.0.2.7/24")
    assert list(tmp_path.iterdir()) == []
    here.unlink()


def test_what_waits_for_roots_confirmation_stays(
    cli: Command, service: Service, code: Path
) -> None:
    """The service sees that a change waits, and leaves it alone."""
    for name, address in (("one", "192.0.2.7"), ("two", "192.0.2.8")):
        (code / name).write_text(f"eth9:0 {address}/24 kind macvlan\n")
        (code / name).chmod(0o644)
    assert cli.run("--confirm", "60", "reconcile", str(code / "one")).returncode == 0
    assert "waits for its confirmation" in service.fails(2, "reconcile", str(code / "two"))
    service.silent("confirm")


ELECTED = "import sys; from netalias.runtime.instance import Instance; Instance(sys.argv[1])"


def test_root_and_the_service_run_for_the_same_seat(cli: Command, service: Service) -> None:
    """Root was the watcher first: the service is told who runs, and wins once root has left."""
    cli.silent("eth9:0", "192.0.2.7/24")
    place = str(folder(cli.namespace))
    candidate = [*service.words[:-1], ELECTED, place]
    with instance.Instance(place):
        done = cli.namespace.run(candidate, check=False)
        assert f"runs already in this network namespace: pid {os.getpid()}, since " in done.stderr
    assert cli.namespace.run(candidate).stderr == ""


class Resident:
    """``netalias watch`` as the ordinary user, and the manager that it talks to."""

    def __init__(self, service: Service, code: Path, *words: str) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(code / "notify"))
        (code / "notify").chmod(0o777)
        self.manager.settimeout(20 * SLOW)
        environ = ["env", f"NOTIFY_SOCKET={code}/notify", "WATCHDOG_USEC=200000"]
        self.process = service.namespace.start(
            [*environ, *service.words, "watch", *words], stderr=subprocess.PIPE
        )

    def __enter__(self) -> Resident:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.manager.close()

    def hears(self, word: str) -> None:
        """Wait until the manager was told."""
        while word not in self.manager.recv(4096).decode().split("\n"):
            pass

    def ends(self) -> str:
        """It does; what it said."""
        said = self.process.communicate(timeout=PATIENCE * SLOW)[1]
        assert self.process.returncode == 0
        return str(said)


def test_a_watcher_as_a_service(service: Service, code: Path) -> None:
    """Ready, alive, reloading, stopping; what is removed comes back, and stays at the end."""
    declared = code / "netalias.conf"
    declared.write_text("eth9:0 192.0.2.7/24 kind macvlan\n")
    declared.chmod(0o644)
    with Resident(service, code, str(declared)) as resident:
        resident.hears("READY=1")
        assert service.names() == ["eth9:0"]
        found = instance.running(str(folder(service.namespace)))
        assert found is not None
        assert found.files == (str(declared),)
        resident.hears("WATCHDOG=1")
        service.namespace.ip("link del eth9_0")
        until(lambda: service.names() == ["eth9:0"])
        declared.write_text("eth9:1 192.0.2.8/24 kind label\n")
        resident.hears("RELOADING=1")
        resident.hears("READY=1")
        assert service.names() == ["eth9:1"]
        os.kill(found.pid, signal.SIGTERM)
        resident.hears("STOPPING=1")
        said = resident.ends()
    assert "Traceback" not in said
    assert "warning" not in said
    assert service.names() == ["eth9:1"]
    assert instance.running(str(folder(service.namespace))) is None


@pytest.mark.parametrize("capabilities", ["", "net_raw", "net_admin"])
def test_with_fewer_it_says_what_is_missing(
    cli: Command, service: Service, code: Path, capabilities: str
) -> None:
    """Without CAP_NET_ADMIN nothing is changed; without CAP_NET_RAW nothing is announced."""
    fewer = Service(cli.namespace, service.words[-4], code, capabilities)
    done = fewer.run("eth9:0", "192.0.2.7/24", "kind", "macvlan")
    missing = "CAP_NET_RAW" if capabilities == "net_admin" else "CAP_NET_ADMIN"
    assert missing in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == (0 if capabilities == "net_admin" else 4)


@pytest.fixture(autouse=True)
def tidy(cli: Command) -> Iterator[None]:
    """Nothing of the namespace stays behind."""
    yield
    forget(cli.namespace)
