"""The question whether another host answers for an address that floats, before it is taken."""

from __future__ import annotations

from netalias.claim import OFF, Claim, Policy
from netalias.cluster.orders import Checked, Taken, parts
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netalias.claim import Found
    from netalias.cluster.orders import Key, Message
    from netalias.desired.floats import Float
    from netalias.errors import NetaliasError
    from netalias.model import Device
    from netalias.observed import Observed
    from netalias.watch.claims import Claims

FAST = "fast"
"""The way to probe, unless the line says otherwise."""


class Questions:
    """Probes by *checks*; *report* takes what they have found, *complain* why they failed."""

    def __init__(
        self,
        checks: Claims,
        report: Callable[[Message], object],
        complain: Callable[[NetaliasError], object],
    ) -> None:
        self._checks = checks
        self._report = report
        self._complain = complain

    def ask(self, places: Mapping[Key, tuple[Float, bytes] | None], observed: Observed) -> None:
        """Probe for addresses, each given with its pool and its packed form, None for one that is
        not declared. One that cannot stand here counts as taken."""
        claims: dict[Key, Claim] = {}
        free, taken = [], []
        for key, one in places.items():
            main = observed.snapshot.device(one[0].main) if one is not None else None
            if one is None or main is None or not main.up:
                taken.append(key)
            elif one[0].type.family != AF_INET or one[0].wish.acd == OFF:
                free.append(key)  # the kernel checks an IPv6 address by itself
            else:
                claims[key] = _claim(*one, main)
        self._tell(free, taken)
        if claims:
            keys = {id(claim): key for key, claim in claims.items()}
            self._checks.ask(
                [*claims.values()], lambda group, found: self._answered(keys, group, found)
            )

    def _answered(self, keys: Mapping[int, Key], group: Sequence[Claim], found: Found) -> None:
        """Report what probing has found."""
        unsafe = {id(one) for one, _ in found}
        for _, error in found:
            self._complain(error)
        self._tell(
            [keys[id(one)] for one in group if id(one) not in unsafe], [keys[one] for one in unsafe]
        )

    def _tell(self, free: Sequence[Key], taken: Sequence[Key]) -> None:
        for kind, keys in ((Checked, free), (Taken, taken)):
            for part in parts(keys):
                self._report(kind(part))


def _claim(pool: Float, packed: bytes, main: Device) -> Claim:
    """The claim by which other hosts are asked for an address."""
    name = pool.alias(packed, main.name)
    found = Claim(name, main, main.name, pool.wish.kind, AF_INET, packed, Policy())
    found.acd = pool.wish.acd or FAST
    return found
