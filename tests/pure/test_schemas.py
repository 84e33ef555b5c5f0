"""The schemas of JSON: what they allow, and that every output has one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemas
from jsonschema import Draft202012Validator
from test_cli_memory import Command

from netalias import errors
from netalias.cli.flags import SPECIAL
from netalias.cli.show import SUBJECTS
from netalias.desired import HEAL, ON_DOWN, Wish
from netalias.desired.fields import GIVEN

NAMES = sorted(path.stem for path in schemas.FOLDER.glob("*.json"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel."""
    return Command(capsys)


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every part of a schema that describes an object."""
    parts = schema.values() if isinstance(schema, dict) else schema
    inner = [one for part in parts if isinstance(part, (dict, list)) for one in objects(part)]
    whole = isinstance(schema, dict) and schema.get("type") == "object"
    return [schema, *inner] if whole else inner


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_closed(name: str) -> None:
    """Draft 2020-12; no object may have a key that is not described."""
    schema = json.loads((schemas.FOLDER / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    found = [one for one in objects(schema) if "properties" in one and "allOf" not in one]
    assert found
    assert all(one["additionalProperties"] is False for one in found)


def test_every_output_has_a_schema() -> None:
    """Whatever takes -j; that of addresses is for all of them, that of the bus for a socket."""
    words = {verb: ["-j", verb] if verb else ["-j", "eth0:0", "up"] for verb in SPECIAL["-j"]}
    found = {schemas.named(one) for one in words.values()}
    found |= {schemas.named(["-j", "show", subject]) for subject in SUBJECTS}
    assert found | {"address", "bus", "declared"} == set(NAMES)
    assert schemas.named(["-j", "check", "--syntax"]) == "declared"
    assert schemas.named(["-j", "eth0:0"]) == schemas.named(["-j"]) == "show"
    assert schemas.named(["show"]) == schemas.named(["-j", "nosuch"]) == ""


def test_traffic_has_all_that_show_has() -> None:
    """An alias of top is that of show, with the rates."""
    loaded = {name: json.loads((schemas.FOLDER / f"{name}.json").read_text()) for name in NAMES}
    alias = loaded["show"]["$defs"]["alias"]["properties"]
    found = loaded["top"]["items"]["properties"]
    assert found.keys() == alias.keys() | {"seconds", "rates"}
    for key in alias:
        assert found[key] == {"$ref": f"show.json#/$defs/alias/properties/{key}"}


@pytest.mark.parametrize("key", ["address6", "family", "prefixlen"])
def test_what_is_not_allowed(run: Command, key: str) -> None:
    """A key too many, and one too few."""
    run.split("eth0:0 10.0.0.1 kind macvlan")
    (alias,) = json.loads(run.split("-j show"))
    schemas.hold("show", [alias])
    if key in alias:
        del alias[key]
    else:
        alias[key] = "fe80::1"
    with pytest.raises(AssertionError, match=key):
        schemas.hold("show", [alias])


FILE = """\
defaults kind macvlan
eth0:0-1 10.0.0.1-2/24 mtu 1400 heal off on-down keep acd rfc conflict abort announce every 60
eth0:2 2001:db8::1 optimistic lease 600 source on linklocal on hw ether random gateway auto
eth0:3 10.0.0.4 pointopoint 10.0.0.9 down metric 5 -broadcast kind label deprecated announce 3
"""


def test_what_a_file_declares(run: Command, tmp_path: Path) -> None:
    """check --syntax -j: ranges and defaults resolved; without -j it is silent."""
    file = tmp_path / "conf"
    file.write_text(FILE.replace(" deprecated", ""))
    assert run.split(f"check --syntax {file}") == ""
    first, second, third, last = json.loads(run.split(f"-j check --syntax {file}"))
    assert first == {
        "altname": "eth0:0", "family": "inet", "local": "10.0.0.1", "prefixlen": 24,
        "kind": "macvlan", "mtu": 1400, "heal": "off", "on_down": "keep", "acd": "rfc",
        "conflict": "abort", "announce": 1, "announce_every": 60, "place": f"{file}:2",
    }  # fmt: skip
    assert second == {**first, "altname": "eth0:1", "local": "10.0.0.2"}
    assert third == {
        "altname": "eth0:2", "family": "inet6", "local": "2001:db8::1", "prefixlen": 128,
        "kind": "macvlan", "lease": 600, "gateway": "auto", "linklocal": "on", "source": "on",
        "address": "random", "optimistic": True, "place": f"{file}:3",
    }  # fmt: skip
    assert last == {
        "altname": "eth0:3", "family": "inet", "local": "10.0.0.4", "prefixlen": 32,
        "address_peer": "10.0.0.9", "broadcast": None, "kind": "label", "metric": 5, "up": False,
        "announce": 3, "place": f"{file}:4",
    }  # fmt: skip


def test_every_word_of_a_file_has_a_key() -> None:
    """Whatever a Wish holds is in the JSON, but for what says how it was said."""
    known = {"name", "type", "address", "prefixlen", "peer", "broadcast"}
    assert set(GIVEN) == set(Wish.__slots__) - known - {"delete", "lenient", "netmask"}
    allowed = json.loads((schemas.FOLDER / "declared.json").read_text())["$defs"]["alias"][
        "properties"
    ]
    assert {key for key, _, _ in GIVEN.values()} <= set(allowed)
    assert set(allowed["heal"]["enum"]) == set(HEAL)
    assert set(allowed["on_down"]["enum"]) == set(ON_DOWN)


def test_the_name_of_a_link_layer(run: Command) -> None:
    """As ip has it; the old key is as it was: a number, but for Ethernet."""
    run.split("lo:0 192.0.2.1")
    run.split("eth0:0 10.0.0.1 kind macvlan")
    run.memory.add_device("odd0", up=True, type=4711)
    run.split("odd0:0 10.0.0.2")
    found = [(row["link_type"], row["link_type_name"]) for row in json.loads(run.split("-j show"))]
    assert found == [("772", "loopback"), ("ether", "ether"), ("4711", "[4711]")]


def test_announcements(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alias that was asked for, and the reason where it was not announced."""
    for command in ("lo:0 192.0.2.1", "eth0:0 10.0.0.1 kind macvlan", "eth0:1 10.0.0.2 down"):
        run.split(command)

    def found(text: str, status: int = 0) -> list[tuple[str, Any, Any]]:
        out, _ = run.run(text.split(), status)
        rows = json.loads(out)
        return [(row["altname"], row["announced"], row.get("reason")) for row in rows]

    left = [("lo:0", False, "lo has no neighbours"), ("eth0:1", False, "eth0_1 is down")]
    expected = [left[0], ("eth0:0", True, None), left[1]]
    assert found("-j --dry-run -v announce all") == expected
    assert found("-j announce eth0:1") == left[1:]
    monkeypatch.setattr("netalias.engine.Engine.context", object())
    monkeypatch.setattr("netalias.cli.announce.send", lambda *_: [])
    assert found("-j announce all") == expected
    fault = errors.StateError("eth0: no")
    monkeypatch.setattr("netalias.cli.announce.send", lambda *_: [fault])
    expected[1] = ("eth0:0", None, None)
    assert found("-j announce all", errors.STATUS_KERNEL) == expected
