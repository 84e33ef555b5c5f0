"""Every JSON that a test sees is held against its schema (netalias/schema), so that none has a key
that is not documented."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from netalias import cli, errors
from netalias.cli.changes import CHANGING, changes
from netalias.cli.show import SUBJECTS

FOLDER = Path(__file__).parents[1] / "netalias" / "schema"
MANY = 64
"""Objects of one output that are all examined; of the others one of each kind."""


def named(words: Sequence[str]) -> str:
    """The schema for the output of netalias with *words*; empty where that is no JSON."""
    options = cli.Options(lambda _: unopened())
    try:
        rest = cli.parse_options(words, options)
        first = rest[0] if rest else "show"
        verb = "" if ":" in first else cli.find_verb(first)
    except errors.UsageError:
        return ""
    if not options.json or options.help or options.version:
        return ""
    if verb in CHANGING and changes(verb, rest):
        return "changes"
    if verb == "check":
        return "declared" if options.syntax else "changes"
    if verb == "show" and rest[1:2] and rest[1] in SUBJECTS:
        return rest[1]
    return verb if (FOLDER / f"{verb}.json").exists() else "show"


def unopened() -> Any:
    """No engine is needed to read options."""
    raise AssertionError


def check(words: Sequence[str], text: str) -> None:
    """What netalias printed with *words* is as its schema says; an output of nothing is no JSON."""
    name = named(words)
    if name == "monitor":
        for line in text.splitlines():
            hold(name, json.loads(line))
    elif name and text:
        hold(name, json.loads(text))


def hold(name: str, found: Any) -> None:
    """*found* is as the schema *name* says. An object of a list that was held against it before, to
    the letter, is not examined again."""
    if isinstance(found, list):
        several = _kinds(found) if len(found) > MANY else found
        fresh = {json.dumps(one): one for one in several}
        for text in _held.setdefault(name, set()) & fresh.keys():
            del fresh[text]
        _examine(name, list(fresh.values()))
        _held[name] |= fresh.keys()
    else:
        _examine(name, found)


_held: dict[str, set[str]] = {}
"""By the name of a schema the objects that are as it says."""


def _examine(name: str, found: Any) -> None:
    faults = [f"{one.json_path}: {one.message}" for one in validator(name).iter_errors(found)]
    assert not faults, (name, faults[:3])


def _kinds(found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """One object for each set of keys, which is what may surprise."""
    return {(*one, one.get("change"), one.get("kind")): one for one in found}.values()


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a schema, which finds the others by their names."""
    loaded = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (file, Resource.from_contents(schema)) for file, schema in loaded.items()
    )
    return Draft202012Validator(loaded[f"{name}.json"], registry=registry)
