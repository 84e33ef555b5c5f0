"""Checks of IPv6: reasons for the kernel to drop an address, or not to use it."""

from __future__ import annotations

from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, Finding, finding, netalias, sysctl
from netalias.model import (
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_LOWER_UP,
    MTU_INET6,
)
from netalias.model.shell import link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias


def _inet6(facts: Facts) -> Iterator[Alias]:
    return (alias for alias in facts.aliases if alias.family == AF_INET6)


def _readdress(alias: Alias) -> str:
    return netalias(alias.name, f"{text_of(alias)}/{alias.prefixlen}")


def disable_ipv6(facts: Facts) -> Iterator[Finding]:
    """IPv6 is disabled on the device (disable_ipv6), which drops its addresses."""
    for alias in _inet6(facts):
        device = alias.carrier
        if device is not None and facts.own(device.name, "disable_ipv6", AF_INET6):
            command = sysctl(device.name, "disable_ipv6", 0, AF_INET6)
            yield finding(
                alias,
                ERROR,
                f"{text_of(alias)} is not in force",
                f"disable_ipv6 of {device.name} is 1",
                f"{command} && {_readdress(alias)}",
            )


def mtu_ipv6(facts: Facts) -> Iterator[Finding]:
    """The MTU is below the minimum of IPv6, so the kernel removes IPv6 from the device."""
    for alias in _inet6(facts):
        device, main = alias.carrier, alias.main
        if device is None or main is None or device.mtu >= MTU_INET6:
            continue
        raised = f"ip link set {link(main.name)} mtu {MTU_INET6} && "
        words = f" mtu {max(main.mtu, MTU_INET6)}" if alias.device is not None else ""
        yield finding(
            alias,
            ERROR,
            f"{text_of(alias)} is not in force",
            f"the MTU of {device.name} is {device.mtu}, and IPv6 needs {MTU_INET6}",
            (raised if main.mtu < MTU_INET6 else "") + _readdress(alias) + words,
        )


def dadfailed(facts: Facts) -> Iterator[Finding]:
    """Duplicate address detection found another host with the address (RFC 4862, 5.4)."""
    for alias in _inet6(facts):
        if alias.entry is not None and alias.entry.flags & IFA_F_DADFAILED:
            yield finding(
                alias,
                ERROR,
                f"{text_of(alias)} is not in force",
                "another host on this network has it (dadfailed)",
                netalias(alias.name, "-"),
            )


def tentative(facts: Facts) -> Iterator[Finding]:
    """The address stays tentative, since without a carrier the kernel cannot probe for it."""
    for alias in _inet6(facts):
        device, entry = alias.carrier, alias.entry
        if device is None or entry is None or entry.flags & IFA_F_DADFAILED:
            continue
        if entry.flags & IFA_F_TENTATIVE and device.up and not device.flags & IFF_LOWER_UP:
            yield finding(
                alias,
                ERROR,
                f"{text_of(alias)} is not in force",
                f"it is tentative until {device.name} has a carrier",
            )
