"""The line ``eth0 iface-alias``: addresses that a device has lost are kept for those who use them.

::

    line = DEVICE "iface-alias" ( "kernel" | "off" ) [ "keep" SECONDS ] [ "max" NUMBER ]

With ``kernel`` an address that goes stays for ``keep`` seconds, and what is sent from it leaves
with the one that has replaced it (nat/). At most ``max`` addresses of a family are kept; the oldest
goes first. ``off`` is what a device has that no line names.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task
from netalias.model import names

KEYWORD = "iface-alias"
KERNEL, OFF = "kernel", "off"
MODES = (KERNEL, OFF)
KEEP = 3600
"""Seconds that an address is kept, unless the line says otherwise."""
MAX = 8
"""Addresses of a family that are kept, unless the line says otherwise."""
KEEP_MAX = 2**31 - 1
MAX_MAX = 65536
LATER = {
    "user": "the back end user comes with tunnels of our own; this version has kernel",
    "via": "addresses are kept through a tunnel when there are tunnels; this version has none",
}
"""Words that a later version knows: why not."""


class Keeping(Task):
    """The keeping of the former addresses of one device; ``keep`` in seconds."""

    keyword = KEYWORD

    def __init__(self, device: str, mode: str, keep: int = KEEP, most: int = MAX) -> None:
        super().__init__(device, device)
        self.mode = mode
        self.keep = keep
        self.most = most
        self.watched = mode != OFF

    def words(self) -> list[str]:
        """``eth0 iface-alias kernel keep 3600 max 8``."""
        found = [self.subject, KEYWORD, self.mode]
        if self.mode != OFF:
            found += ["keep", str(self.keep), "max", str(self.most)]
        return found

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        found: dict[str, object] = {"ifname": self.subject, "iface_alias": self.mode}
        if self.mode != OFF:
            found |= {"keep": self.keep, "max": self.most}
        return found


LIMITS = {"keep": (1, KEEP_MAX, "seconds"), "max": (1, MAX_MAX, "a number")}
"""Word: the least and the largest number behind it, and what it counts."""


def read(words: list[str]) -> Keeping:
    """The task of a line. Raises UsageError."""
    names.check_device(words[0], limit=names.ALTNAME_MAX)
    title = f"{words[0]} {KEYWORD}"
    mode = "".join(words[2:3])
    if mode not in MODES:
        raise at_word(min(2, len(words) - 1), _no_mode(title, mode))
    numbers = {"keep": KEEP, "max": MAX}
    said = set()
    for index in range(3, len(words), 2):
        word, text = words[index], "".join(words[index + 1 : index + 2])
        if word in LATER:
            raise at_word(index, errors.UsageError(f"{title}: {word}: not yet", LATER[word]))
        if word not in LIMITS or word in said:
            again = "said twice" if word in said else "not a word of this line"
            raise at_word(index, errors.UsageError(f"{title}: {word}: {again}", "keep, max"))
        said.add(word)
        numbers[word] = _number(title, word, text, index)
    return Keeping(words[0], mode, numbers["keep"], numbers["max"])


def _no_mode(title: str, mode: str) -> errors.UsageError:
    if mode in LATER:
        return errors.UsageError(f"{title} {mode}: not yet", LATER[mode])
    if not mode:
        return errors.UsageError(f"{title}: kernel or off is missing")
    return errors.UsageError(f"{title} {mode}: kernel or off is needed")


def _number(title: str, word: str, text: str, index: int) -> int:
    least, most, what = LIMITS[word]
    found = names.number(text)
    if not least <= found <= most:
        said = f"{word} {text}".rstrip()
        raise at_word(
            index, errors.UsageError(f"{title}: {said}: {what} from {least} to {most} needed")
        )
    return found
