"""The words of ifconfig(8) of net-tools for an alias, in the words of netalias. Pure.

::

    ifconfig eth0:0 200.1.1.1                     eth0:0 200.1.1.1/24      the network of its class
    ifconfig eth0:0 10.0.0.1 netmask 255.0.0.0    eth0:0 10.0.0.1 netmask 255.0.0.0
    ifconfig eth0:0 inet6 add 2001:db8::1/64      eth0:0 2001:db8::1/64
    ifconfig eth0:0 mtu 1400 txqueuelen 10        eth0:0 mtu 1400, and the rest for the alias device
    ifconfig eth0:0 down                          eth0:0-, since that deletes a label
"""

from __future__ import annotations

from netalias import errors
from netalias.families.inet import quad
from netalias.model.prefix import class_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TAKING = {"netmask": "netmask", "broadcast": "broadcast", "metric": "metric", "mtu": "mtu"}
"""Words with an argument that netalias has too, and what they are called there."""
PEER = ("pointopoint", "dstaddr")
FAMILIES = ("inet", "inet6")
ADDING, DELETING = "add", "del"
DEVICE = {
    "arp": 0, "-arp": 0, "promisc": 0, "-promisc": 0, "allmulti": 0, "-allmulti": 0,
    "multicast": 0, "-multicast": 0, "txqueuelen": 1, "trailers": 0, "-trailers": 0,
}  # fmt: skip
"""Words for the alias device itself, and their number of arguments."""
CLEARED = ("0", "0.0.0.0", "default")
"""Addresses that delete a label."""


class Command:
    """A command: ``words`` for netalias, the name first, and ``device`` for ifconfig(8) with the
    alias device. ``deleted`` is the address that an alias must have to be deleted, or empty."""

    __slots__ = ("deleted", "device", "words")

    def __init__(self, name: str) -> None:
        self.words = [name]
        self.device: list[str] = []
        self.deleted = ""

    @property
    def deletes(self) -> bool:
        """Whether the alias is deleted."""
        return self.words[0].endswith("-")

    def delete(self) -> None:
        """Make it a deletion."""
        self.words = [self.words[0].rstrip("-") + "-"]


def parse(words: Sequence[str], resolve: Callable[[str], str] = str) -> Command:
    """The command of the name of an alias and the words after it; *resolve* makes an address of
    the name of a host, or leaves the word as it is. Raises UsageError."""
    if "-" in words[0].rpartition(":")[2].rstrip("-"):
        raise errors.UsageError(
            f"{words[0]}: ifconfig changes one alias at a time",
            f"netalias {words[0]} takes a range",
        )
    command = Command(words[0])
    if words[0].endswith("-"):
        return command
    rest = list(words[:0:-1])
    masked = "netmask" in words or "prefixlen" in words
    while rest:
        _take(command, rest, masked, resolve)
        if command.deletes:
            break
    return command


def _take(command: Command, rest: list[str], masked: bool, resolve: Callable[[str], str]) -> None:
    """Take one word and its arguments off the end of *rest*, a reversed list."""
    word = rest.pop()
    if word in ("down", *CLEARED):
        command.delete()
    elif word == "up":
        command.words.append(word)
    elif word in TAKING:
        command.words += [TAKING[word], _argument(word, rest)]
    elif word in PEER:
        command.words += [PEER[0], _argument(word, rest)]
    elif word == "hw":
        command.words += [word, _argument(word, rest), _argument(word, rest)]
    elif word == "-broadcast":
        command.words.append(word)
    elif word == ADDING:
        command.words.append(_argument(word, rest))
    elif word == DELETING:
        command.deleted = _argument(word, rest)
        command.delete()
    elif word in DEVICE:
        command.device += [word, *(_argument(word, rest) for _ in range(DEVICE[word]))]
    elif word not in FAMILIES:
        command.words.append(_address(command.words[0], word, masked, resolve))


def _argument(word: str, rest: list[str]) -> str:
    if not rest:
        raise errors.UsageError(f"{word} needs an argument")
    return rest.pop()


def _address(name: str, word: str, masked: bool, resolve: Callable[[str], str]) -> str:
    """An address, with the length of its class where nothing says one. Raises UsageError."""
    packed = quad(word.partition("/")[0])
    if packed is None and ":" not in word:
        word = resolve(word)
        packed = quad(word)
        if packed is None:
            raise errors.UsageError(
                f"{name}: {word}: not a word for an alias, nor an address, nor the name of a host"
            )
    if packed is None or "/" in word or masked:
        return word
    return f"{word}/{class_length(packed)}"
