"""A Kernel on one rtnetlink socket: packed sends, answers matched by sequence.

The bodies of messages are those of codec.py.

Rules:
- a send holds whole messages, and only the last one requests an acknowledgement: the kernel reports
  errors in any case, and the acknowledgement tells that all messages before it were processed;
- a dump is taken in first and decoded afterwards, so that it takes no longer than the kernel; one
  that was interrupted all the same (NLM_F_DUMP_INTR) is repeated (interrupted.py);
- many devices are deleted as a set: each is moved to a scratch group, and one message deletes the
  group, in 20 ms for all instead of 20 ms for each (dev_deactivate_many, RCU grace periods). The
  group is drawn for each set, and read before: nobody else is in it;
- lost answers (ENOBUFS) leave steps with an unknown outcome: they are reported as failed, and
  undone as far as a reading finds our mark on what they may have done;
- an exception in a send leaves no answer unread (the kernel has worked through all messages when
  sendmsg(2) returns): what is known to be refused is not undone.
"""

from __future__ import annotations

from _socket import AF_NETLINK, MSG_DONTWAIT, MSG_TRUNC, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET, socket
from errno import EACCES, EADDRINUSE, EAGAIN, EBUSY, ENOBUFS, ENODEV, EOPNOTSUPP, EPERM
from sys import byteorder

from netalias import errors
from netalias.kernel import UNKNOWN, Kernel, stopped
from netalias.kernel.netlink import codec
from netalias.model import PROTOCOL, RT_TABLE_LOCAL, RTN_LOCAL, Snapshot
from netalias.model.steps import CreateLink, DelLink, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from netalias.kernel.netlink.interrupted import Body
    from netalias.kernel.netlink.layouts import Reader
    from netalias.model import Address, Device
    from netalias.model.gateways import Routing
    from netalias.model.local_routes import LocalRoute
    from netalias.model.names import AliasName
    from netalias.model.neighbours import Proxy, Surroundings
    from netalias.model.routes import Connected
    from netalias.model.steps import Step

    T = TypeVar("T")
    Answer = tuple[bytes, int, int, int]
    """An NLMSG_ERROR: its datagram, its flags, start and end of its body."""

# Protocols and options of netlink sockets: linux/netlink.h, linux/socket.h, asm-generic/socket.h.
NETLINK_ROUTE = 0
NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
SO_RCVBUFFORCE = 33
SO_NETNS_COOKIE = 71
MAX_ERRNO = 4095
"""Largest number that is an errno (linux/err.h)."""

CHUNK = 32768
"""Size of the buffer: a datagram of a dump is larger only for one large device (netlink_dump)."""
PACK = 400
"""Messages in one send: they fit the send buffer, and their answers RECEIVE_BUFFER."""
PACK_SMALL = 150
"""Messages in one send without CAP_NET_ADMIN, which RECEIVE_BUFFER needs."""
RECEIVE_BUFFER = 4 << 20
END = (20).to_bytes(4, byteorder) + codec.NLMSG_DONE.to_bytes(2, byteorder)
"""Length and type of the message that ends a dump, without an extended acknowledgement."""
NOTHING = END + bytes(4)
"""The same with the errno, where all is well."""
BEGINNING = 8192
"""Bytes of the list of devices after which there are many: a first, smaller datagram has been read,
and one of CHUNK bytes more, which hold some thirty devices."""
MANY_ADDRESSES = 16384
"""Bytes of the list of addresses above which there are many: that is some two hundred."""
GET_LOCAL_ROUTES = codec.message(
    codec.RTM_GETROUTE,
    codec.NLM_F_DUMP,
    0,
    codec.RTMSG.pack(0, 0, 0, 0, RT_TABLE_LOCAL, PROTOCOL, 0, RTN_LOCAL, 0),
)
"""Request for the local routes with our mark, of every family; a kernel before 4.20 gives all."""
MANY = 32
"""Messages from which on a dump is read by layout (layouts.py)."""
FEW = 16
"""New devices whose indexes are read by name; those of more are read by one dump."""


