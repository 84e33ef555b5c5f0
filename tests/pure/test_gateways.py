"""Gateways of aliases: words, rules and routes, drift, removal, leftovers, in memory."""

from __future__ import annotations

import pytest
from test_drift import declared, done, drift
from test_plan import Stage

from netalias import desired, errors
from netalias.desired import export
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules, look, reconcile, remove
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6, address_text
from netalias.model.commands import command
from netalias.model.gateways import AddRule, DelRule, DelWay, Gateways, Routing, Rule, table_of
from netalias.model.steps import SetLink
from netalias.plan import Plan
from netalias.views.detail import detail
from netalias.views.fields import fields

ROUTER, ROUTER6 = "10.0.0.254", "2001:db8::fe"


class Counting(Memory):
    """A kernel that counts the readings of rules and routes."""

    readings = 0

    def routing(self) -> Routing:
        self.readings += 1
        return super().routing()


@pytest.fixture
def stage() -> Stage:
    """eth0 has a network of each family."""
    made = Stage(Counting())
    made.kernel.add_address("eth0", "10.0.0.1/24")
    made.kernel.add_address("eth0", "2001:db8::1/64")
    return made


def ways(stage: Stage) -> list[str]:
    """The rules and routes as texts: device, then its words."""
    found = stage.kernel.routing().read()
    devices = stage.kernel.snapshot().devices
    rules = [f"{one.device} rule {one.family}" for one in found.rules]
    return rules + [f"{devices[one.index].name} {one.text}" for one in found.ways]


def commands(plan: Plan) -> list[str]:
    """What a dry run prints of the way out."""
    lines = [line for step in plan.all_steps for line in command(step).split("\n")]
    return [
        line
        for line in lines
        if " rule " in line or " route " in line or line.endswith("rp_filter=0")
    ]


def gateway(stage: Stage, name: str = "eth0:0") -> str:
    """The gateway that an alias says it has."""
    alias = stage.engine.get(name)
    return address_text(alias.family, alias.gateway) if alias.gateway else "none"


LED = ["eth0_0 rule 2", "eth0_0 10.0.0.0/24", f"eth0_0 default via {ROUTER}"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"10.0.0.5 gateway {ROUTER}", LED),
        (f"10.0.0.5/24 gateway {ROUTER}", LED),
        (
            f"10.0.0.5/25 gateway {ROUTER}",
            ["eth0_0 rule 2", "eth0_0 10.0.0.0/25", f"eth0_0 {ROUTER}/32", LED[2]],
        ),
        (
            f"10.7.0.5 gateway {ROUTER}",
            ["eth0_0 rule 2", f"eth0_0 {ROUTER}/32", LED[2]],
        ),
        (
            f"2001:db8::5/64 gateway {ROUTER6}",
            ["eth0_0 rule 10", "eth0_0 2001:db8::/64", f"eth0_0 default via {ROUTER6}"],
        ),
        (
            "2001:db8::5 gateway fe80::1",
            ["eth0_0 rule 10", "eth0_0 2001:db8::/64", "eth0_0 default via fe80::1"],
        ),
        ("10.0.0.5 gateway none", []),
        ("10.0.0.5", []),
    ],
)
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_made(stage: Stage, words: str, expected: list[str], kind: str) -> None:
    """A rule for the device; in its table the network of the alias, so that neighbours are reached
    without the router, the router itself where it lies outside, and the default route."""
    stage(f"eth0:0 {words} kind {kind}")
    assert ways(stage) == expected
    stage("eth0:0-")
    assert stage.kernel.routing().read() == Gateways()


