"""Commands by hand about addresses that float: refused, since another host may have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netalias import cli, errors, runtime, sources
from netalias.desired.declarations import parse
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6
from netalias.runtime import condition, tasks
from netalias.runtime.private import PrivateDirectory

LINES = """\
float web eth0:100-101 10.0.0.100-101/24
float six eth0:200-201 2001:db8::200-201/64
"""
REFUSED = "another host may have it, and both would answer"


class Host:
    """A kernel in memory with eth0, a file of declarations, and a runtime directory."""

    def __init__(self, root: Path) -> None:
        self.memory = Memory()
        self.memory.add_device("eth0", up=True, altnames=("lan",))
        self.declared = root / "netalias.conf"
        self.folder = root / "run"
        self.folder.mkdir()
        self.commands = root / "commands"

    def run(self, text: str) -> int:
        """Execute a command; the exit status."""
        return cli.main(
            text.split(),
            lambda options: Engine(
                Setup(
                    self.memory, options.registry, runtime=PrivateDirectory(str(self.folder)),
                    changed=options.changes,
                )
            ),
        )  # fmt: skip

    def batch(self, text: str, options: str = "") -> int:
        """Execute a batch; the exit status."""
        self.commands.write_text(text)
        return self.run(f"{options} batch {self.commands}")

    @property
    def addresses(self) -> list[str]:
        """The names of the aliases that stand there."""
        with Engine(Setup(self.memory)) as engine:
            return sorted(str(one.name) for one in engine.observe().aliases)

    @property
    def leases(self) -> dict[str, int]:
        """The lifetimes of what stands there in seconds, 0 for ever."""
        with Engine(Setup(self.memory)) as engine:
            return {str(one.name): one.lease for one in engine.observe().aliases}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose files declare addresses that float."""
    found = Host(tmp_path)
    monkeypatch.setattr(sources, "DEFAULT", str(found.declared))
    monkeypatch.setattr(sources, "FOLDERS", ())
    monkeypatch.setattr(cli, "DECLARED", (str(found.declared),))
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    monkeypatch.setenv(cli.ELSEWHERE, str(found.folder))
    found.declared.write_text(LINES)
    return found


def test_the_places_are_those_of_the_files() -> None:
    """A short command does not load sources.py and runtime/tasks.py to know them."""
    assert (sources.DEFAULT, *sources.FOLDERS) == cli.DECLARED
    assert (cli.FLOATS, cli.RUNTIME) == (tasks.FLOATS, runtime.SYSTEM)
    assert runtime.VARIABLE == cli.ELSEWHERE


