"""Loans: addresses of a pool that clients have for a time, and the order in which they are granted.
Pure.

Addresses are numbers, since a pool is made of ranges. Times are seconds of CLOCK_BOOTTIME
(clock_gettime(2)), which counts suspended time and ignores changes of the system clock.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

TRIES = 8
"""Draws before all free addresses are collected to draw from: a pool is rarely that full."""


class Loan:
    """The ``address`` (a number) of a pool that ``client`` has, empty for nobody in particular,
    until ``end``, for ``length`` seconds in all. ``alias`` is the name of the alias that stands for
    it, empty without one. When it has ended it tells who had the address last."""

    __slots__ = ("address", "alias", "client", "end", "length")

    def __init__(self, address: int, client: str, end: float, length: int, alias: str = "") -> None:
        self.address = address
        self.client = client
        self.end = end
        self.length = length
        self.alias = alias

    def live(self, now: float) -> bool:
        """Whether the client has the address. An end that is too far away was written before the
        last boot."""
        return now < self.end <= now + self.length

    def ended(self) -> Loan:
        """The same loan after its end."""
        return Loan(self.address, self.client, 0.0, self.length)


class Loans:
    """The loans of a pool, by address; of each address the last one."""

    _unlent: list[int] | None = None
    """The addresses that were never lent, in any order: they only become fewer."""

    def __init__(self, loans: Iterable[Loan] = ()) -> None:
        self.by_address: dict[int, Loan] = {}
        self._former: dict[str, int] = {}
        for loan in loans:
            self.put(loan)

    def put(self, loan: Loan) -> None:
        """Note a loan in place of the former one of its address."""
        self.by_address[loan.address] = loan
        if loan.client:
            self._former[loan.client] = loan.address

    def running(self, now: float, client: str = "") -> list[Loan]:
        """The loans that have not ended, of all clients or of one."""
        return [
            loan
            for loan in self.by_address.values()
            if loan.live(now) and client in ("", loan.client)
        ]

    def free(self, address: int, client: str, now: float) -> bool:
        """Whether *client* can have an address: nobody else has it."""
        loan = self.by_address.get(address)
        return loan is None or not loan.live(now) or (loan.client == client != "")

    def grant(
        self,
        spans: Sequence[range],
        wanted: int,
        client: str,
        now: float,
        *,
        busy: Container[int] = (),
        draw: Callable[[int], int],
    ) -> int:
        """The address that *client* gets, -1 if there is none.

        It is the *wanted* one (-1 for none) if that is in the pool and free; else the one that the
        client had last, if that is free; else one of chance, of those that were never lent as long
        as there are some. *busy* addresses are not free. ``draw(n)`` gives a number below n.
        """
        former = self._former.get(client, -1) if client else -1
        for address in (wanted, former):
            if address < 0 or address in busy or not any(address in span for span in spans):
                continue
            loan = self.by_address.get(address)
            mine = address == wanted or (loan is not None and loan.client == client)
            if mine and self.free(address, client, now):
                return address
        address = self._new(spans, busy, draw)
        if address >= 0:
            return address
        known = self.by_address
        found = [
            one
            for span in spans
            for one in span
            if one not in busy and one in known and not known[one].live(now)
        ]
        return found[draw(len(found))] if found else -1

    def _new(self, spans: Sequence[range], busy: Container[int], draw: Callable[[int], int]) -> int:
        """An address that was never lent, -1 if there is none."""
        size, known = sum(map(len, spans)), self.by_address
        if self._unlent is None:
            for _ in range(TRIES):
                address = _nth(spans, draw(size))
                if address not in known and address not in busy:
                    return address
            self._unlent = [one for span in spans for one in span if one not in known]
        left, passed = self._unlent, []
        address = -1
        while left and address < 0:
            at = draw(len(left))
            left[at], left[-1] = left[-1], left[at]
            one = left.pop()
            if one in busy:
                passed.append(one)
            elif one not in known:
                address = one
        left += passed
        return address


def _nth(spans: Sequence[range], index: int) -> int:
    """The address with this index of all *spans*."""
    for span in spans:
        if index < len(span):
            return span[index]
        index -= len(span)
    raise IndexError(index)
