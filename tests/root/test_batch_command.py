"""batch on the real kernel: what many commands of one process do and say."""

from __future__ import annotations

import fcntl
import json

import pytest
from command import Command, command, devices, ip_json, lock_file, one_line
from declaring import figures, settled

DONE, USAGE, REFUSED, DRIFT, DENIED, BUSY = 0, 1, 2, 3, 4, 75


def batch(
    cli: Command, *lines: str, status: int = DONE, options: tuple[str, ...] = ()
) -> tuple[str, list[str]]:
    """Run these lines: output, and the lines on standard error."""
    done = cli.run(*options, "batch", "-", input="".join(f"{line}\n" for line in lines))
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr.splitlines()


def test_all_in_order_and_silence(cli: Command) -> None:
    """Creations, changes and deletions, of all kinds; comments and empty lines are nothing."""
    assert batch(
        cli,
        "# what there was",
        "",
        "eth9:0 10.0.0.1/24 kind macvlan   # the first",
        "eth9:1 2001:db8::1/64 kind macvlan",
        "eth9:2 10.2.0.1 kind label",
        "eth9:0 mtu 1400",
        "eth9:2-",
        "eth9:1 down",
        "lo:0 192.0.2.1",
    ) == ("", [])
    assert cli.names() == ["lo:0", "eth9:0", "eth9:1"]
    assert cli.one("eth9:0")["mtu"] == 1400
    assert cli.one("eth9:1")["state"] == "down"


COMMANDS = (
    "eth9:0 10.0.0.1/24 kind macvlan",
    "eth9:1 10.0.0.2/24 kind macvlan",
    "eth9:2 10.0.0.3/24 kind macvlan",
    "eth9:0-",
    "eth9:0 10.0.0.9/16 kind macvlan",
    "eth9:3 10.0.1.1/24 kind label",
    "eth9:1 10.5.0.1/24",
    "eth9:2 kind label",
    "eth9:4 2001:db8::4/64 kind macvlan",
    "eth9:5 2001:db8::5/64 kind macvlan",
    "eth9:4-",
    "eth9:0 down",
    "lo:0 192.0.2.1",
    "lo:0 192.0.2.2",
)


def test_the_same_as_one_command_after_the_other(cli: Command) -> None:
    """Names that come again, networks that are inherited: state and routes are the same."""

    def state() -> object:
        routes = [
            sorted(route["dst"] for route in ip_json(cli.namespace, f"{family} route show"))
            for family in ("-4", "-6")
        ]
        return figures(cli), routes

    for line in COMMANDS:
        assert cli.run(*line.split()).returncode == DONE
    expected = state()
    cli("--allow-empty", "reconcile", "/dev/null")
    batch(cli, *COMMANDS)
    assert state() == expected


def test_a_name_again_and_again(cli: Command) -> None:
    """Made, deleted, made again as another kind, re-addressed: the last one counts."""
    batch(
        cli,
        "eth9:0 10.0.0.1 kind macvlan",
        "eth9:0-",
        "eth9:0 10.0.0.2 kind label",
        "eth9:0 10.0.0.3",
        "eth9:0-",
        "eth9:0 10.0.0.4 kind macvlan",
        "eth9:0 10.0.0.5",
    )
    assert figures(cli)["eth9:0"][:3] == ("10.0.0.5", 32, "macvlan")
    assert cli.names() == ["eth9:0"]


def test_one_main_by_two_names(cli: Command) -> None:
    """An altname of the main names the same aliases."""
    cli.namespace.ip("link property add dev eth9 altname wan")
    batch(
        cli,
        "eth9:0 10.0.0.1 kind macvlan",
        "wan:0 10.0.0.2",
        "wan:1 10.0.0.3 kind macvlan",
        "eth9:1-",
        "wan:1 10.0.0.4 kind label",
    )
    assert {name: one[0] for name, one in figures(cli).items()} == {
        "eth9:0": "10.0.0.2", "eth9:1": "10.0.0.4",
    }  # fmt: skip


def test_two_swap_their_addresses(cli: Command) -> None:
    """Through a third address, as one command after the other has to."""
    batch(cli, "eth9:0 10.0.0.1 kind label", "eth9:1 10.0.0.2 kind label")
    batch(cli, "eth9:0 10.0.0.3", "eth9:1 10.0.0.1", "eth9:0 10.0.0.2")
    assert {name: one[0] for name, one in figures(cli).items()} == {
        "eth9:0": "10.0.0.2", "eth9:1": "10.0.0.1",
    }  # fmt: skip


def test_reading_verbs_see_what_was_done_before(cli: Command) -> None:
    """Each at its place in the order, in the views of the command line."""
    out, errors = batch(
        cli,
        "lo:0 192.0.2.1",
        "-j show",
        "lo:1 192.0.2.2",
        "-br show",
        "lo:0-",
        "lookup 192.0.2.2",
        "save",
        "lo:1",
    )
    first, *rest = out.splitlines()
    assert [one["altname"] for one in json.loads(first)] == ["lo:0"]
    assert [line.split()[0] for line in rest[:2]] == ["lo:0", "lo:1"]
    assert rest[2:4] == ["lo:1", "lo:1  192.0.2.2/32  kind label"]
    assert rest[4].startswith("lo:1: kind label")
    assert errors == []


