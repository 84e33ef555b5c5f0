"""The JSON gateway of etcd 3.4: requests of a store as messages, and their answers. Pure.

64-bit integers are texts in answers, fields that are zero, false or empty are left out, keys and
values are base64 (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/, rpc.proto). Any answer is
survived: what cannot be understood raises Malformed.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64

from netalias.cluster.etcd.http import Malformed
from netalias.cluster.etcd.reasons import explained
from netalias.cluster.store import (
    CREATED,
    Change,
    Compacted,
    Done,
    Entry,
    Event,
    Events,
    Grant,
    Granted,
    NoLease,
    Put,
    Read,
    Refused,
    Renew,
    Revoke,
    Snapshot,
    StoreError,
    Unreachable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from netalias.cluster.store import Condition, Delete, Request, Result

    class Call(Protocol):
        """A request on its way: one message, or several one after the other."""

        path: str
        repeatable: bool
        """Whether it may be sent again when nobody knows whether it was done."""

        def body(self) -> bytes:
            """The next message."""

        def take(self, fields: dict[str, Any]) -> Result | str | None:
            """The result; None where another message is to be sent. Raises Malformed."""


PAGE = 2000
"""Entries in one answer, which is parsed at once: nothing else is done meanwhile."""
SNAPSHOT_MAX = 64 << 20
"""Bytes of keys and values of a Snapshot; 10 000 addresses have some 3 MB."""
IDENTITY_MAX = 20
"""Digits of a 64-bit number."""
WORDS_MAX = 200
"""Bytes of a text in the place of an answer that are shown."""
REVISION_MAX = (1 << 63) - 1

# google.golang.org/grpc/codes, of which the gateway gives the number.
INVALID_ARGUMENT = 3
NOT_FOUND = 5
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
UNAUTHENTICATED = 16
REFUSALS = (
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    FAILED_PRECONDITION,
    OUT_OF_RANGE,
    UNIMPLEMENTED,
    UNAUTHENTICATED,
)
"""Codes of what stays so until somebody changes it."""
FULL = "database space exceeded"
"""The one RESOURCE_EXHAUSTED of this kind."""

STALE = ("invalid auth token", "revision of auth store is old", "user name is empty")
"""Errors after which a new token is asked for. Nothing was done."""
NO_USERS = "authentication is not enabled"


class StaleToken(Exception):
    """The token is not valid any more; nothing was done."""


def parsed(data: bytes) -> dict[str, Any]:
    """The fields of an answer. Raises Malformed."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("an answer that is no JSON") from None
    return _object(found)


def _header(fields: dict[str, Any]) -> dict[str, Any]:
    """The header of an answer, that of a stream too; empty without one."""
    inner = fields.get("result", fields)
    header = inner.get("header") if isinstance(inner, dict) else None
    return header if isinstance(header, dict) else {}


def identity(fields: dict[str, Any]) -> str:
    """The number of the cluster of members that an answer is of; empty without one."""
    return str(_header(fields).get("cluster_id", ""))[:IDENTITY_MAX]


def revision(fields: dict[str, Any]) -> int:
    """The revision of the store in an answer; 0 without one. Raises Malformed."""
    return _integer(_header(fields), "revision")


def failure(status: int, data: bytes) -> StoreError:
    """The error of an answer that is not 200. Raises StaleToken."""
    try:
        fields = parsed(data)
    except Malformed:
        words = data[:WORDS_MAX].decode("ascii", "replace").strip()
        plain = words if words.isascii() and words.isprintable() else ""
        return Unreachable(explained(f"HTTP status {status}: {plain}".removesuffix(": ")))
    return error(fields.get("code"), str(fields.get("message") or fields.get("error") or status))


def error(code: object, words: str) -> StoreError:
    """An error by its gRPC code. Raises StaleToken."""
    words = words.removeprefix("etcdserver: ")
    shown = words if words.isprintable() else ascii(words)
    if any(one in words for one in STALE):
        raise StaleToken(shown)
    if "lease not found" in words:
        return NoLease(shown)
    if "has been compacted" in words:
        return Compacted(shown)
    if code in REFUSALS or (code == RESOURCE_EXHAUSTED and FULL in words):
        return Refused(explained(shown))
    return Unreachable(explained(shown))


