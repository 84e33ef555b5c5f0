"""Alias types, one for each address family, and their registry.

A type is a struct net_alias_type (include/linux/net_alias.h of Linux 2.0): a family, a name, and
optional hooks. A third party ships one as an entry point of the group ``netalias.alias_types``,
under the name of the type and under ``netalias-<family>``, the name that the 1.3.68 kernel
requested from kerneld. It is loaded when its name or its family is looked up.
"""

from __future__ import annotations

from _thread import RLock  # threading would import much more
from errno import EEXIST, EINVAL

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.model import Address, Alias
    from netalias.model.steps import Step

ENTRY_POINTS = "netalias.alias_types"
NAME_MAX = 15
"""Length of a name in characters (char name[16] in struct net_alias_type)."""

_BUILTIN: dict[int | str, tuple[str, str]] = {
    2: ("netalias.families.inet", "Inet"),
    10: ("netalias.families.inet6", "Inet6"),
}
BUILTIN_WORDS = {"inet": 2, "ip": 2, "inet6": 10, "ipv6": 10}
"""Words for the built-in families: their number."""
FAMILIES = {2: "inet", 10: "inet6"}
"""Families of the kernel, whose addresses the C library prints: their names in ip(8)."""


class AliasType:
    """One address family. Subclasses set the data and override the hooks that the family has.

    ``family`` is the kernel's number (AF_*), ``name`` that in alias_types, ``size`` the length of a
    packed address in bytes, which makes ``bits``. ``recorded`` tells that the ifalias text of the
    device has the address too, because the kernel does not keep it in every state.
    """

    family = 0
    name = ""
    size = 0
    bits = 0
    recorded = True

    dev_select: Callable[[object, bytes], object] | None = None
    """Hook that finds the device closest to a source: (main, source address) -> device, or None."""

    def __init_subclass__(cls) -> None:
        cls.bits = cls.size * 8

    def parse(self, text: str) -> tuple[bytes, int | None]:
        """``ADDRESS[/LEN]`` as packed address and prefix length, or None. Raises BadAddress."""
        raise errors.BadAddress(f"{text}: addresses of type {self.name} have no text form")

    def format(self, address: bytes) -> str:
        """The text of a packed address."""
        return "-"

    def get_addr32(self, address: bytes) -> int:
        """The 32-bit digest for the historical hash; by default the first four bytes."""
        return int.from_bytes(address[:4], "big")

    def dev_addr_chk(self, alias: Alias, address: bytes) -> bool:
        """Whether *alias* owns *address*; by default, whether the digests are equal."""
        return self.get_addr32(alias.address) == self.get_addr32(address)

    def alias_init(self, alias: Alias) -> None:
        """Hook before *alias* is counted; an exception prevents that."""

    def alias_done(self, alias: Alias) -> None:
        """Hook before *alias* is counted out."""

    def alias_print(self, alias: Alias) -> str:
        """The address as /proc/net/aliases has it, which shows 39 characters at most."""
        return self.format(alias.address)

    def attach(self, device: str, index: int, address: Address) -> Sequence[Step]:
        """The steps that add *address* to a device; none in a family that the kernel lacks."""
        return ()


