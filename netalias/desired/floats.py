"""The line ``float``: aliases of which each stands on one of many hosts, as a cluster decides.

::

    line   = "float" NAME slots addresses [ "each" ] { word | option }
    option = "prefer" NODE | "hold-down" SECONDS

    float web  eth0:100-149 10.0.0.100-149/24
    float six  eth0:200-209 2001:db8::200-209/64 kind macvlan prefer a hold-down 60

Slots and addresses are those of ranges.py, *word* those of an alias. Addresses go to the node
``prefer`` first if it is there; ``hold-down`` is how many seconds an address stays where it is
before it moves without need. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired import ranges
from netalias.desired.lines import at_word
from netalias.desired.pools import SIGNS, WORDS
from netalias.desired.tasks import Task
from netalias.families import lazy
from netalias.model import names
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netalias.desired import Wish
    from netalias.families import AliasType

KEYWORD = "float"
STORE = "cluster"
STORE_NEEDED = "cluster, which names the store (cluster etcd https://a:2379,https://b:2379)"
EACH = "each"
PREFER, HOLD_DOWN = "prefer", "hold-down"
NAME_MAX = 64
HOLD_DOWN_MAX = 86400
LEASE = 10
"""Seconds of the lifetime in the wish of a float; each that is held gets its own."""
EXAMPLE = f"{KEYWORD} web eth0:100-149 10.0.0.100-149/24"


class Float(Task):
    """A declared pool of aliases: ``slots`` on ``main``, and as many packed ``addresses``.

    ``wish`` is that of the first alias, from which the others differ in slot and address only.
    ``prefer`` is the name of a node, empty for none; ``hold_down`` counts seconds.
    """

    keyword = KEYWORD

    def __init__(
        self,
        words: Sequence[str],
        wish: Wish,
        slots: range,
        addresses: Sequence[bytes],
        *,
        prefer: str = "",
        hold_down: int = 0,
    ) -> None:
        super().__init__(words[1], wish.name.main)
        self.said = tuple(words)
        self.wish = wish
        self.slots = slots
        self.addresses = addresses
        self.prefer = prefer
        self.hold_down = hold_down
        self._places: dict[bytes, int] | None = None
        self._texts: dict[str, bytes] | None = None

    @property
    def name(self) -> str:
        """``web``."""
        return self.subject

    @property
    def type(self) -> AliasType:
        """The type of all its addresses."""
        assert self.wish.type is not None
        return self.wish.type

    @property
    def places(self) -> Mapping[bytes, int]:
        """The slot of each packed address."""
        if self._places is None:
            self._places = dict(zip(self.addresses, self.slots, strict=True))
        return self._places

    def spelled(self, address: bytes) -> str:
        """The text of a packed address."""
        return self.type.format(address)

    def packed(self, text: str) -> bytes | None:
        """The packed form of a text that spelled() gives for one of them; None for any other."""
        if self._texts is None:
            self._texts = {self.spelled(one): one for one in self.addresses}
        return self._texts.get(text)

    def alias(self, address: bytes, main: str = "") -> AliasName:
        """The name of the alias with an address of it; *main* is another name of its device."""
        return AliasName(main or self.main, self.places[address])

    def wish_of(self, address: bytes, main: str = "") -> Wish:
        """The wish of the alias with an address of it."""
        return self.wish.copy(self.alias(address, main), address)

    def lends(self, address: bytes) -> bool:
        """Whether a packed address is one of them."""
        return address in self.places

    def settle(self, others: Iterable[Task], slots: Mapping[str, Mapping[int, object]]) -> None:
        """Check that nothing else has an address or a slot of it: neither the *others* nor the
        aliases with these *slots* by main device; note whether a line names the store. Raises
        AlreadyExists."""
        others = [*others]
        self.lacks = "" if any(one.keyword == STORE for one in others) else STORE_NEEDED
        declared = slots.get(self.main, {})
        if not declared.keys().isdisjoint(self.slots):
            slot = next(slot for slot in self.slots if slot in declared)
            raise errors.AlreadyExists(
                f"{self.title}: {AliasName(self.main, slot)} is declared as an alias too"
            )
        for other in others:
            if other is not self:
                self._apart(other)

    def _apart(self, other: Task) -> None:
        if isinstance(other, Float) and other.main == self.main:
            both = range(
                max(self.slots[0], other.slots[0]), min(self.slots[-1], other.slots[-1]) + 1
            )
            if both:
                raise errors.AlreadyExists(
                    f"{self.title}: {AliasName(self.main, both[0])} is in {other.title} too"
                    f" ({other.place})"
                )
        twice = next((one for one in self.addresses if other.lends(one)), None)
        if twice is not None:
            raise errors.AlreadyExists(
                f"{self.title}: {self.spelled(twice)} is in {other.title} too ({other.place})"
            )

    def words(self) -> list[str]:
        """The words of its line."""
        return list(self.said)

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        found: dict[str, object] = {KEYWORD: self.name, "ifname": self.main}
        found |= {"slots": [self.slots[0], self.slots[-1]], "addresses": len(self.addresses)}
        found |= {
            "first": self.spelled(self.addresses[0]),
            "last": self.spelled(self.addresses[-1]),
        }
        found |= {PREFER: self.prefer} if self.prefer else {}
        return found | {"hold_down": self.hold_down}


def read(words: list[str]) -> Float:
    """The task of a line. Raises UsageError, FamilyError."""
    if len(words) < 4:
        text = f"{' '.join(words)}: a pool that floats has a name, slots and addresses"
        raise at_word(len(words) - 1, errors.UsageError(text, EXAMPLE))
    check_name(words[1])
    title = f"{KEYWORD} {words[1]}"
    try:
        main, slots = ranges.slots(words[2])
    except errors.BadName as error:
        raise at_word(2, errors.BadName(f"{title}: {error}", error.hint)) from None
    each = words[4:5] == [EACH]
    try:
        addresses, first = _addresses(words[3], slots, each=each)
    except errors.BadAddress as error:
        raise at_word(3, errors.BadAddress(f"{title}: {error}", error.hint)) from None
    if len(addresses) != len(slots):
        from netalias.desired.declarations import counted

        text = f"{counted(len(slots), 'slot')} and {counted(len(addresses), 'address')}"
        raise at_word(3, errors.UsageError(f"{title}: {text} do not pair up"))
    if len(set(addresses)) != len(addresses):
        raise at_word(3, errors.BadAddress(f"{title}: {words[3]}: an address is given twice"))
    rest, at, prefer, hold_down = _options(title, words, 4 + each)
    name = AliasName(main, slots[0])
    wish = _wish(title, [name, first, "lease", str(LEASE), *rest], at)
    return Float(words, wish, slots, addresses, prefer=prefer, hold_down=hold_down)


def check_name(name: str) -> None:
    """Check the name of a pool that floats. Raises UsageError."""
    if not is_word(name):
        hint = f"letters, digits and {' '.join(SIGNS)}, {NAME_MAX} at most"
        raise at_word(1, errors.UsageError(f"{name}: not the name of a pool", hint))


def is_word(name: str) -> bool:
    """Whether *name* is a text of ASCII letters, digits and SIGNS that can be a key of a store."""
    plain = name.translate(dict.fromkeys(map(ord, SIGNS)))
    return name.isascii() and plain.isalnum() and name[0] not in SIGNS and len(name) <= NAME_MAX


def _addresses(word: str, slots: range, *, each: bool) -> tuple[Sequence[bytes], str]:
    """The packed addresses, and the text of the first with its prefix length. Raises BadAddress."""
    alias_type = lazy().get("ipv6" if ":" in word else "ip")
    if each:
        many, length = ranges.hosts(word, alias_type), None
    elif ranges.is_range(word):
        many, length = ranges.addresses(word, alias_type, len(slots))
    else:
        packed, length = alias_type.parse(word)
        many = (packed,)
    text = alias_type.format(many[0])
    return many, text if length is None else f"{text}/{length}"


def _options(title: str, words: Sequence[str], at: int) -> tuple[list[str], list[int], str, int]:
    """The words of the alias from the index *at* on, with the index of each, and the options.
    Raises UsageError."""
    from netalias import desired

    rest: list[str] = []
    places: list[int] = []
    prefer, hold_down, said = "", 0, set()
    while at < len(words):
        word, text = words[at], "".join(words[at + 1 : at + 2])
        if word in (PREFER, HOLD_DOWN):
            if word in said:
                raise at_word(at, errors.UsageError(f"{title}: {word}: said twice"))
            said.add(word)
            if word == PREFER:
                prefer = _node(title, text, at)
            else:
                hold_down = _seconds(title, text, at)
            at += 2
            continue
        if word not in WORDS:
            hint = f"one of: {PREFER} {HOLD_DOWN} {' '.join(WORDS)}"
            raise at_word(at, errors.UsageError(f"{title}: {word}: not a word of this line", hint))
        count = 1 + desired.arguments(word, text)
        rest += words[at : at + count]
        places += range(at, at + count)
        at += count
    return rest, places, prefer, hold_down


def _node(title: str, text: str, at: int) -> str:
    if not text or not is_word(text):
        said = f"{PREFER} {text}".rstrip()
        raise at_word(at, errors.UsageError(f"{title}: {said}: the name of a node is needed"))
    return text


def _seconds(title: str, text: str, at: int) -> int:
    found = names.number(text)
    if not 0 <= found <= HOLD_DOWN_MAX:
        said = f"{HOLD_DOWN} {text}".rstrip()
        raise at_word(
            at,
            errors.UsageError(f"{title}: {said}: seconds from 0 to {HOLD_DOWN_MAX} are needed"),
        )
    return found


def _wish(title: str, words: list[str], places: Sequence[int]) -> Wish:
    """The wish of the first alias; *places* are the indexes in the line of all words but the first
    four. Raises UsageError, FamilyError."""
    from netalias import desired

    try:
        wish = desired.parse(words, lazy())
        desired.check_command(wish)
        if wish.kind == "prefix":
            raise errors.UsageError(f"{words[0]}: kind prefix: single addresses float")
    except errors.UsageError as error:
        text = str(error).replace(words[0], title, 1)
        at = places[error.word - 4] if 4 <= error.word < 4 + len(places) else 3
        raise at_word(at, errors.UsageError(text, error.hint)) from None
    return wish


def floats(tasks: Iterable[Task]) -> list[Float]:
    """The pools that float among *tasks*."""
    return [one for one in tasks if isinstance(one, Float)]


def alike(wish: Wish, former: Wish) -> bool:
    """Whether two wishes for one address ask for the same alias."""
    slots = (slot for slot in wish.__slots__ if slot != "type")  # that of one address is the same
    return all(getattr(wish, slot) == getattr(former, slot) for slot in slots)