def test_as_commands(stage: Stage) -> None:
    """A dry run prints them in an order in which they can be executed."""
    table = table_of(stage.device("eth0").index, 0)
    assert commands(stage.plan(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")) == [
        "sysctl -qw net.ipv4.conf.eth0_0.rp_filter=0",
        f"ip route append 10.0.0.0/24 dev eth0_0 table {table} proto 97",
        f"ip route append default via {ROUTER} dev eth0_0 table {table} proto 97",
        f"ip rule add pref 32768 oif eth0_0 lookup {table} protocol 97",
    ]
    assert commands(stage.plan(f"eth0:0 2001:db8::5 kind macvlan gateway {ROUTER6}")) == [
        f"ip -6 route append 2001:db8::/64 dev eth0_0 table {table} proto 97",
        f"ip -6 route append default via {ROUTER6} dev eth0_0 table {table} proto 97",
        f"ip -6 rule add pref 32768 oif eth0_0 lookup {table} protocol 97",
    ]


@pytest.mark.parametrize(("everywhere", "own"), [(0, 0), (1, 2), (2, 2)])
def test_rp_filter(stage: Stage, everywhere: int, own: int) -> None:
    """Loose mode would drop what comes from beyond the router on a host without a default route;
    where all is strict, 0 would mean strict. Without the gateway it is loose again."""
    stage.kernel.shared["rp_filter"] = everywhere
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    assert stage.kernel.setting("eth0_0", "rp_filter") == own
    stage("eth0:0 gateway none")
    assert stage.kernel.setting("eth0_0", "rp_filter") == 2


@pytest.mark.parametrize(("family", "router"), [("10.0.0.5", ROUTER), ("2001:db8::5", ROUTER6)])
def test_auto(stage: Stage, family: str, router: str) -> None:
    """The gateway of the main device's default route; it stays when that route is lost, and follows
    when it changes."""
    text = f"eth0:0 {family} kind macvlan gateway auto"
    plan = stage.plan(text)
    word = "IPv6" if ":" in family else "IPv4"
    assert plan.notes == [
        f"eth0:0: gateway auto: eth0 has no default route of {word}, so there is no way out yet"
    ]
    done(stage, text)
    assert ways(stage) == []
    stage.kernel.add_default("eth0", router)
    assert drift(stage, text) == [f"~ eth0:0 {family}/{128 if ':' in family else 32} gateway none"
                                  f" -> {router}"]  # fmt: skip
    done(stage, text)
    stage.kernel.add_default("eth0", "")
    assert drift(stage, text) == []
    assert gateway(stage) == router
    other = router[:-1] + "d"[: ":" in router] + "3"[: ":" not in router]
    stage.kernel.add_default("eth0", other)
    done(stage, text)
    assert gateway(stage) == other


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (f"10.0.0.5 gateway {ROUTER6}", errors.UsageError, "it is not of type ip"),
        (f"2001:db8::5 gateway {ROUTER}", errors.UsageError, "it is not of type ipv6"),
        ("10.0.0.5 gateway 10.0.0.5", errors.UsageError, "this is the alias itself"),
        ("10.0.0.5 gateway 0.0.0.0", errors.BadAddress, "an unspecified address is not that of a"),
        ("10.0.0.5 gateway 0.1.2.3", errors.BadAddress, "an unspecified address is not that of a"),
        ("10.0.0.5 gateway 127.0.0.1", errors.BadAddress, "a loopback address is not that of a"),
        ("10.0.0.5 gateway 224.0.0.1", errors.BadAddress, "a multicast address is not that of a"),
        ("10.0.0.5 gateway 240.0.0.1", errors.BadAddress, "a reserved address is not that of a"),
        ("10.0.0.5 gateway 255.255.255.255", errors.BadAddress, "the broadcast address is not"),
        ("10.0.0.5 gateway ff02::1", errors.BadAddress, "a multicast address is not that of a"),
        ("2001:db8::5 gateway ::", errors.BadAddress, "the unspecified address is not that of a"),
        ("2001:db8::5 gateway ::1", errors.BadAddress, "the loopback address is not that of a"),
        ("2001:db8::5 gateway ::ffff:10.0.0.1", errors.BadAddress, "an IPv4-mapped address is"),
        ("10.0.0.5 gateway 10.0.0.1", errors.UsageError, "this is an address of eth0 on this host"),
        ("10.7.0.5/24 gateway 10.0.0.1", errors.UsageError, "this is an address of eth0"),
        ("2001:db8::5 gateway 2001:db8::1", errors.UsageError, "this is an address of eth0"),
        (
            "10.0.0.5 gateway 10.0.0.255",
            errors.UsageError,
            "this is the broadcast address of the network 10.0.0.0/24",
        ),
        (
            "10.0.0.5/24 gateway 10.0.0.0",
            errors.UsageError,
            "this is the address of the network 10.0.0.0/24",
        ),
        (
            "10.0.0.133/25 gateway 10.0.0.128",
            errors.UsageError,
            "this is the address of the network 10.0.0.128/25",
        ),
        ("10.0.0.5 gateway 10.0.0.0/24", errors.BadAddress, "none, auto or an address is needed"),
        ("10.0.0.5 gateway eth0", errors.BadAddress, "none, auto or an address is needed"),
        ("10.0.0.5 gateway", errors.UsageError, "gateway needs an address, auto or none"),
        (f"10.0.0.5 kind label gateway {ROUTER}", errors.KindError,
         "a label has no device that a socket could be bound to"),
        ("10.0.0.5 kind dummy gateway auto", errors.KindError,
         "a dummy has no link to a router"),
    ],
)  # fmt: skip
def test_refused(stage: Stage, words: str, kind: type[errors.NetaliasError], message: str) -> None:
    """Of another family, of no use, or on a kind that cannot have one."""
    first = "" if "kind" in words else "kind macvlan "
    with pytest.raises(kind) as caught:
        stage(f"eth0:0 {first}{words}")
    assert message in str(caught.value)
    assert not stage.has("eth0_0")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("10.0.0.5 gateway 10.9.9.1", True),
        ("10.7.0.5/24 gateway 10.9.9.1", True),
        ("2001:db8::5/64 gateway 2001:db8:9::1", True),
        ("10.7.0.5/24 gateway 10.7.0.1", False),
        ("10.7.0.5 gateway 10.0.0.254", False),
        ("2001:db8:7::5/64 gateway fe80::1", False),
    ],
)
def test_outside_the_networks(stage: Stage, words: str, told: bool) -> None:
    """The kernel takes such a gateway, so it is made, and told once; in a file, too."""
    word = words.rpartition(" ")[2]
    expected = [
        f"eth0:0: gateway {word}: it is in no network of the alias or of eth0, so it is of use only"
        " if it answers on this link"
    ] * told
    assert stage(f"eth0:0 {words} kind macvlan").notes == expected
    assert stage(f"eth0:0 {words} kind macvlan").notes == []
    stage("eth0:0-")
    (item,) = look(stage.engine, declared(stage, f"eth0:0 {words} kind macvlan"), Rules()).items[:1]
    assert item.plan.notes == expected