def test_the_first_error_ends_it(cli: Command) -> None:
    """What stands before it is done; the line, and how many commands were not done."""
    out, errors = batch(
        cli,
        "lo:0 192.0.2.1",
        "",
        "lo:9-",
        "# nothing",
        "lo:1 192.0.2.2",
        "show",
        status=REFUSED,
    )
    assert out == ""
    assert errors == [
        "netalias: <stdin>:3: lo:9: there is no such alias",
        "netalias: <stdin>: not done after that: 2 commands",
    ]
    assert cli.names() == ["lo:0"]


def test_a_refusal_of_the_kernel_ends_it_too(cli: Command) -> None:
    """Although it was sent together with what stands behind it."""
    cli.namespace.ip("link set eth9 mtu 1400")
    _, errors = batch(
        cli,
        "eth9:0 10.0.0.1 kind macvlan",
        "eth9:1 10.0.0.2 kind macvlan mtu 1500",
        "eth9:2 10.0.0.3 kind macvlan",
        "eth9:3 10.0.0.4 kind macvlan mtu 1500",
        status=REFUSED,
    )
    assert errors[0].startswith("netalias: <stdin>:2: eth9:1: ")
    assert errors[1:] == ["netalias: <stdin>: not done after that: 2 commands"]
    assert cli.names() == ["eth9:0"]
    assert [name for name in cli.namespace.names() if "_" in name] == ["eth9_0"]


def test_force_goes_on(cli: Command) -> None:
    """Every error with its line, all the rest is done; the status is that of the first."""
    cli.namespace.ip("link set eth9 mtu 1400")
    _, errors = batch(
        cli,
        "lo:9-",
        "lo:0 192.0.2.1",
        "lo:1 192.0.2.300",
        "eth9:1 10.0.0.2 kind macvlan mtu 1500",
        "eth9:2 10.0.0.3 kind macvlan",
        "nonsense",
        "no9:0 10.0.0.1",
        "lo:2 192.0.2.3",
        "show nothing9",
        status=REFUSED,
        options=("--force",),
    )
    assert [line.split(": ")[1] for line in errors] == [
        f"<stdin>:{number}" for number in (1, 3, 4, 6, 7, 9)
    ]
    assert cli.names() == ["lo:0", "lo:2", "eth9:2"]


@pytest.mark.parametrize(
    ("line", "status"),
    [("reconcile /no/such/file", REFUSED), ("lookup 9.9.9.9", DRIFT), ("check {file}", DRIFT)],
)
def test_a_verb_that_fails_is_an_error(
    cli: Command, tmp_path: object, line: str, status: int
) -> None:
    """Its status is that of the batch, and what follows is not done."""
    file = f"{tmp_path}/declared"
    with open(file, "w") as out:
        out.write("lo:7 192.0.2.7\n")
    _, errors = batch(cli, line.format(file=file), "lo:0 192.0.2.1", status=status)
    assert errors[-2].startswith("netalias: <stdin>:1: ")
    assert errors[-1] == "netalias: <stdin>: not done after that: 1 command"
    assert cli.names() == []


def test_reconcile_in_a_batch(cli: Command, tmp_path: object) -> None:
    """It sees what was done before, and what follows sees what it did."""
    file = f"{tmp_path}/declared"
    with open(file, "w") as out:
        out.write("lo:0 192.0.2.1\n")
    out_, errors = batch(
        cli, "lo:5 192.0.2.5", f"reconcile {file}", f"check {file}", "lo:0 192.0.2.2"
    )
    assert out_ == "- lo:5 192.0.2.5/32 label\n+ lo:0 192.0.2.1/32 label\n"
    assert errors == []
    assert cli.one("lo:0")["local"] == "192.0.2.2"


def test_words_behind_a_name_that_are_options(cli: Command) -> None:
    """As on the command line: --dry-run prints the step and does nothing."""
    out, _ = batch(cli, "lo:0 192.0.2.1 --dry-run", "lo:1 192.0.2.2", "--dry-run lo:1-")
    assert [line.split()[2] for line in out.splitlines()] == ["add", "del"]
    assert cli.names() == ["lo:1"]


def test_dry_run_of_a_whole_batch(cli: Command) -> None:
    """The steps of all commands, each as if those before it were done; nothing is done."""
    before = settled(cli.namespace)
    lines = ("eth9:0 10.0.0.1 kind macvlan", "eth9:0 10.0.0.2", "show", "eth9:0-", "lo:0 192.0.2.1")
    out, errors = batch(cli, *lines, options=("--dry-run",))
    assert errors == []
    assert settled(cli.namespace) == before
    said = out.splitlines()
    assert said[0] == "sysctl -qw net.ipv4.conf.eth9.arp_announce=2 net.ipv4.conf.eth9.arp_ignore=1"
    assert said[1].startswith("ip link add eth9_0 link eth9 ")
    assert said[1].endswith(" group 28257 type macvlan mode bridge")
    assert "ip link del eth9_0" in said
    assert any(line.startswith("eth9:0 ") and "10.0.0.2/32" in line for line in said)
    assert said[-1].startswith("ip addr add 192.0.2.1/32 dev lo label lo:0")
    assert batch(cli, "lo:9-", status=REFUSED, options=("--dry-run",))[1] == [
        "netalias: <stdin>:1: lo:9: there is no such alias"
    ]


