"""The line ``cluster``: the store by which hosts decide who has which address that floats.

::

    line   = "cluster" "etcd" URL ( "," URL )* { option }
    option = "ca" FILE | "cert" FILE | "key" FILE | "user" FILE | "prefix" PATH
           | "node" NAME | "weight" NUMBER | "ttl" SECONDS | "tickles" ( "on" | "off" )

    cluster etcd https://a:2379,https://b:2379 ca /etc/netalias/ca.pem user /etc/netalias/etcd.user

The node is called like the host unless the line says otherwise. An address stands at most ``ttl``
seconds on a host that the store does not hear any more; ``weight`` is the share of this host,
compared with those of the others. ``tickles on`` has the peers of an address that moves told that
their connections are gone. Secrets stand in files only. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.floats import is_word
from netalias.desired.lines import at_word, numbered, words_of
from netalias.desired.tasks import Task
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

KEYWORD = "cluster"
ENGINE = "etcd"
PREFIX = "/netalias"
TTL = 10
WEIGHT = 100
PORT = 2379
"""The port of clients of etcd."""
LOCAL = ("127.", "[::1]", "localhost:")
"""Beginnings of endpoints on this host, to which a password may go in the clear."""
ENDPOINTS_MAX = 16
EXAMPLE = f"{KEYWORD} {ENGINE} https://a:{PORT},https://b:{PORT}"
FILES = ("ca", "cert", "key", "user")
NUMBERS = {"weight": (1, 10_000, "a number"), "ttl": (5, 3600, "seconds")}
"""Word: the least and the largest number behind it, and what it counts."""
TICKLES = "tickles"
OPTIONS = (*FILES, "prefix", "node", *NUMBERS, TICKLES)


class Cluster(Task):
    """The declared store: ``endpoints`` are URLs without a path, ``files`` the paths by their words
    in FILES; ``node`` is empty for the name of the host, ``tickles`` on, or empty."""

    keyword = KEYWORD

    def __init__(self, endpoints: Sequence[str], said: dict[str, str]) -> None:
        super().__init__(ENGINE)
        self.endpoints = tuple(endpoints)
        self.files = {word: said[word] for word in FILES if word in said}
        self.prefix = said.get("prefix", PREFIX)
        self.node = said.get("node", "")
        self.weight = int(said.get("weight", WEIGHT))
        self.ttl = int(said.get("ttl", TTL))
        self.tickles = "on" if said.get(TICKLES) == "on" else ""

    def named(self, host: str) -> str:
        """The name of the node on the host called *host*. Raises StateError for a name that cannot
        be a key of the store."""
        if not self.node and not is_word(host):
            raise errors.StateError(
                f"{self.title}: {host}, the name of this host, cannot be that of a node",
                "node NAME gives it another one",
            )
        return self.node or host

    def option(self, word: str) -> str | int:
        """The value of a word in OPTIONS; empty for one that holds for nothing."""
        found: str | int = self.files.get(word, "") if word in FILES else getattr(self, word)
        return found

    def words(self) -> list[str]:
        """``cluster etcd https://a:2379 prefix /netalias weight 100 ttl 10``."""
        found = [KEYWORD, ENGINE, ",".join(self.endpoints)]
        for word in OPTIONS:
            value = self.option(word)
            found += [word, str(value)] if value else []
        return found

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        found: dict[str, object] = {KEYWORD: ENGINE, "endpoints": [*self.endpoints]}
        return found | {word: self.option(word) for word in OPTIONS if self.option(word)}


def read(words: list[str]) -> Cluster:
    """The task of a line. Raises UsageError."""
    if words[1:2] != [ENGINE] or not words[2:]:
        raise at_word(
            min(1, len(words) - 1),
            errors.UsageError(f"{KEYWORD}: {ENGINE} and its endpoints are missing", EXAMPLE),
        )
    endpoints = [_endpoint(one) for one in words[2].split(",")]
    title = f"{KEYWORD} {ENGINE}"
    if len(set(endpoints)) != len(endpoints) or len(endpoints) > ENDPOINTS_MAX:
        text = f"{title}: {ENDPOINTS_MAX} endpoints at most, each of them once"
        raise at_word(2, errors.UsageError(text))
    said = _options(title, words)
    _check_files(title, endpoints, said)
    return Cluster(endpoints, said)