def test_the_record_of_a_watcher_is_where_root_has_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the inode of the namespace; without one a command looks no further."""
    monkeypatch.delenv(cli.ELSEWHERE)
    monkeypatch.setattr(cli, "geteuid", lambda: 0)
    monkeypatch.setattr(cli, "RUNTIME", str(tmp_path))
    host.declared.unlink()
    options = cli.Options(lambda given: Engine(Setup(Memory())))
    assert not cli.may_float(options)
    folder = tmp_path / str(Path(cli.NAMESPACE).stat().st_ino)
    folder.mkdir()
    assert not cli.may_float(options)
    tasks.write(str(folder), ["float db eth1:1 10.0.0.101"], tasks.FLOATS)
    assert cli.may_float(options)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("eth0:100 10.0.0.100/24", "eth0:100: 10.0.0.100 belongs to float web"),
        ("eth0:5 10.0.0.101 kind label", "eth0:5: 10.0.0.101 belongs to float web"),
        ("eth0:5 10.0.0.101 kind macvlan lease 60", "eth0:5: 10.0.0.101 belongs to float web"),
        ("eth0:5 2001:db8::201/64", "eth0:5: 2001:db8::201 belongs to float six"),
        ("eth0:5 10.0.0.96/29 kind prefix", "eth0:5: 10.0.0.100 belongs to float web"),
        ("--dry-run eth0:5 10.0.0.101", "eth0:5: 10.0.0.101 belongs to float web"),
        ("eth0:5-6 10.0.0.99-100/24", "eth0:6: 10.0.0.100 belongs to float web"),
        ("--save eth0:5 10.0.0.101", "eth0:5: 10.0.0.101 belongs to float web"),
        ("iface eth0 add 10.0.0.101/24", "iface eth0: 10.0.0.101 belongs to float web"),
    ],
)
def test_by_hand_it_is_refused(
    host: Host, capsys: pytest.CaptureFixture[str], text: str, named: str
) -> None:
    """With the command that moves it, and --force; nothing is changed."""
    assert host.run(text) == errors.STATUS_KERNEL
    said = capsys.readouterr().err
    assert named in said
    assert f"{host.declared}:" in said
    assert "eth0:100" not in host.addresses
    assert "eth0:5" not in host.addresses or "eth0:5-6" in text
    assert host.declared.read_text() == LINES


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("--force eth0:100 10.0.0.100/24", "eth0:100"),
        ("--force eth0:5-6 10.0.0.100-101/24", "eth0:6"),
        ("eth0:5 10.0.0.102/24", "eth0:5"),
        ("eth0:5 10.0.0.96/30 kind prefix", "eth0:5"),
    ],
)
def test_force_and_other_addresses(host: Host, text: str, name: str) -> None:
    """They are made."""
    assert host.run(text) == 0
    assert name in host.addresses


def test_what_stands_is_changed_and_deleted(host: Host) -> None:
    """A command without the address, and a deletion, are no new holder."""
    assert host.run("--force eth0:100 10.0.0.100/24 kind macvlan") == 0
    assert host.run("eth0:100 mtu 1400") == 0
    assert host.run("eth0:100 down") == 0
    assert host.run("eth0:100-") == 0
    assert host.addresses == []


@pytest.mark.parametrize("text", ["lease off", "lease 3600"])
def test_nobody_else_sets_its_lifetime(
    host: Host, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """It would stand here while another host has it. Under any name, and with --force alone."""
    assert host.run("--force eth0:5 10.0.0.100/24 kind label lease 60") == 0
    assert host.run("eth0:6 10.0.0.6/24 kind label lease 60") == 0
    for words in (f"eth0:5 {text}", f"lan:5 {text}", f"eth0:4-5 {text}", f"--save eth0:5 {text}"):
        assert host.run(words) == errors.STATUS_KERNEL, words
        said = capsys.readouterr().err
        assert ":5: 10.0.0.100 belongs to float web" in said, words
        assert "netalias watch sets its lifetime" in said, words
    assert host.batch(f"eth0:6 {text}\neth0:5 {text}\n") == errors.STATUS_KERNEL
    assert "netalias watch sets its lifetime" in capsys.readouterr().err
    assert host.leases["eth0:5"] == 60
    assert host.run(f"eth0:9 {text}") == errors.STATUS_KERNEL
    assert "there is no such alias" in capsys.readouterr().err
    assert host.run(f"--force eth0:5 {text}") == 0
    assert host.leases["eth0:5"] == host.leases["eth0:6"] != 60


def test_a_batch_ends_there(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """With --force it goes on, and so does a line that says --force."""
    text = "eth0:1 10.0.0.1\neth0:2 10.0.0.100\neth0:3 10.0.0.3\n"
    assert host.batch(text) == errors.STATUS_KERNEL
    said = capsys.readouterr().err
    assert f"{host.commands}:2: eth0:2: 10.0.0.100 belongs to float web" in said
    assert host.addresses == ["eth0:1"]
    assert host.batch("eth0:1-\n--force eth0:2 10.0.0.100\n") == 0
    assert host.addresses == ["eth0:2"]
    assert host.run("eth0:2-") == 0
    assert host.batch(text, "--force") == 0
    assert host.addresses == ["eth0:1", "eth0:2", "eth0:3"]
    assert host.run("eth0:1-3-") == 0
    capsys.readouterr()
    for options in ("--save --dry-run", "--save"):
        assert host.batch(text, options) == errors.STATUS_KERNEL
        said = capsys.readouterr().err
        assert f"{host.commands}:2: eth0:2: 10.0.0.100 belongs to float web" in said, options
        assert "not done after that: 1 command" in said, options
    assert host.addresses == ["eth0:1"]
    assert host.declared.read_text() == f"{LINES}eth0:1        10.0.0.1\n"


def test_a_forced_batch_forces_each_line(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands of aliases, of ranges and of verbs; words of a line change nothing of that."""
    text = (
        "eth0:1 10.0.0.100/24\neth0:2 10.0.0.101 mtu 1400\nmove eth0\npublish 10.0.0.101 dev br0\n"
    )
    host.memory.add_device("br0", up=True)
    assert host.batch(text, "--force") == 0, capsys.readouterr().err
    assert host.addresses == ["eth0:1", "eth0:2"]
    assert host.batch("-q publish 10.0.0.101 dev br0\n") == errors.STATUS_KERNEL
    assert host.batch("-q publish 10.0.0.101 dev br0\n", "--force") == 0


