"""Media of devices, by the generic netlink family ``ethtool`` (linux/ethtool_netlink.h).

The kernel announces settings by a user to the group ``monitor``. It never announces the result of a
negotiation with the peer, so that is requested when a carrier comes, over the subscribed socket:
answers and announcements are in one order.
"""

from __future__ import annotations

from errno import ENOENT
from sys import byteorder

from netalias import errors
from netalias.kernel.netlink import NETLINK_GENERIC, codec, read_error
from netalias.kernel.netlink.subscription import Subscription
from netalias.model.events import MEDIA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kernel.netlink.subscription import Message
    from netalias.model.events import Word

# The controller of generic netlink: linux/genetlink.h.
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID = 1
CTRL_ATTR_FAMILY_NAME = 2
CTRL_ATTR_MCAST_GROUPS = 7
CTRL_ATTR_MCAST_GRP_NAME = 1
CTRL_ATTR_MCAST_GRP_ID = 2

# Messages and attributes of the family: ETHTOOL_* of linux/ethtool_netlink.h.
FAMILY = "ethtool"
GROUP = "monitor"
VERSION = 1
LINKINFO_GET = 2
LINKMODES_GET = 4
HEADER = 1
HEADER_DEV_INDEX = 1
HEADER_FLAGS = 3
COMPACT_BITSETS = 1

FIELDS: dict[int, dict[int, str]] = {
    2: {2: "port"},
    3: {2: "port"},
    4: {2: "autoneg", 5: "speed", 6: "duplex"},
    5: {2: "autoneg", 5: "speed", 6: "duplex"},
}
"""ETHTOOL_MSG_LINKINFO_GET_REPLY, _LINKINFO_NTF, _LINKMODES_GET_REPLY, _LINKMODES_NTF: names of
the attributes that are decoded."""


class Media:
    """A socket of the family, if the kernel has it (``present``). Raises KernelError."""

    def __init__(self, buffer: int = 0) -> None:
        self._subscription = Subscription(NETLINK_GENERIC, buffer=buffer)
        self._family, group = self._resolve()
        self.present = bool(group)
        if group:
            self._subscription.join(group)

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._subscription.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._subscription.close()

    def ask(self, index: int) -> None:
        """Request the media of one device; read() gives them, if it has any."""
        for command in (LINKINFO_GET, LINKMODES_GET):
            self._subscription.send(self._family, 0, _request(command, index))

    def all(self) -> Iterator[Word]:
        """The media of all devices, and announcements between them. Raises WireError."""
        for command in (LINKINFO_GET, LINKMODES_GET):
            try:
                for message in self._subscription.answers(self._family, _request(command)):
                    yield from self._words(message)
            except errors.KernelError:
                continue  # a driver that fails ends the list; the answers before it are right

    def read(self) -> Iterator[Word]:
        """The announcements and answers that are there. Raises WireError, KernelError."""
        for message in self._subscription.read():
            if message is None:
                self._subscription.drain()
                yield from self.all()
                return
            yield from self._words(message)

    def _words(self, message: Message) -> Iterator[Word]:
        kind, _, _, data, start, end = message
        if kind != self._family or end - start < 4:
            return
        fields = FIELDS.get(data[start], {})
        found = codec.attributes(data, start + 4, end)
        header = found.get(HEADER, b"")
        index = codec.attributes(header, 0, len(header)).get(HEADER_DEV_INDEX, b"")
        values = {name: _number(found[one]) for one, name in fields.items() if one in found}
        if values and index:
            yield (MEDIA, _number(index)), values, None

    def _resolve(self) -> tuple[int, int]:
        """The ids of the family and of its group; zeros where the kernel has none."""
        body = _generic(CTRL_CMD_GETFAMILY) + codec.attr_text(CTRL_ATTR_FAMILY_NAME, FAMILY)
        self._subscription.send(GENL_ID_CTRL, 0, body)
        for message in self._subscription.read(0):
            if message is None:
                continue
            kind, flags, _, data, start, end = message
            if kind == codec.NLMSG_ERROR:
                code, text = read_error(data, flags, start, end)
                if code not in (0, ENOENT):
                    raise errors.kernel_error("ethtool netlink", code, text)
                return 0, 0
            found = codec.attributes(data, start + 4, end)
            return _number(found.get(CTRL_ATTR_FAMILY_ID, b"")), _group(found)
        return 0, 0


def _group(found: dict[int, bytes]) -> int:
    groups = found.get(CTRL_ATTR_MCAST_GROUPS, b"")
    for one in codec.attributes(groups, 0, len(groups)).values():
        group = codec.attributes(one, 0, len(one))
        if group.get(CTRL_ATTR_MCAST_GRP_NAME, b"").rstrip(b"\0") == GROUP.encode():
            return _number(group.get(CTRL_ATTR_MCAST_GRP_ID, b""))
    return 0


def _generic(command: int) -> bytes:
    """struct genlmsghdr."""
    return bytes((command, VERSION, 0, 0))


def _request(command: int, index: int = 0) -> bytes:
    parts = [codec.attr_u32(HEADER_DEV_INDEX, index)] if index else []
    header = codec.nest(HEADER, *parts, codec.attr_u32(HEADER_FLAGS, COMPACT_BITSETS))
    return _generic(command) + header


def _number(payload: bytes) -> int:
    """A number of any size, in host byte order."""
    return int.from_bytes(payload, byteorder)
