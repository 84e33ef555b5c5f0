"""netalias watch with floats over a real etcd: one host, and what its store knows."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from command import COMMAND, Command, ip_json
from etcd_members import Members
from support import until
from watcher import successor, watching

LINES = """\
cluster etcd http://127.0.0.1 node n1 ttl 5
float web eth9:100-103 10.0.0.100-103/24 kind macvlan"""
ALL = {f"10.0.0.{last}" for last in range(100, 104)}


class Host:
    """One whose file declares four addresses."""

    def __init__(self, stage: Command, folder: Path) -> None:
        self.namespace = stage.namespace
        self.file = folder / "netalias.conf"
        self.declare()

    def declare(self, lines: str = LINES) -> None:
        self.file.write_text(f"{lines}\n")

    def there(self) -> set[str]:
        """The addresses of the pool that stand here."""
        found = ip_json(self.namespace, "addr show")
        return ALL & {entry["local"] for one in found for entry in one["addr_info"]}

    def states(self) -> dict[str, str]:
        """The states of all addresses in the store, with their holders."""
        words = [*COMMAND, "-j", "cluster", "--from", str(self.file), "owners"]
        with self.namespace:
            done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        return {one["local"]: one["state"] for one in json.loads(done.stdout)}


def test_taken_handed_over_and_given_up(spare: Command, tmp_path: Path) -> None:
    """All are taken; the next watcher goes on with them before they run out; those that a file does
    not name any more are free in the store, and so is everything at the end."""
    members = Members(spare.namespace, tmp_path)
    try:
        host = Host(spare, tmp_path)
        words = ("--release", str(host.file))
        with watching(spare.namespace, tmp_path / "net", *words) as watch:
            until(lambda: host.there() == ALL)
            assert set(host.states().values()) == {"held"}
            with successor(watch, *words) as later:
                later.says("n1 is in the cluster")
                until(lambda: set(host.states().values()) == {"held"})
                assert host.there() == ALL
                host.declare(LINES.replace("0-103", "0-101"))
                until(lambda: len(host.there()) == 2)
                until(lambda: host.states()["10.0.0.103"] == "free")
                later.process.send_signal(signal.SIGTERM)
                assert later.process.wait(60) == 0
        assert host.there() == set()
        assert set(host.states().values()) == {"free"}
    finally:
        members.close()
