"""The steps of a plan as a kernel in memory executes them: each by its rule in RULES."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENODEV, ENOENT, ENXIO, EOPNOTSUPP, EPERM, ERANGE

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.memory import addresses as inet
from netalias.kernel.memory import devices, local_routes, routes, rules
from netalias.kernel.memory.addresses import POLICY, Refusal
from netalias.kernel.memory.devices import Node
from netalias.kernel.memory.links import LinkTable
from netalias.kernel.refusing import refused
from netalias.model import AF_INET, AF_INET6, Address, names
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.neighbours import AddProxy, DelProxy
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.routes import AddRoute, DelRoute
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.model.steps import Step

ALTNAMES_MAX = 496
"""Altnames that fit the property list, whose size has 16 bits (rtnl_alt_ifname)."""
IFALIAS_MAX = 254
GONE = {AF_INET: "ipv4: Device not found", AF_INET6: "ipv6: Unable to find the interface"}


class StepMemory(Kernel):
    """A Kernel that executes steps on a table of devices; see Memory for its attributes."""

    def __init__(self, kinds: Sequence[str], *, privileged: bool, changes_protocol: bool) -> None:
        self.kinds = tuple(kinds)
        self.privileged = privileged
        self.changes_protocol = changes_protocol
        self._links = LinkTable()
        self._rules = rules.Rules(self._links.nodes)
        self._made: dict[str, int] = {}
        self.without_inet6: Callable[[str], bool] = frozenset[str]().__contains__

    def made(self, name: str) -> int:
        """The ifindex that a step has given it."""
        return self._made.get(name, 0)

    def able(self, kind: str) -> bool:
        """Whether *kind* is one of ``kinds``."""
        self.permitted()
        return kind in self.kinds

    def permitted(self) -> None:
        """Check ``privileged``. Raises NotPermitted."""
        if not self.privileged:
            raise errors.kernel_error("changing addresses", EPERM)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Execute each step by its rule in RULES."""
        answers = []
        for step in steps:
            answers.append(self._answer(step))
            if self.progress is not None:
                self.progress(1)
        return answers

    def _answer(self, step: Step) -> errors.NetaliasError | None:
        try:
            if not self.privileged:
                raise Refusal(EPERM)
            RULES[type(step)](self, step)
        except Refusal as no:
            if no.errno in getattr(step, "tolerate", ()):
                return None
            return refused(step, no.errno, no.text)
        return None

    def _node(self, step: Step, text: str = "") -> Node:
        """The device of a step, by index or by the name of a device made here. Raises Refusal."""
        node = self._links.nodes.get(step.index or self._made.get(step.device, 0))
        if node is None:
            raise Refusal(ENODEV, text)
        return node

    def _create(self, step: CreateLink) -> None:
        if len(_bytes(step.device)) > names.NAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if step.kind not in self.kinds:
            self._links.check_free(step.device)
            raise Refusal(EOPNOTSUPP, "Unknown device type")
        node = Node(0, step.device, kind=step.kind, mode=step.mode, link=step.link)
        node.group, node.mac, node.mtu = step.group, step.mac, step.mtu
        if step.master and step.master not in self._links.nodes:
            raise Refusal(EINVAL)
        self._made[step.device] = self._links.create(node, step.former)
        if step.master:
            self._links.enslave(node, step.master)

    def _delete(self, step: DelLink) -> None:
        self._links.remove(self._node(step))

    def _add_altname(self, step: AddAltname) -> None:
        node = self._node(step)
        if len(_bytes(step.altname)) > names.ALTNAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if len(node.altnames) >= ALTNAMES_MAX:
            raise Refusal(EINVAL, "effective property list too long")
        self._links.check_free(step.altname)
        node.altnames += (step.altname,)
        self._links.learn(node)

    def _del_altname(self, step: DelAltname) -> None:
        node = self._node(step)
        if len(_bytes(step.altname)) > names.ALTNAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if self._links.named(step.altname) is None:
            raise Refusal(ENOENT)
        if step.altname not in node.altnames:
            raise Refusal(EINVAL)
        self._links.forget(node)
        node.altnames = tuple(name for name in node.altnames if name != step.altname)
        self._links.learn(node)

    def _set(self, step: SetLink) -> None:
        node = self._node(step)
        if step.ifalias is not None and len(_bytes(step.ifalias)) > IFALIAS_MAX:
            raise Refusal(ERANGE, POLICY)
        if step.mac is not None and len(step.mac) != len(node.mac):
            raise Refusal(EINVAL)
        if step.addrgen is not None:
            devices.check_addrgen(node, step.addrgen)
        self._change(node, mac=step.mac, mtu=step.mtu, ifalias=step.ifalias, up=step.up)
        # The families come last, after the device went up (do_setlink in net/core/rtnetlink.c).
        node.configure(step.conf or {})
        if step.addrgen is not None:
            node.addrgen = step.addrgen

    def _change(
        self,
        node: Node,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        ifalias: str | None = None,
        up: bool | None = None,
    ) -> None:
        """Change attributes in the order of do_setlink; None leaves one as it is."""
        if mac is not None:
            self._links.set_mac(node, mac)
        if mtu is not None:
            self._links.set_mtu(node, mtu)
        if ifalias is not None:
            node.ifalias = ifalias
        if up is not None:
            self._links.set_up(node, up)

    def _new_address(self, step: AddAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        place = step.device if step.index else "default"
        six = step.address.family == AF_INET6 and not node.loopback
        if six and self.without_inet6(place):  # addrconf_add_dev
            raise Refusal(EACCES, "ipv6: IPv6 is disabled on this device")
        self._add_address(node, step.address)

    def _mark_address(self, step: MarkAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        keeps = step.address.family == AF_INET and not self.changes_protocol
        self._add_address(node, step.address, inet.replace_but_mark if keeps else inet.replace)

    def _renew_address(self, step: RenewAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        self._add_address(node, step.address, inet.renew)

    def _add_address(
        self,
        node: Node,
        wanted: Address,
        put: Callable[[list[Address], Address, bool], None] = inet.insert,
    ) -> None:
        if wanted.family not in GONE:
            raise Refusal(EOPNOTSUPP)
        if wanted.family == AF_INET6 and not node.inet6:
            raise Refusal(EINVAL)
        entry = inet.copy(wanted)
        entry.index = node.index
        entry.label = entry.label or node.name
        put(node.entries, entry, node.loopback)
        if put is inet.insert:
            routes.come(node, entry)

    def _del_address(self, step: DelAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        if step.address.family not in GONE:
            raise Refusal(EOPNOTSUPP)
        if step.address.family == AF_INET6 and not node.inet6:
            raise Refusal(ENXIO, "ipv6: IPv6 is disabled on this device")
        self._delete_address(node, step.address)

    def _delete_address(self, node: Node, address: Address) -> None:
        before = list(node.entries)
        inet.delete(node.entries, address, node.promote)
        left = set(map(id, node.entries))
        for gone in before:
            if id(gone) not in left:
                routes.go(node, gone)
        if address.family == AF_INET and all(one.family != AF_INET for one in node.entries):
            local_routes.without_addresses(node)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


RULES: dict[type[Step], Callable[[StepMemory, Any], None]] = {
    CreateLink: StepMemory._create,
    DelLink: StepMemory._delete,
    AddAltname: StepMemory._add_altname,
    DelAltname: StepMemory._del_altname,
    SetLink: StepMemory._set,
    AddAddress: StepMemory._new_address,
    MarkAddress: StepMemory._mark_address,
    RenewAddress: StepMemory._renew_address,
    RenameLink: lambda kernel, step: kernel._links.rename(kernel._node(step), step.name),
    SetGroup: lambda kernel, step: setattr(kernel._node(step), "group", step.group),
    DelAddress: StepMemory._del_address,
    AddProxy: lambda kernel, step: devices.put(kernel._node(step), step.proxy),
    DelProxy: lambda kernel, step: devices.remove(kernel._node(step), step.proxy),
    AddRoute: lambda kernel, step: routes.add(kernel._node(step), step.route),
    DelRoute: lambda kernel, step: routes.remove(kernel._node(step), step.route),
    **rules.RULES,
    **local_routes.RULES,
}
