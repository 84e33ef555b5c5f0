"""The stage: three namespaces, the settings of one column, the aliases of one kind."""

from __future__ import annotations

import functools

from command import Command, forget, ip_json, set_sysctl, wait_for_local_route, wait_for_state
from echo import Call
from neighbours import Watch, table
from places import FAR, HERE, MAIN, PEER, PLACES, ROUTER, SIBLINGS, STATIONS, Place
from sentences import NO_CARRIER, no_kind
from support import Namespace, veth_pair
from who_has import Asker, Ear

WARNING = "netalias: warning: "
NEUTRAL = ("rp_filter", "arp_ignore", "arp_announce", "arp_filter", "proxy_arp", "forwarding")
"""Settings that a new namespace may have inherited from the machine: 0 unless a test says more."""


class Wires:
    """The namespaces, cabled and addressed, without an alias."""

    def __init__(self, rp_filter: int = 0, arp_ignore: int = 0) -> None:
        self.here, self.peer, self.far = (Namespace() for _ in range(3))
        try:
            self._build(rp_filter, arp_ignore)
        except BaseException:
            self.close()
            raise

    def _build(self, rp_filter: int, arp_ignore: int) -> None:
        for namespace in self.all:
            namespace.raise_lo()
            for key in NEUTRAL:
                for scope in ("all", "default"):
                    set_sysctl(namespace, f"ipv4/conf/{scope}/{key}", 0)
            set_sysctl(namespace, "ipv6/conf/default/accept_dad", 0)
        for family in ("ipv4", "ipv6"):
            set_sysctl(self.peer, f"{family}/conf/all/forwarding", 1)
        for scope in ("all", "default"):
            set_sysctl(self.here, f"ipv4/conf/{scope}/rp_filter", rp_filter)
        veth_pair(self.here, self.peer, HERE, PEER)
        veth_pair(self.peer, self.far, ROUTER, FAR)
        set_sysctl(self.here, f"ipv4/conf/{HERE}/arp_ignore", arp_ignore)
        for name, namespace in (("peer", self.peer), ("far", self.far), ("here", self.here)):
            namespace.run(["ip", "-batch", "-"], input="\n".join(STATIONS[name]))
        for namespace, device in ((self.here, HERE), (self.peer, ROUTER)):
            wait_for_state(namespace, device, "UP")
        for namespace, address in ((self.here, "fe80::1"), (self.peer, "fe80::f1")):
            wait_for_local_route(namespace, address)
        self.cli = Command(self.here)
        self.watch = Watch(self.peer)

    @property
    def all(self) -> tuple[Namespace, ...]:
        """From here to far."""
        return self.here, self.peer, self.far

    def close(self) -> None:
        """Give everything back."""
        forget(self.here)
        if hasattr(self, "watch"):
            self.watch.close()
        for namespace in self.all:
            namespace.close()

    def __enter__(self) -> Wires:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def mac(self, device: str, namespace: Namespace | None = None) -> str:
        """The MAC of a device."""
        (found,) = ip_json(namespace or self.here, f"link show dev {device}")
        return str(found["address"])

    def forget_neighbours(self) -> None:
        """Nobody knows anybody, as after a night without traffic."""
        for namespace in (self.here, self.peer):
            namespace.ip("neigh flush all", check=False)

    def ask(self, target: str, known: dict[str, str], sender: str = "") -> list[str]:
        """The MACs that answer the peer for *target*; see who_has.py."""
        with self._asker(target, sender) as asker:
            return asker.answers(target, known)

    def _asker(self, target: str, sender: str) -> Asker:
        plain = "2001:db8::200" if ":" in target else "10.0.0.200"
        return Asker(self.peer, PEER, self.mac(PEER, self.peer), sender or plain, plain)

    def call(self, address: str, source: str = "", device: str = "") -> Call:
        """From here to *address* of the peer."""
        return Call(self.here, self.peer, address, source, device)

    def called(self, address: str, source: str = "") -> Call:
        """From the peer to *address* here."""
        return Call(self.peer, self.here, address, source)


class Stage(Wires):
    """The wires with one alias for each place, and a sibling in each family."""

    def __init__(self, kind: str, rp_filter: int, arp_ignore: int) -> None:
        super().__init__(rp_filter, arp_ignore)
        self.kind = kind
        self.said: dict[Place, list[str]] = {}
        self.refused: set[Place] = set()
        try:
            self._people()
        except BaseException:
            self.close()
            raise

    def _people(self) -> None:
        for place in PLACES:
            done = self.cli.run(place.name, place.given, "kind", self.kind)
            begin = WARNING if not done.returncode else "netalias: "
            self.said[place] = [
                line.removeprefix(f"{begin}{place.name}: ") for line in done.stderr.splitlines()
            ]
            if done.returncode:
                self.refused.add(place)
        for name, address in SIBLINGS.values():
            kind = "label" if self.kind == "shard" else self.kind  # which may be refused
            done = self.cli.run("-q", name, address, "kind", kind)
            assert not done.returncode, done
        for place in (one for one in PLACES if one not in self.refused):
            wait_for_local_route(self.here, place.alias)
        for _, address in SIBLINGS.values():
            wait_for_local_route(self.here, address)

    @functools.cached_property
    def macs(self) -> dict[str, str]:
        """Alias address -> the MAC that peers shall know it by."""
        main = self.mac(HERE)
        owners = [(place.alias, place.device) for place in PLACES]
        owners += [(address, name.replace(":", "_")) for name, address in SIBLINGS.values()]
        if self.kind != "macvlan":
            return dict.fromkeys((address for address, _ in owners), main)
        return {address: self.mac(device) for address, device in owners}

    def ask(self, target: str, known: dict[str, str], sender: str = "") -> list[str]:
        """The same; an ipvlan is given the time that its queue takes."""
        if self.kind != "ipvlan" or target in MAIN.values():
            return super().ask(target, known, sender)
        (device,) = [place.device for place in PLACES if place.alias == target]
        with self._asker(target, sender) as asker, Ear(self.here, device, asker.protocol) as ear:
            return asker.answers(target, known, ear)

    def known(self, family: str) -> dict[str, str]:
        """Who surely answers: the main device, and a sibling unless nobody may answer for it."""
        known = {MAIN[family]: self.mac(HERE)}
        if self.kind != "dummy":
            address = SIBLINGS[family][1]
            known[address] = self.macs[address]
        return known

    def misled(self, place: Place, *, must: bool) -> str:
        """What is wrong in the peer's neighbour table; empty when all is well.

        *must*: the peer has had to learn the alias's MAC by now.
        """
        wanted = self.macs[place.alias]
        wrong = self.watch.learnt(place.alias) - {wanted}
        if wrong:
            whose = "the main device's" if self.mac(HERE) in wrong else "a stranger's"
            return f"the peer learnt {whose} MAC for {place.alias}"
        now = table(self.peer).get(place.alias)
        if now != wanted and (must or now is not None):
            return f"the peer knows {now or 'no MAC'} for {place.alias}"
        return ""


@functools.cache
def lacking(kind: str) -> str:
    """Why there is no alias of *kind* on this kernel; empty when there can be one."""
    if kind == "label":
        return ""
    with Wires() as wires:
        done = wires.cli.run("eth9:0", "10.0.0.5", "kind", kind)
        reasons = (no_kind(kind), NO_CARRIER)
        return next((one for one in reasons if one in done.stderr), "")
