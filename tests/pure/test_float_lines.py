"""The declared lines ``float`` and ``cluster``: their words, their errors, and what they may not
share with others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import Command
from test_desired_declarations import parse

from netalias import errors
from netalias.desired import cluster, floats
from netalias.desired.cluster import Cluster
from netalias.desired.floats import Float


def one(line: str) -> Float:
    """The pool of a line."""
    found = floats.read(line.split())
    assert isinstance(found, Float)
    return found


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("float web eth0:5-7 10.0.0.5-7/24", "eth0:5 10.0.0.5 eth0:6 10.0.0.6 eth0:7 10.0.0.7"),
        ("float web eth0:5 10.0.0.5/24", "eth0:5 10.0.0.5"),
        ("float web eth0:5-6 10.0.0.9/24+", "eth0:5 10.0.0.9 eth0:6 10.0.0.10"),
        ("float web eth0:1-2 10.0.0.0/30 each", "eth0:1 10.0.0.1 eth0:2 10.0.0.2"),
        ("float six eth0:1-2 2001:db8::f-10/64", "eth0:1 2001:db8::f eth0:2 2001:db8::10"),
    ],
)
def test_slots_and_addresses_pair_up(line: str, pairs: str) -> None:
    """As in a line of aliases; each alias has the wish of the line with its slot and address."""
    found = one(line)
    words = [
        word for packed in found.addresses for word in (found.alias(packed), found.spelled(packed))
    ]
    assert words == pairs.split()
    wish = found.wish_of(found.addresses[-1])
    assert (wish.name, wish.address) == (pairs.split()[-2], found.addresses[-1])
    assert one(found.text).fields() == found.fields()
    assert found.main == "eth0"
    assert found.watched


def test_options_and_the_words_of_an_alias() -> None:
    """Both may stand in any order behind the addresses."""
    found = one(
        "float web eth0:5-7 10.0.0.5-7/24 hold-down 60 kind macvlan prefer a acd rfc mtu 1400"
    )
    assert (found.prefer, found.hold_down) == ("a", 60)
    wish = found.wish
    assert (wish.kind, wish.acd, wish.mtu, wish.prefixlen) == ("macvlan", "rfc", 1400, 24)
    assert wish.lease
    assert found.fields() == {
        "float": "web", "ifname": "eth0", "slots": [5, 7], "addresses": 3, "first": "10.0.0.5",
        "last": "10.0.0.7", "prefer": "a", "hold_down": 60,
    }  # fmt: skip


OPTIONS = "prefer hold-down acd announce broadcast -broadcast conflict deprecated kind metric mtu"
OPTIONS += " netmask optimistic prefixlen source up"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("float web eth0:1",
         "f:1:11: float web eth0:1: a pool that floats has a name, slots and addresses"
         " (float web eth0:100-149 10.0.0.100-149/24)"),
        ("float a/b eth0:1 10.0.0.1", "f:1:7: a/b: not the name of a pool (letters, digits and"
         " . _ -, 64 at most)"),
        ("float web eth0 10.0.0.1", "f:1:11: float web: eth0: not an alias name (an alias is"
         " called MAIN:SLOT: eth0:0)"),
        ("float web eth0:1-2 10.0.0.1-3", "f:1:20: float web: 2 slots and 3 addresses do not pair"
         " up"),
        ("float web eth0:1-2 10.0.0.1,10.0.0.1",
         "f:1:20: float web: 10.0.0.1,10.0.0.1: an address is given twice"),
        ("float web eth0:1-2 10.0.0.300-301", "f:1:20: float web: 10.0.0.300: not an IPv4 address"),
        ("float web eth0:1 10.0.0.1 prefer", "f:1:27: float web: prefer: the name of a node is"
         " needed"),
        ("float web eth0:1 10.0.0.1 prefer a/b", "f:1:27: float web: prefer a/b: the name of a node"
         " is needed"),
        ("float web eth0:1 10.0.0.1 hold-down -1", "f:1:27: float web: hold-down -1: seconds from 0"
         " to 86400 are needed"),
        ("float web eth0:1 10.0.0.1 prefer a prefer b", "f:1:36: float web: prefer: said twice"),
        ("float web eth0:1 10.0.0.1 lease 5", f"f:1:27: float web: lease: not a word of this line"
         f" (one of: {OPTIONS})"),
        ("float web eth0:1 10.0.0.1 kind prefix",
         "f:1:18: float web: kind prefix: single addresses float"),
        ("float web eth0:1 10.0.0.1 hold-down 3 kind vlan",
         "f:1:44: float web: kind vlan: there is no such kind (did you mean ipvlan?)"),
        ("float web eth0:1 10.0.0.1/24\neth0:2 10.0.0.1/24",
         "f:1:1: float web: 10.0.0.1 is declared at f:2 (eth0:2)"),
        ("eth0:1 10.0.0.2/24\nfloat web eth0:1 10.0.0.1/24",
         "f:2:1: float web: eth0:1 is declared as an alias too"),
        ("float web eth0:1-2 10.0.0.1-2/24\nfloat db eth0:2 10.0.0.9/24", None),
        ("float web eth0:1-2 10.0.0.1-2/24\nfloat db eth1:2 10.0.0.2/24", None),
        ("float web eth0:1-2 10.0.0.1-2/24\npool db 10.0.0.2-9", None),
        ("float web eth0:1 10.0.0.1\nfloat web eth0:2 10.0.0.2",
         "f:2:1: float web is already declared at f:1"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_place(line: str, error: str | None) -> None:
    """Also what two lines say of one address or slot, in whichever order they stand."""
    for text in (line, "\n".join(reversed(line.split("\n")))):
        found = parse(text)
        if error is not None:
            assert error in found.errors
            return
        assert " in " in found.errors[0]


def test_two_pools_on_one_device_stand_side_by_side() -> None:
    """Only what they share is an error."""
    text = "float a eth0:1-2 10.0.0.1-2/24\nfloat b eth0:3-4 10.0.0.3-4/24\nfloat c eth1:1 10.0.1.1"
    assert not parse(text).errors
    assert len(parse(text).only("eth0").tasks) == 2


def store(line: str) -> Cluster:
    """The store of a line."""
    found = cluster.read(line.split())
    assert isinstance(found, Cluster)
    return found


def test_the_store_and_its_defaults() -> None:
    """What is left open is filled; the whole text is a line that says the same."""
    found = store("cluster etcd http://127.0.0.1")
    assert found.text == "cluster etcd http://127.0.0.1:2379 prefix /netalias weight 100 ttl 10"
    assert (found.node, found.files, found.main) == ("", {}, "")
    assert store(found.text).fields() == found.fields()
    text = (
        "cluster etcd https://a:2379,https://[2001:db8::1]:99 ca /c cert /d key /k user /u"
        " prefix /net/one node n1 weight 7 ttl 30"
    )
    assert store(text).text == text
    assert store(text).fields()["endpoints"] == ["https://a:2379", "https://[2001:db8::1]:99"]


WORDS = "ca cert key user prefix node weight ttl tickles"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("cluster", "f:1:1: cluster: etcd and its endpoints are missing"
         " (cluster etcd https://a:2379,https://b:2379)"),
        ("cluster consul http://a", "f:1:9: cluster: etcd and its endpoints are missing"
         " (cluster etcd https://a:2379,https://b:2379)"),
        *((f"cluster etcd {text}", f"f:1:14: cluster etcd: {text}: not an endpoint"
           " (cluster etcd https://a:2379,https://b:2379)")
          for text in ("a:2379", "ftp://a", "http://", "http://a/b", "http://u@a", "http://::1",
                       "http://a:2379/v3")),
        *((f"cluster etcd {text}", "f:1:14: cluster etcd: an endpoint is missing at a comma, where"
           " no blank may stand (cluster etcd https://a:2379,https://b:2379)")
          for text in ("http://a, http://b", ",http://b", "http://a,,http://b")),
        ("cluster etcd http://a:0", "f:1:14: cluster etcd: http://a:0: not a port"
         " (cluster etcd https://a:2379,https://b:2379)"),
        ("cluster etcd http://a,http://a:2379",
         "f:1:14: cluster etcd: 16 endpoints at most, each of them once"),
        ("cluster etcd http://a dir /x",
         f"f:1:23: cluster etcd: dir: not a word of this line (one of: {WORDS})"),
        ("cluster etcd http://a ttl 4", "f:1:23: cluster etcd: ttl 4: seconds from 5 to 3600"
         " needed"),
        ("cluster etcd http://a tickles 1", "f:1:23: cluster etcd: tickles 1: on or off is needed"),
        ("cluster etcd http://a ttl", "f:1:23: cluster etcd: ttl: seconds from 5 to 3600 needed"),
        ("cluster etcd http://a node a/b",
         "f:1:23: cluster etcd: node a/b: the name of a node is needed"),
        ("cluster etcd http://a prefix net",
         "f:1:23: cluster etcd: prefix net: such as /netalias is needed"),
        ("cluster etcd https://a ca c.pem",
         "f:1:24: cluster etcd: ca c.pem: a file with its whole path is needed"),
        ("cluster etcd https://a cert /c", "f:1:1: cluster etcd: cert and key belong together"),
        ("cluster etcd http://a user /u", "f:1:1: cluster etcd: http://a:2379: user needs https"),
        ("cluster etcd http://a ttl 5 ttl 6", "f:1:29: cluster etcd: ttl: said twice"),
        ("cluster etcd http://a\ncluster etcd http://b",
         "f:2:1: cluster etcd is already declared at f:1"),
    ],
)  # fmt: skip
def test_a_wrong_store_is_told_with_its_place(line: str, error: str) -> None:
    """One store holds for all lines."""
    assert error in parse(line).errors


def test_the_name_of_a_host_that_is_no_key() -> None:
    """Only where the line says no other one."""
    assert store("cluster etcd http://a").named("web-1.example.org") == "web-1.example.org"
    assert store("cluster etcd http://a node n").named("(none)") == "n"
    with pytest.raises(errors.StateError, match="cannot be that of a node"):
        store("cluster etcd http://a").named("(none)")


def test_a_password_goes_in_the_clear_to_this_host_only() -> None:
    """A certificate needs TLS even here."""
    assert store("cluster etcd http://127.0.0.1:1,http://[::1]:1,http://localhost:1 user /u").files
    with pytest.raises(errors.UsageError, match="ca needs https"):
        store("cluster etcd http://127.0.0.1:1 ca /c")


def test_lines_as_json_and_those_that_wait(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each output is as its schema says; without a watcher nobody carries them out."""
    command = Command(capsys)
    file = tmp_path / "netalias.conf"
    lines = ["cluster etcd https://a ca /c cert /d key /k user /u node n", "cluster etcd http://a"]
    web = "float web eth0:5-6 10.0.0.5-6/24"
    for line, more in zip(lines, (" prefer n hold-down 9", ""), strict=True):
        file.write_text(f"{line}\n{web}{more}\n")
        declared = json.loads(command("-j", "check", "--syntax", str(file)))
        out, said = command.run(["-j", "check", str(file)], 3)
        assert said.endswith("and 1 more line wait for a watcher (netalias watch)\n")
        waiting = json.loads(out)
        place = {"place": f"{file}:1"}
        assert declared[0] == store(line).fields() | place
        assert declared[1] == one(web + more).fields() | {"place": f"{file}:2"}
        assert waiting == [{"change": "unwatched", **found} for found in declared]
