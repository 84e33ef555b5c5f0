"""Commands after which a firewall rule for one device holds for another one too.

Each is of the program that owns the rule: a table of iptables is not written by nft, whose form of
a rule iptables may not be able to read, and the rules of firewalld are made of its zones.
"""

from __future__ import annotations

import re

from netalias.doctor.rules import FIREWALLD, blanked
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.doctor.rules import Rule

_ZONE = re.compile(r"(?:goto|jump) [a-z]+_(?:IN|FWD|PRE)_(?!policy_)(?P<zone>\S+)$")
"""The chain of a zone: ``filter_IN_public``."""


def mended(rule: Rule, device: str, wanted: str, more: int = 0) -> str:
    """The command after which the rule holds for *wanted* too, a name that may end in ``*``, as it
    does for *device*; empty where there is none. *more* rules were put into the chain before."""
    if rule.chain[1] == FIREWALLD:
        return _in_zone(rule, wanted)
    if rule.xtables:
        return (_spared if rule.negated else _inserted)(rule, wanted, more)
    if rule.left is not None:
        end = rule.text[rule.end :] if rule.left else rule.text[rule.end :].lstrip()
        text = f'iifname "{wanted}" {rule.text[: rule.begin]}{rule.left}{end}'
        return f"nft {quoted(f'add rule {rule.place} {text}')}"
    match = _match(rule, device, wanted)
    if not match:
        return ""
    text = f"{rule.text[: rule.begin]}{match}{rule.text[rule.end :]}"
    # Not by "replace rule", which nft 1.0.6 (Debian 12) does not survive for every rule.
    return f"nft {quoted(f'insert rule {rule.place} {text}; delete rule {rule.place}')}"


def by_hand(rule: Rule, wanted: str) -> str:
    """The advice on a rule for which there is no command."""
    if rule.chain[1] == FIREWALLD:
        return f"by hand: add {_plus(wanted)} to the zones of firewalld that this rule is made of"
    if rule.xtables:
        return f"by hand: a chain for this rule that first returns for -i {_plus(wanted)}"
    return f'by hand: a rule of the same effect for iifname "{wanted}"'


def _match(rule: Rule, device: str, wanted: str) -> str:
    """The comparison that has *wanted* in it too; empty for a concatenation."""
    match = rule.text[rule.begin : rule.end]
    if " . " in match:
        return ""
    if "@" in match:
        return f'{match} iifname != "{wanted}"'
    if "{" not in match:
        sign = " !=" if rule.negated else ""
        return f'iifname{sign} {{ "{device}", "{wanted}" }}'
    inner = match[match.index("{") + 1 : -1].strip()
    verdict = re.search(rf'"{re.escape(device)}" : ([^,]+)', inner)
    new = f'"{wanted}"' + (f" : {verdict[1].strip()}" if verdict else "")
    return f"{match[: match.index('{')].replace('iif ', 'iifname ')}{{ {inner}, {new} }}"


def _in_zone(rule: Rule, wanted: str) -> str:
    """The command that adds devices to the zone that the rule is made of. In a zone, a name that
    ends in ``+`` stands for all that begin so."""
    zone = _ZONE.search(rule.text)
    if zone is None:
        return ""
    words = f"--zone={zone['zone']} --add-interface={_plus(wanted)}"
    return f"firewall-cmd {words} && firewall-cmd --permanent {words}"


def _inserted(rule: Rule, wanted: str, more: int) -> str:
    """The command that puts a rule of the same words behind this one."""
    words = f"{rule.text[: rule.begin]}-i {_plus(wanted)}{rule.text[rule.end :]}"
    return f"{_program(rule)} -I {rule.chain[2]} {rule.number + more + 1} {words}"


def _spared(rule: Rule, wanted: str, more: int) -> str:
    """The command that moves a rule for all devices but one into a chain of its own, which returns
    for *wanted* first; ``-i`` stands in a rule once. Empty where the target depends on the chain in
    which it stands."""
    text = rule.text
    begin = blanked(text).rfind("-j ")
    if begin < 0 or text[begin:].startswith("-j RETURN"):
        return ""
    program, name, number = _program(rule), _plus(wanted), rule.number + more
    chain = f"{rule.chain[2][:8]}-{number}-not-{name.rstrip('+')[:10]}"
    words = f"{text[: rule.begin]}{text[rule.end :].lstrip()}"
    return " && ".join(
        [
            f"{program} -N {chain}",
            f"{program} -A {chain} -i {name} -j RETURN",
            f"{program} -A {chain} {words}",
            f"{program} -R {rule.chain[2]} {number} {text[rule.begin : rule.end]} -j {chain}",
        ]
    )


def _program(rule: Rule) -> str:
    """``iptables``, with the table where it is another one than usual."""
    program, table, _ = rule.chain
    return f"{program} -t {table}" if table != "filter" else program


def _plus(name: str) -> str:
    """``eth0_*`` as iptables and firewalld spell it."""
    return f"{name[:-1]}+" if name.endswith("*") else name
