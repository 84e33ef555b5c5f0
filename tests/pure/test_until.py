"""--exit-when-down has a device behind it, but for monitor, which is told its devices anyway."""

from __future__ import annotations

import pytest
from test_cli_memory import Command

from netalias import cli, errors
from netalias.cli.until import check


def options_of(words: str) -> tuple[cli.Options, list[str]]:
    """The options of a command, and the words that are left."""
    options = cli.Options(lambda _: unopened())
    return options, cli.parse_options(words.split(), options)


def unopened() -> object:
    """No engine is needed to read options."""
    raise AssertionError


@pytest.mark.parametrize(
    ("words", "device", "rest"),
    [
        ("watch --exit-when-down eth0 file", "eth0", "watch file"),
        ("watch file --exit-when-down=eth0", "eth0", "watch file"),
        ("--exit-when-down eth0 watch file", "eth0", "watch file"),
        ("w --exit-when-down eth0", "eth0", "w"),
        ("vif0 192.0.2.1 --exit-when-down eth0 --if-up", "eth0", "vif0 192.0.2.1"),
        ("monitor --exit-when-down eth0", "", "monitor eth0"),
        ("monitor eth0 --exit-when-down", "", "monitor eth0"),
        ("m --exit-when-down eth0", "", "m eth0"),
        ("--exit-when-down monitor eth0", "", "monitor eth0"),
        ("--exit-when-down -j monitor eth0", "", "monitor eth0"),
    ],
)
def test_words(words: str, device: str, rest: str) -> None:
    """Wherever the option stands."""
    options, left = options_of(words)
    assert (options.until, " ".join(left)) == (device, rest)
    assert options.exit_when_down == (not device)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("watch --exit-when-down", "--exit-when-down needs the name of a device"),
        ("watch --exit-when-down --if-up", "--exit-when-down needs the name of a device"),
    ],
)
def test_wrong_words(words: str, reason: str) -> None:
    """What is missing is told."""
    options, _ = options_of(words)
    with pytest.raises(errors.UsageError, match=reason):
        check(options)


@pytest.mark.parametrize(
    "words",
    ["watch", "record lo", "record lo --follow", "monitor lo", "vif", "link run t0 *:1/udp"],
)
def test_if_up_alone(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Whatever the verb does otherwise, it is not ignored."""
    text = Command(capsys).refused(f"{words} --if-up", 1)
    assert text == "--if-up belongs to --exit-when-down"


@pytest.mark.parametrize("words", ["vif", "vif0", "vif0-", "relay", "relay0-"])
def test_what_does_not_stay(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """Tunnels that are shown or ended."""
    text = Command(capsys).refused(f"{words} --exit-when-down eth0", 1)
    assert text == "--exit-when-down belongs to a tunnel or relay that is made"


def test_monitor_takes_no_device_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Its words are the devices."""
    run = Command(capsys)
    text = run.refused("monitor eth0 --exit-when-down=eth0", 1)
    assert text == "--exit-when-down is about the devices that monitor is told"


def test_completion(capsys: pytest.CaptureFixture[str]) -> None:
    """Devices behind it; behind that of monitor the names that monitor takes."""
    run = Command(capsys)
    run.split("eth0:0 10.0.0.1 kind macvlan")
    assert run.split("complete -- watch --exit-when-down e").split() == ["eth0", "eth1", "eth2"]
    assert "eth0:0" in run.split("complete -- monitor --exit-when-down e").split()
    assert run("complete", "--", "watch", "--exit").split() == ["--exit-when-down"]
