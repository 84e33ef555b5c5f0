"""Fixtures and markers of all tests. What needs a network namespace says so with ``root``."""

from __future__ import annotations

import functools
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support import Namespace, veth_pair, why_no_namespace

HERE = Path(__file__).parent
ROOT_FOLDERS = ("root", "traffic")
"""Every test in these needs a network namespace."""


def pytest_configure(config: pytest.Config) -> None:
    """Markers, ^C, and the Hypothesis profile: no stopwatch anywhere, no dice where CI=true."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell does that to what it starts with &, and the commands under test would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup(1) ignores it, for them too
    config.addinivalue_line("markers", "root: needs a network namespace of its own")
    settings.register_profile("here", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder."""
    for item in items:
        inside = item.path.relative_to(HERE).parts if item.path.is_relative_to(HERE) else ()
        if inside and inside[0] in ROOT_FOLDERS:
            item.add_marker(pytest.mark.root)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``root`` tests where no namespace can be made, and say why."""
    if item.get_closest_marker("root") and _no_namespace():
        pytest.skip(_no_namespace())


@functools.cache
def _no_namespace() -> str:
    return why_no_namespace()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each reason for which tests were skipped, once, with their number; -rs lists them itself."""
    if terminalreporter.hasopt("skipped"):
        return
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in reports
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


@pytest.fixture
def netns() -> Iterator[Namespace]:
    """A new network namespace that holds nothing but ``lo``; enter it with ``with netns:``."""
    namespace = Namespace()
    yield namespace
    namespace.close()


@pytest.fixture
def veth(netns: Namespace) -> Iterator[Namespace]:
    """The namespace of ``netns`` with eth9, whose other end p9 is in ``veth.peer``.

    Both are up, have carrier and no address at all.
    """
    netns.peer = Namespace()
    veth_pair(netns, netns.peer)
    yield netns
    netns.peer.close()
