"""Loans of declared pools: taking an address and giving it back, with the alias that stands for it.

The record is written before the kernel is changed, and an alias has the length of its loan as its
lease, so whatever a killed run leaves ends with the loan: the kernel drops the address, and the
next command about the pool, a reconciliation or a watcher removes what is left of a device.
"""

from __future__ import annotations

from os import urandom

from netalias import errors, sources
from netalias.desired import pools
from netalias.model.loans import Loan
from netalias.model.names import split
from netalias.runtime.loans import Record, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from netalias.desired.pools import Pool
    from netalias.engine import Engine
    from netalias.engine.standing import Standing
    from netalias.model import Device
    from netalias.model.loans import Loans
    from netalias.model.steps import Step

CONFLICTS = 8
"""Addresses in use by other hosts after which no other one is tried."""


def drawn(count: int) -> int:
    """A random number below *count*, which is at most 65536."""
    return int.from_bytes(urandom(6), "big") % count


class Lender:
    """The pools that *files* declare, by default those of the host, and their loans in the runtime
    directory *folder*; *engine* is asked who it is that lends them.

    It is used in a transaction, and may be kept for all of one. *dry*: note nothing in files.
    *withheld* tells why the text of a file is not to be shown, empty if it may be.
    *clock* and *draw* are now() and drawn().
    """

    def __init__(
        self,
        engine: Engine,
        folder: str,
        files: Sequence[str] = (),
        *,
        dry: bool = False,
        withheld: Callable[[str], str] | None = None,
        clock: Callable[[], float] = now,
        draw: Callable[[int], int] = drawn,
    ) -> None:
        self.engine = engine
        self._folder = folder
        self._cookie = engine.setup.cookie or engine.kernel.cookie()
        self._files = files
        self._dry = dry
        self._withheld = withheld
        self._texts: list[tuple[str, str]] | None = None
        self._pools: dict[str, Pool] = {}
        self._records: dict[str, Record] = {}
        self._permitted = False
        self.apart: set[str] = set()
        """Names of pools none of whose addresses floats, as others have found."""
        self.clock = clock
        self._draw = draw

    def rehearsal(self) -> Lender:
        """The same pools and loans, for a dry run."""
        return Lender(
            self.engine,
            self._folder,
            self._files,
            dry=True,
            withheld=self._withheld,
            clock=self.clock,
            draw=self._draw,
        )

    def pools(self) -> dict[str, Pool]:
        """The declared pools by name. Raises StateError, and the errors of their lines."""
        if self._texts is None:
            self._texts = sources.decode(sources.read(self._files))
            self._pools = pools.found(self._texts, self._withheld)
        return self._pools

    def pool(self, name: str) -> Pool:
        """The pool called *name*. Raises StateError without one."""
        found = self.pools().get(name)
        if found is None:
            pools.check_name(name)
            raise self._unknown(name)
        return found

    def _unknown(self, name: str) -> errors.StateError:
        from netalias.desired import nearest

        near = nearest(name, [*self._pools])
        hint = f"a line of a file declares one: pool {name} 10.0.1.2-10.0.1.10"
        if near:
            hint = f"did you mean {near}?"
        elif self._pools:
            hint = f"declared: {' '.join(self._pools)}"
        return errors.StateError(f"{name}: no such pool is declared", hint)

    def record(self, name: str) -> Record:
        """The record of a declared pool. Raises StateError."""
        found = self._records.get(name)
        if found is None:
            size = self._pools[name].type.size
            found = self._records[name] = Record(self._folder, name, size, self._cookie)
            if self._dry:
                found.detach()
        return found

    def loans(self, pool: Pool) -> Loans:
        """The loans of a pool."""
        return self.record(pool.name).loans

    def take(
        self,
        engine: Engine,
        pool: Pool,
        wanted: int,
        client: str,
        seconds: int,
        *,
        force: bool = False,
    ) -> tuple[Loan, Sequence[Step]]:
        """Lend an address for *seconds*: *wanted* (-1 for any) if it is free, see Loans.grant();
        the loan, and the steps that made its alias.

        Raises StateError if there is none, Conflict if other hosts have all that were tried,
        NotPermitted, KernelError.
        """
        self.check_permitted()
        if pool.wish is None:
            loan = self._granted(pool, wanted, client, seconds)
            self.record(pool.name).note(loan)
            return loan, ()
        from netalias.engine.standing import Standing

        self._sweep(engine, pool)
        standing = Standing(engine, pool, self.loans(pool), self.clock())
        for attempt in range(CONFLICTS):
            loan = self._granted(pool, wanted, client, seconds, standing.busy)
            loan.alias = standing.name_for(loan, self._reserved)
            try:
                return loan, self._stand(standing, pool, loan, force=force)
            except errors.Conflict:
                if attempt + 1 == CONFLICTS:
                    raise
                standing.busy.add(loan.address)
        raise AssertionError("the last conflict is raised")

    def _sweep(self, engine: Engine, pool: Pool) -> None:
        """Remove the aliases that are left of ended loans."""
        time = self.clock()
        known = self.loans(pool).by_address.values()
        ended = [one for one in known if one.alias and not one.live(time)]
        if ended:
            self.give_back(engine, pool, ended)

    def _stand(self, standing: Standing, pool: Pool, loan: Loan, *, force: bool) -> Sequence[Step]:
        """Note a loan and make its alias, or leave everything as it was; the steps."""
        record = self.record(pool.name)
        former = record.loans.by_address.get(loan.address)
        record.note(loan)
        try:
            return standing.realise(loan, force=force)
        except BaseException:
            record.note(former or Loan(loan.address, "", 0.0, 0))
            raise

    def _granted(
        self, pool: Pool, wanted: int, client: str, seconds: int, busy: Container[int] = ()
    ) -> Loan:
        """The loan of the address that *client* gets. Raises StateError without one."""
        time = self.clock()
        loans = self.loans(pool)
        address = loans.grant(pool.spans, wanted, client, time, busy=busy, draw=self._draw)
        if address < 0:
            taken = self.taken(pool)
            more = pool.size - taken
            others = f", {more} more are in use on this host or on others" if more else ""
            raise errors.StateError(
                f"{pool.title}: no address is free: {taken} of {pool.size} are taken{others}",
                f"netalias pool {pool.name} show",
            )
        return Loan(address, client, time + seconds, seconds)

    def give_back(self, engine: Engine, pool: Pool, loans: Sequence[Loan]) -> Sequence[Step]:
        """End *loans*, and remove their aliases; the steps. Raises NotPermitted, KernelError,
        StateError."""
        self.check_permitted()
        steps: Sequence[Step] = ()
        if any(loan.alias for loan in loans):
            from netalias.engine.standing import remove

            steps = remove(engine, pool, loans)
        record = self.record(pool.name)
        for loan in loans:
            record.note(loan.ended())
        return steps

    def taken(self, pool: Pool) -> int:
        """The number of addresses of a pool that are taken."""
        return sum(one.address in pool for one in self.loans(pool).running(self.clock()))

    def _reserved(self, main: Device) -> set[int]:
        """The slots of a main device that files declare, by any of its names, and those of loans
        whose aliases may be away."""
        from netalias.desired.ranges import slots

        heads = tuple(f"{name}:" for name in (main.name, *main.altnames))
        found: set[int] = set()
        for _, text in self._texts or ():
            for line in text.split("\n"):
                word = "".join(line.split(None, 1)[:1])
                if word.startswith(heads):
                    try:
                        found.update(slots(word)[1])
                    except errors.BadName:
                        continue  # check tells of it
        for pool in self._pools.values():
            for loan in self.loans(pool).running(self.clock()):
                name = split(loan.alias)
                if name is not None and name.main == main.name:
                    found.add(name.slot)
        return found

    def check_permitted(self) -> None:
        """Only who may change the namespace may lend its addresses: the record of anybody else is
        another one. Raises NotPermitted."""
        if not (self._permitted or self._dry):
            self.engine.kernel.permitted()
            self._permitted = True
