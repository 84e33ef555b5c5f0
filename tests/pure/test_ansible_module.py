"""The lines that the module of Ansible changes in a file of declarations."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "tools" / "contrib" / "ansible" / "library" / "netalias.py"


def loaded() -> Any:
    """The module, which Ansible would run as a program."""
    spec = importlib.util.spec_from_file_location("ansible_netalias", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ANSIBLE = loaded()

FILE = """\
# ours
eth0:0  10.0.0.5/24   # the web
eth1:0 10.1.0.1
eth0:10-13 10.30.0.1-4/32 kind label

eth2:0 10.2.0.1
"""

CASES = (
    ("as it is", FILE, "eth0:0", "eth0:0 10.0.0.5/24", FILE),
    ("another address", FILE, "eth0:0", "eth0:0 10.0.0.6/24",
     FILE.replace("eth0:0  10.0.0.5/24   # the web", "eth0:0 10.0.0.6/24")),
    ("another word", FILE, "eth1:0", "eth1:0 10.1.0.1 mtu 1400",
     FILE.replace("10.1.0.1", "10.1.0.1 mtu 1400")),
    ("behind its main device", FILE, "eth0:1", "eth0:1 10.0.0.7",
     FILE.replace("kind label\n", "kind label\neth0:1 10.0.0.7\n")),
    ("of a new main device", FILE, "lo:0", "lo:0 10.9.9.9", FILE + "lo:0 10.9.9.9\n"),
    ("into nothing", "", "lo:0", "lo:0 10.9.9.9", "lo:0 10.9.9.9\n"),
    ("behind a last line without an end", "# a", "lo:0", "lo:0 10.9.9.9", "# a\nlo:0 10.9.9.9\n"),
    ("gone", FILE, "eth1:0", "", FILE.replace("eth1:0 10.1.0.1\n", "")),
    ("a range that is gone", FILE, "eth0:10-13", "",
     FILE.replace("eth0:10-13 10.30.0.1-4/32 kind label\n", "")),
    ("gone already", FILE, "eth9:0", "", FILE),
    ("what a comment says", "# eth0:0 10.0.0.5\n", "eth0:0", "", "# eth0:0 10.0.0.5\n"),
)  # fmt: skip


@pytest.mark.parametrize(("before", "name", "wanted", "after"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_one_line_is_changed(before: str, name: str, wanted: str, after: str) -> None:
    """All others stay to the byte, and the same again changes nothing."""
    words = wanted.split() or None
    assert ANSIBLE.edited(before, name, words) == after
    assert ANSIBLE.edited(after, name, words) == after


@pytest.mark.parametrize("name", ["eth0:11", "eth0:9-10", "eth0:13-20", "eth0:0-99"])
@pytest.mark.parametrize("wanted", [None, ["x"]])
def test_a_slot_of_another_line_is_refused(name: str, wanted: list[str] | None) -> None:
    """An alias of a range cannot be declared or removed beside it."""
    with pytest.raises(ANSIBLE.Refused, match="declares it, as eth0:"):
        ANSIBLE.edited(FILE, name, wanted)


def test_the_documentation_has_every_parameter() -> None:
    """Names, defaults and choices are those of the table."""
    yaml = pytest.importorskip("yaml")
    options = yaml.safe_load(ANSIBLE.DOCUMENTATION)["options"]
    told = {
        name: {key: value for key, value in option.items() if key in ("type", "default", "choices")}
        for name, option in options.items()
    }
    assert told == ANSIBLE.ARGUMENTS
    for task in yaml.safe_load(ANSIBLE.EXAMPLES):
        assert set(task["netalias"] or {}) <= set(ANSIBLE.ARGUMENTS)
