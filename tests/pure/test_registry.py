"""The registry of alias types: registering, counting, and loading when a type is asked for."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from errno import EEXIST, EINVAL

import pytest

from netalias import errors, families
from netalias.families import AliasType, Registry
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6
from netalias.model import Alias
from netalias.model.names import AliasName


def made(family: int = 5, name: str = "ddp") -> AliasType:
    """A type with this family and name."""
    return type("Made", (AliasType,), {"family": family, "name": name, "size": 3})()


def alias(slot: int = 0, family: int = 5) -> Alias:
    return Alias(AliasName("eth0", slot), "dummy", family=family, address=b"\1\2\3")


def refused(call: Callable[..., object], *words: object) -> errors.FamilyError:
    with pytest.raises(errors.FamilyError) as caught:
        call(*words)
    return caught.value


# Registering --------------------------------------------------------------------------------


def test_none() -> None:
    """S46: registering or unregistering nothing is EINVAL."""
    registry = Registry()
    assert refused(registry.register, None).errno == EINVAL
    assert refused(registry.unregister, None).errno == EINVAL


def test_register_and_unregister() -> None:
    """S47: a registered type is there with n_attach 0, and gone when it was unregistered."""
    registry, one = Registry(), made()
    registry.register(one)
    assert registry.get(5) is registry.get("ddp") is one
    assert registry.n_attach(one) == 0
    registry.unregister(one)
    assert registry.find(5) is None


def test_registering_resets_the_count() -> None:
    """S47: the count of an earlier registration does not come back."""
    registry, one = Registry(), made()
    registry.register(one)
    registry.recount([alias(0), alias(1)])
    assert registry.n_attach(one) == 2
    registry.recount([])
    registry.unregister(one)
    registry.register(one)
    assert registry.n_attach(one) == 0


def test_unregister_while_bound() -> None:
    """S48: EINVAL while aliases are bound, and the type stays usable."""
    registry, one, bound = Registry(), made(), alias()
    registry.register(one)
    registry.bind(one, bound)
    error = refused(registry.unregister, one)
    assert (error.errno, str(error)) == (EINVAL, "ddp: 1 aliases are bound to it")
    assert registry.get(5) is one
    registry.unbind(one, bound)
    registry.unregister(one)


def test_unregister_unknown() -> None:
    """S49: EINVAL for a type that is not registered, even one of a registered family."""
    registry = Registry()
    assert refused(registry.unregister, made()).errno == EINVAL
    registry.register(made())
    assert refused(registry.unregister, made()).errno == EINVAL
    assert registry.find(5) is not None


def test_twin() -> None:
    """S50: a second type for a family is EEXIST and shadows nothing."""
    registry, one = Registry(), made()
    registry.register(one)
    assert refused(registry.register, made(5, "other")).errno == EEXIST
    assert refused(registry.register, one).errno == EEXIST
    assert registry.types() == [one]


@pytest.mark.parametrize(("family", "name"), [(5, ""), (5, "a" * 16), (0, "x"), (-1, "x")])
def test_unusable(family: int, name: str) -> None:
    """S46: a name of 1 to 15 characters and a family above AF_UNSPEC, or EINVAL."""
    registry = Registry()
    assert refused(registry.register, made(family, name)).errno == EINVAL
    assert registry.types() == []


def test_longest_name() -> None:
    """15 characters are a name."""
    registry, one = Registry(), made(5, "a" * 15)
    registry.register(one)
    assert registry.get("a" * 15) is one


def test_unknown_family() -> None:
    """S12, S14: EINVAL, with what was asked for."""
    for key, text in ((5, "family 5"), ("ddp", "ddp")):
        error = refused(Registry().get, key)
        assert (error.errno, str(error)) == (EINVAL, f"{text}: no alias type serves it")


def test_order() -> None:
    """S78: 16 chains by family, the newest first in each."""
    registry = Registry()
    found = [made(number, f"t{number}") for number in (2, 10, 18, 17, 4)]
    for one in found:
        registry.register(one)
    assert [one.family for one in registry.types()] == [17, 18, 2, 4, 10]


# Counting -----------------------------------------------------------------------------------


def test_init_that_raises() -> None:
    """S54: an error of the init hook leaves the count as it was."""

    class Picky(AliasType):
        family, name = 5, "picky"

        def alias_init(self, alias: Alias) -> None:
            raise errors.StateError("no")

    registry, one = Registry(), Picky()
    registry.register(one)
    with pytest.raises(errors.StateError):
        registry.bind(one, alias())
    assert registry.n_attach(one) == 0


def test_hooks_see_the_alias() -> None:
    """S51: init before the count goes up, done before it goes down, each once."""
    seen: list[tuple[str, Alias, int]] = []
    registry = Registry()

    class Seeing(AliasType):
        family, name = 5, "seeing"

        def alias_init(self, alias: Alias) -> None:
            seen.append(("init", alias, registry.n_attach(self)))

        def alias_done(self, alias: Alias) -> None:
            seen.append(("done", alias, registry.n_attach(self)))

    one, bound = Seeing(), alias()
    registry.register(one)
    registry.bind(one, bound)
    assert registry.n_attach(one) == 1
    registry.unbind(one, bound)
    assert seen == [("init", bound, 0), ("done", bound, 1)]


def test_recount() -> None:
    """S51: counts follow a reading; a type in use is loaded, one without address counts nowhere."""
    asked: list[object] = []

    def loader(key: int | str) -> AliasType | None:
        asked.append(key)
        return made() if key == 5 else None

    registry = Registry(loader)
    registry.recount([alias(0), alias(1), alias(2, 99), alias(3, 0)])
    assert {one.name: registry.n_attach(one) for one in registry.types()} == {"ddp": 2}
    assert asked == [5, 99]
    registry.recount([])
    assert registry.n_attach(registry.get(5)) == 0


# Loading ------------------------------------------------------------------------------------


def test_loader_is_asked_once() -> None:
    """S14: once for each key, whether it has something or not."""
    asked: list[object] = []

    def loader(key: int | str) -> AliasType | None:
        asked.append(key)
        return made() if key == "ddp" else None

    registry = Registry(loader)
    assert registry.known("ddp") is None
    assert asked == []
    for _ in range(3):
        assert registry.find("nosuch") is None
        assert registry.get("ddp") is registry.get(5)
    assert asked == ["nosuch", "ddp"]


def test_unregistered_may_be_asked_for_again() -> None:
    """What went is loaded anew when it is wanted again."""
    asked: list[object] = []

    def loader(key: int | str) -> AliasType | None:
        asked.append(key)
        return made()

    registry = Registry(loader)
    registry.unregister(registry.get("ddp"))
    assert registry.find("ddp") is not None
    assert asked == ["ddp", "ddp"]


def test_loader_cannot_shadow() -> None:
    """S50: a loaded type of a family that another one serves is EEXIST."""
    registry, mine = Registry(lambda key: made(5, "other")), made()
    registry.register(mine)
    assert refused(registry.find, "other").errno == EEXIST
    assert registry.types() == [mine]


def test_builtin_words() -> None:
    """ip, inet and 2 are one type; so are ipv6, inet6 and 10."""
    registry = families.lazy()
    assert registry.types() == []
    assert registry.get("inet") is registry.get("ip") is registry.get(2)
    assert isinstance(registry.get(2), Inet)
    assert registry.get("ipv6") is registry.get("inet6") is registry.get(10)
    assert isinstance(registry.get(10), Inet6)


def test_installed() -> None:
    """The built-in types, idle, and nothing of third parties until it is asked for."""
    registry = families.installed()
    found = [(one.family, one.name, registry.n_attach(one)) for one in registry.types()]
    assert found == [(2, "ip", 0), (10, "ipv6", 0)]


class Entry:
    """An entry point."""

    value = "somewhere:Thing"

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def load(self) -> object:
        if isinstance(self.thing, Exception):
            raise self.thing
        return self.thing


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What is installed, by name of the entry point; to be filled in."""
    found: dict[str, object] = {}

    def entry_points(*, group: str, name: str) -> list[Entry]:
        assert group == "netalias.alias_types"
        return [Entry(found[name])] if name in found else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return found


