"""What is wrong is said in one line, with the right exit status, and changes nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import (
    COMMAND,
    SECONDS,
    Command,
    command,
    devices,
    environment,
    forget,
    lock_file,
    one_line,
    wait_for_state,
    without_dad,
)
from support import Namespace, until, veth_pair

USAGE, REFUSED, DENIED = 1, 2, 4

NOT_UTF8 = os.fsdecode(b"\xff")


@pytest.fixture(scope="module")
def stage() -> Iterator[Command]:
    """eth9 up with eth9:0 (IPv4), eth9:1 (IPv6) and eth9:2 (a label); eth8 down; lo up."""
    here, there = Namespace(), Namespace()
    veth_pair(here, there)
    wait_for_state(here, "eth9", "UP")
    without_dad(here)
    here.raise_lo()
    here.ip("link add eth8 type bridge")
    cli = Command(here)
    cli.silent("eth9:0", "200.1.1.1/24")
    cli.silent("eth9:1", "2001:db8::5/64")
    cli.silent("eth9:2", "10.1.0.1", "kind", "label")
    yield cli
    forget(here)
    here.close()
    there.close()


NAMES = [
    ("eth9:",),
    ("eth9:x", "10.0.0.1"),
    ("eth9:0x1", "10.0.0.1"),
    ("eth9:1a", "10.0.0.1"),
    ("eth9: 1", "10.0.0.1"),
    ("eth9:+1", "10.0.0.1"),
    ("eth9:-5", "10.0.0.1"),
    ("eth9:5--", "10.0.0.1"),
    ("eth9:-x", "10.0.0.1"),
    ("eth9:-",),
    ("eth9:- ", "0"),
    ("eth9:0:1", "10.0.0.1"),
    ("eth9_0:1", "10.0.0.1"),
    (":0", "10.0.0.1"),
    (":",),
    ("eth9:65536", "10.0.0.1"),
    ("eth9:4294967295", "10.0.0.1"),
    ("eth9:4294967296-",),
    ("eth9:" + "9" * 5000, "10.0.0.1"),
    ("eth9:\u0661", "10.0.0.1"),
    ("eth9:0\n", "10.0.0.1"),
    ("eth9\n:7", "10.0.0.1"),
    ("eth 9:7", "10.0.0.1"),
    ("eth/9:7", "10.0.0.1"),
    ("..:7", "10.0.0.1"),
    ("a" * 128 + ":7", "10.0.0.1"),
    ("eth9:7" + NOT_UTF8, "10.0.0.1"),
    ("eth9",),
    ("",),
    ("", "10.0.0.1"),
]
"""S5, S6, S7, S9, S17, S18, S19, S22, S26: never a name."""

ADDRESSES = [
    ("eth9:7", "200.1.1.256"),
    ("eth9:7", "200.1.1"),
    ("eth9:7", "200.1.1.1.1"),
    ("eth9:7", "200.1.1.01"),
    ("eth9:7", "200.1.1.-1"),
    ("eth9:7", "200.1.1.1 "),
    ("eth9:7", "0x7f.1.1.1"),
    ("eth9:7", "200.1.1.1/"),
    ("eth9:7", "200.1.1.1/33"),
    ("eth9:7", "200.1.1.1/-1"),
    ("eth9:7", "200.1.1.1/2 4"),
    ("eth9:7", "200.1.1.1/24/24"),
    ("eth9:7", "200.1.1.1/255.255.255.0"),
    ("eth9:7", "0.0.0.0"),
    ("eth9:7", "0"),
    ("eth9:7", "::"),
    ("eth9:7", "224.0.0.1"),
    ("eth9:7", "ff02::1"),
    ("eth9:7", "2001:db8::g"),
    ("eth9:7", "2001:db8::1::2"),
    ("eth9:7", "2001:db8::1/129"),
    ("eth9:7", "fe80::1%eth9"),
    ("eth9:7", "200.1.1.1", "200.1.1.2"),
    ("eth9:7", "200.1.1.1", "2001:db8::1"),
    ("eth9:7", "inet", "2001:db8::1"),
    ("eth9:7", "inet6", "200.1.1.1"),
    ("eth9:7", "inet"),
    ("eth9:0", "0.0.0.0"),
    ("eth9:7", "200.1.1.1" + NOT_UTF8),
    ("eth9:7", "200.1.1.1\n"),
]

WORDS = [
    ("eth9:7", "200.1.1.1", "nosuchword"),
    ("eth9:7", "200.1.1.1", "netmsk", "255.255.255.0"),
    ("eth9:7", "200.1.1.1", ""),
    ("eth9:7", ""),
    ("eth9:7", "200.1.1.1", "netmask"),
    ("eth9:7", "200.1.1.1", "netmask", "255.0.255.0"),
    ("eth9:7", "200.1.1.1", "netmask", "24"),
    ("eth9:7", "200.1.1.1/24", "netmask", "255.255.0.0"),
    ("eth9:7", "200.1.1.1/24", "prefixlen", "25"),
    ("eth9:7", "200.1.1.1", "prefixlen", "33"),
    ("eth9:7", "200.1.1.1", "prefixlen", "x"),
    ("eth9:7", "200.1.1.1", "prefixlen"),
    ("eth9:7", "200.1.1.1", "broadcast"),
    ("eth9:7", "200.1.1.1", "broadcast", "nowhere"),
    ("eth9:7", "2001:db8::1/64", "broadcast", "200.1.1.255"),
    ("eth9:1", "broadcast", "200.1.1.255"),
    ("eth9:7", "200.1.1.1", "pointopoint"),
    ("eth9:7", "200.1.1.1", "pointopoint", "2001:db8::1"),
    ("eth9:7", "pointopoint", "200.1.1.2", "200.1.1.1"),
    ("eth9:7", "200.1.1.1", "metric"),
    ("eth9:7", "200.1.1.1", "metric", "-1"),
    ("eth9:7", "200.1.1.1", "metric", "4294967296"),
    ("eth9:7", "200.1.1.1", "mtu"),
    ("eth9:7", "200.1.1.1", "mtu", "0"),
    ("eth9:7", "200.1.1.1", "mtu", "1k"),
    ("eth9:7", "200.1.1.1", "mtu", "99999999999"),
    ("eth9:7", "200.1.1.1", "hw"),
    ("eth9:7", "200.1.1.1", "hw", "ether"),
    ("eth9:7", "200.1.1.1", "hw", "token", "02:00:00:00:00:01"),
    ("eth9:7", "200.1.1.1", "hw", "ether", "02:00:00:00:00"),
    ("eth9:7", "200.1.1.1", "hw", "ether", "02:00:00:00:00:0g"),
    ("eth9:7", "200.1.1.1", "hw", "ether", "01:00:00:00:00:01"),
    ("eth9:7", "200.1.1.1", "hw", "ether", "00:00:00:00:00:00"),
    ("eth9:7", "200.1.1.1", "hw", "ether", "ff:ff:ff:ff:ff:ff"),
    ("eth9:7", "200.1.1.1", "kind"),
    ("eth9:7", "200.1.1.1", "kind", "macvlam"),
    ("eth9:7", "200.1.1.1", "kind", ""),
]

VERBS = [
    ("shwo",),
    ("l",) * 2,
    ("c",),
    ("lookup",),
    ("lookup", "a", "b", "c"),
    ("lookup", "200.1.1.256"),
    ("cat",),
    ("cat", "what"),
    ("cat", "aliases", "types"),
    ("types", "more"),
    ("help", "nothing"),
    ("show", "a" * 128),
    ("show", "eth9:x"),
    ("show", "eth9:0-x"),
    ("show", ""),
]

OPTIONS = [
    ("--nosuch",),
    ("-x", "show"),
    ("-n",),
    ("--netns",),
    ("--netns=",),
    ("-n", "", "eth9:0-"),
    ("-n", "..", "eth9:0-"),
    ("--color=blue", "show"),
    ("--group", "x", "eth9:0-"),
    ("--group", "0", "eth9:0-"),
    ("--group", "-1", "eth9:0-"),
    ("--group",),
    ("--wait", "x", "eth9:0-"),
    ("--wait", "-1", "eth9:0-"),
    ("--wait", "", "eth9:0-"),
    ("--wait",),
]

STATE = [
    ("none9:0", "10.0.0.1"),
    ("none9:0-",),
    ("none9:0",),
    ("none9:0", "up"),
    ("eth8:0", "10.0.0.1"),
    ("eth9:5",),
    ("eth9:5", "up"),
    ("eth9:5", "down"),
    ("eth9:5", "netmask", "255.255.255.0"),
    ("eth9:5", "mtu", "1400"),
    ("eth9:5-",),
    ("eth9:300-",),
    ("eth9:7", "200.1.1.7", "mtu", "9000"),
    ("eth9:7", "200.1.1.7", "mtu", "10"),
    ("eth9:0", "mtu", "9000"),
    ("eth9:7", "200.1.1.7", "kind", "label", "mtu", "1400"),
    ("eth9:7", "200.1.1.7", "kind", "label", "hw", "ether", "02:00:00:00:00:01"),
    ("eth9:7", "200.1.1.7", "kind", "label", "down"),
    ("eth9:7", "2001:db8::7", "kind", "label", "metric", "5"),
    ("eth9:2", "down"),
    ("eth9:2", "mtu", "1400"),
    ("lo:0", "127.0.0.2", "kind", "macvlan"),
    ("lo:0", "127.0.0.2", "hw", "ether", "02:00:00:00:00:01"),
    ("show", "none9"),
    ("show", "none9:0"),
    ("show", "eth9:5"),
    ("-n", "nobody-has-this-name", "eth9:0-"),
    ("-n", "/nowhere/at/all", "eth9:0-"),
    ("-n", "/proc/self/ns/uts", "eth9:0-"),
    ("-n", "/proc/self", "eth9:0-"),
    ("lookup", "nosuchtype", "200.1.1.1"),
]
"""S4, S8, S11, S24, S25, S45, S89: the words are right, the world is not."""

CASES = [
    *((words, USAGE) for words in (*NAMES, *ADDRESSES, *WORDS, *VERBS, *OPTIONS)),
    *((words, REFUSED) for words in STATE),
]


def _title(value: object) -> str:
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return ascii(text)[1:-1][:60] if isinstance(value, tuple) else text


@pytest.mark.parametrize(("words", "status"), CASES, ids=_title)
def test_one_line_and_nothing_changed(stage: Command, words: tuple[str, ...], status: int) -> None:
    """S20: one line on standard error, the exit status of the manual page, no change."""
    before = devices(stage.namespace)
    stage.fails(status, *words)
    assert devices(stage.namespace) == before


def test_no_word_is_cut_in_an_error(stage: Command) -> None:
    """The line names what is wrong, and what could be moving a cursor is written as an escape."""
    line = stage.fails(USAGE, "eth9:7", "\x1b[31mred")
    assert "\\x1b[31mred" in line
    assert "\x1b" not in line
    line = stage.fails(USAGE, "shwo")
    assert "show" in line


# Privilege


def _without_capabilities() -> list[str]:
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def _other_user_namespace() -> list[str]:
    return ["unshare", "--user", "--map-root-user"]


def _other_user() -> list[str]:
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


WAYS = {
    "without capabilities": _without_capabilities(),
    "root of another user namespace": _other_user_namespace(),
    "another user": _other_user(),
}


@pytest.fixture(params=WAYS)
def weak(request: pytest.FixtureRequest, stage: Command) -> Iterator[list[str]]:
    """The words before a command that take its privileges in the namespace away."""
    with tempfile.TemporaryDirectory() as folder:  # in tmp_path nobody else may look
        os.chmod(folder, 0o777)
        words = ["env", f"XDG_RUNTIME_DIR={folder}", *WAYS[request.param]]
        done = stage.namespace.run([*words, *command("--version")], check=False)
        if done.returncode:
            pytest.skip(f"not possible here ({request.param}): {done.stderr.strip()[:80]}")
        yield words


@pytest.mark.parametrize(
    "words",
    [
        ("eth9:7", "200.1.1.7"),
        ("eth9:0", "200.1.1.7"),
        ("eth9:0", "200.1.1.1/24"),
        ("eth9:0", "down"),
        ("eth9:0", "mtu", "1400"),
        ("eth9:0", "kind", "label"),
        ("eth9:0-",),
        ("eth9:2-",),
        ("lo:0", "127.0.0.2"),
        ("eth9:5-",),
        ("none9:0", "10.0.0.1"),
        ("eth8:0", "10.0.0.1"),
    ],
    ids=_title,
)
def test_not_permitted(stage: Command, weak: list[str], words: tuple[str, ...]) -> None:
    """S15: EPERM comes before every other error of the world; one line, status 4, no change."""
    before = devices(stage.namespace)
    done = stage.namespace.run([*weak, *command(*words)], check=False)
    assert (done.returncode, done.stdout) == (DENIED, "")
    one_line(done.stderr, "netalias: ")
    assert devices(stage.namespace) == before


def test_looking_needs_no_privilege(stage: Command, weak: list[str]) -> None:
    """Everybody may look."""
    for words in ((), ("-j",), ("eth9:0",), ("lookup", "200.1.1.1"), ("cat", "aliases")):
        done = stage.namespace.run([*weak, *command(*words)], check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "eth9:0" in done.stdout
    done = stage.namespace.run([*weak, *command("lookup", "9.9.9.9")], check=False)
    assert (done.returncode, done.stderr) == (3, "")


def test_wrong_words_of_who_has_no_privilege(stage: Command, weak: list[str]) -> None:
    """Words that are wrong are wrong for everybody."""
    done = stage.namespace.run([*weak, *command("eth9:x", "10.0.0.1")], check=False)
    assert done.returncode == USAGE
    one_line(done.stderr, "netalias: ")


# Interruption


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)],
)
def test_interrupted_while_waiting_for_the_lock(
    stage: Command, number: signal.Signals, status: int
) -> None:
    """One line, nothing done; SIGINT is status 130, others end the process after that."""
    before = devices(stage.namespace)
    path = lock_file(stage.namespace)
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = stage.namespace.start(
            [*COMMAND, "eth9:7", "200.1.1.7"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda: str(path) in _open_files(waiting.pid))
        waiting.send_signal(number)
        out, error = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out, error) == (status, "", "netalias: interrupted\n")
    assert devices(stage.namespace) == before


def _open_files(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(folder / name))
        except OSError:
            continue  # closed in the meantime
    return found


# Output

OUTPUTS = [
    ("show",),
    ("-j", "show"),
    ("-br", "show"),
    ("-o", "show"),
    ("--tree", "show"),
    ("--color=always", "show"),
    ("eth9:0",),
    ("lookup", "200.1.1.1"),
    ("cat", "aliases"),
    ("types",),
    ("help",),
    ("--version",),
    ("--dry-run", "eth9:0-"),
]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", OUTPUTS, ids=_title)
def test_reader_that_has_gone(stage: Command, words: tuple[str, ...], unbuffered: str) -> None:
    """Who reads has seen enough: no error, no word of it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = stage.namespace.start(
            command(*words),
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )
    finally:
        os.close(writing)
    _, error = done.communicate(timeout=SECONDS)
    assert (done.returncode, error) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", OUTPUTS, ids=_title)
