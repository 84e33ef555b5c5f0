"""Details of one alias as lines."""

from __future__ import annotations

from netalias.kinds import PREFIX
from netalias.model import PROTOCOL, address_text
from netalias.views import FLAGS, NOTHING, SCOPES, address, mac, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.families import Registry
    from netalias.model import Alias, Device


def detail(alias: Alias, registry: Registry) -> list[str]:
    """The details of an alias as lines, in the style of ``ip -details address show``."""
    device = alias.carrier
    lines = [f"{alias.name}: kind {alias.kind} state {state(alias)}"]
    if device is not None:
        flags = ",".join(word for bit, word in FLAGS if device.flags & bit)
        own = alias.device is not None or alias.hidden is not None
        on = f" link {alias.main.name}" if own and alias.main is not None else ""
        lines.append(f"device {device.name} index {device.index} <{flags}> mtu {device.mtu}{on}")
        lines.append(f"lladdr {mac(alias)} group {device.group}")
    lines.append(_address_line(alias, registry))
    if alias.kind == PREFIX:
        from netalias.views.prefixes import remarks

        lines += remarks(alias)
    if alias.gateway:
        lines.append(f"gateway {address_text(alias.family, alias.gateway)}")
    if alias.linklocal:
        lines.append("linklocal on")
    if alias.lease:
        left = "expired" if alias.expired else "not running while the alias is down"
        if alias.entry is not None:
            left = f"remaining {alias.entry.valid}"
        lines.append(f"lease {alias.lease} {left}")
    stats = alias.device.stats if alias.device is not None else None
    if stats is not None:
        lines.append(f"RX packets {stats.rx_packets} bytes {stats.rx_bytes}")
        lines.append(f"TX packets {stats.tx_packets} bytes {stats.tx_bytes}")
    return lines


def sysctls(main: Device, kept: Mapping[str, int]) -> list[str]:
    """The sysctls of a main device that netalias has set, as lines.

    *kept* maps each sysctl to the value before.
    """
    lines = [f"{main.name}: set for its aliases"]
    lines += [f"{key} {getattr(main, key)}, before: {old}" for key, old in kept.items()]
    return lines


def _address_line(alias: Alias, registry: Registry) -> str:
    text = address(alias, registry)
    if text == NOTHING:
        return "no address"
    words = [registry.get(alias.family).name, text]
    entry = alias.entry
    if alias.kind == PREFIX:
        from netalias.views.prefixes import count

        return " ".join([*words, "local", f"({count(alias)})", "proto", str(PROTOCOL)])
    if entry is None:
        why = "its lease has expired" if alias.expired else "not in force while the alias is down"
        return " ".join([*words, f"({why})"])
    for word, packed in (("pointopoint", entry.peer), ("broadcast", entry.broadcast)):
        if packed:
            words += [word, address_text(entry.family, packed)]
    words += ["scope", SCOPES.get(entry.scope, str(entry.scope))]
    if entry.label:
        words += ["label", entry.label]
    if entry.own_metric:
        words += ["metric", str(entry.own_metric)]
    if entry.deprecated:
        words.append("deprecated")
    if entry.protocol:
        words += ["proto", str(entry.protocol)]
    return " ".join(words)
