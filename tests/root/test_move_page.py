"""docs/move.md, walked through to the letter on a host with 300 stanzas of ifupdown."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_interface
from pathlib import Path
from statistics import median

import pytest
from command import SCRIPT, Command, forget, wait_for_state, without_dad
from made_up_host import BY_COMMAND, MAIN, interfaces, stanzas
from probing import Probing
from support import SLOW, Namespace, veth_pair

PAGE = Path(__file__).parents[2] / "docs" / "move.md"

pytestmark = [
    pytest.mark.long,
    pytest.mark.early,
    pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed"),
    pytest.mark.skipif(not SCRIPT.exists(), reason="netalias is not installed beside this Python"),
]

OTHER = "auto eth7\niface eth7 inet manual\n"
OLD = f"{interfaces()['etc/network/interfaces'].rstrip()}\n{OTHER}"
"""The stanza of another device follows that of an alias without an empty line."""
ADDRESSES = [str(ip_interface(one).ip) for _, one in (*stanzas(), *BY_COMMAND)]
PROBED = ADDRESSES[::20]
"""All of them, three hundred, would take a processor for themselves."""

NFT = """\
flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0
        iifname "eth0" tcp dport 3306 drop
        iifname "eth0" udp dport 3306 drop
    }
}
"""


def commands(text: str) -> list[str]:
    """The shell blocks of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


class Host:
    """A namespace as ifup has left it, with a copy of /etc, and its peer."""

    def __init__(self, folder: Path) -> None:
        self.here, self.peer = Namespace(), Namespace()
        self.etc = folder / "etc"
        self.cli = Command(self.here)
        forget(self.here)

    def prepare(self) -> None:
        """Addresses, files and rules."""
        self.here.raise_lo()
        without_dad(self.here)
        veth_pair(self.here, self.peer, MAIN, "p0")
        wait_for_state(self.here, MAIN, "UP")
        self.here.ip(f"addr add 192.0.2.1/24 brd + dev {MAIN}")
        self.peer.ip("addr add 192.0.2.250/24 dev p0")
        self.peer.ip("addr add 2001:db8:5::ffff/64 dev p0 nodad")
        self.peer.ip("route add 10.0.0.0/8 dev p0")
        lines = []
        for name, address in [*stanzas(), *BY_COMMAND]:
            brd = "" if ":" in address else "brd + " if "/32" not in address else ""
            label = "" if ":" in address else f"label {name}"
            lines.append(f"addr add {address} {brd}dev {MAIN} {label}\n")
        self.here.run(["ip", "-batch", "-"], input="".join(lines))
        subprocess.run(["cp", "-a", "/etc", str(self.etc)], check=False)
        for folder in ("network", "cron.d"):
            (self.etc / folder).mkdir(exist_ok=True)
        for folder in ("network/interfaces.d", "netplan", "systemd/network", "netalias.d"):
            shutil.rmtree(self.etc / folder, ignore_errors=True)
        (self.etc / "netalias.conf").unlink(missing_ok=True)
        (self.etc / "network/interfaces").write_text(OLD)
        (self.etc / "nftables.conf").write_text(NFT)
        self.here.run(["nft", "-f", str(self.etc / "nftables.conf")])

    def walk(self, blocks: list[str]) -> subprocess.CompletedProcess[str]:
        """Run shell blocks in which /etc is the copy."""
        script = "\n".join(
            [
                f"mount --bind {self.etc} /etc",
                f"PATH={SCRIPT.parent}:$PATH",
                "set -e",
                *blocks,
            ]
        )
        words = ["unshare", "--mount", "timeout", str(240 * SLOW), "sh", "-c", script]
        return self.here.run(words, check=False)

    def probed(self, blocks: list[str]) -> subprocess.CompletedProcess[str]:
        """The same while the peer asks some addresses of each sort, and prints for how long they do
        not answer. Not in an emulator, which would do nothing else."""
        if SLOW > 1:
            return self.walk(blocks)
        with Probing(self.peer, PROBED) as probing:
            done = self.walk(blocks)
        found = probing.found
        for name, six in (("IPv4", False), ("IPv6", True)):
            gaps = [gap for address, gap in found.gaps.items() if (":" in address) is six]
            print(f"{name}: median gap {median(gaps)} ms, longest {max(gaps)} ms of {len(gaps)}")
        print(f"from one request to the next: median {found.round} ms, longest {found.slowest} ms")
        return done

    def silent_ones(self) -> list[str]:
        """The addresses that do not answer the peer."""
        words = ["ping", "-c", "1", "-W", "2"]
        return [one for one in ADDRESSES if self.peer.run([*words, one], check=False).returncode]

    def close(self) -> None:
        forget(self.here)
        self.here.close()
        self.peer.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The old host. Skips where no mount namespace can be had."""
    found = Host(tmp_path)
    try:
        done = found.here.run(["unshare", "--mount", "true"], check=False)
        if done.returncode:
            pytest.skip(f"no mount namespace can be made here: {done.stderr.strip()[:80]}")
        found.prepare()
        yield found
    finally:
        found.close()


def test_the_page_leads_there_and_back(host: Host) -> None:
    """Every command does what the page says; no address is lost on the way or at its end, and a
    probe tells for how long some were away."""
    blocks = commands(PAGE.read_text())
    back = next(number for number, one in enumerate(blocks) if "--kind label" in one)
    done = host.probed(blocks[:back])
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-4000:])
    assert "would not follow the move" in done.stderr
    assert "/etc/network/interfaces: eth0:300, eth0:301 and 299 more stand there too" in done.stderr
    assert host.silent_ones() == []
    kinds = {one["kind"] for one in host.cli.json()}
    assert len(kinds) == 1
    assert not kinds & {"label"}
    assert len(host.cli.json()) == len(stanzas()) + len(BY_COMMAND)
    left = (host.etc / "network/interfaces").read_text()
    assert f"{MAIN}:" not in left
    assert left.startswith(OLD.partition("    up ip")[0])
    assert left.endswith(OTHER)
    done = host.probed(blocks[back:])
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-4000:])
    assert host.silent_ones() == []
    assert (host.etc / "network/interfaces").read_text() == OLD
    assert {one["kind"] for one in host.cli.json()} == {"label"}