def test_the_router_of_the_main_device_is_known(stage: Stage) -> None:
    """A provider's router for host addresses, which is in no network at all."""
    stage.kernel.add_default("eth0", "10.9.9.1")
    assert stage("eth0:0 10.0.0.5 gateway 10.9.9.1 kind macvlan").notes == []


def test_in_a_vrf(stage: Stage) -> None:
    """Its table has the routes of the members, bound or not."""
    stage.kernel.add_device("red", "vrf")
    stage.kernel.set_device("eth0", master="red")
    with pytest.raises(errors.KindError, match="eth0 is in the VRF red"):
        stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")


def test_changes(stage: Stage) -> None:
    """A word without an address keeps the rest; an address without the word takes it away, as with
    a lease; the new default route comes before the old one goes."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage("eth0:0 mtu 1400")
    assert ways(stage) == LED
    table = table_of(stage.device("eth0").index, 0)
    assert commands(stage("eth0:0 gateway 10.0.0.253")) == [
        f"ip route append default via 10.0.0.253 dev eth0_0 table {table} proto 97",
        f"ip route del default via {ROUTER} dev eth0_0 table {table} proto 97",
    ]
    stage(f"eth0:0 10.0.0.6 gateway {ROUTER}")
    assert ways(stage) == LED
    stage("eth0:0 10.0.0.6")
    assert ways(stage) == []
    assert gateway(stage) == "none"


def test_down_and_up(stage: Stage) -> None:
    """The kernel drops the routes of a device that goes down; netalias makes them again."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage("eth0:0 down")
    assert ways(stage) == LED[:1]
    assert gateway(stage) == ROUTER
    stage("eth0:0 up")
    assert ways(stage) == LED


