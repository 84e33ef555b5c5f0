"""Proxy entries on every Kernel: made, overwritten, removed, forgotten by the kernel, undone."""

from __future__ import annotations

from errno import ENODEV, ENOENT
from pathlib import Path
from socket import inet_pton

import pytest
from stage import done, index, inet, macvlan, refused
from support import Namespace, until

from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6, IFA_F_NODAD, IFA_F_PERMANENT, PROTOCOL
from netalias.model.neighbours import AddProxy, DelProxy, Proxy, Surroundings
from netalias.model.steps import AddAddress, DelAddress, DelLink, SetLink

TEXTS = ("10.9.0.5", "2001:db8::5")


def proxy(text: str, number: int = 0, protocol: int = PROTOCOL, flags: int = 0) -> Proxy:
    """An entry for an address."""
    family = AF_INET6 if ":" in text else AF_INET
    return Proxy(number, family, inet_pton(family, text), protocol, flags)


def add(kernel: Kernel, text: str, device: str = "eth9", **fields: int) -> AddProxy:
    """The step that makes one."""
    number = index(kernel, device)
    return AddProxy(device, number, proxy(text, number, **fields))


def remove(kernel: Kernel, text: str, device: str = "eth9") -> DelProxy:
    """The step that removes one."""
    number = index(kernel, device)
    return DelProxy(device, number, proxy(text, number))


def found(kernel: Kernel) -> list[tuple[str, str, int, int]]:
    """Device, address, protocol and flags of every entry, in an order of ours."""
    devices = kernel.snapshot().devices
    return sorted(
        (devices[one.index].name, one.text, one.protocol, one.flags) for one in kernel.proxies()
    )


def test_there_are_none(kernel: Kernel) -> None:
    """A fresh kernel answers for nobody."""
    assert kernel.proxies() == []


def test_made_and_removed(kernel: Kernel) -> None:
    """Both families, each with our mark; the same address on several devices."""
    done(kernel, macvlan(kernel, "a"))
    done(kernel, *(add(kernel, text) for text in TEXTS), add(kernel, TEXTS[0], "a", protocol=0))
    assert found(kernel) == [
        ("a", "10.9.0.5", 0, 0),
        ("eth9", "10.9.0.5", PROTOCOL, 0),
        ("eth9", "2001:db8::5", PROTOCOL, 0),
    ]
    done(kernel, remove(kernel, TEXTS[0]))
    assert [one[:2] for one in found(kernel)] == [("a", TEXTS[0]), ("eth9", TEXTS[1])]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_there_is_overwritten(kernel: Kernel, text: str) -> None:
    """The kernel has no NLM_F_EXCL for them; without a protocol the former one stays."""
    done(kernel, add(kernel, text, protocol=5))
    done(kernel, add(kernel, text, flags=0x80))
    assert found(kernel) == [("eth9", text, PROTOCOL, 0x80)]
    done(kernel, add(kernel, text, protocol=0))
    assert found(kernel) == [("eth9", text, PROTOCOL, 0)]


@pytest.mark.parametrize("text", TEXTS)
def test_refusals(kernel: Kernel, text: str) -> None:
    """The errno of the kernel: no such entry, no such device."""
    assert refused(kernel, remove(kernel, text)).errno == ENOENT
    assert refused(kernel, AddProxy("ghost", 9999, proxy(text))).errno == ENODEV
    assert refused(kernel, DelProxy("ghost", 9999, proxy(text))).errno == ENODEV
    assert kernel.proxies() == []


def test_a_device_that_goes_down(kernel: Kernel) -> None:
    """It loses its entries without a word; one that is down takes new ones, and keeps them."""
    eth9 = index(kernel, "eth9")
    done(kernel, *(add(kernel, text) for text in TEXTS))
    done(kernel, SetLink("eth9", eth9, up=False))
    assert kernel.proxies() == []
    done(kernel, *(add(kernel, text) for text in TEXTS))
    done(kernel, SetLink("eth9", eth9, up=True))
    assert [one[1] for one in found(kernel)] == [*TEXTS]


