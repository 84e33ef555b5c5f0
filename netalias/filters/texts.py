"""Ranges as words: ``0x0800,0x86dd-0x8fff``, ``01:00:5e:00:00:00-01:00:5e:7f:ff:ff``. Pure."""

from __future__ import annotations

from netalias.model import mac_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.filters import Filters, Range


def types(ranges: Iterable[Range]) -> str:
    """Ranges of types; empty for none."""
    return _text(ranges, lambda number: f"0x{number:04x}")


def groups(ranges: Iterable[Range]) -> str:
    """Ranges of MACs; empty for none."""
    return _text(ranges, lambda number: mac_text(number.to_bytes(6, "big")))


def lists(filters: Filters) -> dict[str, str]:
    """Both lists of filters, by their names."""
    return {"types": types(filters.types), "groups": groups(filters.groups)}


def _text(ranges: Iterable[Range], one: Callable[[int], str]) -> str:
    return ",".join(
        one(first) if first == last else f"{one(first)}-{one(last)}" for first, last in ranges
    )