class Netlink(Kernel):
    """A Kernel on AF_NETLINK, in the network namespace of the thread that makes it.

    For a subclass that keeps what it reads (fingerprint.py): ``_record`` takes the datagrams that
    come, ``_ahead`` holds some that are already there, the first of them at its end.
    """

    _port_id = 0
    """The port id of the socket; 0 lets the kernel choose one."""

    def __init__(self) -> None:
        self._socket = opened("rtnetlink socket", NETLINK_ROUTE, self._port_id)
        self._sequence = 0
        self._able: dict[str, bool] = {}
        self._indexes: dict[str, int] = {}
        self.untouched: set[int] = set()
        self._buffer = bytearray(CHUNK)
        self._bulk: dict[int, Reader] = {}
        self._ahead: list[bytes] = []
        self._record: list[bytes] | None = None
        self.crowded = False  # near() has found many addresses
        self._pack = self._options()

    def _options(self) -> int:
        for option in (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
            try:
                self._socket.setsockopt(SOL_NETLINK, option, 1)
            except OSError:
                continue  # an older kernel: no texts, longer errors, no checks; all work without
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:
            return PACK_SMALL
        return PACK

    def cookie(self) -> int:
        """The cookie of the namespace (SO_NETNS_COOKIE, Linux 5.14), or 0."""
        try:
            return int.from_bytes(
                self._socket.getsockopt(SOL_SOCKET, SO_NETNS_COOKIE, 8), byteorder
            )
        except OSError:
            return 0

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def reopened(self) -> Netlink:
        """A Kernel with a socket of its own, in the namespace of the calling thread."""
        return Netlink()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    # Reading

    def snapshot(self, family: int = 0) -> Snapshot:
        """All of it, by three dumps, each repeated until it is consistent."""
        self._indexes = {}
        links = self._links()
        request = codec.get_addresses(0, family) if family else codec.ALL_ADDRESSES
        entries = self._dump("list of addresses", request, codec.RTM_NEWADDR, codec.read_address)
        return Snapshot(links, entries, self.local_routes())

    def local_routes(self) -> Sequence[LocalRoute]:
        """The local routes with our mark, by one dump, whose usual end is its first message."""
        self._sequence += 1
        self._send("list of local routes", numbered(GET_LOCAL_ROUTES, self._sequence))
        data = self._receive("list of local routes")
        if data and data[:6] + data[16:] == NOTHING and ends(data, self._sequence):
            return ()
        from netalias.kernel.netlink.local_routes import listed

        if data:  # the beginning of the dump that is read now
            self._sequence -= 1
            self._ahead.append(data)
        return listed(self._dump, GET_LOCAL_ROUTES)

    def part(self, names: Iterable[str]) -> Snapshot:
        """The devices, read by name, and the addresses of each."""
        devices, requests = {}, []
        for device in self.named(names):
            devices[device.index] = device
        for index in devices:
            requests.append(codec.get_addresses(0, 0, index))
        found = self._dumps("list of addresses", requests, codec.RTM_NEWADDR, codec.read_address)
        # A kernel without strict checks lists the addresses of all devices each time.
        own = zip(devices, found, strict=True)
        entries = [entry for index, some in own for entry in some if entry.index == index]
        return Snapshot(devices.values(), entries, self.local_routes())

    def on(self, index: int) -> list[Address]:
        """The addresses of the device with this index."""
        request = codec.get_addresses(0, 0, index)
        found = self._dump("list of addresses", request, codec.RTM_NEWADDR, codec.read_address)
        # A kernel without strict checks lists the addresses of all devices.
        return [entry for entry in found if entry.index == index]

    def near(self, name: AliasName, group: int, local: bytes) -> tuple[Snapshot, bool] | None:
        """The answer of Kernel.near; None where there are few devices and addresses, and the next
        snapshot() then uses the dumps that were read here."""
        head, ended = self.beginning(codec.SURVEY)
        entries = self.taken(codec.ALL_ADDRESSES) if ended else []
        if entries is None:
            return None
        if ended and sum(map(len, entries)) <= MANY_ADDRESSES:
            self._sequence -= 2
            self._ahead = [*head, *entries][::-1]
            return None
        from netalias.kernel.netlink.near import near, sifted

        self.crowded = ended
        listed = self.messages(head) if ended else ()
        found = sifted(listed, entries, name, local) if ended else None
        found = found if ended else near(self, head, name, group, local)
        if found is None:
            return None
        found.local_routes = self.local_routes()
        return found, ended

    def owners(self, local: bytes) -> Snapshot | None:
        """As near(); the owners are found by their bytes in the dump of all addresses, among many
        devices in a shorter list (holders.py)."""
        head, ended = self.beginning(codec.SURVEY)
        entries = self.taken(codec.ALL_ADDRESSES) if ended else None
        if entries and sum(map(len, entries)) <= MANY_ADDRESSES:
            self._sequence -= 2
            self._ahead = [*head, *entries][::-1]
            return None
        from netalias.kernel.netlink.holders import owners

        return owners(self, local, entries)

    def messages(self, datagrams: Iterable[bytes]) -> Iterator[tuple[int, int, bytes, int, int]]:
        """The messages in datagrams: type, flags, datagram, start and end of the body."""
        for data in datagrams:
            for kind, flags, _, start, end in messages(data):
                yield kind, flags, data, start, end

    def beginning(self, request: bytes, until: bytes = b"") -> tuple[list[bytes], bool]:
        """The first datagrams of a dump, up to BEGINNING bytes and one more, or to the one with the
        bytes *until*, and whether these are all. The kernel makes no more of them: the socket is
        replaced by a new one."""
        self._sequence += 1
        self._send("list of devices", numbered(request, self._sequence))
        found: list[bytes] = []
        while until not in found[-1] if until and found else sum(map(len, found)) < BEGINNING:
            data = self._receive("list of devices", MSG_DONTWAIT if found else 0)
            if data is None:
                break
            if data:
                found.append(data)
            if not data or ends(data, self._sequence):
                return found, True
        self._renew()
        return found, False

    def taken(self, request: bytes, operation: str = "list of addresses") -> list[bytes] | None:
        """The datagrams of a dump; None when one was lost."""
        self._sequence += 1
        self._send(operation, numbered(request, self._sequence))
        found, lost = taken(lambda flags: self._receive(operation, flags), self._sequence)
        return None if lost else found

    def reread(
        self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ()
    ) -> Snapshot:
        """Few devices are read by name, more by one dump."""
        if addresses and len(names) <= FEW:
            if not (only and self.crowded):
                return self.part(names)
            from netalias.kernel.netlink.sieve import part

            return part(self, names, only)
        entries: list[Address] = []
        links = self.named(names) if len(names) <= FEW else self._links()
        if addresses:
            entries = self._dump(
                "list of addresses", codec.ALL_ADDRESSES, codec.RTM_NEWADDR, codec.read_address
            )
        return Snapshot(links, entries)

    def made(self, name: str) -> int:
        """The ifindex as it was read after the creation."""
        return self._indexes.get(name, 0)

    def _links(self) -> list[Device]:
        return self._dump("list of devices", codec.ALL_LINKS, codec.RTM_NEWLINK, codec.read_link)

    def proxies(self) -> list[Proxy]:
        """The proxy entries, by one dump; their decoder is loaded with the first entry."""

        def read(data: bytes, start: int, end: int) -> Proxy:
            from netalias.kernel.netlink.neighbours import read_proxy

            return read_proxy(data, start, end)

        return self._dump("list of proxies", codec.get_proxies(0), codec.RTM_NEWNEIGH, read)

    def connected(self) -> list[Connected]:
        """The connected routes, by two dumps."""
        from netalias.kernel.netlink import routes

        return routes.connected(self._dump)

    def delivered(self, asked: set[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
        """Those with a route in the table ``local``, by a request for each, or one dump."""
        from netalias.kernel.netlink import routes

        return routes.delivered(self._dump, self.one, asked)

    def routing(self) -> Routing:
        """The answers, by one dump for each question and family."""
        from netalias.kernel.netlink.rules import NetlinkRouting

        return NetlinkRouting(self._dump)

    def ruled(self) -> bool:
        """Whether there is any rule with our mark: there rarely is one, which the bytes tell."""

        def marked(data: bytes, start: int, end: int) -> bool:
            return codec.MARKED_RULE in data[start:end]

        return any(self._dump("list of rules", codec.ALL_RULES, codec.RTM_NEWRULE, marked))

    def surroundings(
        self, index: int, family: int, addresses: Sequence[bytes]
    ) -> list[Surroundings]:
        """The Surroundings, by two dumps and one request for each address."""
        from netalias.kernel.netlink import neighbours

        return neighbours.surroundings(self._dump, self.one, index, family, addresses)

    def _dump(
        self,
        operation: str,
        request: bytes,
        wanted: int,
        read: Callable[[bytes, int, int], T],
    ) -> list[T]:
        """The results of *read* over the *wanted* messages of a dump. One that is interrupted is
        repeated; if all of them are, ``inconsistent`` is set (interrupted.py)."""
        bodies, consistent = self.attempt(operation, request, wanted)
        if bodies is not None and consistent:
            return self.decoded(bodies, wanted, read)
        return self._repeated(operation, request, wanted, read, bodies)

    def _dumps(
        self,
        operation: str,
        requests: Sequence[bytes],
        wanted: int,
        read: Callable[[bytes, int, int], T],
    ) -> list[list[T]]:
        """The same for several dumps, which are all taken in before one is decoded."""
        from itertools import islice

        tries = [self.attempt(operation, request, wanted) for request in requests]
        whole = [bodies for bodies, consistent in tries if bodies is not None and consistent]
        found = iter(self.decoded([body for bodies in whole for body in bodies], wanted, read))
        return [
            [*islice(found, len(bodies))]
            if bodies is not None and consistent
            else self._repeated(operation, request, wanted, read, bodies)
            for request, (bodies, consistent) in zip(requests, tries, strict=True)
        ]

    def _repeated(
        self,
        operation: str,
        request: bytes,
        wanted: int,
        read: Callable[[bytes, int, int], T],
        bodies: list[Body] | None,
    ) -> list[T]:
        """The same for a dump that was interrupted; *bodies* are those of the first attempt."""
        from netalias.kernel.netlink.interrupted import Repeated

        self._ahead = []  # what was read before is no answer to a request that is made now
        repeated = Repeated(
            lambda request: self.attempt(operation, request, wanted),
            lambda bodies: self.decoded(bodies, wanted, read),
            request,
            wanted,
        )
        found: list[T] = repeated.found(operation, bodies)
        self.inconsistent |= repeated.inconsistent
        return found

    def attempt(
        self, operation: str, request: bytes, wanted: int
    ) -> tuple[list[Body] | None, bool]:
        """The bodies of the *wanted* messages of one dump, and whether it is consistent; None where
        a part was lost. *request* gets a sequence number."""
        self._sequence += 1
        self._send(operation, numbered(request, self._sequence))
        found: list[Body] = []
        datagrams, lost = taken(lambda flags: self._receive(operation, flags), self._sequence)
        consistent, ended = True, False
        for data in datagrams:
            for kind, flags, sequence, start, end in messages(data):
                if sequence != self._sequence:
                    continue
                if flags & codec.NLM_F_DUMP_INTR:
                    consistent = False
                if kind == wanted:
                    found.append((data, start, end))
                elif kind == codec.NLMSG_DONE:
                    text = read_text(data, flags, start + 4, end)
                    _refuse(operation, (read_done(data, start, end), text), sequence)
                    ended = True
                elif kind == codec.NLMSG_ERROR:
                    answer = read_error(data, flags, start, end)
                    if answer[0] == EBUSY:
                        return None, False  # the last dump was not read to its end; now it is
                    _refuse(operation, answer, sequence)
        return (None, False) if lost or not ended else (found, consistent)

    def decoded(
        self, bodies: list[Body], wanted: int, read: Callable[[bytes, int, int], T]
    ) -> list[T]:
        """The results of *read* over the bodies of messages of the type *wanted*."""
        if len(bodies) > MANY and read in (codec.read_link, codec.read_address):
            read = self.by_layout(wanted)  # type: ignore[assignment]
        return [read(*body) for body in bodies]

    def by_layout(self, wanted: int) -> Reader:
        """The reader by layout of a message type; its module is not worth loading for a few."""
        from netalias.kernel.netlink import layouts

        if wanted not in self._bulk:
            self._bulk[wanted] = layouts.READERS[wanted]()
        return self._bulk[wanted]

    def able(self, kind: str) -> bool:
        """Whether the kernel has *kind*, by a request that cannot succeed (codec.probe_kind)."""
        if kind not in self._able:
            code = self._ask(f"kind {kind}", codec.probe_kind(0, kind))
            if code in (EPERM, EACCES, ENOBUFS):
                raise errors.kernel_error(f"kind {kind}", code, "", self._sequence)
            self._able[kind] = code != EOPNOTSUPP
        return self._able[kind]

    def permitted(self) -> None:
        """Check the permission by a request that cannot succeed (codec.PERMISSION)."""
        code = self._ask("changing addresses", codec.PERMISSION)
        if code in (EPERM, EACCES):
            raise errors.kernel_error("changing addresses", code, "", self._sequence)

    def _ask(self, operation: str, request: bytes) -> int:
        """The errno of the answer; ENOBUFS where it was lost."""
        self._sequence += 1
        sequence = self._sequence
        self._send(operation, numbered(request, sequence))
        answers: dict[int, Answer] = {}
        self._answers(operation, sequence, answers)
        return read_code(*answers[sequence]) if sequence in answers else ENOBUFS

    # Writing

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Send the steps in packs; later steps find a device made here by its name."""
        deletions = [step for step in steps if isinstance(step, DelLink)]
        if len(deletions) > 1:
            from netalias.kernel.netlink.group_delete import send_with_set

            return send_with_set(self._send_packs, self._links, steps, deletions)
        results = self._send_packs(steps)
        if results.count(None) < len(results):
            from netalias.kernel.netlink.group_delete import create_anyhow

            create_anyhow(self._send_packs, steps, results)
        made = [
            step
            for step, error in zip(steps, results, strict=True)
            if isinstance(step, CreateLink) and (error is None or error.errno in UNKNOWN)
        ]
        if made:
            self._learn(made)
        return results

    def _send_packs(
        self, steps: Sequence[Step], *, whole: bool = False
    ) -> list[errors.NetaliasError | None]:
        """The answers to all packs; with *whole* a request to stop does not end them half-way."""
        results: list[errors.NetaliasError | None] = []
        for at in range(0, len(steps), self._pack):
            pack = steps[at : at + self._pack]
            if at and self.stop_requested and not whole:  # apply() looks before the first one
                results += map(stopped, pack)
                continue
            try:
                results += self._send_pack(pack)
            except errors.KernelError as error:
                results += [error] * len(pack)
            if self.progress is not None:
                self.progress(len(pack))
        return results

    def _send_pack(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """The answers to one send, in the order of the steps."""
        results: list[errors.NetaliasError | None] = [None] * len(steps)
        places: dict[int, int] = {}
        packed = []
        for place, step in enumerate(steps):
            index = step.index or self._indexes.get(step.device, 0)
            if not index and isinstance(step, DelLink):
                index = self._unlearned(step)
            if not index and not isinstance(step, CreateLink):
                results[place] = _refused(step, ENODEV)
                continue
            self._sequence += 1
            encode = codec.ENCODERS.get(type(step)) or _rare(step)
            packed.append(encode(self._sequence, index, step))
            places[self._sequence] = place
        if not packed:
            return results
        packed[-1] = with_ack(packed[-1])
        answers: dict[int, Answer] = {}
        lost = True
        try:
            self._send("changes", b"".join(packed))
            lost = self._answers("changes", self._sequence, answers)
        except BaseException:
            while data := self._receive("changes", MSG_DONTWAIT):
                _note_answers(data, answers)
            raise
        finally:
            for sequence in places if lost else answers.keys() & places:
                step = steps[place := places[sequence]]
                code, text = (ENOBUFS, "its answer was lost") if lost else (0, "")
                if sequence in answers:
                    code, text = read_error(*answers[sequence])
                    if code and not isinstance(step, SetLink):  # that may be done in part
                        self.untouched.add(id(step))
                if code and code not in getattr(step, "tolerate", ()):
                    results[place] = _refused(step, code, text, sequence)
        return results

    def _answers(self, operation: str, last: int, answers: dict[int, Answer]) -> bool:
        """Add errors and acknowledgements to *answers* by sequence, up to *last*; whether some were
        lost."""
        lost = asked = False
        while last not in answers:
            data = self._receive(operation, MSG_DONTWAIT if lost and not asked else 0)
            if data is None:
                lost, asked = True, False
                continue
            if not data:
                # The acknowledgement was lost too. The kernel queues again only now that the queue
                # is empty: request another one.
                asked = True
                self._sequence += 1
                last = self._sequence
                self._send(operation, numbered(codec.PERMISSION, last))
                continue
            _note_answers(data, answers)
        return lost

    def _learn(self, made: Sequence[CreateLink]) -> None:
        """Read the indexes of new devices, which the next phase needs; the mark tells them from
        others that have got their names, and nobody has named them yet."""
        groups = {step.device: step.group for step in made}
        links = self._links() if len(groups) > FEW else self.named([*groups])
        self._indexes = {}
        for device in links:
            if groups.get(device.name) == device.group and not (device.altnames or device.ifalias):
                self._indexes[device.name] = device.index

    def _unlearned(self, step: DelLink) -> int:
        """The index of a device that an interrupted send may have made, or 0."""
        found = (device for device in self.named([step.device]) if device.name == step.device)
        return next((device.index for device in found if device.group == step.group), 0)

    def named(self, names: Iterable[str]) -> list[Device]:
        """The devices with these names, requested in one send; without those that have gone, and
        all devices when an answer was lost."""
        requests = [
            codec.get_link(sequence, name)
            for sequence, name in enumerate(names, self._sequence + 1)
        ]
        waiting = set(range(self._sequence + 1, self._sequence + 1 + len(requests)))
        self._sequence += len(requests)
        if requests:
            self._send("devices by name", b"".join(requests))
        bodies = []
        while waiting:
            data = self._receive("devices by name")
            if data is None:
                return self._links()
            for kind, _, sequence, start, end in messages(data):
                if sequence in waiting and kind == codec.RTM_NEWLINK:
                    bodies.append((data, start, end))
                waiting.discard(sequence)
        return [codec.read_link(*body) for body in bodies]

    def one(self, operation: str, request: bytes) -> tuple[int, bytes, int, int] | None:
        """The answer to a request: type, datagram, start and end of its body; None when lost."""
        self._sequence += 1
        self._send(operation, numbered(request, self._sequence))
        while True:
            data = self._receive(operation)
            if data is None:
                return None
            for kind, _, sequence, start, end in messages(data):
                if sequence == self._sequence:
                    return kind, data, start, end

    # The socket

    def _send(self, operation: str, data: bytes) -> None:
        if self._ahead:
            return  # the answer has been read
        try:
            self._socket.send(data)
        except OSError as error:
            raise errors.kernel_error(operation, error.errno or 0) from None

    def _renew(self) -> None:
        """Put a new socket in the place of this one, in the middle of a dump."""
        from os import dup2

        made = opened("rtnetlink socket", NETLINK_ROUTE)
        dup2(made.fileno(), self._socket.fileno(), inheritable=False)
        made.close()
        self._options()

    def _drain(self, operation: str) -> None:
        """Read the rest of a dump, so that the next one can begin."""
        while self._receive(operation, MSG_DONTWAIT) != b"":
            pass

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        if self._ahead:
            if self._ahead[-1][8:12] != self._sequence.to_bytes(4, byteorder):
                return b""  # it begins the next dump
            return self._ahead.pop()
        data = received(operation, self._socket, self._buffer, flags)
        if data and self._record is not None:
            self._record.append(data)
        return data


def opened(operation: str, protocol: int, port_id: int = 0) -> socket:
    """A netlink socket in the namespace of the calling thread.

    It gets this *port_id* unless another socket has it; 0 lets the kernel choose one. Raises
    KernelError.
    """
    try:
        made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
        try:
            made.bind((port_id, 0))
        except OSError as error:
            if not port_id or error.errno != EADDRINUSE:
                raise
            made.bind((0, 0))
    except OSError as error:
        raise errors.kernel_error(operation, error.errno or 0) from None
    return made


def taken(receive: Callable[[int], bytes | None], sequence: int) -> tuple[list[bytes], bool]:
    """The datagrams of a dump, read by received(), and whether one was lost.

    Nothing is decoded in between, since any change from the first datagram to the last interrupts
    the dump. The kernel queues the next one before a read returns (netlink_recvmsg of
    net/netlink/af_netlink.c), so an empty queue is the end.
    """
    found: list[bytes] = []
    lost = False
    data = receive(0)
    while data != b"":
        if data is None:
            lost = True
        else:
            found.append(data)
            if ends(data, sequence):
                break
        data = receive(MSG_DONTWAIT)
    return found, lost


def ends(data: bytes, sequence: int) -> bool:
    """Whether a datagram is the last one of the dump with this sequence number."""
    return data[-20:-14] == END and data[-12:-8] == sequence.to_bytes(4, byteorder)


def _refused(step: Step, *answer: Any) -> errors.KernelError:
    from netalias.kernel.refusing import refused

    return refused(step, *answer)


def received(operation: str, source: socket, buffer: bytearray, flags: int) -> bytes | None:
    """One datagram of the kernel; None when one was lost (ENOBUFS, a short buffer, which grows).

    With MSG_DONTWAIT in *flags* it is empty when there is none. Raises KernelError.
    """
    while True:
        try:
            size, sender = source.recvfrom_into(buffer, 0, MSG_TRUNC | flags)
        except OSError as error:
            if error.errno == ENOBUFS:
                return None
            if error.errno == EAGAIN:
                return b""
            raise errors.kernel_error(operation, error.errno or 0) from None
        if sender[0]:
            continue  # not from the kernel
        if size > len(buffer):
            buffer.extend(bytes(size + CHUNK - len(buffer)))
            return None
        return bytes(memoryview(buffer)[:size])


# Headers and acknowledgements


def numbered(request: bytes, sequence: int) -> bytes:
    """The same message with this sequence number."""
    return request[:8] + sequence.to_bytes(4, byteorder) + request[12:]


def with_ack(packed: bytes) -> bytes:
    """The same message with NLM_F_ACK."""
    flags = int.from_bytes(packed[6:8], byteorder) | codec.NLM_F_ACK
    return packed[:6] + flags.to_bytes(2, byteorder) + packed[8:]


def messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """The messages of one datagram: type, flags, sequence, start and end of the body."""
    offset, size = 0, len(data)
    while offset < size:
        if size - offset < 16:
            raise errors.WireError(f"{size - offset} bytes where a message header has 16")
        length, kind, flags, sequence, _ = codec.HEADER.unpack_from(data, offset)
        if length < 16 or offset + length > size:
            raise errors.WireError(f"a message claims {length} of {size - offset} bytes")
        yield kind, flags, sequence, offset + 16, offset + length
        offset += (length + 3) & ~3


def read_error(data: bytes, flags: int, start: int, end: int) -> tuple[int, str]:
    """The errno, or 0, and the text of an NLMSG_ERROR (extended acknowledgement), or ""."""
    code = read_code(data, flags, start, end)
    length = int.from_bytes(data[start + 4 : start + 8], byteorder)
    echo = 16 if flags & codec.NLM_F_CAPPED else (max(length, 16) + 3) & ~3
    return code, read_text(data, flags, start + 4 + echo, end)


def read_code(data: bytes, flags: int, start: int, end: int) -> int:
    """The errno of an NLMSG_ERROR, or 0."""
    if end - start < 20:
        raise errors.WireError(f"an acknowledgement of {end - start} bytes")
    return _errno(data, start)


def read_done(data: bytes, start: int, end: int) -> int:
    """The errno of an NLMSG_DONE, or 0. The extended acknowledgement begins at ``start + 4``."""
    return _errno(data, start) if end - start >= 4 else 0


def read_text(data: bytes, flags: int, start: int, end: int) -> str:
    """The text of an extended acknowledgement whose attributes begin at *start*, or ""."""
    if not flags & codec.NLM_F_ACK_TLVS:
        return ""
    return codec.text_of(codec.attributes(data, start, end).get(codec.NLMSGERR_ATTR_MSG, b""))


def _note_answers(data: bytes, answers: dict[int, Answer]) -> None:
    """Add the errors and acknowledgements in a datagram to *answers*, by sequence."""
    for kind, flags, sequence, start, end in messages(data):
        if kind == codec.NLMSG_ERROR:
            answers[sequence] = data, flags, start, end


def _errno(data: bytes, start: int) -> int:
    code = int.from_bytes(data[start : start + 4], byteorder, signed=True)
    if not -MAX_ERRNO <= code <= 0:
        raise errors.WireError(f"an acknowledgement with the error {code}")
    return -code


def _refuse(operation: str, answer: tuple[int, str], sequence: int) -> None:
    code, text = answer
    if code:
        raise errors.kernel_error(operation, code, text, sequence)


def _rare(step: Step) -> Callable[[int, int, Any], bytes]:
    from netalias.kernel.netlink.group_delete import ENCODERS

    return ENCODERS[type(step)]
