"""The messages of etcd's JSON gateway: what is asked, what is answered, and any other answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.cluster.etcd import messages
from netalias.cluster.etcd.http import Malformed
from netalias.cluster.store import (
    CREATED,
    MODIFIED,
    Change,
    Compacted,
    Condition,
    Delete,
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

if TYPE_CHECKING:
    from netalias.cluster.store import Request, Result

HEADER = {"cluster_id": "1", "revision": "7", "raft_term": "2"}
REQUESTS: list[Request] = [
    Grant(5),
    Renew(9),
    Revoke(9),
    Read("/n/"),
    Change([Condition("/n/a", MODIFIED, 3)], [Put("/n/a", b"1", 9), Delete("/n/b")]),
    Change([Condition("/n/a", CREATED, 0)]),
]


def asked(request: Request) -> tuple[str, dict[str, Any]]:
    call = messages.call(request)
    return call.path, json.loads(call.body())


def answered(request: Request, **fields: object) -> Result | str | None:
    """The result of an answer, as it comes."""
    data = json.dumps({"header": HEADER, **fields}).encode()
    return messages.call(request).take(messages.parsed(data))


def test_leases() -> None:
    """Numbers are texts in answers; one that was not there has no TTL."""
    assert asked(Grant(5)) == ("/v3/lease/grant", {"TTL": 5})
    assert asked(Renew(9)) == ("/v3/lease/keepalive", {"ID": 9})
    assert asked(Revoke(9)) == ("/v3/lease/revoke", {"ID": 9})
    assert answered(Grant(5), ID="9007199254740993", TTL="5") == Granted(9007199254740993, 5)
    assert answered(Renew(9), result={"header": HEADER, "ID": "9", "TTL": "5"}) == Granted(9, 5)
    assert isinstance(answered(Renew(9), result={"header": HEADER, "ID": "9"}), NoLease)
    assert answered(Revoke(9)) == Done(True, 7)


def test_a_transaction() -> None:
    """Conditions and operations; that it was not done is a field that is not there."""
    assert asked(REQUESTS[4]) == (
        "/v3/kv/txn",
        {
            "compare": [{"key": "L24vYQ==", "result": "EQUAL", "target": "MOD", "mod_revision": 3}],
            "success": [
                {"request_put": {"key": "L24vYQ==", "value": "MQ==", "lease": 9}},
                {"request_delete_range": {"key": "L24vYg=="}},
            ],
        },
    )
    assert answered(REQUESTS[4], succeeded=True) == Done(True, 7)
    assert answered(REQUESTS[4]) == Done(False, 7)


@pytest.mark.parametrize("conditions", [[], [Condition("/n/a", CREATED, 0)]])
def test_a_transaction_that_changes_nothing_reads(conditions: list[Condition]) -> None:
    """Else etcd would answer it from what a member knew long ago; in both of its branches."""
    _, fields = asked(Change(conditions))
    for branch in ("success", "failure"):
        (one,) = fields[branch]
        assert not one["request_range"].get("serializable", False)


def test_sent_again() -> None:
    """Only what changes nothing, or nothing more, may be."""
    again = [messages.call(one).repeatable for one in REQUESTS]
    assert again == [True, True, False, True, False, True]


@given(st.binary(max_size=4) | st.sampled_from([b"\xff", b"\xff\xff", b"a\xff"]))
def test_a_span_holds_what_begins_so(raw: bytes) -> None:
    """The first key and the one after the last, as bytes are compared; a null byte for no end."""
    first, end = messages._span(raw.decode(errors="surrogateescape"))
    for key in (raw, raw + b"\0", raw + b"\xff" * 9):
        assert first <= (key or b"\0")
        assert end == b"\0" or key < end
    if end != b"\0":
        assert not end.startswith(raw)


def test_pages() -> None:
    """The next page begins after the last key, and is of the same revision."""
    call = messages.call(Read("/n/"))
    first = json.loads(call.body())
    assert first == {"key": "L24v", "range_end": "L24w", "limit": messages.PAGE}
    kv = {"key": "L24vYQ==", "value": "MQ==", "create_revision": "2", "mod_revision": "3"}
    assert call.take({"header": HEADER, "kvs": [kv], "more": True}) is None
    second = json.loads(call.body())
    assert second == {**first, "key": "L24vYQA=", "revision": 7}
    later = {"header": {**HEADER, "revision": "8"}, "kvs": [{**kv, "key": "L24vYg=="}]}
    found = call.take(later)
    assert found == Snapshot(7, [Entry("/n/a", b"1", 2, 3), Entry("/n/b", b"1", 2, 3)])


def test_pages_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they hold together is bounded."""
    monkeypatch.setattr(messages, "SNAPSHOT_MAX", 9)
    call = messages.call(Read("/n/"))
    page = {"header": HEADER, "kvs": [{"key": "L24vYQ==", "value": "MQ=="}], "more": True}
    assert call.take(page) is None
    with pytest.raises(Malformed):
        call.take(page)


def test_the_cluster_of_an_answer() -> None:
    """It stands in every answer, that of a stream too."""
    assert messages.identity({"header": HEADER}) == "1"
    assert messages.revision({"header": HEADER}) == 7
    assert messages.revision({"result": {}}) == 0
    assert messages.identity({"result": {"header": HEADER}}) == "1"
    assert messages.identity({"result": 7}) == messages.identity({}) == ""


