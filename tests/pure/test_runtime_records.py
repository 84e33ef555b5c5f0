"""The records of the runtime directory, whose owner can write anything there: no reader fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias.engine.announce import _last
from netalias.engine.checkpoint import rejected, unguarded
from netalias.runtime import (
    asked,
    condition,
    former,
    iface,
    instance,
    kept,
    links,
    loans,
    published,
    sysctls,
    tasks,
    translated,
    tunnels,
)
from netalias.views import bundles
from netalias.views import links as views

COOKIE = 7
ME = os.getpid()
WORDS = (
    "namespace 7", f"pid {ME}", f"start {instance.started(ME)}", "deadline nan", "digest x",
    "since x", "content bundle", "link udp", "delivered", "rate", "in_bytes", "line vif0 10.0.0.1",
    "counters", "mtu", "plane", "own eth0", "kept eth0", "on", "eth0", "vif0", "relay", "word",
    "file", "10.0.0.1", "10.0.0.1/24", "2001:db8::1", "-", "-1", "0", "17", "1e999", "nan",
    "9" * 30, "\u0663", "arp_ignore", "000102030405", "\udc97", "\0", "\r", "\x1b[2J", "", "/",
)  # fmt: skip
"""Parts of true records, and parts that no record has."""

CONTENTS = st.builds(
    lambda head, lines: "\n".join([head, *map(" ".join, lines)]),
    st.sampled_from(["namespace 7", f"pid {ME}", ""]),
    st.lists(st.lists(st.sampled_from(WORDS), max_size=7), max_size=8),
)


def _served(folder: str) -> None:
    found = links.all_served(folder)
    views.rows(found)
    bundles.rows(found)


READERS: dict[str, Callable[[str], object]] = {
    "asked": lambda folder: asked.read(folder, COOKIE),
    "store": condition.found,
    "devices": lambda folder: former.FormerDevices(folder, COOKIE).find("eth0"),
    "iface": lambda folder: iface.read(folder, COOKIE),
    "kept": lambda folder: kept.read(folder, COOKIE),
    "net0.link": _served,
    "pool-web.loans": lambda folder: loans.Record(folder, "web", 4, COOKIE),
    "published": lambda folder: published.read(folder, COOKIE),
    "settings": lambda folder: sysctls.SavedSysctls({"arp_ignore": 1}, folder, COOKIE),
    "tasks": lambda folder: tasks.left(folder, tasks.FILE),
    "translated": lambda folder: translated.Reader(folder, COOKIE).load(),
    "vif0.tunnel": tunnels.carried,
    "watch": instance.running,
    "pending": unguarded,
    "rejected": rejected,
    "announced": _last,
}
"""A file, and what reads it."""


@pytest.mark.parametrize("file", READERS)
@settings(max_examples=50)
@given(content=CONTENTS)
def test_any_text(file: str, content: str) -> None:
    """A text of words that records have, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, file).write_bytes(content.encode("utf-8", "surrogateescape"))
        READERS[file](folder)


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("text", ["\udc97", "\0", "10.0.0.1\0"])
def test_what_is_no_address(tmp_path: Path, file: str, text: str) -> None:
    """inet_pton(3) takes neither, and Python says so by another exception than for a wrong one."""
    lines = [f"1 eth0 {text}", f"own eth0 {text}", f"1 {text}/24 -", f"eth0 {text} {text}"]
    content = "\n".join(["namespace 7", *lines, ""])
    (tmp_path / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    READERS[file](str(tmp_path))
