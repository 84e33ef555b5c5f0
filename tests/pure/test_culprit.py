"""Who asked the kernel for a change, where it cannot be told."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from netalias.kernel.netlink import subscription
from netalias.watch import originator


def test_the_process_of_a_port() -> None:
    """By its name and pid, whatever the number of the port."""
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as first,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as second,
    ):
        for one in (first, second):
            one.bind((0, 0))
            port = subscription.port_of(one.fileno())
            assert originator.process_of(port).endswith(f"(pid {os.getpid()})")


def test_without_a_descriptor_left_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error: what was to be put right is put right by then."""
    monkeypatch.setattr(originator, "_inode", lambda port: "1")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        assert originator.process_of(originator.PIDS + 1) == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
