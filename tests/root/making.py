"""Devices that not every kernel has: made, or the test is skipped with the reason."""

from __future__ import annotations

import pytest
from support import Namespace

MISSING = ("Unknown device type", "Operation not supported")
"""What ip(8) says of a kind that the kernel has not."""


def made(namespace: Namespace, words: str) -> None:
    """``ip`` with these words, which make a device."""
    done = namespace.run(["ip", *words.split()], check=False)
    if any(text in done.stderr for text in MISSING):
        pytest.skip(f"this kernel has no {words.split('type ')[-1].split()[0]}")
    if "tuntap" in words and "Permission denied" in done.stderr:
        pytest.skip("no tun or tap device may be made here")
    assert done.returncode == 0, (words, done.stderr)


def has(namespace: Namespace, kind: str) -> bool:
    """Whether the kernel has macvlan or ipvlan, looked at on a bridge of its own."""
    namespace.ip("link add probed9 type bridge")
    done = namespace.run(
        ["ip", "link", "add", "probe9", "link", "probed9", "type", kind], check=False
    )
    namespace.ip("link del probed9")
    return done.returncode == 0
