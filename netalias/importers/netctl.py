"""Profiles of netctl in ``/etc/netctl``: further addresses, and labels made by ``ExecUpPost``.

The model is netctl 1.29::

    Interface=eth0
    IP=static
    Address=('10.0.0.1/24'                 the own address of eth0
             '10.0.0.2/24')                an alias, where all addresses are asked for
    ExecUpPost='ip addr add 10.0.0.3/24 dev eth0 label eth0:3'     an alias

An IPv4 element is an address and nothing else: netctl stops at one that ip(8) refuses.
"""

from __future__ import annotations

from netalias import errors
from netalias.importers import Importer
from netalias.importers.assignments import Variable, variables
from netalias.importers.ifupdown.commands import effect
from netalias.importers.reading import HOSTS, Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.importers.addresses import Assignment
    from netalias.importers.slots import Found

READ = ("Interface", "IP", "IP6", "Address", "Address6", "ExecUpPost")
"""The names of variables that matter."""
STATIC = ("static",)
STATIC6 = ("static", "stateless")
"""Values of IP and IP6 with which addresses are set."""
NAME = r"\$Interface\b|\$\{Interface\}"
LIFETIME = "preferred_lft"


class Netctl(Importer):
    """The importer of netctl."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The addresses in some profiles, and notes. Raises StateError."""
        reading = Reading(HOSTS, marked=self.marked, opener=self.opener)
        for path in paths:
            found = variables(reading.text(path), path, reading.note, READ.__contains__)
            _Profile(reading, found).read()
        return reading.found, reading.notes


class _Profile:
    """A profile; ``stop`` says why netctl does nothing more, or is empty."""

    __slots__ = ("main", "reading", "stop", "values")

    def __init__(self, reading: Reading, values: dict[str, Variable]) -> None:
        self.reading = reading
        self.values = values
        self.main = self.text("Interface")
        self.stop = ""

    def text(self, name: str) -> str:
        return self.values[name].text if name in self.values else ""

    def read(self) -> None:
        """Add the addresses of the profile."""
        some = [self.values[name] for name in READ[3:] if name in self.values]
        if some and not self.main:
            what = "only a profile for one device by its name is carried over"
            self.reading.note(some[0].place, f"no Interface: {what}")
            return
        self._addresses("Address", "IP", STATIC, self._address)
        self._addresses("Address6", "IP6", STATIC6, self._address6)
        if "ExecUpPost" in self.values:
            self._command(self.values["ExecUpPost"])

    def _addresses(
        self, name: str, mode: str, modes: Sequence[str], add: Callable[[str, str, str], None]
    ) -> None:
        """Add the elements of an array if the mode of its family is one of *modes*."""
        if name in self.values:
            variable = self.values[name]
            asleep = ""
            if self.text(mode) not in modes:
                asleep = f"not brought up ({mode} is not {modes[0]})"
            for text in variable.items:
                add(text, variable.place, asleep)

    def _address(self, text: str, place: str, asleep: str) -> None:
        """Add an IPv4 address, or stop there."""
        found = self.reading.add(self.main, text, place, asleep=asleep or self.stop)
        if found is None and not asleep and not self.stop:
            self.stop = f"not brought up (netctl stops at {place}, with {text})"

    def _address6(self, text: str, place: str, asleep: str) -> None:
        """Add an IPv6 address with the words behind it."""
        address, *words = text.split() or [""]

        def change(one: Assignment) -> None:
            one.deprecated = f"{LIFETIME} 0" in " ".join(words)

        self.reading.add(self.main, address, place, asleep=asleep or self.stop, change=change)

    def _command(self, variable: Variable) -> None:
        """Add the labels that a command sets."""
        from re import sub

        what = f"{self.main}: ExecUpPost is not carried over"
        try:
            # The name of the interface is that of the other format that has such commands.
            text = sub(NAME, "$IFACE", variable.text)
            done = effect(text, self.main, self.reading.registry)
            if done is None:
                why = "only a shell knows which addresses it adds"
                self.reading.note(variable.place, f"{what}: {why}")
                return
            for label, one in done.labels:
                self.reading.take(label, one, variable.place, asleep=self.stop)
        except errors.NetaliasError as error:
            self.reading.note(variable.place, f"{what}: {error.line()}")
