"""Fixtures and markers of all tests. What needs a network namespace says so with ``root``, what
needs the machine for itself with ``alone``."""

from __future__ import annotations

import functools
import gc
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, core, is_hypothesis_test, settings
from hypothesis.internal.conjecture import providers
from support import LEAST, ONE_IN, Namespace, Turns, veth_pair, why_no_namespace

HERE = Path(__file__).parent
ROOT_FOLDERS = ("programs", "root", "traffic")
"""Every test in these needs a network namespace."""

MARKERS = (
    "root: needs a network namespace of its own",
    "alone: needs the machine for itself: no other test runs meanwhile",
    "early: takes seconds, so it begins before the others",
    "long: takes longer than make test has time for: make test-long runs it",
    "programs: needs other people's programs: make test-programs; given to all of tests/programs",
    "tun: makes TUN or TAP devices: needs the right to open /dev/net/tun",
    "dice: draws examples, which make explore varies; given to every such test by itself",
)

TUN = "/dev/net/tun"
TUNNELLING = frozenset(
    f"test_{name}"
    for name in (
        "bundle_command", "filter_command", "filter_kernel", "keep_user", "keep_via",
        "link_command", "link_service", "relay_command", "relay_sources", "relays",
        "takeover_tunnels", "tunnel_changes", "tunnel_clock", "tunnel_faults", "tunnel_keyed",
        "tunnel_mtu",
        "tunnels", "tunnels_marks", "tunnels_raw", "tunnels_translated", "vif", "vif_command",
        "vif_moves", "watch_stored",
    )
)  # fmt: skip
"""Modules whose tests are all marked ``tun``."""

SEEDS = [int(word) for word in os.environ.get("NETALIAS_SEEDS", "").split()]
"""With which tools/explore.py runs every test that draws examples."""
UNTIL = float(os.environ.get("NETALIAS_UNTIL", "inf"))
"""When it begins no test any more, by the clock that all processes share."""


def pytest_configure(config: pytest.Config) -> None:
    """Markers, ^C, and the Hypothesis profile: no stopwatch, and dice for make explore only."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell does that to what it starts with &, and the commands under test would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup(1) ignores it, for them too
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    settings.register_profile("fixed", deadline=None, derandomize=True, database=None)
    # A test that is a method has a new object for every seed: these are no differing executors.
    same = [HealthCheck.differing_executors]
    settings.register_profile(
        "explore", deadline=None, database=None, print_blob=False, suppress_health_check=same
    )
    settings.load_profile("explore" if SEEDS else "fixed")
    # Hypothesis takes constants out of modules that happen to be loaded from this folder: a test
    # would get other examples beside other tests.
    providers.is_local_module_file = lambda path: False
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(InTurn(), "in turn")
        config.pluginmanager.register(Brief(), "brief")
        if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            config.args = turned(config.workerinput["workerid"], config.workerinput["workercount"])


def turned(worker: str, count: int) -> list[str]:
    """The files of all tests in the order in which *worker*, ``gw`` and a number, loads them.

    Each of several processes begins with others, so that the rewritten code of a file is stored by
    one of them, and found by the rest.
    """
    files = [str(path) for path in sorted(HERE.glob("*/test_*.py"))]
    first = int(worker.removeprefix("gw")) * len(files) // count
    return [*files[first:], *files[:first]]


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without a search for garbage: all that is made stays, and is never searched either.

    The tests and the modules that they import are a million objects, and a search of them all
    takes half as long as they took to make.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that draws examples once with each of the seeds."""
    if SEEDS and draws(metafunc.function):
        names = [f"seed {seed}" for seed in SEEDS]
        metafunc.parametrize("seeded", SEEDS, ids=names, indirect=True, scope="session")


@pytest.fixture(autouse=True, scope="session")
def seeded(request: pytest.FixtureRequest) -> None:
    """Hypothesis draws from the seed of this test, where there is one."""
    if SEEDS:
        core.global_force_seed = getattr(request, "param", None)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Mark by folder, and by whether examples are drawn; arrange those that are selected then."""
    place = functools.cache(str)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.path))
    folders = tuple(f"{HERE}/{name}/" for name in ROOT_FOLDERS)
    for item in items:
        if place(item.path).startswith(folders):
            item.add_marker(pytest.mark.root)
        if place(item.path).startswith(f"{HERE}/programs/"):
            item.add_marker(pytest.mark.programs)
        if item.path.stem in TUNNELLING:
            item.add_marker(pytest.mark.tun)
        if draws(getattr(item, "function", None)):
            item.add_marker(pytest.mark.dice)
    for function in {item.function for item in items if isinstance(item, pytest.Function)}:
        shorten(function)
    yield
    if SEEDS:
        items[:] = shuffled(items)
    else:
        items[:] = arranged(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def arranged(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests with those in front that take long: at the beginning of each of the equal
    parts that pytest-xdist deals out, so that none is the last one, for which all others wait.

    Before them are those that want to be alone, for whom nobody has to come to an end then.
    """
    alone = [item for item in items if item.get_closest_marker("alone")]
    early = [item for item in items if item.get_closest_marker("early")]
    chosen = {*alone, *early}
    others = iter([item for item in items if item not in chosen])
    found: list[pytest.Item] = []
    for number in range(workers):
        size = (len(items) - len(found)) // (workers - number)
        mine = [*alone[number::workers], *early[number::workers]]
        found += mine
        found += islice(others, size - len(mine))
    return found


def shuffled(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests of the first seed first, and those of each in an order of its own: where the time
    is short there is none that never has its turn."""
    dice = {seed: random.Random(seed) for seed in SEEDS}
    seeds = [getattr(item, "callspec", None) for item in items]
    drawn = [SEEDS[0] if spec is None else spec.params.get("seeded", SEEDS[0]) for spec in seeds]
    keys = [(SEEDS.index(seed), dice[seed].random()) for seed in drawn]
    return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]


def draws(function: object) -> bool:
    """Whether it is a test of Hypothesis, or runs a state machine."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    return is_hypothesis_test(function) or "run_state_machine_as_test" in names


def shorten(function: object) -> None:
    """Have a test of Hypothesis draw one of ONE_IN examples."""
    full = getattr(function, "_hypothesis_internal_use_settings", None)
    if full is not None and full.max_examples > LEAST:
        fewer = settings(full, max_examples=max(LEAST, full.max_examples // ONE_IN))
        function._hypothesis_internal_use_settings = fewer  # type: ignore[attr-defined]


class InTurn:
    """A plugin of a process that has others beside it: tests with ``alone`` are alone."""

    def __init__(self) -> None:
        self._turns = Turns(HERE / "conftest.py", HERE / "support.py")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """From the first fixture to the last."""
        with self._turns.taken(alone=item.get_closest_marker("alone") is not None):
            yield


class Brief:
    """A plugin of a process that has others beside it: of a test that passes it reports the call.

    Reports of a set-up and a teardown that pass are not shown, and each report costs as much as a
    short test: it is packed, sent, unpacked, and handed to every plugin of the first process.
    """

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test as pytest does, without these reports and those of begin and end."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``root`` tests where no namespace can be made, and say why; skip all that begin too late
    for make explore."""
    if time.monotonic() > UNTIL:
        pytest.skip("the time of make explore is over")
    if item.get_closest_marker("root") and _no_namespace():
        pytest.skip(_no_namespace())
    if item.get_closest_marker("tun") and not os.access(TUN, os.R_OK | os.W_OK):
        pytest.skip(f"this user may not open {TUN}")


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
