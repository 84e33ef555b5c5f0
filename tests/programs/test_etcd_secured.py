"""An etcd with TLS, client certificates and users: what a host needs, and what it is told."""

from __future__ import annotations

import time
from binascii import b2a_base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from etcd_members import Members
from store_contract import PATIENCE
from support import Namespace, until

from netalias.cluster.asking import ask, turn
from netalias.cluster.etcd.engine import EtcdEngine
from netalias.cluster.etcd.settings import Settings
from netalias.cluster.store import (
    Change,
    Done,
    Events,
    Follow,
    Put,
    Read,
    Refused,
    Snapshot,
    Unreachable,
)

pytest.importorskip("cryptography")
from certificates import Authority

USER, PASSWORD = "netalias", "p:ss wörd"
ROOT = "root-password"


def role(cluster: Members) -> None:
    """Make a user that may use one prefix, as docs/cluster-etcd.md has an administrator do."""
    first, end = b64(b"/netalias/"), b64(b"/netalias0")
    granted = {"permType": "READWRITE", "key": first, "range_end": end}
    for path, fields in [
        ("role/add", {"name": USER}),
        ("role/grant", {"name": USER, "perm": granted}),
        ("user/add", {"name": USER, "password": PASSWORD}),
        ("user/grant", {"user": USER, "role": USER}),
        ("user/add", {"name": "root", "password": ROOT}),
        ("user/grant", {"user": "root", "role": "root"}),
        ("enable", {}),
    ]:
        assert "error" not in cluster.post(f"/v3/auth/{path}", fields)


def b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


class Secured:
    """A member, and files of a host."""

    def __init__(self, folder: Path, namespace: Namespace) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        server = self.authority.sign("server", ("127.0.0.1",))
        self.client = self.authority.sign("client", common=False)
        self.members = Members(namespace, folder, 1, (self.authority.ca, *server), self.client)
        role(self.members)

    def user(self, text: str, mode: int = 0o600) -> str:
        """A file of a user."""
        path = self.folder / "user"
        path.touch(0o600)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def settings(self, user: str = "", ca: str = "", *, cert: bool = True) -> Settings:
        files = self.client if cert else ("", "")
        return Settings(self.members.urls, ca or self.authority.ca, *files, user)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    namespace = Namespace()
    found = None
    try:
        found = Secured(tmp_path_factory.mktemp("etcd"), namespace)
        with namespace:
            yield found
    finally:
        if found is not None:
            found.members.close()
        namespace.close()


@pytest.fixture
def engine(secured: Secured) -> Iterator[EtcdEngine]:
    """One with all that is needed."""
    engine = EtcdEngine(secured.settings(secured.user(f"{USER}:{PASSWORD}\n")))
    yield engine
    engine.close()


def put(key: str = "/netalias/a") -> Change:
    return Change((), [Put(key, b"1")])


def test_with_everything(engine: EtcdEngine) -> None:
    """Requests and a Follow are served."""
    done = ask(engine, put(), time.monotonic, PATIENCE)
    assert isinstance(done, Done)
    found = ask(engine, Read("/netalias/"), time.monotonic, PATIENCE)
    assert isinstance(found, Snapshot)
    assert list(found.entries) == ["/netalias/a"]
    events = ask(engine, Follow("/netalias/", done.revision), time.monotonic, PATIENCE)
    assert isinstance(events, Events)


def test_a_token_that_has_ended(engine: EtcdEngine) -> None:
    """Another one is asked for, and nobody notices."""
    ask(engine, put(), time.monotonic, PATIENCE)
    first = engine._token
    engine._token = "gone.1"
    assert isinstance(ask(engine, put(), time.monotonic, PATIENCE), Done)
    engine._token = "gone.2"
    sent = [engine.send(put(f"/netalias/{number}"), time.monotonic(), PATIENCE) for number in "abc"]
    found: list[int] = []
    until(lambda: found.extend(answered(engine)) or len(found) == len(sent))
    assert sorted(found) == sent
    assert engine._token not in (first, "")


def answered(engine: EtcdEngine) -> list[int]:
    turn(engine, time.monotonic, 0.1)
    found = engine.answers()
    assert all(isinstance(one.result, Done) for one in found)
    return [one.number for one in found]