def test_the_last_ipv4_address(kernel: Kernel) -> None:
    """With it the IPv4 entries go (fib_disable_ip); IPv6 ones do not mind."""
    eth9 = index(kernel, "eth9")
    addresses = [inet("10.9.0.1/24"), inet("10.9.0.2/32")]
    six = inet("2001:db8::1/64", flags=IFA_F_PERMANENT | IFA_F_NODAD)
    done(kernel, *(AddAddress("eth9", eth9, one) for one in (*addresses, six)))
    done(kernel, *(add(kernel, text) for text in TEXTS))
    done(kernel, DelAddress("eth9", eth9, addresses[1]), DelAddress("eth9", eth9, six))
    assert [one[1] for one in found(kernel)] == [*TEXTS]
    done(kernel, DelAddress("eth9", eth9, addresses[0]))
    assert [one[1] for one in found(kernel)] == [TEXTS[1]]


def test_an_mtu_too_small_for_ipv6(kernel: Kernel) -> None:
    """IPv6 leaves the device, its entries with it, and no new one can be made."""
    eth9 = index(kernel, "eth9")
    done(kernel, *(add(kernel, text) for text in TEXTS))
    done(kernel, SetLink("eth9", eth9, mtu=1000))
    assert [one[1] for one in found(kernel)] == [TEXTS[0]]
    assert "No buffer space" in str(refused(kernel, add(kernel, TEXTS[1])))


def test_a_device_that_is_deleted(kernel: Kernel) -> None:
    """Its entries go with it."""
    done(kernel, macvlan(kernel, "a"))
    done(kernel, add(kernel, TEXTS[0], "a"))
    done(kernel, DelLink("a", index(kernel, "a"), 0))
    assert kernel.proxies() == []


def test_all_or_nothing(kernel: Kernel) -> None:
    """S20: what was made before a refusal is removed again, and what was removed is back."""
    done(kernel, add(kernel, TEXTS[0], flags=0x80))
    before = found(kernel)
    there = next(one for one in kernel.proxies())
    eth9 = index(kernel, "eth9")
    steps = [
        add(kernel, "10.9.0.6"),
        add(kernel, "2001:db8::6"),
        DelProxy("eth9", eth9, there),
        remove(kernel, "10.9.0.7"),
    ]
    (failure,) = kernel.apply(steps)
    assert (failure.error.errno, failure.left) == (ENOENT, [])
    assert found(kernel) == before


def test_a_plan_with_a_device_of_its_own(kernel: Kernel) -> None:
    """Without an index the device is known by its name."""
    made = macvlan(kernel, "a")
    step = AddProxy("a", 0, proxy(TEXTS[0]))
    assert kernel.apply([made, step]) == []
    assert found(kernel) == [("a", TEXTS[0], PROTOCOL, 0)]


# What surrounds them

on_linux = pytest.mark.parametrize(
    "kernel",
    [pytest.param(name, marks=pytest.mark.root) for name in ("netlink", "iproute")],
    indirect=True,
)
"""There are no routes in memory."""


def setting(namespace: Namespace, key: str, value: int) -> None:
    """A value below /proc/sys/net of a namespace."""
    with namespace:
        try:
            Path("/proc/sys/net", key).write_text(str(value))
        except OSError as error:
            pytest.skip(f"/proc/sys/net cannot be written to here: {error.strerror}")


@pytest.fixture
def routed(kernel: Kernel, request: pytest.FixtureRequest) -> Namespace:
    """The namespace of a kernel that has routes: eth9 and br9, each with a network."""
    namespace: Namespace = request.getfixturevalue("veth")
    for words in (
        "link add br9 type bridge", "link set br9 addrgenmode none", "link set br9 up",
        "link add p type veth peer name q", "link set p master br9 up", "link set q up",
        "addr add 10.9.0.1/24 dev eth9", "addr add 10.8.0.1/24 dev br9",
        "addr add 2001:db8:9::1/64 dev eth9 nodad", "addr add 2001:db8:8::1/64 dev br9 nodad",
    ):  # fmt: skip
        namespace.ip(words)
    until(lambda: "2001:db8:8::/64" in namespace.ip("-6 route show dev br9"))
    until(lambda: "linkdown" not in namespace.ip("-6 route show dev br9"))
    return namespace


def around(kernel: Kernel, text: str) -> Surroundings:
    """What surrounds an address on eth9."""
    one = proxy(text)
    (answer,) = kernel.surroundings(index(kernel, "eth9"), one.family, [one.local])
    return answer


