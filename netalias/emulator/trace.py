"""The trace of events on devices and of hook calls, in order, as lines of text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.emulator.device import Alias, Device
    from netalias.emulator.machine import Machine
    from netalias.families import AliasType


class Trace:
    """The hooks that are called and the devices that go up, go down and are freed.

    The line of a hook tells what the hook can see: the address of the alias, how many aliases are
    attached to the type, and whether the alias is in the device chain.
    """

    __slots__ = ("_emulator", "_lines")

    def __init__(self, emulator: Machine) -> None:
        self._emulator = emulator
        self._lines: list[str] = []
        emulator.hooks.append(self._hook)
        emulator.notifier.append(self._event)

    def take(self) -> list[str]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def _event(self, event: str, device: Device) -> None:
        self._lines.append(f"{event} {device.name}")

    def _hook(self, hook: str, one: AliasType, alias: Alias) -> None:
        registry, name = self._emulator.registry, alias.device.name
        family = registry.known(alias.family)
        address = family.format(alias.address) if family is not None else alias.address.hex()
        place = "chained" if name in self._emulator.chain else "unchained"
        count = registry.n_attach(one)
        self._lines.append(f"{hook} {one.name} {name} {address} n_attach {count} {place}")