def test_another_kind(stage: Stage) -> None:
    """The rule and the routes are those of the device that is there; a label has none."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage("eth0:0 kind ipvlan")
    assert ways(stage) == LED
    stage("eth0:0 kind label")
    assert ways(stage) == []


FILE = f"""
eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}
eth0:1 2001:db8::5/64 kind macvlan gateway {ROUTER6}
eth0:2 10.0.0.6 kind macvlan
"""


def test_drift(stage: Stage) -> None:
    """Whatever is missing is found, and made; rules and routes of others are none of ours."""
    done(stage, FILE)
    whole = ways(stage)
    assert len(whole) == 6
    for step in [
        *(DelRule(rule) for rule in stage.kernel.routing().read().rules),
        *(
            DelWay(stage.kernel.snapshot().devices[way.index].name, way.index, way)
            for way in stage.kernel.routing().read().ways
        ),
    ]:
        assert stage.kernel.send([step]) == [None]
        name = "eth0:0" if "eth0_0" in step.device else "eth0:1"
        (found,) = drift(stage, FILE)
        assert found.startswith(f"~ {name} ")
        assert " gateway incomplete -> " in found
        outcome = done(stage, FILE)
        assert outcome.status == 0
        assert sorted(ways(stage)) == sorted(whole)
        assert drift(stage, FILE) == []
    others = [Rule("eth0_0", AF_INET, 100), Rule("eth1_7", AF_INET, 7)]
    stage.kernel.send([AddRule(rule) for rule in others])
    assert drift(stage, FILE) == []
    reconcile(stage.engine, declared(stage, ""), Rules(allow_empty=True))
    assert stage.kernel.routing().read() == Gateways(others)


def test_from_a_file_without_it(stage: Stage) -> None:
    """A line without the word means none."""
    done(stage, FILE)
    bare = FILE.replace(f" gateway {ROUTER}", "", 1)
    assert drift(stage, bare) == [f"~ eth0:0 10.0.0.5/32 gateway {ROUTER} -> none"]
    done(stage, bare)
    assert [one for one in ways(stage) if "eth0_0" in one] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("eth0:0 10.0.0.5", ROUTER),
        ("eth0:0 10.0.0.5 gateway 10.0.0.9", "10.0.0.9"),
        ("eth0:0 10.0.0.5 gateway none", "none"),
        ("eth0:0 2001:db8::5", "none"),
        ("eth0:0 10.0.0.5 kind label", "none"),
        ("eth0:0 10.0.0.5 kind dummy", "none"),
    ],
)
def test_as_a_default(stage: Stage, line: str, expected: str) -> None:
    """It holds for what can have one; a line has the last word."""
    done(stage, f"defaults kind macvlan gateway {ROUTER}\n{line}")
    assert gateway(stage) == expected
    assert drift(stage, f"defaults kind macvlan gateway {ROUTER}\n{line}") == []


def test_leftovers(stage: Stage) -> None:
    """A device that vanishes leaves its rules: the next run deletes them, a dry run says so; made
    again in the same run, the alias has them back."""
    done(stage, FILE)
    stage.kernel.remove_device("eth0")
    assert drift(stage, "") == ["- eth0:0 - rule oif eth0_0", "- eth0:1 - rule oif eth0_1"]
    assert len(stage.kernel.routing().read().rules) == 2
    stage.kernel.add_device("eth0", up=True)
    assert "- eth0:1 - rule oif eth0_1" in drift(stage, "eth0:1 10.0.0.6 kind macvlan")
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    done(stage, f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    assert ways(stage) == LED
    assert stage.kernel.routing().read().rules[0].table == table_of(stage.device("eth0").index, 0)


def test_the_rule_of_a_device_that_was_renamed(stage: Stage) -> None:
    """By its table it is known whose it was."""
    stage(f"eth0:3 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage.kernel.set_device("eth0_3", name="foo", up=False)
    stage.kernel.set_device("foo", up=True)
    stage.kernel.remove_device("foo")
    assert "- eth0:3 - rule oif eth0_3" in drift(stage, "")


def test_a_renamed_main_device_keeps_its_way_out(stage: Stage) -> None:
    """The alias whose device gives way to another one has its rule under the new name."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage.kernel.set_device("eth0", name="lan0")
    stage.kernel.add_device("eth0", up=True)
    stage("eth0:0 10.3.0.5 kind macvlan")
    assert ways(stage) == ["lan0_0 rule 2", "lan0_0 10.0.0.0/24", f"lan0_0 default via {ROUTER}"]


