"""Ranges: many slots, and ranges and lists of addresses, in one line.

Slots::

    eth0:5        eth0:1-50

Addresses, IPv4 or IPv6, with one prefix length for all::

    10.0.0.1-50/32               the last number counts up
    10.0.0.250-10.0.1.20         first and last
    2001:db8::1-ff/64            the last group counts up, in hexadecimal
    2001:db8:1-f::1/64           an earlier group counts up
    1.2.3.4-6,1.2.3.9/32         a list of any of these
    2001:db8::100/64+            counting up from this one, an address for each slot
    10.1.0.0/24 each             every host address of a network

Ranges in the last number and in a group follow rc.conf(5) of FreeBSD. Other families have no
ranges, since their addresses may contain any character.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.families import AliasType

LIMIT = names.SLOT_MAX + 1
"""Largest number of aliases in one line: the slots of a main device."""


def slots(text: str) -> tuple[str, range]:
    """The main device and the slots of ``eth0:1-50``. Raises BadName."""
    main, _, rest = text.partition(":")
    first, dash, last = rest.partition("-")
    if not last:
        name, _ = names.parse(text)
        if dash:
            raise errors.BadName(f"{text}: a declaration does not delete", "a range is eth0:1-50")
        return name.main, range(name.slot, name.slot + 1)
    names.check_device(main, text, names.ALTNAME_MAX)
    low = names.parse_slot(first, text)
    high = names.parse_slot(last, text)
    if high < low:
        raise errors.BadName(f"{text}: the range ends before it begins")
    return main, range(low, high + 1)


def is_range(word: str) -> bool:
    """Whether *word*, given as an address, has a form that can stand for several addresses."""
    return "-" in word or "," in word or word.endswith("+")


def addresses(word: str, alias_type: AliasType, count: int) -> tuple[Sequence[bytes], int | None]:
    """The packed addresses of a range or list, and their prefix length or None.

    *count* is the number of addresses that the counting form (``+``) gives. Raises BadAddress.
    """
    if word.endswith("+"):
        packed, length = alias_type.parse(word[:-1])
        first = int.from_bytes(packed, "big")
        return _packed(_checked(range(first, first + count), alias_type, word), alias_type), length
    parts, length = spans(word, alias_type)
    return [packed for part in parts for packed in _packed(part, alias_type)], length


def spans(word: str, alias_type: AliasType) -> tuple[list[range], int | None]:
    """The addresses of a range or list as numbers, and their prefix length or None. Raises
    BadAddress."""
    parts: list[range] = []
    total = 0
    lengths: dict[str, None] = {}
    for part in word.split(","):
        body, slash, length_text = part.partition("/")
        parts.append(_part(body, alias_type, word))
        total += len(parts[-1])
        if slash:
            lengths[length_text] = None
        if total > LIMIT:
            raise _too_many(word)
    if len(lengths) > 1:
        raise errors.BadAddress(f"{word}: the addresses of one line have one prefix length")
    for length_text in lengths:
        first = alias_type.format(parts[0][0].to_bytes(alias_type.size, "big"))
        return parts, alias_type.parse(f"{first}/{length_text}")[1]
    return parts, None


def hosts(word: str, alias_type: AliasType) -> Sequence[bytes]:
    """The packed host addresses of the network *word*, as by span(). Raises BadAddress."""
    return _packed(span(word, alias_type), alias_type)


def span(word: str, alias_type: AliasType) -> range:
    """The host addresses of the network *word* as numbers.

    Left out are the network and broadcast addresses of IPv4 (RFC 1122 section 3.2.1.3) and the
    Subnet-Router anycast address of IPv6 (RFC 4291 section 2.6.1), but not on a link of two
    addresses (RFC 3021, RFC 6164). Raises BadAddress.
    """
    packed, length = alias_type.parse(word)
    if length is None:
        raise errors.BadAddress(f"{word} each: a prefix length is needed")
    count = 1 << alias_type.bits - length
    first = int.from_bytes(packed, "big")
    if first % count:
        start = alias_type.format((first - first % count).to_bytes(alias_type.size, "big"))
        raise errors.BadAddress(
            f"{word} each: not the address of a network", f"the network is {start}/{length}"
        )
    last = first + count
    if count > 2:
        first += 1
        last -= alias_type.size == 4
    return _checked(range(first, last), alias_type, f"{word} each")


def _part(body: str, alias_type: AliasType, whole: str) -> range:
    """The numbers of the addresses in one part of a list; *body* has no prefix length."""
    low, dash, high = body.partition("-")
    if not body:
        raise errors.BadAddress(f"{whole}: an address is missing beside a comma")
    if dash and not (low and high):
        raise errors.BadAddress(f"{whole}: the range has no {'end' if low else 'beginning'}")
    if not dash:
        number = _number(body, alias_type)
        if not number:
            raise _zero(whole)
        return range(number, number + 1)
    separator = "." if "." in low else ":"
    if ":" in high and not _is_address(low, alias_type):
        return _checked(_groups(low, high, alias_type), alias_type, whole)
    if separator not in high:
        high = low[: low.rfind(separator) + 1] + high
    first, last = _number(low, alias_type), _number(high, alias_type)
    return _checked(range(first, last + 1), alias_type, whole)


def _groups(low: str, high: str, alias_type: AliasType) -> range:
    """The numbers of the addresses from ``2001:db8:1`` to ``f::1``: 1 to f in the third group."""
    head, _, first = low.rpartition(":")
    last, colon, tail = high.partition(":")
    if not first or not last:
        raise errors.BadAddress(f"{low}-{high}: not a range of IPv6 addresses")
    start = _number(f"{low}{colon}{tail}", alias_type)
    end = _number(f"{head}:{last}{colon}{tail}" if head else high, alias_type)
    # Both are addresses, so both groups are hexadecimal numbers.
    count = int(last, 16) - int(first, 16)
    return range(start, end + 1, (end - start) // count if count > 0 else 1)


def _is_address(text: str, alias_type: AliasType) -> bool:
    try:
        alias_type.parse(text)
    except errors.BadAddress:
        return False
    return True


def _number(text: str, alias_type: AliasType) -> int:
    return int.from_bytes(alias_type.parse(text)[0], "big")


def _packed(numbers: range, alias_type: AliasType) -> Sequence[bytes]:
    """The packed addresses with these numbers."""
    return [number.to_bytes(alias_type.size, "big") for number in numbers]


def _checked(numbers: range, alias_type: AliasType, whole: str) -> range:
    """The same numbers. Raises BadAddress unless all are those of legal addresses."""
    if not numbers:
        raise errors.BadAddress(f"{whole}: the range ends before it begins")
    if numbers[LIMIT:]:
        raise _too_many(whole)
    size = alias_type.size
    if numbers[-1] >> size * 8:
        raise errors.BadAddress(f"{whole}: the range goes past the last address")
    if not numbers[0]:
        raise _zero(whole)
    # Illegal addresses come in blocks longer than a range, so checking the ends is enough.
    alias_type.parse(alias_type.format(numbers[-1].to_bytes(size, "big")))
    return numbers


def _zero(whole: str) -> errors.BadAddress:
    return errors.BadAddress(f"{whole}: zero cannot be the address of an alias")


def _too_many(whole: str) -> errors.BadAddress:
    return errors.BadAddress(f"{whole}: more than {LIMIT} addresses in one line")
