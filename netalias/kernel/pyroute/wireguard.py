"""Devices of WireGuard, through pyroute2: the kernel carries, seals and opens by itself.

A device of ours has an ifalias (ALIAS), by which it is found after the process that made it is
gone. Source: linux/wireguard.h.
"""

from __future__ import annotations

from errno import EEXIST, ENODEV, EOPNOTSUPP

from pyroute2 import IPRoute, WireGuard  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

KIND = "wireguard"
ALIAS = "netalias wireguard"


class Status:
    """The state of a device: the address and port at which its peer was heard last, empty before
    that, the time of the last handshake in seconds since 1970, 0 for none, and bytes each way."""

    def __init__(self, peer: Any) -> None:
        endpoint = peer.get_attr("WGPEER_A_ENDPOINT") if peer is not None else None
        told = peer.get_attr("WGPEER_A_LAST_HANDSHAKE_TIME") if peer is not None else None
        self.endpoint = (endpoint["addr"], endpoint["port"]) if endpoint else ("", 0)
        self.handshake = int(told["tv_sec"]) if told else 0
        self.received = int(peer.get_attr("WGPEER_A_RX_BYTES") or 0) if peer is not None else 0
        self.sent = int(peer.get_attr("WGPEER_A_TX_BYTES") or 0) if peer is not None else 0


def create(name: str, port: int, private: str, peer: dict[str, object]) -> None:
    """Make the device, or take over one of ours with its name, and give it its keys.

    *private* is a key in base64, *peer* is what pyroute2 calls one: ``public_key``, and what else
    is wanted of ``preshared_key``, ``allowed_ips``, ``endpoint_addr`` and their like. Raises
    StateError where the kernel has no WireGuard, AlreadyExists, NotPermitted, KernelError.
    """
    made = _make(name)

    def configure() -> None:
        with WireGuard() as kernel:
            for former in _peers(kernel, name):
                key = former.get_attr("WGPEER_A_PUBLIC_KEY")
                if key != peer["public_key"]:
                    kernel.set(name, peer={"public_key": key, "remove": True})
            kernel.set(name, private_key=private, listen_port=port, peer=peer)

    try:
        _call(name, configure)
    except errors.NetaliasError:
        if made:
            delete(name)
        raise


def _make(name: str) -> bool:
    """Make the device; whether it was not there. Raises as create() does."""

    def make() -> bool:
        with IPRoute() as route:
            try:
                route.link("add", ifname=name, kind=KIND)
            except NetlinkError as error:
                if error.code != EEXIST or not _ours(route, name):
                    raise
                return False
            route.link("set", index=route.link_lookup(ifname=name)[0], ifalias=ALIAS)
            return True

    try:
        return bool(_call(name, make))
    except errors.KernelError as error:
        if error.errno == EEXIST:
            raise errors.AlreadyExists(f"{name}: a device of somebody else has this name") from None
        if error.errno != EOPNOTSUPP:
            raise
        raise errors.StateError(
            f"{name}: this kernel has no WireGuard",
            "carriage udp with key FILE does the same in a process",
            EOPNOTSUPP,
        ) from None


def delete(name: str) -> None:
    """Delete a device of ours; nothing where there is none. Raises KernelError."""

    def work() -> None:
        with IPRoute() as route:
            for index in _ours(route, name):
                route.link("del", index=index)

    try:
        _call(name, work)
    except errors.KernelError as error:
        if error.errno != ENODEV:
            raise


def names() -> list[str]:
    """The devices of ours. Raises KernelError."""

    def work() -> list[str]:
        with IPRoute() as route:
            return [
                str(one.get_attr("IFLA_IFNAME"))
                for one in route.get_links()
                if one.get_attr("IFLA_IFALIAS") == ALIAS
            ]

    return list(_call(KIND, work))


def status(name: str) -> Status:
    """The Status of a device. Raises KernelError."""

    def work() -> Status:
        with WireGuard() as kernel:
            return Status(next(iter(_peers(kernel, name)), None))

    found: Status = _call(name, work)
    return found


def traffic(name: str) -> dict[str, int]:
    """The counters of a device (struct rtnl_link_stats64 of linux/if_link.h). Raises KernelError
    when it is gone."""

    def work() -> dict[str, int]:
        with IPRoute() as route:
            for one in route.get_links(ifname=name):
                return dict(one.get_attr("IFLA_STATS64"))
        raise errors.kernel_error(name, ENODEV)

    return dict(_call(name, work))


def _peers(kernel: Any, name: str) -> list[Any]:
    return [peer for part in kernel.info(name) for peer in part.get_attr("WGDEVICE_A_PEERS") or ()]


def _ours(route: Any, name: str) -> list[int]:
    """The index of our device with this name, if it is there."""
    return [
        one["index"]
        for one in route.get_links()
        if one.get_attr("IFLA_IFNAME") == name and one.get_attr("IFLA_IFALIAS") == ALIAS
    ]


def _call(name: str, work: Callable[[], Any]) -> Any:
    """The result of *work*. Its errors are told without any attribute, which may be a key."""
    try:
        return work()
    except NetlinkError as error:
        raise errors.kernel_error(name, error.code) from None
    except OSError as error:
        raise errors.kernel_error(name, error.errno or 0) from None
