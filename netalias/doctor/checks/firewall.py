"""Check of firewall rules that name an alias with its colon; firewalls see primary names only."""

from __future__ import annotations

from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, Finding, finding
from netalias.doctor.foreign import XTABLES
from netalias.model import AF_INET6
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias


def firewall(facts: Facts) -> Iterator[Finding]:
    """A rule names ``eth0:0``, so it never matches."""
    aliases = {str(alias.name): alias for alias in facts.aliases if alias.carrier is not None}
    for family, table, name in sorted(facts.firewall):
        alias = aliases.get(name)
        if alias is None:
            continue
        device = alias.device
        seen = f"they see {device.name}" if device is not None else "a label has none"
        yield finding(
            alias,
            ERROR,
            f"a rule in the table {family} {table} that names it never matches",
            f"firewalls know primary names only: {seen}",
            _mended(alias, facts, family, table),
        )


def _mended(alias: Alias, facts: Facts, family: str, table: str) -> str:
    """The command for the program that has made the table: what nft writes, iptables may not be
    able to read."""
    if family == XTABLES:
        return _xtables(alias, XTABLES)
    if (family, table) in facts.owned:
        return _xtables(alias, "ip6tables" if family == "ip6" else "iptables")
    return _nftables(alias, family, table)


def _nftables(alias: Alias, family: str, table: str) -> str:
    """The command that replaces the table, with the name corrected, in one transaction."""
    name = escaped(f'"{alias.name}"')
    edits = [f"s/{name}/{escaped(_quoted(alias))}/g"]
    if alias.device is None:
        ip = "ip6" if alias.family == AF_INET6 else "ip"
        edits = [
            f"s/{side}ifname {name}/{side}ifname {escaped(_quoted(alias))} {ip} {end} "
            f"{text_of(alias)}/g"
            for side, end in (("i", "daddr"), ("o", "saddr"))
        ]
    place = f"{family} {quoted(table)}"
    edit = quoted("; ".join(edits))
    return f"(echo delete table {place}; nft list table {place} | sed {edit}) | nft -f -"


def _quoted(alias: Alias) -> str:
    return f'"{alias.carrier.name if alias.carrier else ""}"'


def _xtables(alias: Alias, program: str) -> str:
    new = alias.carrier.name if alias.carrier else ""
    ends = (f" -d {text_of(alias)}", f" -s {text_of(alias)}") if alias.device is None else ("", "")
    edits = [
        f"s/ {option} {escaped(str(alias.name))} / {option} {escaped(new)}{end} /"
        for option, end in zip(("-i", "-o"), ends, strict=True)
    ]
    return f"{program}-save | sed {quoted('; '.join(edits))} | {program}-restore"


def escaped(text: str) -> str:
    """*text* escaped for the s command of sed(1)."""
    return "".join(f"\\{one}" if one in "\\/.*[]^$&" else one for one in text)
