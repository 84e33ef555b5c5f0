"""Devices of WireGuard, where the kernel has them; one sentence where it has not."""

from __future__ import annotations

import os
import signal
from base64 import b64encode
from contextlib import ExitStack
from errno import ENODEV, EOPNOTSUPP, EPERM
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from support import Namespace, until
from tunnelled import INNER, OUTER, cable, transfer

import netalias
from netalias import errors
from netalias.desired.tasks import read as read_line
from netalias.desired.tunnels import Vif
from netalias.engine import tunnels as work
from netalias.engine.tunnels import Held
from netalias.kernel.pyroute import wireguard
from netalias.tunnels import plane
from netalias.tunnels.handed import EVERYWHERE
from netalias.tunnels.wireguard import Settings, read

PORT = 51820


def has_wireguard(namespace: Namespace) -> bool:
    """Whether the kernel makes such devices, by another program than ours."""
    done = namespace.run(["ip", "link", "add", "probe", "type", "wireguard"], check=False)
    namespace.run(["ip", "link", "del", "probe"], check=False)
    return done.returncode == 0


@pytest.fixture
def able(veth: Namespace) -> Namespace:
    """A namespace of a kernel with WireGuard, and a cable to another one."""
    if not has_wireguard(veth):
        pytest.skip("this kernel has no WireGuard")
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The key files of two ends, with a common key besides."""
    monkeypatch.setattr("netalias.trust.resolved", lambda file: file)
    pairs = [X25519PrivateKey.generate() for _ in range(2)]
    found = []
    for number, private in enumerate(pairs):
        public = pairs[1 - number].public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        secret = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        file = tmp_path / f"{number}.key"
        file.touch(0o600)
        file.write_text(
            f"[Interface]\nPrivateKey = {b64encode(secret).decode()}\n"
            f"[Peer]\nPublicKey={b64encode(public).decode()}\n"
            f"PresharedKey = {b64encode(bytes(range(32))).decode()} # both have it\n"
            f"persistentkeepalive = 25\n"
        )
        found.append(str(file))
    return found


@pytest.fixture
def settings(files: list[str]) -> list[Settings]:
    """What stands in the key files."""
    return [read(file) for file in files]


def make(namespace: Namespace, number: int, settings: Settings, known: bool = True) -> None:
    """One end, with its inner address."""
    endpoint = {"endpoint_addr": OUTER[1 - number], "endpoint_port": PORT} if known else {}
    peer = {**settings.peer, **endpoint, "allowed_ips": EVERYWHERE}
    with namespace:
        wireguard.create("vif0", PORT, settings.private_key, peer)
    namespace.ip("link set vif0 up")
    namespace.ip(f"addr add {INNER[number]}/24 dev vif0")


def test_bytes_go_through_two_devices_of_the_kernel(
    able: Namespace, settings: list[Settings]
) -> None:
    """One end knows the other one; the status tells what came of it."""
    there = able.peer
    assert there is not None
    make(able, 0, settings[0])
    make(there, 1, settings[1], known=False)
    data = bytes(range(256)) * 512
    assert transfer(able, there, INNER[1], data)
    with there:
        found = wireguard.status("vif0")
    assert found.endpoint == (OUTER[0], PORT)
    assert found.handshake > 0
    assert found.received > len(data)
    assert found.sent > 0
    with able:
        assert wireguard.traffic("vif0")["tx_bytes"] > len(data)
    with there:
        wireguard.delete("vif0")
        with pytest.raises(errors.KernelError) as gone:
            wireguard.traffic("vif0")
    assert gone.value.errno == ENODEV


def test_lines_make_a_tunnel_that_the_kernel_carries(able: Namespace, files: list[str]) -> None:
    """Its process carries nothing, and counts what the kernel does; the device goes with the
    tunnel."""
    assert able.peer is not None
    pair = able, able.peer
    peers = OUTER[1], "passive"
    with ExitStack() as stack:
        held = []
        for number, namespace in enumerate(pair):
            line = f"vif0 {INNER[number]} to {peers[number]} carriage wireguard key {files[number]}"
            task = read_line(line.split())
            assert isinstance(task, Vif)
            with namespace:
                engine = stack.enter_context(netalias.open())
                held.append(work.hold(engine, task))
                stack.callback(closed, namespace, held[-1])
                mtu = work.mtu_of(task, held[-1].carriage)
                with engine.transaction():
                    refused, _ = work.settle(engine, task, mtu)
                assert [str(one) for one in refused] == []
                pid = plane.spawn(*parts(held[-1]), work.words_of(task, mtu))
            stack.callback(ended, pid)
            namespace.ip(f"route add {INNER[1 - number]}/32 dev vif0")
        data = bytes(range(256)) * 512
        assert transfer(*pair, INNER[1], data)
        until(lambda: held[0].count.by_name()["sent_bytes"] > len(data))
    assert all("vif0" not in one.names() for one in pair)


def parts(held: Held) -> tuple[Any, Any, Any]:
    """What a data plane inherits."""
    return held.device, held.carriage, held.count


def closed(namespace: Namespace, held: Held) -> None:
    """Let a tunnel go."""
    with namespace:
        held.close()


def ended(pid: int) -> None:
    """End a data plane."""
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_device_is_made_once_taken_over_and_deleted(
    able: Namespace, settings: list[Settings]
) -> None:
    """Another key of the peer takes the place of the former one."""
    with able:
        for one in settings:
            wireguard.create("vif0", PORT, one.private_key, one.peer)
            assert wireguard.names() == ["vif0"]
            with wireguard.WireGuard() as kernel:
                peers = wireguard._peers(kernel, "vif0")
            public = [one.get_attr("WGPEER_A_PUBLIC_KEY").decode() for one in peers]
            assert public == [one.peer["public_key"]]
        wireguard.delete("vif0")
        assert wireguard.names() == []
        wireguard.delete("vif0")


def test_a_device_of_somebody_else_is_left_alone(able: Namespace, settings: list[Settings]) -> None:
    """Whatever its kind."""
    able.ip("link add vif0 type wireguard")
    with able:
        with pytest.raises(errors.AlreadyExists):
            wireguard.create("vif0", PORT, settings[0].private_key, settings[0].peer)
        wireguard.delete("vif0")
    assert "vif0" in able.names()


def test_a_device_that_takes_no_keys_is_taken_back(
    able: Namespace, settings: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing half-made is left behind."""

    class Refusing(wireguard.WireGuard):  # type: ignore[misc]
        def set(self, *words: object, **more: object) -> None:
            raise wireguard.NetlinkError(EPERM)

    monkeypatch.setattr(wireguard, "WireGuard", Refusing)
    with able, pytest.raises(errors.NotPermitted):
        wireguard.create("vif0", PORT, settings[0].private_key, settings[0].peer)
    assert "vif0" not in able.names()


def test_a_kernel_without_it_is_told_in_one_sentence(
    veth: Namespace, settings: list[Settings]
) -> None:
    """With what does the same."""
    if has_wireguard(veth):
        pytest.skip("this kernel has WireGuard")
    with veth, pytest.raises(errors.StateError) as told:
        wireguard.create("vif0", PORT, settings[0].private_key, settings[0].peer)
    assert told.value.errno == EOPNOTSUPP
    assert told.value.line() == (
        "vif0: this kernel has no WireGuard (carriage udp with key FILE does the same in a process)"
    )