def test_nobody_answers_for_it_by_a_proxy_entry(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """publish refuses to add one, removes one that stands, and publishes other addresses."""
    host.memory.add_device("br0", up=True)
    for text in (
        "publish 10.0.0.5 10.0.0.100 dev br0",
        "publish 2001:db8::201 dev br0",
        "--dry-run publish 10.0.0.100 dev br0",
        "-n red publish 10.0.0.100 dev br0",
    ):
        known = "-n" not in text
        assert (host.run(text) == errors.STATUS_KERNEL) == known, text
        said = capsys.readouterr().err
        assert (REFUSED in said) == known, text
        assert ("publish on br0: " in said) == known, text
    tell = "--force makes it all the same"
    assert host.run("publish 10.0.0.100 dev eth0") == errors.STATUS_KERNEL
    assert tell in capsys.readouterr().err
    assert host.run("--force publish 10.0.0.101 dev br0") == 0
    assert host.run("unpublish 10.0.0.101") == 0
    assert host.run("publish 10.0.0.5 dev br0") == 0


def test_labels_of_others_are_not_adopted(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """By name, by address, by a file, and into a file; others are."""
    host.memory.add_address("eth0", "10.0.0.100/24", label="eth0:7")
    host.memory.add_address("eth0", "10.0.0.7/24", label="eth0:8")
    for text in ("adopt eth0:7", "adopt all", "adopt eth0:9 10.0.0.100", "--save adopt eth0:7"):
        assert host.run(text) == errors.STATUS_KERNEL, text
        assert REFUSED in capsys.readouterr().err, text
    assert host.run("adopt eth0:8") == 0


def test_what_stands_for_ever_does_not_move(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """To another kind."""
    assert host.run("--force eth0:100 10.0.0.100/24 kind label") == 0
    assert host.run("move eth0") == errors.STATUS_KERNEL
    assert REFUSED in capsys.readouterr().err
    assert host.run("--force move eth0") == 0


def test_a_pool_does_not_lend_it(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """One in another file; in the same one it is a conflict of the lines."""
    other = host.declared.with_name("pool.conf")
    other.write_text("pool dial 10.0.0.90-100/24 dev eth0\n")
    assert host.run(f"--from {other} pool dial take") == errors.STATUS_KERNEL
    assert "pool dial: 10.0.0.100 belongs to float web" in capsys.readouterr().err
    assert host.addresses == []


@pytest.mark.parametrize(
    "line", ["eth0:5 10.0.0.100/24", "eth0:5 2001:db8::200", "pool dial 10.0.0.90-100"]
)
def test_files_that_declare_it_as_another_alias_too(line: str) -> None:
    """An error of the files, told before anything is compared."""
    found = parse([("f", f"{LINES}{line}\n")], Engine(Setup(Memory())).registry)
    assert found.wrong == 1
    assert "float" in found.errors[0]


def test_the_pools_of_a_watcher_are_known(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever files it has, and in whichever namespace; those of this host are about its own."""
    host.declared.unlink()
    assert host.run("eth0:5 10.0.0.100") == 0
    tasks.write(str(host.folder), ["float db eth1:1 10.0.0.101", "of another one"], tasks.FLOATS)
    (host.folder / "cookie").unlink(missing_ok=True)
    for text in ("eth0:6 10.0.0.101", "-n red eth0:6 10.0.0.101"):
        assert host.run(text) == errors.STATUS_KERNEL, text
        assert "eth0:6: 10.0.0.101 belongs to float db:" in capsys.readouterr().err
    host.declared.write_text(LINES)
    assert host.run("-n red eth0:7 10.0.0.100/24") == 0


@pytest.mark.parametrize("text", ["float web nonsense\n", "nonsense\n", "float\n", "\udcff\n"])
def test_files_that_are_wrong_keep_nobody(host: Host, text: str) -> None:
    """Others tell of that."""
    host.declared.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert host.run("eth0:5 10.0.0.100") == 0


def test_a_file_that_nobody_may_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others count."""
    read = sources.read

    def refusing(paths: list[str]) -> list[tuple[str, bytes]]:
        if "secret" in paths[0]:
            raise errors.StateError("no")
        return read(paths)

    files = [str(host.declared.with_name("secret")), str(host.declared)]
    monkeypatch.setattr(sources, "default_files", lambda: files)
    monkeypatch.setattr(sources, "read", refusing)
    assert host.run("eth0:5 10.0.0.100") == errors.STATUS_KERNEL
    monkeypatch.setattr(sources, "default_files", lambda: sources.read(["secret"]))
    assert host.run("eth0:5 10.0.0.100") == 0


def test_families(host: Host) -> None:
    """A prefix of the other family has none of them."""
    assert host.run("eth0:5 2001:db8:1::/64 kind prefix") == 0
    found = {one.family for one in Engine(Setup(host.memory)).observe().aliases}
    assert found == {AF_INET6} != {AF_INET}


@pytest.mark.parametrize(("lines", "status"), [(LINES, 2), (f"{LINES}eth0:1 10.0.0.1\n", 3)])
def test_check_tells_of_a_store_that_decides_nothing(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lines: str,
    status: int,
) -> None:
    """While the store is away, check does not count the aliases that may float as differences; any
    other difference is told as ever. The note of an agent counts only while the watcher has such
    lines.
    """
    monkeypatch.setattr(tasks, "carried_out", lambda folder: LINES.splitlines())
    host.declared.write_text(lines)
    assert host.run("check --allow-empty") == (0 if status == 2 else 3)
    store = condition.Condition(0.0, "https://a:2379: Connection refused")
    condition.note(str(host.folder), store)
    assert host.run("check --allow-empty") == (0 if status == 2 else 3)
    assert "Connection refused" not in capsys.readouterr().err
    monkeypatch.setattr(condition, "running", lambda folder: object())
    assert host.run("check --allow-empty") == (0 if status == 2 else 3)
    assert "Connection refused" not in capsys.readouterr().err
    tasks.write(str(host.folder), LINES.splitlines(), tasks.FLOATS)
    assert host.run("check --allow-empty") == status
    said = capsys.readouterr().err
    assert "the store of the cluster: https://a:2379: Connection refused; nothing is held" in said
    condition.note(str(host.folder), None)
    assert host.run("check --allow-empty") == (0 if status == 2 else 3)


def test_what_was_set_for_addresses_that_have_run_out(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no difference while the store does not say which of them should stand."""
    assert host.run("--force eth0:100 10.0.0.100/24 kind label lease 60") == 0
    host.memory.remove_address("eth0", "10.0.0.100/24")  # as the kernel does it
    assert host.run("check --allow-empty") == errors.STATUS_DRIFT
    assert capsys.readouterr().out == "= eth0 promote_secondaries 1 -> 0\n"
    monkeypatch.setattr(condition, "running", lambda folder: object())
    tasks.write(str(host.folder), LINES.splitlines(), tasks.FLOATS)
    monkeypatch.setattr(tasks, "carried_out", lambda folder: LINES.splitlines())
    condition.note(str(host.folder), condition.Condition(0.0, "https://a:2379: no route"))
    assert host.run("check --allow-empty") == errors.STATUS_KERNEL
    assert capsys.readouterr().out == ""
    assert host.run("--dry-run reconcile --allow-empty") == errors.STATUS_DRIFT
    assert capsys.readouterr().out == "= eth0 promote_secondaries 1 -> 0\n"


@pytest.mark.parametrize("text", [b"", b"12.5\n", b"soon no answer\n", b"\xff"])
def test_a_condition_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    """It is none."""
    monkeypatch.setattr(condition, "running", lambda folder: object())
    tasks.write(str(tmp_path), LINES.splitlines(), tasks.FLOATS)
    (tmp_path / "store").write_bytes(text)
    assert condition.found(str(tmp_path)) is None
    condition.note(str(tmp_path), condition.Condition(12.5, "gone: \udcff"))
    found = condition.found(str(tmp_path))
    assert found is not None
    assert (found.until, found.reason) == (12.5, "gone: \udcff")
