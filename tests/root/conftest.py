"""Fixtures of the tests on the real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from command import Command, forget, without_dad
from support import Namespace


@pytest.fixture
def bare(netns: Namespace) -> Iterator[Command]:
    """The command in a namespace with nothing but ``lo``, which is up."""
    forget(netns)  # the inode may have been that of another one
    netns.raise_lo()
    yield Command(netns)
    forget(netns)


@pytest.fixture
def cli(veth: Namespace) -> Iterator[Command]:
    """The command in a namespace with eth9, whose other end is p9 in ``namespace.peer``."""
    forget(veth)  # the inode may have been that of another one
    veth.raise_lo()
    without_dad(veth)
    yield Command(veth)
    forget(veth)


@pytest.fixture
def peer(veth: Namespace) -> Namespace:
    """The namespace at the other end of eth9's cable."""
    assert veth.peer is not None
    return veth.peer
