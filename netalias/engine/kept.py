"""The former addresses that are kept now, with what the kernel and the record tell of each."""

from __future__ import annotations

from netalias import errors
from netalias.model import Value
from netalias.runtime.kept import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.engine import Engine
    from netalias.nat import Table


class KeptAddress(Value):
    """A former address of ``device``. ``since`` and ``until`` are in seconds of CLOCK_MONOTONIC.

    ``new`` is the address with which it leaves, empty for none; ``flows`` the number of flows of
    it that connection tracking knows. Both are None where the kernel could not be asked.
    """

    __slots__ = ("device", "family", "flows", "local", "new", "since", "until")

    def __init__(self, device: str, family: int, local: bytes, since: int, until: int) -> None:
        self.device = device
        self.family = family
        self.local = local
        self.since = since
        self.until = until
        self.new: bytes | None = None
        self.flows: int | None = None


def kept(engine: Engine) -> list[KeptAddress]:
    """The former addresses of all devices, the oldest of each first. Raises KernelError."""
    recorded = read(engine.runtime.path, engine.kernel.cookie())
    found = [
        KeptAddress(device, *key, *times)
        for device, one in recorded.items()
        for key, times in one.former.items()
    ]
    if found:
        _ask(engine, found)
    return found


def _ask(engine: Engine, found: list[KeptAddress]) -> None:
    """Ask the kernel how each leaves; what it does not tell stays None."""
    from netalias.nat.kernel import KernelNat

    try:
        nat = engine.within(KernelNat)
    except errors.NetaliasError:
        return
    try:
        tables = nat.read()
        for family in {one.family for one in found}:
            mine = [one for one in found if one.family == family]
            _fill(mine, tables.get(family), nat.flows(family, {one.local for one in mine}))
    except errors.NetaliasError:
        return
    finally:
        nat.close()


def _fill(found: list[KeptAddress], table: Table | None, flows: dict[bytes, int]) -> None:
    for one in found:
        one.flows = flows.get(one.local, 0)
        one.new = b""
        if table is not None and one.local in table.old.get(one.device, ()):
            one.new = table.new.get(one.device, b"")
