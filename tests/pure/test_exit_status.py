"""The exit status of every verb: done, wrong words, refused, and "no", which no two share."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import cli, errors
from netalias.engine import Engine

OK, USAGE, REFUSED, NO = 0, 1, 2, 3
REPO = Path(__file__).parents[2]

ALIAS = "eth0:0 10.0.0.1/24 kind macvlan"
FILES = {
    "same": f"{ALIAS}\n", "other": "eth0:0 10.0.0.2/24 kind macvlan\n", "empty": "# nothing\n",
    "wrong": "eth0:0 10.0.0\n", "absent": "no9:0 10.9.0.1\n", "show": "show eth0\n",
    "lending": "pool web 10.0.1.2-10.0.1.3\n",
    "refused": "eth0:9-\n", "usage": "show --nosuch\n", "other-verb": "lookup 10.9.9.9\n",
    "stanza": "auto eth0:5\niface eth0:5 inet static\n  address 10.0.0.9/24\n",
}  # fmt: skip
"""Files of the test's folder, which the table calls by their names."""

TABLE = (
    # one alias
    ("eth0:0", OK),
    ("eth0:0 10.0.0.7", OK),
    ("eth0:0 down", OK),
    ("eth0:0-", OK),
    ("--absent-ok eth0:9-", OK),
    ("eth0:0 --dry-run mtu 1400", OK),
    ("eth0:x 10.0.0.7", USAGE),
    ("eth0:0 nosuch", USAGE),
    ("eth0:0 10.0.0", USAGE),
    ("eth0:0 kind nosuch", USAGE),
    ("eth0:0 mtu 0", USAGE),
    ("eth0:3-1 10.0.0.7+", USAGE),
    ("eth0:9", REFUSED),
    ("eth0:9-", REFUSED),
    ("eth0:8- eth0:9-", REFUSED),
    ("no9:0 10.0.0.7", REFUSED),
    ("eth2:0 10.0.0.7", REFUSED),
    ("eth0:0 --dry-run mtu 9000", REFUSED),
    # what only reads
    ("", OK),
    ("show", OK),
    ("show eth0", OK),
    ("-4 show", OK),
    ("show eth0:x", USAGE),
    ("show no9", REFUSED),
    ("show eth0:9", REFUSED),
    ("lookup 10.0.0.1", OK),
    ("lookup inet 10.0.0.1", OK),
    ("lookup 10.9.9.9", NO),
    ("-j lookup 10.9.9.9", NO),
    ("-q lookup 2001:db8::1", NO),
    ("lookup", USAGE),
    ("lookup 10.0.0", USAGE),
    ("lookup 10.0.0.1 10.0.0.2", USAGE),
    ("lookup --dry-run 10.9.9.9", USAGE),
    ("lookup nosuch 10.0.0.1", REFUSED),  # a package may bring such a type
    ("cat aliases", OK),
    ("cat nosuch", USAGE),
    ("types", OK),
    ("types eth0", USAGE),
    ("save", OK),
    ("save eth0:x", USAGE),
    ("save no9", REFUSED),
    ("complete -- sh", OK),
    ("help show", OK),
    ("help nosuch", USAGE),
    ("--version", OK),
    # files
    ("check {same}", OK),
    ("-j check {same}", OK),
    ("check {other}", NO),
    ("check {empty}", NO),
    ("check {absent}", NO),
    ("check {wrong}", USAGE),
    ("check {missing}", REFUSED),
    ("check --confirm 5 {same}", USAGE),
    ("check --syntax {other}", OK),
    ("check --syntax {absent}", OK),
    ("check --syntax {wrong}", USAGE),
    ("check --syntax {missing}", USAGE),
    ("reconcile {same}", OK),
    ("reconcile {other}", OK),
    ("reconcile --dry-run {same}", OK),
    ("reconcile --dry-run {other}", NO),
    ("reconcile --dry-run {absent}", REFUSED),
    ("reconcile {absent}", REFUSED),
    ("reconcile {empty}", REFUSED),
    ("reconcile {missing}", REFUSED),
    ("reconcile {wrong}", USAGE),
    ("reconcile --confirm 0 {other}", USAGE),
    ("reconcile --only no9 {same}", REFUSED),
    ("batch {other}", OK),
    ("batch {show}", OK),
    ("batch", USAGE),
    ("batch {wrong}", USAGE),
    ("batch {usage}", USAGE),
    ("batch {refused}", REFUSED),
    ("batch {missing}", REFUSED),
    ("batch {other-verb}", NO),
    ("import --from interfaces {stanza}", OK),
    ("import --from nosuch {stanza}", USAGE),
    ("import --map em0 {stanza}", USAGE),
    ("import {missing}", REFUSED),
    # other changes
    ("adopt eth0:0", OK),
    ("adopt all", OK),
    ("adopt", USAGE),
    ("adopt eth0:x", USAGE),
    ("adopt eth0:9", REFUSED),
    ("announce eth0", OK),
    ("announce", USAGE),
    ("announce no9", REFUSED),
    ("move --dry-run --kind macvlan", OK),
    ("move --kind nosuch", USAGE),
    ("move no9", REFUSED),
    ("top --once", OK),
    ("top --interval x", USAGE),
    ("top no9", REFUSED),
    ("renew", OK),
    ("renew eth0:x", USAGE),
    ("renew eth0:0", REFUSED),
    ("renew no9", REFUSED),
    ("publish 10.0.0.5 dev eth0", OK),
    ("publish 10.0.0.5", USAGE),
    ("publish 10.0.0 dev eth0", USAGE),
    ("publish 10.0.0.5 dev no9", REFUSED),
    ("unpublish", USAGE),
    ("unpublish 10.0.0.5", REFUSED),
    ("iface eth0", OK),
    ("iface eth0 add 10.0.0.7", OK),
    ("iface eth0 nosuch", USAGE),
    ("iface eth0 delete 10.9.9.9", REFUSED),
    ("iface no9", REFUSED),
    ("pool --from {lending} web take", OK),
    ("pool --from {lending} web nosuch", USAGE),
    ("pool --from {lending} mail take", REFUSED),
    ("pool --from {lending} web release 10.0.1.2", REFUSED),
    ("vif", OK),
    ("vif vif0 10.9.9.9", USAGE),
    ("vif9", REFUSED),
    ("vif9-", REFUSED),
    ("record", USAGE),
    ("filter --once", USAGE),
    ("cluster elect", USAGE),
    ("relay nosuch on eth0 carriage udp", USAGE),
    ("relay9-", REFUSED),
    ("link nosuch", USAGE),
    ("link run link0 nosuch", USAGE),
    ("confirm", REFUSED),
    ("confirm now", USAGE),
    ("rollback", REFUSED),
    ("rollback now", USAGE),
    # what stays, or is another program
    ("emulate {empty}", OK),
    ("emulate --nosuch", USAGE),
    ("monitor --exit-when-down", USAGE),
    ("monitor eth0:x", USAGE),
    ("watch --nosuch", USAGE),
    ("doctor eth0:x", USAGE),
    ("doctor no9", REFUSED),
    # no verb
    ("nosuch", USAGE),
    ("s", OK),
    ("re", USAGE),
    ("--nosuch", USAGE),
    ("--wait", USAGE),
    ("--color=nosuch show", USAGE),
    ("--tree lookup 10.9.9.9", USAGE),
)  # fmt: skip
"""Words of a command, and its exit status where ALIAS is there."""


