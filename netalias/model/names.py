"""Names of aliases, ``eth0:0``, and the names of their devices in the kernel.

Grammar (net/core/net_alias.c of Linux 2.0, without its bugs)::

    reference = main ":" slot [ "-" ]
    main      = a name of a device, primary or alternative, without a colon
    slot      = decimal digits, 0 to 65535, leading zeros dropped

Rules of today's kernel (net/core/dev.c dev_valid_name, IFNAMSIZ): a primary name has 1 to 15
bytes, no "/", no ":", no white space, and is neither "." nor "..". An alternative name has up to
127 bytes (ALTIFNAMSIZ).
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_MAX = 15
"""IFNAMSIZ - 1 of linux/if.h, in bytes; also the limit of an IPv4 address label."""
ALTNAME_MAX = 127
"""ALTIFNAMSIZ - 1 of linux/if.h, in bytes."""
SLOT_MAX = 65535
RECORD = "netalias"
"""First word of the ifalias text of alias devices."""

_DIGITS = "0123456789"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


class AliasName(str):
    """The name of an alias, ``eth0:0``: a text that knows its main device and its slot.

    The slot -1 stands for the main device itself, ``eth0``.
    """

    __slots__ = ("main", "slot")

    main: str
    slot: int

    def __new__(cls, main: str, slot: int) -> AliasName:
        made = str.__new__(cls, f"{main}:{slot}" if slot >= 0 else main)
        made.main, made.slot = main, slot
        return made

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        return self.main, self.slot  # for a copy

    def __repr__(self) -> str:
        return f"AliasName({self.main!r}, {self.slot})"


def main_name(main: str) -> AliasName:
    """The name of a main device, where that of an alias is expected."""
    return AliasName(main, -1)


def parse(text: str, limit: int = SLOT_MAX, longest: int = ALTNAME_MAX) -> tuple[AliasName, bool]:
    """The name in ``eth0:0`` or ``eth0:0-``, and whether it ends in the deleting "-".

    *limit* is the largest slot, *longest* the size of the name of a main device in bytes. Raises
    BadName (ENODEV).
    """
    main, colon, rest = text.partition(":")
    if not colon:
        raise errors.BadName(f"{text}: not an alias name", "an alias is called MAIN:SLOT: eth0:0")
    check_device(main, text, longest)
    deleting = rest.endswith("-")
    digits = rest[:-1] if deleting else rest
    return AliasName(main, parse_slot(digits, text, limit)), deleting


def parse_slot(digits: str, text: str, limit: int = SLOT_MAX) -> int:
    """The slot as a number; *text* is the whole name, for the message. Raises BadName."""
    if not digits:
        raise errors.BadName(f"{text}: the slot is missing", "a decimal number follows the colon")
    if ":" in digits:
        raise errors.BadName(f"{text}: an alias cannot have aliases")
    if digits.strip(_DIGITS):
        hint = "a range is eth0:1-50" if "," in digits or "*" in digits else ""
        raise errors.BadName(f"{text}: slot must be a decimal number", hint)
    digits = digits.lstrip("0") or "0"
    # The length first: a line of a megabyte of digits must not become a number.
    if len(digits) > len(str(limit)) or int(digits) > limit:
        raise errors.BadName(f"{text}: slot is over the limit of {limit}")
    return int(digits)


def split(text: str) -> AliasName | None:
    """The name that *text* spells canonically, or None. Never raises."""
    main, _, digits = text.partition(":")
    if not main or not digits or digits.strip(_DIGITS) or len(digits) > 5:
        return None
    slot = int(digits)
    if slot > SLOT_MAX or (digits[0] == "0" and len(digits) > 1):
        return None
    return AliasName(main, slot)


def number(text: str, longest: int = 10) -> int:
    """The value of *text*, decimal ASCII digits, *longest* of them at most; -1 for any other text.

    int() also takes signs, blanks, underscores and the digits of other scripts, and its time grows
    with the square of their number.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else -1


