"""The files of a connection to etcd that are wrong: which one, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import Authority
from cryptography.hazmat.primitives import serialization

from netalias import errors
from netalias.cluster.etcd.settings import Settings

PEM = serialization.Encoding.PEM


def refusal(cert: str, key: str) -> errors.NetaliasError:
    """What is said of a certificate and its key."""
    with pytest.raises(errors.StateError) as caught:
        Settings(["https://a:2379"], "", cert, key).tls()
    return caught.value


def test_a_certificate_in_the_place_of_a_key(tmp_path: Path) -> None:
    """OpenSSL has no word for it."""
    cert, key = Authority(tmp_path).sign("host")
    text = f"{cert}: this is no certificate in PEM, or {cert} is no key in PEM"
    assert str(refusal(cert, cert)) == text
    Path(key).write_bytes(b"nothing\n")
    assert str(refusal(cert, key)) == text.replace(f"or {cert}", f"or {key}")


def test_a_key_with_a_pass_phrase(tmp_path: Path) -> None:
    """Nobody is asked on the terminal: a watcher has none."""
    cert, key = Authority(tmp_path).sign("host")
    found = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    closed = found.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    Path(key).write_bytes(closed)
    error = refusal(cert, key)
    assert str(error) == f"{key}: this key has a pass phrase, which nobody is there to give"
    assert error.hint == f"openssl pkey -in {key} -out FILE"
