"""What the tests of check, reconcile and the verbs beside them share."""

from __future__ import annotations

from command import Command, ip_json
from support import Namespace

Figures = tuple[object, ...]


def settled(namespace: Namespace) -> list[object]:
    """All devices, addresses and routes, without what the kernel still works on by itself."""
    found: list[object] = []
    for words in ("-d addr show", "route show table all", "-6 route show table all"):
        for one in ip_json(namespace, words):
            for key in ("operstate", "flags", "linkmode", "expires"):
                one.pop(key, None)
            for entry in one.get("addr_info", ()):
                entry.pop("tentative", None)
            # The local route of an IPv6 address comes when duplicate address detection is over.
            late = one.get("type") == "local" and ":" in str(one.get("dst"))
            if not late and one.get("type") != "multicast":
                found.append(one)
    return found


def figures(cli: Command, *more: str) -> dict[str, Figures]:
    """Alias: all that it is to others, and these fields. Its index is the kernel's choice."""
    keys = ("local", "prefixlen", "kind", "mtu", "broadcast", "metric", *more)
    return {
        one["altname"]: (*map(one.get, keys), one["state"].replace("tentative", "").strip(" ,"))
        for one in cli.json()
    }
