"""Closed chains in the messages of nf_tables, which construct has built, and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_nat_messages import body, item, read

from netalias.errors import WireError
from netalias.nat import forwarding

DROP, ACCEPT, FORWARD, INPUT = 0, 1, 2, 1


def chain(family: int, hook: int, policy: int) -> object:
    """What is read of such a chain."""
    hooked = [item("NFTA_HOOK_HOOKNUM", hook), item("NFTA_HOOK_PRIORITY", 0)]
    attributes = [
        item("NFTA_CHAIN_TABLE", "filter"), item("NFTA_CHAIN_NAME", "FORWARD"),
        item("NFTA_CHAIN_HOOK", hooked), item("NFTA_CHAIN_POLICY", policy),
    ]  # fmt: skip
    made = {
        "type": "NFT_MSG_NEWCHAIN", "flags": 0, "sequence": 1, "body": body(family, *attributes)
    }  # fmt: skip
    return read(forwarding.read, made)


@pytest.mark.parametrize(("family", "name"), [(2, "ip"), (10, "ip6"), (1, "inet")])
def test_a_closed_chain(family: int, name: str) -> None:
    """Its words are those of nft(8)."""
    found = chain(family, FORWARD, DROP)
    assert isinstance(found, forwarding.Closed)
    assert found.text == f"{name} filter FORWARD"


@pytest.mark.parametrize(
    ("family", "hook", "policy"), [(2, INPUT, DROP), (2, FORWARD, ACCEPT), (7, FORWARD, DROP)]
)
def test_others(family: int, hook: int, policy: int) -> None:
    """Another hook, policy or family."""
    assert chain(family, hook, policy) is None


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    """A chain, None, or WireError."""
    try:
        forwarding.read(data, 0, len(data))
    except WireError:
        pass
