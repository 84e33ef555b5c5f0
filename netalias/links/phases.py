"""The phases of a link, with the names of user-ppp. Pure.

A link of ours has no script, nobody logs in and none is called back, so it passes through dial,
login and ready as soon as it may, and auth and cbcp are for peers that ask for them. The carrier
is awaited all the same, after dial and before login.
"""

from __future__ import annotations

CLOSED, OPENING, DIAL, CARRIER, LOGIN, READY, LCP, AUTH, CBCP, OPEN, LOGOUT, HANGUP = PHASES = (
    "closed", "opening", "dial", "carrier", "login", "ready", "lcp", "auth", "cbcp", "open",
    "logout", "hangup",
)  # fmt: skip
"""In their order."""

FOLLOWING = {
    CLOSED: (OPENING,),
    OPENING: (DIAL, CLOSED),
    DIAL: (CARRIER, HANGUP),
    CARRIER: (LOGIN, HANGUP),
    LOGIN: (READY, HANGUP),
    READY: (LCP, HANGUP),
    LCP: (AUTH, CBCP, OPEN, HANGUP),
    AUTH: (CBCP, OPEN, HANGUP),
    CBCP: (OPEN, HANGUP),
    OPEN: (LCP, LOGOUT, HANGUP),
    LOGOUT: (HANGUP,),
    HANGUP: (CLOSED,),
}
"""Phase: those that may follow. A link that is open negotiates again if its peer begins anew."""


def changed(before: str, after: str) -> str:
    """The line of a change, ``old -> new``. Raises AssertionError for one that never happens."""
    assert after in FOLLOWING[before], f"{before} -> {after}"
    return f"{before} -> {after}"
