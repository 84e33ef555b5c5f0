"""The cost of former addresses for each packet: nothing after the first one of a flow."""

from __future__ import annotations

import json
import shutil
from ipaddress import ip_address

import pytest
from command import Command
from keeping import FAMILY, PORT, Bound, Echo, Link, address

from netalias.nat import Translation
from netalias.nat.kernel import KernelNat
from netalias.nat.messages import CHAIN, NAME

WORDS = {4: "ip", 6: "ip6"}
FLOWS, PACKETS = 3, 20
BESIDE = "beside"
"""A table of the test, whose chain of type filter sees every packet."""

pytestmark = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")


class Counters:
    """Those of the packets to the server: in our chain, before our rule, and beside it."""

    def __init__(self, link: Link) -> None:
        self._here, self._family = link.here, WORDS[link.version]
        table = f"{self._family} {BESIDE}"
        chain = f"{table} {CHAIN} {{ type filter hook postrouting priority 0; }}"
        lines = [f"table {table}", f"delete table {table}", f"add table {table}"]
        lines += [f"add chain {chain}"]
        lines += [f"insert rule {self._family} {one} {COUNTER}" for one in CHAINS]
        self._here.run(["nft", "-f", "-"], input="\n".join(lines))

    def read(self) -> list[int]:
        """The packets that passed our chain, and those that left."""
        return [self._packets(one) for one in CHAINS]

    def _packets(self, chain: str) -> int:
        words = ["nft", "-j", "list", "chain", self._family, *chain.split()]
        listed = json.loads(self._here.run(words).stdout)["nftables"]
        rules = [part for one in listed if "rule" in one for part in one["rule"]["expr"]]
        (packets,) = [one["counter"]["packets"] for one in rules if "counter" in one]
        return int(packets)


CHAINS = (f"{NAME} {CHAIN}", f"{BESIDE} {CHAIN}")
COUNTER = f"udp dport {PORT} counter"


@pytest.mark.parametrize("version", [4, 6])
def test_only_the_first_packet_of_a_flow_passes_our_chain(cli: Command, version: int) -> None:
    """D38: of each flow one, and one more after each change, however many follow; whether its
    address is translated, or is the newest one."""
    link = Link(cli.namespace, version)
    link.negotiate(1)
    with link.here:
        nat = KernelNat()
    with Echo(link.there, version) as echo:
        programs = [Bound(link, 1) for _ in range(FLOWS)]
        for last, old in ((2, [1]), (3, [1, 2])):
            link.here.ip(f"addr add {link.text(last)}")
            link.route(last, old[-1])
            packed = [ip_address(address(version, one)).packed for one in (*old, last)]
            nat.apply([Translation("eth9", FAMILY[version], packed[-1], packed[:-1])])
            programs.append(Bound(link, last))
            echo.sources.clear()
            counters = Counters(link)
            for _ in range(PACKETS):
                for program in programs:
                    program.asks(b"there")
            ours, left = counters.read()
            assert (ours, left >= PACKETS * ours) == (len(programs), True)
            assert set(echo.sources) == {address(version, last)}
    for program in programs:
        program.close()
    nat.close()
