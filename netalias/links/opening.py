"""Devices are opened: a word becomes a link, or an error in words.

Only tcp takes time: a call that is answered, or a caller; and names of hosts, which are looked up.
All others are open at once.
"""

from __future__ import annotations

import os
import socket
from errno import EAGAIN, EINPROGRESS
from select import POLLIN, POLLOUT

from netalias import errors
from netalias.links.datagram import UdpLink
from netalias.links.devices import EXEC, GENERIC, LINK, TCP, TTY, UDP, Device, parse, socket_name
from netalias.links.local import open_command, open_ethernet, open_inherited, open_tty
from netalias.links.lookup import Lookup
from netalias.links.state import LinkState
from netalias.links.stream import StreamLink, prepare_tcp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.links.link import Link
    from netalias.links.lookup import Address

    Greets = Callable[[bytes], bool]

BACKLOG = 1
"""Callers that wait while one is served."""


class Opening:
    """A device that is being opened: ``link`` is None until it is open.

    begin() and then step(), whenever fileno() has one of events(), until ``link`` is there. Both
    raise StateError for a device that cannot be opened; it is closed then.
    """

    def __init__(self, device: Device, greets: Greets = bool) -> None:
        self.device = device
        self.greets = greets
        self.link: Link | None = None
        self._socket: socket.socket | None = None
        self._lookup: Lookup | None = None
        self._left: list[Address] = []

    def fileno(self) -> int:
        """The descriptor to wait for."""
        waiting = self._lookup or self._socket
        assert waiting is not None
        return waiting.fileno()

    def events(self) -> int:
        """The events of poll(2) to wait for."""
        return POLLIN if self.device.passive or self._lookup is not None else POLLOUT

    def begin(self) -> None:
        """Begin; most devices are open at once."""
        try:
            OPENERS[self.device.kind](self)
        except OSError as error:
            raise self._refused(error) from None

    def step(self) -> None:
        """Go on where poll(2) was waited for."""
        try:
            if self._lookup is not None:
                self._looked_up(self._lookup)
            elif self._socket is not None:
                (self._accept if self.device.passive else self._answered)(self._socket)
        except OSError as error:
            if error.errno != EAGAIN:
                self.close()
                raise self._refused(error) from None

    def close(self) -> None:
        """Give up; a link that was opened already is another's."""
        for one in (self._socket, self._lookup):
            if one is not None:
                one.close()
        self._socket = self._lookup = None

    def internet(self) -> None:
        """Find the addresses of the host, and go on with them. Raises OSError."""
        host = None if self.device.place == "*" else self.device.place
        lookup = self._lookup = Lookup(host, self.device.port, SORTS[self.device.kind])
        if lookup.done:
            self._looked_up(lookup)

    def _looked_up(self, lookup: Lookup) -> None:
        lookup.close()
        self._lookup = None
        self._left = lookup.result()
        (self._tcp if self.device.kind == TCP else self._udp)()

    def _tcp(self) -> None:
        """Call the peer, or wait for its call. Raises OSError."""
        if self.device.passive:
            self._socket = self._bound(socket.SOCK_STREAM)
            self._socket.listen(BACKLOG)
        else:
            self._call()

    def _udp(self) -> None:
        """Connect to the peer, or wait for its first datagram. Raises OSError."""
        if self.device.passive:
            waiting = self._bound(socket.SOCK_DGRAM)
            self.link = UdpLink(waiting, self._state(), greets=self.greets)
            return
        family, address = self._left[0]
        made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            made.connect(address)
        except OSError:
            made.close()
            raise
        state = self._state(made)
        state.peer = made.getpeername()[:2]
        self.link = UdpLink(made, state)

    def _call(self) -> None:
        """Call the next address. Raises OSError."""
        family, address = self._left.pop(0)
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        code = self._socket.connect_ex(address)
        if code not in (0, EINPROGRESS):
            self._failed(code)

    def _failed(self, code: int) -> None:
        self.close()
        if not self._left:
            raise OSError(code, os.strerror(code))
        self._call()

    def _answered(self, calling: socket.socket) -> None:
        code = calling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(code)
            return
        self._socket = None
        self._connected(calling)

    def _accept(self, listening: socket.socket) -> None:
        caller, _ = listening.accept()
        self.close()
        caller.setblocking(False)
        self._connected(caller)

    def _connected(self, stream: socket.socket) -> None:
        prepare_tcp(stream)
        state = self._state(stream)
        self.link = StreamLink(stream.detach(), state)

    def _state(self, connected: socket.socket | None = None) -> LinkState:
        name = ""
        if connected is not None:
            name = socket_name(self.device.kind, *connected.getpeername()[:2])
        state = LinkState(self.device.word, self.device.kind, name)
        state.passive = self.device.passive
        return state

    def _bound(self, sort: int) -> socket.socket:
        """A socket that is bound to the port. Raises OSError."""
        family, address = self._left[0]
        made = socket.socket(family, sort | socket.SOCK_NONBLOCK)
        try:
            if sort == socket.SOCK_STREAM:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                both = self.device.place == "*"
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            made.bind(address)
        except OSError:
            made.close()
            raise
        return made

    def _refused(self, error: OSError) -> errors.StateError:
        return errors.StateError(f"{self.device.word}: {error.strerror or error}")

    def local(self) -> None:
        """A terminal, a program or a network device. Raises OSError, StateError."""
        self.link = LOCAL[self.device.kind](self.device, self.greets)


SORTS = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}
"""Kind: the type of its socket."""
LOCAL = {TTY: open_tty, EXEC: open_command, LINK: open_ethernet, GENERIC: open_inherited}
OPENERS: dict[str, Callable[[Opening], None]] = {
    **dict.fromkeys(SORTS, Opening.internet),
    **dict.fromkeys(LOCAL, Opening.local),
}
"""Kind: the method that opens it."""


def opened(word: str, greets: Greets = bool) -> Opening:
    """The opening of the device that *word* means, begun. Raises UsageError, StateError."""
    opening = Opening(parse(word), greets)
    opening.begin()
    return opening
