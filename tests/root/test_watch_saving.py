"""Files that a command changes together with the kernel, under a watcher."""

from __future__ import annotations

from pathlib import Path

from command import Command
from support import until
from watcher import watching

BEFORE = "eth9:0 10.0.0.1/32 kind macvlan\n"
AFTER = "eth9:0 10.0.0.9/32 kind macvlan\n"


def test_a_change_that_the_files_declare_is_not_undone(cli: Command, tmp_path: Path) -> None:
    """The file is replaced right before the kernel is changed, as --save does: it is read first,
    though it may still be written to."""
    conf, draft = tmp_path / "netalias.conf", tmp_path / "draft"
    conf.write_text(BEFORE)
    with watching(cli.namespace, tmp_path / "net", "-v", str(conf)) as watch:
        begun = len(watch.said)
        for text, address in ((AFTER, "10.0.0.9"), (BEFORE, "10.0.0.1")) * 3:
            draft.write_text(text)
            draft.replace(conf)
            cli.silent("eth9:0", address)
            watch.says("read again: ")
        cli.silent("eth9:0", "10.0.0.7")
        until(lambda: cli.json("eth9:0")[0]["local"] == "10.0.0.1")
        assert watch.end() == 0
    undone = [line for line in watch.said[begun:] if "changed back" in line]
    assert len(undone) <= 1  # the last one, which may be told with what waited for the file
