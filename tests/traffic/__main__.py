"""Print the matrix as a table; ``--write`` puts it into docs/traffic.md as well.

Words choose kinds: ``python tests/traffic macvlan label``. Exit status 1 if a cell fails.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "root"), str(HERE)]

import matrix  # noqa: E402  (the path comes first)
from places import ARP_IGNORE, COLUMNS, KINDS, RP_FILTER  # noqa: E402
from support import why_no_namespace  # noqa: E402

PAGE = HERE.parents[1] / "docs" / "traffic.md"
BEGIN, END = "<!-- the matrix -->\n", "<!-- the end of the matrix -->\n"
WIDTHS = (8, 7, 5, 7)
CELL = 14


def lines(cells: dict[matrix.Row, list[matrix.Cell]]) -> list[str]:
    """The table: a head, a line for each row, and each reason once below."""
    notes: dict[str, int] = {}
    blanks = " " * (sum(WIDTHS) + len(WIDTHS))
    heads = [f"rp_filter {value}" for value in RP_FILTER]
    found = [
        (blanks + "".join(f"{head:<{CELL * len(ARP_IGNORE)}}" for head in heads)).rstrip(),
        (
            _columns("kind", "network", "IP", "way")
            + "".join(f"{f'arp_ignore {value}':<{CELL}}" for _, value in COLUMNS)
        ).rstrip(),
    ]
    for row, values in cells.items():
        if {cell.text for cell in values} == {matrix.NO_KIND}:
            text = _columns(row.kind, "", "", "") + _cell(values[0], notes)
            if text.rstrip() not in found:
                found.append(text.rstrip())
            continue
        place = row.place
        begin = _columns(row.kind, place.network, place.family[2:], row.way)
        found.append((begin + "".join(f"{_cell(one, notes):<{CELL}}" for one in values)).rstrip())
    return [*found, "", *(f"[{number}] {why}" for why, number in notes.items())]


def _columns(*words: str) -> str:
    return "".join(f"{word:<{width}} " for word, width in zip(words, WIDTHS, strict=True))


def _cell(cell: matrix.Cell, notes: dict[str, int]) -> str:
    if not cell.why:
        return cell.text
    number = notes.setdefault(cell.why, len(notes) + 1)
    return f"{cell.text} [{number}]"


def write(table: list[str]) -> None:
    """Replace what stands between the two marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    kernel = platform.release().split("-")[0]
    block = "\n".join((f"Linux {kernel}:", "", "```", *table, "```", ""))
    PAGE.write_text(f"{before}{BEGIN}{block}{END}{after}", encoding="utf-8")


def main(words: list[str]) -> int:
    """Try, print, and say in the exit status whether a cell fails."""
    reason = why_no_namespace()
    if reason:
        print(reason, file=sys.stderr)
        return 1
    kinds = [word for word in words if not word.startswith("-")] or list(KINDS)
    cells = matrix.whole(kinds)
    table = lines(cells)
    print("\n".join(table))
    failed = sum(cell.text == matrix.FAILED for found in cells.values() for cell in found)
    if failed:
        print(f"{failed} cells failed", file=sys.stderr)
        return 1
    if "--write" in words:
        write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
