"""Places and shares of users, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.system.slots import ADVANCE, ALL, DEBTORS, EACH, ROOT, SHARE, Accounts, crowding


class Client:
    """A client that was last seen at a time."""

    def __init__(self, uid: int, seen: float, *, waits: bool = False) -> None:
        self.uid, self.seen, self.waits = uid, seen, waits


def test_there_is_room() -> None:
    """Up to the last place nobody goes."""
    assert crowding([], 1) is None
    assert crowding([Client(1, one) for one in range(EACH - 1)], 1) is None
    assert crowding([Client(1, one) for one in range(EACH)], 2) is None


def test_the_longest_idle_of_a_user_goes() -> None:
    """Not that of another user, and the one that waits for us last of all."""
    others = [Client(2, -1.0)]
    mine = [Client(1, float(one)) for one in range(EACH)]
    assert crowding([*others, *mine], 1) is mine[0]
    mine[0].waits = True
    assert crowding([*others, *mine], 1) is mine[1]
    for one in mine:
        one.waits = True
    assert crowding([*others, *mine], 1) is mine[0]


def test_the_user_with_most_gives_way() -> None:
    """Where all places of ordinary users are taken, a new user gets one of the largest crowd."""
    few = [Client(1, 0.0)]
    crowds = [Client(2 + one % 4, 10.0 + one) for one in range(ALL - 2)]
    most = [Client(3, 5.0)]
    gone = crowding([*few, *crowds, *most], 9)
    assert gone is most[0]


def test_root_is_apart() -> None:
    """It takes no place of others, and none of them takes one of its."""
    crowds = [Client(1 + one % 5, float(one)) for one in range(ALL)]
    roots = [Client(ROOT, -1.0) for _ in range(EACH)]
    assert crowding(crowds, ROOT) is None
    assert crowding([*crowds, *roots], ROOT) is roots[0]
    gone = crowding([*crowds, *roots], 1)
    assert gone is not None
    assert gone.uid != ROOT


@given(st.lists(st.integers(0, 400), max_size=1500), st.data())
def test_bounds_hold_whoever_comes(users: list[int], data: st.DataObject) -> None:
    """A user has EACH connections at most, all but root ALL, and a newcomer always has its own."""
    clients: list[Client] = []
    for now, uid in enumerate(users):
        gone = crowding(clients, uid)
        if gone is not None:
            clients.remove(gone)
        clients.append(Client(uid, float(now)))
    for uid in set(users):
        mine = sum(one.uid == uid for one in clients)
        assert mine <= EACH
    assert sum(one.uid != ROOT for one in clients) <= ALL
    if users:
        assert clients[-1].uid == users[-1]
    assert sum(one.uid == ROOT for one in clients) == min(EACH, users.count(ROOT))


def test_a_share_of_the_time() -> None:
    """A user may be behind by ADVANCE; then it waits until its time is paid for."""
    accounts = Accounts()
    assert accounts.open(1, 100.0)
    accounts.charge(1, ADVANCE * SHARE, 100.0)
    assert accounts.open(1, 100.0)
    accounts.charge(1, 0.01, 100.0)
    assert not accounts.open(1, 100.0)
    assert accounts.open(2, 100.0)
    assert accounts.until(1) == pytest.approx(100.0 + 0.01 / SHARE)
    assert accounts.open(1, 100.0 + 0.01 / SHARE + 1e-6)


def test_what_was_paid_is_forgotten() -> None:
    """Rest is not saved up, and users that have gone take no memory."""
    accounts = Accounts()
    for uid in range(3 * DEBTORS):
        accounts.charge(uid, 0.001, float(uid))
    assert len(accounts._paid) <= DEBTORS + 1
    accounts.charge(1, ADVANCE * SHARE * 2, 1e6)
    assert not accounts.open(1, 1e6)
