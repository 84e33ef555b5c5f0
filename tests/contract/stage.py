"""The stage of the contract suite: its kernels, and what the tests say to them."""

from __future__ import annotations

from socket import inet_pton

from support import LINUX, Namespace, until

from netalias import errors, kinds
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.kinds import Goal
from netalias.model import (
    AF_INET,
    AF_INET6,
    GROUP,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    IFF_LOWER_UP,
    IFF_UP,
    PROTOCOL,
    Address,
    Device,
    Snapshot,
)
from netalias.model.commands import command
from netalias.model.names import AliasName
from netalias.model.steps import CreateLink, Step

MAC = bytes.fromhex("020000000501")
OTHER_MAC = bytes.fromhex("020000000502")
BRIDGE = 4
IF_OPER_UP = 6


def netlink() -> Kernel:
    """On the socket of the current thread's namespace."""
    from netalias.kernel.netlink import Netlink

    return Netlink()


def iproute() -> Kernel:
    """Through pyroute2."""
    from netalias.kernel.pyroute import Iproute

    return Iproute()


def memory() -> Memory:
    """With the stage set."""
    made = Memory()
    made.add_device("eth9", "veth", link=2, remote=True)
    made.set_device("eth9", addrgen=1)
    made.set_device("eth9", up=True)
    return made


def memory_port(kernel: Memory) -> None:
    """Make eth9 the port of a bridge."""
    kernel.add_device("br9", "bridge")
    kernel.set_device("eth9", master="br9")


def ip_port(namespace: Namespace) -> None:
    """The same, by ip(8)."""
    namespace.ip("link add br9 type bridge")
    namespace.ip("link set eth9 master br9")


def index(kernel: Kernel, name: str) -> int:
    """The index of a device; one that cannot exist when it does not."""
    device = kernel.snapshot().device(name)
    return device.index if device is not None else 9999


def inet(text: str, **fields: object) -> Address:
    """``10.0.0.1/24`` as an Address."""
    word, _, length = text.partition("/")
    family = AF_INET6 if ":" in word else AF_INET
    return Address(0, family, inet_pton(family, word), int(length), **fields)  # type: ignore[arg-type]


def alias(
    kernel: Kernel, slot: int, address: str, *, owner: int = 0, **fields: object
) -> list[Step]:
    """The steps by which the kind macvlan makes ``eth9:slot``."""
    main = kernel.snapshot().device("eth9")
    assert main is not None
    entry = inet(address, protocol=PROTOCOL)
    family = Inet() if entry.family == AF_INET else Inet6()
    goal = Goal(
        AliasName("eth9", slot), main, family, entry.local, entry.prefixlen,
        device=f"eth9_{slot}", entry=entry, group=GROUP, **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    steps = kinds.get("macvlan").make(goal)
    for step in steps:
        step.owner = owner
    return steps


def macvlan(kernel: Kernel, name: str, below: str = "eth9", **fields: object) -> CreateLink:
    """The step that makes a macvlan."""
    link = index(kernel, below) if below else 0
    words = {"mode": BRIDGE, "group": GROUP, **fields}
    return CreateLink(name, "macvlan", link=link, below=below, **words)  # type: ignore[arg-type]


def done(kernel: Kernel, *steps: Step) -> None:
    """Send steps that must succeed."""
    assert [str(error) for error in kernel.send(steps) if error is not None] == []


def refused(kernel: Kernel, step: Step) -> errors.NetaliasError:
    """Send a step that must not succeed."""
    (error,) = kernel.send([step])
    assert error is not None, command(step)
    return error


def settled(kernel: Kernel) -> Snapshot:
    """A snapshot in which the state of every device has followed its carrier: 6.1 answers
    before linkwatch has done its work."""
    return until(lambda: next(filter(_followed, [kernel.snapshot()]), None))


def _followed(snapshot: Snapshot) -> bool:
    return all(
        bool(device.flags & IFF_LOWER_UP) == (device.operstate == IF_OPER_UP)
        for device in snapshot.devices.values()
        if device.flags & IFF_UP and device.name != "lo"
    )


def device_values(snapshot: Snapshot, name: str) -> dict[str, object]:
    """Everything about a device but its numbers; devices it refers to by name."""
    device = snapshot.device(name)
    assert device is not None
    values = {key: getattr(device, key) for key in Device.__slots__}
    for key in ("index", "stats", "mac"):
        del values[key]
    values["link"] = "" if device.remote else _name(snapshot, device.link)
    values["master"] = _name(snapshot, device.master)
    return values


def _name(snapshot: Snapshot, number: int) -> str:
    return snapshot.devices[number].name if number else ""


def address_values(snapshot: Snapshot, name: str) -> list[dict[str, object]]:
    """Everything about the addresses of a device; duplicate address detection is not waited for."""
    device = snapshot.device(name)
    assert device is not None
    values = []
    for entry in snapshot.on(device.index):
        keys = [key for key in Address.__slots__ if key not in ("index", "age")]
        found = {key: getattr(entry, key) for key in keys}
        found["flags"] = entry.flags & ~IFA_F_TENTATIVE
        values.append(found)
    return values


WORDS_SINCE = {"ipv6: address lifetime invalid": (6, 18), "ipv": (6, 12)}
"""Beginning of what a kernel says -> the first one of those we run that says it."""


def same_words(found: str, wanted: str) -> bool:
    """Whether *found* is what the kernel says, or nothing where it does not say it yet."""
    since = next((WORDS_SINCE[one] for one in WORDS_SINCE if wanted.startswith(one)), (0, 0))
    return found == wanted or (not found and since > LINUX)


def texts(kernel: Kernel, name: str) -> list[str]:
    """The addresses of a device; a secondary has a star."""
    star = {0: "", IFA_F_SECONDARY: "*"}
    return [
        f"{'.'.join(map(str, entry.local))}/{entry.prefixlen}{star[entry.flags & IFA_F_SECONDARY]}"
        for entry in kernel.snapshot(AF_INET).on(index(kernel, name))
    ]


def state(kernel: Kernel) -> dict[str, object]:
    """All that a refused plan must not have changed."""
    snapshot = settled(kernel)
    return {
        device.name: (device_values(snapshot, device.name), address_values(snapshot, device.name))
        for device in snapshot.devices.values()
    }
