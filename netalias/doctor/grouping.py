"""Findings of one kind as one finding: what is wrong with thousands of aliases is read once."""

from __future__ import annotations

from netalias.doctor.finding import Finding, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME, DEVICE, ADDRESS = "\0name\0", "\0device\0", "\0address\0"
"""Placeholders of a template for the alias, its device and its address."""


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """The findings; of those that differ in their alias only, the first, which speaks for all."""
    groups: dict[object, list[Finding]] = {}
    for number, one in enumerate(findings):
        key: object = number
        if one.alias:
            key = (one.check, one.level, one.main, template(one.text, one), template(one.why, one))
        groups.setdefault(key, []).append(one)
    return [_merged(group) if len(group) > 1 else group[0] for group in groups.values()]


def template(text: str, finding: Finding) -> str:
    """*text* without what belongs to the alias of the finding alone."""
    for word, mark in (
        (finding.alias, NAME),
        (finding.device if finding.device != finding.main else "", DEVICE),
        (finding.address, ADDRESS),
    ):
        if word:
            text = _replaced(text, word, mark)
    return text


def _replaced(text: str, word: str, mark: str) -> str:
    """*text* with *mark* for *word* where that is no part of a longer one. Thousands of patterns
    would take seconds to be compiled."""
    found, at = "", 0
    while (place := text.find(word, at)) >= 0:
        end = place + len(word)
        around = text[max(place - 1, 0) : place], text[end : end + 1]
        part = any(one == "_" or one.isalnum() for one in around)
        found += text[at:place] + (word if part else mark)
        at = end
    return found + text[at:]


def _merged(group: Sequence[Finding]) -> Finding:
    first = group[0]
    return Finding(
        first.level,
        f"{first.text} (the same: {listed([one.alias for one in group[1:]])})",
        first.why,
        _command(group),
        main=first.main,
        aliases=[one.alias for one in group],
        check=first.check,
    )


def _command(group: Sequence[Finding]) -> str:
    """A command for all: a loop over the slots where one will do, else a line for each."""
    shared = {template(one.command, one) for one in group}
    text = shared.pop()
    if shared or ADDRESS in text or not all(map(_is_plain, group)):
        return "\n".join(dict.fromkeys(one.command for one in group if one.command))
    if NAME not in text and DEVICE not in text:
        return text
    main = group[0].main
    body = text.replace(NAME, f"{main}:$n").replace(DEVICE, f"{main}_$n")
    slots = " ".join(one.alias.rpartition(":")[2] for one in group)
    return f"for n in {slots}; do {body}; done"


def _is_plain(finding: Finding) -> bool:
    """Whether the names of the alias and its device follow from its slot, and need no quotes.

    They do not where the primary name is abbreviated.
    """
    primary = finding.alias.replace(":", "_")
    return finding.device in ("", finding.main, primary) and "'" not in finding.command
