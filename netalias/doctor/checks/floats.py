"""Checks of addresses that float over the hosts of a cluster."""

from __future__ import annotations

from netalias.doctor.finding import ERROR, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.desired.floats import Float
    from netalias.doctor.facts import Facts


def _declared(facts: Facts) -> list[Float]:
    """The pools that float."""
    found = [one for one in facts.tasks if one.keyword == "float"]
    if not found:
        return []
    from netalias.desired.floats import floats

    return floats(found)


def undecided(facts: Facts) -> Iterator[Finding]:
    """No line says by which store it is decided where addresses stand."""
    pools = _declared(facts)
    if not pools or any(one.keyword == "cluster" for one in facts.tasks):
        return
    yield Finding(
        WARNING,
        f"{pools[0].title} is declared, and no host has its addresses",
        f"{pools[0].place} waits for a line cluster, which names the store",
        main=pools[0].main,
    )


def storeless(facts: Facts) -> Iterator[Finding]:
    """The store does not decide anything here: it is away, or refuses this host."""
    pools = _declared(facts)
    if pools and facts.store is not None:
        yield Finding(
            WARNING,
            f"{pools[0].title}: nobody decides whether its addresses stand here",
            facts.store.sentence(),
            "netalias cluster",
            main=pools[0].main,
        )


def lasting(facts: Facts) -> Iterator[Finding]:
    """An address that floats stands here for ever, whoever else may have it by now."""
    pools = _declared(facts)
    for alias in facts.aliases if pools else ():
        if alias.lease or alias.entry is None:
            continue
        pool = next((one for one in pools if alias.address in one.places), None)
        if pool is not None:
            yield Finding(
                ERROR,
                f"{alias.name}: its address belongs to {pool.title}, and never ends",
                f"another host may have it by {pool.place}, and both would answer",
                f"netalias {alias.name}-",
                main=alias.name.main,
                alias=str(alias.name),
                address=pool.spelled(alias.address),
            )
