"""The line ``pool``: addresses that are lent to whoever asks for one.

::

    line = "pool" NAME ADDRESSES [ "each" ] [ "dev" DEVICE word* ]

    pool web    10.0.1.2-10.0.1.10,10.0.1.20
    pool lab    10.8.0.0/21 each
    pool proxy  2001:db8::100-1ff/64 dev eth0 kind macvlan acd fast

ADDRESSES are those of ranges.py. With ``dev``, an address stands on the device as an alias for as
long as it is lent; the words after that are those of the alias. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired import ranges
from netalias.desired.lines import at_word, words_of
from netalias.desired.tasks import Task
from netalias.families import lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netalias.desired import Wish
    from netalias.families import AliasType

KEYWORD = "pool"
DEV = "dev"
EACH = "each"
NAME_MAX = 64
SIGNS = "._-"
"""Characters of the name of a pool beside ASCII letters and digits: it names a file."""
LEASE = 3600
"""Seconds of a loan that does not say."""
WORDS = (
    "acd", "announce", "broadcast", "-broadcast", "conflict", "deprecated", "kind", "metric",
    "mtu", "netmask", "optimistic", "prefixlen", "source", "up",
)  # fmt: skip
"""Words that may follow the device: those that an alias with a lease can have, and that are kept by
the kernel."""


class Pool(Task):
    """A declared pool: ``spans`` are its addresses as numbers, of one family. ``wish`` is that of
    an alias of it, with any slot and address; None without a device."""

    keyword = KEYWORD
    watched = False

    def __init__(
        self,
        words: Sequence[str],
        alias_type: AliasType,
        spans: Sequence[range],
        wish: Wish | None = None,
    ) -> None:
        super().__init__(words[1], wish.name.main if wish is not None else "")
        self.said = tuple(words)
        self.type = alias_type
        self.spans = spans
        self.wish = wish

    @property
    def name(self) -> str:
        """``web``."""
        return self.subject

    @property
    def size(self) -> int:
        """The number of its addresses."""
        return sum(map(len, self.spans))

    def __contains__(self, address: int) -> bool:
        return any(address in span for span in self.spans)

    def number(self, text: str) -> int:
        """The number of the address *text*; -1 for one of another family. Raises BadAddress."""
        registry = lazy()
        packed, length = registry.get("ipv6" if ":" in text else "ip").parse(text)
        if length is not None:
            raise errors.BadAddress(f"{text}: an address without a prefix length is needed")
        return int.from_bytes(packed, "big") if len(packed) == self.type.size else -1

    def packed(self, address: int) -> bytes:
        """The packed address with this number."""
        return address.to_bytes(self.type.size, "big")

    def spelled(self, address: int) -> str:
        """The text of the address with this number."""
        return self.type.format(self.packed(address))

    def lends(self, address: bytes) -> bool:
        """Whether a packed address is one of the pool."""
        return len(address) == self.type.size and int.from_bytes(address, "big") in self

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other pool has an address of this one. Raises AlreadyExists."""
        for other in others:
            if not isinstance(other, Pool) or other is self or not self._meets(other):
                continue
            twice = set().union(*self.spans).intersection(set().union(*other.spans))
            if twice:
                text = self.spelled(min(twice))
                raise errors.AlreadyExists(
                    f"{self.title}: {text} is in {other.title} too ({other.place})"
                )

    def _meets(self, other: Pool) -> bool:
        """Whether families, first and last addresses of two pools do not tell them apart."""
        if self.type.size != other.type.size:
            return False
        ends = [
            (min(one[0] for one in pool.spans), max(one[-1] for one in pool.spans))
            for pool in (self, other)
        ]
        return ends[0][0] <= ends[1][1] and ends[1][0] <= ends[0][1]

    def words(self) -> list[str]:
        """The words of its line."""
        return list(self.said)

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        first, last = self.spans[0][0], self.spans[-1][-1]
        found: dict[str, object] = {KEYWORD: self.name, "addresses": self.size}
        found |= {"first": self.spelled(first), "last": self.spelled(last)}
        return found | ({"ifname": self.main} if self.main else {})


def read(words: list[str]) -> Pool:
    """The pool of a line. Raises UsageError, FamilyError."""
    if len(words) < 3:
        raise at_word(
            len(words) - 1,
            errors.UsageError(
                f"{' '.join(words)}: a pool has a name and addresses",
                "pool web 10.0.1.2-10.0.1.10,10.0.1.20",
            ),
        )
    check_name(words[1])
    each = words[3:4] == [EACH]
    title = f"{KEYWORD} {words[1]}"
    try:
        alias_type = lazy().get("ipv6" if ":" in words[2] else "ip")
        spans, length = _spans(words[2], alias_type, each=each)
    except errors.BadAddress as error:
        raise at_word(2, errors.BadAddress(f"{title}: {error}", error.hint)) from None
    rest = 3 + each
    wish = None
    if words[rest:]:
        first = alias_type.format(spans[0][0].to_bytes(alias_type.size, "big"))
        address = first if length is None else f"{first}/{length}"
        wish = _wish(title, words, rest, address)
    elif length is not None:
        raise at_word(
            2, errors.BadAddress(f"{title}: a prefix length means nothing without dev DEVICE")
        )
    return Pool(words, alias_type, spans, wish)