class Authenticate:
    """A user and a password for a token, which is the result."""

    path = "/v3/auth/authenticate"
    repeatable = True

    def __init__(self, name: str, password: str) -> None:
        self._fields = {"name": name, "password": password}

    def body(self) -> bytes:
        """The name and the password."""
        return _encoded(self._fields)

    def take(self, fields: dict[str, Any]) -> str:
        """The token."""
        token = fields.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Malformed("no token")
        return token


class _Leased:
    """A message about a lease."""

    repeatable = True

    def __init__(self, path: str, fields: dict[str, int]) -> None:
        self.path = f"/v3/lease/{path}"
        self._fields = fields

    def body(self) -> bytes:
        return _encoded(self._fields)

    def take(self, fields: dict[str, Any]) -> Result | None:
        """The lease and its seconds, of which one that is gone has none."""
        fields = _object(fields["result"]) if "result" in fields else fields
        lease, ttl = _integer(fields, "ID"), _integer(fields, "TTL")
        if fields.get("error"):
            return error(UNAUTHENTICATED, str(fields["error"]))
        return Granted(lease, ttl) if ttl > 0 else NoLease(f"lease {lease} does not exist")


class _Revoked(_Leased):
    repeatable = False  # the second answer would be NoLease

    def take(self, fields: dict[str, Any]) -> Result | None:
        return Done(True, _revision(fields))


class _Transaction:
    """A Change.

    One without operations asks for a key as well: etcd answers a transaction that neither reads nor
    writes from what this member knows, however old that is.
    """

    path = "/v3/kv/txn"
    repeatable = False  # the second answer would be that its conditions do not hold

    def __init__(self, change: Change) -> None:
        self._fields: dict[str, object] = {
            "compare": [_comparison(one) for one in change.conditions],
            "success": [_operation(one) for one in change.operations],
        }
        if not change.operations:
            key = change.conditions[0].key if change.conditions else "\0"
            asked = [{"request_range": {"key": _text(key), "count_only": True}}]
            self._fields["success"] = self._fields["failure"] = asked
            self.repeatable = True

    def body(self) -> bytes:
        return _encoded(self._fields)

    def take(self, fields: dict[str, Any]) -> Result | None:
        return Done(fields.get("succeeded") is True, _revision(fields))


class _Pages:
    """A Read, in pages of the same revision."""

    path = "/v3/kv/range"
    repeatable = True

    def __init__(self, read: Read) -> None:
        first, end = _span(read.prefix)
        self._fields: dict[str, object] = {"range_end": _base64(end), "limit": PAGE}
        self._first = first
        self._begin()

    def _begin(self) -> None:
        self._fields.pop("revision", None)
        self._fields["key"] = _base64(self._first)
        self._revision = 0
        self._room = SNAPSHOT_MAX
        self._found: list[Entry] = []

    def body(self) -> bytes:
        return _encoded(self._fields)

    def take(self, fields: dict[str, Any]) -> Result | None:
        self._revision = self._revision or _revision(fields)
        page = [_entry(_object(one)) for one in _list(fields, "kvs")]
        self._found += page
        self._room -= sum(len(one.key) + len(one.value) for one in page)
        if self._room < 0:
            raise Malformed(f"more than {SNAPSHOT_MAX} bytes of entries")
        if not (fields.get("more") and page):
            return Snapshot(self._revision, self._found)
        self._fields["key"] = _base64(_bytes(page[-1].key) + b"\0")
        self._fields["revision"] = self._revision
        return None


def call(request: Request) -> Call:
    """The messages of a request, of all kinds but Follow."""
    if isinstance(request, Grant):
        return _Leased("grant", {"TTL": request.ttl})
    if isinstance(request, Renew):
        return _Leased("keepalive", {"ID": request.lease})
    if isinstance(request, Revoke):
        return _Revoked("revoke", {"ID": request.lease})
    if isinstance(request, Change):
        return _Transaction(request)
    if isinstance(request, Read):
        return _Pages(request)
    raise TypeError(request)


