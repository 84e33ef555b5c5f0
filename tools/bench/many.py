"""Many aliases at once, compared with other programs.

Every job runs in a fresh network namespace, all peers in turn in every round, so that a machine
that is busy for a while is busy for all of them. After each operation the addresses are counted; a
peer with a wrong number gets no figure.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence

import compared
import page
from installs import Installs
from peers import (
    COMPARE,
    LABEL,
    MACVLAN,
    PEERS,
    RUN,
    SLOW,
    Job,
    Netalias,
    Peer,
    Recorder,
    address,
    forget,
)
from processes import Failed, captured, memory
from stage import IP, LIMIT, Run, Stage, idle, limited

SIZES = {MACVLAN: (100, 1000, 4000), LABEL: (1000, 4000, 10_000)}
QUICK = {MACVLAN: (100, 1000), LABEL: (100, 1000)}
SMALLEST = {kind: counts[0] for kind, counts in SIZES.items()}
ROUNDS = 5
FEW = 3
BARE = [sys.executable, "-c", "pass"]

MAINS = 100
EACH = 500


class Wrong(Failed):
    """An operation ended, but left the wrong number of addresses."""


class Bench:
    """The peers, the jobs, and the results."""

    def __init__(self, peers: Sequence[Peer], jobs: Sequence[Job], *, whole: bool) -> None:
        self.jobs = jobs
        self._whole = whole
        self.results = compared.Results()
        self.peers = [peer for peer in peers if self._ready(peer)]
        self._once: set[tuple[str, str, int]] = set()
        self._stopped: set[tuple[str, str, int]] = set()

    def _ready(self, peer: Peer) -> bool:
        try:
            peer.ready()
            if not peer.hidden:
                self.results.peers[peer.name] = (peer.version(), peer.remark)
        except (Failed, OSError, LookupError, ValueError) as problem:
            self.results.peers[peer.name] = ("", f"cannot be had here: {problem}")
            return False
        return True

    def measure(self, rounds: int) -> None:
        """Run all peers in turn, smallest jobs first, in *rounds* rounds."""
        for number in range(1, rounds + 1):
            for job in self.jobs:
                for peer in self.peers:
                    if number > 1 and peer.hidden:
                        continue
                    _say(f"round {number} of {rounds}: {job.count} {job.kind} {peer.name}")
                    self._turn(peer, job)
        _say("")

    def _turn(self, peer: Peer, job: Job) -> None:
        place = (peer.name, job.kind, job.count)
        if job.kind not in peer.kinds or place in self._once or place in self._stopped:
            return
        reason = self._hopeless(peer, job)
        if reason:
            self._stop(place, reason)
            return
        idle()
        shutil.rmtree("/run/netalias", ignore_errors=True)
        stage = Stage(sysfs=peer.sysfs)
        try:
            taken = sum(self._operate(peer, job, operation) for operation in peer.operations)
            if taken > peer.patience * 1000:
                self._once.add(place)
        except Failed as problem:
            self._stop(place, str(problem))
        finally:
            stage.close()

    def _stop(self, place: tuple[str, str, int], reason: str) -> None:
        self._stopped.add(place)
        self.results.reasons[place] = reason

    def _hopeless(self, peer: Peer, job: Job) -> str:
        """The reason not to try a job, or empty: the time of slow peers grows with the square."""
        if isinstance(peer, SLOW) and not self._whole and job.count > SMALLEST[job.kind]:
            return "with --all only"
        before = [
            other for other in self.jobs if other.kind == job.kind and other.count < job.count
        ]
        if not before or peer.patience == float("inf"):
            return ""
        last = before[-1]
        if (peer.name, last.kind, last.count) in self._stopped:
            return f"not tried after {last.count}"
        longest = max(
            self.results.median(job.kind, last.count, peer.name, operation) or 0
            for operation in peer.operations
        )
        expected = longest / 1000 * (job.count / last.count) ** 2
        return f"not tried: some {expected:.0f} s expected" if expected > LIMIT else ""

    def _operate(self, peer: Peer, job: Job, operation: str) -> float:
        """Milliseconds of one operation with all its repetitions. Raises Failed."""
        peer.path.write_text(peer.text(job, operation), encoding="ascii")
        whole = 0.0
        try:
            for _ in range(peer.repeats.get(operation, 1)):
                peer.before(operation)
                if isinstance(peer, Netalias) and not peer.hidden:
                    self.results.add(job.kind, job.count, compared.BARE, operation, limited(BARE))
                taken = peer.run(job, operation)
                whole += taken
                _check(job, operation)
                self.results.add(job.kind, job.count, peer.name, operation, taken)
        except Wrong as problem:
            self.results.reasons[peer.name, job.kind, job.count] = f"{operation}: {problem}"
        except Failed as problem:
            raise Failed(f"{operation}: {problem}") from None
        return whole


def _check(job: Job, operation: str) -> None:
    """Raises Wrong for a wrong number of addresses after an operation."""
    found = captured([IP, "-4", "-o", "addr", "show"]).count(" inet 10.")
    wanted = len(job.slots(operation))
    if found != wanted:
        raise Wrong(f"{found} addresses where {wanted} were wished")


def peaks(netalias: Netalias) -> dict[str, int]:
    """KiB of the largest resident set, at MAINS times EACH labels. Raises Failed."""
    mains = [f"eth{number}" for number in range(MAINS)]
    shutil.rmtree("/run/netalias", ignore_errors=True)
    stage = Stage(mains=mains)
    lines = (
        f"{main}:{slot} {address(number * EACH + slot)} kind label\n"
        for number, main in enumerate(mains)
        for slot in range(EACH)
    )
    netalias.path.write_text("".join(lines), encoding="ascii")
    words = [*netalias.command(), "reconcile", "-q", str(netalias.path)]
    try:
        found = {name: memory(sys.executable, words) for name in ("create all", "no-op")}
        forget()
        found[COMPARE] = memory(sys.executable, words)
    finally:
        stage.close()
    return found


def _say(text: str) -> None:
    """Show the progress if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def section(run: Run) -> str:
    """The figures as Markdown; with new ones the picture is drawn. Raises Failed."""
    RUN.mkdir(exist_ok=True)
    kinds: list[Callable[[Installs], Peer]] = [Recorder]
    kinds += [peer for peer in PEERS if not (run.quick and peer in SLOW)]
    sizes = QUICK if run.quick else SIZES
    jobs = [Job(kind, count) for kind, counts in sizes.items() for count in counts]
    bench = Bench([kind(run.installs) for kind in kinds], jobs, whole=run.whole)
    bench.measure(FEW if run.quick else ROUNDS)
    if not run.quick:
        try:
            bench.results.peaks = peaks(Netalias(run.installs))
        except (Failed, OSError) as problem:
            bench.results.reasons["memory", "", 0] = str(problem)
    if run.writes:
        page.draw(compared.points(bench.results), run.installs.python())
    return compared.text(bench.results, page.PICTURE.name)
