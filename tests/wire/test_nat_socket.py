"""What goes wrong between us and netfilter, over a kernel that is played."""

from __future__ import annotations

from errno import EINTR, EINVAL, ENOBUFS, ENOENT, EPERM, EPROTONOSUPPORT, ERESTART
from typing import Any

import pytest
from netfilter import Netfilter
from wire_cases import error_message

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import exchange
from netalias.kernel.netlink import spec as rtnetlink
from netalias.kernel.netlink.interrupted import INCOMPLETE
from netalias.kernel.netlink.spec import find
from netalias.model import AF_INET, AF_INET6
from netalias.nat import Translation, conntrack, nftables, spec
from netalias.nat.kernel import KernelNat

A, B, C = (bytes((10, 0, 0, last)) for last in (1, 2, 3))
FIRST = [Translation("eth0", AF_INET, B, [A])]
SECOND = [Translation("eth0", AF_INET, C, [A, B])]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Netfilter:
    """Every socket that is opened is played, and no time passes."""
    made = Netfilter()
    monkeypatch.setattr(netlink, "socket", lambda *_: made)
    monkeypatch.setattr(exchange, "sleep", lambda _: None)
    monkeypatch.setattr(conntrack, "TEXT", "/nonexistent")
    return made


@pytest.fixture
def nat(played: Netfilter) -> KernelNat:
    """That of the played kernel, with a first translation."""
    made = KernelNat()
    made.apply(FIRST)
    return made


def batches(played: Netfilter) -> list[list[Any]]:
    """The transactions that were sent."""
    return [one for one in played.sends if one[0].type == "NFNL_MSG_BATCH_BEGIN"]


def stands(nat: KernelNat) -> list[Translation]:
    """What is read."""
    return [one for table in nat.read().values() for one in table.translations()]


def test_a_change_is_one_send_of_five_messages(played: Netfilter, nat: KernelNat) -> None:
    """Nothing is read: two elements of the map, one of the set, two edges; then the entries."""
    sent = len(played.sends)
    nat.apply(SECOND)
    batch, flush = played.sends[sent:]
    assert [one.type.rpartition("_")[2] for one in batch] == [
        "BEGIN", "DELSETELEM", "NEWSETELEM", "NEWSETELEM", "END",
    ]  # fmt: skip
    assert {one.type for one in flush} == {"IPCTNL_MSG_CT_DELETE"}
    assert len(flush) == 3
    assert stands(nat) == SECOND


@pytest.mark.parametrize("count", [10, 3000])
def test_a_change_is_as_large_whatever_the_number(played: Netfilter, count: int) -> None:
    """The bytes of the transaction are the same with ten and with thousands of old addresses."""
    many = [bytes((10, 1, number >> 8, number & 255)) for number in range(count)]
    nat = KernelNat()
    nat.apply([Translation("eth0", AF_INET, B, [A, *many])])
    sizes: list[int] = []
    send = played.send
    played.send = lambda data: sizes.append(len(data)) or send(data)  # type: ignore[method-assign,func-returns-value]
    nat.apply([Translation("eth0", AF_INET, C, [A, B, *many])])
    assert sizes[0] == 292
    assert sum(sizes) < 3000


def test_nothing_is_changed_where_all_of_it_stands(played: Netfilter, nat: KernelNat) -> None:
    """The same once more: the generation is asked for, and it is the one of our change."""
    sent = len(played.sends)
    assert nat.apply(FIRST) == []
    assert [one.type for some in played.sends[sent:] for one in some] == ["NFT_MSG_GETGEN"]


def test_a_table_that_others_take_away_comes_back(played: Netfilter, nat: KernelNat) -> None:
    """With the same translations, by the generation that is another one."""
    played.generation += 1
    played.parts.clear()
    played.elements.clear()
    assert nat.apply(FIRST)
    assert stands(nat) == FIRST
    played.generation += 1
    sent = len(batches(played))
    assert nat.apply(FIRST) == []
    assert len(batches(played)) == sent


def test_both_families_in_one_transaction(played: Netfilter, nat: KernelNat) -> None:
    """All of it stands, or nothing."""
    six = Translation("eth0", AF_INET6, bytes(16), [bytes(15) + b"\1"])
    before = len(batches(played))
    nat.apply([*SECOND, six])
    assert len(batches(played)) == before + 1
    played.refuse = {"NFT_MSG_DELTABLE": EPERM}
    with pytest.raises(errors.NotPermitted):
        nat.apply([Translation("eth0", AF_INET, A, [B, C])])
    played.refuse = {}
    assert stands(nat) == [*SECOND, six]


@pytest.mark.parametrize("times", [1, nftables.ATTEMPTS - 1])
def test_others_change_rules_at_the_same_moment(
    played: Netfilter, nat: KernelNat, times: int
) -> None:
    """The kernel refuses the transaction, all is read anew, and it is sent again."""
    left = [times]

    def meanwhile() -> None:
        if left[0]:
            left[0] -= 1
            played.generation += 1

    played.before = meanwhile
    nat.apply(SECOND)
    assert stands(nat) == SECOND
    assert not left[0]


def test_others_change_rules_all_the_time(played: Netfilter, nat: KernelNat) -> None:
    """After ten attempts that is an error, and nothing was changed."""

    def meanwhile() -> None:
        played.generation += 1

    played.before = meanwhile
    with pytest.raises(errors.KernelError, match="others changed the rules of this names") as found:
        nat.apply(SECOND)
    assert found.value.errno == ERESTART
    assert len(batches(played)) == 1 + nftables.ATTEMPTS
    assert stands(nat) == FIRST