def test_verbose_prints_the_steps(cli: Command) -> None:
    """In the words of ip(8), in the order of the commands."""
    out, _ = batch(cli, "lo:0 192.0.2.1", "lo:1 192.0.2.2", options=("-v",))
    assert [line.split()[3] for line in out.splitlines()] == ["192.0.2.1/32", "192.0.2.2/32"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch -", "batch: a batch in a batch"),
        ("watch", "watch has no place in a batch, which holds the lock"),
        ("-q mon eth9", "monitor has no place in a batch, which holds the lock"),
        ("--netns other show", "--netns, --group and --wait stand before batch"),
        ("--wait 3 lo:0 192.0.2.1", "--netns, --group and --wait stand before batch"),
        ("--confirm 60 reconcile /dev/null", "--confirm has no place in a batch"),
        (
            "reconcile --allow-empty -",
            "reconcile -: a batch, which holds the lock, waits for no input",
        ),
        ("-q check /dev/null -", "check -: a batch, which holds the lock, waits for no input"),
    ],
)
def test_what_has_no_place_in_a_batch(cli: Command, line: str, said: str) -> None:
    """A usage error with its line."""
    assert batch(cli, line, status=USAGE)[1] == [f"netalias: <stdin>:1: {said}"]


def test_confirm_in_a_batch_finds_what_waits(cli: Command, tmp_path: object) -> None:
    """The state of the namespace is that of the lock which the batch holds."""
    file = f"{tmp_path}/declared"
    with open(file, "w") as out:
        out.write("lo:0 192.0.2.1\n")
    assert cli.run("--confirm", "600", "reconcile", file).returncode == DONE
    assert batch(cli, "confirm") == ("", [])
    cli.fails(REFUSED, "confirm")


def test_a_file(cli: Command, tmp_path: object) -> None:
    """By its name, which stands before each line number; one that is missing is an error."""
    file = f"{tmp_path}/commands"
    with open(file, "w") as out:
        out.write("lo:0 192.0.2.1\nlo:1 192.0.2.300\n")
    assert cli.fails(USAGE, "batch", file) == (
        f"netalias: {file}:2: lo:1: 192.0.2.300: not an IPv4 address"
    )
    assert cli.names() == ["lo:0"]
    assert cli.fails(REFUSED, "batch", f"{file}.no").endswith(": No such file or directory")
    assert cli.fails(USAGE, "batch") == "netalias: batch needs one file, or - for standard input"


def test_warnings_have_their_lines(cli: Command) -> None:
    """What a single command warns of, and -q for silence."""
    cli.namespace.ip("addr add 10.7.0.1/32 dev eth9")
    _, errors = batch(cli, "", "eth9:0 10.7.0.1 kind macvlan")
    assert errors == ["netalias: warning: <stdin>:2: eth9:0: 10.7.0.1 is an address of eth9 too"]
    cli("eth9:0-")
    assert batch(cli, "eth9:0 10.7.0.1 kind macvlan", options=("-q",)) == ("", [])


def test_it_holds_the_lock(cli: Command) -> None:
    """Another one at work: status 75, nothing is done."""
    cli("lo:0", "192.0.2.1")
    with lock_file(cli.namespace).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _, errors = batch(cli, "lo:1 192.0.2.2", status=BUSY, options=("--wait", "0"))
    assert "another netalias is at work" in one_line(errors[0] + "\n", "netalias: ")
    assert cli.names() == ["lo:0"]


def test_without_privilege(cli: Command) -> None:
    """Looking works; the first change is refused with its line and status 4."""
    cli("lo:0", "192.0.2.1")
    before = devices(cli.namespace)
    weak = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = cli.namespace.run(
        [*weak, *command("batch", "-")], check=False, input="-br show\nlo:1 192.0.2.2\nshow\n"
    )
    if "setpriv" in done.stderr:
        pytest.skip(f"not possible here: {done.stderr.strip()[:80]}")
    assert done.returncode == DENIED, done
    assert done.stdout.split()[0] == "lo:0"
    assert done.stderr.splitlines()[0].startswith("netalias: <stdin>:2: ")
    assert devices(cli.namespace) == before


def test_a_thousand_commands(cli: Command) -> None:
    """As many as one likes, in few sends; all of them count."""
    lines = [f"eth9:{slot} 10.0.{slot // 250}.{slot % 250} kind label" for slot in range(1000)]
    assert batch(cli, *lines) == ("", [])
    assert len(cli.names()) == 1000
    assert batch(cli, *(f"eth9:{slot}-" for slot in range(1000))) == ("", [])
    assert cli.names() == []
