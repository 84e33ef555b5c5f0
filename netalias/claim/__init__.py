"""Claims: addresses that a run adds to the links of their main devices, as values. Pure.

An address may be probed for before it is added (RFC 5227; for IPv6 the kernel does so itself, RFC
4862). It is announced afterwards (claim/session.py), and when its device gets another MAC.
"""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_UP,
    address_text,
)
from netalias.model.steps import AddAddress, moves
from netalias.plan import NO_NEIGHBOURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from netalias import errors
    from netalias.desired import Wish
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.names import AliasName
    from netalias.plan import Plan

    Call = Callable[[Callable[[], Any]], Any]
    Found = list[tuple["Claim", errors.NetaliasError]]

OFF = "off"
ABORT = "abort"


VERDICT = 8.0
"""Seconds to wait for the kernel's verdict, which takes one or two (RFC 4862, section 5.1)."""
EACH = 0.15
"""Seconds more for each address: the kernel works through them one by one, and passes every probe
of a macvlan to all its siblings."""


class Context:
    """The context in which packets are sent.

    ``within`` calls a function inside the namespace; ``aside``: the process is about to end and
    leaves slow work to a child. ``progress`` is called again and again with the number of addresses
    that are being probed for, and with 0 at the end.
    ``claimant`` makes the sessions, in place of a session.ClaimSession, which waits.
    """

    __slots__ = ("aside", "claimant", "progress", "within")

    def __init__(
        self,
        within: Call,
        *,
        aside: bool,
        progress: Callable[[int], None] | None = None,
        claimant: Callable[..., Any] | None = None,
    ) -> None:
        self.claimant = claimant
        self.within = within
        self.aside = aside
        self.progress = progress


class Policy:
    """The defaults for wishes.

    ``acd`` and ``conflict`` are words of a wish; ``announce`` is the number of announcements,
    ``every`` the period of repeated ones in seconds, 0 for none; ``rate`` is in frames per second,
    None for the built-in default, 0 for no limit.
    """

    __slots__ = ("acd", "announce", "conflict", "every", "rate")

    def __init__(self) -> None:
        self.acd = OFF
        self.conflict = "skip"
        self.announce = 1
        self.every = 0
        self.rate: float | None = None


class Claim:
    """An address to probe for and announce; ``plan`` adds it, None if it is only announced again.

    ``main`` is its main device, ``device`` the name of the device that carries it; ``own``: that
    device has a MAC of its own, which is announced. ``new``: the address was not in use before;
    ``probed``: it is probed for, by the addresses ``asked``; ``decided``: no verdict of the kernel
    is to come after that. ``crowded``: so many macvlans are on the main device that it has to send
    the announcements itself (packets/announce.py). ``acd`` is the way to probe, ``abort``: a
    conflict ends the run; ``rounds`` is the number of announcements. ``leaves``: neighbours know
    the address by the MAC of a device that is removed at the end of the run.
    """

    __slots__ = (
        "abort", "acd", "address", "asked", "crowded", "decided", "device", "family", "leaves",
        "main", "name", "new", "own", "plan", "probed", "rounds",
    )  # fmt: skip

    def __init__(
        self,
        name: AliasName,
        main: Device,
        device: str,
        kind: str,
        family: int,
        address: bytes,
        policy: Policy,
    ) -> None:
        self.name = name
        self.main = main
        self.device = device
        self.own = kind == "macvlan"
        self.crowded = False
        self.family = family
        self.address = address
        self.asked: Sequence[bytes] = (address,)
        self.acd = policy.acd
        self.abort = policy.conflict == ABORT
        self.rounds = policy.announce
        self.new = self.probed = self.leaves = False
        self.decided = family == AF_INET
        self.plan: Plan | None = None

    def apply(self, wish: Wish) -> None:
        """Override the defaults of the policy by the words of *wish*."""
        self.acd = wish.acd or self.acd
        if wish.conflict:
            self.abort = wish.conflict == ABORT
        if wish.announce is not None:
            self.rounds = wish.announce

    @property
    def place(self) -> tuple[int, bytes]:
        """Ifindex of the main device, and address."""
        return self.main.index, self.address

    @property
    def questions(self) -> list[tuple[int, bytes]]:
        """The places that are probed."""
        return [(self.main.index, address) for address in self.asked]


