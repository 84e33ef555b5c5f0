"""Claims: addresses that a run brings to the links of their main devices, as values. Pure.

Before an address comes it may be probed for (RFC 5227; for IPv6 the kernel does that itself, RFC
4862); afterwards it is announced (claim/session.py), and so it is when its device gets another MAC.
"""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    address_text,
    names,
)
from netalias.plan import NO_NEIGHBOURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from netalias import errors
    from netalias.desired import Wish
    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.plan import Plan

    Call = Callable[[Callable[[], Any]], Any]
    Found = list[tuple["Claim", errors.NetaliasError]]

OFF = "off"
ABORT = "abort"


VERDICT = 8.0
"""Seconds that the kernel's verdict is waited for: it takes one or two (RFC 4862, 5.1)."""
EACH = 0.15
"""Seconds more for each address: the kernel works through them one by one, and hands every probe of
a macvlan to all its siblings."""


class Context:
    """The way to the neighbours: ``within`` calls a function inside the namespace, ``waiting`` one
    that waits for other hosts; ``aside``: the process is about to end, and leaves slow work to a
    child."""

    __slots__ = ("aside", "waiting", "within")

    def __init__(self, within: Call, *, aside: bool, waiting: Call) -> None:
        self.within = within
        self.aside = aside
        self.waiting = waiting


class Policy:
    """What holds for wishes that do not say it: ``acd`` and ``conflict`` are words of a wish,
    ``announce`` how often, ``every`` the seconds after which again; ``rate`` is frames a second,
    None for the usual one, 0 for no limit."""

    __slots__ = ("acd", "announce", "conflict", "every", "rate")

    def __init__(self) -> None:
        self.acd = OFF
        self.conflict = "skip"
        self.announce = 1
        self.every = 0
        self.rate: float | None = None


class Claim:
    """One address that arrives, by ``plan``, or that is only announced again.

    ``main`` is its main device, ``device`` the name of the one that carries it; ``own``: that one
    has a MAC of its own, which is announced. ``new``: it was not in use before. ``acd`` and
    ``abort`` tell how it is looked for, ``rounds`` how often it is announced.
    """

    __slots__ = (
        "abort", "acd", "address", "device", "family", "main", "name", "new", "own", "plan",
        "rounds",
    )  # fmt: skip

    def __init__(
        self, name: AliasName, main: Device, kind: str, family: int, address: bytes, policy: Policy
    ) -> None:
        self.name = name
        self.main = main
        self.device = main.name if kind == "label" else names.primary(name)
        self.own = kind == "macvlan"
        self.family = family
        self.address = address
        self.acd = policy.acd
        self.abort = policy.conflict == ABORT
        self.rounds = policy.announce
        self.new = False
        self.plan: Plan | None = None

    def wished(self, wish: Wish) -> None:
        """Take over what a wish says."""
        self.acd = wish.acd or self.acd
        if wish.conflict:
            self.abort = wish.conflict == ABORT
        if wish.announce is not None:
            self.rounds = wish.announce

    @property
    def asked(self) -> bool:
        """Whether somebody else is looked for who has it."""
        return self.new and self.acd != OFF


def claims(pairs: Iterable[tuple[Wish | None, Plan]], policy: Policy) -> Iterator[Claim]:
    """The addresses that come by these plans, on main devices where somebody can hear of it.

    A plan gets a note where neighbours should be asked, and nobody can be.
    """
    for wish, plan in pairs:
        goal = plan.goal
        if wish is None or goal is None or goal.type.family not in (AF_INET, AF_INET6):
            continue
        new, told = plan.arrival
        if not told:
            continue
        one = Claim(goal.name, goal.main, plan.kind, goal.type.family, goal.address, policy)
        one.wished(wish)
        one.new, one.plan = new, plan
        if not goal.main.up:  # forced: nobody is behind it yet
            _unasked(one, plan)
            continue
        old = plan.alias
        if old is not None and old.device is not None and old.kind == plan.kind:
            one.device = old.device.name  # it may have been made when the main had another name
        yield one


def _unasked(one: Claim, plan: Plan) -> None:
    text = address_text(one.family, one.address)
    note = f"{one.name}: nobody was asked whether {text} is in use: {one.main.name} is down"
    if one.asked and note not in plan.notes:
        plan.notes.append(note)


def reason_not_to_announce(alias: Alias) -> str:
    """Why nobody can be told of an address, or empty."""
    entry, main, device = alias.entry, alias.main, alias.carrier
    if not alias.ours:
        return "netalias did not make it"
    if main is None or device is None or entry is None or alias.family not in (AF_INET, AF_INET6):
        return "it has no address that a neighbour could know"
    if not (main.up and device.up):
        return f"{(device if main.up else main).name} is down"
    if main.flags & NO_NEIGHBOURS:
        return f"{main.name} has no neighbours"
    if entry.flags & IFA_F_DADFAILED:
        return "another host has it (dadfailed)"
    if entry.flags & IFA_F_TENTATIVE:  # RFC 4429, 3.3: not even where it is optimistic
        return "it is still being checked (tentative)"
    return ""


def reannouncement(alias: Alias, policy: Policy) -> Claim:
    """The claim of an alias that is there, announced as if it had just come.

    reason_not_to_announce() must be empty for it.
    """
    assert alias.main is not None
    one = Claim(alias.name, alias.main, alias.kind, alias.family, alias.address, policy)
    assert alias.carrier is not None
    one.device = alias.carrier.name
    return one


def patience(count: int) -> float:
    """Seconds that the kernel's verdict on so many addresses is waited for."""
    return VERDICT + EACH * count
