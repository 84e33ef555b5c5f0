"""Figures within one process: lookup of an address, rendering of texts with many rows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import Any

from netalias import views
from netalias.model import Alias
from netalias.model.names import AliasName
from netalias.observed.index import DictIndex
from netalias.views import proc

AF_INET = 2
RUNS = 15


def best(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each work, interleaved: the best of RUNS, which a busy machine disturbs least."""
    times: dict[str, list[float]] = {name: [] for name in works}
    gc.disable()
    try:
        for _ in range(RUNS):
            for name, work in works.items():
                begin = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - begin)
    finally:
        gc.enable()
    return {name: min(values) for name, values in times.items()}


def lookup(count: int) -> dict[str, float]:
    """Nanoseconds of a successful lookup among *count* addresses."""
    keys = [(0x0A000000 + number).to_bytes(4, "big") for number in range(count)]
    aliases = [
        Alias(AliasName("eth0", number), "macvlan", family=AF_INET, address=key, prefixlen=32)
        for number, key in enumerate(keys)
    ]
    index = DictIndex(aliases)
    bare = dict(zip(keys, aliases, strict=True))
    # As after some time of use: in another order than the addresses, and with other bytes objects.
    asked = [bytes(bytearray(keys[number * 7919 % count])) for number in range(count)]
    asked *= max(1, 100_000 // count)

    def whole(find: Callable[[str, int, bytes], Any], keys: Iterable[bytes] = asked) -> None:
        for key in keys:
            find("eth0", AF_INET, key)

    def short(find: Callable[[bytes], Any], keys: Iterable[bytes] = asked) -> None:
        for key in keys:
            find(key)

    times = best(
        {
            "dict": lambda: short(bare.get),
            "owners": lambda: short(index.owners("eth0", AF_INET).find),
            "index": lambda: whole(index.find),
        }
    )
    return {name: seconds / len(asked) * 1e9 for name, seconds in times.items()}


def rendering(count: int) -> dict[str, float]:
    """Microseconds per row of the texts that may be long."""
    brief = [(f"eth0:{n}", "up", f"10.0.{n >> 8}.{n & 255}/32") for n in range(count)]
    full = [
        (name, name.replace(":", "_"), "macvlan", address, state, "02:00:00:00:00:01", "0", "0")
        for name, state, address in brief
    ]
    records = [(name, AF_INET, address.partition("/")[0]) for name, _, address in brief]
    times = best(
        {
            "table of 3 columns": lambda: views.aligned(("ALIAS", "STATE", "ADDRESS"), brief),
            "table of 8 columns": lambda: views.aligned(("A",) * 8, full),
            "aliases text": lambda: b"".join(proc.aliases(records)),
        }
    )
    return {name: seconds / count * 1e6 for name, seconds in times.items()}
