"""Random datagrams, the same in every run: a value, or the reader's own error."""

from __future__ import annotations

from random import Random

from datagrams import check, drawn_datagram

COUNT = 1000


def test_random_datagrams() -> None:
    """Whatever is damaged in them."""
    for number in range(COUNT):
        check(drawn_datagram(Random(f"datagram {number}")))
