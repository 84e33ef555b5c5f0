"""What version 0.4 has left on a host, in files and in the kernel, when this version takes over.

The texts are those that 0.4.0 wrote in a namespace; tests/pure/test_upgrade.py has its labels.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from command import Command, ip_json, lock_file, sysctl

from netalias.system.process import started

REFUSED, DRIFT = 2, 3
SYSCTLS = ("arp_announce", "arp_ignore")


@pytest.fixture
def runtime(cli: Command) -> Path:
    """The runtime directory as 0.4 left it: of eth9_0 it says only what the main device had."""
    cli.silent("eth9:0", "10.9.9.1/24", "kind", "macvlan")
    found = lock_file(cli.namespace).parent
    cookie = (found / "settings").read_text().splitlines()[0]
    (main,) = ip_json(cli.namespace, "link show eth9")
    for name in ("devices", "namespace"):  # 0.4 had none
        (found / name).unlink(missing_ok=True)
    lines = [cookie, *(f"{main['ifindex']} {key} 0" for key in SYSCTLS)]
    (found / "settings").write_text("".join(f"{line}\n" for line in lines))
    return found


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process of 0.4 that runs on: a guard, or a watcher."""
    words = [sys.executable, "-c", "import time; time.sleep(1000)", "--confirm", "60"]
    with subprocess.Popen(words) as found:
        yield found
        found.kill()


def test_saved_sysctls_go_back(cli: Command, runtime: Path) -> None:
    """With the last alias, although the record does not say which device they are of."""
    key = "ipv4/conf/eth9/{}"
    assert [sysctl(cli.namespace, key.format(one)) for one in SYSCTLS] == ["2", "1"]
    cli.silent("eth9:0-")
    assert [sysctl(cli.namespace, key.format(one)) for one in SYSCTLS] == ["0", "0"]


def test_its_fingerprint_is_not_believed(cli: Command, runtime: Path, tmp_path: Path) -> None:
    """Whatever it says: what is not as declared is found."""
    declared = tmp_path / "declared"
    declared.write_text("eth9:0 10.9.9.1/24 kind macvlan\n")
    (runtime / "fingerprint").write_bytes(bytes(range(32)))
    cli.namespace.ip("addr del 10.9.9.1/24 dev eth9_0")
    assert cli.run("check", str(declared)).returncode == DRIFT
    assert cli("reconcile", str(declared)) == "~ eth9:0 none -> 10.9.9.1/24\n"
    cli.silent("check", str(declared))


def test_a_device_with_a_random_mac_stays(cli: Command, tmp_path: Path) -> None:
    """0.4 let the kernel choose it; the device keeps it, and its index."""
    declared = tmp_path / "declared"
    declared.write_text("eth9:3 10.9.9.3/24\neth9:4 2001:db8:9::4/64\n")
    for number, words in enumerate(declared.read_text().splitlines()):
        mac = f"36:5a:1a:dd:bc:5{number}"
        cli.silent(*words.split(), "kind", "macvlan", "hw", "ether", mac)

    def devices() -> list[tuple[str, int, str]]:
        found = ip_json(cli.namespace, "link show type macvlan")
        return [(one["ifname"], one["ifindex"], one["address"]) for one in found]

    before = devices()
    assert cli("check", str(declared)) == ""
    assert cli("reconcile", str(declared)) == ""
    assert devices() == before


def test_what_waits_for_its_confirmation_is_confirmed(
    cli: Command, runtime: Path, process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """The guard that 0.4 has started is that of the change; a second change has to wait."""
    declared = tmp_path / "declared"
    declared.write_text("eth9:0 10.9.9.2/24 kind macvlan\n")
    pending = runtime / "pending"
    pending.write_text(
        f"pid {process.pid}\nstart {started(process.pid)}\ndeadline 1e9\n"
        "digest a58f319dff838f51e8aa7654a5cac18b\nsince 2026-11-29 20:35:52\n"
    )
    done = cli.run("reconcile", "--confirm", "60", str(declared))
    assert done.returncode == REFUSED
    assert cli.one("eth9:0")["local"] == "10.9.9.1"
    assert cli.run("confirm").returncode == 0
    assert not pending.exists()


def test_its_watcher_is_the_only_one(
    cli: Command, runtime: Path, process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A new one is refused as long as that of 0.4 runs."""
    declared = tmp_path / "declared"
    declared.write_text("eth9:0 10.9.9.1/24 kind macvlan\n")
    (runtime / "watch").write_text(
        f"pid {process.pid}\nstart {started(process.pid)}\n"
        f"since 2026-11-29 20:36:35\nfile {declared}\n"
    )
    with (runtime / "watch.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        line = cli.fails(REFUSED, "watch", str(declared))
    assert line.endswith(f"pid {process.pid}, since 2026-11-29 20:36:35")
