"""Completion: what may follow, over a kernel in memory; and in the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import cli, errors, sources
from netalias.desired import WORDS
from netalias.importers import FORMATS
from netalias.kinds import AUTO, KINDS

SCRIPTS = Path(__file__).parents[2] / "tools/completion"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """With two aliases."""
    found = Command(capsys)
    for text in ("eth0:0 10.0.0.1 kind macvlan", "eth0:12 10.0.0.2 kind label"):
        found.split(text)
    return found


def after(run: Command, *words: str) -> list[str]:
    return run("complete", "--", *words).splitlines()


def test_verbs_and_names(run: Command) -> None:
    """At the beginning."""
    assert after(run, "re") == ["reconcile", "renew", "record", "relay"]
    assert after(run, "eth0") == ["eth0:", "eth0:0", "eth0:12"]
    assert after(run, "eth0:1") == ["eth0:12"]
    assert set(cli.VERBS) < set(after(run))


@pytest.mark.parametrize("part", ["$(id)", ";id", "`id`", "|id", ">x", "*", "!ls", "\x1b[A"])
def test_a_name_that_a_shell_would_execute(run: Command, part: str) -> None:
    """bash takes what is found as it is, and whoever may make a device names it."""
    before = after(run, "eth"), after(run, "show", "eth")
    run.memory.add_device(f"eth1{part}")
    assert (after(run, "eth"), after(run, "show", "eth")) == before


def test_words_of_an_alias(run: Command) -> None:
    """Words that were not said yet, and the values of the last one."""
    assert after(run, "eth0:0", "m") == ["metric", "mtu"]
    assert after(run, "eth0:0", "mtu", "1400", "m") == ["metric"]
    assert after(run, "eth0:0", "kind", "") == [AUTO, *KINDS]
    assert after(run, "eth0:0", "10.0.0.1", "acd", "f") == ["fast"]
    assert after(run, "eth0:0", "mtu", "") == []
    assert after(run, "eth0:0", "announce", "every", "") == []
    assert after(run, "eth0:0", "hw", "") == ["ether"]
    assert after(run, "eth0:0", "hw", "ether", "") == []


def test_after_a_deletion(run: Command) -> None:
    """Other names to be deleted, since all other words are ignored."""
    assert after(run, "eth0:0-", "") == ["eth0:12-"]
    assert after(run, "eth0:0-", "eth0:12-", "") == []
    assert after(run, "eth0:0-", "k") == []


def test_every_word_with_a_choice_offers_it(run: Command) -> None:
    """Those whose description says "on or ..." or the like."""
    for word, (_, what, _) in WORDS.items():
        if what.startswith(("on or", "free or", "skip or", "off, ", "off or")):
            assert after(run, "eth0:0", word, ""), word
    assert after(run, "eth0:0", "linklocal", "") == ["on", "auto"]


def test_published_addresses(run: Command) -> None:
    """An address, dev, a main device, and nothing more."""
    assert after(run, "publish", "") == []
    assert after(run, "publish", "10.0.0.5", "") == ["dev"]
    assert after(run, "unpublish", "10.0.0.5", "10.0.0.6", "dev", "eth") == ["eth0", "eth1", "eth2"]
    assert after(run, "publish", "10.0.0.5", "dev", "eth0", "") == []


def test_a_relay(run: Command) -> None:
    """The words of its line, each once, and their values."""
    line = ["relay", "10.0.0.5"]
    assert after(run, "relay", "") == []
    assert after(run, *line, "") == ["on"]
    assert after(run, *line, "on", "eth") == ["eth0", "eth1", "eth2"]
    assert after(run, *line, "on", "eth0", "") == ["to", "carriage", "mtu", "key"]
    assert after(run, *line, "on", "eth0", "to", "") == ["passive"]
    assert "ipip94" in after(run, *line, "on", "eth0", "to", "passive", "carriage", "ip")
    assert after(run, *line, "on", "eth0", "to", "passive", "c") == ["carriage"]
    assert after(run, *line, "on", "eth0", "mtu", "") == []


def test_words_of_verbs(run: Command) -> None:
    """Names where they are taken; nothing where a file is expected."""
    assert after(run, "show", "eth0") == ["eth0", "eth0:0", "eth0:12"]
    assert "all" not in after(run, "show", "")
    assert after(run, "show", "t") == ["tunnels"]
    assert after(run, "show", "p") == ["physical"]
    assert "all" in after(run, "renew", "")
    assert after(run, "cat", "") == ["aliases", "alias_types"]
    assert after(run, "help", "rec") == ["reconcile", "record"]
    assert after(run, "help", "bu") == ["bus"]
    assert after(run, "reconcile", "") == []
    assert after(run, "move", "eth0") == after(run, "record", "eth0") == ["eth0"]


def test_options(run: Command) -> None:
    """Those that the verb has, and their values."""
    assert after(run, "import", "--f") == ["--from"]
    assert "--mac" not in after(run, "show", "--m")
    assert after(run, "import", "--from", "inter") == ["interfaces"]
    assert after(run, "--color=always", "re") == ["reconcile", "renew", "record", "relay"]
    assert after(run, "--wait", "") == []
    assert after(run, "import", "file", "--kind", "") == [AUTO, *KINDS]
    assert set(after(run, "import", "--from", "")) == {"kernel", *FORMATS}


def test_values_that_depend_on_the_verb(run: Command) -> None:
    """The kinds between which aliases move; files, where --from or --on-down is one."""
    assert set(after(run, "move", "--kind", "")) == {"label", "macvlan", "ipvlan"}
    assert after(run, "watch", "--on-down", "") == ["free", "keep"]
    assert after(run, "link", "run", "--log", "ph") == ["physical", "phase"]
    assert after(run, "link", "run", "--cd", "") == ["off"]
    for words in (("pool", "web", "--from"), ("batch", "--from"), ("monitor", "--on-down")):
        assert after(run, *words, "") == []


def test_abbreviated_verbs(run: Command) -> None:
    """They are completed as the verbs; so are the options of ip(8) that stand for one."""
    assert after(run, "sh", "eth0:1") == after(run, "show", "eth0:1") == ["eth0:12"]
    assert after(run, "mov", "--kind=la") == ["--kind=label"]
    assert after(run, "rec", "--conf") == ["--confirm", "--conflict"]
    assert after(run, "-batch", "") == after(run, "-b", "") == []


def test_values_behind_an_equals_sign(run: Command) -> None:
    """The whole word is offered."""
    assert after(run, "--color=a") == ["--color=auto", "--color=always"]
    assert after(run, "-c=n") == ["-c=never"]
    assert after(run, "move", "--kind=la") == ["--kind=label"]
    assert after(run, "move", "-kind=la") == ["-kind=label"]
    assert after(run, "--wait=") == []


def test_main_devices_of_options(run: Command) -> None:
    """Behind each equals sign of --map, and for --only."""
    assert after(run, "import", "--map", "em") == []
    assert after(run, "import", "--map", "em0=eth") == ["em0=eth0", "em0=eth1", "em0=eth2"]
    assert after(run, "import", "--map=em0=eth2,em1=eth1") == ["--map=em0=eth2,em1=eth1"]
    assert after(run, "check", "--only", "eth1") == ["eth1"]


def test_declared_names(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of aliases that are not there, too. A file that cannot be read keeps nothing else away."""
    file = tmp_path / "netalias.conf"
    monkeypatch.setattr(sources, "DEFAULT", str(file))
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    file.write_text("eth0:12-14 10.0.0.2-4 kind label\nan error\n")
    assert after(run, "eth0:1") == ["eth0:12", "eth0:13", "eth0:14"]
    assert after(run, "eth0:0-", "eth0:13") == ["eth0:13-"]
    file.unlink()
    file.mkdir()
    assert after(run, "eth0:1") == ["eth0:12"]