def claims(pairs: Iterable[tuple[Wish | None, Plan]], policy: Policy) -> Iterator[Claim]:
    """The claims of the addresses that plans add or move, on main devices that are up. Of a wish
    only words about claims are asked for.

    A plan whose address should be probed for gets a note if its main device is down.
    """
    every = [(wish, plan, plan.arrival, plan.carrier) for wish, plan in pairs]
    for wish, plan, (new, announced), device in every:
        goal = plan.goal
        if wish is None or goal is None or goal.type.family not in (AF_INET, AF_INET6):
            continue
        if not announced and not (new and goal.type.family == AF_INET):
            continue
        main, family = goal.main, goal.type.family
        if plan.kind == "shard":
            device = _hidden(plan)
        one = Claim(goal.name, main, device, plan.kind, family, goal.address, policy)
        one.apply(wish)
        one.new, one.plan, one.probed = new, plan, new and one.acd != OFF
        one.leaves = _retires_mac(plan)
        one.decided = family == AF_INET or one.probed or any(map(moves, plan.steps))
        if not announced:
            if not one.probed:
                continue
            _sample(one, plan, goal.prefixlen)
        if not main.flags & IFF_UP:  # by --force
            _note_unprobed(one, plan)
            continue
        yield one


def _sample(one: Claim, plan: Plan, prefixlen: int) -> None:
    """Let the claim of a prefix ask for some of its addresses, which the plan notes, and announce
    none."""
    from netalias.claim.samples import choose

    one.asked = choose(one.address, prefixlen)
    one.rounds = 0
    asked, count = len(one.asked), 1 << 32 - prefixlen
    note = f"{one.name}: {asked} of {count} addresses were asked for: a host with another one is"
    if asked < count:
        plan.notes.append(f"{note} not found")


def _hidden(plan: Plan) -> str:
    """The primary name of the hidden device that has the address of a shard afterwards."""
    found = [step.device for step in plan.steps if isinstance(step, AddAddress)]
    return found[0] if found else plan.carrier


def _retires_mac(plan: Plan) -> bool:
    """Whether the alias leaves a device with a MAC of its own, which is removed last."""
    alias = plan.alias
    return alias is not None and alias.kind == "macvlan" and plan.kind == "label"


def _note_unprobed(one: Claim, plan: Plan) -> None:
    text = address_text(one.family, one.address)
    note = f"{one.name}: {text} was not probed for: {one.main.name} is down"
    if one.probed and note not in plan.notes:
        plan.notes.append(note)


def reason_not_to_announce(alias: Alias) -> str:
    """The reason why the address of an alias cannot be announced; empty for none."""
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
    if entry.flags & IFA_F_TENTATIVE:  # RFC 4429, section 3.3: not even if it is optimistic
        return "it is still being checked (tentative)"
    return ""


def mark_crowded(claims: Iterable[Claim], snapshot: Snapshot) -> None:
    """Mark the claims on main devices that have many macvlans in *snapshot*."""
    from netalias.packets import NEAR

    counts: dict[int, int] = {}
    for one in claims:
        index = one.main.index
        if index not in counts:
            counts[index] = snapshot.count(index, "macvlan")
        one.crowded = counts[index] > NEAR


def reannouncement(alias: Alias, policy: Policy) -> Claim:
    """The claim that announces an existing alias again.

    Its reason_not_to_announce() must be empty.
    """
    main, device = alias.main, alias.carrier
    assert main is not None
    assert device is not None
    return Claim(alias.name, main, device.name, alias.kind, alias.family, alias.address, policy)


def patience(count: int) -> float:
    """Seconds to wait for the kernel's verdict on *count* addresses."""
    return VERDICT + EACH * count
