"""Address rules of the kernel in memory: the addresses that a device accepts, and their order.

After ``inet_rtm_newaddr``, ``inet_insert_ifa``, ``__inet_del_ifa`` and ``inetdev_event`` of
net/ipv4/devinet.c, and ``inet6_addr_add``, ``inet6_addr_modify``, ``inet6_addr_del`` and
``ipv6_link_dev_addr`` of net/ipv6/addrconf.c (6.x).
Every function works on the list of addresses of one device.

Rules:
- IPv4: primaries first, each behind the last primary of its scope or a wider one; then
  secondaries. A second address of a network is a secondary and must have the same scope;
- IPv6: wider scopes first, the newest first within a scope; an address exists only once, whatever
  its prefix length;
- time passes only by grow_old(); duplicate address detection ends at once.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EEXIST, EINVAL, ERANGE

from netalias import errors
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_MCAUTOJOIN,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_OPTIMISTIC,
    IFA_F_PERMANENT,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    Address,
    prefix,
)
from netalias.model.names import NAME_MAX

# linux/rtnetlink.h, linux/if_addr.h.
RT_SCOPE_SITE = 200
IFAPROT_KERNEL_LO = 1
IFAPROT_KERNEL_LL = 3
IFA_F_HOMEADDRESS = 0x10
IFA_F_MANAGETEMPADDR = 0x100

IPV6ONLY_FLAGS = (
    IFA_F_NODAD
    | IFA_F_OPTIMISTIC
    | IFA_F_DADFAILED
    | IFA_F_HOMEADDRESS
    | IFA_F_TENTATIVE
    | IFA_F_MANAGETEMPADDR
)
"""Flags that an IPv4 address cannot have (net/ipv4/devinet.c)."""
INET6_FLAGS = (
    IFA_F_NODAD
    | IFA_F_OPTIMISTIC
    | IFA_F_HOMEADDRESS
    | IFA_F_MANAGETEMPADDR
    | IFA_F_NOPREFIXROUTE
    | IFA_F_MCAUTOJOIN
)
"""Flags that inet6_rtm_newaddr takes from the message."""
MODIFIED_FLAGS = (
    IFA_F_DEPRECATED
    | IFA_F_PERMANENT
    | IFA_F_NODAD
    | IFA_F_HOMEADDRESS
    | IFA_F_MANAGETEMPADDR
    | IFA_F_NOPREFIXROUTE
)
"""Flags that inet6_addr_modify clears before it sets those of the message."""

POLICY = "Attribute failed policy validation"
LOOPBACK6 = bytes(15) + b"\1"


class Refusal(Exception):
    """A refusal by the kernel: errno, and the text of the extended acknowledgement or none."""

    def __init__(self, errno: int, text: str = "") -> None:
        super().__init__(errno, text)
        self.errno = errno
        self.text = text


def copy(entry: Address) -> Address:
    """Another Address with the same values."""
    made = Address.__new__(Address)
    for name in Address.__slots__:
        setattr(made, name, getattr(entry, name))
    return made


def insert(entries: list[Address], wanted: Address, loopback: bool) -> None:
    """Add a copy of *wanted* to the addresses of one device. Raises Refusal."""
    _check_label(wanted)
    entry = copy(wanted)
    entry.age = 0
    if entry.family == AF_INET:
        _insert4(entries, entry)
    else:
        _insert6(entries, entry, loopback)


def replace(entries: list[Address], wanted: Address, loopback: bool) -> None:
    """Set lifetimes, metric and protocol of an address (NLM_F_REPLACE). Raises Refusal.

    Label, broadcast and scope stay; for IPv6 the prefix length stays, and peer and flags are set
    too. A missing address is added: the kernel does not ask for NLM_F_CREATE.
    """
    _check_label(wanted)
    modify = _modify4 if wanted.family == AF_INET else _modify6
    if not modify(entries, wanted):
        insert(entries, wanted, loopback)


def replace_but_mark(entries: list[Address], wanted: Address, loopback: bool) -> None:
    """As replace(), but the protocol of an address that is there stays. Raises Refusal."""
    present = {id(entry): entry.protocol for entry in entries}
    replace(entries, wanted, loopback)
    for entry in entries:
        entry.protocol = present.get(id(entry), entry.protocol)


def renew(entries: list[Address], wanted: Address, loopback: bool) -> None:
    """As replace(), but nothing can be added (group_delete.renew_address). Raises Refusal."""
    _check_label(wanted)
    modify, text = {
        AF_INET: (_modify4, "ipv4: Multicast auto join failed"),
        AF_INET6: (_modify6, "ipv6: Invalid prefix length"),
    }[wanted.family]
    if not modify(entries, wanted):
        raise Refusal(EINVAL, text)


def grow_old(entries: list[Address], seconds: int) -> list[Address]:
    """Let finite lifetimes run down; the addresses whose lifetime is over (check_lifetime)."""
    for entry in entries:
        if entry.valid != FOREVER:
            entry.age += seconds * 100
            entry.valid = max(entry.valid - seconds, 0)
            entry.preferred = max(entry.preferred - seconds, 0)
            entry.flags |= 0 if entry.preferred else IFA_F_DEPRECATED
    return [entry for entry in entries if not entry.valid]


def delete(entries: list[Address], wanted: Address, promote: bool) -> None:
    """Remove *wanted*, and its secondaries unless *promote*. Raises Refusal."""
    _check_label(wanted)
    if wanted.family == AF_INET:
        _delete4(entries, wanted, promote)
    else:
        _delete6(entries, wanted)


def _check_label(wanted: Address) -> None:
    if len(wanted.label.encode("utf-8", "surrogateescape")) > NAME_MAX:
        raise Refusal(ERANGE, POLICY)


def _check_common(entry: Address, words: str) -> None:
    if entry.prefixlen > len(entry.local) * 8:
        raise Refusal(EINVAL, f"{words}: Invalid prefix length")
    _check_lifetime(entry, words)


def _check_lifetime(entry: Address, words: str) -> None:
    if not entry.valid or entry.preferred > entry.valid:
        raise Refusal(EINVAL, f"{words}: address lifetime invalid")


def _lifetime_flags(entry: Address) -> int:
    """IFA_F_PERMANENT and IFA_F_DEPRECATED follow from the lifetimes (set_ifa_lifetime)."""
    flags = IFA_F_PERMANENT if entry.valid == FOREVER else 0
    return flags | (0 if entry.preferred else IFA_F_DEPRECATED)


# IPv4 -----------------------------------------------------------------------------------------


def _insert4(entries: list[Address], entry: Address) -> None:
    _check_common(entry, "ipv4")
    if not any(entry.local):
        return  # the kernel accepts 0.0.0.0 and adds nothing
    entry.flags &= ~(IPV6ONLY_FLAGS | IFA_F_SECONDARY | IFA_F_PERMANENT | IFA_F_DEPRECATED)
    entry.flags |= _lifetime_flags(entry)
    if entry.valid == FOREVER:
        entry.preferred = FOREVER
    for other in _neighbours(entries, entry):
        if other.local == entry.local:
            raise Refusal(EEXIST, "ipv4: Address already assigned")
        if other.scope != entry.scope:
            raise Refusal(EINVAL, "ipv4: Invalid scope value")
        entry.flags |= IFA_F_SECONDARY
    entries.insert(_place4(entries, entry), entry)


def _modify4(entries: list[Address], wanted: Address) -> bool:
    """Set the fields of the address; whether it exists (find_matching_ifa)."""
    _check_common(wanted, "ipv4")
    for entry in entries:
        if entry.local == wanted.local and same_network(entry, wanted):
            kept = entry.flags & ~(IFA_F_PERMANENT | IFA_F_DEPRECATED)
            entry.flags = kept | _lifetime_flags(wanted)
            entry.valid = wanted.valid
            entry.preferred = FOREVER if wanted.valid == FOREVER else wanted.preferred
            entry.age = 0
            entry.metric, entry.protocol = wanted.metric, wanted.protocol
            return True
    return False


def _place4(entries: list[Address], entry: Address) -> int:
    for place in range(len(entries), 0, -1):  # from the end: there may be thousands
        other = entries[place - 1]
        primary = not other.flags & IFA_F_SECONDARY and entry.scope <= other.scope
        if other.family == AF_INET and (entry.flags & IFA_F_SECONDARY or primary):
            return place
    return 0


def _neighbours(entries: list[Address], entry: Address) -> list[Address]:
    """The addresses in the network of *entry*, as by same_network(), for thousands of them."""
    length, place = entry.prefixlen, entry.peer or entry.local
    shift = len(place) * 8 - length
    if not shift:
        return [
            other
            for other in entries
            if (other.peer or other.local) == place and other.prefixlen == length
        ]
    network = int.from_bytes(place, "big") >> shift
    return [
        other
        for other in entries
        if other.prefixlen == length
        and other.family == AF_INET
        and int.from_bytes(other.peer or other.local, "big") >> shift == network
    ]


def same_network(one: Address, other: Address) -> bool:
    """Whether mask and network are equal; with a peer, those of the peer (inet_ifa_match)."""
    if one.family != AF_INET or one.prefixlen != other.prefixlen:
        return False
    return prefix.contains(one.peer or one.local, one.prefixlen, other.peer or other.local)


def _delete4(entries: list[Address], wanted: Address, promote: bool) -> None:
    found = next((entry for entry in entries if _matches4(entry, wanted)), None)
    if found is None:
        raise Refusal(EADDRNOTAVAIL, "ipv4: Address not found")
    entries.remove(found)
    if found.flags & IFA_F_SECONDARY:
        return
    secondaries = [
        entry for entry in entries if entry.flags & IFA_F_SECONDARY and same_network(entry, found)
    ]
    if promote and secondaries:
        first = secondaries[0]
        entries.remove(first)
        first.flags &= ~IFA_F_SECONDARY
        entries.insert(_place4(entries, first), first)
        return
    for entry in secondaries:
        entries.remove(entry)


def _matches4(entry: Address, wanted: Address) -> bool:
    return (
        entry.local == wanted.local
        and same_network(entry, wanted)
        and (not wanted.label or wanted.label == entry.label)
    )


# IPv6 -----------------------------------------------------------------------------------------


def _insert6(entries: list[Address], entry: Address, loopback: bool) -> None:
    _check_common(entry, "ipv6")
    entry.scope = scope6(entry.local)
    if not any(entry.local):
        raise Refusal(EADDRNOTAVAIL, "ipv6: Invalid address")
    if entry.local[0] == 0xFF and not entry.flags & IFA_F_MCAUTOJOIN:
        raise Refusal(
            EADDRNOTAVAIL,
            'ipv6: Cannot assign multicast address without "IFA_F_MCAUTOJOIN" flag',
        )
    if entry.local == LOOPBACK6 and not loopback:
        raise Refusal(EADDRNOTAVAIL, "ipv6: Cannot assign loopback address on this device")
    if any(other.local == entry.local for other in entries):
        raise Refusal(EEXIST, "ipv6: address already assigned")
    entry.flags = (entry.flags & INET6_FLAGS) | _lifetime_flags(entry)
    entry.label, entry.broadcast = "", b""
    entries.insert(_place6(entries, entry), entry)


def _modify6(entries: list[Address], wanted: Address) -> bool:
    """Set the fields of the address; whether it exists, under any prefix length. Metric 0 stays."""
    _check_lifetime(wanted, "ipv6")
    for entry in entries:
        if entry.local == wanted.local:
            flags = wanted.flags & INET6_FLAGS & ~IFA_F_OPTIMISTIC
            entry.flags = entry.flags & ~MODIFIED_FLAGS | flags | _lifetime_flags(wanted)
            entry.valid, entry.preferred, entry.age = wanted.valid, wanted.preferred, 0
            entry.metric = wanted.metric or entry.metric
            entry.peer = wanted.peer or entry.peer
            entry.protocol = wanted.protocol
            return True
    return False


def _place6(entries: list[Address], entry: Address) -> int:
    for place, other in enumerate(entries):
        if other.family == AF_INET6 and _rank6(entry) >= _rank6(other):
            return place
    return len(entries)


def _rank6(entry: Address) -> int:
    """The rank of the scope, wide ones higher (ipv6_addr_src_scope), unlike RT_SCOPE_*."""
    return 255 - entry.scope


def scope6(local: bytes) -> int:
    """RT_SCOPE_* that follows from the address itself (__ipv6_addr_type)."""
    if local == LOOPBACK6:
        return RT_SCOPE_HOST
    first = int.from_bytes(local[:2], "big") & 0xFFC0
    return {0xFE80: RT_SCOPE_LINK, 0xFEC0: RT_SCOPE_SITE}.get(first, RT_SCOPE_UNIVERSE)


def _delete6(entries: list[Address], wanted: Address) -> None:
    for place, entry in enumerate(entries):
        if entry.local == wanted.local and entry.prefixlen == wanted.prefixlen:
            del entries[place]
            return
    raise Refusal(EADDRNOTAVAIL, "ipv6: address not found")


# Addresses that the kernel adds and removes by itself -----------------------------------------


def loopback_up(entries: list[Address], index: int, name: str, inet6: bool) -> None:
    """Add 127.0.0.1/8, unless another address prevents it, and ::1."""
    if inet6:
        _kernel6(entries, Address(index, AF_INET6, LOOPBACK6, 128, protocol=IFAPROT_KERNEL_LO))
    local = b"\x7f\0\0\1"
    try:
        _insert4(entries, Address(index, AF_INET, local, 8, scope=RT_SCOPE_HOST, label=name))
    except Refusal:
        return


def link_local(entries: list[Address], index: int, eui64: bytes) -> None:
    """Add fe80::/64 with an interface identifier, unless it exists."""
    local = b"\xfe\x80" + bytes(6) + eui64
    _kernel6(entries, Address(index, AF_INET6, local, 64, protocol=IFAPROT_KERNEL_LL))


def _kernel6(entries: list[Address], entry: Address) -> None:
    if all(other.local != entry.local for other in entries):
        _insert6(entries, entry, loopback=True)


def flush6(entries: list[Address]) -> None:
    """Remove all IPv6 addresses (addrconf_ifdown without keep_addr_on_down)."""
    entries[:] = [entry for entry in entries if entry.family != AF_INET6]


def relabel(entries: list[Address], name: str) -> None:
    """Set IPv4 labels after a rename (inetdev_changename): the name first, others keep ``:x``.

    A label without a suffix gets a number, and a label that is too long is cut in front, as in the
    kernel.
    """
    for place, entry in enumerate(entry for entry in entries if entry.family == AF_INET):
        if not place:
            entry.label = name
            continue
        colon = entry.label.find(":")
        suffix = entry.label[colon:] if colon >= 0 else f":{place + 1}"
        entry.label = name[: NAME_MAX - len(suffix)] + suffix


def eui64(mac: bytes, number: int = 0) -> bytes:
    """The interface identifier of a MAC (RFC 4291, appendix A).

    *number* is dev_id, by which devices with one MAC differ (addrconf_ifid_eui48).
    """
    if number:
        return mac[:3] + number.to_bytes(2, "big") + mac[3:]
    return bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


class Stage:
    """Context that turns a Refusal into a KernelError."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, Refusal):
            raise errors.kernel_error(self.operation, problem.errno, problem.text) from None


def parse(text: str) -> Address:
    """The Address in ``10.0.0.1/24`` or ``2001:db8::1``."""
    from _socket import inet_pton

    word, slash, length = text.partition("/")
    family = AF_INET6 if ":" in word else AF_INET
    local = inet_pton(family, word)
    return Address(0, family, local, int(length) if slash else len(local) * 8)
