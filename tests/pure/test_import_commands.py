"""Labels that commands of interfaces(5) set: ``up ip addr add ... label`` and ``up ifconfig``."""

from __future__ import annotations

import pytest

from netalias.importers import ifupdown
from netalias.importers.ifupdown.shell import commands
from netalias.importers.lines import detailed
from netalias.importers.slots import rows


def imported(*options: str, head: str = "eth0 inet manual") -> tuple[list[str], list[str]]:
    """The words of the lines, and the notes."""
    name = head.split()[0]
    text = "\n".join([f"auto {name}", f"iface {head}", *(f"    {line}" for line in options)])
    found, notes = ifupdown.convert(ifupdown.parse(text, "f"))
    lines = [" ".join(line.split()) for line in detailed(rows(found, notes))]
    return lines, notes


@pytest.mark.parametrize("word", ["up", "post-up", "pre-up"])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ip addr add 10.0.0.1/24 dev $IFACE label $IFACE:1", "10.0.0.1/24 kind label -broadcast"),
        ("ip addr add 10.0.0.1/24 brd + dev eth0 label eth0:1", "10.0.0.1/24 kind label"),
        ("ip a a 10.0.0.1/24 brd - label ${IFACE}:1 dev eth0",
         "10.0.0.1/24 kind label broadcast 10.0.0.0"),
        ("/sbin/ip -4 address replace 10.0.0.1 dev eth0 label eth0:1", "10.0.0.1/32 kind label"),
        ("ip addr add 10.0.0.1/31 brd + dev eth0 label eth0:1 metric 5",
         "10.0.0.1/31 kind label metric 5"),
        ("ip addr add 10.0.0.1/255.255.0.0 broadcast 10.0.0.9 scope global dev eth0 label eth0:1",
         "10.0.0.1/16 kind label broadcast 10.0.0.9"),
        ("ip addr add 10.0.0.1 peer 10.0.0.2/30 brd + dev eth0 label eth0:1",
         "10.0.0.1/30 kind label pointopoint 10.0.0.2 broadcast 10.0.0.3"),
        ("ip -6 addr add 2001:db8::1/64 dev eth0 label eth0:1", "2001:db8::1/64 kind label"),
        ('ip addr add "10.0.0.1/24" brd + dev "$IFACE" label "$IFACE":1 || true',
         "10.0.0.1/24 kind label"),
        ("ip addr add 10.0.0.1/24 brd + dev eth0 label 'eth0:1' 2>/dev/null >&2; true # one",
         "10.0.0.1/24 kind label"),
        ("sleep 1 && ip addr add 10.0.0.1/24 brd + dev eth0 label eth0:1 &&"
         " ip route add default via 10.0.0.254", "10.0.0.1/24 kind label"),
        ("ifconfig $IFACE:1 10.0.0.1 netmask 255.255.255.0 up", "10.0.0.1/24 kind label"),
        ("/sbin/ifconfig eth0:1 inet 10.0.0.1", "10.0.0.1/8 kind label"),
        ("ifconfig eth0:1 10.0.0.1/25", "10.0.0.1/25 kind label"),
        ("ifconfig eth0:1 10.0.0.1/25 netmask 255.0.0.0", "10.0.0.1/25 kind label"),
        ("ifconfig eth0:1 10.0.0.1 netmask 255.255.255.255",
         "10.0.0.1/32 kind label broadcast 10.255.255.255"),
        ("ifconfig eth0:1 10.0.0.1/31", "10.0.0.1/31 kind label broadcast 10.255.255.255"),
        ("ifconfig eth0:1 10.0.0.1 netmask 255.255.255.255 broadcast 10.0.0.1",
         "10.0.0.1/32 kind label broadcast 10.0.0.1"),
        ("ifconfig eth0:1 240.0.0.1", "240.0.0.1/32 kind label"),
        ("ifconfig eth0:1 10.0.0.1 pointopoint 10.0.0.2",
         "10.0.0.1/8 kind label pointopoint 10.0.0.2 broadcast 10.255.255.255"),
    ],
)  # fmt: skip
def test_labels(word: str, command: str, words: str) -> None:
    """The address, length and broadcast address that ip(8) or ifconfig(8) sets."""
    assert imported(f"{word} {command}") == ([f"eth0:1 {words} # f:3"], [])


