"""The line ``eth0 iface-alias``: addresses that a device has lost are kept for those who use them.

::

    line = DEVICE "iface-alias" ( "kernel" | "user" | "off" ) { OPTION }
    option = "keep" SECONDS | "max" NUMBER | "via" TUNNEL | "deny-incoming"

An address that goes stays for ``keep`` seconds, and what is sent from it leaves with the one that
has replaced it: with ``kernel`` by a rule of the kernel, with ``user`` in the process that carries
a tunnel or a link of ours (nat/), which lets nothing in unasked with ``deny-incoming``. With
``kernel`` and ``via`` it leaves as it is, through a tunnel to a host that still routes it. At most
``max`` addresses of a family are kept; the oldest goes first. ``off`` is what a device has that no
line names.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYWORD = "iface-alias"
KERNEL, USER, OFF = "kernel", "user", "off"
MODES = (KERNEL, USER, OFF)
DENY, VIA = "deny-incoming", "via"
KEEP = 3600
"""Seconds that an address is kept, unless the line says otherwise."""
MAX = 8
"""Addresses of a family that are kept, unless the line says otherwise."""
KEEP_MAX = 2**31 - 1
MAX_MAX = 65536


class Keeping(Task):
    """The keeping of the former addresses of one device; ``keep`` in seconds."""

    keyword = KEYWORD

    def __init__(
        self,
        device: str,
        mode: str,
        keep: int = KEEP,
        most: int = MAX,
        *,
        via: str = "",
        deny: bool = False,
    ) -> None:
        super().__init__(device, device)
        self.mode = mode
        self.deny = deny
        self.keep = keep
        self.most = most
        self.via = via
        self.watched = mode != OFF

    @property
    def restoring(self) -> str:
        """Asking for the same by hand."""
        return " ".join(["netalias iface", self.main, "keep", *self.words()[2:]])

    @property
    def in_our_hands(self) -> bool:
        """Whether a process of ours translates, and not the kernel."""
        return self.mode == USER

    def of(self, device: str) -> Keeping:
        """The same of another device."""
        return Keeping(device, self.mode, self.keep, self.most, via=self.via, deny=self.deny)

    def settle(self, others: Iterable[Task], slots: Mapping[str, Mapping[int, object]]) -> None:
        """Check that addresses are translated, or that none is kept. Raises StateError."""
        from netalias.desired.translating import disabling, refusal

        switch = disabling(others) if self.mode != OFF else None
        if switch is not None:
            raise refusal(f"{self.title} {self.mode}", switch.place)

    def words(self) -> list[str]:
        """``eth0 iface-alias kernel keep 3600 max 8``."""
        found = [self.subject, KEYWORD, self.mode]
        if self.mode != OFF:
            found += ["keep", str(self.keep), "max", str(self.most), *[DENY] * self.deny]
        return found + ([VIA, self.via] if self.via else [])

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        found: dict[str, object] = {"ifname": self.subject, "iface_alias": self.mode}
        if self.mode != OFF:
            found |= {"keep": self.keep, "max": self.most}
        if self.mode == USER:
            found["deny_incoming"] = self.deny
        return found | ({VIA: self.via} if self.via else {})


MODE_OF = {VIA: KERNEL, DENY: USER}
"""Word that belongs to one mode: that mode."""
LIMITS = {"keep": (1, KEEP_MAX, "seconds"), "max": (1, MAX_MAX, "a number")}
"""Word: the least and the largest number behind it, and what it counts."""


def read(words: list[str]) -> Keeping:
    """The task of a line. Raises UsageError."""
    names.check_device(words[0], limit=names.ALTNAME_MAX)
    title = f"{words[0]} {KEYWORD}"
    mode = "".join(words[2:3])
    if mode not in MODES:
        raise at_word(min(2, len(words) - 1), _no_mode(title, mode))
    numbers, via = {"keep": KEEP, "max": MAX}, ""
    said: set[str] = set()
    index = 3
    while index < len(words):
        word, text = words[index], "".join(words[index + 1 : index + 2])
        if word in said or (word not in LIMITS and MODE_OF.get(word) != mode):
            raise at_word(index, _not_here(title, mode, word, again=word in said))
        said.add(word)
        if word in LIMITS:
            numbers[word] = _number(title, word, text, index)
        elif word == VIA:
            via = _tunnel(title, text, index)
        index += 1 if word == DENY else 2
    return Keeping(words[0], mode, numbers["keep"], numbers["max"], via=via, deny=DENY in said)


def _not_here(title: str, mode: str, word: str, *, again: bool) -> errors.UsageError:
    if again:
        return errors.UsageError(f"{title}: {word}: said twice")
    if word == DENY:
        return errors.UsageError(f"{title} {mode}: {word}: only {USER} decides about what comes in")
    if word == VIA:
        return errors.UsageError(f"{title} {mode}: {word}: only {KERNEL} leads into a tunnel")
    hint = ", ".join([*LIMITS, *(one for one, where in MODE_OF.items() if where == mode)])
    return errors.UsageError(f"{title}: {word}: not a word of this line", hint)


def _no_mode(title: str, mode: str) -> errors.UsageError:
    choice = f"{', '.join(MODES[:-1])} or {MODES[-1]}"
    if not mode:
        return errors.UsageError(f"{title}: {choice} is missing")
    return errors.UsageError(f"{title} {mode}: {choice} is needed")


def _tunnel(title: str, text: str, index: int) -> str:
    from netalias.desired.tunnels import UNITS, unit_of

    if unit_of(text) < 0:
        said = f"{VIA} {text}".rstrip()
        raise at_word(
            index, errors.UsageError(f"{title}: {said}: a tunnel, vif0 to vif{UNITS - 1}, needed")
        )
    return text


def _number(title: str, word: str, text: str, index: int) -> int:
    least, most, what = LIMITS[word]
    found = names.number(text)
    if not least <= found <= most:
        said = f"{word} {text}".rstrip()
        raise at_word(
            index, errors.UsageError(f"{title}: {said}: {what} from {least} to {most} needed")
        )
    return found
