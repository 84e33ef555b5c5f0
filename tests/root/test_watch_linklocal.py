"""``netalias watch`` and link-local addresses of alias devices."""

from __future__ import annotations

from pathlib import Path

from command import Command
from support import until
from watcher import watching


def test_what_is_deleted_comes_back(cli: Command, tmp_path: Path) -> None:
    """A link-local address that somebody deletes is put back by event, and it is the same after the
    device was down; where the kernel makes none by itself there is one too."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(
        "eth9:0 10.0.0.1/32 kind macvlan linklocal on\n"
        "eth9:1 2001:db8::1/64 kind macvlan linklocal on\n"
    )
    here = cli.namespace
    with here:
        Path("/proc/sys/net/ipv6/conf/default/addr_gen_mode").write_text("1")

    def found(device: str) -> str:
        words = here.ip(f"-o -6 addr show dev {device} scope link").split()
        return words[3] if words else ""

    with watching(here, tmp_path / "net", str(conf)):
        for device in ("eth9_0", "eth9_1"):
            first = until(lambda device=device: found(device))
            octets = here.ip(f"-br link show {device}").split()[2].split(":")
            assert first.endswith(f":{int(octets[4] + octets[5], 16):x}/64")
            here.ip(f"addr del {first} dev {device}")
            until(lambda first=first, device=device: found(device) == first)
            here.ip(f"link set {device} down")
            until(lambda first=first, device=device: found(device) == first)
