"""Views: an alias as table columns, and the plain table.

::

    detail.py       one alias in lines
    folded.py       shards: one row for a run of slots
    table.py        a table drawn on a terminal (rich); progress.py its progress bar
    traffic.py      rates and totals for top
    columns.py      which columns a terminal has room for
    tree.py         aliases below their main devices
    fields.py       the JSON fields of an alias; json.py: JSON as text
    changes.py      changes as JSON
    diff.py         differences between the desired and the observed state
    events.py       lines and JSON of the monitor
    proxies.py      published entries
    metrics.py      the text for Prometheus
    proc.py         the texts of /proc/net of Linux 2.0; texts.py serves them in a folder

The plain table is for pipes and for many rows: aligned, stable, and never cut.
"""

from __future__ import annotations

from itertools import chain

from netalias.families import FAMILIES
from netalias.model import (
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    address_text,
    mac_text,
    names,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.families import Registry
    from netalias.model import Alias, Device

# linux/if.h
IF_OPER_DOWN = 2
IF_OPER_LOWERLAYERDOWN = 3

SCOPES = {RT_SCOPE_UNIVERSE: "global", RT_SCOPE_LINK: "link", RT_SCOPE_HOST: "host"}
FLAGS = (
    (0x1, "UP"), (0x2, "BROADCAST"), (0x8, "LOOPBACK"), (0x10, "POINTOPOINT"), (0x80, "NOARP"),
    (0x100, "PROMISC"), (0x200, "ALLMULTI"), (0x1000, "MULTICAST"), (0x10000, "LOWER_UP"),
)  # fmt: skip
"""IFF_* of linux/if.h in the order of ip(8)."""

NOTHING = "-"


def address(alias: Alias, registry: Registry) -> str:
    """The address, as in ``200.1.1.1/24``; "-" for an alias without one."""
    if not alias.family:
        return NOTHING
    return f"{_text(alias, registry)}/{alias.prefixlen}"


def _text(alias: Alias, registry: Registry) -> str:
    """The address without its prefix length.

    The alias type is loaded only for families that the C library cannot print.
    """
    if alias.family in FAMILIES:
        return address_text(alias.family, alias.address)
    return registry.get(alias.family).format(alias.address)


def state(alias: Alias) -> str:
    """The state: ``up``, ``down`` or ``no-carrier``, and after commas anything unusual."""
    # On Linux 6.1 an ipvlan does not follow its main device down.
    below = alias.main if alias.kind in ("macvlan", "ipvlan") else None
    # What a hidden device has no share in is the carrier of its main device.
    device = alias.main if alias.hidden is not None and alias.hidden.up else alias.carrier
    words = [carried(device, below)]
    if alias.entry is not None:
        if alias.entry.flags & IFA_F_DADFAILED:
            words.append("dadfailed")
        elif alias.entry.flags & IFA_F_TENTATIVE:
            words.append("tentative")
    elif alias.expired:
        words.append("expired")
    elif alias.device is not None and _lost(alias):
        words.append("no-address")
    if not alias.ours:
        words.append("foreign")
    elif not alias.whole:
        words.append("renamed" if _has_old_name(alias) else "half-made")
    return ",".join(words)


def carried(device: Device | None, below: Device | None = None) -> str:
    """``up``, ``down`` or ``no-carrier`` of a device; *below* is the device that it stands on."""
    if device is None or not device.up:
        return "down"
    dead = device.operstate in (IF_OPER_DOWN, IF_OPER_LOWERLAYERDOWN) or (
        below is not None and not below.up
    )
    return "no-carrier" if dead else "up"


def _lost(alias: Alias) -> bool:
    """Whether somebody removed the address, or its record in the ifalias text is unreadable."""
    if alias.family:
        return alias.up and alias.family in FAMILIES
    return alias.whole


def _has_old_name(alias: Alias) -> bool:
    """Whether the alias bears a former name of its main device."""
    if alias.device is None:
        return alias.entry is None or alias.entry.label != alias.name
    others = [altname for altname in alias.device.altnames if altname != str(alias.name)]
    return any(names.split(altname) is not None for altname in others)


def mac(alias: Alias) -> str:
    """The MAC at which the alias is reached; "-" without one."""
    device = alias.device or alias.main
    return mac_text(device.mac) if device is not None and device.mac else NOTHING


def _packets(direction: str) -> Callable[[Alias, Registry], str]:
    def column(alias: Alias, registry: Registry) -> str:
        stats = alias.device.stats if alias.device is not None else None
        return str(getattr(stats, direction)) if stats is not None else NOTHING

    return column


COLUMNS: tuple[tuple[str, Callable[[Alias, Registry], str]], ...] = (
    ("ALIAS", lambda alias, registry: str(alias.name)),
    ("DEVICE", lambda alias, registry: alias.carrier.name if alias.carrier else NOTHING),
    ("KIND", lambda alias, registry: alias.kind),
    ("ADDRESS", address),
    ("STATE", lambda alias, registry: state(alias)),
    ("MAC", lambda alias, registry: mac(alias)),
    ("RX", _packets("rx_packets")),
    ("TX", _packets("tx_packets")),
)
"""Heading and function of each column. RX and TX count packets; a label has no counters."""

BRIEF = (COLUMNS[0], COLUMNS[4], COLUMNS[3])
"""The columns of ``ip -brief``: name, state, address."""


def rows(
    aliases: Iterable[Alias],
    registry: Registry,
    columns: tuple[tuple[str, Callable[[Alias, Registry], str]], ...] = COLUMNS,
) -> list[tuple[str, ...]]:
    """One tuple of texts for each alias."""
    functions = [function for _, function in columns]
    return [tuple(function(alias, registry) for function in functions) for alias in aliases]


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings and rows as lines; a column is as wide as its longest text."""
    lines = [tuple(headings), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # The last column is not padded: no blanks at the end of a line.
    form = "  ".join(f"%-{width}s" for width in widths[:-1]) + ("  %s\n" if widths[1:] else "%s\n")
    return (form * len(lines)) % tuple(chain.from_iterable(lines))
