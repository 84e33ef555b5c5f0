"""The commands of ``netalias emulate``: words -> calls of the emulator -> lines of text."""

from __future__ import annotations

from errno import EINVAL

from netalias import errors
from netalias.emulator.device import Device, has_number
from netalias.emulator.trace import Trace
from netalias.emulator.variants import (
    IFF_ALLMULTI,
    IFF_DEBUG,
    IFF_MASTER,
    IFF_NOTRAILERS,
    IFF_PROMISC,
    IFF_SLAVE,
    IFF_SOFTHEADERS,
    SMALL,
)
from netalias.families import load
from netalias.families.inet import Inet, netmask, prefix_length, quad
from netalias.model import (
    AF_INET,
    AF_INET6,
    ARPHRD_ETHER,
    ARPHRD_LOOPBACK,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_POINTOPOINT,
    IFF_RUNNING,
    IFF_UP,
    names,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netalias.emulator.engine import Emulator
    from netalias.families import AliasType

MANY = 1000
"""Any number of words."""

FLAGS = (
    (IFF_UP, "UP"),
    (IFF_BROADCAST, "BROADCAST"),
    (IFF_DEBUG, "DEBUG"),
    (IFF_LOOPBACK, "LOOPBACK"),
    (IFF_POINTOPOINT, "POINTOPOINT"),
    (IFF_NOTRAILERS, "NOTRAILERS"),
    (IFF_RUNNING, "RUNNING"),
    (IFF_NOARP, "NOARP"),
    (IFF_PROMISC, "PROMISC"),
    (IFF_ALLMULTI, "ALLMULTI"),
    (IFF_MASTER, "MASTER"),
    (IFF_SLAVE, "SLAVE"),
    (IFF_MULTICAST, "MULTICAST"),
    (IFF_SOFTHEADERS, "SOFTHEADERS"),
)

_WORDS = {"inet": AF_INET, "inet6": AF_INET6}
"""Words for a family beside the names of the registered types."""


class Request:
    """The values of the words after a name; None or empty for words not given."""

    __slots__ = ("address", "flags", "metric", "mtu", "prefixlen", "type", "up")

    def __init__(self) -> None:
        self.type: AliasType | None = None
        self.address = b""
        self.prefixlen: int | None = None
        self.flags: int | None = None
        self.metric: int | None = None
        self.mtu: int | None = None
        self.up: bool | None = None


def alias_command(emulator: Emulator, name: str, words: Sequence[str]) -> Iterator[str]:
    """Execute ``NAME:SLOT ...`` in any form; the lines that it prints."""
    if name.endswith("-"):
        emulator.set_address(name, b"")  # further words are ignored
        return
    if not words:
        yield _detail(emulator, emulator.get(name))
        return
    request = _parse(emulator, words)
    if request.type is not None:
        emulator.set_address(name, request.address, request.type.family)
    _apply(emulator, name, request)
    if request.type is not None and request.up is not False and request.flags is None:
        emulator.up(name)  # as ifconfig does, by a second ioctl


def _apply(emulator: Emulator, name: str, request: Request) -> None:
    if request.prefixlen is not None:
        emulator.set_prefixlen(name, request.prefixlen)
    if request.metric is not None:
        emulator.set_metric(name, request.metric)
    if request.mtu is not None:
        emulator.set_mtu(name, request.mtu)
    if request.flags is not None:
        emulator.set_flags(name, request.flags)
    if request.up is not None:
        (emulator.up if request.up else emulator.down)(name)


def _parse(emulator: Emulator, words: Sequence[str]) -> Request:
    request = Request()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("up", "down"):
            request.up = word == "up"
        elif word in _VALUES:
            if not rest:
                raise errors.UsageError(f"{word} needs a value")
            slot, read = _VALUES[word]
            setattr(request, slot, read(rest.pop(0)))
        elif request.type is None:
            _take_address(emulator, request, word, rest)
        else:
            raise errors.UsageError(f"{word}: there is no such word, or one address too many")
    return request


def _take_address(emulator: Emulator, request: Request, word: str, rest: list[str]) -> None:
    known = {one.name: one.family for one in emulator.registry.types()} | _WORDS
    if word in known:
        if not rest:
            raise errors.UsageError(f"{word} needs an address")
        request.type = emulator.registry.get(known[word])
        word = rest.pop(0)
    else:
        request.type = _type_of(emulator, word)
    request.address, prefixlen = _parsed(request.type, word)
    if prefixlen is not None:
        request.prefixlen = prefixlen


def _number(text: str) -> int:
    number = names.number(text, 9)
    if number < 0:
        raise errors.UsageError(f"{text}: not a number")
    return number


def _signed(text: str) -> int:
    # The kernel reads one minus sign.
    minus = text.isascii() and text[:1] == "-" and text[1:].isdigit()
    return -_number(text[1:]) if minus else _number(text)


def _flags(text: str) -> int:
    flags = 0
    for word in text.split(","):
        if word in _BITS:
            flags |= _BITS[word]
        elif word[:2] == "0x" and 2 < len(word) <= 6 and not set(word[2:]) - _HEX:
            flags |= int(word, 16)
        else:
            raise errors.UsageError(f"{word}: no flag is called so", "such as UP,NOARP or 0x81")
    return flags


_BITS = {word: bit for bit, word in FLAGS}
_HEX = frozenset("0123456789abcdefABCDEF")

_VALUES: dict[str, tuple[str, Callable[[str], int]]] = {
    "flags": ("flags", _flags),
    "netmask": ("prefixlen", netmask),
    "prefixlen": ("prefixlen", lambda text: prefix_length(text, text, 128)),
    "metric": ("metric", _number),
    "mtu": ("mtu", _number),
}


def _device(emulator: Emulator, name: str, *words: str) -> Iterator[str]:
    if words == ("remove",):
        emulator.remove_device(name)
        return
    request = _parse(emulator, words)
    if emulator.find(name) is None:
        loopback = name == "lo"
        kind = ARPHRD_LOOPBACK if loopback else ARPHRD_ETHER
        born = IFF_LOOPBACK if loopback else IFF_BROADCAST
        if request.flags is not None:
            born = request.flags & ~IFF_UP  # the driver's: an ioctl has no say in some of them
        emulator.add_device(name, born, kind)
    if request.type is not None:
        emulator.set_address(name, request.address, request.type.family)
    _apply(emulator, name, request)
    yield from ()


def _show(emulator: Emulator, *wanted: str) -> Iterator[str]:
    chosen = [emulator.get(name) for name in wanted] or [
        device for device in emulator if device.alias is None
    ]
    for device in chosen:
        shown = [device] if device.alias else [one.device for one in emulator.aliases_of(device)]
        yield from (_line(emulator, one) for one in shown)


def _lookup(emulator: Emulator, text: str) -> Iterator[str]:
    found, address = _address(emulator, text)
    owner = emulator.owner(address, found.family)
    if owner is None:
        raise errors.NoSuchDevice(f"{text}: no device that is up has this address")
    yield owner.name


def _hash(emulator: Emulator, text: str) -> Iterator[str]:
    found, address = _address(emulator, text)
    for size in sorted({SMALL, emulator.variant.large}):
        number = emulator.bucket(address, found.family, size)
        yield f"{text} bucket {number} of {size}"


def _receive32(emulator: Emulator, *words: str) -> Iterator[str]:
    *mains, text, target = words
    source = 0 if text == "-" else _number32(text)
    main = emulator.get(mains[0]) if mains else next(iter(_receivers(emulator)), None)
    device = emulator.rcv_sel32(main, AF_INET, source, _number32(target))
    if device is None:
        raise errors.NoSuchDevice("no main device is up")
    yield device.name


def _number32(text: str) -> int:
    packed = quad(text)
    if packed is None:
        raise errors.BadAddress(f"{text}: not an IPv4 address")
    return int.from_bytes(packed, "big")


def _receive(emulator: Emulator, *words: str) -> Iterator[str]:
    *mains, text, target = words
    found, destination = _address(emulator, target)
    source = b"" if text == "-" else _address(emulator, text)[1]
    chosen = [emulator.get(name) for name in mains] or _receivers(emulator)
    if not chosen:
        raise errors.NoSuchDevice("no main device is up")
    # Without a main device named: the first that has the address, or an alias that is chosen.
    for main in chosen:
        device = emulator.rcv_sel(main, source, destination, found.family)
        if device is not None and (device is not main or has_number(main, destination)):
            yield device.name
            return
    yield chosen[0].name


def _receivers(emulator: Emulator) -> list[Device]:
    """The main devices that are up, those with aliases first."""
    mains = [device for device in emulator if device.alias is None and device.up]
    return sorted(mains, key=lambda device: device.block is None)


def _transmit(emulator: Emulator, name: str) -> Iterator[str]:
    yield emulator.dev_tx(emulator.get(name)).name


def _route(emulator: Emulator, network: str, name: str) -> Iterator[str]:
    found = _type_of(emulator, network)
    address, length = _parsed(found, network)
    if length is None:
        length = found.bits
    emulator.routes.add(found.family, address, length, emulator.get(name).name)
    yield from ()


def _chain(emulator: Emulator) -> Iterator[str]:
    yield " ".join(emulator.chain)


def _cat(emulator: Emulator, name: str) -> Iterator[str]:
    if name not in emulator.texts.listdir():
        raise errors.UsageError(f"cat {name}: there are {' '.join(emulator.texts.listdir())}")
    text = emulator.texts.open(name).read().decode("utf-8", "surrogateescape")
    yield from text.splitlines()


def _types(emulator: Emulator) -> Iterator[str]:
    for one in emulator.registry.types():
        yield f"{one.family} {one.name} {emulator.registry.n_attach(one)}"


class Plain(Inet):
    """A type of four bytes without hooks of its own, as most families would have had one."""

    def __init__(self, family: int, name: str) -> None:
        self.family = family
        self.name = name

    def alias_print(self, alias: object) -> str:
        """A hyphen: the kernel printed it where a type had no printer."""
        return "-"


def _type(emulator: Emulator, verb: str, word: str, *family: str) -> Iterator[str]:
    registry = emulator.registry
    if family:
        if verb != "add":
            raise errors.UsageError(f"type {verb}: one NAME or FAMILY")
        registry.register(Plain(_number(family[0]), word))
        return
    key: int | str = int(word) if word.isdecimal() and len(word) < 6 else word
    known = {one.name: one for one in registry.types()} | {
        one.family: one for one in registry.types()
    }
    if verb == "remove":
        registry.unregister(known.get(_WORDS.get(word, key)))
    elif verb == "add":
        found = load(key)
        if found is None:
            raise errors.FamilyError(f"{word}: no alias type is called so", errno=EINVAL)
        if found.dev_select is None:
            found.dev_select = emulator.route_device
        registry.register(found)
    else:
        raise errors.UsageError(f"type {verb}: there are add and remove")
    yield from ()


def _trace(emulator: Emulator) -> Iterator[str]:
    if emulator.trace is None:
        emulator.trace = Trace(emulator)
    yield from emulator.trace.take()


def _max(emulator: Emulator, *values: str) -> Iterator[str]:
    if values:
        emulator.maximum = _signed(values[0])
    else:
        yield str(emulator.maximum)


def _counters(emulator: Emulator) -> Iterator[str]:
    for device in emulator:
        if device.alias is None:
            continue
        counts = f"rx {device.alias.rx_lookups} tx {device.alias.tx_lookups}"
        yield f"{device.name}: {counts if emulator.variant.counting else 'no statistics'}"


COMMANDS: dict[str, tuple[str, int, int, Callable[..., Iterator[str]]]] = {
    "cat": ("aliases|alias_types", 1, 1, _cat),
    "chain": ("", 0, 0, _chain),
    "counters": ("", 0, 0, _counters),
    "device": ("NAME [ADDRESS] [up|down|remove]", 1, MANY, _device),
    "hash": ("ADDRESS", 1, 1, _hash),
    "lookup": ("ADDRESS", 1, 1, _lookup),
    "max": ("[N]", 0, 1, _max),
    "route": ("NETWORK/LEN DEVICE", 2, 2, _route),
    "rx": ("[MAIN] SRC|- DST", 2, 3, _receive),
    "rx32": ("[MAIN] SRC|- DST", 2, 3, _receive32),
    "show": ("[MAIN|NAME...]", 0, MANY, _show),
    "trace": ("", 0, 0, _trace),
    "tx": ("NAME", 1, 1, _transmit),
    "type": ("add|remove NAME|FAMILY, or add NAME FAMILY", 2, 3, _type),
    "types": ("", 0, 0, _types),
}
"""Name: arguments, least and greatest number of them, function."""


def _type_of(emulator: Emulator, text: str) -> AliasType:
    return emulator.registry.get(AF_INET6 if ":" in text else AF_INET)


def _address(emulator: Emulator, text: str) -> tuple[AliasType, bytes]:
    found = _type_of(emulator, text)
    return found, _parsed(found, text)[0]


def _parsed(found: AliasType, text: str) -> tuple[bytes, int | None]:
    """``ADDRESS[/LEN]`` as parse() of a type, but four numbers are an address of any class.

    The type refuses those of groups, which no host has for itself; the kernel of 1997 did not look.
    """
    address, slash, length = text.partition("/")
    packed = quad(address) if isinstance(found, Inet) else None
    if packed is None:
        return found.parse(text)
    return packed, prefix_length(length, text) if slash else None


def _line(emulator: Emulator, device: Device) -> str:
    known = {one.family: one for one in emulator.registry.types()}
    found = known.get(device.family)
    text = "-"
    if device.address:
        text = found.format(device.address) if found is not None else device.address.hex()
        text = f"{text}/{device.prefixlen}"
    name = found.name if found is not None else str(device.family)
    return f"{device.name} {name} {text} {'up' if device.up else 'down'}"


def _detail(emulator: Emulator, device: Device) -> str:
    flags = ",".join(word for bit, word in FLAGS if device.flags & bit)
    return f"{_line(emulator, device)} <{flags}> metric {device.metric} mtu {device.mtu}"
