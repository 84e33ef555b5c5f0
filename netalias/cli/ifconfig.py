"""The command netalias-ifconfig: ifconfig(8) on hosts with alias devices.

Names with a colon go to netalias, in the grammar of ifconfig(8). All else goes to the other
ifconfig(8) of the host, unchanged; in what that prints, eth0_0 is called eth0:0.
"""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli.output import failed, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.observed import Observed

PROGRAM = "ifconfig"
FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"
"""Places of ifconfig(8) if PATH does not have it."""
MISSING = 127
"""The exit status of a shell for a program that is missing."""


def main(argv: Sequence[str]) -> int:
    """Execute the command with the words *argv*, the program first; the exit status."""
    try:
        return _run(argv[0], list(argv[1:]))
    except BaseException as error:  # each has its exit status; none becomes a traceback
        return failed(error)


def _run(program: str, words: list[str]) -> int:
    options = []
    while words and words[0].startswith("-") and ":" not in words[0]:
        options.append(words.pop(0))
    if not words:
        return _show(program, [*options], [])
    if ":" in words[0]:
        return _alias(program, options, words)
    if words[1:]:
        command = _of_main(words)
        return _netalias(command) if command else _hand_over(program, [*options, *words])
    return _show(program, options, words)


def _of_main(words: list[str]) -> list[str]:
    """The command of netalias for ``MAIN add ADDRESS`` and ``MAIN del ADDRESS`` of IPv4, which are
    about an alias; empty for what is not.

    ifconfig(8) takes the first slot without a label, and the mask of the main device. It knows no
    alias devices, so left to itself it would make a label with the name of one.
    """
    if len(words) != 3 or words[1] not in ("add", "del") or ":" in words[2]:
        return []
    from netalias.families.inet import quad
    from netalias.model import AF_INET
    from netalias.model.prefix import class_length
    from netalias.system.hosts import inet_address

    observed = _observe()
    main = observed.snapshot.device(words[0])
    address, slash, length = words[2].partition("/")
    packed = quad(address) or quad(inet_address(address))
    if main is None or packed is None or any(one.device is main for one in observed.aliases):
        return []
    if words[1] == "del":
        ours = (one for one in observed.aliases if one.ours and one.main is main)
        return [f"{one.name}-" for one in ours if one.address == packed][:1]
    own = [one for one in observed.snapshot.on(main.index) if one.family == AF_INET]
    usual = own[0].prefixlen if own else class_length(packed)
    return [_free(main, observed), f"{'%d.%d.%d.%d' % (*packed,)}/{length if slash else usual}"]


def _free(main: Device, observed: Observed) -> AliasName:
    """The name of the first slot that no alias, label or device has."""
    from itertools import count

    from netalias.model import names

    slots = (names.AliasName(main.name, slot) for slot in count())
    taken = observed.snapshot.device
    return next(
        name
        for name in slots
        if name not in observed.by_name and not taken(name) and not taken(names.primary(name))
    )


def _alias(program: str, options: list[str], words: list[str]) -> int:
    """Change, show or delete an alias."""
    from netalias.desired.ifconfig import parse
    from netalias.system.hosts import inet_address

    if not words[1:] and not words[0].endswith("-"):
        alias = _find(words[0])
        if alias.hidden is not None:
            raise errors.StateError(
                f"{words[0]}: an ifconfig finds no label on a hidden device",
                f"netalias {words[0]}",
            )
        name = words[0] if alias.device is None else alias.device.name
        return _show(program, options, [name])
    command = parse(words, inet_address)
    if command.deleted:
        _check(_find(words[0]), command.deleted)
    status = _netalias(command.words) if command.words[1:] or command.deletes else 0
    if status or not command.device:
        return status
    alias = _find(words[0])
    if alias.device is None:
        what = " ".join(command.device)
        raise errors.StateError(f"{words[0]}: a {alias.kind} has no device of its own: {what}")
    return _hand_over(program, [*options, alias.device.name, *command.device])


def _netalias(words: list[str]) -> int:
    from netalias import cli

    return cli.main(words)


def _observe() -> Observed:
    from netalias import open

    with open() as engine:
        return engine.observe()


def _find(name: str) -> Alias:
    """The alias of that name. Raises BadName, NoSuchDevice."""
    from netalias.model import names
    from netalias.observed.query import find

    return find(_observe(), names.parse(name)[0])


def _check(alias: Alias, address: str) -> None:
    """Raises StateError unless *alias* has this address, whatever length it is given with."""
    from netalias.families import lazy
    from netalias.model import address_text

    packed, _ = lazy().get(10 if ":" in address else 2).parse(address)
    if packed != alias.address:
        text = address_text(alias.family, alias.address)
        raise errors.StateError(f"{alias.name}: it has {text}, and not {address}")


def _show(program: str, options: list[str], words: list[str]) -> int:
    """Print what the other ifconfig prints, with aliases under their names."""
    import subprocess

    from netalias.views.ifconfig import blocks, table

    found = _observe()
    known: Mapping[str, AliasName] = {
        one.device.name: one.name for one in found.aliases if one.device is not None
    }
    done = subprocess.run([_other(program), *options, *words], stdout=subprocess.PIPE, check=False)
    text = done.stdout.decode("utf-8", "surrogateescape")
    write((table if "-s" in options else blocks)(text, known))
    sys.stdout.flush()
    return done.returncode if done.returncode >= 0 else MISSING


def _hand_over(program: str, words: list[str]) -> int:
    """Become the other ifconfig."""
    from os import execv

    path = _other(program)
    return execv(path, [PROGRAM, *words])


def _other(program: str) -> str:
    """The path of the ifconfig(8) that is not this program. Raises StateError."""
    from os import X_OK, access, environ
    from os.path import isfile, join, realpath

    own = realpath(program)
    for folder in (*environ.get("PATH", "").split(":"), *FOLDERS.split(":")):
        path = join(folder, PROGRAM)
        if folder and isfile(path) and access(path, X_OK) and not _same(path, own):
            return path
    error = errors.StateError("this host has no other ifconfig", "package net-tools")
    error.status = MISSING
    raise error


def _same(path: str, own: str) -> bool:
    """Whether *path* is this program under whatever name."""
    from os.path import realpath

    if realpath(path) == own:
        return True
    with open(path, "rb") as file:
        return b"netalias" in file.read(512)
