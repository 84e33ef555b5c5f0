"""How an address that is new here comes to its neighbours: what a run is asked to do. Pure.

An address arrives when a plan adds it, or raises the device that carries it. Before, it may be
looked for (RFC 5227; for IPv6 the kernel does that itself, RFC 4862); afterwards it is announced,
and so it is when its device gets another MAC.
"""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    IFF_NOARP,
    address_text,
    names,
)
from netalias.model.steps import AddAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.plan import Plan

OFF = "off"
ABORT = "abort"


VERDICT = 8.0
"""Seconds that the kernel's verdict is waited for: it takes one or two (RFC 4862, 5.1)."""
EACH = 0.15
"""Seconds more for each address: the kernel works through them one by one, and hands every probe of
a macvlan to all its siblings."""


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


def policy(options: Options, usual: Policy | None = None) -> Policy:
    """What the options say, and where they say nothing, *usual*. Raises UsageError."""
    from netalias.cli import number
    from netalias.desired import ACD, CONFLICT, announcement, choice

    found = Policy()
    if usual is not None:
        for slot in Policy.__slots__:
            setattr(found, slot, getattr(usual, slot))
    if options.acd:
        found.acd = choice("--acd", options.acd, ACD)
    if options.conflict:
        found.conflict = choice("--conflict", options.conflict, CONFLICT)
    if options.announce:
        found.announce, found.every = announcement("--announce", *options.announce.split(" ", 1))
    if options.rate:
        found.rate = number("--rate", options.rate, 0, 0)
    return found


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


def arrivals(pairs: Iterable[tuple[Wish | None, Plan]], policy: Policy) -> Iterator[Claim]:
    """The addresses that arrive by these plans, on main devices where somebody can hear of it.

    A plan gets a note where somebody should be asked, and nobody can be.
    """
    for wish, plan in pairs:
        goal = plan.goal
        if wish is None or goal is None or goal.entry is None or not goal.up:
            continue
        if goal.type.family not in (AF_INET, AF_INET6) or goal.main.flags & _DEAF:
            continue
        new = any(_adds(step, goal.address) or _raises(step, goal.main) for step in plan.steps)
        if new or any(isinstance(step, SetLink) and step.mac for step in plan.steps):
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


_DEAF = IFF_LOOPBACK | IFF_NOARP


def _adds(step: Step, address: bytes) -> bool:
    return isinstance(step, AddAddress) and step.address.local == address


def _raises(step: Step, main: Device) -> bool:
    """Whether it raises the device of the alias."""
    return isinstance(step, SetLink) and bool(step.up) and step.index != main.index


def mute(alias: Alias) -> str:
    """Why nobody can be told of an address, or empty."""
    entry, main, device = alias.entry, alias.main, alias.carrier
    if not alias.ours:
        return "netalias did not make it"
    if main is None or device is None or entry is None or alias.family not in (AF_INET, AF_INET6):
        return "it has no address that a neighbour could know"
    if not (main.up and device.up):
        return f"{(device if main.up else main).name} is down"
    if main.flags & (IFF_LOOPBACK | IFF_NOARP):
        return f"{main.name} has no neighbours"
    if entry.flags & IFA_F_DADFAILED:
        return "another host has it (dadfailed)"
    if entry.flags & IFA_F_TENTATIVE:  # RFC 4429, 3.3: not even where it is optimistic
        return "it is still being checked (tentative)"
    return ""


def standing(alias: Alias, policy: Policy) -> Claim:
    """An alias that is there, to be announced as if it had just come; mute() has nothing to say."""
    assert alias.main is not None
    one = Claim(alias.name, alias.main, alias.kind, alias.family, alias.address, policy)
    assert alias.carrier is not None
    one.device = alias.carrier.name
    return one


def patience(count: int) -> float:
    """Seconds that the kernel's verdict on so many addresses is waited for."""
    return VERDICT + EACH * count
