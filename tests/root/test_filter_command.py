"""``link run --tap --filter`` between two namespaces: unwanted frames never cross."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from select import select
from typing import Any

import pytest
from command import Command
from support import PATIENCE, SLOW, Namespace, until
from test_link_command import INNER, Running, run
from tunnelled import OUTER, cable, transfer

IPV6 = ("2001:db8::1", "2001:db8::2")
DATA = bytes(60_000)
TC = shutil.which("tc") or "/sbin/tc"
SHAPE = "root tbf rate 1mbit burst 4kb latency 400ms"
NOISE = 400
"""Datagrams; not more than the queue of a device takes at once."""


@pytest.fixture
def started(cli: Command, peer: Namespace) -> Iterator[ExitStack]:
    """What is entered here ends with the test."""
    cable(cli.namespace, peer)
    with ExitStack() as stack:
        yield stack


OVER_UDP = (f"{OUTER[1]}:7777/udp", "*:7777/udp")


def linked(
    stack: ExitStack,
    cli: Command,
    peer: Namespace,
    *options: str,
    its: tuple[str, ...] = (),
    over: tuple[str, str] = OVER_UDP,
) -> tuple[Running, Running]:
    """Two ends of a link, each with an IPv4 address."""
    far = run(stack, peer, "link1", over[1], "--tap", *its)
    far.says("-> ready")
    near = run(stack, cli.namespace, "link0", over[0], "--tap", *options)
    for link in (near, far):
        link.says("lcp -> open")
    cli.namespace.ip(f"addr add {INNER[0]}/24 dev link0")
    peer.ip(f"addr add {INNER[1]}/24 dev link1")
    return near, far


def seen(cli: Command, *words: str) -> dict[str, Any]:
    """The object of the one link of a namespace."""
    (found,) = json.loads(cli("-j", "filter", *words))
    return dict(found)


def types(lists: dict[str, Any]) -> list[str]:
    """The types of some filters."""
    return [one["first"] for one in lists["types"]]


def statistics(namespace: Namespace, name: str) -> list[str]:
    """The counters of a device (proc_net(5))."""
    with namespace, open("/proc/thread-self/net/dev", encoding="ascii") as lines:
        (line,) = (one for one in lines if one.strip().startswith(f"{name}:"))
    return line.partition(":")[2].split()


def dropped(namespace: Namespace, name: str) -> int:
    """The frames that the kernel has dropped on their way out of a device."""
    return int(statistics(namespace, name)[11])


def noise(namespace: Namespace, address: str, device: str, mac: str) -> None:
    """NOISE datagrams of IPv6 to a neighbour that nobody needs to ask for."""
    namespace.ip(f"neigh replace {address} lladdr {mac} dev {device} nud permanent")
    with namespace, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sending:
        for _ in range(NOISE):
            sending.sendto(bytes(500), (address, 9))


def arrived(namespace: Namespace, name: str) -> int:
    """The packets that a device has received."""
    return int(statistics(namespace, name)[1])


def ready_for_ipv6(cli: Command, peer: Namespace) -> str:
    """IPv6 on the near end alone, so that it can send; the MAC of the far one."""
    cli.namespace.ip(f"addr add {IPV6[0]}/64 dev link0 nodad")
    for link in peer.run(["ip", "-o", "link", "show", "link1"]).stdout.splitlines():
        return link.split("link/ether ")[1].split()[0]
    raise AssertionError("no link1")


def test_noise_that_nobody_wants_stays_here(
    cli: Command, peer: Namespace, started: ExitStack
) -> None:
    """D-3: the far end has IPv4 alone and says so; IPv6 is dropped by the kernel here, frame by
    frame, and IPv4 passes. With an IPv6 address there it passes again."""
    linked(started, cli, peer, its=("--filter",))
    until(lambda: types(seen(cli)["filter"]) == ["0x0800", "0x0806"])
    assert seen(cli)["wanted"]["types"] == []
    mac = ready_for_ipv6(cli, peer)
    before, came = dropped(cli.namespace, "link0"), arrived(peer, "link1")
    noise(cli.namespace, IPV6[1], "link0", mac)
    assert dropped(cli.namespace, "link0") - before >= NOISE
    assert seen(cli)["dropped"] >= NOISE
    assert transfer(cli.namespace, peer, INNER[1], bytes(100_000))
    assert arrived(peer, "link1") - came < NOISE  # the transfer alone
    peer.ip(f"addr add {IPV6[1]}/64 dev link1 nodad")
    until(lambda: "0x86dd" in types(seen(cli)["filter"]))
    with peer, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiving:
        receiving.bind((IPV6[1], 9))
        receiving.settimeout(30)
        noise(cli.namespace, IPV6[1], "link0", mac)
        assert receiving.recv(1000) == bytes(500)


def test_both_ends_follow_their_addresses(
    cli: Command, peer: Namespace, started: ExitStack
) -> None:
    """D-3: sent again on every change, answered, and shown by both; NOARP takes ARP out; an address
    of the link alone counts only where that is asked for; without addresses there is no filter."""
    options = ("--filter", "--link-local")
    linked(started, cli, peer, *options, its=("--filter",))
    there = Command(peer)
    until(lambda: seen(cli)["result"] == {"types": "success", "groups": "success"})
    cli.namespace.ip("addr add fe80::7/64 dev link0 nodad")
    peer.ip("addr add fe80::8/64 dev link1 nodad")
    until(lambda: types(seen(there)["filter"]) == ["0x0800", "0x0806", "0x86dd"])
    until(lambda: types(seen(cli)["filter"]) == ["0x0800", "0x0806"])
    cli.namespace.ip("link set link0 arp off")
    until(lambda: types(seen(there)["filter"]) == ["0x0800", "0x86dd"])
    until(lambda: seen(cli)["wanted"] == seen(there)["filter"])
    peer.ip("addr flush dev link1")
    until(lambda: seen(cli)["filter"] == {"types": [], "groups": []})


def test_aliases_of_a_link_count(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """An alias device on the TAP asks for its family as long as it is there, though the kernel then
    counts the TAP as promiscuous."""
    linked(started, cli, peer, "--filter")
    there = Command(peer)
    until(lambda: types(seen(there)["filter"]) == ["0x0800", "0x0806"])
    cli("link0:0", "2001:db8::5/64", "kind", "macvlan")
    until(lambda: types(seen(there)["filter"]) == ["0x0800", "0x0806", "0x86dd"])
    cli("link0:0-")
    until(lambda: types(seen(there)["filter"]) == ["0x0800", "0x0806"])


def test_a_filter_ends_with_its_peer(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """Another peer is not held to what the former one wanted."""
    _, far = linked(started, cli, peer, its=("--filter",))
    until(lambda: seen(cli)["filter"]["types"])
    far.end()
    until(lambda: not seen(cli)["filter"]["types"])
    run(started, peer, "link1", "*:7777/udp", "--tap").says("lcp -> open")
    peer.ip(f"addr add {INNER[1]}/24 dev link1")
    mac = ready_for_ipv6(cli, peer)
    until(lambda: transfer(cli.namespace, peer, INNER[1], b"x"))
    before = dropped(cli.namespace, "link0")
    noise(cli.namespace, IPV6[1], "link0", mac)
    until(lambda: arrived(peer, "link1") > NOISE)
    assert dropped(cli.namespace, "link0") == before


def test_a_takeover_keeps_the_filter(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """Who takes over a link shows the filters, goes on with the counter, and the kernel never stops
    to drop; the next change comes through as before."""
    device = f"{OUTER[1]}:7777/udp"
    ours, _ = linked(started, cli, peer, its=("--filter",))
    until(lambda: types(seen(cli)["filter"]) == ["0x0800", "0x0806"])
    mac = ready_for_ipv6(cli, peer)
    noise(cli.namespace, IPV6[1], "link0", mac)
    counted = seen(cli)
    assert counted["dropped"] >= NOISE
    heir = Running(cli.namespace, "link0", device, "--tap", action="takeover")
    started.callback(heir.process.wait)
    started.callback(heir.process.kill)
    assert ours.process.wait(60) == 0
    until(lambda: seen(cli)["filter"] == counted["filter"])
    assert seen(cli)["dropped"] >= counted["dropped"]
    before = dropped(cli.namespace, "link0")
    noise(cli.namespace, IPV6[1], "link0", mac)
    assert dropped(cli.namespace, "link0") - before >= NOISE
    assert seen(cli)["dropped"] >= counted["dropped"] + NOISE
    peer.ip(f"addr add {IPV6[1]}/64 dev link1 nodad")
    until(lambda: "0x86dd" in types(seen(cli)["filter"]))


def test_a_device_that_is_no_link(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """D-3: the messages for it, byte by byte; the same as words."""
    expected = (
        "01 03 00 08 08 00 08 00 08 06 08 06\n"
        "01 05 00 18 01 00 5e 00 00 00 01 00 5e 7f ff ff ff ff ff ff ff ff ff ff ff ff ff ff\n"
    )
    cli.namespace.ip("addr del fd09::1/64 dev eth9")
    cli.namespace.ip("addr add fe80::9/64 dev eth9 nodad")
    assert cli("filter", "eth9", "--print") == expected
    assert "86 dd 86 dd" in cli("filter", "eth9", "--print", "--link-local")
    printed = json.loads(cli("-j", "filter", "eth9", "--print"))
    assert [bytes.fromhex(one["message"]) for one in printed] == [
        bytes.fromhex(line) for line in expected.splitlines()
    ]
    (found,) = json.loads(cli("-j", "filter", "eth9"))
    assert found["link"] is False
    assert types(found["wanted"]) == ["0x0800", "0x0806"]
    assert cli("filter") == ""
    assert cli("filter", "eth9").splitlines()[1].split() == [
        "eth9", "0x0800,0x0806", "-", "-", "-", "-"
    ]  # fmt: skip


def test_wrong_words(cli: Command) -> None:
    """Nothing is made, and the reason is told."""
    for words, status, why in (
        (["filter", "--print"], 1, "filter --print needs one device"),
        (["filter", "none"], 2, "none: there is no such device"),
        (["link", "run", "link0", "h:1", "--filter"], 1, "--filter needs --tap"),
        (["link", "run", "link0", "h:1", "--tap", "--link-local"], 1, "needs --filter"),
        (["show", "--filter"], 1, "--filter belongs to link"),
    ):
        done = cli.run(*words)
        assert (done.returncode, done.stdout) == (status, ""), words
        assert why in done.stderr, done.stderr


@pytest.mark.parametrize("filtered", [True, False], ids=["filters", "none"])
def test_a_narrow_line_carries_what_is_wanted(
    cli: Command, peer: Namespace, started: ExitStack, filtered: bool
) -> None:
    """D-3: over a line of 1 Mbit/s, with twice as much noise of IPv6 as there is of an IPv4
    transfer, most of what the line carries is payload of the transfer only where the far end
    filters; the bench has the rates. A loaded machine makes TCP repeat some of it."""
    for namespace, device in ((cli.namespace, "eth9"), (peer, "p9")):
        namespace.ip(f"link set {device} addrgenmode none")
    its = ("--filter",) if filtered else ()
    linked(started, cli, peer, its=its, over=("link:eth9", "link:p9"))
    until(lambda: bool(seen(cli)["filter"]["types"]) == filtered)
    mac = ready_for_ipv6(cli, peer)
    cli.namespace.ip(f"neigh replace {IPV6[1]} lladdr {mac} dev link0 nud permanent")
    cli.namespace.run([TC, *f"qdisc add dev eth9 {SHAPE}".split()])
    carried, lost = octets(peer, "p9"), dropped(cli.namespace, "link0")
    sent = noisy_transfer(cli.namespace, peer)
    carried = octets(peer, "p9") - carried
    assert (len(DATA) / carried >= 0.6) == filtered, carried
    assert (dropped(cli.namespace, "link0") - lost >= sent) == filtered


def octets(namespace: Namespace, name: str) -> int:
    """The octets that a device has received."""
    return int(statistics(namespace, name)[0])


def noisy_transfer(here: Namespace, there: Namespace) -> int:
    """Send DATA by TCP, in turns with datagrams of IPv6 of twice the size, and wait until it has
    come; the number of the datagrams. Their pace is that of TCP: what the line takes."""
    count = 0
    with ExitStack() as stack:
        with there:
            server = stack.enter_context(socket.create_server((INNER[1], 0)))
        server.settimeout(PATIENCE * SLOW)
        with here:
            noisy = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            giving = stack.enter_context(socket.socket())
        giving.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        giving.setblocking(False)
        giving.connect_ex(server.getsockname())
        taking = stack.enter_context(server.accept()[0])
        taking.setblocking(False)
        left, got = memoryview(DATA), b""
        while len(got) < len(DATA):
            assert any(select([taking], [giving] if left else [], [], PATIENCE * SLOW))
            with suppress(BlockingIOError):
                got += taking.recv(1 << 16)
            with suppress(BlockingIOError):
                size = giving.send(left[:4000])
                left = left[size:]
                for _ in range(0, 2 * size, 1000):
                    noisy.sendto(bytes(1000), (IPV6[1], 9))
                    count += 1
    assert got == DATA
    return count
