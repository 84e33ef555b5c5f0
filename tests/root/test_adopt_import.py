"""adopt and import on the real kernel: foreign labels become ours, or lines of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command, command, devices, ip_json
from declaring import settled
from support import LINUX

USAGE, REFUSED, DRIFT = 1, 2, 3
KERNEL = "--from", "kernel"

marks = pytest.mark.skipif(
    LINUX < (6, 12), reason="this kernel does not change the protocol of an IPv4 address"
)


def labels(cli: Command) -> list[tuple[str, str, bool]]:
    """Name, address and mark of each alias."""
    return [
        (one["altname"], f"{one['local']}/{one['prefixlen']}", one["owned"]) for one in cli.json()
    ]


@pytest.fixture
def made(cli: Command) -> Command:
    """With labels made by ip(8) on eth9, and an address without one."""
    for words in (
        "10.9.0.1/32 dev eth9",
        "10.7.0.1/24 brd + dev eth9 label eth9:0",
        "10.7.0.2/24 brd + dev eth9 label eth9:1",
        "10.8.0.1/32 dev eth9 label eth9:2",
    ):
        cli.namespace.ip(f"addr add {words}")
    return cli


@marks
def test_adopt_marks_and_changes_nothing_else(made: Command) -> None:
    """Address, order, flags and routes stay; now it is ours, and goes when it is not declared."""
    before = settled(made.namespace)
    made.silent("adopt", "eth9:0", "eth9:2")
    assert [label[0] for label in labels(made) if label[2]] == ["eth9:0", "eth9:2"]
    after = settled(made.namespace)
    for one in (*before, *after):
        for entry in one.get("addr_info", ()):  # type: ignore[attr-defined]
            entry.pop("protocol", None)
    assert after == before
    made.silent("adopt", "eth9:0")
    saved = made("save")
    assert saved.split() == [
        "eth9:0",
        "10.7.0.1/24",
        "kind",
        "label",
        "source",
        "on",
        "eth9:2",
        "10.8.0.1/32",
        "kind",
        "label",
    ]
    gone = made("--allow-empty", "reconcile", "/dev/null").splitlines()
    assert [line.split()[1] for line in gone if line.startswith("-")] == ["eth9:0", "eth9:2"]
    assert labels(made) == [("eth9:1", "10.7.0.2/24", False)]


@marks
def test_a_declared_label_that_others_made_is_in_the_way_until_it_is_adopted(
    made: Command,
) -> None:
    """Before: skipped with the one command, no copy is added. After: in sync."""
    text = "eth9:0-1 10.7.0.1-2/24 kind label\neth9:2 10.8.0.1/32 kind label\n"
    before = devices(made.namespace)
    for verb, status in (("check", DRIFT), ("reconcile", REFUSED)):
        done = made.run(verb, "-", input=text)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr == (
            "netalias: <stdin>:1: eth9:0: others have made this label"
            " (3 aliases; netalias adopt eth9)\n"
        )
    assert devices(made.namespace) == before
    made.silent("adopt", "eth9")
    done = made.run("reconcile", "-", input=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@marks
@pytest.mark.parametrize("promote", ["0", "1"])
def test_adopted_labels_of_a_network_become_devices(made: Command, promote: str) -> None:
    """In one run, with the secondary addresses, whatever the kernel does with these."""
    setting = "net.ipv4.conf.eth9.promote_secondaries"
    made.namespace.run(["sysctl", "-qw", f"{setting}={promote}"])
    made.namespace.ip("addr add 10.7.0.3/24 brd + dev eth9")
    made.silent("adopt", "eth9:0", "eth9:1")
    text = "eth9:0-1 10.7.0.1-2/24 kind macvlan\n"
    assert made.run("reconcile", "-", input=text).returncode == 0
    assert made.run("check", "-", input=text).returncode == 0
    assert [label[1] for label in labels(made) if label[2]] == ["10.7.0.1/24", "10.7.0.2/24"]
    assert "10.7.0.3/24" in made.namespace.ip("-br -4 addr show dev eth9")
    assert made.namespace.run(["sysctl", "-n", setting]).stdout.strip() == promote


def test_adopt_of_ranges_and_main_devices(made: Command) -> None:
    """On every kernel; where it cannot mark an address, the address is replaced."""
    made.silent("adopt", "eth9:1-9")
    assert [label[0] for label in labels(made) if label[2]] == ["eth9:2", "eth9:1"]
    made.silent("adopt", "eth9")
    assert sorted(labels(made)) == [
        ("eth9:0", "10.7.0.1/24", True),
        ("eth9:1", "10.7.0.2/24", True),
        ("eth9:2", "10.8.0.1/32", True),
    ]
    assert "10.9.0.1/32" in made.namespace.ip("-br -4 addr show dev eth9")
    made.silent("adopt", "all")


def test_adopt_of_many_is_all_or_nothing(made: Command) -> None:
    """If one name does not exist, no label is marked."""
    before = devices(made.namespace)
    line = made.fails(REFUSED, "adopt", "eth9:0", "eth9:7", "eth9:1")
    assert line.startswith("netalias: eth9:7: there is no such alias")
    assert devices(made.namespace) == before
    assert not any(label[2] for label in labels(made))


@pytest.mark.parametrize("words", [(), ("eth9:x",), ("eth9:3-1",), ("eth9:0-",)])
def test_adopt_needs_names(made: Command, words: tuple[str, ...]) -> None:
    """A usage error."""
    made.fails(USAGE, "adopt", *words)


def test_adopt_touches_no_device_of_others(cli: Command) -> None:
    """A macvlan that looks like one of ours is no label."""
    cli.namespace.ip("link add eth9_5 link eth9 type macvlan mode bridge")
    before = devices(cli.namespace)
    cli.fails(REFUSED, "adopt", "eth9:5")
    assert devices(cli.namespace) == before


@marks
def test_dry_run_of_adopt(made: Command) -> None:
    """The step, and nothing is done; -v prints it when it is done."""
    before = devices(made.namespace)
    said = made("--dry-run", "adopt", "eth9:2")
    assert said.startswith("ip addr change 10.8.0.1/32 dev eth9 label eth9:2")
    assert devices(made.namespace) == before
    assert made("-v", "adopt", "eth9:2") == said
    assert made("-v", "adopt", "eth9:2") == ""


def test_import_of_labels(made: Command) -> None:
    """Each foreign label is a line; addresses without a label, and ours, are left out."""
    made("eth9:5", "10.5.0.1", "kind", "label")
    before = settled(made.namespace)
    said = made("-q", "import", *KERNEL)
    assert sorted(line.split() for line in said.splitlines()) == [
        ["#", "kernel"],
        ["eth9:0", "10.7.0.1/24", "kind", "label"],
        ["eth9:1", "10.7.0.2/24", "kind", "label"],
        ["eth9:2", "10.8.0.1/32", "kind", "label"],
    ]
    assert made("-q", "import", "/dev/null") == ""
    assert settled(made.namespace) == before


@marks
def test_from_import_to_in_sync(made: Command) -> None:
    """The output of import is a file; after adopt it plans nothing."""
    said = made("-q", "import", *KERNEL)
    made.silent("adopt", "eth9:0", "eth9:1", "eth9:2")
    done = made.run("--hands-off", "reconcile", "-", input=said)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert made("-q", "import", *KERNEL) == ""
    assert made.run("import", "/dev/null").stderr == "netalias: 0 aliases of 1 file (interfaces)\n"


@pytest.fixture
def unnamed(cli: Command) -> Command:
    """With a label that is a name, and three that none can be."""
    for number, label in enumerate(("eth9:0", "eth9:web", "eth9:007", "eth9:")):
        cli.namespace.ip(f"addr add 10.7.0.{number + 1}/32 dev eth9 label {label}")
    return cli


def test_a_label_that_no_alias_can_be_called_is_shown(unnamed: Command) -> None:
    """As foreign, in every view of its main device, and without a slot."""
    shown = [(one["altname"], one["slot"], one["state"]) for one in unnamed.json()]
    assert shown == [
        ("eth9:0", 0, "up,foreign"),
        ("eth9:web", None, "up,foreign"),
        ("eth9:007", None, "up,foreign"),
        ("eth9:", None, "up,foreign"),
    ]
    assert [one["local"] for one in unnamed.json("eth9")] == [f"10.7.0.{n}" for n in range(1, 5)]
    assert unnamed.json("lo") == []
    assert [one["local"] for one in unnamed.json("eth9:web", "eth9:0")] == ["10.7.0.1", "10.7.0.2"]
    for words in ("show", "-br show", "-d show", "-o show eth9", "--tree show"):
        assert "eth9:web" in unnamed(*words.split()), words
    assert "eth9:web" not in unnamed("-6", "show")
    for words in ("save", "cat aliases"):
        assert "eth9:web" not in unnamed(*words.split()), words


def test_a_label_that_no_alias_can_be_called_is_imported(unnamed: Command, tmp_path: Path) -> None:
    """Under the lowest slot that neither the kernel nor a file has, with a warning. A named file is
    all that is printed."""
    done = unnamed.run("import", *KERNEL)
    assert done.stdout.splitlines() == [
        "# kernel",
        "eth9:0  10.7.0.1/32  kind label",
        "eth9:1  10.7.0.2/32  kind label   # eth9:web",
        "eth9:2  10.7.0.3/32  kind label   # eth9:007",
        "eth9:3  10.7.0.4/32  kind label",
    ]
    assert done.stderr.splitlines()[0] == (
        "netalias: warning: kernel: eth9:web: 10.7.0.2/32 becomes eth9:1, since a slot is a number"
    )
    file = tmp_path / "interfaces"
    file.write_text("auto eth9:web\niface eth9:web inet static\n address 10.7.0.2\n netmask 32\n")
    said = unnamed("-q", "-v", "import", str(file))
    assert said == f"eth9:1  10.7.0.2/32  kind label   # {file}:2: eth9:web\n"
    assert unnamed.run("check", "-", input=said).returncode != USAGE


INTERFACES = """\
auto lo eth9:5
iface lo inet loopback
iface eth9:5 inet static
    address 10.20.0.1
    netmask 255.255.255.0
    gateway 10.20.0.254
