"""The fixture ``player``: every socket that kernel.netlink opens is played."""

from __future__ import annotations

import pytest
from player import Player

from netalias.kernel import netlink


@pytest.fixture
def player(monkeypatch: pytest.MonkeyPatch) -> Player:
    """The socket that will be opened, and the kernel behind it."""
    player = Player()
    monkeypatch.setattr(netlink, "socket", lambda *_: player)
    return player
