"""``netalias watch`` and main devices that get other names."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from support import LINUX, until
from watcher import watching

TEXT = "eth9:0 10.0.0.1/32 kind macvlan\neth9:1 10.0.0.2/32 kind label\n"
while_up = pytest.mark.skipif(LINUX < (6, 12), reason="this kernel renames only what is down")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file of two aliases of two kinds."""
    file = tmp_path / "netalias.conf"
    file.write_text(TEXT)
    return file


def in_sync(cli: Command, conf: Path) -> bool:
    """Whether all is as it is declared; it is not, while a watcher is still at work."""
    return cli.run("check", str(conf)).returncode == 0


@while_up
def test_a_main_device_gets_another_name(cli: Command, conf: Path, tmp_path: Path) -> None:
    """Aliases declared for the former name wait for it; those declared for the new one come."""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch:
        cli.namespace.ip("link set eth9 name eth8")
        watch.says("eth9 is called eth8 now: the aliases declared for eth9 stay as they are")
        assert "eth9_0" in cli.namespace.names()
        cli.namespace.ip("link set eth8 name eth9")
        watch.shows("eth9:0", "eth9:1")
        until(lambda: in_sync(cli, conf))


def test_a_main_device_is_renamed_while_it_is_down(
    cli: Command, conf: Path, tmp_path: Path
) -> None:
    """Its aliases are freed when it goes down; those declared for a name come when a device that is
    up has it."""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch:
        for old, new in (("eth9", "eth8"), ("eth8", "eth9")):
            cli.namespace.ip(f"link set {old} down")
            until(lambda: not cli.names(), 20)
            conf.write_text(TEXT.replace("eth9", new))
            cli.namespace.ip(f"link set {old} name {new}")
            cli.namespace.ip(f"link set {new} up")
            until(lambda: sorted(cli.names()) == [f"{new}:0", f"{new}:1"], 20)  # noqa: B023 over by then
            watch.shows(f"{new}:0", f"{new}:1")
            until(lambda: in_sync(cli, conf))


@while_up
@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_aliases_that_nobody_declared_get_the_new_name_too(
    cli: Command, conf: Path, tmp_path: Path, kind: str
) -> None:
    """S44, all of them, addresses and routes as they were."""
    conf.write_text("")
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch:
        cli.silent("eth9:3", "10.0.0.1/24", "kind", kind)
        cli.silent("eth9:5", "10.0.0.2/32", "kind", kind)
        watch.shows("eth9:3", "eth9:5")
        cli.namespace.ip("link set eth9 name eth8")
        watch.says("eth9 is called eth8 now: 2 aliases renamed" if kind == "macvlan" else "eth8")
        until(lambda: sorted(watch.aliases()) == ["eth8:3", "eth8:5"])
        assert sorted(one["local"] for one in cli.json()) == ["10.0.0.1", "10.0.0.2"]
        assert cli.one("eth8:3")["state"] == "up"