auto eth9:0
iface eth9:0 inet static
    address 10.7.0.1/24
iface eth9:6 inet static
    address 10.20.1.1/24
"""


def test_import_of_interfaces(made: Command, tmp_path: Path) -> None:
    """Aliases of the file with their places; what is not carried over is told on standard error,
    unless -q."""
    file = tmp_path / "interfaces"
    file.write_text(INTERFACES)
    done = made.run("-v", "import", str(file))
    assert done.returncode == 0
    lines = [line.partition("   #")[0].split() for line in done.stdout.splitlines()]
    assert lines == [
        ["eth9:5", "10.20.0.1/24", "kind", "label"],
        ["eth9:0", "10.7.0.1/24", "kind", "label"],
        ["#", "eth9:6", "10.20.1.1/24", "kind", "label"],
    ]
    assert f"# {file}:3" in done.stdout
    assert done.stderr == (
        f"netalias: warning: {file}:6: eth9:5: gateway is not carried over:"
        " an alias brings no default route\n"
        "netalias: 2 aliases of 1 file (interfaces), 1 more as comments, 1 note\n"
    )
    quiet = made.run("-q", "-v", "import", str(file))
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


@marks
def test_a_machine_moves_over(made: Command, tmp_path: Path) -> None:
    """import, adopt, reconcile: the addresses that were there never leave."""
    file = tmp_path / "interfaces"
    file.write_text(INTERFACES)
    declared = tmp_path / "declared"
    both = made("-q", "import", str(file)), made("-q", "import", *KERNEL)
    declared.write_text(both[0] + "".join(both[1].splitlines(keepends=True)[2:]))
    there = ip_json(made.namespace, "addr show dev eth9")[0]["addr_info"]
    made.silent("adopt", "eth9:0", "eth9:1", "eth9:2")
    assert made("--hands-off", "reconcile", str(declared)) == "+ eth9:5 10.20.0.1/24 label\n"
    made.silent("--hands-off", "check", str(declared))
    now = ip_json(made.namespace, "addr show dev eth9")[0]["addr_info"]
    assert {entry["local"] for entry in there} < {entry["local"] for entry in now}


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_nothing_is_adopted_when_the_lines_could_not_be_written(
    made: Command, tmp_path: Path, where: str
) -> None:
    """An adopted label that no file declares would be removed by the next reconciliation."""
    file = tmp_path / "interfaces"
    file.write_text(INTERFACES)
    words = ["sh", "-c", f'"$@" {where}', "sh", *command("-q", "import", "--adopt", str(file))]
    assert made.namespace.run(words, check=False).returncode == REFUSED
    assert not any(label[2] for label in labels(made))
    made("-q", "import", "--adopt", str(file))
    assert [label[0] for label in labels(made) if label[2]] == ["eth9:0"]


def test_import_of_a_file_that_is_not_there(made: Command) -> None:
    """A named file must exist; the usual one may be missing. A format must be one."""
    line = made.fails(REFUSED, "import", "/no/such/file")
    assert line == "netalias: /no/such/file: No such file or directory"
    made.fails(USAGE, "import", "--from", "nosuch")
    made.fails(USAGE, "import", *KERNEL, "/dev/null")
    made.fails(USAGE, "import", "--kind", "nosuch")
    made.fails(USAGE, "import", "--map", "eth9")


def test_import_needs_no_privilege(made: Command) -> None:
    """import needs no privilege."""
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = made.namespace.run([*weak, *command("-q", "import", *KERNEL)], check=False)
    if "setpriv" in done.stderr:
        pytest.skip(f"not possible here: {done.stderr.strip()[:80]}")
    assert (done.returncode, done.stdout) == (0, made("-q", "import", *KERNEL))
    assert done.stdout


def test_two_labels_of_one_name(cli: Command) -> None:
    """To the kernel a label need not be unique; each address gets a line, and the file is good."""
    for address in ("10.7.0.1/24", "10.8.0.1/24"):
        cli.namespace.ip(f"addr add {address} dev eth9 label eth9:8")
    done = cli.run("import", *KERNEL)
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["eth9:8", "10.7.0.1/24"], ["eth9:0", "10.8.0.1/24"],
    ]  # fmt: skip
    assert "10.8.0.1/24 becomes eth9:0, since 10.7.0.1/24 at kernel has that name" in done.stderr
    assert cli.run("check", "-", input=done.stdout).returncode == 3


def test_what_no_name_selects(cli: Command, tmp_path: Path) -> None:
    """A label that is no number, secondaries of its network, and IPv6 addresses: taken over under
    the names of a file on every kernel, which is true then; the network stays reachable."""
    for words in (
        "10.7.0.1/24 brd + dev eth9 label eth9:web",
        "10.7.0.2/24 brd + dev eth9 label eth9:1",
        "2001:db8:5::1/64 dev eth9 nodad",
        "2001:db8:5::2/64 dev eth9 nodad",
        "2001:db8:6::fa/64 dev eth9 nodad",
        "2001:db8:6::1/64 dev eth9 nodad",
    ):
        cli.namespace.ip(f"addr add {words}")
    file = tmp_path / "netalias.conf"
    file.write_text(
        "defaults kind label\neth9:7 10.7.0.1/24\neth9:1 10.7.0.2/24\n"
        "eth9:21-22 2001:db8:5::1-2/64\neth9:30 2001:db8:6::1/64\n"
    )
    assert cli.run("check", str(file)).returncode == DRIFT
    cli.silent("adopt", str(file))
    cli.silent("check", str(file))
    assert sorted(name for name, _, owned in labels(cli) if owned) == [
        "eth9:1", "eth9:21", "eth9:22", "eth9:30", "eth9:7",
    ]  # fmt: skip
    assert cli.namespace.peer is not None
    cli.namespace.peer.ip("addr add 2001:db8:5::ffff/64 dev p9 nodad")
    cli.namespace.peer.run(["ping", "-c", "1", "-W", "5", "2001:db8:5::2"])
    routes = cli.namespace.ip("-6 route show dev eth9")
    assert "2001:db8:6::/64" in routes
