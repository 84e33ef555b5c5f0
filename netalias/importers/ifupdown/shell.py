"""Simple commands of sh(1): what can be told without running it. Pure.

A text is split where a shell would split it, if nothing in it depends on more than the name of the
interface::

    ip a add 10.0.0.1/24 dev $IFACE label "$IFACE:1" 2>/dev/null || true
    -> [["ip", "a", "add", "10.0.0.1/24", "dev", "eth0", "label", "eth0:1"]]
"""

from __future__ import annotations

IFACE = r"\$IFACE\b|\$\{IFACE\}"
WORD = rf"""(?:'[^']*'|"(?:[^"`\\$]|{IFACE})*"|{IFACE}|[^\s'"`\\$()*?\[;&|<>])+"""
"""A word of nothing but text and the name of the interface."""
REDIRECTION = rf"[0-9]*(?:>>|[<>][&|]?)[ \t]*{WORD}"
TOKEN = rf"(?P<ignored>[ \t]+|\#.*|{REDIRECTION})|(?P<operator>&&|\|\||[;&|])|(?P<word>{WORD})"
ENDS = (";", "&", "&&", "||")
"""Operators after which the next command is told; not so after a pipe."""
QUIET = ("true", ":", "exit", "echo", "logger", "sleep")
"""Commands that change no address: what stands after || for the case of a failure."""
CERTAIN = ("ip", "ifconfig", "ifup", "true", ":", "echo", "logger", "sleep")
"""Commands after which && goes on, unless something is wrong."""
RESERVED = (
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "{",
    "}", "!",
)  # fmt: skip


class Operator(str):
    """A token that ends a command."""

    __slots__ = ()


def commands(text: str, iface: str) -> list[list[str]] | None:
    """The commands in *text* that run when all goes well, as words; None where that cannot be told.

    The name of a program has no path.
    """
    tokens = _tokens(text, iface)
    if tokens is None:
        return None
    found: list[list[str]] = []
    words: list[str] = []
    before = ";"
    for token in [*tokens, Operator(";")]:
        if not isinstance(token, Operator):
            words.append(token)
            continue
        if words:
            name = words[0].rpartition("/")[2]
            if before != "||":
                found.append([name, *words[1:]])
            elif name not in QUIET:
                return None
            if name in RESERVED or (token == "&&" and name not in CERTAIN):
                return None
        if token not in ENDS:
            return None
        before, words = token, []
    return found


def _tokens(text: str, iface: str) -> list[str] | None:
    """The words of a shell, with Operators between them; None for what only a shell can tell."""
    import re

    found: list[str] = []
    end = 0
    for match in re.finditer(TOKEN, text):
        if match.start() != end:
            return None
        end = match.end()
        if match["operator"]:
            found.append(Operator(match["operator"]))
        elif match["word"]:
            pieces = re.findall(rf"'[^']*'|{IFACE}|.", match["word"])
            found.append("".join(_text(piece, iface) for piece in pieces))
    return found if end == len(text) else None


def _text(piece: str, iface: str) -> str:
    """The text of a piece of a word: of one in single quotes, of $IFACE, or of a letter."""
    if piece[0] == "'":
        return piece[1:-1]
    return iface if piece[0] == "$" else piece.strip('"')
