"""The modules that the first address to move would load, loaded before: an address that is on its
way has no answer until all of that is read."""

from __future__ import annotations

MODULES = (
    "netalias.engine.macs",
    "netalias.engine.settling",
    "netalias.kernel.netlink.group_delete",
    "netalias.kernel.netlink.jiffies",
    "netalias.kernel.netlink.local_routes",
    "netalias.kernel.netlink.neighbours",
    "netalias.kernel.netlink.routes",
    "netalias.kernel.netlink.rules",
    "netalias.kernel.proof",
    "netalias.kernel.refusing",
    "netalias.kinds.device",
    "netalias.kinds.label",
    "netalias.kinds.macvlan",
    "netalias.observed.heirs",
    "netalias.observed.planned",
    "netalias.plan.connected",
    "netalias.plan.order",
    "netalias.plan.places",
    "netalias.plan.promotion",
    "netalias.plan.routes",
    "netalias.plan.series",
    "netalias.plan.sources",
    "netalias.plan.transfer",
    "netalias.plan.undetected",
    "netalias.runtime.former",
    "netalias.runtime.kept",
    "netalias.runtime.sysctls",
)
"""Modules that add, renew and remove labels and macvlans."""


def prepare() -> None:
    """Load them."""
    for name in MODULES:
        __import__(name)