def test_addresses_are_swapped(stage: Stage) -> None:
    """A device that was without an address meanwhile has lost its routes, and gets them again."""
    usual = f"defaults kind macvlan gateway {ROUTER}"
    done(stage, f"{usual}\neth0:0 10.0.0.5\neth0:1 10.0.0.6\n")
    before = ways(stage)
    done(stage, f"{usual}\neth0:0 10.0.0.6\neth0:1 10.0.0.5\n")
    assert ways(stage) == before


def test_a_batch_of_moves(stage: Stage) -> None:
    """The same in a batch, where one takes the address that the other leaves."""
    stage(f"eth0:0 10.0.0.7 gateway {ROUTER} kind macvlan")
    stage(f"eth0:1 10.0.0.5 gateway {ROUTER} kind macvlan")
    before = ways(stage)
    work = Batch(stage.engine, lambda words: 0, lambda text: None)
    text = f"eth0:0 10.0.0.8 gateway {ROUTER}\neth0:1 10.0.0.7 gateway {ROUTER}\n"
    work.run(parse_commands(text, stage.engine.registry))
    assert not work.failed
    assert ways(stage) == before


def test_a_rehearsal_knows_the_routes(stage: Stage) -> None:
    """Another gateway of the same network is no refusal."""
    stage(f"eth0:0 10.0.0.5 gateway {ROUTER} kind macvlan")
    other = Memory.holding(stage.kernel.snapshot(), ("macvlan",), [], stage.kernel)
    engine = stage.engine.rehearsal(other)
    wish = desired.parse(["eth0:0", "10.0.0.5", "gateway", "10.0.0.253"], engine.registry)
    engine.realise(wish)
    assert other.routing().read().ways[-1].gateway == bytes((10, 0, 0, 253))


def test_leftovers_of_one_main_device(stage: Stage) -> None:
    """With --only the others stay."""
    done(stage, f"{FILE}eth1:0 10.0.9.5 kind macvlan gateway 10.0.9.254")
    stage.kernel.remove_device("eth0_0")
    stage.kernel.remove_device("eth1_0")
    diff = look(stage.engine, declared(stage, ""), Rules(only="eth1"))
    assert [str(item.name) for item in diff.items if item.sign == "-"] == ["eth1:0"]


def test_leftovers_when_aliases_are_removed(stage: Stage) -> None:
    """Whoever removes aliases removes the rules of those that have gone too, as watch does when a
    main device goes away."""
    done(stage, FILE)
    stage.kernel.remove_device("eth0")
    outcome = remove(stage.engine, stage.engine.observe(), [])
    assert outcome.status == 0
    assert stage.kernel.routing().read() == Gateways()