@on_linux
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_settings(kernel: Kernel, routed: Namespace, family: str) -> None:
    """Each setting is the one of its device, or of all."""
    text = {"ipv4": "10.8.0.5", "ipv6": "2001:db8:8::5"}[family]
    br9 = index(kernel, "br9")
    values = {"forwarding": False, "everywhere": False, "answering": False, "delay": 800}
    way = {"out": br9, "back": False}
    assert around(kernel, text) == Surroundings(**values, **way)  # type: ignore[arg-type]
    setting(routed, f"{family}/conf/eth9/forwarding", 1)
    setting(routed, f"{family}/neigh/eth9/proxy_delay", 30)
    values |= {"forwarding": True, "delay": 300}
    assert around(kernel, text) == Surroundings(**values, **way)  # type: ignore[arg-type]
    setting(routed, f"{family}/conf/br9/forwarding", 1)
    way["back"] = True
    assert around(kernel, text) == Surroundings(**values, **way)  # type: ignore[arg-type]
    setting(routed, f"{family}/conf/all/forwarding", 1)
    values["everywhere"] = True
    assert around(kernel, text) == Surroundings(**values, **way)  # type: ignore[arg-type]
    word = {"ipv4": "proxy_arp", "ipv6": "proxy_ndp"}[family]
    for place in ("eth9", "all"):
        setting(routed, f"{family}/conf/{place}/{word}", 1)
        assert around(kernel, text).answering
        setting(routed, f"{family}/conf/{place}/{word}", 0)
    assert not around(kernel, text).answering


@on_linux
@pytest.mark.parametrize(
    ("text", "device", "local"),
    [
        ("10.8.0.5", "br9", False),
        ("10.9.0.5", "eth9", False),
        ("10.7.0.5", "", False),
        ("10.8.0.1", "lo", True),
        ("10.8.0.255", "", False),
        ("2001:db8:8::5", "br9", False),
        ("2001:db8:9::5", "eth9", False),
        ("2001:db8:7::5", "", False),
        ("2001:db8:8::1", "lo", True),
    ],
)
def test_routes(kernel: Kernel, routed: Namespace, text: str, device: str, local: bool) -> None:
    """Through which device, to this host, or nowhere: a broadcast address is no way either."""
    routed.raise_lo()
    names = {0: "", **{one.index: one.name for one in kernel.snapshot().devices.values()}}

    def way() -> tuple[str, bool]:
        answer = around(kernel, text)
        return names[answer.out], answer.local

    # The kernel adds the route of a new IPv6 address after it has taken the address.
    until(lambda: way() == (device, local))


@on_linux
@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw"])
@pytest.mark.parametrize("text", ["10.8.0.5", "2001:db8:8::5"])
def test_routes_that_lead_nowhere(kernel: Kernel, routed: Namespace, text: str, kind: str) -> None:
    """A refusal, whichever it is, is no error: there is no way (a thrown one goes on to others)."""
    bits = 128 if ":" in text else 32
    routed.ip(f"route add {kind} {text}/{bits}")
    assert around(kernel, text).out == 0


@on_linux
def test_several_at_once(kernel: Kernel, routed: Namespace) -> None:
    """One answer for each address, in their order."""
    one, other = proxy("10.8.0.5"), proxy("10.7.0.5")
    answers = kernel.surroundings(index(kernel, "eth9"), AF_INET, [one.local, other.local])
    assert [bool(answer.out) for answer in answers] == [True, False]
    assert kernel.surroundings(index(kernel, "eth9"), AF_INET, []) == []


def test_memory_says_what_it_was_told() -> None:
    """It has no routes, so it says nothing of its own."""
    kernel = Memory()
    assert kernel.surroundings(1, AF_INET, [bytes(4)]) == []
    kernel.around = Surroundings(
        forwarding=True, everywhere=True, answering=True, delay=0, out=7, back=True
    )
    assert kernel.surroundings(1, AF_INET, [bytes(4)] * 2) == [kernel.around] * 2


def test_a_copy_in_memory_has_them_too(kernel: Kernel) -> None:
    """What is rehearsed begins with the entries that are there."""
    done(kernel, *(add(kernel, text) for text in TEXTS))
    copy = Memory.holding(kernel.snapshot(), proxies=kernel.proxies())
    assert found(copy) == found(kernel)
