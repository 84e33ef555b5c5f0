"""The verb pool over a kernel in memory: taking, giving back, aliases, and what the files make of
them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import KERNEL, PERMISSION, USAGE, Command

from netalias import cli
from netalias.engine import Engine, Setup, Transaction, loans
from netalias.runtime.private import PrivateDirectory

FILE = """\
pool web 10.0.1.2-10.0.1.4
pool dev 10.0.2.1-4/24 dev eth0 kind macvlan
pool six 2001:db8::1-9 dev eth1 kind label
eth0:0 10.9.0.1 kind macvlan
"""


class Pools(Command):
    """The command with a runtime directory of its own, a clock that stands, and no chance."""

    now = 1000.0

    def __init__(
        self, capsys: pytest.CaptureFixture[str], folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(capsys)
        self.folder = folder
        self.file = folder / "conf"
        self.file.write_text(FILE)
        patch.setattr(loans.Lender.__init__, "__kwdefaults__", {
            "dry": False, "withheld": None, "clock": lambda: self.now, "draw": lambda count: 0,
        })  # fmt: skip
        patch.setattr("netalias.engine.lent.now", lambda: self.now)
        patch.setattr("netalias.sources.default_files", lambda root="": [str(self.file)])

    def _open(self, options: cli.Options) -> Engine:
        runtime = PrivateDirectory(str(self.folder))
        return Engine(
            Setup(self.memory, options.registry, changed=options.changes, runtime=runtime)
        )

    def later(self, seconds: int) -> None:
        """What the clock and the kernel do in so many seconds: addresses run out."""
        self.now += seconds
        self.memory.pass_time(seconds)

    def aliases(self) -> dict[str, str]:
        """What stands."""
        return {one["altname"]: one.get("local", "") for one in json.loads(self.split("-j show"))}


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Pools:
    """The command over an empty kernel."""
    return Pools(capsys, tmp_path, monkeypatch)


def test_take_prints_the_address_alone(run: Pools) -> None:
    """And the next run knows what the former one has lent."""
    assert run.split("pool web take") == "10.0.1.2\n"
    assert run.split("pool web take --for c1") == "10.0.1.3\n"
    assert run.split("pool web take --for c1 --lease 60") == "10.0.1.3\n"
    assert run.split("pool web take 10.0.1.4") == "10.0.1.4\n"
    assert run.refused("pool web take", KERNEL) == (
        "pool web: no address is free: 3 of 3 are taken (netalias pool web show)"
    )
    assert run.split("pool web show") == (
        "ADDRESS   CLIENT  LEFT  ALIAS  STATE\n"
        "10.0.1.2  -       3600  -      lent\n"
        "10.0.1.3  c1      60    -      lent\n"
        "10.0.1.4  -       3600  -      lent\n"
    )
    assert run.split("pool").splitlines()[1].split() == ["web", "3", "3", "-"]
    assert run.split("pool web release 10.0.1.2") == ""
    assert run.split("pool web release --for c1") == ""
    assert run.split("pool web take --for c1") == "10.0.1.3\n"
    run.later(3601)
    assert run.split("-j pool web show") == "[]\n"


def test_another_address_is_told(run: Pools) -> None:
    """What is asked for may be taken, or of another pool; -q is silent."""
    run.split("pool web take 10.0.1.3")
    out, err = run.run(["pool", "web", "take", "10.0.1.3"], 0)
    assert (out, err) == (
        "10.0.1.2\n", "netalias: warning: pool web: 10.0.1.3 is not free, here is 10.0.1.2\n",
    )  # fmt: skip
    assert run.split("-q pool web take 192.0.2.1") == "10.0.1.4\n"
    assert run.refused("pool web take 10.0.1", USAGE) == "10.0.1: not an IPv4 address"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("pool webb take", KERNEL, "webb: no such pool is declared (did you mean web?)"),
        ("pool x take", KERNEL, "x: no such pool is declared (declared: web dev six)"),
        ("pool web tkae", USAGE, "pool web tkae: tkae: unknown (did you mean take?)"),
        ("pool take web", USAGE,
         "pool take web: web: unknown (the name of the pool comes first: netalias pool web take)"),
        ("pool web take 10.0.1.2 10.0.1.3", USAGE,
         "pool web take 10.0.1.2: 10.0.1.3: one word too many (netalias help pool)"),
        ("pool web release", USAGE,
         "pool web release: either an address or --for CLIENT is needed"),
        ("pool web release 10.0.1.2 --for a", USAGE,
         "pool web release: either an address or --for CLIENT is needed"),
        ("pool web release 10.0.1.2", KERNEL,
         "pool web: 10.0.1.2 is not taken (netalias pool web show)"),
        ("pool web release 10.0.7.2", KERNEL,
         "pool web: 10.0.7.2 is not of this pool (netalias pool web show)"),
        ("pool web release --for a", KERNEL,
         "pool web: a has no address (netalias pool web show)"),
        ("pool web take --lease 0", USAGE, "--lease 0: a number from 1 to 999999999 is needed"),
        ("pool web show --lease 9", USAGE, "--lease belongs to take, and not to show"),
        ("show --for a", USAGE, "--for belongs to pool (netalias help show)"),
    ],
)  # fmt: skip
def test_what_is_refused(run: Pools, words: str, status: int, text: str) -> None:
    """One line each, and nothing is lent."""
    assert run.refused(words, status) == text
    assert json.loads(run.split("-j pool"))[0]["taken"] == 0


def test_a_client_is_a_word(run: Pools) -> None:
    """It is written into a line."""
    for client in ("a b", "a\nb", "\x1b[2J", "x" * 256):
        out, err = run.run(["pool", "web", "take", "--for", client], USAGE)
        assert out == ""
        assert err.startswith("netalias: --for")
    assert run("pool", "web", "take", "--for", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}ro") == (
        "10.0.1.2\n"
    )


def test_giving_back_what_is_gone(run: Pools) -> None:
    """A script may say that this is no error."""
    assert run.split("pool web release 10.0.1.2 --absent-ok") == ""


def test_who_may_not_change_the_namespace_lends_nothing(run: Pools) -> None:
    """Its record would be another one, and an address lent twice."""
    run.memory.privileged = False
    assert "changing addresses" in run.refused("pool web take", PERMISSION)
    assert json.loads(run.split("-j pool"))[0]["taken"] == 0


def test_who_may_not_change_the_namespace_is_not_told_that_nothing_is_taken(run: Pools) -> None:
    """The record that it can write is another one: that says nothing about the loans."""
    run.split("pool web take --for a")
    run.memory.privileged = False
    for words in ("--for a", "10.0.1.2", "--for b", "--for b --absent-ok"):
        assert "changing addresses" in run.refused(f"pool web release {words}", PERMISSION)


def test_an_alias_stands_while_its_address_is_lent(run: Pools) -> None:
    """In the first slot that neither the kernel nor a file has; with the lease of the loan. Its
    client is offered it again (A-15)."""
    run.split("eth0:1 10.9.0.2 kind macvlan")
    assert run.split("pool dev take --for a --lease 60") == "10.0.2.1\n"
    assert run.split("pool dev take") == "10.0.2.2\n"
    assert run.split("pool six take") == "2001:db8::1\n"
    found = run.aliases()
    assert found == {
        "eth0:1": "10.9.0.2", "eth0:2": "10.0.2.1", "eth0:3": "10.0.2.2",
        "eth1:0": "2001:db8::1",
    }  # fmt: skip
    assert "lease 60 remaining 60" in run.split("eth0:2")
    assert run.split("pool dev take --for a --lease 600") == "10.0.2.1\n"
    assert run.aliases() == found
    assert run.split("pool dev release --for a") == ""
    assert "eth0:2" not in run.aliases()
    assert run.split("pool dev take --for a") == "10.0.2.1\n"
    assert run.aliases() == found


def test_an_ended_loan_takes_its_alias_along(run: Pools) -> None:
    """The kernel drops the address; the next command about the pool removes the device."""
    run.split("pool dev take 10.0.2.3 --lease 60")
    assert run.aliases() == {"eth0:1": "10.0.2.3"}
    run.later(61)
    assert [one["operstate"] for one in json.loads(run.split("-j show"))]
    assert run.split("pool dev take --lease 60") == "10.0.2.1\n"
    assert run.aliases() == {"eth0:1": "10.0.2.1"}


def test_an_address_of_this_host_is_not_lent(run: Pools) -> None:
    """Whoever has it: asked for, or drawn."""
    run.split("eth1:5 10.0.2.1 kind macvlan")
    out, err = run.run(["pool", "dev", "take", "10.0.2.1"], 0)
    assert out == "10.0.2.4\n"
    assert "10.0.2.1 is not free" in err
    for _ in range(2):
        run.split("pool dev take")
    assert "3 of 4 are taken, 1 more are in use on this host" in run.refused(
        "pool dev take", KERNEL
    )


def test_a_refused_alias_leaves_no_loan(run: Pools) -> None:
    """The main device is down, or away."""
    run.file.write_text("pool dev 10.0.2.1-4 dev eth2\npool no 10.0.3.1 dev eth7\n")
    assert "eth2 is down" in run.refused("pool dev take", KERNEL)
    assert run.refused("pool no take", KERNEL) == "pool no: there is no device eth7"
    assert [one["taken"] for one in json.loads(run.split("-j pool"))] == [0, 0]
    assert run.split("--force pool dev take") == "10.0.2.2\n"


def test_a_reconciliation_leaves_loans_alone(run: Pools) -> None:
    """No stray, nothing to renew, nothing to restore; also under the guard rails."""
    file = str(run.file)
    run.split("pool dev take --lease 60")
    run.split("pool six take --lease 60")
    run.split(f"reconcile {file}")
    assert run.aliases() == {"eth0:0": "10.9.0.1", "eth0:1": "10.0.2.1", "eth1:0": "2001:db8::1"}
    assert run.split(f"check {file}") == ""
    run.later(40)
    assert run.split(f"-v reconcile {file}") == ""
    run.later(21)
    assert run.split(f"reconcile {file}") == "- eth0:1 - macvlan\n"
    assert run.split(f"check {file}") == ""
    assert run.aliases() == {"eth0:0": "10.9.0.1"}


def test_a_pool_that_is_declared_no_more(run: Pools) -> None:
    """Its aliases are undeclared ones then."""
    run.split("pool dev take")
    run.split("pool six take")
    run.file.write_text(FILE.replace("pool dev", "#"))
    run.split(f"reconcile {run.file}")
    assert run.aliases() == {"eth0:0": "10.9.0.1", "eth1:0": "2001:db8::1"}


def test_renew_leaves_loans_alone(run: Pools) -> None:
    """Only their pool prolongs them: others may be about to get the address."""
    run.split("eth0:9 10.9.0.9 kind macvlan lease 60")
    run.split("pool dev take --for a --lease 60")
    run.later(50)
    run.split("renew")
    run.later(20)
    assert [name for name, local in run.aliases().items() if local == "10.9.0.9"]
    assert next(one for one in json.loads(run.split("-j show")) if one["altname"] == "eth0:1")
    assert run.refused("renew eth0:1", KERNEL)


def test_an_alias_of_the_user_is_not_taken_back(run: Pools) -> None:
    """It has the name and the address of an ended loan, and no lease."""
    run.split("pool dev take --lease 60")
    run.split("eth0:1-")
    run.later(61)
    run.split("eth0:1 10.0.2.1 kind macvlan")
    assert run.split("pool dev take") == "10.0.2.2\n"
    assert run.aliases() == {"eth0:1": "10.0.2.1", "eth0:2": "10.0.2.2"}


def test_an_alias_that_others_removed(run: Pools) -> None:
    """The loan is told as gone; its client gets the alias back by asking again."""
    run.split("pool dev take --for a")
    run.split("eth0:1-")
    assert run.split("pool dev show").split()[-2:] == ["eth0:1", "gone"]
    assert run.split("pool dev take --for a") == "10.0.2.1\n"
    assert run.split("pool dev show").split()[-1] == "lent"
    assert list(run.aliases().values()) == ["10.0.2.1"]


def test_json_of_changes(run: Pools) -> None:
    """The alias and the loan."""
    alias, sysctls, loan = json.loads(run.split("-j pool dev take --for a"))
    assert (alias["change"], alias["altname"], alias["local"]) == ("add", "eth0:1", "10.0.2.1")
    assert sysctls["change"] == "set"
    assert loan == {
        "change": "take", "pool": "dev", "family": "inet", "local": "10.0.2.1", "client": "a",
        "altname": "eth0:1", "lease": 3600,
    }  # fmt: skip
    found = json.loads(run.split("-j pool dev release --for a"))
    assert [one["change"] for one in found] == ["remove", "set", "release"]
    assert found[-1]["client"] == "a"
    (loan,) = json.loads(run.split("-j pool web take"))
    assert loan["client"] is None
    assert json.loads(run.split("-j check --syntax"))[1] == {
        "pool": "web", "addresses": 3, "first": "10.0.1.2", "last": "10.0.1.4",
        "place": f"{run.file}:1",
    }  # fmt: skip


def test_a_dry_run_lends_nothing(run: Pools) -> None:
    """It prints what it would print, and the steps."""
    lines = run.split("--dry-run pool dev take").splitlines()
    assert lines[0] == "10.0.2.1"
    assert any(line.startswith("ip addr add 10.0.2.1/24") for line in lines[1:])
    assert run.aliases() == {}
    assert json.loads(run.split("-j pool"))[1]["taken"] == 0
    run.split("pool dev take")
    assert "ip link del" in run.split("--dry-run pool dev release 10.0.2.1")
    assert json.loads(run.split("-j pool"))[1]["taken"] == 1


def test_lines_of_a_batch(run: Pools, tmp_path: Path) -> None:
    """One after the other, with aliases between; a dry run of them writes nothing."""
    lines = tmp_path / "lines"
    lines.write_text(
        "pool web take --for a\npool dev take\neth0:7 10.9.0.7 kind macvlan\npool web take\n"
        "pool web release --for a\npool web take --for b\npool web take --for a\n"
    )
    wanted = ["10.0.1.2", "10.0.2.1", "10.0.1.3", "10.0.1.4", "10.0.1.2"]
    dry = [line for line in run.split(f"--dry-run batch {lines}").splitlines() if " " not in line]
    assert dry == wanted
    assert [one["taken"] for one in json.loads(run.split("-j pool"))] == [0, 0, 0]
    assert run.split(f"batch {lines}").splitlines() == wanted
    assert run.aliases() == {"eth0:1": "10.0.2.1", "eth0:7": "10.9.0.7"}
    assert [one["taken"] for one in json.loads(run.split("-j pool"))] == [3, 1, 0]
    lines.write_text("pool web take\n")
    assert run.refused(f"batch {lines}", KERNEL).startswith(f"{lines}:1: pool web: no address")
    lines.write_text("pool web release --for b\npool web show\npool web take --from x\n")
    out, err = run.run(["batch", str(lines)], USAGE)
    assert out.count("\n") == 3
    assert err == f"netalias: {lines}:3: --from stands before batch\n"
    lines.write_text("pool web take\npool dev take\n")
    found = json.loads(run.split(f"-j batch {lines}"))
    assert [one["change"] for one in found] == ["take", "add", "take"]


def test_save_leaves_loans_out(run: Pools) -> None:
    """A file that declares one would bring it back after its end."""
    run.split("eth0:1 10.9.0.2 kind macvlan")
    run.split("pool dev take")
    assert run.split("save") == "eth0:1  10.9.0.2/32  kind macvlan\n"


def test_what_cannot_be_printed_is_given_back(run: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard output: nobody knows the address."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        assert cli.main(["pool", "dev", "take"], run._open) == KERNEL
    assert run.capsys.readouterr() == ("", "netalias: standard output is closed\n")
    assert run.memory.snapshot().device("eth0_1") is None
    assert json.loads(run.split("-j pool"))[1]["taken"] == 0


def test_a_dry_run_knows_the_loans_of_others(run: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the record that is shown, also where this user's own one is another."""
    run.split("pool web take")
    real = Transaction.__enter__

    def elsewhere(self: Transaction) -> Transaction:
        found = real(self)
        self.path = ""
        return found

    monkeypatch.setattr(Transaction, "__enter__", elsewhere)
    assert run.split("--dry-run pool web take") == "10.0.1.3\n"
    assert run.split("--dry-run pool web release 10.0.1.2") == ""
