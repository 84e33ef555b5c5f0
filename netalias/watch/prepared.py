"""What the first address that moves would load, loaded before: an address that is on its way has no
answer until all of that is read."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "engine.macs",
    "engine.settling",
    "kernel.netlink.group_delete",
    "kernel.netlink.jiffies",
    "kernel.netlink.local_routes",
    "kernel.netlink.neighbours",
    "kernel.netlink.routes",
    "kernel.netlink.rules",
    "kernel.proof",
    "kernel.refusing",
    "kinds.device",
    "kinds.label",
    "kinds.macvlan",
    "plan.connected",
    "plan.places",
    "plan.promotion",
    "plan.routes",
    "plan.sources",
    "plan.transfer",
    "plan.undetected",
    "runtime.former",
    "runtime.kept",
    "runtime.sysctls",
)
"""Modules below netalias, which add, renew and remove labels and macvlans."""


def prepare() -> None:
    """Load them."""
    for name in MODULES:
        import_module(f"netalias.{name}")
