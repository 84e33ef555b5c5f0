"""The verb renew."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import explain, tell
from netalias.engine.lent import Lent
from netalias.engine.renew import lengths_of, removals
from netalias.engine.renew import renew as renew_leases
from netalias.model import names
from netalias.model.leases import leftovers, renewals, running
from netalias.observed.query import find, select
from netalias.plan import steps_of
from netalias.views.changes import record, record_renewals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.model import Alias
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Observed


ALL = "all"


def renew(options: Options, words: list[str]) -> int:
    """Renew the leases of aliases, without words or with ``all`` of every one; the exit status."""
    with options.engine() as engine, engine.transaction(dry=options.dry_run):
        observed = engine.observe()
        lent = Lent(engine)
        named = [_leased(observed, word, lent) for word in words if ":" in word]
        chosen = select(observed, [] if ALL in words else words)
        chosen = [alias for alias in chosen if not lent.pool(alias)]
        lengths = lengths_of(engine, chosen)
        if options.dry_run:
            renewed = renewals(chosen, lengths)
            leaving = removals(engine, observed, leftovers(chosen))
            record_renewals(engine.setup, [one for one in chosen if running(one)], renewed)
            record(engine.setup, leaving, engine.registry)
            steps: list[Step] = [*renewed, *steps_of(leaving)]
            lost: set[AliasName] = set()
        else:
            engine.kernel.permitted()
            steps, lost = renew_leases(engine, observed, chosen, lengths)
    tell(options, steps)
    gone = [alias.name for alias in named if alias.expired or alias.name in lost]
    for name in gone:
        explain(errors.StateError(f"{name}: its lease has expired", "an address creates it anew"))
    return errors.STATUS_KERNEL if gone else errors.STATUS_OK


def _leased(observed: Observed, word: str, lent: Lent) -> Alias:
    """The alias called *word*. Raises NoSuchDevice, NotOurs; StateError without a lease, and for
    what belongs to a pool: somebody else may be about to get its address."""
    alias = find(observed, names.parse(word)[0])
    if not alias.ours:
        raise errors.NotOurs(f"{alias.name}: a label that netalias did not make")
    if not alias.lease:
        raise errors.StateError(
            f"{alias.name}: it has no lease", f"netalias {alias.name} lease SECONDS gives it one"
        )
    if pool := lent.pool(alias):
        raise _of_pool(alias, *pool.split(" ", 1))
    return alias


def _of_pool(alias: Alias, keyword: str, pool: str) -> errors.StateError:
    """The error for an alias of a pool that lends addresses, or whose addresses float."""
    if keyword == "float":
        return errors.StateError(
            f"{alias.name}: its address belongs to {keyword} {pool}",
            "the watcher renews it for as long as this host may have it",
        )
    return errors.StateError(
        f"{alias.name}: its address is lent by {keyword} {pool}",
        f"netalias {keyword} {pool} take --for CLIENT prolongs a loan",
    )
