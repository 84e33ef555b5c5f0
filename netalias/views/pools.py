"""Pools and their loans as table rows and JSON."""

from __future__ import annotations

from netalias.families import FAMILIES
from netalias.views import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from netalias.desired.pools import Pool
    from netalias.model.loans import Loan

SUMMARY = {"POOL": "pool", "ADDRESSES": "addresses", "TAKEN": "taken", "DEVICE": "ifname"}
LOAN = {
    "ADDRESS": "local", "CLIENT": "client", "LEFT": "left", "ALIAS": "altname", "STATE": "state",
}  # fmt: skip
"""Heading of each column: the key of the JSON object."""
DROPPED = (("LEFT",), ("ALIAS", "DEVICE"), ("STATE",))
"""Columns to leave out where a terminal has no room for them, the first ones first."""
LENT, GONE = "lent", "gone"


def identity(pool: Pool, loan: Loan) -> dict[str, object]:
    """The JSON fields that every output about a loan has."""
    found: dict[str, object] = {"pool": pool.name, "family": FAMILIES[pool.type.family]}
    found |= {"local": pool.spelled(loan.address), "client": loan.client or None}
    return found | ({"altname": loan.alias} if loan.alias else {})


def taken(pool: Pool, loan: Loan) -> dict[str, object]:
    """The JSON object of an address that was taken, for ``lease`` seconds."""
    return {"change": "take", **identity(pool, loan), "lease": loan.length}


def released(pool: Pool, loan: Loan) -> dict[str, object]:
    """The JSON object of an address that was given back."""
    return {"change": "release", **identity(pool, loan)}


def loans(
    pool: Pool, found: Iterable[Loan], now: float, standing: Collection[int]
) -> list[dict[str, object]]:
    """The JSON objects of running loans, by address. ``state`` is ``gone`` for one whose alias is
    not among those of the addresses *standing*."""
    return [
        {
            **identity(pool, loan),
            "lease": loan.length,
            "left": int(loan.end - now),
            "state": GONE if loan.alias and loan.address not in standing else LENT,
        }
        for loan in sorted(found, key=lambda one: one.address)
    ]


def summary(pool: Pool, count: int) -> dict[str, object]:
    """The JSON object of a pool of which *count* addresses are taken."""
    found: dict[str, object] = {"pool": pool.name, "addresses": pool.size, "taken": count}
    return found | ({"ifname": pool.main} if pool.main else {})


def rows(objects: Iterable[Mapping[str, object]], keys: Mapping[str, str]) -> list[list[str]]:
    """The rows of objects under the headings *keys*."""
    return [[_text(one.get(key)) for key in keys.values()] for one in objects]


def _text(value: object) -> str:
    return NOTHING if value is None else str(value)