def test_an_answer_that_was_lost(played: Netfilter, nat: KernelNat) -> None:
    """It is not known whether the change was made: the next one reads first."""
    played.losing = 1
    with pytest.raises(errors.KernelError) as found:
        nat.apply(SECOND)
    assert found.value.errno == ENOBUFS
    played.losing = 0
    sent = len(batches(played))
    assert nat.apply(SECOND) == []
    assert len(batches(played)) == sent
    assert stands(nat) == SECOND


def test_a_queue_that_overflows(played: Netfilter, nat: KernelNat) -> None:
    """A dump of which a part was lost is repeated."""
    nat.apply([*FIRST, Translation("eth0", AF_INET6, bytes(16), [bytes(15) + b"\1"])])
    played.room = 1
    with pytest.raises(errors.KernelError, match="it changed during each of 10 readings"):
        nat.read()
    played.room = 3
    assert len(stands(nat)) == 2


def test_a_reading_that_is_interrupted(played: Netfilter, nat: KernelNat) -> None:
    """It is repeated; where that never ends it is an error."""
    played.interrupting = INCOMPLETE - 1
    assert stands(nat) == FIRST
    played.interrupting = INCOMPLETE
    with pytest.raises(errors.KernelError) as found:
        nat.read()
    assert found.value.errno == EINTR


LACKING = [
    ({"NFT_MSG_GETGEN": EINVAL}, "no address can be translated: this kernel has no nf_tables"),
    ({"IPCTNL_MSG_CT_GET_STATS": EINVAL}, "translated: this kernel has no connection tracking"),
    ({"NFT_MSG_NEWCHAIN": ENOENT}, "translated: this kernel has no NAT by nf_tables"),
    ({"NFT_MSG_NEWRULE": ENOENT}, "translated: this kernel has no NAT by nf_tables"),
]


@pytest.mark.parametrize(("refuse", "text"), LACKING)
def test_a_kernel_that_lacks_it(played: Netfilter, refuse: dict[str, int], text: str) -> None:
    """The reason is a sentence."""
    played.refuse = refuse
    with pytest.raises(errors.StateError, match=text):
        KernelNat().apply(FIRST)


def test_a_kernel_that_keeps_no_comment_of_a_table(played: Netfilter) -> None:
    """Nobody would know whose the table is, so it is taken away again."""
    played.forgets = "NFTA_TABLE_USERDATA"
    nat = KernelNat()
    with pytest.raises(errors.StateError, match=r"no comments of tables in nf_tables \(Linux 5.10"):
        nat.apply(FIRST)
    assert played.parts == []
    assert nat.read() == {}


def test_a_kernel_without_netfilter(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no such socket."""

    def refused(*_: object) -> None:
        raise OSError(EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(netlink, "socket", refused)
    with pytest.raises(errors.StateError, match="this kernel has no connection tracking"):
        KernelNat()


def entry(source: bytes, leaves: bytes, port: int) -> dict[str, Any]:
    """An entry of connection tracking as it is told."""

    def addresses(first: bytes, second: bytes) -> list[dict[str, Any]]:
        inside = [("CTA_IP_V4_SRC", first), ("CTA_IP_V4_DST", second)]
        listed = [{"type": kind, "value": value} for kind, value in inside]
        return [
            {"type": "CTA_TUPLE_IP", "value": listed},
            {"type": "CTA_TUPLE_PROTO", "value": port.to_bytes(4, "big")},
        ]

    attributes = [
        {"type": "CTA_TUPLE_ORIG", "value": addresses(source, bytes(4))},
        {"type": "CTA_TUPLE_REPLY", "value": addresses(bytes(4), leaves)},
        {"type": "CTA_ID", "value": port},
    ]
    body = {"nfgen_family": AF_INET, "version": 0, "res_id": 0, "attributes": attributes}
    return {"type": "IPCTNL_MSG_CT_NEW", "body": body}


def test_a_kernel_that_deletes_by_whole_tuples_only(played: Netfilter, nat: KernelNat) -> None:
    """Before Linux 6.8 the entries are read, and those deleted that leave with a former address."""
    deleted: list[int] = []
    send = played.send

    def sent(data: bytes) -> int:
        found = spec.parse(data)
        filters = [one for one in found if find(one.body, "CTA_FILTER")]
        for one in filters:
            played.requests.append(one)
            played.deliver(rtnetlink.build(error_message(EINVAL, one.sequence)))
        if filters:
            return len(data)
        for one in found:
            if one.type == "IPCTNL_MSG_CT_DELETE":
                deleted.append(find(one.body, "CTA_ID"))
        played.entries = [
            one for one in played.entries if one["body"]["attributes"][2]["value"] not in deleted
        ]
        return send(data)

    played.entries = [
        entry(A, B, 1), entry(B, B, 2), entry(A, C, 3), entry(b"\x0a\x09\x09\x09", B, 4),
        entry(C, C, 5), entry(C, B, 6),
    ]  # fmt: skip
    played.send = sent  # type: ignore[method-assign]
    nat.apply(SECOND)
    assert deleted == [1, 2, 6]
    assert nat.flows(AF_INET, [A, B, C]) == {A: 1, C: 1}