def test_a_refusal_leaves_nothing(stage: Stage) -> None:
    """The rule goes too when a later alias of one plan, or its own route, is refused."""
    stage.kernel.add_device("busy", "macvlan", link="eth0", mode=4, mac=b"\2\0\0\0\0\7", up=True)
    with pytest.raises(errors.KernelError):
        stage(f"eth0:0 10.0.0.5 kind macvlan hw ether 02:00:00:00:00:07 gateway {ROUTER}")
    assert stage.kernel.routing().read() == Gateways()
    assert not stage.has("eth0_0")


def test_what_comes_back_has_its_way_out(stage: Stage) -> None:
    """An alias whose replacement is refused is as it was."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage.kernel.kinds = ("macvlan",)
    plan = stage.engine.plan(stage.wish("eth0:0 down"))
    assert not plan.fallback
    stage.kernel.kinds = ("macvlan", "dummy")
    replaced = stage.engine.plan(stage.wish("eth0:0 kind dummy"))
    texts = [command(step) for step in replaced.fallback]
    table = table_of(stage.device("eth0").index, 0)
    assert texts[-3:] == [
        f"ip route append 10.0.0.0/24 dev eth0_0 table {table} proto 97",
        f"ip route append default via {ROUTER} dev eth0_0 table {table} proto 97",
        f"ip rule add pref 32768 oif eth0_0 lookup {table} protocol 97",
    ]


def test_a_command_without_it_reads_nothing(stage: Stage) -> None:
    """Rules and routes are read only for an alias that has a gateway, or is to have one."""
    kernel = stage.kernel
    assert isinstance(kernel, Counting)
    stage("eth0:0 10.0.0.5 kind macvlan")
    stage("eth0:0 mtu 1400")
    stage("eth0:0-")
    assert kernel.readings == 0


@pytest.mark.parametrize("line", FILE.strip().split("\n"))
def test_shown_and_saved(stage: Stage, line: str) -> None:
    """Lines, JSON and details say it; what is saved plans nothing."""
    done(stage, line)
    (alias,) = stage.engine.show()
    registry = stage.engine.registry
    word = address_text(alias.family, alias.gateway) if alias.gateway else None
    assert fields(alias, registry).get("gateway") == word
    assert (f"gateway {word}" in detail(alias, registry)) == bool(word)
    (saved,) = export.lines([alias], registry)
    assert (f" gateway {word}" in saved) == bool(word)
    assert drift(stage, saved) == []


def test_a_record_that_was_tampered_with(stage: Stage) -> None:
    """Anybody can change ifalias: what is no address there is no gateway, and is put right."""
    done(stage, FILE)
    device = stage.device("eth0_0")
    step = SetLink("eth0_0", device.index, ifalias="netalias eth0:0 gateway nonsense")
    assert stage.kernel.send([step]) == [None]
    assert gateway(stage) == "none"
    assert drift(stage, FILE) == [f"~ eth0:0 10.0.0.5/32 gateway none -> {ROUTER}"]
    outcome = reconcile(stage.engine, declared(stage, FILE), Rules())
    assert outcome.status == 0
    assert ways(stage)[0] == "eth0_0 rule 2"
    assert drift(stage, FILE) == []


def test_both_families_at_once(stage: Stage) -> None:
    """An alias that gets an address of the other family has its way out there."""
    stage(f"eth0:0 10.0.0.5 kind macvlan gateway {ROUTER}")
    stage(f"eth0:0 2001:db8::5/64 gateway {ROUTER6}")
    found = stage.kernel.routing().read()
    assert [rule.family for rule in found.rules] == [AF_INET6]
    assert {way.family for way in found.ways} == {AF_INET6}


def test_an_alias_of_the_same_file_is_no_router(stage: Stage) -> None:
    """An address that this run gives to another alias is one of this host."""
    text = "eth0:0 10.0.0.9 kind macvlan\neth0:1 10.0.0.5 kind macvlan gateway 10.0.0.9\n"
    diff = look(stage.engine, declared(stage, text), Rules())
    (one,) = diff.skipped
    assert str(one.error) == ("eth0:1: gateway 10.0.0.9: this is an address of eth0_0 on this host")
