"""Lines that follow the addresses of a device: their words, and what is wrong with them."""

from __future__ import annotations

import pytest
from test_desired_declarations import parse


@pytest.mark.parametrize(
    ("line", "text", "fields"),
    [
        ("ppp0 route default via HISADDR", "",
         {"route": "default", "via": "HISADDR", "table": 254}),
        ("ppp0 route 0.0.0.0/0 via HISADDR", "ppp0 route default via HISADDR",
         {"route": "default", "via": "HISADDR", "table": 254}),
        ("ppp0 route ::/0 via fe80::1 src MYADDR6", "ppp0 route default via fe80::1 src MYADDR6",
         {"route": "default", "via": "fe80::1", "src": "MYADDR6", "table": 254}),
        ("ppp0 route 10.7.0.0/16 metric 10 table 100 src MYADDR via HISADDR",
         "ppp0 route 10.7.0.0/16 via HISADDR src MYADDR metric 10 table 100",
         {"route": "10.7.0.0/16", "via": "HISADDR", "src": "MYADDR", "metric": 10, "table": 100}),
        ("ppp0 route 192.0.2.1 src MYADDR", "ppp0 route 192.0.2.1/32 src MYADDR",
         {"route": "192.0.2.1/32", "src": "MYADDR", "table": 254}),
        ("ppp0 route HISADDR6", "", {"route": "HISADDR6", "table": 254}),
        ("ppp0 proxy on eth0", "", {"proxy": "eth0"}),
        ("ppp0 proxyall on eth0", "", {"proxyall": "eth0"}),
    ],
)  # fmt: skip
def test_the_words(line: str, text: str, fields: dict[str, object]) -> None:
    """In any order, and in the usual spelling."""
    found = parse(line)
    assert found.errors == []
    (task,) = found.tasks
    assert task.text == text or line
    assert task.fields() == {"ifname": "ppp0", **fields}
    assert (task.main, task.watched) == ("ppp0", True)


ROUTE = "ppp0 route default"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ppp0 route", "6: ppp0 route: a destination is missing"),
        ("ppp0 route 10.0.0.1/8 src MYADDR",
         "12: ppp0 route: 10.0.0.1/8: not the first address of its network"),
        ("ppp0 route x via HISADDR", "12: ppp0 route: x: not an IPv4 address"),
        (f"{ROUTE} via 10.0.0.1",
         f"1: {ROUTE}: neither MYADDR nor HISADDR is in it, so it follows nothing"),
        (f"{ROUTE} via", f"20: {ROUTE}: via: HISADDR or HISADDR6 is needed"),
        (f"{ROUTE} via MYADDR", f"24: {ROUTE}: via MYADDR: HISADDR or HISADDR6 is needed"),
        (f"{ROUTE} src HISADDR", f"24: {ROUTE}: src HISADDR: MYADDR or MYADDR6 is needed"),
        (f"{ROUTE} via 10.0.0.1/8 src MYADDR", f"24: {ROUTE}: 10.0.0.1/8: a router has no /BITS"),
        (f"{ROUTE} via HISADDR via HISADDR", f"32: {ROUTE}: via: said twice"),
        (f"{ROUTE} via HISADDR mtu 1", f"32: {ROUTE}: mtu: not a word of this line"),
        (f"{ROUTE} via HISADDR table 255",
         f"38: {ROUTE}: table 255: a number from 1 to 1073741823 but 255 is needed"),
        (f"{ROUTE} via HISADDR metric -1",
         f"39: {ROUTE}: metric -1: a number from 1 to 4294967295 is needed"),
        (f"{ROUTE} via HISADDR6 src MYADDR",
         f"37: {ROUTE}: MYADDR: not of the family of the words before it"),
        ("ppp0 route 10.0.0.0/8 via HISADDR6",
         "27: ppp0 route 10.0.0.0/8: HISADDR6: not of the family of the words before it"),
        ("relay0 route default via HISADDR",
         "1: relay0 route: the routes of a relay are its prefixes"),
        ("ppp0 proxy eth0", "12: ppp0 proxy: on DEVICE is needed"),
        ("ppp0 proxyall on", "15: ppp0 proxyall: on DEVICE is needed"),
        ("ppp0 proxy on eth0 eth1", "20: ppp0 proxy: eth1: one word too many"),
        ("ppp0 proxy on a/b", "15: ppp0 proxy: a/b: "),
        ("ppp0 proxy on ppp0", "15: ppp0 proxy on ppp0: another device answers"),
    ],
)  # fmt: skip
def test_what_is_wrong(line: str, error: str) -> None:
    """The word is told, and why."""
    (found,) = parse(line).errors
    assert str(found).startswith(f"f:1:{error}")


def test_two_of_a_kind() -> None:
    """A destination is declared once, unless metric or table tell two of them apart."""
    lines = [f"{ROUTE} via HISADDR{more}" for more in ("", " metric 9", " table 9")]
    assert parse("\n".join([*lines, "ppp0 proxy on eth0", "ppp0 proxy on eth1"])).errors == []
    (error,) = parse("\n".join([*lines, "ppp0 route 0.0.0.0/0 via HISADDR"])).errors
    assert f"{ROUTE} is already declared at f:1" in str(error)
    (error,) = parse("ppp0 proxy on eth0\nppp0 proxyall on eth0").errors
    assert "ppp0 proxyall is already declared at f:1" in str(error)
