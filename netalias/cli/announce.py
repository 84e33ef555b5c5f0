"""The verb announce."""

from __future__ import annotations

from netalias import errors
from netalias.claim import Policy, mark_crowded, reannouncement, reason_not_to_announce
from netalias.claim.announce import send
from netalias.cli.output import complain, write
from netalias.observed.query import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.claim import Claim
    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.families import Registry
    from netalias.model import Alias


ALL = "all"


def announce(options: Options, words: list[str]) -> int:
    """Announce the addresses of aliases: once, N times, or every S seconds until interrupted."""
    if not words:
        raise errors.UsageError("announce needs the name of an alias or a main device, or all")
    wanted = [] if ALL in words else words
    with options.engine() as engine:
        policy = engine.policy or Policy()
        if not policy.announce:
            raise errors.UsageError("--announce off: announce announces")
        if policy.every:
            engine = engine.derived(aside=False)  # this process is not about to end
        status = _round(options, engine, wanted)
        while policy.every and not options.dry_run:
            from time import sleep

            sleep(policy.every)
            status = _round(options, engine, wanted)
    return status


def _round(options: Options, engine: Engine, wanted: list[str]) -> int:
    """Announce *wanted*, all if empty; the exit status."""
    observed = engine.observe()
    policy = engine.policy or Policy()
    named = {id(one) for word in wanted if ":" in word for one in select(observed, [word])}
    claims: list[Claim] = []
    found: list[tuple[Alias, str]] = []
    for alias in select(observed, wanted):
        reason = reason_not_to_announce(alias)
        found.append((alias, reason))
        if reason and id(alias) in named and not (options.quiet or options.json):
            complain(f"{alias.name}: not announced: {reason}", "warning: ")
        elif not reason:
            claims.append(reannouncement(alias, policy))
    if (options.dry_run or options.verbose) and not options.json:
        write("".join(_line(one) for one in claims))
    failures: Sequence[errors.NetaliasError] = ()
    context = engine.context
    if not options.dry_run and claims and context is not None:
        mark_crowded(claims, observed.snapshot)
        failures = send(context, engine.kernel, claims, policy)
    if options.json:
        from netalias.views import json

        sent = None if failures else options.dry_run or context is not None
        objects = [_object(*one, observed.registry, sent=sent) for one in found]
        write(json.render(objects, pretty=options.pretty))
    for error in failures:
        complain(f"not announced: {error.line()}")
    return failures[0].status if failures else errors.STATUS_OK


def _line(one: Claim) -> str:
    from netalias.model import address_text

    return f"announce {address_text(one.family, one.address)} of {one.name} on {one.main.name}\n"


def _object(
    alias: Alias, reason: str, registry: Registry, *, sent: bool | None
) -> dict[str, object]:
    """The JSON object of an alias that was *sent*, or was not for a *reason*; None: some
    announcement failed, and which one is not known."""
    from netalias.families.fields import NO_ADDRESS, address_fields

    found: dict[str, object] = {"altname": str(alias.name)}
    if alias.main is not None:
        found["link"] = alias.main.name
    if alias.family:
        found |= address_fields(alias.family, alias.address, alias.prefixlen, registry)
    else:
        found |= NO_ADDRESS
    found["announced"] = False if reason else sent
    if reason:
        found["reason"] = reason
    return found
