"""The aliases that stand for loans of a pool with a device: making and removing them."""

from __future__ import annotations

from netalias import errors
from netalias.engine.reconcile import remove as remove_aliases
from netalias.kernel import GONE
from netalias.model.names import SLOT_MAX, AliasName, split
from netalias.plan import steps_of
from netalias.runtime.private import PrivateDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.desired.pools import Pool
    from netalias.engine import Engine
    from netalias.model import Alias, Device
    from netalias.model.loans import Loan, Loans
    from netalias.model.steps import Step
    from netalias.observed import Observed


class Standing:
    """The aliases of *pool* as *engine* finds them at the time *now*, in a transaction.

    ``busy`` are the addresses that this host has otherwise, as numbers. Raises NoSuchDevice,
    KernelError.
    """

    def __init__(self, engine: Engine, pool: Pool, loans: Loans, now: float) -> None:
        self._engine = engine
        self._pool = pool
        self._loans = loans
        self._observed = engine.observe()
        main = self._observed.snapshot.device(pool.main)
        if main is None:
            raise errors.NoSuchDevice(f"{pool.title}: there is no device {pool.main}")
        self._main = main
        self.busy = self._present(now)

    def _present(self, now: float) -> set[int]:
        """The addresses of the pool on this host that no loan has put there."""
        mine = {one.address for one in self._loans.running(now) if self._find(one) is not None}
        there = {
            int.from_bytes(entry.local, "big")
            for entries in self._observed.snapshot.addresses.values()
            for entry in entries
            if len(entry.local) == self._pool.type.size
        }
        return {one for one in there - mine if one in self._pool}

    def _find(self, loan: Loan) -> Alias | None:
        return found(self._observed, self._pool, loan)

    def name_for(self, loan: Loan, reserved: Callable[[Device], set[int]]) -> str:
        """The name of the alias for a new loan: that of the one that is there already, else the
        first slot that is neither there nor *reserved* on the main device. Raises LimitError."""
        former = self._loans.by_address.get(loan.address)
        if former is not None and self._find(former) is not None:
            return former.alias
        main = self._main
        taken = reserved(main)
        taken.update(one.name.slot for one in self._observed.aliases if one.name.main == main.name)
        slot = next((one for one in range(SLOT_MAX + 1) if one not in taken), -1)
        if slot < 0:
            raise errors.LimitError(f"{main.name}: all slots are taken")
        return str(AliasName(main.name, slot))

    def realise(self, loan: Loan, *, force: bool) -> Sequence[Step]:
        """Make the alias of a loan, or give it the lease of that; the steps. Raises Conflict,
        StateError, KernelError."""
        name, wish = split(loan.alias), self._pool.wish
        assert name is not None
        assert wish is not None
        wanted = wish.copy(name, self._pool.packed(loan.address))
        wanted.lease = loan.length
        return _inside(self._engine).realise(wanted, force=force).all_steps


def _inside(engine: Engine) -> Engine:
    """An engine for changes in the transaction of *engine*."""
    return engine.lent(runtime=PrivateDirectory(engine.runtime.path))


def found(observed: Observed, pool: Pool, loan: Loan) -> Alias | None:
    """The alias that stands for a loan, None if it is gone: it has the name, and the address with a
    lease; or no address, since the lease has run out or the run that made it was killed."""
    name, packed = split(loan.alias), pool.packed(loan.address)
    for alias in observed.by_name.get(name, ()) if name is not None else ():
        left = alias.entry is None and (alias.expired or not alias.whole)
        if alias.ours and (left or (alias.lease and alias.address == packed)):
            return alias
    return None


def remove(engine: Engine, pool: Pool, loans: Sequence[Loan]) -> Sequence[Step]:
    """Remove the aliases that stand for *loans*; the steps. Raises NotPermitted, KernelError."""
    observed = engine.observe()
    there = [found(observed, pool, one) for one in loans]
    aliases = [alias for alias in there if alias is not None]
    if not aliases:
        return ()
    outcome = remove_aliases(_inside(engine), observed, aliases)
    for item in outcome.failed:
        assert item.error is not None
        if item.error.errno not in GONE:  # the lease has run out since the reading
            raise item.error
    return steps_of(outcome.done)
