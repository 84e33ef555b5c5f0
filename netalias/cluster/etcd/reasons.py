"""The words of the line ``cluster`` behind what TLS and etcd say of usual mistakes. Pure."""

from __future__ import annotations

REASONS = (
    ("hostname mismatch", "the certificate of the member does not name the host of its URL"),
    ("ip address mismatch", "the certificate of the member does not name the host of its URL"),
    ("has expired", "the certificate of the member, or that of ca, is too old"),
    ("is not yet valid", "the certificate of the member, or that of ca, is of the future"),
    ("certificate verify failed", "ca is not the authority of this member"),
    ("certificate required", "the member asks for cert and key"),
    ("bad certificate", "the member does not take cert, or none is given"),
    ("certificate expired", "cert is too old"),
    ("unknown ca", "the member does not know the authority of cert"),
    ("wrong version number", "the URL says https, and the member speaks http"),
    ("before tls began", "the URL says https, and the member may speak http"),
    ("before an answer", "the URL says http, and the member may speak https"),
    ("http request to an https server", "the URL says http, and the member speaks https"),
    ("permission denied", "user has no rights on prefix, or there is no user"),
    ("authentication failed", "the name or the password in the file of user"),
    ("commonname of client", "cert has a common name, and may have none"),
)
"""Some of the words of OpenSSL or etcd, in small letters, and what they are about."""


def explained(words: str) -> str:
    """*words*, with what they are about in parentheses where that is known."""
    small = words.lower()
    found = next((reason for said, reason in REASONS if said in small), "")
    return f"{words} ({found})" if found else words