def test_events() -> None:
    """A PUT has no type, a DELETE only a key and its revision."""
    put = {"kv": {"key": "YQ==", "value": "MQ==", "create_revision": "2", "mod_revision": "3"}}
    gone = {"type": "DELETE", "kv": {"key": "YQ==", "mod_revision": "4"}}
    line = {"result": {"header": HEADER, "events": [put, gone]}}
    assert messages.watched(line, 2) == Events(
        [Event("a", 3, Entry("a", b"1", 2, 3)), Event("a", 4, None)]
    )


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ({"result": {"header": HEADER, "created": True}}, None),
        ({"result": {"header": HEADER}}, None),
        ({"result": {"header": HEADER, "canceled": True, "compact_revision": "11"}}, Compacted),
        ({"result": {"header": {"revision": "3"}, "created": True}}, Compacted),
        (
            {"result": {"canceled": True, "cancel_reason": "etcdserver: permission denied"}},
            Refused,
        ),
        ({"result": {"canceled": True, "cancel_reason": "etcdserver: no leader"}}, Unreachable),
        ({"error": {"grpc_code": 14, "http_code": 503, "message": "closing"}}, Unreachable),
        ({"error": {"grpc_code": 7, "message": "permission denied"}}, Refused),
        ({"error": {"code": 7, "message": "etcdserver: permission denied"}}, Refused),
    ],
)
def test_the_end_of_a_watch(line: dict[str, object], result: type | None) -> None:
    """It says why, and a first line says whether the store is younger than it."""
    found = messages.watched(line, 7)
    assert found is None if result is None else type(found) is result


ABOUT = {
    "permission denied": " (user has no rights on prefix, or there is no user)",
    "authentication failed, invalid user ID or password": " (the name or the password in the file"
    " of user)",
}


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (5, "etcdserver: requested lease not found", NoLease),
        (7, "etcdserver: permission denied", Refused),
        (3, "etcdserver: authentication failed, invalid user ID or password", Refused),
        (3, "etcdserver: too many operations in txn request", Refused),
        (8, "etcdserver: mvcc: database space exceeded", Refused),
        (8, "etcdserver: too many requests", Unreachable),
        (9, "etcdserver: authentication is not enabled", Refused),
        (11, "etcdserver: mvcc: required revision has been compacted", Compacted),
        (14, "etcdserver: request timed out", Unreachable),
        (14, "etcdserver: leader changed", Unreachable),
        (13, "internal", Unreachable),
        (None, "something else", Unreachable),
    ],
)
def test_errors(code: int | None, words: str, kind: type[StoreError]) -> None:
    """Each is of the kind that says what can be done; etcd's own words are kept, and what they are
    about is said behind them."""
    found = messages.failure(
        400, json.dumps({"error": words, "message": words, "code": code}).encode()
    )
    assert type(found) is kind
    said = words.removeprefix("etcdserver: ")
    assert str(found) == said + ABOUT.get(said, "")


@pytest.mark.parametrize(
    "words", ["invalid auth token", "revision of auth store is old", "user name is empty"]
)
def test_a_token_that_is_old(words: str) -> None:
    """It is no refusal yet."""
    with pytest.raises(messages.StaleToken):
        messages.failure(401, json.dumps({"message": f"etcdserver: {words}", "code": 16}).encode())


def test_words_that_are_none() -> None:
    """What a terminal would take for a command is not shown as it is."""
    found = messages.failure(400, json.dumps({"message": "\x1b[2J", "code": 7}).encode())
    assert str(found) == r"'\x1b[2J'"
    assert str(messages.failure(502, b"\x00\xff")) == "HTTP status 502"
    assert str(messages.failure(400, b"ask another one\n")) == "HTTP status 400: ask another one"


def test_a_token() -> None:
    """It is a text that fits into a header, and nothing else."""
    call = messages.Authenticate("root", "secret")
    assert json.loads(call.body()) == {"name": "root", "password": "secret"}
    assert call.take({"token": "abc.7"}) == "abc.7"
    for wrong in ({}, {"token": 7}, {"token": "a\r\nHost: b"}, {"token": "ü"}):
        with pytest.raises(Malformed):
            call.take(wrong)


NAMES = (
    *("header", "revision", "ID", "TTL", "kvs", "kv", "key", "value", "more", "succeeded"),
    *("result", "created", "canceled", "compact_revision", "events", "type", "error"),
    *("create_revision", "mod_revision", "lease", "message", "code", "token"),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(REQUESTS))
def test_any_answer(found: object, request: Request) -> None:
    """It gives a result, or is Malformed; a watch likewise."""
    data = json.dumps(found).encode()
    try:
        messages.call(request).take(messages.parsed(data))
    except Malformed:
        pass
    try:
        messages.identity(messages.parsed(data))
        messages.revision(messages.parsed(data))
        messages.watched(messages.parsed(data), 7)
        messages.failure(400, data)
    except (Malformed, messages.StaleToken):
        pass


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """They are no answer, or one."""
    for one in (data, b"[" * 100_000, b'{"header":{"revision":"' + b"9" * 5000 + b'"}}'):
        try:
            messages.watched(messages.parsed(one), 7)
        except (Malformed, messages.StaleToken):
            pass