def test_entry_points(entries: dict[str, object]) -> None:
    """S14: by its name, and as ``netalias-5`` by its family."""
    for name, key in (("ddp", "ddp"), ("netalias-5", 5)):
        entries.clear()
        entries[name] = made
        found = families.lazy().get(key)
        assert (found.family, found.name) == (5, "ddp")


def test_two_words_for_one_type(entries: dict[str, object]) -> None:
    """A type may be installed under further words; it is one type."""

    class Ddp(AliasType):
        family, name = 5, "ddp"

    entries.update({"ddp": Ddp, "appletalk": Ddp, "netalias-5": Ddp})
    registry = families.lazy()
    first = registry.get("ddp")
    assert registry.get("appletalk") is first
    assert registry.get(5) is first
    assert registry.types() == [first]


@pytest.mark.parametrize(
    "thing",
    [
        ImportError("no module"),
        ValueError("two\nlines"),
        object,
        lambda: 1 / 0,
        lambda: None,
        "not callable",
    ],
)
def test_broken_entry_point(entries: dict[str, object], thing: object) -> None:
    """A plug-in that raises, or gives something else, is a FamilyError that names it."""
    entries["ddp"] = thing
    error = refused(families.lazy().find, "ddp")
    assert (error.errno, error.status) == (EINVAL, errors.STATUS_KERNEL)
    assert str(error).startswith("ddp: ")
    assert "somewhere:Thing" in str(error)


def test_entry_point_of_a_builtin_family(entries: dict[str, object]) -> None:
    """S50: nobody takes over IPv4 under another word."""
    entries["fast"] = lambda: made(2, "fast")
    assert "of family 2" in str(refused(families.lazy().find, "fast"))


def test_entry_point_of_another_family(entries: dict[str, object]) -> None:
    """``netalias-5`` has to be of family 5."""
    entries["netalias-5"] = lambda: made(6, "x")
    assert "of family 6" in str(refused(families.lazy().find, 5))


# What a type need not have ------------------------------------------------------------------


def test_defaults() -> None:
    """S55: the first four bytes, equality of them, no selection, "-", and nothing to send."""
    one = made()
    bound = Alias(AliasName("eth0", 0), "dummy", family=5, address=b"\1\2\3\4\5")
    assert one.get_addr32(b"\1\2\3\4\5") == 0x01020304
    assert one.dev_addr_chk(bound, b"\1\2\3\4\6")
    assert not one.dev_addr_chk(bound, b"\1\2\3\5\5")
    assert one.dev_select is None
    assert one.alias_print(bound) == one.format(b"\1") == "-"
    assert one.bits == 24
    with pytest.raises(errors.BadAddress, match="no text form"):
        one.parse("1")
    assert one.alias_init(bound) is one.alias_done(bound) is None
