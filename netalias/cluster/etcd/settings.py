"""The way to an etcd: its members, TLS, and a user. Secrets stand in files and in no message."""

from __future__ import annotations

from os import stat

from netalias import errors, trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from ssl import SSLContext

PORT = 2379
"""The port of etcd's clients (IANA)."""
SCHEMES = ("http", "https")
USER = "one line, NAME:PASSWORD"


class Endpoint:
    """The address of a member: ``https://etcd1:2379``, ``http://10.0.0.1``, ``https://[::1]:23``.

    Raises UsageError for any other text.
    """

    __slots__ = ("host", "port", "secure", "text")

    def __init__(self, text: str) -> None:
        scheme, _, rest = text.partition("://")
        rest = rest.removesuffix("/")
        bracketed = rest.startswith("[")
        host, _, port = rest[1:].partition("]") if bracketed else rest.partition(":")
        port = port.removeprefix(":") if bracketed else port
        legal = host.isascii() and host.isprintable() and not set(host) & set(" /@?#[]")
        digits = port or str(PORT)
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0
        if scheme not in SCHEMES or not (host and legal and 0 < number < 1 << 16):
            raise errors.UsageError(f"{text!r} is no URL of an etcd: https://HOST[:PORT]")
        self.text = text
        self.host = host
        self.port = number
        self.secure = scheme == "https"

    @property
    def authority(self) -> str:
        """The host and port, as they stand in a Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Settings:
    """The members by their URLs, the files of *ca*, *cert* and *key* (PEM), and the file of a
    *user*; empty for none.

    Raises UsageError.
    """

    def __init__(
        self, endpoints: Iterable[str], ca: str = "", cert: str = "", key: str = "", user: str = ""
    ) -> None:
        self.endpoints = [Endpoint(one) for one in endpoints]
        if not self.endpoints:
            raise errors.UsageError("an etcd without a member")
        if bool(cert) != bool(key):
            raise errors.UsageError("a certificate and its key go together")
        self._files = ca, cert, key
        self._user = user
        self._context: SSLContext | None = None
        self._seen: list[tuple[int, int]] = []

    def tls(self) -> SSLContext:
        """The context for TLS 1.2 and later. It is made anew when a file of it has changed: short
        certificates are replaced while this goes on. Raises StateError."""
        seen = [_version(file) for file in self._files if file]
        if self._context is None or seen != self._seen:
            self._context, self._seen = self._made(), seen
        return self._context

    def _made(self) -> SSLContext:
        import ssl

        ca, cert, key = self._files
        if key:
            trust.secret(key, "this key")
        at = ca
        try:
            context = ssl.create_default_context(cafile=ca or None)
            context.set_alpn_protocols(["http/1.1"])
            at = cert
            if cert:
                context.load_cert_chain(cert, key, lambda: _phrase(key))
        except (OSError, ValueError) as error:
            words = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            text = str(words).replace("_", " ").lower()
            if isinstance(error, ssl.SSLError) and not error.reason:
                text = f"this is no certificate in PEM, or {key} is no key in PEM"
            raise errors.StateError(f"{at}: {text}") from None
        return context

    @property
    def has_user(self) -> bool:
        """Whether a user is given."""
        return bool(self._user)

    def user(self) -> tuple[str, str] | None:
        """The name and password that stand in the file of the user now; None without one. Raises
        StateError."""
        if not self._user:
            return None
        found = trust.secret(self._user, "this password", f"it holds {USER}")
        try:
            name, colon, password = found.decode().strip("\r\n").partition(":")
        except UnicodeDecodeError:
            name = colon = password = ""
        if not (name and colon and name.isprintable() and password.isprintable()):
            raise errors.StateError(f"{self._user}: not {USER}")
        return name, password


def _phrase(key: str) -> str:
    """In the place of the question on the terminal. Raises StateError."""
    raise errors.StateError(
        f"{key}: this key has a pass phrase, which nobody is there to give",
        f"openssl pkey -in {key} -out FILE",
    )


def _version(file: str) -> tuple[int, int]:
    """A pair of numbers that changes with the file; zeros for one that cannot be seen."""
    try:
        found = stat(file)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino
