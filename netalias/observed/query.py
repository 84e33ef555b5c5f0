"""Questions to the observed state: the aliases that names, patterns and addresses select."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import PREFIX
from netalias.model import names
from netalias.observed import ordered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.model import Alias, Device
    from netalias.observed import Observed


def find(observed: Observed, name: names.AliasName) -> Alias:
    """The alias called *name*, by any name of its main device. Raises NoSuchDevice."""
    main = observed.snapshot.device(name.main)
    wanted = names.AliasName(main.name, name.slot) if main is not None else name
    alias = observed.find(wanted)
    if alias is None:
        if main is None:
            raise errors.NoSuchDevice(f"{name}: there is no device {name.main}")
        from netalias.observed.misnamed import absent

        raise absent(wanted, observed)
    return alias


def select(observed: Observed, wanted: Sequence[str] = ()) -> list[Alias]:
    """The aliases of *observed* in chain order; with *wanted*, only those that it selects: names of
    main devices or aliases, ranges and patterns (pattern.py). Raises BadName, NoSuchDevice.
    """
    if not wanted:
        return ordered(observed.aliases, observed.snapshot)
    chosen: list[Alias] = []
    for word in wanted:
        if ":" in word:
            if any(letter in "-*?[" for letter in word.partition(":")[2]):
                chosen += _matching(observed, word)
                continue
            # An alias of ours and a foreign label may share a name.
            chosen += observed.by_name[find(observed, names.parse(word)[0]).name]
            continue
        names.check_device(word, limit=names.ALTNAME_MAX)
        main = observed.snapshot.device(word)
        if main is None:
            hint = f"netalias lookup {word}" if word.count(".") == 3 else ""
            raise errors.NoSuchDevice(f"{word}: there is no such device", hint)
        chosen += [alias for alias in observed.aliases if main in (alias.main, alias.device)]
    return ordered(list({id(alias): alias for alias in chosen}.values()), observed.snapshot)


def _matching(observed: Observed, word: str) -> list[Alias]:
    """The aliases that a range or a pattern stands for. Raises BadName, NoSuchDevice."""
    from netalias.observed.pattern import pattern

    main, _, slots = word.partition(":")
    device = observed.snapshot.device(main)
    matches = pattern(f"{device.name}:{slots}" if device is not None else word)
    if matches is None:
        names.parse(word)  # which says why
        raise errors.BadName(f"{word}: names are shown, and not deleted")
    found = [alias for alias in observed.aliases if matches(alias.name)]
    if not found:
        raise errors.NoSuchDevice(f"{word}: there are no such aliases")
    return found


def only(observed: Observed, name: str) -> Device:
    """The main device *name* of ``--only``. Raises NoSuchDevice; BadName for an alias."""
    main = observed.snapshot.device(name)
    if main is None:
        raise errors.NoSuchDevice(f"--only {name}: there is no such device")
    from netalias.observed.remnants import is_marked

    if is_marked(main.group, observed.group):
        raise errors.BadName(f"--only {name}: this is an alias, a main device is needed")
    return main


def lookup(observed: Observed, address: str, type_name: str = "") -> Alias | None:
    """The alias that owns *address*, given as text; None without one. Among several, one that is
    up is preferred, then one of ours, then the newest; a network comes after a host in it, and
    after a smaller network.

    *type_name* is the name of an alias type; without it, the text tells IPv4 from IPv6. Raises
    BadAddress, FamilyError.
    """
    from netalias.observed.index import DictIndex

    alias_type = observed.registry.get(type_name or ("ipv6" if ":" in address else "ip"))
    packed, _ = alias_type.parse(address)
    # The index finds the last added alias of one address.
    hosts = (alias for alias in observed.aliases if alias.kind != PREFIX)
    index = DictIndex(sorted(hosts, key=_precedence))
    mains = {alias.name.main for alias in observed.aliases}
    found = (index.find(main, alias_type.family, packed) for main in mains)
    owners = [alias for alias in found if alias and alias_type.dev_addr_chk(alias, packed)]
    if not owners and observed.snapshot.local_routes:
        from netalias.observed.prefixes import longest

        owners = longest(observed.aliases, packed)
    return max(owners, key=_precedence, default=None)


def _precedence(alias: Alias) -> tuple[bool, bool, int]:
    return alias.up, alias.ours, alias.device.index if alias.device is not None else 0
