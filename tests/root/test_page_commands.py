"""The commands of README.md, one after the other, print what the page says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import SCRIPT, forget, wait_for_state, without_dad
from support import Namespace, veth_pair

README = Path(__file__).parents[2] / "README.md"
PROMPT = "# "
MASKS = (
    (re.compile(r"(?<![:\w])[0-9a-f]{2}(:[0-9a-f]{2}){5}(?![:\w])"), "MAC"),
    (re.compile(r"(MAC +)[\d-]+ +[\d-]+$"), r"\1N N"),
    (re.compile(r"lookup \d+"), "lookup N"),
    (re.compile(r"\s+"), " "),
)
"""What differs from host to host: MACs, counters, numbers of tables, and the width of columns."""
UNSAID = ("--dry-run", "-j")
"""Options of commands whose output the page leaves out."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not SCRIPT.exists(), reason="netalias is not installed beside this Python"),
]


def steps() -> list[tuple[str, list[str]]]:
    """Each command of the page, without what is said beside it, and the lines below it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```\n(# .*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith(PROMPT):
                quoted = "'" in line
                command = line[2:] if quoted else re.split(r" {3,}", line[2:])[0]
                found.append((command, []))
            else:
                found[-1][1].append(line)
    return found


def masked(line: str) -> str:
    """The line without what differs from host to host."""
    for pattern, text in MASKS:
        line = pattern.sub(text, line)
    return line.strip()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Namespace]:
    """eth0 with a router and another host, eth1, and a copy of /etc without declarations."""
    here, peer = Namespace(), Namespace()
    forget(here)
    for one in (here, peer):
        one.raise_lo()
        without_dad(one)
    veth_pair(here, peer, "eth0", "p0")
    veth_pair(here, peer, "eth1", "p1")
    wait_for_state(here, "eth0", "UP")
    here.ip("addr add 10.0.0.1/24 dev eth0")
    here.ip("route add default via 10.0.0.254")
    peer.ip("addr add 10.0.0.77/24 dev p0")
    subprocess.run(["cp", "-a", "/etc", str(tmp_path / "etc")], check=False)
    (tmp_path / "etc/netalias.conf").unlink(missing_ok=True)
    yield here
    forget(here)
    here.close()
    peer.close()


@pytest.mark.tun
def test_the_transcripts(host: Namespace, tmp_path: Path) -> None:
    """In the order of the page, in one shell that is the host's root."""
    asked = steps()
    assert len(asked) > 25
    marker = "=== "
    script = [f"mount --bind {tmp_path / 'etc'} /etc", f"PATH={SCRIPT.parent}:/usr/sbin:$PATH"]
    for number, (command, _) in enumerate(asked):
        script += [f"echo '{marker}{number}'", command]
    done = host.run(["unshare", "-m", "sh", "-c", "exec 2>&1\n" + "\n".join(script)], check=False)
    printed: list[list[str]] = []
    for line in done.stdout.splitlines():
        if line.startswith(marker):
            printed.append([])
        else:
            printed[-1].append(line)
    assert len(printed) == len(asked)
    silent = "makes the changes and prints the same lines"
    text = README.read_text()
    assert silent in text
    wrong = []
    for (command, expected), found in zip(asked, printed, strict=True):
        if any(word in command.split() for word in UNSAID) or silent in line_of(text, command):
            continue
        if [*map(masked, found)] != [*map(masked, expected)]:
            wrong.append((command, found))
    assert wrong == []


def line_of(text: str, command: str) -> str:
    """The first line of the page for a command."""
    return next(line for line in text.splitlines() if line.startswith(PROMPT + command))