def test_several() -> None:
    """Each command of a main device, and of an alias, whose method may be manual."""
    add = "ip addr add 10.0.0.{0}/24 brd + dev eth0 label eth0:{0}"
    both = f"up {add.format(1)}; {add.format(2)} & {add.format(3)}"
    lines = [f"eth0:{slot} 10.0.0.{slot}/24 kind label # f:3" for slot in (1, 2, 3)]
    assert imported(both) == (lines, [])
    assert imported(both, head="eth0:9 inet manual") == (lines, [])


def test_the_loopback_has_no_broadcast_address() -> None:
    """ifconfig sets none, and neither does netalias."""
    got = imported("up ifconfig lo:1 10.0.0.1 netmask 255.255.255.0", head="lo inet loopback")
    assert got == (["lo:1 10.0.0.1/24 kind label # f:3"], [])


@pytest.mark.parametrize(
    "command",
    [
        "echo hello", "ip route add default via 10.0.0.1", "ip addr add 10.0.0.1/24 dev eth0",
        "ip addr add 10.0.0.1/24 dev eth0 label eth0", "ip link set eth0 mtu 1400",
        "ifconfig eth0 10.0.0.1", "ifconfig eth0:1 down", "iptables -A INPUT -i eth0:1 -j DROP",
        "for i in 1 2; do sysctl -w net.ipv4.conf.$IFACE.arp_filter=$i; done",
        "ip addr del 10.0.0.1/24 dev eth0 label eth0:1", "ip addr add 10.0.0.1 dev label eth0:1",
    ],
)  # fmt: skip
def test_nothing_about_aliases(command: str) -> None:
    """Commands of a main device that set no label are passed over in silence."""
    assert imported(f"up {command}") == ([], [])


@pytest.mark.parametrize("word", ["down", "pre-down", "post-down"])
@pytest.mark.parametrize(
    "command",
    ["ip addr del 10.0.0.1/24 dev eth0 label eth0:1", "ifconfig eth0:1 down || true",
     "ifdown eth0:1", "for i in 1 2; do ifconfig eth0:$i down; done"],
)  # fmt: skip
def test_what_undoes_it(word: str, command: str) -> None:
    """Nothing is lost with it."""
    assert imported(f"{word} {command}") == ([], [])


ADD = "ip addr add 10.0.0.1/24 dev eth0 label eth0:1"