def test_another_prefix(engine: EtcdEngine) -> None:
    """It is refused, in etcd's words, to every request; the engine goes on."""
    for request in (put("/other"), Read("/other"), Follow("/other", 1)):
        with pytest.raises(Refused, match=r"permission denied \(user has no rights on prefix"):
            ask(engine, request, time.monotonic, PATIENCE)
    assert isinstance(ask(engine, put(), time.monotonic, PATIENCE), Done)


@pytest.mark.parametrize("text", [f"{USER}:wrong", "nobody:x"])
def test_a_wrong_password(secured: Secured, text: str) -> None:
    """It is refused, and no word of the file is told."""
    engine = EtcdEngine(secured.settings(secured.user(text)))
    for request in (Read("/netalias/"), Follow("/netalias/", 1)):
        with pytest.raises(Refused) as caught:
            ask(engine, request, time.monotonic, PATIENCE)
        assert "authentication failed" in str(caught.value)
        assert "the password in the file of user" in str(caught.value)
        assert "wrong" not in str(caught.value)
    secured.user(f"{USER}:{PASSWORD}")
    assert isinstance(ask(engine, Read("/netalias/"), time.monotonic, PATIENCE), Snapshot)
    engine.close()


def test_no_user(secured: Secured) -> None:
    """Without one it is refused."""
    engine = EtcdEngine(secured.settings())
    with pytest.raises(Refused, match="permission denied"):
        ask(engine, Read("/netalias/"), time.monotonic, PATIENCE)
    engine.close()


def test_another_authority(secured: Secured, tmp_path: Path) -> None:
    """A server that it has not signed gets no request."""
    engine = EtcdEngine(secured.settings(ca=Authority(tmp_path, "other").ca))
    with pytest.raises(
        Unreachable, match=r"verify failed: .*\(ca is not the authority of this member\)"
    ):
        ask(engine, put(), time.monotonic, 1.0)
    engine.close()


def test_another_name(secured: Secured) -> None:
    """Nor does one whose certificate names another host."""
    url = secured.members.urls[0].replace("127.0.0.1", "localhost")
    named = Settings([url], secured.authority.ca, *secured.client)
    engine = EtcdEngine(named)
    with pytest.raises(
        Unreachable, match=r"ostname mismatch.*\(.* does not name the host of its URL\)"
    ):
        ask(engine, put(), time.monotonic, 1.0)
    engine.close()


def test_no_certificate(secured: Secured) -> None:
    """The server ends the connection, with the words of TLS."""
    engine = EtcdEngine(secured.settings(cert=False))
    with pytest.raises(Unreachable, match=r"TLS: .*certificate.*\(the member .*cert"):
        ask(engine, put(), time.monotonic, 1.0)
    engine.close()


def test_a_certificate_with_a_common_name(secured: Secured) -> None:
    """The gateway of an etcd with users refuses it, and its words reach people."""
    named = secured.authority.sign("named")
    user = secured.user(f"{USER}:{PASSWORD}")
    engine = EtcdEngine(Settings(secured.members.urls, secured.authority.ca, *named, user))
    with pytest.raises(Unreachable, match=r"CommonName of client.*\(cert has a common name"):
        ask(engine, Read("/netalias/"), time.monotonic, 1.0)
    engine.close()


def test_a_certificate_that_is_replaced(secured: Secured, tmp_path: Path) -> None:
    """The next connection has the new one: the engine goes on for longer than a certificate."""
    cert, key = Authority(tmp_path, "former").sign("host")
    user = secured.user(f"{USER}:{PASSWORD}")
    settings = Settings(secured.members.urls, secured.authority.ca, cert, key, user)
    engine = EtcdEngine(settings)
    with pytest.raises(Unreachable, match="TLS"):
        ask(engine, Read("/netalias/"), time.monotonic, 1.0)
    for mine, theirs in zip((cert, key), secured.client, strict=True):
        Path(mine).write_bytes(Path(theirs).read_bytes())
    assert isinstance(ask(engine, Read("/netalias/"), time.monotonic, PATIENCE), Snapshot)
    engine.close()