class Registry:
    """The registered types, how many aliases are bound to each, and the loader.

    ``loader`` is called once for each family or name that is not registered.
    """

    def __init__(self, loader: Callable[[int | str], AliasType | None] | None = None) -> None:
        self._types: dict[int, AliasType] = {}
        self._attached: dict[int, int] = {}
        self._asked: set[int | str] = set()
        self._turn = RLock()
        self._loader = loader

    def register(self, alias_type: AliasType | None) -> None:
        """Add a type with n_attach 0.

        Raises FamilyError: EINVAL for None or an unusable name or family, EEXIST for a second type
        of a family.
        """
        if alias_type is None:
            raise errors.FamilyError("there is no alias type to register", errno=EINVAL)
        if alias_type.family <= 0:
            raise errors.FamilyError(
                f"{alias_type.name}: {alias_type.family} is no address family", errno=EINVAL
            )
        if not 0 < len(alias_type.name) <= NAME_MAX:
            raise errors.FamilyError(
                f"{alias_type.name!r}: the name of an alias type has 1 to {NAME_MAX} characters",
                errno=EINVAL,
            )
        if alias_type.family in self._types:
            raise errors.FamilyError(
                f"family {alias_type.family} is served by {self._types[alias_type.family].name}",
                errno=EEXIST,
            )
        self._types[alias_type.family] = alias_type
        self._attached[alias_type.family] = 0

    def unregister(self, alias_type: AliasType | None) -> None:
        """Remove a type. Raises FamilyError (EINVAL) for None, an unknown type, or one in use."""
        if alias_type is None or self._types.get(alias_type.family) is not alias_type:
            raise errors.FamilyError("this alias type is not registered", errno=EINVAL)
        if self._attached[alias_type.family]:
            count = self._attached[alias_type.family]
            raise errors.FamilyError(
                f"{alias_type.name}: {count} aliases are bound to it", errno=EINVAL
            )
        del self._types[alias_type.family]
        # It may be loaded again.
        self._asked -= {alias_type.family, alias_type.name}

    def find(self, key: int | str) -> AliasType | None:
        """The type with this family or name, loaded if necessary; None when there is none."""
        family = family_of(key)
        found = self.known(family)
        if found is None and self._loader is not None:
            with self._turn:  # of several threads one loads
                return self.known(family) or self._load(family, self._loader)
        return found

    def _load(
        self, family: int | str, loader: Callable[[int | str], AliasType | None]
    ) -> AliasType | None:
        """The type that *loader* has for a family that is not registered."""
        if family in self._asked:
            return None
        self._asked.add(family)
        loaded = loader(family)
        if loaded is None:
            return None
        found = self.known(loaded.family)
        if type(found) is not type(loaded):
            self.register(loaded)  # a second type of the family is refused
            found = loaded
        return found

    def known(self, key: int | str) -> AliasType | None:
        """The registered type with this family or name, or None; loads nothing."""
        if isinstance(key, int):
            return self._types.get(key)
        return next((one for one in self._types.values() if one.name == key), None)

    def get(self, key: int | str) -> AliasType:
        """The type with this family or name. Raises FamilyError (EINVAL)."""
        found = self.find(key)
        if found is None:
            what = f"family {key}" if isinstance(key, int) else f"{key}"
            raise errors.FamilyError(f"{what}: no alias type serves it", "see netalias types")
        return found

    def bind(self, alias_type: AliasType, alias: Alias) -> None:
        """Run the init hook for *alias*, then count it; an error of the hook prevents that."""
        alias_type.alias_init(alias)
        self._attached[alias_type.family] += 1

    def unbind(self, alias_type: AliasType, alias: Alias) -> None:
        """Undo bind(): the done hook, then the count, whatever the hook raises."""
        try:
            alias_type.alias_done(alias)
        finally:
            self._attached[alias_type.family] -= 1

    def n_attach(self, alias_type: AliasType) -> int:
        """The number of aliases bound to a registered type."""
        return self._attached[alias_type.family]

    def recount(self, aliases: Iterable[Alias]) -> None:
        """Set every count from a reading of the kernel; loads the types that are in use."""
        counts: dict[int, int] = {}
        for alias in aliases:
            counts[alias.family] = counts.get(alias.family, 0) + 1
        counts.pop(0, None)  # an alias without an address
        for family in counts:
            self.find(family)
        self._attached = {family: counts.get(family, 0) for family in self._types}

    def types(self) -> list[AliasType]:
        """The types in the order of /proc/net/alias_types: 16 chains by family, newest first."""
        newest_first = reversed(self._types.values())
        return sorted(newest_first, key=lambda one: one.family & 15)


def load(key: int | str) -> AliasType | None:
    """The built-in or third-party type for a family or a name, imported now, or None."""
    family = family_of(key)
    if family in _BUILTIN:
        module, name = _BUILTIN[family]
        return getattr(__import__(module, fromlist=[name]), name)()  # type: ignore[no-any-return]
    made = _load_entry_point(f"netalias-{key}" if isinstance(key, int) else key)
    if made is None:
        return None
    if made.family in _BUILTIN or (isinstance(key, int) and made.family != key):
        raise errors.FamilyError(
            f"{key}: the alias type that is installed for it, {made.name}, is of family"
            f" {made.family}"
        )
    return made


def family_of(key: int | str) -> int | str:
    """The number of the built-in family that *key* names, else *key* itself."""
    return BUILTIN_WORDS.get(key, key) if isinstance(key, str) else key


def _load_entry_point(name: str) -> AliasType | None:
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            made = entry.load()()
        except Exception as error:  # a plug-in may raise anything; it must not become a traceback
            raise errors.FamilyError(
                f"{name}: the alias type in {entry.value} cannot be loaded: {error}"
            ) from error
        if not isinstance(made, AliasType):
            raise errors.FamilyError(f"{name}: {entry.value} is not an AliasType")
        return made
    return None


def installed() -> Registry:
    """A registry with the built-in types; others are loaded when they are looked up."""
    registry = Registry(load)
    for family in _BUILTIN:
        registry.find(family)
    return registry


def lazy() -> Registry:
    """A registry that loads even the built-in types only when they are looked up."""
    return Registry(load)