@pytest.mark.parametrize(
    "command",
    [
        f"for i in 1 2; do {ADD.replace(':1', ':$i')}; done", f"[ -e /etc/x ] && {ADD}",
        f"if true; then {ADD}; fi", f"grep -q x /etc/x || {ADD}", f"sudo {ADD}", f"({ADD})",
        f"echo x | {ADD}", ADD.replace("10.0.0.1", "$ADDRESS"), ADD.replace("10.0.0.1", "`cat a`"),
        ADD.replace("eth0:1", "${IFACE}_x:$IF_SLOT"), f"timeout 5 {ADD}", f'{ADD} "',
        "ssh host ifconfig eth0:1 10.0.0.1", f"{ADD} '", f"{{ {ADD}; }}",
        ADD.replace("label", "label\\"), ADD.replace("dev eth0", "dev $IFACE2"),
    ],
)  # fmt: skip
def test_only_a_shell_knows(command: str) -> None:
    """A command that may set labels, in words that depend on more than its text: a note."""
    assert imported(f"up {command}") == (
        [], ["f:3: eth0: up is not carried over: only a shell knows which addresses it adds"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("ip addr add 10.0.0.300/24 dev eth0 label eth0:1", "10.0.0.300: not an IPv4 address"),
        ("ip addr add 10.0.0.1/33 dev eth0 label eth0:1", "from 0 to 32"),
        ("ip addr add 10.0.0.1/024 dev eth0 label eth0:1", "an octal number"),
        ("ip addr add 10.0.0.1/24 dev eth1 label eth0:1", "label eth0:1 needs dev eth0"),
        ("ip addr add 10.0.0.1/24 label eth0:1", "label eth0:1 needs dev eth0"),
        ("ip addr add 10.0.0.1/24 dev eth0 label eth0:1 valid_lft 60", "valid_lft is not carried"),
        ("ip addr add 10.0.0.1/24 dev eth0 label eth0:1 scope link", "scope link is not carried"),
        ("ip addr add 10.0.0.1/24 dev eth0 label eth0:1 brd", "brd needs a value"),
        ("ip addr add 10.0.0.1/24 dev eth0 label eth0:123456789abc", "15 bytes at most"),
        ("ip -6 addr add 2001:db8::1/64 dev eth0 label eth0:1 brd +", "IPv4"),
        ("ifconfig eth0:1 10.0.0.1/32", "10.0.0.1/32: ifconfig makes /0 of /32"),
        ("ifconfig eth0:1 10.0.0.1 netmask 24", "netmask 24: not a netmask"),
        ("ifconfig eth0:1 10.0.0.1 mtu 1400", "mtu is not carried over"),
        ("ifconfig eth0:1 inet6 add 2001:db8::1/64", "takes the next free label"),
        ("ifconfig eth0 add 10.0.0.1", "ifconfig add takes the next free label"),
    ],
)
def test_wrong_words(command: str, why: str) -> None:
    """What the program refuses, or netalias has no word for, is a note."""
    lines, notes = imported(f"up {command}")
    (note,) = notes
    assert lines == []
    assert note.startswith("f:3: eth0: up is not carried over: ")
    assert why in note


def test_ifup_of_another() -> None:
    """What a command of one interface brings up is brought up."""
    alias = "\niface eth0:1 inet static\n address 10.0.0.1/24"
    assert imported(f"up ifup eth0:1{alias}") == (["eth0:1 10.0.0.1/24 kind label # f:4"], [])
    lines, _ = imported(f"down ifup eth0:1{alias}")
    assert lines[0].startswith("# eth0:1 ")


def test_nobody_brings_it_up() -> None:
    """Commands of a device that is not brought up are comments; those of a template are not its
    own."""
    add = "up ip addr add 10.0.0.1/24 brd + dev $IFACE label $IFACE:1"
    assert imported(f"iface eth1 inet manual\n {add}") == (
        ["# eth1:1 10.0.0.1/24 kind label # f:4: not brought up automatically"
         " (neither auto nor allow-hotplug)"], [],
    )  # fmt: skip
    template = f"iface t inet manual\n {add}\nauto eth1\niface eth1 inherits t"
    assert imported(template) == (["eth1:1 10.0.0.1/24 kind label # f:4"], [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a b  c", [["a", "b", "c"]]),
        ("a;b&c", [["a"], ["b"], ["c"]]),
        ("/x/a 'b c' \"d e\"f ''", [["a", "b c", "d ef", ""]]),
        ("a >b 2>&1 c <d e2>f g", [["a", "c", "e2", "g"]]),
        ("a >/dev/null&&b", None),
        ("ip >/dev/null&&b #c d", [["ip"], ["b"]]),
        ("a #b", [["a"]]),
        ("a#b", [["a#b"]]),
        ("a $IFACE '$IFACE' ${IFACE}x $IFACE.5", [["a", "eth0", "$IFACE", "eth0x", "eth0.5"]]),
        ("a || true; b", [["a"], ["b"]]),
        ("a || b", None),
        ("a | b", None),
        ("a $b", None),
        ("a $(b)", None),
        ('a "b', None),
        ("a *", None),
    ],
)
def test_words_of_a_shell(text: str, found: list[list[str]] | None) -> None:
    """As sh(1) splits them, or nothing."""
    assert commands(text, "eth0") == found
