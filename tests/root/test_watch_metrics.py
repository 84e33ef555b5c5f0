"""A real watcher's file for Prometheus, and its answer to ``health``."""

from __future__ import annotations

import json
from pathlib import Path

from command import Command
from support import until
from watcher import watching


def test_a_watcher_tells_its_health(cli: Command, tmp_path: Path) -> None:
    """In the file at once and at its end, on the socket at any time."""
    conf, path = tmp_path / "netalias.conf", tmp_path / "netalias.prom"
    conf.write_text("eth9:0 10.0.0.1/32 kind macvlan\neth9:1 10.0.0.2/32 kind label\n")
    words = ("--metrics", str(path), "--metrics-aliases", "5", str(conf))
    with watching(cli.namespace, tmp_path / "net", *words) as watch:
        until(path.exists, seconds=10)
        text = path.read_text()
        assert "netalias_watch_up 1\n" in text
        assert "netalias_watch_present 2\n" in text
        assert 'netalias_alias_transmit_packets_total{alias="eth9:0",device="eth9_0"} ' in text
        found = json.loads(watch.ask("health"))
        assert (found["status"], found["pid"]) == ("ok", watch.process.pid)
        assert (found["declared"], found["present"]) == (2, 2)
        assert watch.end() == 0
    assert "netalias_watch_up 0\n" in path.read_text()
