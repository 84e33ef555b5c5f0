"""The command line, word by word, over a kernel in memory."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import schemas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netalias
from netalias import cli, desired, errors
from netalias.cli import help
from netalias.cli.flags import FLAGS, SPECIAL, TAKING
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model.names import AliasName, primary
from netalias.model.steps import AddAltname, CreateLink, Step
from netalias.monitor.request import KINDS

KERNEL, USAGE, PERMISSION = errors.STATUS_KERNEL, errors.STATUS_USAGE, errors.STATUS_PERMISSION


def kernel() -> Memory:
    """lo, eth0 and eth1 are up, eth2 is down."""
    memory = Memory()
    memory.set_device("lo", up=True)
    for name in ("eth0", "eth1", "eth2"):
        memory.add_device(name, up=name != "eth2")
    return memory


class Command:
    """The command over one kernel: status, output and errors of the words given."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.memory = kernel()
        self.capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """What was printed; the status and an empty standard error are asserted."""
        out, err = self.run(list(words), status)
        assert err == ""
        return out

    def split(self, text: str, status: int = 0) -> str:
        return self(*text.split(), status=status)

    def refused(self, text: str, status: int) -> str:
        """The one line on standard error; nothing is printed."""
        out, err = self.run(text.split(), status)
        assert out == ""
        assert err.startswith("netalias: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err[len("netalias: ") : -1]

    def run(self, words: list[str], status: int) -> tuple[str, str]:
        found = cli.main(words, self._open)
        out, err = self.capsys.readouterr()
        assert found == status, err
        schemas.check(words, out)
        return out, err

    def _open(self, options: cli.Options) -> Engine:
        return Engine(Setup(self.memory, options.registry, changed=options.changes))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel."""
    return Command(capsys)


@pytest.fixture
def filled(run: Command) -> Command:
    """With three aliases."""
    for text in (
        "eth0:0 200.1.1.1/24 kind macvlan hw ether 02:00:00:00:00:05",
        "eth0:1 2001:db8::1/64 kind macvlan hw ether 02:00:00:00:00:06",
        "lo:0 10.0.0.1",
    ):
        run.split(text)
    return run


# Aliases ------------------------------------------------------------------------------------


def test_create_change_delete(run: Command) -> None:
    """S1, S2, S23: silent, with status 0."""
    for text in ("eth0:0 200.1.1.1", "eth0:0 200.1.1.2", "eth0:0 down", "eth0:0 up", "eth0:0-"):
        assert run.split(text) == ""
    assert run("show") == ""


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("eth0:x 1.2.3.4", USAGE, "eth0:x: slot must be a decimal number"),
        ("eth0: 1.2.3.4", USAGE, "eth0:: the slot is missing (a decimal number follows"),
        ("eth0:0 1.2.3", USAGE, "eth0:0: 1.2.3: not an IPv4 address"),
        ("eth0:0 0.0.0.0", USAGE, "cannot be the address of an alias (netalias eth0:0- deletes"),
        ("eth0:0 netmaks 255.0.0.0", USAGE, "did you mean netmask?"),
        ("eth0:0 kind macvlna", USAGE, "did you mean macvlan?"),
        ("eth0:5", KERNEL, "eth0:5: there is no such alias (an address creates it)"),
        ("eth0:5 up", KERNEL, "eth0:5: there is no such alias (an address creates it)"),
        ("eth0:5-", KERNEL, "eth0:5: there is no such alias"),
        ("nodev:0 1.2.3.4", KERNEL, "nodev:0: there is no device nodev"),
        ("eth2:0 1.2.3.4", KERNEL,
         "eth2:0: main device eth2 is down (ip link set eth2 up, or --force)"),
        ("lo:0 1.2.3.4 kind macvlan", KERNEL, "lo is not an Ethernet device"),
        ("show nodev", KERNEL, "nodev: there is no such device"),
        ("show eth0:x", USAGE, "eth0:x: slot must be a decimal number"),
        ("show eth0:7", KERNEL, "eth0:7: there is no such alias"),
        ("lookup", USAGE, "lookup needs one address"),
        ("lookup 1 2 3", USAGE, "lookup needs one address"),
        ("lookup x", USAGE, "x: neither an IPv4 nor an IPv6 address"),
        ("lookup 10.0.0.1 10.0.0.2", USAGE,
         "lookup takes one address, and 10.0.0.2 is a second one (netalias lookup 10.0.0.1)"),
        ("status", USAGE, "(did you mean show, or check, or doctor?)"),
        ("publish foo dev eth0", USAGE, "foo: not an address (as in 10.0.0.5 dev eth0)"),
        ("unpublish dev eth0 foo", USAGE, "foo: not an address (as in 10.0.0.5 dev eth0)"),
        ("publish 10.0.0.5 eth0", USAGE, "eth0: not an address (for the device: dev eth0)"),
        ("eth0:2 eth0:3 down", USAGE, "eth0:2: eth0:3 is another alias, and a command has one"),
        ("eth0:2 eth0:3-", USAGE, "eth0:2: eth0:3- is another alias, and a command has one"),
        ("eth0:2 fe80:3", USAGE, "fe80:3: not an IPv6 address"),
        ("eth0:0 1.2.3.4 heal on", USAGE, "eth0:0: heal is for files only"),
        ("eth0:0 1.2.3.4 on-down keep", USAGE, "eth0:0: on-down is for files only"),
        ("eth0:0 1.2.3.4 announce every 5", USAGE, "eth0:0: announce every is for files only"),
        ("eth0:0 1.2.3.4 mtu 9000 kind macvlan", KERNEL, "eth0:0: mtu 9000: a macvlan has at most"
         " that of its main device, 1500 (ip link set eth0 mtu 9000)"),
        ("monitor --on-up /nonexistent", KERNEL,
         "--on-up /nonexistent: No such file or directory"),
        ("monitor --on-down /etc", KERNEL, "--on-down /etc: this is no executable file"),
        ("lookup nosuch 1.2.3.4", KERNEL, "nosuch: no alias type serves it (see netalias types)"),
        ("cat", USAGE, "cat needs one name: aliases or alias_types"),
        ("cat x", USAGE, "cat x: there is no such text (aliases or alias_types)"),
        ("types x", USAGE, "types takes no words: x"),
        ("help x", USAGE, "help x: neither a verb nor the name of an alias"),
        ("float web eth0:1 10.0.0.1", USAGE,
         "float: not a verb (it is a line of the files: man netalias.conf, netalias help cluster)"),
        ("help publsh", USAGE, "help publsh: neither a verb nor the name of an alias"
         " (did you mean publish?)"),
        ("help a", USAGE, "help a: this could be adopt or announce"),
        ("shwo", USAGE, "did you mean show?"),
        ("eth0", USAGE, "an alias is called MAIN:SLOT: eth0:0; netalias show eth0 shows"),
        ("--jsn show", USAGE, "--jsn: there is no such option (did you mean --json?)"),
        ("--xyzzy", USAGE, "--xyzzy: there is no such option (see --help)"),
        ("--netns", USAGE, "--netns needs an argument"),
        ("--color=red show", USAGE, "--color=red: one of auto, always, never is needed"),
    ],
)  # fmt: skip
def test_one_line_of_error(run: Command, text: str, status: int, message: str) -> None:
    """S4, S5, S8, S11, S24: one line, with a hint where there is one; nothing has changed."""
    assert message in run.refused(text, status)
    assert run("show") == ""


def test_permission(run: Command) -> None:
    """S15: status 4 and what is needed; reading needs nothing."""
    run.split("eth0:0 200.1.1.1")
    run.memory.privileged = False
    for text in ("eth0:1 200.1.1.2", "eth0:0-", "eth0:9-", "eth0:0 200.1.1.1"):
        assert "CAP_NET_ADMIN" in run.refused(text, PERMISSION)
    for text in ("show", "eth0:0", "lookup 200.1.1.1", "--dry-run eth0:1 200.1.1.2"):
        assert run.split(text)


@pytest.mark.parametrize("kind", ["shard", "dummy", "macvlan"])
def test_kinds_are_assumed_where_the_kernel_cannot_be_asked(
    run: Command, tmp_path: Path, kind: str
) -> None:
    """Asking takes a right that check and a dry run need not: they say nothing about devices."""
    run.memory.privileged = False
    path = tmp_path / "declared"
    path.write_text(f"eth0:1-3 10.9.0.1-3/32 kind {kind}\n")
    assert run("check", str(path), status=errors.STATUS_DRIFT).count(f"/32 {kind}\n") == 3
    out, _ = run.run(["--dry-run", "eth0:1", "10.9.0.1", "kind", kind], 0)
    assert "10.9.0.1/32" in out


def test_auto_does_not_assume_ipvlan(run: Command) -> None:
    """Who may not ask the kernel is told of a macvlan, unless there is an ipvlan."""
    run.memory.privileged = False
    out, _ = run.run(["--dry-run", "eth0:1", "10.9.0.1"], 0)
    assert "type macvlan" in out


def test_what_is_saved_can_be_read(run: Command, tmp_path: Path) -> None:
    """Although an address is there twice: the status says that the file lacks an alias."""
    run.split("eth0:12 10.77.0.1 kind label")
    run.split("-q eth0:14 10.77.0.1 kind macvlan")
    out, err = run.run(["save"], KERNEL)
    reason = "10.77.0.1 is the address of eth0:12"
    assert out == f"eth0:12  10.77.0.1/32  kind label\n# eth0:14: {reason}\n"
    assert err == f"netalias: eth0:14: a file cannot declare it: {reason}\n"
    path = tmp_path / "saved"
    path.write_text(out)
    assert run("check", str(path), status=errors.STATUS_DRIFT).startswith("- eth0:14 ")


def test_force(run: Command) -> None:
    """S45: --force, before or behind."""
    run.split("--force eth2:0 1.2.3.4")
    run.split("eth2:1 1.2.3.5 --force")
    assert run.split("-br show").split() == [
        "eth2:0", "no-carrier", "1.2.3.4/32", "eth2:1", "no-carrier", "1.2.3.5/32",
    ]  # fmt: skip


def test_warning(run: Command) -> None:
    """S62, S84: a warning is one line on standard error, and the work is done; -q has none."""
    run.memory.add_address("eth0", "10.0.0.5/24", label="eth0:0")
    run.memory.add_address("eth1", "10.0.0.7/24")
    out, err = run.run(["eth0:0", "10.0.0.7"], 0)
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("netalias: warning: eth0:0: eth0 carries a label of that name already")
    assert second == "netalias: warning: eth0:0: 10.0.0.7 is an address of eth1 too"
    assert run.split("-q eth1:3 10.0.0.5") == ""


@pytest.mark.parametrize(
    ("text", "loses"),
    [
        ("eth0:0-", True),
        ("eth0:0 down", True),
        ("eth0:0 10.0.0.9", True),
        ("eth0:0 kind label", True),
        ("eth0:1-", True),
        ("eth0:1 10.0.0.9", True),
        ("eth0:0 mtu 1400", False),
        ("eth0:0 10.0.0.5/24", False),
        ("eth0:2-", False),
        ("eth0:2 10.0.0.7", False),
    ],
)
def test_the_address_of_the_ssh_session_stays(
    run: Command, tmp_path: Path, text: str, loses: bool
) -> None:
    """In a command, a dry run and a batch, as in reconcile; --force goes on."""
    name = text.partition(" ")[0].rstrip("-")
    for line in ("eth0:0 10.0.0.5", "eth0:1 10.0.0.6 kind label", "eth0:2 10.0.0.8"):
        run.split(line)
    own = {"eth0:0": 5, "eth0:1": 6}.get(name, 5)
    session = lambda: bytes((10, 0, 0, own))  # noqa: E731
    before = run.split("-j show")

    def status(*words: str) -> int:
        found = cli.main(
            words, lambda options: Engine(Setup(run.memory, options.registry, session=session))
        )
        err = run.capsys.readouterr().err
        said = f"{name}: this SSH session comes in over its address (--force" in err
        assert said == (found == KERNEL), err
        return found

    for line, kept in ((text, loses), (f"{text} --force", False)):
        (tmp_path / "batch").write_text(f"{line}\n")
        words = line.split()
        expected = KERNEL if kept else 0
        assert status(*words, "--dry-run") == expected
        if kept:
            assert status(*words) == status("batch", str(tmp_path / "batch")) == expected
            assert run.split("-j show") == before
    assert status("batch", str(tmp_path / "batch")) == 0
    assert run.split("-j show") != before


@pytest.mark.parametrize("main", ["lan", "enP49152p1s0f0np0", "x" * 127])
def test_a_main_device_by_an_alternative_name(run: Command, tmp_path: Path, main: str) -> None:
    """Of any length that the kernel has; the alias is shown by the primary name of its main."""
    run.memory.send([AddAltname("eth0", run.memory.device("eth0").index, main)])
    run(f"{main}:5", "10.0.0.5", "kind", "macvlan")
    (tmp_path / "file").write_text(f"{main}:5-6 10.0.0.5-6/32 kind macvlan\n")
    assert run("check", str(tmp_path / "file"), status=3) == "+ eth0:6 10.0.0.6/32 macvlan\n"
    run("reconcile", str(tmp_path / "file"))
    assert run("check", str(tmp_path / "file")) == ""
    assert run("-br", "show", main).split()[::3] == ["eth0:5", "eth0:6"]
    assert run("lookup", "10.0.0.6") == "eth0:6\n"
    assert run(f"{main}:5").startswith("eth0:5: kind macvlan")
    run(f"{main}:5-")
    assert run("-br", "show").split()[::3] == ["eth0:6"]


USB = "enp0s20f0u1u4"
"""A main device of 13 bytes."""
USB_12 = primary(AliasName(USB, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{USB}:12 10.0.0.5", f"{USB}:12: give programs the name {USB_12}: many cut this one"
         f" at 15 bytes, to {USB}:1, and use {USB} or another alias of it"),
        (f"{USB}:12 10.0.0.5 kind dummy", "give programs the name"),
        (f"{USB}:1 10.0.0.5", ""),
        (f"{USB}:1 10.0.0.5 kind label", ""),
        ("eth0:65535 10.0.0.5", ""),
    ],
)  # fmt: skip
def test_a_name_that_programs_cut(run: Command, tmp_path: Path, text: str, said: str) -> None:
    """A warning when the alias is made: by a command, a batch, a file; not when nothing changes."""
    run.memory.add_device(USB, up=True)
    file = tmp_path / "file"
    file.write_text(f"{text}\n")
    name = text.partition(" ")[0]
    for words in (text.split(), ["batch", str(file)], ["reconcile", str(file)]):
        _, err = run.run(words, 0)
        assert (said in err) if said else not err
        assert err.count("\n") == bool(said)
        assert not run.run(words, 0)[1]
        assert not run.run([name, "mtu", "1400"] if "label" not in text else [name], 0)[1]
        run.split(f"{name}-")


def test_many_names_that_programs_cut(run: Command, tmp_path: Path) -> None:
    """One warning a main device."""
    run.memory.add_device(USB, up=True)
    (tmp_path / "file").write_text(f"{USB}:10-29 10.0.0.10-29/32 kind macvlan\n")
    _, err = run.run(["reconcile", str(tmp_path / "file")], 0)
    assert err.count("\n") == 1
    assert f"warning: {USB}:10: give programs the name" in err


# Dry runs -----------------------------------------------------------------------------------

STEPS = """\
ip link add eth0_0 link eth0 group 28257 type macvlan mode bridge
sysctl -qw net.ipv4.conf.eth0.arp_announce=2 net.ipv4.conf.eth0.arp_ignore=1
ip link set dev eth0_0 addrgenmode none
ip link property add dev eth0_0 altname eth0:0
ip link set dev eth0_0 alias 'netalias eth0:0'
sysctl -qw net.ipv4.conf.eth0_0.rp_filter=2 net.ipv4.conf.eth0_0.arp_filter=0 \
net.ipv4.conf.eth0_0.medium_id=-1 net.ipv4.conf.eth0_0.arp_announce=2 \
net.ipv4.conf.eth0_0.arp_ignore=1 net.ipv4.conf.eth0_0.promote_secondaries=1
ip addr add 200.1.1.1/24 dev eth0_0 broadcast 200.1.1.255 proto 97
ip link set dev eth0_0 up
"""


def test_dry_run(run: Command) -> None:
    """The steps in the words of ip, in the order of their execution; nothing is changed."""
    text = "eth0:0 200.1.1.1/24 kind macvlan"
    before = run.memory.snapshot()
    for words in (f"--dry-run {text}", f"{text} --dry-run", f"eth0:0 --dry-run {text[7:]}"):
        assert run.split(words) == STEPS
        after = run.memory.snapshot()
        assert (after.devices, after.addresses) == (before.devices, before.addresses)
    assert run.split(f"-v {text}") == STEPS
    assert run.split(f"-v {text}") == ""
    assert run.split("--dry-run eth0:0-") == "ip link del eth0_0\n"
    assert run.split("--verbose eth0:0-") == "ip link del eth0_0\n"


def test_order_of_printing(run: Command) -> None:
    """What frees an address is printed before what takes it."""
    run.split("lo:0 10.0.0.1")
    assert run.split("-v lo:0 10.0.0.1 broadcast 10.0.0.9").splitlines() == [
        "ip addr del 10.0.0.1/32 dev lo",
        "ip addr add 10.0.0.1/32 dev lo broadcast 10.0.0.9 label lo:0 proto 97",
    ]


def test_dry_run_refuses_too(run: Command) -> None:
    """S11, S24: what the planner refuses has the same line and status."""
    for text in ("eth2:0 1.2.3.4", "eth0:7-", "eth0:0 1.2.3.4 prefixlen 33"):
        status = USAGE if "33" in text else KERNEL
        assert run.refused(f"--dry-run {text}", status) == run.refused(text, status)


def test_dry_run_refuses_what_the_kernel_would(run: Command, tmp_path: Path) -> None:
    """In a command and in a batch: the same line and status, and nothing is changed."""
    run.memory.add_address("eth0", "2001:db8::9/64")
    run.split("eth0:0 10.0.0.1 kind macvlan hw ether 02:00:00:00:00:05")
    before = run.split("-j show")
    for text in (
        "eth0:1 10.0.0.2 kind macvlan hw ether 02:00:00:00:00:05",
        "eth0:1 2001:db8::9/64 kind label",
        "eth0:1 ::1",
    ):
        (tmp_path / "batch").write_text(f"{text}\n")
        line = run.refused(f"--dry-run {text}", KERNEL)
        assert run.refused(f"--dry-run batch {tmp_path}/batch", KERNEL).endswith(f":1: {line}")
        assert run.refused(text, KERNEL) == line
        assert run.split("-j show") == before


MAC = "kind macvlan hw ether 02:00:00:00:00:05"


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("eth0:0 10.0.0.1\n", "", ""),
        (
            f"eth0:0 10.0.0.1\neth1:1 10.0.0.2 {MAC}\neth1:2 10.0.0.3 {MAC}\n",
            "",
            "{}:3: eth1:2: cannot set eth1_2 up: Address already in use"
            " (another device on the same main device has this MAC)",
        ),
        ("eth0:0 10.0.0.1\neth0:3 ::1\n", "", "{}:2: eth0:3: cannot add ::1/128 to eth0_3: "),
        (
            "eth0:0 10.0.0.1\neth2:0 10.0.0.2\n",
            "",
            "{}:2: eth2:0: main device eth2 is down (ip link set eth2 up, or --force)",
        ),
        (
            "eth0:0 10.0.0.1\neth0:9 10.7.0.1/24\n",
            "",
            "{}:2: eth0:9: others have made this label (netalias adopt eth0)",
        ),
        (
            "eth0:0 10.0.0.1\neth1:3 2001:db8::3 kind label\n",
            "",
            "{}:2: eth1:3: cannot add 2001:db8::3/128 to eth1: Permission denied: ipv6: IPv6 is"
            " disabled on this device (sysctl -w net.ipv6.conf.eth1.disable_ipv6=0)",
        ),
        ("", "", "nothing is declared, and 1 alias would be removed (--allow-empty, if "),
        ("", "--allow-empty", ""),
    ],
)
def test_check_and_dry_run_foretell(
    run: Command, tmp_path: Path, text: str, words: str, line: str
) -> None:
    """What one reading shows: check ends with 3, a dry run as the run does, with the same line."""
    run.memory.add_address("eth0", "10.7.0.1/24", label="eth0:9")
    run.memory.without_inet6 = frozenset(["eth1"]).__contains__
    run.split("eth0:0 10.0.0.1")
    file = tmp_path / "declared"
    file.write_text(text)
    line, before = line.format(file), run.split("-j show")
    drift = errors.STATUS_DRIFT if line or not text else 0
    _, said = run.run(["check", *words.split(), str(file)], drift)
    status = KERNEL if line else drift
    _, dry = run.run(["reconcile", "--dry-run", *words.split(), str(file)], status)
    assert run.split("-j show") == before
    _, real = run.run(["reconcile", *words.split(), str(file)], KERNEL if line else 0)
    assert said == dry == real
    assert said.startswith(f"netalias: {line}" if line else "")
    assert said.count("\n") == bool(line)


# Views --------------------------------------------------------------------------------------

TABLE = """\
ALIAS   DEVICE  KIND     ADDRESS         STATE  MAC                RX  TX
lo:0    lo      label    10.0.0.1/32     up     00:00:00:00:00:00  -   -
eth0:0  eth0_0  macvlan  200.1.1.1/24    up     02:00:00:00:00:05  0   0
eth0:1  eth0_1  macvlan  2001:db8::1/64  up     02:00:00:00:00:06  0   0
"""
LINES = TABLE.splitlines(keepends=True)


@pytest.mark.parametrize("words", ["", "show", "sh", "s", "--color=never show", "-q"])
def test_show(filled: Command, words: str) -> None:
    """S32, S81: the table in chain order; no verb means show; verbs may be abbreviated."""
    assert filled.split(words) == TABLE


@pytest.mark.parametrize(
    ("words", "rows"),
    [("eth0", [2, 3]), ("lo eth0:1", [1, 3]), ("eth0:0 eth0 eth0:0", [2, 3]), ("eth1", None)],
)
def test_show_some(filled: Command, words: str, rows: list[int] | None) -> None:
    """Of main devices and of names; each alias once."""
    found = [line.split()[0] for line in filled.split(f"show {words}").splitlines()[1:]]
    assert found == [LINES[row].split()[0] for row in rows or []]


def test_family(filled: Command) -> None:
    """-4 and -6; together they mean both."""
    options = ("-4", "-6", "-4 -6", "-6 -4")
    names = [filled.split(f"{option} -br show").split()[::3] for option in options]
    both = ["lo:0", "eth0:0", "eth0:1"]
    assert names == [["lo:0", "eth0:0"], ["eth0:1"], both, both]


def test_brief(filled: Command) -> None:
    """Name, state, address; of one alias too."""
    expected = ["lo:0    up  10.0.0.1/32", "eth0:0  up  200.1.1.1/24", "eth0:1  up  2001:db8::1/64"]
    assert filled.split("-br show").splitlines() == expected
    assert filled.split("show --brief").splitlines() == expected
    assert filled.split("-br eth0:0") == "eth0:0  up  200.1.1.1/24\n"


DETAIL = [
    "eth0:0: kind macvlan state up",
    "device eth0_0 index 5 <UP,BROADCAST,MULTICAST,LOWER_UP> mtu 1500 link eth0",
    "lladdr 02:00:00:00:00:05 group 28257",
    "ip 200.1.1.1/24 broadcast 200.1.1.255 scope global label eth0_0 proto 97",
    "RX packets 0 bytes 0",
    "TX packets 0 bytes 0",
]


def test_detail(filled: Command) -> None:
    """S4: a name alone shows the alias; -o in one line."""
    assert filled("eth0:0") == "\n    ".join(DETAIL) + "\n"
    assert filled("-o", "eth0:0") == "\\  ".join(DETAIL) + "\n"
    assert filled("eth0:00") == filled("eth0:0")
    lines = filled("-o", "show").splitlines()
    assert [line.split()[0] for line in lines] == ["lo:0:", "eth0:0:", "eth0:1:"]
    assert lines[1] == "\\  ".join(DETAIL)


def test_down_is_shown(filled: Command) -> None:
    """S36: of an IPv6 alias that is down the address is known, and said not to be in force."""
    filled.split("eth0:1 down")
    assert "ipv6 2001:db8::1/64 (not in force while the alias is down)" in filled("eth0:1")
    assert "eth0:1  down  2001:db8::1/64" in filled.split("-br show")


def test_tree(filled: Command) -> None:
    """The chain as a tree, with mains that have no alias."""
    lines = filled.split("--tree show").replace("├─", "|-").replace("└─", "`-").splitlines()
    assert lines == [
        "lo up",
        "`- lo:0 10.0.0.1/32 label up",
        "eth0 up",
        "|- eth0:0 eth0_0 200.1.1.1/24 macvlan up",
        "`- eth0:1 eth0_1 2001:db8::1/64 macvlan up",
        "eth1 up",
        "eth2 down",
    ]
    assert filled.split("show --tree") == filled.split("--tree")


FIELDS = [
    "altname", "slot", "kind", "owned", "state", "link", "ifindex", "ifname", "flags", "mtu",
    "operstate", "group", "link_type", "link_type_name", "address", "family", "local", "prefixlen",
    "broadcast", "scope", "label", "protocol", "valid_life_time", "preferred_life_time", "stats64",
]  # fmt: skip


def test_json(filled: Command) -> None:
    """An array with the field names of ip; numbers are numbers; -p only adds white space."""
    rows = json.loads(filled.split("-j show"))
    assert [row["altname"] for row in rows] == ["lo:0", "eth0:0", "eth0:1"]
    row = rows[1]
    assert list(row) == FIELDS
    assert (row["slot"], row["prefixlen"], row["owned"]) == (0, 24, True)
    assert (row["family"], row["local"], row["link"]) == ("inet", "200.1.1.1", "eth0")
    assert "stats64" not in rows[0]
    assert json.loads(filled.split("-j eth0:0")) == [row]
    assert json.loads(filled.split("show --json --pretty")) == rows
    assert filled.split("-j -p show").count("\n") > 40
    assert json.loads(filled.split("-j lookup 200.1.1.1")) == [row]


def test_metric_is_shown(run: Command) -> None:
    """Where it was given; that of an IPv6 label holds its slot, and is not shown."""
    run.split("eth0:0 200.1.1.1/24 metric 77 kind macvlan")
    run.split("eth0:1 2001:db8::1/64 metric 78 kind macvlan")
    run.split("eth0:2 2001:db8::2/64 kind label")
    rows = json.loads(run.split("-j show"))
    assert [row.get("metric") for row in rows] == [77, 78, None]
    lines = run.split("-o show").splitlines()
    assert [" metric " in line for line in lines] == [True, True, False]
    assert " metric 77 proto" in lines[0]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("10.0.0.9\udcff", b"lo:1: 10.0.0.9\xff: not an IPv4 address"),
        ("caf\udce9", b"lo:1: 'caf\xe9' is not a word"),
        ("\udc9b7m", b"lo:1: '\\x9b7m' is not a word"),  # a control in some terminals
    ],
)
def test_bytes_are_shown_as_typed(
    word: str, shown: bytes, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What is not UTF-8 is shown as its bytes."""
    assert cli.main(["lo:1", word], lambda options: Engine(Setup(kernel()))) == USAGE
    assert shown in capsysbinary.readouterr().err


def test_json_of_nothing(run: Command) -> None:
    """An empty array is valid JSON."""
    assert json.loads(run.split("-j show")) == []
    assert json.loads(run.split("-j show eth0")) == []


def test_lookup(filled: Command) -> None:
    """S60: the owner; without one a status of its own, and silence on both sides."""
    assert filled.split("lookup 200.1.1.1") == "eth0:0\n"
    assert filled.split("l 2001:db8:0::1") == "eth0:1\n"
    assert filled.split("lookup ip 10.0.0.1") == "lo:0\n"
    assert filled.split("lookup inet6 2001:db8::1") == "eth0:1\n"
    assert filled.split("-q lookup 10.0.0.1") == ""
    for text in ("lookup 9.9.9.9", "lookup ::9", "-v lookup ip 9.9.9.9"):
        assert filled.split(text, status=errors.STATUS_NONE) == ""


def test_cat(filled: Command) -> None:
    """S73, S78: the texts of /proc, byte by byte."""
    text = filled.split("cat aliases")
    assert len(text) == 64 * 4
    assert text.splitlines()[2].rstrip() == "eth0:0           2      200.1.1.1"
    types = filled.split("cat alias_types")
    assert types == (
        "type    name            n_attach\n"
        "2       ip              2      \n10      ipv6            1      \n"
    )


def test_types(filled: Command) -> None:
    """S51, S82: how many aliases each type has."""
    assert filled("types") == "FAMILY  NAME  N_ATTACH\n2       ip    2\n10      ipv6  1\n"
    for text in ("eth0:0-", "lo:0 2001:db8::7", "eth0:1-"):
        filled.split(text)
    assert json.loads(filled.split("-j types")) == [
        {"family": 2, "name": "ip", "n_attach": 0},
        {"family": 10, "name": "ipv6", "n_attach": 1},
    ]


def test_emulate(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of Linux 2.0 reads its script from standard input, and needs no kernel."""
    script = "device eth0 10.0.0.1 up\neth0:0 200.1.1.1 up\nchain\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(script))
    assert "eth0:0" in run("emulate")
    assert run("show") == ""


# Help and version ---------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["help", "-h", "--help", "h"])
def test_help(run: Command, words: str) -> None:
    """All of it, on standard output."""
    assert run(words) == help.text("")


@pytest.mark.parametrize("verb", [*cli.VERBS])
def test_help_of_a_verb(run: Command, verb: str) -> None:
    """In every way to ask for it."""
    text = help.text(verb)
    assert run("help", verb) == text
    for words in (("-h", verb), ("--help", verb), (verb, "-h"), (verb, "--help")):
        assert run(*words) == text


def test_help_of_an_alias(run: Command) -> None:
    """A name before or behind the option asks for the words of an alias."""
    assert run("eth0:0", "--help") == run("-h", "eth0:0") == help.text("")


def test_help_of_the_bus(run: Command) -> None:
    """It has no verb; every kind of event stands in its help."""
    words = run("help", "bus").replace(",", " ").replace(";", " ").split()
    assert {"subscribe", *KINDS} <= {*words}
    assert run("help", "alias") == help.text("")


def test_help_says_everything() -> None:
    """Every word, verb and option stands in the help."""
    words = help.MAIN.replace(",", " ").replace("[=", " ").split()
    for one in (*desired.WORDS, *cli.VERBS, *FLAGS, *TAKING):
        assert one in words, one


def test_version(run: Command) -> None:
    """The version, whatever else is asked."""
    for words in (("-V",), ("--version",), ("show", "--version"), ("eth0:0", "--version")):
        assert run(*words) == f"netalias {netalias.__version__}\n"


def test_options_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """What the options set is what the opener gets; the last one counts."""
    seen: list[cli.Options] = []

    def opener(options: cli.Options) -> Engine:
        seen.append(options)
        return Engine(Setup(Memory()))

    words = "-n a --netns=b --group 7 --wait=3 -c -4 -6 -j -p -br -o -v -q --tree -- show"
    assert cli.main(words.split(), opener) == 0
    (options,) = seen
    assert (options.netns, options.group, options.wait, options.color) == ("b", "7", "3", "always")
    assert (options.inet, options.inet6) == (True, True)
    for name in ("json", "pretty", "brief", "oneline", "verbose", "quiet", "tree"):
        assert getattr(options, name) is True, name
    assert not options.dry_run
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize("option", SPECIAL)
def test_an_option_that_means_nothing_is_refused(run: Command, option: str) -> None:
    """With the verbs that it belongs to, and where the others are told; --help needs none."""
    value = " 1" if option in TAKING else ""
    verb = next(verb for verb in ("cat", "help") if verb not in SPECIAL[option])
    text = run.refused(f"{option}{value} {verb}", USAGE)
    assert text.startswith(f"{option} belongs to ")
    assert text.endswith(f" (netalias help {verb})")
    words = f"{option}{value}".split()
    assert run(*words, verb, "--help") == help.text(verb)


BY_HAND = "its line is written by hand: man netalias.conf"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("publish 10.0.0.5 dev eth0", "files do not declare it: publish it again after each boot"),
        ("unpublish 10.0.0.5", "files do not declare it"),
        ("vif0 198.51.100.7/24 to 10.0.0.77 carriage udp", BY_HAND),
        ("relay 10.0.0.5 on eth0 passive carriage udp", BY_HAND),
        ("iface eth0 keep off", BY_HAND),
    ],
)
def test_what_has_no_save_says_how_it_lasts(run: Command, words: str, reason: str) -> None:
    text = run.refused(f"--save {words}", USAGE)
    assert text == f"--save belongs to NAME ADDRESS, adopt, batch ({reason})"


@pytest.mark.parametrize("option", ["-c", "-n x", "-q", "-v", "--group 7", "--wait 60"])
@pytest.mark.parametrize("verb", ["show", "check /dev/null", "types"])
def test_options_that_every_verb_takes(
    run: Command, option: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts put them before anything."""
    monkeypatch.setattr("netalias.system.netns.inside", lambda name: lambda work: work())
    run(*option.split(), *verb.split())


@pytest.mark.parametrize("option", ["--group", "--wait"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999", "٣"])
def test_numbers_of_options(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    """They are looked at before anything is opened."""
    assert cli.main([f"{option}={value}", "show"]) == USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    least = 1 if option == "--group" else 0
    assert f"{option} {value}: a number from {least} to 999999999 is needed" in err


def test_bug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody thought of is called a bug, in one line, with status 70."""

    def opener(options: cli.Options) -> Engine:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.delenv("NETALIAS_DEBUG", raising=False)
    assert cli.main(["show"], opener) == errors.STATUS_BUG
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("netalias: this is a bug in netalias: ZeroDivisionError: two\\nlines in")
    assert err.count("\n") == 1
    monkeypatch.setenv("NETALIAS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main(["show"], opener)


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    """Control-C is status 130 and one word."""

    def opener(options: cli.Options) -> Engine:
        raise KeyboardInterrupt

    assert cli.main(["show"], opener) == 130
    assert capsys.readouterr().err == "netalias: interrupted\n"


def test_interrupted_in_the_middle(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is said how many changes are done; those that are under way are undone."""
    run.split("eth0:0-3 10.0.0.1-4 kind label")
    send = Memory.send

    def interrupted(self: Memory, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        if any(isinstance(step, CreateLink) for step in steps):
            raise KeyboardInterrupt
        return send(self, steps)

    monkeypatch.setattr(Memory, "send", interrupted)
    path = tmp_path / "commands"
    path.write_text("eth0:0-1 metric 5\neth0:2-3 kind macvlan\n")
    for words, said in (
        (["batch", str(path)], "2 of 4 changes are done"),
        (["eth0:0-3", "kind", "macvlan"], "0 of 4 changes are done"),
    ):
        _, err = run.run(words, 130)
        assert err == f"netalias: interrupted: {said}, the others undone\n"
        assert "macvlan" not in run("show")


# Names that nobody should have --------------------------------------------------------------

EVIL = "e\x1b[2J\x07\u202e"
"""Clears the screen, rings, and turns the direction of writing round."""


@pytest.mark.parametrize(
    "words",
    [
        "show", "-br show", "-o show", "--tree show", "-j show", "lookup 200.1.1.1", "{}:0",
        "-o {}:0", "--dry-run {}:1 200.1.1.2", "-v {}:2 200.1.1.3", "--dry-run {}:0-",
        "-v {}:0 200.1.1.7 mtu 1300", "{}:9", "{}", "show {}x", "{}:x", "help {}", "--{}",
        "lookup {}", "cat {}", "types {}", "{}:3 {}", "{}:3 kind {}", "{}:3 hw ether {}",
        "{}:3 netmask {}", "{}:4 200.1.1.1 kind macvlan", "{}:5 200.1.1.1 metric {}",
    ],
)  # fmt: skip
def test_control_characters(run: Command, words: str) -> None:
    """What could move the cursor or hide itself never reaches the terminal as it is."""
    run.memory.add_device(EVIL, up=True)
    run(f"{EVIL}:0", "200.1.1.1")
    run.capsys.readouterr()
    cli.main(
        words.replace("{}", EVIL).split(" "),
        lambda options: Engine(Setup(run.memory, options.registry)),
    )
    out, err = run.capsys.readouterr()
    assert out + err
    for text in (out + err).splitlines():
        assert text.isprintable(), text


def test_control_characters_in_proc(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of /proc are exact, except on a terminal."""
    run.memory.add_device(EVIL, up=True)
    run(f"{EVIL}:0", "200.1.1.1")
    assert EVIL in run("cat", "aliases")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\x1b" not in run("cat", "aliases")


def test_altname_with_a_newline(run: Command) -> None:
    """An altname may hold anything; a view has one line an alias all the same."""
    run.split("eth0:0 200.1.1.1 kind dummy")
    index = run.memory.device("eth0_0").index
    run.memory.send([AddAltname("eth0_0", index, "eth\n1:0")])
    run.memory.remove_device("eth0")
    for words in ("show", "-br show", "-o show"):
        assert len(run.split(words).splitlines()) == (2 if words == "show" else 1)


# Any words ----------------------------------------------------------------------------------

REAL = [
    *cli.VERBS, *FLAGS, *desired.WORDS,
    "sh", "eth0:0", "eth0:1", "eth1:0", "lo:0", "eth0:0-", "eth0:00", "eth2:0", "eth0", "nodev:0",
    "200.1.1.1", "200.1.1.2/24", "10.0.0.1/16", "2001:db8::1/64", "255.255.255.0", "24", "1400",
    "ether", "02:00:00:00:00:01", "macvlan", "ipvlan", "dummy", "label", "auto", "inet", "inet6",
    "aliases", "alias_types", "-c", "--color=always", "--color=never", "--", "-",
]  # fmt: skip
WORD = st.sampled_from(REAL) | st.text(max_size=6) | st.from_regex(r"eth0:[0-9x-]{0,4}")


UNHARMFUL = r"netalias: (warning: |\d+ alias(es)?( of \d|, |$))"
"""Warnings, and what import counts."""


@given(lines=st.lists(st.lists(WORD, max_size=6), max_size=6))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words(
    lines: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is typed: a known status, no bug, at most one line of error, or only warnings."""
    memory = kernel()
    # The emulator has tests of its own; here it would read files of the machine.
    monkeypatch.setattr("netalias.cli.show.emulate", lambda options, words: 0)
    # These stay, and hear a real kernel.
    monkeypatch.setattr("netalias.cli.monitor.monitor", lambda options, words: 0)
    monkeypatch.setattr("netalias.cli.watch.watch", lambda options, words: 0)
    monkeypatch.setattr("netalias.families._load_entry_point", lambda name: None)
    for words in lines:
        capsys.readouterr()
        status = cli.main(words, lambda options: Engine(Setup(memory, options.registry)))
        out, err = capsys.readouterr()
        assert status in (0, USAGE, KERNEL, PERMISSION, errors.STATUS_NONE), (words, err)
        assert "Traceback" not in out + err
        complaints = err.splitlines()
        wrong = [line for line in complaints if not re.match(UNHARMFUL, line)]
        assert len(wrong) <= 1 or any("-" in word for word in words), err  # a range
        assert all(line.isprintable() for line in complaints)
        if wrong:
            assert status
        if status == 0 and "-j" in words and out.startswith("["):
            json.loads(out)


@pytest.mark.parametrize("name", [*cli.VERBS])
def test_abbreviations(name: str) -> None:
    """A verb may be abbreviated as long as it is the only one that begins so."""
    for size in range(1, len(name) + 1):
        if name[:size] in cli.SHORT:
            assert cli.find_verb(name[:size]) == cli.SHORT[name[:size]]
            continue
        begun = [verb for verb in cli.VERBS if verb.startswith(name[:size])]
        find: Callable[[str], str] = cli.find_verb
        if len(begun) == 1:
            assert find(name[:size]) == name
        else:
            with pytest.raises(errors.UsageError, match="this could be"):
                find(name[:size])