def _options(title: str, words: Sequence[str]) -> dict[str, str]:
    """The words behind the endpoints, each with its value. Raises UsageError."""
    said: dict[str, str] = {}
    for at in range(3, len(words), 2):
        word, text = words[at], "".join(words[at + 1 : at + 2])
        if word not in OPTIONS or word in said:
            again = "said twice" if word in said else "not a word of this line"
            hint = "" if word in said else f"one of: {' '.join(OPTIONS)}"
            raise at_word(at, errors.UsageError(f"{title}: {word}: {again}", hint))
        wrong = _wrong(word, text)
        if wrong:
            said_so = f"{title}: {word} {text}".rstrip()
            raise at_word(at, errors.UsageError(f"{said_so}: {wrong}"))
        said[word] = text
    return said


def _wrong(word: str, text: str) -> str:
    """The fault of the value of a word; empty if it is right."""
    if word in NUMBERS:
        least, most, what = NUMBERS[word]
        fine = least <= names.number(text) <= most
        return "" if fine else f"{what} from {least} to {most} needed"
    if word == TICKLES:
        return "" if text in ("on", "off") else "on or off is needed"
    if word == "node":
        return "" if text and is_word(text) else "the name of a node is needed"
    if word == "prefix":
        parts = text.split("/")
        fine = len(parts) > 1 and not parts[0] and all(one and is_word(one) for one in parts[1:])
        return "" if fine else f"such as {PREFIX} is needed"
    return "" if text.startswith("/") else "a file with its whole path is needed"


def _check_files(title: str, endpoints: Sequence[str], said: dict[str, str]) -> None:
    """Check that the files fit together. Raises UsageError."""
    if ("cert" in said) != ("key" in said):
        raise errors.UsageError(f"{title}: cert and key belong together")
    for one in endpoints:
        scheme, _, place = one.partition("://")
        wanted = FILES[:3] if place.startswith(LOCAL) else FILES
        word = next((word for word in wanted if word in said), "")
        if word and scheme == "http":
            raise errors.UsageError(f"{title}: {one}: {word} needs https")


def _endpoint(text: str) -> str:
    """The URL of an endpoint, with its port. Raises UsageError."""
    scheme, slashes, rest = text.partition("://")
    rest = rest.removesuffix("/")
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        host, port = rest, str(PORT)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    fine = bare.isascii() and bare.replace(".", "").replace("-", "").replace(":", "").isalnum()
    fine = fine and (":" in bare) == (bare != host)
    if not text:
        wrong = "an endpoint is missing at a comma, where no blank may stand"
        raise at_word(2, errors.UsageError(f"{KEYWORD} {ENGINE}: {wrong}", EXAMPLE))
    if scheme not in ("http", "https") or not slashes or not fine or "/" in port:
        raise at_word(2, errors.UsageError(f"{KEYWORD} {ENGINE}: {text}: not an endpoint", EXAMPLE))
    if not 0 < names.number(port, 5) < 1 << 16:
        raise at_word(2, errors.UsageError(f"{KEYWORD} {ENGINE}: {text}: not a port", EXAMPLE))
    return f"{scheme}://{host}:{int(port)}"


def cluster(tasks: Iterable[Task]) -> Cluster | None:
    """The line of the store among *tasks*; None without one."""
    return next((one for one in tasks if isinstance(one, Cluster)), None)


def found(
    texts: Iterable[tuple[str, str]], withheld: Callable[[str], str] | None = None
) -> Cluster | None:
    """The line of the store that *texts*, pairs of name and text, declare; None without one.
    Raises the error of the first wrong line, with its place, and AlreadyExists for a second one.

    *withheld* tells why the text of a file is not to be shown, empty if it may be.
    """
    one: Cluster | None = None
    for source, text in texts:
        for number, line in numbered(text) if KEYWORD in text else ():
            words = words_of(line)
            if words[:1] != [KEYWORD]:
                continue
            try:
                if one is not None:
                    raise errors.AlreadyExists(f"{one.title} is already declared at {one.place}")
                one = read(words)
            except errors.NetaliasError as error:
                reason = withheld(source) if withheld is not None else ""
                said = f"{error.kind()} ({reason})" if reason else str(error)
                hint = "" if reason else error.hint
                raise type(error)(f"{source}:{number}: {said}", hint) from None
            one.source, one.line = source, number
    return one
