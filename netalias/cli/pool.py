"""The verb pool: addresses of declared pools are taken, given back, and shown."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli import may_float, number
from netalias.cli.output import complain, narrow, tell, write
from netalias.desired.pools import LEASE
from netalias.engine.loans import Lender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.engine import Engine

ACTIONS = ("take", "release", "show")
CLIENT_MAX = 255


class Request:
    """A request to a pool: ``address`` is a text, empty for none; ``length`` the seconds of a
    loan."""

    __slots__ = ("action", "address", "client", "length", "name")

    def __init__(self, options: Options, words: list[str]) -> None:
        """Raises UsageError."""
        self.name, self.action = words[0] if words else "", "".join(words[1:2]) or "show"
        self.address, self.client = "".join(words[2:3]), options.only
        self.length = number("--lease", options.interval, LEASE, 1)
        self._check_words(words)
        if self.client.split() != [self.client] * bool(self.client):
            raise errors.UsageError(f"--for '{self.client}': a client is one word")
        if len(self.client) > CLIENT_MAX or not self.client.isprintable():
            raise errors.UsageError(f"--for: a client has {CLIENT_MAX} printable signs at most")
        if options.interval and self.action != "take":
            raise errors.UsageError(f"--lease belongs to take, and not to {self.action}")

    def _check_words(self, words: list[str]) -> None:
        if self.action not in ACTIONS:
            raise _unknown(self.name, self.action)
        most = 2 if self.action == "show" else 3
        if words[most:]:
            text = f"pool {' '.join(words[:most])}: {words[most]}: one word too many"
            raise errors.UsageError(text, "netalias help pool")
        if self.action == "release" and bool(self.address) == bool(self.client):
            raise errors.UsageError(
                f"pool {self.name} release: either an address or --for CLIENT is needed"
            )


def _unknown(name: str, action: str) -> errors.UsageError:
    from netalias.desired import nearest

    near = nearest(action, ACTIONS) or ("take" if name in ACTIONS else "")
    hint = f"did you mean {near}?" if near else f"one of: {' '.join(ACTIONS)}"
    if name in ACTIONS:
        hint = f"the name of the pool comes first: netalias pool {action} {name}"
    return errors.UsageError(f"pool {name} {action}: {action}: unknown", hint)


def pool(options: Options, words: list[str]) -> int:
    """Execute ``pool [NAME [take [ADDRESS] | release [ADDRESS] | show]]``; the exit status."""
    asked = Request(options, words)
    if asked.action == "show":
        return _show(options, asked)
    act = _take if asked.action == "take" else _release
    if options.lender is None:
        with options.engine() as engine, engine.transaction(dry=options.dry_run) as transaction:
            folder = _recorded(engine) if options.dry_run else transaction.path
            act(options, engine, lender_of(engine, folder, options), asked)
        return errors.STATUS_OK
    lender = options.lender()  # the batch is a transaction
    if lender.pool(asked.name).wish is None:
        act(options, lender.engine, lender, asked)
        return errors.STATUS_OK
    with options.engine() as engine:
        act(options, engine, lender, asked)
    return errors.STATUS_OK


def lender_of(engine: Engine, folder: str, options: Options) -> Lender:
    """The declared pools, and their loans in the runtime directory *folder*."""
    files = [options.source] if options.source else []
    return Lender(engine, folder, files, dry=options.dry_run, withheld=_withheld)


def _recorded(engine: Engine) -> str:
    """The runtime directory that has the loans, for who only reads: anybody may."""
    from netalias.runtime import owned

    return owned(engine.runtime.path, engine.setup.cookie or engine.kernel.cookie())


def _withheld(source: str) -> str:
    from netalias.disclosure import withheld

    return withheld(source)


def _take(options: Options, engine: Engine, lender: Lender, asked: Request) -> None:
    """Lend an address, and print it. What cannot be printed is given back."""
    engine, lender = _tried(options, engine, lender)
    chosen = lender.pool(asked.name)
    if not options.force and chosen.name not in lender.apart:
        lender.apart.add(chosen.name)
        if may_float(options):
            from netalias.cli.floating import apart

            apart(options, engine, chosen)
    wanted = chosen.number(asked.address) if asked.address else -1
    loan, steps = lender.take(
        engine, chosen, wanted, asked.client, asked.length, force=options.force
    )
    text = chosen.spelled(loan.address)
    if asked.address and loan.address != wanted and not options.quiet:
        why = "not free" if wanted in chosen else "not of this pool"
        complain(f"{chosen.title}: {asked.address} is {why}, here is {text}", "warning: ")
    if options.changes is not None:
        from netalias.views.pools import taken

        options.changes.append(taken(chosen, loan))
        return
    try:
        _hand_out(f"{text}\n", flush=options.lender is None)
    except (OSError, errors.StateError):
        lender.give_back(engine, chosen, [loan])
        raise
    tell(options, steps)


def _hand_out(text: str, *, flush: bool) -> None:
    """write(), which with *flush* minds a reader that is gone: nobody has the address then. Raises
    OSError, StateError."""
    if sys.stdout is None or not flush:
        write(text)
        return
    sys.stdout.write(text)
    sys.stdout.flush()


def _tried(options: Options, engine: Engine, lender: Lender) -> tuple[Engine, Lender]:
    """The same for a change, or copies of both for a dry run."""
    if not options.dry_run:
        return engine, lender
    from netalias.cli.rehearsal import rehearsal

    return rehearsal(engine), lender.rehearsal()


def _release(options: Options, engine: Engine, lender: Lender, asked: Request) -> None:
    """Give back an address, or all that a client has. Raises StateError if there is none."""
    engine, lender = _tried(options, engine, lender)
    chosen = lender.pool(asked.name)
    address = chosen.number(asked.address) if asked.address else -1
    lender.check_permitted()  # before the record of somebody else tells that nothing is taken
    running = lender.loans(chosen).running(lender.clock(), asked.client)
    found = [loan for loan in running if asked.client or loan.address == address]
    if not found and options.absent_ok:
        return
    if not found:
        whose = f"{asked.client} has no address"
        if asked.address:
            whose = f"{asked.address} is not taken"
            if address not in chosen:
                whose = f"{asked.address} is not of this pool"
        raise errors.StateError(f"{chosen.title}: {whose}", f"netalias pool {chosen.name} show")
    steps = lender.give_back(engine, chosen, found)
    if options.changes is not None:
        from netalias.views.pools import released

        options.changes += [released(chosen, loan) for loan in found]
    tell(options, steps)


def _show(options: Options, asked: Request) -> int:
    """Print the loans of a pool, or all pools; the exit status."""
    from netalias.views import pools

    with options.engine() as engine:
        if options.lender is not None:
            lender = options.lender()
        else:
            lender = lender_of(engine, _recorded(engine), options)
        if asked.name:
            objects = _loans(engine, lender, asked)
        else:
            objects = [pools.summary(one, lender.taken(one)) for one in lender.pools().values()]
    if options.json:
        from netalias.views import json

        write(json.render(objects, pretty=options.pretty))
    elif objects:
        keys = pools.LOAN if asked.name else pools.SUMMARY
        where = f"netalias -j pool {asked.name}".rstrip()
        narrow([*keys], pools.rows(objects, keys), where, pools.DROPPED)
    return errors.STATUS_OK


def _loans(engine: Engine, lender: Lender, asked: Request) -> list[dict[str, object]]:
    """The JSON objects of the loans of one pool."""
    from netalias.views import pools

    chosen, now = lender.pool(asked.name), lender.clock()
    loans = lender.loans(chosen).running(now, asked.client)
    standing: set[int] = set()
    if chosen.wish is not None:
        from netalias.engine.standing import found

        observed = engine.observe()
        standing = {one.address for one in loans if found(observed, chosen, one) is not None}
    return pools.loans(chosen, loans, now, standing)
