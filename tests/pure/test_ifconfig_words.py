"""The grammar and the output of ifconfig(8), for aliases."""

from __future__ import annotations

import pytest

from netalias import errors
from netalias.desired.ifconfig import parse
from netalias.model.names import AliasName
from netalias.views.ifconfig import blocks, table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eth0:0 200.1.1.1", "eth0:0 200.1.1.1/24"),
        ("eth0:0 10.0.0.1 up", "eth0:0 10.0.0.1/8 up"),
        ("eth0:0 172.16.0.1", "eth0:0 172.16.0.1/16"),
        ("eth0:0 10.0.0.1/30", "eth0:0 10.0.0.1/30"),
        ("eth0:0 inet 10.0.0.1 netmask 255.255.0.0 broadcast 10.0.255.255",
         "eth0:0 10.0.0.1 netmask 255.255.0.0 broadcast 10.0.255.255"),
        ("eth0:0 netmask 255.0.0.0 10.0.0.1", "eth0:0 netmask 255.0.0.0 10.0.0.1"),
        ("eth0:0 inet6 add 2001:db8::1/64", "eth0:0 2001:db8::1/64"),
        ("eth0:0 add 2001:db8::1/64", "eth0:0 2001:db8::1/64"),
        ("eth0:0 10.0.0.1/24 dstaddr 10.0.0.2", "eth0:0 10.0.0.1/24 pointopoint 10.0.0.2"),
        ("eth0:0 hw ether 02:00:00:00:00:01", "eth0:0 hw ether 02:00:00:00:00:01"),
        ("eth0:0 mtu 1400 metric 3 -broadcast", "eth0:0 mtu 1400 metric 3 -broadcast"),
        ("eth0:0 up", "eth0:0 up"),
        ("eth0:0 down", "eth0:0-"),
        ("eth0:0 10.0.0.1 down", "eth0:0-"),
        ("eth0:0 0", "eth0:0-"),
        ("eth0:0 0.0.0.0 up", "eth0:0-"),
        ("eth0:0- 0", "eth0:0-"),
    ],
)  # fmt: skip
def test_words(text: str, words: str) -> None:
    """An address without a mask has the network of its class; down deletes."""
    command = parse(text.split())
    assert " ".join(command.words) == words
    assert command.device == []
    assert command.deletes == words.endswith("-")


@pytest.mark.parametrize("text", ["eth0:0-3 10.0.0.1", "eth0:0-3- up", "eth0:0-3 txqueuelen 10"])
def test_one_alias_at_a_time(text: str) -> None:
    """A range is refused before any of it is done."""
    with pytest.raises(errors.UsageError, match="one alias at a time"):
        parse(text.split())


def test_names_of_hosts() -> None:
    """They are asked for, and nothing else is."""
    asked = {"web": "10.1.2.3"}
    words = ["eth0:0", "web", "netmask", "255.255.255.0", "up"]
    command = parse(words, lambda word: asked.pop(word))
    assert command.words == ["eth0:0", "10.1.2.3", "netmask", "255.255.255.0", "up"]
    with pytest.raises(errors.UsageError, match=r"nosuch: not a word .* nor the name of a host"):
        parse(["eth0:0", "nosuch"])


def test_words_for_the_device() -> None:
    """What netalias has no word for concerns the alias device."""
    command = parse(["eth0:0", "mtu", "1400", "txqueuelen", "10", "-arp", "promisc"])
    assert command.words == ["eth0:0", "mtu", "1400"]
    assert command.device == ["txqueuelen", "10", "-arp", "promisc"]


def test_del() -> None:
    """It names the address that the alias must have."""
    command = parse(["eth0:0", "inet6", "del", "2001:db8::1/64"])
    assert (command.words, command.deleted) == (["eth0:0-"], "2001:db8::1/64")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eth0:0 netmask", "netmask needs an argument"),
        ("eth0:0 hw ether", "hw needs an argument"),
        ("eth0:0 tunnel ::1.2.3.4", "tunnel: not a word for an alias"),
        ("eth0:0 host.example", "host.example: not a word for an alias, nor an address"),
    ],
)
def test_wrong_words(text: str, message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        parse(text.split())


KNOWN = {"eth0_10": AliasName("eth0", 10), "eth0_2": AliasName("eth0", 2)}


def test_blocks() -> None:
    """Aliases stand behind their main device and its labels, in the order of slots."""
    names = ("eth0", "eth0:1", "eth0_10", "eth0_2", "eth1", "lo")
    text = "".join(f"{name}: flags=1<UP>  mtu 1500\n        ether x\n\n" for name in names)
    shown = blocks(text, KNOWN)
    heads = [line.split(" ")[0] for line in shown.splitlines() if line[:1].strip()]
    assert heads == ["eth0:", "eth0:1:", "eth0:2:", "eth0:10:", "eth1:", "lo:"]
    assert len(shown) == len(text)
    assert blocks(text, {}) == text
    assert blocks("", KNOWN) == ""


def test_a_block_without_its_main_device() -> None:
    """It is shown, last."""
    shown = blocks("eth0_2: flags=1<UP>\n\nlo: flags=1<UP>\n\n", KNOWN)
    assert shown == "lo: flags=1<UP>\n\neth0:2: flags=1<UP>\n\n"


def test_table() -> None:
    """The columns stay where they are."""
    heading, main, other = "Iface      MTU", "eth0             1500 BMRU", "lo  1 LRU"
    alias = "eth0_2           1500 BMRU"
    shown = table("\n".join([heading, alias, main, other, ""]), KNOWN)
    assert shown.splitlines() == [heading, main, alias.replace("_", ":"), other]
    assert table("", KNOWN) == ""
