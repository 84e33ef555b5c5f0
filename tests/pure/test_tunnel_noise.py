"""The handshake of keyed tunnels, against a published vector and against forgers."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from netalias.tunnels.noise import DHLEN, OVERHEAD, Forged, Handshake, nonce

PSK = bytes.fromhex("54686973206973206d7920417573747269616e20706572737065637469766521")
PROLOGUE = bytes.fromhex("4a6f686e2047616c74")
EPHEMERALS = [
    X25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    for text in (
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    )
]
MESSAGES = [
    (bytes.fromhex(payload), bytes.fromhex(message))
    for payload, message in (
        (
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c794479b962b8aff848574"
            "2ac32f905ba45369e2465fb59e138a93d67a0d1266b6a54",
        ),
        (
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d6062704d5a9c422a"
            "8e834423f8c1feada7e8d0d910a1a2cd030fb584221e3",
        ),
        (
            "462e20412e20486179656b",
            "e632c3763d7669067383433197a3baddf146e9e70ad4b4e9e59e0f",
        ),
        (
            "4361726c204d656e676572",
            "64c6bee32ea91c8474bb4c21d7a700109ad45af77b29764ba5eb1e",
        ),
    )
]
"""Payloads and messages of Noise_NNpsk0_25519_ChaChaPoly_SHA256 in the vectors of cacophony, which
most implementations of Noise are held to."""


def pair(
    keys: tuple[bytes, bytes] = (PSK, PSK), prologues: tuple[bytes, bytes] = (PROLOGUE, PROLOGUE)
) -> tuple[Handshake, Handshake]:
    """An initiator and a responder with the ephemeral keys of the vector."""
    return (
        Handshake(keys[0], prologues[0], EPHEMERALS[0]),
        Handshake(keys[1], prologues[1], EPHEMERALS[1]),
    )


def test_both_ends_write_and_read_the_messages_of_the_published_vector() -> None:
    """The handshake, and the first message each way under the keys that it gives."""
    initiator, responder = pair()
    (first, asked), (second, answered), *transport = MESSAGES
    assert initiator.write(first) == asked
    assert responder.read(asked) == first
    assert responder.write(second) == answered
    assert initiator.read(answered) == second
    assert initiator.split() == responder.split()
    for key, (payload, message) in zip(initiator.split(), transport, strict=True):
        assert ChaCha20Poly1305(key).encrypt(nonce(0), payload, None) == message


@pytest.mark.parametrize(
    ("keys", "prologues"),
    [((PSK, bytes(32)), (b"", b"")), ((PSK, PSK), (b"netalias 1", b"netalias 2"))],
)
def test_another_key_or_another_prologue_is_noticed_in_the_first_message(
    keys: tuple[bytes, bytes], prologues: tuple[bytes, bytes]
) -> None:
    """The responder answers nobody who does not hold the key, or who speaks another version."""
    initiator, responder = pair(keys, prologues)
    with pytest.raises(Forged):
        responder.read(initiator.write(b"payload"))


@given(
    place=st.integers(0, len(MESSAGES[1][1]) - 1),
    change=st.integers(1, 255),
    which=st.sampled_from((0, 1)),
)
def test_no_byte_of_a_message_can_be_changed(place: int, change: int, which: int) -> None:
    """A changed message is forged, and the true one is accepted after it."""
    initiator, responder = pair()
    asked = initiator.write(MESSAGES[0][0])
    reader, message = responder, asked
    if which:
        responder.read(asked)
        reader, message = initiator, responder.write(MESSAGES[1][0])
    changed = bytearray(message)
    changed[place % len(message)] ^= change
    with pytest.raises(Forged):
        reader.read(bytes(changed))
    assert reader.read(message) == MESSAGES[which][0]


@given(st.binary(max_size=OVERHEAD + 40))
def test_any_bytes_are_read_as_forged(message: bytes) -> None:
    """As a first message and as an answer, of every length."""
    initiator, responder = pair()
    initiator.write(b"")
    for handshake in (initiator, responder):
        with pytest.raises(Forged):
            handshake.read(message)


def test_an_answer_with_a_point_of_small_order_is_forged() -> None:
    """It would make the common secret known: RFC 7748, section 6.1."""
    initiator, _ = pair()
    initiator.write(b"")
    with pytest.raises(Forged):
        initiator.read(bytes(DHLEN) + bytes(16))
