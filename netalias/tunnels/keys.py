"""Key files: 32 random bytes in base64, which their owner alone may read.

They are trusted like declarations, and kept closer. What stands in one is in no message.
"""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64

from netalias import errors, trust

SIZE = 32
"""Bytes of a key."""
OVERHEAD = 29
"""Bytes that a sealed datagram has more than its frame (sessions.py)."""
MAKE = "(umask 077; head -c32 /dev/urandom | base64 >{})"
"""The command that makes a key file."""
LIBRARY = "cryptography"


def read(file: str) -> bytes:
    """The key in a file, 32 bytes. Raises StateError for a file that cannot be read, that others
    could read or change, and that holds no key."""
    key = decoded(content(file).strip())
    if key is None:
        raise errors.StateError(
            f"{file}: no key of {SIZE} bytes in base64", f"make one: {MAKE.format(file)}"
        )
    return key


def check_library() -> None:
    """Check that the library that seals is there, without loading it. Raises StateError."""
    from importlib.util import find_spec

    if find_spec(LIBRARY) is None:
        raise errors.StateError(
            f"the library {LIBRARY} is needed for key FILE",
            f"apt-get install python3-{LIBRARY}, or pip install 'netalias[key]'",
        )


def decoded(text: bytes) -> bytes | None:
    """The key that stands in base64; None where it is no key."""
    try:
        key = a2b_base64(text)
    except NotBase64:
        return None
    # What is decoded leniently need not be what was written.
    whole = len(key) == SIZE and b2a_base64(key, newline=False) == text
    return key if whole and any(key) else None


def content(file: str) -> bytes:
    """The bytes of a file that its owner alone may read. Raises StateError."""
    return trust.secret(file, "its key", f"make one: {MAKE.format(file)}")
