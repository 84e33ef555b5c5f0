"""Former addresses that are kept through a tunnel: the rules that lead what is sent from them into
its table (plan/tunnels.py). Pure.

They come before the copies of the addresses: no packet leaves otherwise in between, since what
connection tracking has once decided for a flow stays so. Where the tunnel has no route, in a
moment at its end, the table main is asked as ever.
"""

from __future__ import annotations

from netalias.model.gateways import AddRule, DelRule, Rule, tunnel_table, unit_of_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model.steps import Step

    Key = tuple[int, bytes]
    """Family and packed address."""

PRIORITY = 32701
"""The priority of these rules: after those of the tunnels' own addresses, before the table main."""


def rules(unit: int, kept: Iterable[Key]) -> list[Rule]:
    """The rules that lead what is sent from these addresses into the tunnel vif *unit*."""
    table = tunnel_table(unit)
    return [Rule("", family, table, PRIORITY, local) for family, local in kept]


def difference(wanted: Iterable[Rule], standing: Iterable[Rule]) -> list[Step]:
    """The steps from the *standing* rules with our mark to those *wanted*: those that come first,
    so that an address is never without one that it keeps."""
    wanted = [*wanted]
    before = [one for one in standing if is_one(one)]
    added: list[Step] = [AddRule(one) for one in wanted if one not in before]
    return added + [DelRule(one) for one in before if one not in wanted]


def is_one(rule: Rule) -> bool:
    """Whether a rule with our mark is one of rules()."""
    return rule.priority == PRIORITY and bool(rule.source) and unit_of_table(rule.table) >= 0
