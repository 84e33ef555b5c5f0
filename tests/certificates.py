"""A certificate authority of the tests, and what it signs."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """An authority with its files in *folder*: ``ca`` is its certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.ca = str(folder / f"{name}.pem")
        _write(self.ca, made.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def sign(
        self, name: str, hosts: tuple[str, ...] = (), *, common: bool = True
    ) -> tuple[str, str]:
        """The files of a certificate for some addresses or names, and of its key. The name is its
        common name, or that of an organization."""
        key = ec.generate_private_key(ec.SECP256R1())
        kind = NameOID.COMMON_NAME if common else NameOID.ORGANIZATION_NAME
        subject = x509.Name([x509.NameAttribute(kind, name)])
        made = self._builder(subject, key)
        if hosts:
            made = made.add_extension(
                x509.SubjectAlternativeName([_named(one) for one in hosts]), critical=False
            )
        files = str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")
        _write(files[0], made.sign(self._key, hashes.SHA256()).public_bytes(PEM))
        secret = key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(files[1], secret)
        return files

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )


PEM = serialization.Encoding.PEM


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(file: str, content: bytes) -> None:
    """For the owner alone."""
    path = Path(file)
    path.touch(0o600)
    path.write_bytes(content)
