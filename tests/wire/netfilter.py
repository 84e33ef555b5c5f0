"""A netfilter that is played: tables with their elements, a generation, and entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import ERESTART
from typing import Any

from player import Player, is_dump, wants_ack
from wire_cases import done_message, error_message

from netalias.kernel.netlink import spec as rtnetlink
from netalias.kernel.netlink.spec import find
from netalias.nat import spec

INTERRUPTED = 0x10
MULTI = 0x02


class Netfilter(Player):
    """Both sockets, and what stands behind them.

    ``parts`` are the messages that made tables, chains, sets and rules, ``elements`` those of each
    family and set by their keys. ``refuse`` maps a type of message to the errno that answers it;
    ``before`` is called with each batch before its generation is looked at, ``losing`` is how many
    answers to a batch are dropped, ``interrupting`` how many dumps are interrupted, ``forgets`` an
    attribute that an older kernel does not keep.
    """

    def __init__(self) -> None:
        super().__init__()
        self.generation = 1
        self.parts: list[Any] = []
        self.elements: dict[tuple[int, str], dict[bytes, Any]] = {}
        self.refuse: dict[str, int] = {}
        self.before: Callable[[], None] = lambda: None
        self.losing = 0
        self.interrupting = 0
        self.entries: list[Any] = []
        self.forgets = ""

    def send(self, data: bytes) -> int:
        found = spec.parse(data)
        self.sends.append(found)
        self.requests += found
        if found[0].type == "NFNL_MSG_BATCH_BEGIN":
            self._batch(found)
            return len(data)
        for request in found:
            for datagram in self._answers(request):
                self.deliver(datagram)
        return len(data)

    def _batch(self, found: list[Any]) -> None:
        self.before()
        first, *inside, _ = found
        errors = [one for one in inside if one.type in self.refuse]
        if find(first.body, "NFNL_BATCH_GENID") not in (None, self.generation):
            self.deliver(rtnetlink.build(error_message(ERESTART, first.sequence)))
            return
        for one in inside:
            if one in errors:
                code = self.refuse[one.type]
                self.deliver(rtnetlink.build(error_message(code, one.sequence)))
            elif wants_ack(one):
                self.losing -= 1
                if self.losing < 0:
                    self.deliver(rtnetlink.build(error_message(0, one.sequence)))
        if not errors:
            self.generation += 1
            for one in inside:
                self._do(one)

    def _do(self, one: Any) -> None:
        family = one.body.nfgen_family
        if one.type == "NFT_MSG_DELTABLE":
            self.parts = [part for part in self.parts if part.body.nfgen_family != family]
            self.elements = {key: some for key, some in self.elements.items() if key[0] != family}
        elif "SETELEM" in one.type:
            some = self.elements.setdefault((family, find(one.body, "NFTA_SET_ELEM_LIST_SET")), {})
            for listed in find(one.body, "NFTA_SET_ELEM_LIST_ELEMENTS"):
                key = find({"attributes": listed.value}, "NFTA_SET_ELEM_KEY", "NFTA_DATA_VALUE")
                if one.type == "NFT_MSG_NEWSETELEM":
                    assert key not in some
                    some[key] = listed
                else:
                    del some[key]
        else:
            kept = [part for part in one.body.attributes if part.type != self.forgets]
            one.body.attributes = kept
            self.parts.append(one)

    def _answers(self, request: Any) -> Iterator[bytes]:
        if request.type in self.refuse:
            yield rtnetlink.build(error_message(self.refuse[request.type], request.sequence))
            return
        if request.type == "NFT_MSG_GETGEN":
            yield self._told("NFT_MSG_NEWGEN", request, 0, ("NFTA_GEN_ID", self.generation))
            return
        if request.type == "IPCTNL_MSG_CT_GET_STATS":
            yield spec.build({"type": request.type, "sequence": request.sequence,
                              "body": {**request.body, "attributes": []}})  # fmt: skip
            return
        if not is_dump(request):
            if wants_ack(request):
                yield rtnetlink.build(error_message(0, request.sequence))
            return
        flags = MULTI
        if self.interrupting:
            self.interrupting -= 1
            flags |= INTERRUPTED
        for one in self._dump(request):
            yield spec.build({**one, "flags": flags, "sequence": request.sequence})
        done = {**done_message(0, request.sequence), "flags": flags}
        yield rtnetlink.build(done)

    def _dump(self, request: Any) -> Iterator[dict[str, Any]]:
        family = request.body.nfgen_family
        if request.type == "IPCTNL_MSG_CT_GET":
            yield from (one for one in self.entries if one["body"]["nfgen_family"] == family)
            return
        wanted = request.type.replace("MSG_GET", "MSG_NEW")
        if wanted == "NFT_MSG_NEWSETELEM":
            name = find(request.body, "NFTA_SET_ELEM_LIST_SET")
            some = [*self.elements.get((family, name), {}).values()]
            listed = rtnetlink.attribute("NFTA_SET_ELEM_LIST_ELEMENTS", some)
            yield {"type": wanted, "body": {**request.body, "attributes": [listed]}}
        for one in self.parts:
            if one.type == wanted and one.body.nfgen_family == family:
                yield {"type": wanted, "body": one.body}

    def _told(self, kind: str, request: Any, flags: int, *attributes: tuple[str, Any]) -> bytes:
        listed = [rtnetlink.attribute(*one) for one in attributes]
        return spec.build({"type": kind, "flags": flags, "sequence": request.sequence,
                           "body": {**request.body, "attributes": listed}})  # fmt: skip
