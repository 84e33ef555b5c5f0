"""Checks of single aliases: state, MTU, MAC and names."""

from __future__ import annotations

from hashlib import blake2b

from netalias.doctor.checks.addresses import copies_of
from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, HINT, WARNING, Finding, finding, netalias, relabelled
from netalias.kinds import UNLINKED, get
from netalias.model import AF_INET6, MTU_INET6, mac_text
from netalias.model.shell import link
from netalias.observed.misnamed import misnamed as misnamed_devices
from netalias.observed.misnamed import rename
from netalias.observed.remnants import remnants
from netalias.views import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias, Device


def main_gone(facts: Facts) -> Iterator[Finding]:
    """The main device is gone; only a dummy outlives its main device."""
    for alias in facts.aliases:
        if alias.main is None and alias.kind in UNLINKED:
            yield finding(
                alias,
                ERROR,
                f"hosts cannot learn the MAC of {text_of(alias)}",
                f"there is no device {alias.name.main} any more",
                netalias(alias.name, "-"),
            )


def down(facts: Facts) -> Iterator[Finding]:
    """The alias is down while its main device is up, and no file declares it so."""
    for alias in facts.aliases:
        if alias.device is None or alias.up or (alias.main is not None and not alias.main.up):
            continue
        wish = facts.wishes.get(alias.name)
        if wish is not None and wish.up is False:
            continue
        why = f"{alias.device.name} is not up, which may be intended"
        yield finding(alias, HINT, "it is down", why, netalias(alias.name, "up"))


def random_mac(facts: Facts) -> Iterator[Finding]:
    """The MACs of new devices are random, since there is nothing to derive them from."""
    if not facts.identified and any(get(one.kind).own_mac for one in facts.aliases):
        yield Finding(
            HINT,
            "an alias gets another MAC each time that its device is made",
            "/etc/machine-id holds no machine ID, from which the MACs of this machine follow",
            "systemd-machine-id-setup",
        )


def no_address(facts: Facts) -> Iterator[Finding]:
    """The address of the alias is gone, and no other check explains it."""
    for alias in facts.aliases:
        words = state(alias).split(",")
        if alias.ours and alias.expired:
            command = "netalias reconcile" if facts.declared else "netalias renew"
            why = "its lease has expired: it was not renewed in time"
            yield finding(alias, ERROR, "it has no address", why, command)
        if not alias.ours or "no-address" not in words:
            continue
        why = "somebody removed its address"
        if alias.family == AF_INET6:
            if _explained(alias, facts):
                continue
            command = netalias(alias.name, f"{text_of(alias)}/{alias.prefixlen}")
        elif facts.declared:
            command = "netalias reconcile"
        else:
            why += ", and there is no record of it"
            command = netalias(alias.name, "-")
        yield finding(alias, ERROR, "it has no address", why, command)


def _explained(alias: Alias, facts: Facts) -> bool:
    """Whether IPv6 has a reason to drop an address; ipv6.py has checks for both reasons."""
    device = alias.device
    assert device is not None
    return device.mtu < MTU_INET6 or bool(facts.own(device.name, "disable_ipv6", AF_INET6))


def half_made(facts: Facts) -> Iterator[Finding]:
    """An interrupted run left the alias half-made, or somebody removed one of its names."""
    left = remnants(facts.observed)
    for alias in facts.aliases:
        if copies_of(alias, facts):
            continue
        if alias.ours and alias not in left and "half-made" in state(alias).split(","):
            yield finding(
                alias,
                WARNING,
                "it is half-made",
                "an interrupted run left it so, or somebody removed one of its names",
                netalias(alias.name, "up" if alias.up else "down"),
            )


def renamed(facts: Facts) -> Iterator[Finding]:
    """The alias bears a former name of its main device."""
    for alias in facts.aliases:
        if alias.ours and "renamed" in state(alias).split(","):
            yield finding(
                alias,
                WARNING,
                "it still has a former name",
                f"its main device is now called {alias.name.main}",
                netalias(alias.name, "up" if alias.up else "down"),
            )


def remnant(facts: Facts) -> Iterator[Finding]:
    """A device remains that an interrupted run was about to delete."""
    for alias in remnants(facts.observed):
        if alias in facts.aliases:
            yield finding(
                alias,
                WARNING,
                "it should be gone",
                f"an interrupted run was about to delete it; {netalias(alias.name, 'up')} keeps it",
                netalias(alias.name, "-"),
            )


def misnamed(facts: Facts) -> Iterator[Finding]:
    """Somebody has given the device of an alias another name."""
    for device, name in misnamed_devices(facts.observed):
        if facts.everywhere or facts.observed.snapshot.device(name.main) in facts.mains:
            yield Finding(
                WARNING,
                f"{device.name}: it is the device of {name}, and netalias leaves it alone",
                "somebody has renamed it",
                rename(device, name),
                main=name.main,
                alias=str(name),
                device=device.name,
            )


def mtu(facts: Facts) -> Iterator[Finding]:
    """The MTU of an alias device differs from that of its main device, and no file declares it."""
    for alias in facts.aliases:
        device, main = alias.device, alias.main
        if device is None or main is None or alias.kind == "dummy" or device.mtu == main.mtu:
            continue
        wish = facts.wishes.get(alias.name)
        if wish is not None and wish.mtu == device.mtu:
            continue
        if alias.family != AF_INET6 or device.mtu >= MTU_INET6:
            yield finding(
                alias,
                HINT,
                f"packets of more than {min(device.mtu, main.mtu)} bytes are cut or dropped",
                f"the MTU of {device.name} is {device.mtu}, that of {main.name} {main.mtu}",
                netalias(alias.name, f"mtu {main.mtu}"),
            )


def same_mac(facts: Facts) -> Iterator[Finding]:
    """Two devices on one main device share a MAC; only one of them can be up (EADDRINUSE)."""
    for main in facts.mains:
        taken: dict[bytes, Device] = {main.mac: main}
        aliases = [one for one in facts.observed.aliases if one.main is main]
        for alias in sorted(aliases, key=lambda one: not one.up):
            device = alias.device
            if device is None or alias.kind != "macvlan" or not device.mac:
                continue
            other = taken.setdefault(device.mac, device)
            if other is not device and alias in facts.aliases:
                yield finding(
                    alias,
                    ERROR,
                    "it cannot be raised" if not alias.up else "its packets may go elsewhere",
                    f"{device.name} and {other.name} have the same MAC, {mac_text(device.mac)}",
                    f"ip link set {link(device.name)} address {_other_mac(device, taken)}"
                    + ("" if alias.up else f" && {netalias(alias.name, 'up')}"),
                )


def _other_mac(device: Device, taken: dict[bytes, Device]) -> str:
    """A locally administered MAC that is not in *taken*; the same for the same name."""
    seed = device.name.encode("utf-8", "surrogateescape")
    while True:
        digest = blake2b(seed, digest_size=6).digest()
        mac = bytes([digest[0] & 0xFC | 0x02]) + digest[1:]
        if mac not in taken:
            return mac_text(mac)
        seed = digest


def mac_filter(facts: Facts) -> Iterator[Finding]:
    """A macvlan asked for a neighbour and received no frame for its MAC; a filter may drop them."""
    for alias in facts.aliases:
        device = alias.device
        if device is None or alias.kind != "macvlan":
            continue
        asked = facts.unanswered.get(device.index)
        if asked is not None:
            yield finding(
                alias,
                HINT,
                f"it has asked for the MAC of {asked} and received nothing for its own MAC",
                "wireless and many virtual networks drop frames of MACs other than that of"
                f" {alias.name.main}",
                relabelled(alias),
            )
