"""``netalias record`` on the real kernel, and the line that has the watcher keep a file."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemas
from command import COMMAND, SECONDS, Command
from support import Namespace, Process, until
from tapping import set_media, tap
from watcher import successor, watching

from netalias.record import spec as sdp


@pytest.fixture
def namespace(cli: Command) -> Iterator[Namespace]:
    """With tap0 of 10 Mbit/s, up, and an address of IPv4 on it."""
    with tap(cli.namespace, "tap0"):
        set_media(cli.namespace, "tap0", 10)
        cli.namespace.ip("addr add 10.7.0.1/24 dev tap0")
        cli.namespace.ip("link set tap0 addrgenmode none")
        cli.namespace.ip("link set tap0 up")
        yield cli.namespace


def content(file: Path) -> dict[str, Any]:
    """The record in a file; nothing without one."""
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    schemas.hold("record", [found])
    return found


def written(file: Path) -> tuple[int, int]:
    """Of a file that is not replaced, these stay; another time is that of its last reader."""
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


@contextmanager
def following(namespace: Namespace, file: Path, *words: str) -> Iterator[Process]:
    """``record tap0 --follow`` that has written its first record."""
    words = ("record", "tap0", "--follow", "--file", str(file), *words)
    process = namespace.start([*COMMAND, *words])
    try:
        until(file.exists)
        yield process
    finally:
        process.kill()
        process.wait()


def changes(namespace: Namespace, file: Path) -> None:
    """Each change of the interface is in the file (D-2)."""
    first = content(file)
    assert (first["protocols"], first["ipv4"]) == (["0x0800", "0x0806"], ["10.7.0.0/24"])
    assert (first["media"], first["rate"]) == ("ethernet-10", 1_250_000)
    namespace.ip("addr add 10.8.0.1/16 dev tap0")
    until(lambda: content(file)["ipv4"] == ["10.7.0.0/24", "10.8.0.0/16"])
    namespace.ip("addr add 2001:db8:7::1/64 dev tap0 nodad")
    until(lambda: content(file)["ipv6"] == ["2001:db8:7::/64"])
    assert "0x86dd" in content(file)["protocols"]
    namespace.ip("link set tap0 arp off")
    until(lambda: "NOARP" in content(file)["flags"])
    assert "0x0806" not in content(file)["protocols"]
    set_media(namespace, "tap0", 100)
    until(lambda: content(file)["rate"] == 12_500_000)
    assert content(file)["net_access_type"] == 5


def test_the_record_of_a_device(cli: Command, namespace: Namespace, tmp_path: Path) -> None:
    """Once, as text and as JSON; the device is known by its other name, too."""
    namespace.ip("link property add dev tap0 altname access")
    (found,) = json.loads(cli("-j", "record", "access", "--clients-file", "3"))
    assert (found["ifname"], found["ipv4"], found["availability"]) == ("tap0", ["10.7.0.0/24"], 146)
    text = cli("record", "tap0")
    assert "media         ethernet-10 (0x0004)\n" in text
    assert "rate          1250000 octets/s\n" in text
    assert cli("record", "tap0", "--txt").splitlines()[-1] == "ipv4=10.7.0.0/24"
    file = tmp_path / "x.sdp"
    cli.silent("record", "tap0", "--sdp", "--file", str(file))
    assert sdp.ELEMENT.parse(file.read_bytes()).value[-1].value == b"10.7.0.0/24"
    assert "tap9: there is no such device" in cli.fails(2, "record", "tap9")
    error = f"netalias: {tmp_path}: Is a directory"
    assert cli.fails(2, "record", "tap0", "--clients-file", str(tmp_path)) == error
    assert "(0 of 7 clients)" in cli("record", "tap0", "--clients-file", str(tmp_path / "none"))


def test_a_file_follows_the_interface(namespace: Namespace, tmp_path: Path) -> None:
    """As long as the command runs; then it goes."""
    file = tmp_path / "x.json"
    with following(namespace, file) as process:
        changes(namespace, file)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert not file.exists()


def test_the_device_goes_down_and_away(namespace: Namespace, tmp_path: Path) -> None:
    """D-1: IPv6 goes when it is down; the file goes and comes with the device."""
    file = tmp_path / "x.json"
    namespace.ip("addr add 2001:db8:7::1/64 dev tap0 nodad")
    with following(namespace, file):
        until(lambda: "0x86dd" in content(file)["protocols"])
        namespace.ip("link set tap0 down")
        until(lambda: content(file)["protocols"] == ["0x0800", "0x0806"])
        assert "UP" not in content(file)["flags"]
        namespace.ip("link del tap0")
        until(lambda: not file.exists())
        with tap(namespace, "tap0"):
            until(lambda: content(file).get("protocols") == [])


def test_a_device_that_is_not_there_yet(cli: Command, tmp_path: Path) -> None:
    """It is waited for, which is said."""
    file = tmp_path / "x.json"
    for words in (["--file", str(file)], []):
        process = cli.namespace.start(
            [*COMMAND, "record", "tap8", "--follow", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            line = process.line()
            assert line.endswith("tap8: there is no such device, it is waited for\n")
            with tap(cli.namespace, "tap8"):
                if words:
                    until(lambda: content(file).get("ifname") == "tap8")
                else:
                    assert process.line() == "tap8: service record\n"
            process.terminate()
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.communicate()


def test_one_command_keeps_a_file(cli: Command, namespace: Namespace, tmp_path: Path) -> None:
    """Another one is refused, by whatever path it comes; after a kill there is nothing to clean."""
    file, link = tmp_path / "x.json", tmp_path / "also"
    link.symlink_to(tmp_path)
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        with following(namespace, file) as process:
            for path in (file, link / "x.json"):
                line = cli.fails(2, "record", "tap0", "--follow", "--file", str(path))
                assert line == f"netalias: {file}: another netalias keeps this file"
            assert process.poll() is None
            process.send_signal(end)
            process.wait(SECONDS)
        left = {one.name for one in tmp_path.iterdir()} - {"also"}
        assert left == (set() if end == signal.SIGTERM else {"x.json", ".x.json.lock"})
        file.unlink(missing_ok=True)  # the next one is there when it has been written


def test_lines_of_a_stream(namespace: Namespace) -> None:
    """One object for each change; the end of the reader ends the command."""
    process = namespace.start(
        [*COMMAND, "record", "tap0", "--follow", "-j"], stdout=subprocess.PIPE
    )
    lines = [json.loads(process.line())]
    namespace.ip("addr del 10.7.0.1/24 dev tap0")
    lines.append(json.loads(process.line()))
    namespace.ip("link del tap0")
    while "absent" not in lines[-1]:
        lines.append(json.loads(process.line()))
    schemas.hold("record", lines)
    assert [one["ipv4"] for one in lines[:2]] == [["10.7.0.0/24"], []]
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(SECONDS) == 0


def test_the_watcher_keeps_declared_records(
    cli: Command, namespace: Namespace, tmp_path: Path
) -> None:
    """All of its life: check and doctor without it, save with it, a line that goes, a takeover."""
    lines, file = tmp_path / "lines", tmp_path / "x.json"
    line = f"record tap0 file {file} limit 7"
    lines.write_text(f"{line}\n")
    check = cli.run("-j", "check", str(lines))
    (found,) = json.loads(check.stdout)
    assert check.returncode == 3
    assert (found["change"], found["record"]) == ("unwatched", str(file))
    with watching(cli.namespace, tmp_path / "texts", str(lines)) as watch:
        assert cli("check", str(lines)) == ""
        assert cli("save") == f"{line}\n"
        error = f"netalias: {file}: the watcher keeps it for tap0"
        assert cli.fails(2, "record", "tap0", "--follow", "--file", str(file)) == error
        changes(cli.namespace, file)
        before = written(file)
        with successor(watch, str(lines)) as after:
            assert written(file) == before
            cli.namespace.ip("link set tap0 arp on")
            until(lambda: "NOARP" not in content(file)["flags"])
            lines.write_text(f"{line}\nrecord lo file {tmp_path / 'lo.json'}\n")
            until((tmp_path / "lo.json").exists)
            lines.write_text(f"record lo file {tmp_path / 'lo.json'}\n")
            until(lambda: not file.exists())
            assert after.end() == 0
    assert not (tmp_path / "lo.json").exists()
    assert cli("save") == ""


def test_the_file_of_a_killed_watcher(cli: Command, namespace: Namespace, tmp_path: Path) -> None:
    """It stays, and the next watcher keeps it; or removes it, where the line is gone."""
    lines, file = tmp_path / "lines", tmp_path / "x.json"
    lines.write_text(f"record tap0 file {file}\n")
    with watching(namespace, tmp_path / "texts", str(lines)):
        before = written(file)
    assert written(file) == before
    with watching(namespace, tmp_path / "texts", str(lines)):
        assert written(file) == before
    lines.write_text("")
    with watching(namespace, tmp_path / "texts", "--allow-empty", str(lines)):
        assert not file.exists()
    assert cli("save") == ""