def test_output_that_is_full(stage: Command, words: tuple[str, ...], unbuffered: str) -> None:
    """What could not be written is not passed over: one line, and a status that is not 0."""
    with open("/dev/full", "w") as full:
        done = stage.namespace.start(
            command(*words),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )
        _, error = done.communicate(timeout=SECONDS)
    assert done.returncode == REFUSED
    assert error == "netalias: standard output: No space left on device\n"


@pytest.mark.parametrize("words", OUTPUTS, ids=_title)
def test_output_that_is_closed(stage: Command, words: tuple[str, ...]) -> None:
    """The same without any standard output."""
    shell = ["sh", "-c", '"$@" >&-', "sh"]
    done = stage.namespace.run([*shell, *command(*words)], check=False)
    assert done.returncode == REFUSED
    assert done.stderr == "netalias: standard output is closed\n"


@pytest.mark.parametrize("where", [">&-", "2>&-", "2>/dev/full", "<&-", ">&- 2>&- <&-"])
def test_silent_work_needs_no_output(cli: Command, where: str) -> None:
    """A command that has nothing to say does its work, wherever its output would have gone."""
    shell = ["sh", "-c", f'"$@" {where}', "sh"]
    assert cli.namespace.run([*shell, *command("eth9:3", "10.3.0.1")]).stderr == ""
    assert cli.names() == ["eth9:3"]
    assert cli.namespace.run([*shell, *command("eth9:3-")]).stderr == ""
    assert cli.names() == []


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_status_of_an_error_that_cannot_be_told(stage: Command, where: str) -> None:
    """The exit status says it too."""
    shell = ["sh", "-c", f'"$@" {where}', "sh"]
    for words, status in ((("eth9:x",), USAGE), (("eth9:5",), REFUSED)):
        # The command itself: timeout(1) has words of its own for what it cannot tell.
        done = stage.namespace.run([*shell, *COMMAND, *words], check=False)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_names_in_every_locale(bare: Command, locale: str) -> None:
    """A device may have any bytes for a name: in every locale it is shown, and no error is made
    of it."""
    for number, name in enumerate((b"b\xc3\xa4r", b"b\xff9")):
        words = [b"ip", b"link", b"add", name, b"type", b"bridge"]
        with bare.namespace:
            if subprocess.run(words, capture_output=True, check=False).returncode:
                pytest.skip("ip(8) makes no device of this name")
            subprocess.run([b"ip", b"link", b"set", name, b"up"], check=True)
            subprocess.run(
                [*map(os.fsencode, command()), name + b":0", b"10.0.0.%d" % (number + 1)],
                check=True,
            )
    for words in ((), ("-j",), ("-br",), ("-o",), ("--tree",), ("cat", "aliases")):
        with bare.namespace:
            done = subprocess.run(
                command(*words),
                capture_output=True,
                env=environment(LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
                check=False,
            )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b":0") >= 2
