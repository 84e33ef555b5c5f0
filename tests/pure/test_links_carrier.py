"""The carrier of a device: awaited, and lost."""

from __future__ import annotations

import pytest

from netalias import errors
from netalias.links import carrier
from netalias.links.carrier import Carrier, granted, parse

NO_SUPPORT = "doesn't support CD"
REQUIRED = "Required CD not detected"


def followed(wish: str, levels: list[bool | None], kind: str = "tty") -> tuple[list[str], str]:
    """What is said at a look each second, and the state at the end."""
    asked = parse(wish)
    one = Carrier(granted(kind, asked)[0], 100.0, asked=asked is not None)
    said = []
    for second, level in enumerate(levels):
        if one.due(100.0 + second) is None:
            break
        assert one.due(100.0 + second) == 0
        said.append(one.look(100.0 + second, level))
    return [text for text in said if text], one.state


@pytest.mark.parametrize(
    ("wish", "levels", "said", "state"),
    [
        ("", [False, True], ["Carrier detected"], carrier.ON),
        ("", [False, False], [NO_SUPPORT], carrier.UNCHECKED),
        ("3", [False] * 3, [], carrier.WAITING),
        ("3", [False] * 4, [NO_SUPPORT], carrier.UNCHECKED),
        ("3", [False] * 4 + [True, False], [NO_SUPPORT], carrier.UNCHECKED),
        ("3!", [False] * 4, [REQUIRED], carrier.MISSING),
        ("3!", [False, True, True], ["Carrier detected"], carrier.ON),
        ("3!", [True, True, False], ["Carrier detected", "Carrier lost"], carrier.LOST),
        ("3", [True, False], ["Carrier detected", "Carrier lost"], carrier.LOST),
        ("off", [False, False], [], carrier.UNCHECKED),
        ("", [None], [], carrier.UNCHECKED),
        ("3!", [None], ["the device has no carrier to look at"], carrier.UNCHECKED),
    ],
)
def test_the_carrier_of_a_terminal(
    wish: str, levels: list[bool | None], said: list[str], state: str
) -> None:
    """B-16 and B-17: looked at once a second; not required, it is not looked at any more where none
    came; required, the link is given up; later the loss ends it at once."""
    assert followed(wish, levels) == (said, state)


def test_a_network_device_requires_it() -> None:
    """B-16: six seconds, always required; off is not taken."""
    assert followed("", [False] * 7, "link") == ([REQUIRED], carrier.MISSING)
    assert followed("2", [False] * 3, "link") == ([REQUIRED], carrier.MISSING)
    wish, warning = granted("link", parse("off"))
    assert str(wish) == "6!"
    assert warning == "Carrier must be set, using --cd 6!"


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_sockets_have_none(kind: str) -> None:
    """B-14: the settings are ignored, with a warning if there are any."""
    assert granted(kind, parse("3!")) == (carrier.OFF, "Carrier settings ignored")
    assert granted(kind, None) == (carrier.OFF, "")


def test_a_program_has_none() -> None:
    """B-17: what has no such line counts as on, with a warning if it was asked for."""
    assert followed("3!", [None], "exec") == (
        ["the device has no carrier to look at"],
        carrier.UNCHECKED,
    )
    assert Carrier(granted("exec", None)[0], 0.0).good


@pytest.mark.parametrize("word", ["0", "-1", "x", "!", "6!!", "1.5", "86401", "on"])
def test_wrong_words(word: str) -> None:
    """B-16: off, SECS or SECS!, and nothing else."""
    with pytest.raises(errors.UsageError, match=r"--cd .*: off, or seconds from 1 to 86400"):
        parse(word)


def test_the_words_come_back() -> None:
    """As they were given."""
    assert [str(parse(word)) for word in ("off", "7", "86400!")] == ["off", "7", "86400!"]
    assert parse("") is None