WATCH = "/v3/watch"
LINEARIZABLE = (_Transaction.path, _Pages.path)
"""Paths of messages whose answers know all that was answered before they were sent."""


def watch(prefix: str, revision: int) -> bytes:
    """The message that opens a watch."""
    first, end = _span(prefix)
    asked = {"key": _base64(first), "range_end": _base64(end), "start_revision": revision}
    return _encoded({"create_request": asked})


def watched(fields: dict[str, Any], since: int) -> Events | StoreError | None:
    """One line of a watch that was opened at the revision *since*: events, or its end; None for
    one that tells nothing. Raises Malformed, StaleToken."""
    if "error" in fields:
        failed = _object(fields["error"])
        code = failed.get("grpc_code", failed.get("code"))  # of etcd 3.4 and 3.5, of 3.6
        return error(code, str(failed.get("message")))
    result = _object(fields.get("result"))
    if result.get("canceled"):
        if compacted := _integer(result, "compact_revision"):
            return Compacted(f"events up to revision {compacted} are forgotten")
        reason = str(result.get("cancel_reason"))
        return error(PERMISSION_DENIED if "permission" in reason else 0, reason)
    if result.get("created") and since > _revision(result) + 1:
        return Compacted(f"the store is younger than revision {since}")
    events = [_event(_object(one)) for one in _list(result, "events")]
    return Events(events) if events else None


def _event(fields: dict[str, Any]) -> Event:
    """A PUT, which is 0 and so left out, or a DELETE, whose entry is only a key and a revision."""
    entry = _entry(_object(fields.get("kv")))
    return Event(entry.key, entry.modified, None if fields.get("type") == "DELETE" else entry)


def _entry(fields: dict[str, Any]) -> Entry:
    return Entry(
        _decoded(fields, "key").decode(errors="surrogateescape"),
        _decoded(fields, "value"),
        _integer(fields, "create_revision"),
        _integer(fields, "mod_revision"),
        _integer(fields, "lease"),
    )


def _comparison(condition: Condition) -> dict[str, object]:
    created = condition.which == CREATED
    return {
        "key": _text(condition.key),
        "result": "EQUAL",
        "target": "CREATE" if created else "MOD",
        "create_revision" if created else "mod_revision": condition.revision,
    }


def _operation(one: Put | Delete) -> dict[str, object]:
    if isinstance(one, Put):
        put: dict[str, object] = {"key": _text(one.key), "value": _base64(one.value)}
        if one.lease:
            put["lease"] = one.lease
        return {"request_put": put}
    return {"request_delete_range": {"key": _text(one.key)}}


def _span(prefix: str) -> tuple[bytes, bytes]:
    """The first key with a prefix, and the first one after all those; a null byte for no end."""
    first = _bytes(prefix)
    short = first.rstrip(b"\xff")
    return first or b"\0", short[:-1] + bytes([short[-1] + 1]) if short else b"\0"


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogateescape")


def _text(key: str) -> str:
    return _base64(_bytes(key))


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _encoded(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _object(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Malformed("an answer without its object")
    return found


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    found = fields.get(name, [])
    if not isinstance(found, list):
        raise Malformed(f"{name} that is no array")
    return found


def _integer(fields: dict[str, Any], name: str) -> int:
    """A number, as a number or as a text; 0 for an absent one."""
    found = fields.get(name, 0)
    try:
        number = int(found) if isinstance(found, (int, str)) else None
    except ValueError:
        number = None
    if number is None or abs(number) > REVISION_MAX:
        raise Malformed(f"{name} that is no number")
    return number


def _revision(fields: dict[str, Any]) -> int:
    return _integer(_object(fields.get("header")), "revision")


def _decoded(fields: dict[str, Any], name: str) -> bytes:
    found = fields.get(name, "")
    try:
        return a2b_base64(found)
    except (TypeError, ValueError):
        raise Malformed(f"{name} that is no base64") from None