@pytest.mark.parametrize(("text", "status"), TABLE)
def test_table(
    text: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each command as it stands; a failure says why, and a mere "no" does not."""
    run = Command(capsys)
    run.split(ALIAS)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    places = {name: str(tmp_path / name) for name in (*FILES, "missing")}
    _, err = run.run(text.format(**places).split(), status)
    if status in (USAGE, REFUSED):
        assert "netalias: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("short", "verb"),
    [("i", "import"), ("l", "lookup"), ("m", "monitor"), ("p", "publish"), ("rec", "reconcile")],
)
def test_abbreviations_keep_their_meaning(short: str, verb: str) -> None:
    """Scripts have them, whatever verbs come."""
    assert cli.find_verb(short) == verb


def test_every_verb_is_in_the_table() -> None:
    """With wrong words too, where it takes any."""
    verbs: dict[int, set[str]] = {OK: set(), USAGE: set()}
    for text, status in TABLE:
        words = [word for word in text.split() if not word.startswith("-")]
        if words and words[0] in cli.VERBS and status in verbs:
            verbs[status].add(words[0])
    without = {
        "cluster", "confirm", "doctor", "filter", "link", "monitor", "record", "relay", "rollback",
        "unpublish", "watch",
    }  # fmt: skip
    assert verbs[OK] == set(cli.VERBS) - without
    assert set(cli.VERBS) - verbs[USAGE] == {"complete"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("x"), 1),
        (errors.StateError("x"), 2),
        (errors.KernelError("x", 1), 2),
        (errors.NotPermitted("x", 1), 4),
        (errors.Conflict("x"), 6),
        (errors.LockBusy("x"), 75),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 70),
    ],
)
def test_errors(error: BaseException, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the verb is, also one that may say "no"."""

    def opener(options: cli.Options) -> Engine:
        raise error

    for words in (["show"], ["lookup", "10.0.0.1"], ["eth0:0", "10.0.0.1"], ["-j", "eth0:0-"]):
        assert cli.main(words, opener) == status
    assert capsys.readouterr().err


def test_documented() -> None:
    """The manual and the help have all of them, and no other."""
    known = {value for name, value in vars(errors).items() if name.startswith("STATUS_")}
    manual = (REPO / "docs" / "netalias.8").read_text().split(".SH EXIT STATUS")[1]
    manual = manual.split("\n.SH ")[0]
    assert {int(one) for one in re.findall(r"^\.B (\d+)$", manual, re.M)} == known
    from netalias.cli.help import VERBS

    text = VERBS["alias"].split("Exit status\n")[1]
    assert {int(one) for one in re.findall(r"^  (\d+) ", text, re.M)} == known