def test_links(run: Command) -> None:
    """The sub-command, network devices behind link:, and files for all other devices."""
    assert after(run, "link", "") == ["run", "takeover"]
    assert after(run, "link", "run", "link0", "/de") == []
    found = after(run, "link", "run", "link0", "link:e")
    assert found
    assert set(found) <= {f"link:{name}" for name in after(run, "iface", "")}
    assert after(run, "link", "run", "link0", "h:1", "--c") == ["--cd", "--color"]
    assert after(run, "show", "physical", "") == []


def test_pools(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names, and what is done with one; none from a file with an error."""
    file = tmp_path / "netalias.conf"
    monkeypatch.setattr(sources, "DEFAULT", str(file))
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    file.write_text("pool web 10.0.0.2-4\npool lab 10.8.0.0/24 each\neth0:0 10.0.0.9\n")
    assert after(run, "pool", "") == ["web", "lab"]
    assert after(run, "pool", "web", "") == ["take", "release", "show"]
    assert after(run, "pool", "web", "take", "") == []
    assert after(run, "pool", "web", "take", "--l") == ["--lease"]
    file.write_text("pool web nonsense\n")
    assert after(run, "pool", "") == []


def test_a_kernel_that_does_not_answer(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no names then, and no error."""

    def refuse() -> None:
        raise errors.KernelError("broken", 5)

    monkeypatch.setattr(run.memory, "snapshot", refuse)
    assert after(run, "eth0") == []


# The shells ---------------------------------------------------------------------------------

FAKE = """\
#!/bin/sh
shift 2
for last in "$@"; do :; done
case $last in
    eth0:*) printf '%s\\n' eth0:0 eth0:12 ;;
    eth*) printf '%s\\n' eth0: ;;
    ki*) printf '%s\\n' kind ;;
    --kind=*) printf '%s\\n' --kind=label ;;
    em0=*) printf '%s\\n' em0=eth0 em0=eth1 ;;
esac
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with a netalias that says what it was asked."""
    fake = tmp_path / "netalias"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def shell(name: str, script: str, path: str) -> list[str]:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [program, "-c", script], capture_output=True, text=True, check=True,
        env={"PATH": path, "HOME": path.partition(":")[0], "TERM": "dumb"},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("netalias eth0:", ["0", "12"]),
        ("netalias eth0:1", ["0", "12"]),
        ("netalias eth", ["eth0:"]),
        ("netalias eth0:0 ki", ["kind"]),
        ("netalias move --kind=la", ["label"]),
        ("netalias import --map em0=e", ["eth0", "eth1"]),
        ("netalias reconcile ", []),
    ],
)
def test_bash(line: str, expected: list[str], path: str) -> None:
    """bash splits words at colons and equals signs, and puts what is found behind the last one."""
    script = f"""
        compopt() {{ :; }}
        source {SCRIPTS}/netalias.bash
        COMP_LINE='{line}' COMP_POINT={len(line)}
        _netalias
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert shell("bash", script, path) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("netalias eth0:", ["eth0:0", "eth0:12"]),
        ("netalias eth0:0 ki", ["kind"]),
        ("netalias move --kind=la", ["--kind=label"]),
        ("netalias import --map em0=e", ["em0=eth0", "em0=eth1"]),
        ("netalias reconcile ''", ["FILES"]),
    ],
)
def test_zsh(words: str, expected: list[str], path: str) -> None:
    """The function offers what netalias says, or files."""
    script = f"""
        compadd() {{ print -l -- $found }}
        _files() {{ print FILES }}
        words=({words}) CURRENT=$#words
        source {SCRIPTS}/_netalias
    """
    assert shell("zsh", script, path) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("netalias eth0:", ["eth0:0", "eth0:12"]),
        ("netalias eth0:0 ki", ["kind"]),
        ("netalias move --kind=la", ["--kind=label"]),
        ("netalias import --map em0=e", ["em0=eth0", "em0=eth1"]),
    ],
)
def test_fish(line: str, expected: list[str], path: str) -> None:
    """By the completion of fish itself."""
    script = f"source {SCRIPTS}/netalias.fish; complete --do-complete '{line}'"
    assert shell("fish", script, path) == expected