def check_name(name: str) -> None:
    """Check the name of a pool. Raises UsageError."""
    plain = name.translate(dict.fromkeys(map(ord, SIGNS)))
    fine = name.isascii() and plain.isalnum() and name[0] not in SIGNS and len(name) <= NAME_MAX
    if not fine:
        raise at_word(
            1,
            errors.UsageError(
                f"{name}: not the name of a pool",
                f"letters, digits and {' '.join(SIGNS)}, {NAME_MAX} at most",
            ),
        )


def _spans(word: str, alias_type: AliasType, *, each: bool) -> tuple[list[range], int | None]:
    """The addresses as numbers, and their prefix length or None. Raises BadAddress."""
    if each:
        return [ranges.span(word, alias_type)], None
    if word.endswith("+"):
        raise errors.BadAddress(f"{word}: a pool has an end", "a range such as 10.0.0.1-50")
    spans, length = ranges.spans(word, alias_type)
    if length is not None and length < alias_type.bits - 1 and [*map(len, spans)] == [1]:
        from netalias.model.prefix import network

        packed = spans[0][0].to_bytes(alias_type.size, "big")
        if network(packed, length) == packed:
            raise errors.BadAddress(f"{word}: that is one address, of a network", f"{word} {EACH}")
    seen = set(spans[0]) if spans[1:] else set()
    for span in spans[1:]:
        twice = seen.intersection(span)
        if twice:
            text = alias_type.format(min(twice).to_bytes(alias_type.size, "big"))
            raise errors.BadAddress(f"{text} is given twice")
        seen.update(span)
    return spans, length


def _wish(title: str, words: Sequence[str], at: int, address: str) -> Wish:
    """The wish that the words from *at* on make; *address* is any of the pool. Raises UsageError,
    FamilyError."""
    from netalias import desired

    if words[at] != DEV or not words[at + 1 :]:
        raise at_word(
            at, errors.UsageError(f"{title}: {words[at]}: dev DEVICE, or nothing, comes here")
        )
    index = at + 2
    while index < len(words):
        word = words[index]
        if word not in WORDS:
            raise at_word(
                index,
                errors.UsageError(
                    f"{title}: {word}: not a word for the aliases of a pool",
                    f"one of: {' '.join(WORDS)}",
                ),
            )
        index += 1 + desired.arguments(word, "".join(words[index + 1 : index + 2]))
    name = f"{words[at + 1]}:0"
    if ":" in words[at + 1]:
        raise at_word(at + 1, errors.BadName(f"{title}: {words[at + 1]}: not the name of a device"))
    try:
        wish = desired.parse([name, address, "lease", str(LEASE), *words[at + 2 :]], lazy())
        desired.check_command(wish)
        if wish.kind == "prefix":
            raise errors.UsageError(f"{name}: kind prefix: a pool lends single addresses")
    except errors.UsageError as error:
        text = str(error).replace(name, title, 1)
        raise at_word(max(at, error.word + at - 2), errors.UsageError(text, error.hint)) from None
    return wish


def lines(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int, list[str]]]:
    """File, line and words of each line of a pool. Nothing else in the *texts*, pairs of name and
    text, is looked at."""
    for source, text in texts:
        if KEYWORD not in text:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if line.lstrip().startswith(KEYWORD):
                words = words_of(line)
                if words[0] == KEYWORD:
                    yield source, number, words


def found(
    texts: Iterable[tuple[str, str]], withheld: Callable[[str], str] | None = None
) -> dict[str, Pool]:
    """The pools that *texts* declare, by name. Raises the error of the first wrong line, with its
    place, and AlreadyExists for a name or an address that two lines have.

    *withheld* tells why the text of a file is not to be shown, empty if it may be.
    """
    pools: dict[str, Pool] = {}
    for source, number, words in lines(texts):
        try:
            pool = read(words)
            pool.source, pool.line = source, number
            other = pools.setdefault(pool.name, pool)
            if other is not pool:
                raise errors.AlreadyExists(f"{pool.title} is already declared at {other.place}")
            pool.apart_from(pools.values())
        except errors.NetaliasError as error:
            reason = withheld(source) if withheld is not None else ""
            text, hint = (f"{error.kind()} ({reason})", "") if reason else (str(error), error.hint)
            raise type(error)(f"{source}:{number}: {text}", hint) from None
    return pools
