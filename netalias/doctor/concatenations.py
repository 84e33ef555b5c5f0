"""Maps and concatenations of nft(8) in which the device stands, taken apart by device.

::

    iifname . tcp dport { "eth0" . 22, "eth0" . 80, "lo" . 6 }  eth0: tcp dport { 22, 80 }
    tcp dport . iifname vmap { 22 . "eth0" : accept }           eth0: tcp dport vmap { 22 : accept }
    iifname vmap @zones                                         eth0: jump wan
"""

from __future__ import annotations

import re

_EXPRESSION = r"(?!vmap\b)[^ {@]+(?: (?!vmap\b)[^ {@!=]+){0,2}"
_KEY = re.compile(
    rf"(?P<before>(?:[^ ]+(?: [^ .]+){{0,2}} \. )*)\biif(?:name)?(?P<behind>(?: \. {_EXPRESSION})*)"
    r" (?P<map>vmap )?(?P<right>\{[^}]*\}|@\S+)"
)
_ELEMENT = re.compile(r'(?P<keys>"?[^\s"]+"?(?: \. "?[^\s"]+"?)*)(?: : (?P<verdict>[^,]+))?')
_DOT = " . "

Parts = tuple[tuple[int, int], dict[str, list[str]]]
"""The place of the comparison, and devices by the words that stand for it where the device is
known."""


def parts(text: str, elements: str) -> Parts | None:
    """The parts of a rule with a concatenation, or with a named map; None for any other rule, and
    for one that is not understood. *elements* are those of its set, ``{ "eth0" . 22, ... }``."""
    match = _KEY.search(text)
    if match is None:
        return None
    before, behind = match["before"], match["behind"]
    if not (before or behind or (match["map"] and match["right"].startswith("@"))):
        return None
    place, number = before.count(_DOT), before.count(_DOT) + behind.count(_DOT) + 1
    found: dict[str, list[str]] = {}
    for text_of_one in _elements(elements):
        one = _ELEMENT.fullmatch(text_of_one)
        keys = one["keys"].split(_DOT) if one else []
        if one is None or len(keys) != number or bool(match["map"]) is not bool(one["verdict"]):
            return None
        device = keys.pop(place).strip('"')
        verdict = (one["verdict"] or "").strip()
        value = _DOT.join(keys)
        found.setdefault(device, []).append(
            f"{value} : {verdict}" if value and verdict else value or verdict
        )
    key = before.removesuffix(_DOT) + (behind if before else behind.removeprefix(_DOT))
    by_words: dict[str, list[str]] = {}
    for device, values in found.items():
        by_words.setdefault(_words(key, match["map"] or "", values), []).append(device)
    return match.span(), by_words


def _elements(text: str) -> list[str]:
    """The texts of the elements of a set."""
    inner = text.partition("{")[2].partition("}")[0]
    return [one.strip() for one in inner.split(",") if one.strip()]


def _words(key: str, vmap: str, values: list[str]) -> str:
    """The comparison of what is left of a key; the verdict itself where nothing is left."""
    if not key:
        return values[0]
    if not vmap and len(values) == 1 and _DOT not in key:
        return f"{key} {values[0]}"
    return f"{key} {vmap}{{ {', '.join(sorted(values))} }}"
