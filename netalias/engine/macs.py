"""MACs of new alias devices: an alias gets the same one each time, and another one on every host.

A MAC that netalias chooses is one that somebody has set (NET_ADDR_SET, linux/netdevice.h), so
udev's MACAddressPolicy leaves it alone; one of the kernel's choice is replaced after it was
announced (systemd.link(5)).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device
    from netalias.model.names import AliasName
    from netalias.observed import Taken

    Identity = tuple[bytes, bool]

MACHINE_ID = "/etc/machine-id"
INITIAL_ONLY = "/proc/sys/net/core/netdev_budget"
"""A sysctl that only the initial network namespace has (net_core_table in
net/core/sysctl_net_core.c)."""


def identity() -> Identity:
    """The machine ID (machine-id(5)), empty without one, and whether the network namespace of the
    thread is the initial one."""
    from os import O_CLOEXEC, O_RDONLY, close, open, read
    from os.path import exists

    try:  # a file object would take ten times as many instructions
        file = open(MACHINE_ID, O_RDONLY | O_CLOEXEC)
        try:
            found = bytes.fromhex(read(file, 64).decode())
        finally:
            close(file)
    except (OSError, ValueError):
        found = b""  # a system image has "uninitialized" there, or nothing
    return found if len(found) == 16 and any(found) else b"", exists(INITIAL_ONLY)


class Macs:
    """The MACs of a host and namespace with this *identity*; without a machine ID they are random,
    since hosts with a copied MAC would be worse off."""

    def __init__(self, identity: Identity) -> None:
        self._key, self._initial = identity

    def choose(self, name: AliasName, main: Device, taken: Taken, *, random: bool) -> bytes:
        """The first MAC for the device of an alias, in the order of preference, that no other one
        has taken; it is taken from now on."""
        attempt = 0
        while True:
            mac = _chance() if random or not self._key else self._derived(name, main, attempt)
            if taken.setdefault(mac, name) == name:
                return mac
            attempt += 1

    def _derived(self, name: AliasName, main: Device, attempt: int) -> bytes:
        """BLAKE2b (RFC 7693) with the machine ID as the key, ``netalias`` as the personalisation
        and a digest of six bytes, over ``eth0:0 ATTEMPT MAC``.

        MAC is that of the main device in hexadecimal, and empty in the initial namespace, where a
        new network card changes nothing. Containers have copies of one machine ID, so there it
        tells them apart. machine-id(5) asks for a keyed hash, so that nobody learns the ID itself.
        """
        # hashlib loads OpenSSL, which takes as long as the rest of the command.
        from _blake2 import blake2b

        text = f"{name} {attempt} {'' if self._initial else main.mac.hex()}"
        packed = text.encode("utf-8", "surrogateescape")
        return _local(blake2b(packed, digest_size=6, key=self._key, person=b"netalias").digest())


def _chance() -> bytes:
    from os import urandom

    return _local(urandom(6))


def _local(packed: bytes) -> bytes:
    """*packed* as a locally administered MAC of one station (eth_random_addr)."""
    return bytes([packed[0] & 0xFE | 2]) + packed[1:]
