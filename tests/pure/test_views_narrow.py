"""Tables of tunnels, links, pools, clusters: what a terminal of 80 columns leaves out."""

from __future__ import annotations

import sys

import pytest

from netalias.cli import output
from netalias.views import bundles, cluster, links, pools, tunnels

TABLES = [
    ([*tunnels.COLUMNS], tunnels.LEFT_OUT,
     "vif0 198.51.100.7/24 10.0.0.77 udp:7777 1464 up 123456 123456 0"),
    (links.HEADINGS, links.DROPPED,
     "link0 198.51.100.77:6669/udp udp open - off 1 1234567 1234567 4100 3500 0 0"),
    (bundles.HEADINGS, bundles.DROPPED,
     "link0 198.51.100.77:6669/udp up 94.1_Mbit/s 50_% 12.5_ms 93.0_Mbit/s 9.1_Mbit/s 99 99 0 0"),
    ([*pools.LOAN], pools.DROPPED,
     "2001:db8:1234:5678::1234 build-worker-17.example.net 3599 enp0s31f6:10017 lent"),
    ([*cluster.HOST], cluster.DROPPED,
     "rack12-node7.example.net draining 100 12345 web,mail,ns,build,lab-a,lab-b,lab-c 0.5.0"),
    ([*cluster.OWNER], cluster.DROPPED,
     "lab-addresses 2001:db8:1234:5678::1234 rack12-node7.example.net held rack12-node7"),
]  # fmt: skip
NAMES = ["tunnel", "link", "bundle", "loan", "host", "owner"]


@pytest.mark.parametrize(("headings", "dropped", "row"), TABLES, ids=NAMES)
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_usual_table_fits_a_terminal(
    headings: list[str],
    dropped: tuple[tuple[str, ...], ...],
    row: str,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last line names what is left out, and the command that tells it; a pipe gets all."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    cells = [cell.replace("_", " ") for cell in row.split()]
    assert len(cells) == len(headings)
    output.narrow(headings, [cells], "netalias -j show them", dropped)
    lines = capsys.readouterr().out.splitlines()
    if terminal:
        assert max(map(len, lines)) <= 80
        assert lines[2].startswith("not shown: ")
        assert lines[2].endswith(" (netalias -j show them)")
        named = lines[2].removeprefix("not shown: ").partition(" (")[0].split(", ")
        assert [one for one in headings if one not in named] == lines[0].split()
    else:
        assert lines[0].split() == headings


def test_what_would_be_an_order_to_a_terminal_is_not_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in a device of a link, which may be any command."""
    output.narrow(["NAME", "DEVICE"], [["link0", "!\x1b[2Jcat"]], "")
    assert "\x1b" not in capsys.readouterr().out


class Served:
    """The record of a network device, of whose numbers some are none."""

    name, content, pid, since = "link0", "tun", 7, "today"
    about = {"delivered": "x" * 20, "late": "12"}
    links = [{"link": "udp", "in_bytes": "123456789012", "rate": "-1", "weight": "\u0663"}]


def test_any_text_in_the_place_of_a_number() -> None:
    """As the owner of the runtime directory could write it; large ones are as they are."""
    served = [Served()]
    (link,) = links.physical(served)
    (bundle,) = bundles.objects(served)
    assert link["in_bytes"] == 123456789012
    assert (bundle["delivered"], bundle["late"]) == (0, 12)
    (member,) = bundle["links"]  # type: ignore[misc]
    assert (member["in_bytes"], member["rate"], member["weight"]) == (123456789012, 0, 0)
    assert links.rows(served)
    assert bundles.rows(served)
