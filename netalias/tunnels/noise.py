"""The handshake ``Noise_NNpsk0_25519_ChaChaPoly_SHA256`` of the Noise Protocol Framework.

Two ends that hold the same 32 random bytes agree on two keys, one a direction. Nobody else can know
them, and the 32 bytes do not tell them to somebody who gets hold of those later: each end draws an
X25519 key for this exchange alone. Names are those of the specification (noiseprotocol.org,
revision 34, sections 5 and 9). Primitives come from the library cryptography: X25519 (RFC 7748),
HKDF (RFC 5869), SHA-256, ChaCha20-Poly1305 (RFC 8439).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"
HASHLEN = 32
"""Bytes of SHA-256, of every key and of every secret."""
DHLEN = 32
"""Bytes of a public key of X25519."""
TAGLEN = 16
"""Bytes that ChaCha20-Poly1305 adds."""
OVERHEAD = DHLEN + TAGLEN
"""Bytes that a message of the handshake adds to its payload."""


class Forged(Exception):
    """A message that does not come from a holder of the key, or is not what he wrote."""


def nonce(counter: int) -> bytes:
    """The nonce of ChaChaPoly with this number, 12 bytes (section 12.3)."""
    return b"\0\0\0\0" + counter.to_bytes(8, "little")


class Handshake:
    """One handshake, at one end. The initiator calls write() and read(), the responder read() and
    write(), each of them once; then both call split().

    *psk* is the common secret, *prologue* what both ends must agree on without sending it.
    *ephemeral* is the private key of this end, which tests choose.
    """

    def __init__(self, psk: bytes, prologue: bytes, ephemeral: X25519PrivateKey | None = None):
        self._psk = psk
        self._e = ephemeral
        self._re: X25519PublicKey | None = None
        self._h = self._ck = _hash(NAME)  # longer than HASHLEN
        self._k = b""
        self._mix_hash(prologue)
        self.public = b""
        """The public key of this end; empty before write()."""
        self.remote = b""
        """The public key of the other end; empty before read()."""

    def write(self, payload: bytes) -> bytes:
        """The next message: ``psk, e`` of the initiator, ``e, ee`` of the responder."""
        if self._e is None:
            self._e = X25519PrivateKey.generate()
        self.public = self._e.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        if self._re is None:
            self._mix_key_and_hash(self._psk)
        self._mix_public(self.public)
        if self._re is not None:
            self._mix_key(_exchange(self._e, self._re))
        return self.public + self._encrypt(payload)

    def read(self, message: bytes) -> bytes:
        """The payload of the message of the other end. Raises Forged, and is as before then: an
        answer that somebody has made up does not keep out the true one.

        Nothing is computed on the curve for a first message without the key.
        """
        before = self._h, self._ck, self._k
        try:
            return self._read(message)
        except Forged:
            self._h, self._ck, self._k = before
            raise

    def _read(self, message: bytes) -> bytes:
        if len(message) < OVERHEAD:
            raise Forged
        public = message[:DHLEN]
        remote = X25519PublicKey.from_public_bytes(public)
        if self._e is None or not self.public:
            self._mix_key_and_hash(self._psk)
            self._mix_public(public)
        else:
            self._mix_public(public)
            self._mix_key(_exchange(self._e, remote))
        payload = self._decrypt(message[DHLEN:])
        self._re, self.remote = remote, public
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """The keys of what the initiator sends and of what the responder sends, 32 bytes each."""
        keys = _hkdf(self._ck, b"", 2)
        return keys[0], keys[1]

    def _mix_public(self, public: bytes) -> None:
        """The token ``e``, as it is in handshakes with a common secret (section 9.2)."""
        self._mix_hash(public)
        self._mix_key(public)

    def _mix_key(self, material: bytes) -> None:
        self._ck, self._k = _hkdf(self._ck, material, 2)

    def _mix_key_and_hash(self, material: bytes) -> None:
        self._ck, digest, self._k = _hkdf(self._ck, material, 3)
        self._mix_hash(digest)

    def _mix_hash(self, data: bytes) -> None:
        self._h = _hash(self._h + data)

    def _encrypt(self, payload: bytes) -> bytes:
        """Encrypt a payload. Its key is fresh, so the nonce is 0."""
        sealed = ChaCha20Poly1305(self._k).encrypt(nonce(0), payload, self._h)
        self._mix_hash(sealed)
        return sealed

    def _decrypt(self, sealed: bytes) -> bytes:
        try:
            payload = ChaCha20Poly1305(self._k).decrypt(nonce(0), sealed, self._h)
        except InvalidTag:
            raise Forged from None
        self._mix_hash(sealed)
        return payload


def _exchange(private: X25519PrivateKey, public: X25519PublicKey) -> bytes:
    try:
        return private.exchange(public)
    except ValueError:  # a point of small order: RFC 7748, section 6.1
        raise Forged from None


def _hash(data: bytes) -> bytes:
    digest = Hash(SHA256())
    digest.update(data)
    return digest.finalize()


def _hkdf(chaining: bytes, material: bytes, outputs: int) -> list[bytes]:
    """HKDF of section 4.3: that of RFC 5869 with the chaining key as salt and an empty info."""
    derived = HKDF(SHA256(), HASHLEN * outputs, salt=chaining, info=b"").derive(material)
    return [derived[at : at + HASHLEN] for at in range(0, len(derived), HASHLEN)]
