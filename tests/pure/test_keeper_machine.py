"""Negotiations, additions by hand, clears, kills and other lines in any order: what is kept, what
is translated and what is recorded agree, and nothing of others is touched."""

from __future__ import annotations

import shutil
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kept import Kept

from netalias import errors
from netalias.engine.iface import carry_out
from netalias.model import AF_INET, PROTOCOL, RT_SCOPE_LINK, Address, address_text
from netalias.model.iface import MANUAL
from netalias.plan import iface
from netalias.runtime.kept import read

ADDRESSES = [*(f"10.0.0.{last}/24" for last in range(1, 6)), "2001:db8::1/64", "2001:db8::2/64"]
LINES = ["eth0 iface-alias kernel keep {} max {}", "# {} {}", "eth0 iface-alias off # {} {}"]
ANY = st.sampled_from(ADDRESSES)


class Keeping(RuleBasedStateMachine):
    """eth0, on which others do as they like while a watcher comes and goes.

    ``lost`` are the addresses that were there while it was watched and went since, with the time of
    that: the model, which shares no code with the product.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = mkdtemp()
        self.keep, self.most = 100, 3
        self.on = True
        self.kept = Kept(self.folder, LINES[0].format(self.keep, self.most))
        self.lost: dict[str, float] = {}
        self.had: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @property
    def there(self) -> set[str]:
        """The addresses that are no copies."""
        return self._having()

    @property
    def own(self) -> set[str]:
        """Those of them that `iface` has not added."""
        return self._having(PROTOCOL, MANUAL)

    def _having(self, *without: int) -> set[str]:
        if not self.present:
            return set()
        kernel = self.kept.kernel
        return {
            address_text(one.family, one.local)
            for one in kernel.snapshot().on(kernel.device("eth0").index)
            if one.scope != RT_SCOPE_LINK and one.protocol not in (PROTOCOL, *without)
        }

    @property
    def present(self) -> bool:
        """Whether there is such a device."""
        return any(one.name == "eth0" for one in self.kept.kernel.snapshot().devices.values())

    def settle(self) -> None:
        """What the model says after a step."""
        now, there = self.kept.now, self.there
        if not self.on:
            self.lost, self.had = {}, set()
            return
        for one in sorted(self.had - there, key=address_key):
            self.lost.setdefault(one, now)
        expected = self.expected()
        self.lost = {
            one: at for one, at in self.lost.items() if one not in there and one in expected
        }
        self.had = self.own

    def quiet(self) -> None:
        self.kept.rest()
        self.settle()

    @precondition(lambda self: self.present)
    @rule(text=ANY)
    def add(self, text: str) -> None:
        """Somebody adds an address; it may be there."""
        try:
            self.kept.add(text)
        except errors.NetaliasError:
            pass
        self.quiet()

    @precondition(lambda self: self.present)
    @rule(text=ANY, host=st.booleans())
    def manual(self, text: str, host: bool) -> None:
        """`iface` adds one, with a network or without; others may have it with another mask."""
        address, _, length = text.partition("/")
        try:
            self.kept.add(address if host else f"{address}/{length}", protocol=MANUAL)
        except errors.NetaliasError:
            pass
        self.quiet()

    @precondition(lambda self: self.present)
    @rule(text=ANY, every=st.booleans())
    def iface(self, text: str, every: bool) -> None:
        """`iface` clears the device of what is manual or kept, or deletes one of them."""
        address = text.partition("/")[0]
        local = address_key(address)[1]
        planner = iface.clear if every else lambda table: iface.delete(table, local)
        with self.kept.engine.transaction():
            try:
                carry_out(self.kept.engine, "eth0", planner)
            except errors.NetaliasError:
                return  # it is negotiated, or not there
        # A copy of IPv6 is on lo, where iface of eth0 does not see it.
        ended = {
            one for one in self.lost if ":" not in one and (every or one == text.split("/")[0])
        }
        self.lost = {one: at for one, at in self.lost.items() if one not in ended}
        self.quiet()

    @precondition(lambda self: self.present)
    @rule(text=ANY)
    def flow(self, text: str) -> None:
        """A program sends from an address that it is bound to; the flow goes on from then on."""
        address = text.partition("/")[0]
        if address in self.there | self.copies():
            family, local = address_key(address)
            self.kept.tables.send(family, "eth0", local)

    @precondition(lambda self: self.present)
    @rule(old=ANY, new=ANY, pause=st.booleans())
    def negotiate(self, old: str, new: str, pause: bool) -> None:
        """One goes and another one comes; the watcher may act in between."""
        if old.partition("/")[0] not in self.there or new.partition("/")[0] in self.there:
            return
        try:
            self.kept.remove(old)
        except errors.NetaliasError:
            return  # it has another mask
        if pause:
            self.quiet()
        else:
            self.kept.hear()
            self.settle()
        self.kept.add(new)
        self.quiet()

    @precondition(lambda self: self.present)
    @rule(copies=st.booleans())
    def clear(self, copies: bool) -> None:
        """All addresses go, as with ``ip addr flush``, or those of others only."""
        index = self.kept.kernel.device("eth0").index
        for entry in self.kept.kernel.snapshot().on(index):
            if entry.scope != 253 and (copies or entry.protocol != PROTOCOL):
                self._drop(entry)
        self.quiet()

    def _drop(self, entry: Address) -> None:
        try:
            self.kept.kernel.remove_address("eth0", entry)
        except errors.NetaliasError:
            pass  # it went with its primary

    @rule(flap=st.booleans())
    def device(self, flap: bool) -> None:
        """The device vanishes or returns, or it goes down and comes up."""
        kernel = self.kept.kernel
        if not self.present:
            kernel.add_device("eth0", up=True)
        elif flap:
            kernel.set_device("eth0", up=False)
            self.quiet()
            kernel.set_device("eth0", up=True)
        else:
            kernel.remove_device("eth0")
        self.quiet()

    @rule(seconds=st.sampled_from([1, 20, 60, 150]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.kept.pass_time(seconds)
        self.settle()

    @rule()
    def kill(self) -> None:
        """The watcher is killed, and another one begins."""
        self.kept.begin()
        self.settle()

    @rule(form=st.sampled_from(LINES), keep=st.sampled_from([50, 100]), most=st.integers(1, 3))
    def declare(self, form: str, keep: int, most: int) -> None:
        """Other lines."""
        self.keep, self.most, self.on = keep, most, form is LINES[0]
        self.kept.load(form.format(keep, most))
        self.settle()

    @invariant()
    def what_is_there_agrees(self) -> None:
        """Copies, translations and record are those of the model."""
        if not self.on:
            assert not self.kept.tables.tables
            assert self.copies() == set()
            assert read(self.folder, self.kept.kernel.cookie()) == {}
            return
        expected = self.expected()
        record = read(self.folder, self.kept.kernel.cookie())["eth0"]
        recorded = {address_text(*key) for key in record.former}
        assert recorded == expected
        if self.present:
            assert self.copies() == expected
            assert {address_text(*key) for key in record.own} == self.own
        tables = self.kept.tables.tables.values()
        translated = {
            address_text(table.family, one) for table in tables for one in table.old.get("eth0", ())
        }
        assert translated == (expected if self.present else set())
        for table in tables:
            new = table.new.get("eth0")
            assert new is None or address_text(table.family, new) in self.own

    @invariant()
    def no_flow_leaves_with_a_former_address(self) -> None:
        """What connection tracking has decided is as the table says now."""
        if not (self.on and self.present):
            return
        for family, source, leaves in self.kept.tables.entries:
            table = self.kept.tables.tables.get(family)
            if table is not None and source in table.old.get("eth0", ()):
                assert leaves == table.new.get("eth0", source)

    def copies(self) -> set[str]:
        """Those that the kernel has."""
        snapshot = self.kept.kernel.snapshot()
        devices = [one.index for one in snapshot.devices.values() if one.name in ("lo", "eth0")]
        entries = [entry for index in devices for entry in snapshot.on(index)]
        return {address_text(one.family, one.local) for one in entries if one.protocol == PROTOCOL}

    def expected(self) -> set[str]:
        """The newest of each family that are not too old; ``lost`` has them in their order."""
        found: set[str] = set()
        for ipv6 in (False, True):
            ages = [
                one
                for one, since in self.lost.items()
                if (":" in one) == ipv6 and since + self.keep > self.kept.now + 1
            ]
            found |= {*ages[-self.most :]}
        return found

    @invariant()
    def a_second_run_plans_nothing(self) -> None:
        """Neither a step nor a change of the tables."""
        sent, changes = self.kept.kernel.sent, len(self.kept.tables.changes)
        self.kept.keeper.wake = 0.0
        self.kept.rest()
        assert (self.kept.kernel.sent, len(self.kept.tables.changes)) == (sent, changes)


def address_key(text: str) -> tuple[int, bytes]:
    """Family and packed address."""
    from _socket import AF_INET6, inet_pton

    family = AF_INET6 if ":" in text else AF_INET
    return family, inet_pton(family, text)


Keeping.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
TestKeeping = Keeping.TestCase
