"""``netalias watch`` and gateways: what others delete comes back, what is left goes."""

from __future__ import annotations

from pathlib import Path

from command import Command
from support import until
from watcher import watching


def test_what_is_deleted_comes_back_and_goes_with_the_main_device(
    cli: Command, tmp_path: Path
) -> None:
    """A rule and a route that somebody deletes are put back by event; rules go with the main
    device, though the kernel keeps them."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(
        "eth9:0 10.0.0.1/32 kind macvlan gateway 10.0.0.254\n"
        "eth9:1 2001:db8::1/64 kind macvlan gateway fe80::1\n"
    )
    here = cli.namespace

    def rules() -> str:
        return here.ip("rule show pref 32768") + here.ip("-6 rule show pref 32768")

    def routes() -> str:
        words = "route show table all proto 97"
        return here.ip(words) + here.ip(f"-6 {words}")

    with watching(here, tmp_path / "net", str(conf)):
        whole = until(lambda: (rules(), routes()) if "default via fe80::1" in routes() else None)
        for words in (
            "rule del oif eth9_0",
            "-6 rule del oif eth9_1",
            "route flush table all proto 97",
            "-6 route flush table all proto 97",
        ):
            here.ip(words)
            until(lambda: (rules(), routes()) == whole)
        here.ip("link del eth9")
        until(lambda: rules() == "")
