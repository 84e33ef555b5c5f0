"""The interface to the kernel: readings, and the execution of steps.

A Kernel implements ``snapshot``, ``proxies``, ``connected``, ``surroundings``, ``able``,
``permitted``, ``send`` and ``close``; netlink, memory and pyroute do, and one contract suite runs
over all three.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EBADMSG, EINTR, ENOBUFS, ENODEV, ENOENT

from netalias import errors
from netalias.model import Snapshot
from netalias.model.steps import BARRIERS, RETIRE, SetLink, moves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from netalias.kernel.undoing import Pairs
    from netalias.model import Device
    from netalias.model.bare import Bare, Sifted
    from netalias.model.gateways import Routing
    from netalias.model.hidden import Leaving, Unread
    from netalias.model.names import AliasName
    from netalias.model.neighbours import Proxy, Surroundings
    from netalias.model.routes import Connected
    from netalias.model.steps import Step


UNKNOWN = (ENOBUFS, EBADMSG)
"""Errnos of steps whose answer was lost or could not be read: the outcome is unknown."""
COMMON = ("arp_announce", "arp_filter", "arp_ignore")
"""The sysctls of net.ipv4.conf.all on which the plans depend."""
GONE = (ENODEV, ENOENT, EADDRNOTAVAIL)
"""Errnos of an inverse step that finds nothing to undo."""
PROVEN = 1000
"""Addresses that are deleted after one reading: the kernel takes a second for them, or two."""


class Failure:
    """A refused step and its error. ``left`` holds the inverse steps that failed afterwards."""

    __slots__ = ("error", "left", "step")

    def __init__(self, step: Step, error: errors.NetaliasError) -> None:
        self.step = step
        self.error = error
        self.left: list[Step] = []

    def explained(
        self, name: AliasName | str, lost: Sequence[Failure] = ()
    ) -> errors.NetaliasError:
        """The error with the name of the alias or device in front and the remnants behind.

        *lost* are the failures when the alias was brought back.
        """
        message = str(self.error)
        if not message.startswith(f"{name}: "):
            message = f"{name}: {message}"
        left = [step for one in (self, *lost) for step in one.left]
        if left:
            message += f"; left behind: {', '.join(step.device for step in left)}"
        if lost:
            message += f"; and {name} is gone: {lost[0].error}"
        self.error.args = (message,)
        return self.error


class Kernel:
    """Base of all implementations: executes steps by phase, and undoes the owners that failed.

    ``progress`` is called with the number of steps answered, each time some are. ``stopping`` ends
    apply() before its next send: owners that are not complete by then are undone. ``changed``
    tells whether steps were sent; ``inconsistent``: the kernel changed during each try of a
    reading, so what came or went meanwhile may be in it or not. Whoever tells of that resets it.
    ``untouched`` holds id() of the steps of an apply() that the kernel has refused as a whole, also
    in an interrupted send().
    """

    inconsistent = False
    progress: Callable[[int], None] | None = None
    stopping = False
    changed = False
    untouched: Collection[int] = ()
    _undoing = False

    @property
    def stop_requested(self) -> bool:
        """Whether to send no more steps; steps that undo or restore are sent all the same."""
        return self.stopping and not self._undoing

    def snapshot(self, family: int = 0) -> Snapshot:
        """All devices, and the addresses of *family* (0: of every family). Raises KernelError."""
        raise NotImplementedError

    def snapshot_without(self, bare: Bare) -> Sifted:
        """snapshot() without those aliases that are as *bare* says (model/bare.py). Raises
        KernelError."""
        from netalias.model.bare import without

        return without(self.snapshot(), bare)

    def hidden_devices(self) -> int:
        """The number of hidden devices, about; 0 where without_hidden() can do nothing."""
        return 0

    def without_hidden(
        self, expected: Callable[[Sequence[Device]], Mapping[int, frozenset[bytes]]]
    ) -> Unread | None:
        """A snapshot without the addresses of hidden devices, *expected* of all devices, whose
        addresses are bare shards with these labels; None where it cannot be made."""
        return None

    def part(self, names: Iterable[str]) -> Snapshot:
        """The devices with these names, as far as they exist, and their addresses."""
        whole = self.snapshot()
        found = {device.index: device for name in names if (device := whole.device(name))}
        entries = [one for index in found for one in whole.on(index)]
        return Snapshot(found.values(), entries, whole.local_routes)

    def near(self, name: AliasName, group: int, local: bytes) -> tuple[Snapshot, bool] | None:
        """The objects that a change of one alias may depend on, and whether all devices are among
        them; None where snapshot() is as quick, or has to be asked. Call it inside the namespace.

        Where there are many devices: those that ``name.main``, *name*, its primary name and that of
        its hidden device stand for; another hidden device, if that one has no addresses; another
        device on the main device with the mark *group* (one with an IPv4 address, if the first ones
        are not without); a device that has the packed address *local* (an IPv4 address on a device
        that is down is not found); and the addresses of these. Where there are many addresses on
        the main device, hosts that are labels of other aliases may be left out.
        """
        return None

    def owners(self, local: bytes) -> Snapshot | None:
        """The devices that have the packed address *local*, the devices below them, and their
        addresses, among which others may be missing; None where snapshot() is as quick."""
        return None

    def reread(
        self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ()
    ) -> Snapshot:
        """The result of part() for a proof (proof.py): it may have more devices, and without
        *addresses* these may be missing; with *only*, packed addresses, so may other hosts that are
        labels."""
        return self.part(names)

    def reread_beside(self, names: Collection[str], leaving: Mapping[int, Leaving]) -> Snapshot:
        """The result of reread() with addresses, where those *leaving*, by ifindex of their hidden
        device, may be missing."""
        return self.reread(names, addresses=True)

    def made(self, name: str) -> int:
        """The ifindex of a device that send() has made under this name, as far as it knows it."""
        return 0

    def proxies(self) -> list[Proxy]:
        """The proxy neighbour entries of every family, in any order."""
        raise NotImplementedError

    def delivered(self, asked: set[tuple[int, bytes]]) -> set[tuple[int, bytes]] | None:
        """Those of *asked*, IPv6 addresses each with the ifindex of its device, to which the kernel
        delivers; None if that is always so for addresses that are there."""
        return None

    def connected(self) -> list[Connected]:
        """The connected routes of both families, in any order."""
        raise NotImplementedError

    def surroundings(
        self, index: int, family: int, addresses: Sequence[bytes]
    ) -> list[Surroundings]:
        """The Surroundings of each address, for a device that is to answer for them.

        Empty where the kernel cannot tell.
        """
        raise NotImplementedError

    def routing(self) -> Routing:
        """The answers about rules, their routes, and default routes."""
        raise NotImplementedError

    def ruled(self) -> bool:
        """Whether there is any rule with our mark. Raises KernelError."""
        return bool(self.routing().read().rules)

    def able(self, kind: str) -> bool:
        """Whether the kernel can make devices of this IFLA_INFO_KIND; requested only once."""
        raise NotImplementedError

    def permitted(self) -> None:
        """Check that the caller may change the namespace. Raises NotPermitted."""
        raise NotImplementedError

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Execute steps in order; the answer to each. A refusal does not stop the rest."""
        raise NotImplementedError

    def listen(self) -> None:
        """Read ahead of the next snapshot(), for digest()."""

    def digest(self, salt: bytes) -> bytes:
        """A digest of *salt* and the last reading; empty where there is none."""
        return b""

    def recognises(self, salt: bytes, before: bytes) -> bool:
        """Whether *before* is the digest() of *salt* and the last reading."""
        return False

    def common(self, setting: str) -> int:
        """The sysctl *setting* of net.ipv4.conf.all in the namespace of the calling thread; 0 where
        it cannot be read."""
        return _sysctl(f"ipv4/conf/all/{setting}") or 0

    def disables_inet6(self, name: str) -> bool:
        """Whether the device of this name, ``default`` for one that is new, takes no IPv6 address
        (disable_ipv6), in the namespace of the calling thread."""
        return bool(_sysctl(f"ipv6/conf/{name}/disable_ipv6"))

    def cookie(self) -> int:
        """The cookie of the network namespace (SO_NETNS_COOKIE), 0 where there is none.

        Unlike the inode it is not used again before the next boot.
        """
        return 0

    def fileno(self) -> int:
        """The descriptor that has to stay open, or -1."""
        return -1

    def reopened(self) -> Kernel:
        """A Kernel of the same namespace for a child process, which must not read from this one."""
        return self

    def close(self) -> None:
        """Release all resources; a second call does nothing."""

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(
        self,
        steps: Iterable[Step],
        *,
        ordered: bool = False,
        stoppable: bool = True,
        seen: Snapshot | None = None,
        fresh: bool = False,
        settled: Callable[[], object] | None = None,
    ) -> list[Failure]:
        """Execute a plan.

        When a step of an owner fails, its later steps are not sent and its earlier ones are undone;
        other owners are served. An empty list means that everything is done. An exception, such as
        KeyboardInterrupt, undoes all steps and is raised again; ``stopping`` undoes only incomplete
        owners, and has no effect unless *stoppable*. With *ordered*, owners with a higher number
        than the first that fails are undone too.

        *seen* is the reading that the steps were planned on: before each send it is proven by
        another one that nobody has changed what the steps are about; None for no such proof.
        *fresh*: *seen* was read right before this call, and is the proof of the first send.
        *settled* is called when all that comes has come, and before the RETIRE phase, if any.
        """
        before, self._undoing = self._undoing, not stoppable
        try:
            return self._apply(steps, ordered, seen, fresh, settled)
        finally:
            self._undoing = before

    def _apply(
        self,
        steps: Iterable[Step],
        ordered: bool,
        seen: Snapshot | None,
        fresh: bool,
        settled: Callable[[], object] | None,
    ) -> list[Failure]:
        failures: dict[int, Failure] = {}
        done: list[Step] = []
        batch: list[Step] = []
        self.untouched = set()
        batches = sends(steps)
        if seen is not None and max(map(len, batches), default=0) > PROVEN:
            from netalias.kernel.proof import portions

            batches = portions(batches, PROVEN)
        try:
            for batch in batches:
                if failures:
                    batch = [step for step in batch if step.owner not in failures]
                if self.stop_requested:
                    _stop(batch, failures)
                    continue
                if done and batch and batch[0].phase >= RETIRE > done[-1].phase:
                    if any(map(moves, done)):
                        from netalias.kernel.usable import wait

                        wait(self, done)
                    if settled is not None:
                        settled()
                if seen is not None and not fresh and any(step.index > 0 for step in batch):
                    from netalias.kernel.proof import proven

                    batch, doubts = proven(self, seen, batch, done)
                    for step, doubt in doubts:
                        failures.setdefault(step.owner, Failure(step, doubt))
                fresh = False
                self._run(batch, done, failures)
        except BaseException:
            # Of the steps in the last send some may be done: undo() finds out which.
            known = {*map(id, done), *self.untouched}
            self.undo([*done, *(step for step in batch if id(step) not in known)], seen)
            raise
        if failures and ordered:
            first = min(failures)
            _stop([step for step in done if step.owner > first], failures)
        if failures:
            mine = [step for step in done if step.owner in failures]
            for step in self.undo(mine, seen, done):
                failures[step.owner].left.append(step)
        return list(failures.values())

    def _run(self, batch: list[Step], done: list[Step], failures: dict[int, Failure]) -> None:
        if not batch:
            return
        self.changed = True
        answers = self.send(batch)
        if len(answers) == len(batch) == answers.count(None):
            done += batch
            return
        for step, error in zip(batch, answers, strict=True):
            if error is None or error.errno in UNKNOWN:
                done.append(step)  # without a readable answer: it may be done
            elif isinstance(step, SetLink) and not isinstance(error, errors.NotPermitted):
                done.append(step)  # the kernel keeps the changes that it made before the refusal
            if error is not None and step.owner not in failures:
                failures[step.owner] = Failure(step, error)

    def undo(
        self, done: Sequence[Step], seen: Snapshot | None = None, run: Sequence[Step] = ()
    ) -> list[Step]:
        """Undo what apply() has done, or may have done; the undoing steps that were refused, for
        unwind(). *seen* is the reading that the steps were planned on, *run* all that was done."""
        from netalias.kernel.undoing import inverses

        return self._unwind(inverses(done), seen, run or done)

    def unwind(self, inverses: Sequence[Step], seen: Snapshot | None = None) -> list[Step]:
        """Send undoing steps in the given order; those that were refused."""
        return self._unwind([(step, None) for step in inverses], seen, ())

    def _unwind(self, pairs: Pairs, seen: Snapshot | None, run: Sequence[Step]) -> list[Step]:
        """unwind(), with the step that each one undoes."""
        if not pairs:
            return []
        from netalias.kernel.undoing import UndoProof

        before, self._undoing = self._undoing, True  # a request to stop does not end it half-way
        inverses = UndoProof(self, seen).undoing(pairs, run)
        answers = self.send(inverses) if inverses else []
        self._undoing = before
        return [
            step
            for step, error in zip(inverses, answers, strict=True)
            if error is not None and error.errno not in GONE
        ]


def _sysctl(path: str) -> int | None:
    """The number in a file below /proc/sys/net; None where it cannot be read."""
    from os import O_CLOEXEC, O_RDONLY, close, open, read

    try:  # a file object would take ten times as many instructions
        file = open(f"/proc/sys/net/{path}", O_RDONLY | O_CLOEXEC)
        try:
            return int(read(file, 16))
        finally:
            close(file)
    except (OSError, ValueError):
        return None


def _stop(batch: Sequence[Step], failures: dict[int, Failure]) -> None:
    for step in batch:
        if step.owner not in failures:
            failures[step.owner] = Failure(step, stopped(step))


def stopped(step: Step) -> errors.KernelError:
    """The error for a step that an interruption prevented."""
    from netalias.model.commands import title

    return errors.KernelError(title(step), EINTR, "stopped before it was done")


def sends(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps by phase, cut before each barrier: each list may be one send."""
    phases: dict[int, list[Step]] = {}
    for step in steps:
        phases.setdefault(step.phase, []).append(step)
    batches: list[list[Step]] = []
    last = -1
    for phase in sorted(phases):
        if not batches or any(last < barrier <= phase for barrier in BARRIERS):
            batches.append([])
        batches[-1] += phases[phase]
        last = phase
    return batches