def check_device(name: str, text: str = "", limit: int = NAME_MAX) -> None:
    """Check that the kernel could have a device called *name*, of *limit* bytes at most. Raises
    BadName."""
    text = text or name
    if not name:
        raise errors.BadName(f"{text}: the name of the main device is missing")
    size = _size(name)
    if size > limit:
        raise errors.BadName(f"{text}: {name} has {size} bytes; a device name has {limit} at most")
    if name in (".", "..") or "/" in name or "\0" in name or name.split() != [name]:
        raise errors.BadName(f"{text}: '{name}' cannot be the name of a device")


def primary(name: AliasName) -> str:
    """The primary name of the alias device: ``eth0_0``, at most 15 bytes.

    A main device too long for that is abbreviated to three characters and a digest of six, so the
    result depends on nothing but the name: ``enx001122334455:0`` -> ``enx`` + digest + ``_0``.
    """
    plain = f"{name.main}_{name.slot}"
    if _size(plain) <= NAME_MAX:
        return plain
    head = name.main[:3] if name.main[:3].isascii() else "net"
    return f"{head}{_digest(name.main)}_{name.slot}"


def cut(name: AliasName) -> str:
    """The first 15 bytes of *name*, as SO_BINDTODEVICE and ioctls read it, empty where all of it
    fits. They name the main device, or another alias of it."""
    raw = str(name).encode("utf-8", "surrogateescape")
    return raw[:NAME_MAX].decode("utf-8", "surrogateescape") if len(raw) > NAME_MAX else ""


def agree(primary_name: str, altnames: Iterable[str], ifalias: str) -> bool:
    """Whether the names of a device with our mark are those of one alias: its primary name ends in
    a slot, and each alias name among *altnames* or in the record *ifalias* has that slot. Where
    none of them is an alias name, they are empty: so an interrupted run leaves a device."""
    return told(primary_name, altnames, ifalias)[0]


def told(primary_name: str, altnames: Iterable[str], ifalias: str) -> tuple[bool, AliasName | None]:
    """Whether the names of a device agree(), and the first alias name among them, or None."""
    head, _, slot = primary_name.rpartition("_")
    if not head or not slot or slot.strip(_DIGITS):
        return False, None
    said = [name for one in altnames if ":" in one and (name := split(one)) is not None]
    words = ifalias.split(None, 2)
    if len(words) > 1 and words[0] == RECORD and words[1] not in said:
        recorded = split(words[1])
        said += [recorded] if recorded is not None else []
    if not said:
        return not ifalias and not any(altnames), None
    slots = [str(name.slot) for name in said]
    return slots.count(slot) == len(slots), said[0]


def split_primary(text: str) -> AliasName | None:
    """The inverse of primary(); None for an abbreviated name."""
    main, _, digits = text.rpartition("_")
    return split(f"{main}:{digits}")


def label(name: AliasName) -> str:
    """The address label of *name*. Raises LimitError over 15 bytes, since a label is never cut."""
    size = _size(name)
    if size > NAME_MAX:
        raise errors.LimitError(
            f"{name}: an address label has {NAME_MAX} bytes at most, this one {size}",
            "a device has room for the name: kind macvlan",
        )
    return name


def printable(text: str) -> str:
    """*text* with its unprintable characters, such as terminal controls, as escapes.

    Bytes that are not UTF-8 (surrogates of PEP 383) stay as they were typed, but for 0x80 to 0x9f:
    some terminals take those for controls.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    if "\udca0" <= character <= "\udcff":
        return character
    if "\udc80" <= character < "\udca0":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _size(text: str) -> int:
    """Size of a name in bytes. Raises BadName for a text that no bytes decode to."""
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise errors.BadName(f"{text!a}: cannot be the name of a device") from None


def _digest(text: str) -> str:
    """Six characters out of the 32-bit FNV-1a of *text*."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "surrogateescape"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_BASE32[(value >> shift) & 31] for shift in range(0, 30, 5))
