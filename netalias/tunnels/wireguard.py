"""Key files of ``carriage wireguard``: what wg(8) reads with ``setconf``, of it the keys alone.

::

    [Interface]
    PrivateKey = ...
    [Peer]
    PublicKey = ...
    PresharedKey = ...           # may be left out
    PersistentKeepalive = 25     # may be left out

Where the peer is, and the port, stand in the line; so a word for these is an error here.
"""

from __future__ import annotations

from netalias import errors
from netalias.tunnels import keys

INTERFACE, PEER = "interface", "peer"
KEYS = {
    (INTERFACE, "privatekey"): "private_key",
    (PEER, "publickey"): "public_key",
    (PEER, "presharedkey"): "preshared_key",
}
KEEPALIVE = PEER, "persistentkeepalive"
NEEDED = "private_key", "public_key"
MAKE = "wg genkey makes a PrivateKey, wg pubkey the PublicKey of it"
KEEPALIVE_MAX = 65535
"""Seconds."""


class Settings:
    """The keys of a file, in base64; ``peer`` is what pyroute2 calls a peer."""

    def __init__(self, private_key: str, peer: dict[str, object]) -> None:
        self.private_key = private_key
        self.peer = peer


def read(file: str) -> Settings:
    """The keys in a file. Raises StateError, also for one that others could read or change; no
    message has a word of a key."""
    found: dict[str, object] = {}
    section = ""
    for number, line in enumerate(keys.content(file).decode("utf-8", "replace").split("\n"), 1):
        text = line.partition("#")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1].strip().lower()
            if section == PEER and "public_key" in found:
                raise errors.StateError(f"{file}:{number}: one peer is enough for a tunnel")
        elif text:
            word, _, value = (part.strip() for part in text.partition("="))
            _take(found, f"{file}:{number}", (section, word.lower()), value)
    for name in NEEDED:
        if name not in found:
            word = {"private_key": "PrivateKey", "public_key": "PublicKey"}[name]
            raise errors.StateError(f"{file}: {word} is missing", MAKE)
    return Settings(str(found.pop("private_key")), found)


def _take(found: dict[str, object], place: str, word: tuple[str, str], value: str) -> None:
    """Note one line. Raises StateError."""
    if word in KEYS:
        if keys.decoded(value.encode()) is None:
            raise errors.StateError(f"{place}: no key of {keys.SIZE} bytes in base64", MAKE)
        found[KEYS[word]] = value
    elif word == KEEPALIVE:
        seconds = "0" if value.lower() == "off" else value
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 5) or (
            int(seconds) > KEEPALIVE_MAX
        ):
            raise errors.StateError(f"{place}: seconds up to {KEEPALIVE_MAX} needed")
        found["persistent_keepalive"] = int(seconds)
    else:
        raise errors.StateError(
            f"{place}: not a word of a key file",
            "PrivateKey in [Interface]; PublicKey, PresharedKey, PersistentKeepalive in [Peer]",
        )
