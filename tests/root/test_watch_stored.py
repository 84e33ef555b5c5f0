"""Tunnels outlive their watcher where a service manager keeps their descriptors."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from command import Command
from service_manager import Manager
from support import until
from test_takeover_tunnels import WINDOW, Flow
from test_tunnel_keyed import written
from test_vif import Vif, words_of
from tunnelled import OUTER
from watcher import Watch, successor, watching

from netalias.runtime import tunnels as record
from netalias.system import descriptors

PARTS = [f"vif0 {part}" for part in ("device", "carriage", "counters", "state")]
RULE = "rule show pref 32700"


class Kept:
    """vif0 at the near end, whose watcher is a service of *manager*; the far end has one of its
    own."""

    def __init__(self, vif: Vif, manager: Manager, stack: ExitStack) -> None:
        self.vif = vif
        self.manager = manager
        self.texts = vif.folder / "here.net"
        self.file = vif.lines[0]
        there = vif.folder / "there.net"
        stack.enter_context(watching(vif.there, there, str(vif.lines[1])))

    def runs(self) -> AbstractContextManager[Watch]:
        """The watcher, as it is started each time."""
        return self.manager.runs(self.vif.here, self.texts, str(self.file))

    def plane(self, watch: Watch) -> int:
        """The data plane that this watcher has started."""

        def found() -> int:
            one = record.read(f"/run/netalias/{self.vif.here.inode}", "vif0")
            return one.plane if one is not None and one.pid == watch.process.pid else 0

        return until(found)


@pytest.fixture
def kept(cli: Command, tmp_path: Path) -> Iterator[Kept]:
    """Both ends, of which the near one does not run yet."""
    with ExitStack() as stack:
        manager = Manager(tmp_path / "notify")
        stack.callback(manager.close)
        yield Kept(Vif(cli, tmp_path), manager, stack)


def killed(watch: Watch) -> None:
    """The watcher crashes; its data plane ends with it."""
    watch.process.kill()
    watch.process.wait()


def restarted(watch: Watch) -> None:
    """It is asked to end before a restart."""
    assert watch.end(signal.SIGUSR1) == 0


@pytest.mark.parametrize("end", [killed, restarted])
def test_no_datagram_is_lost(kept: Kept, end: Callable[[Watch], object]) -> None:
    """The device stays, with its address and the rule; what is sent meanwhile waits in its queue,
    and the next watcher goes on with the same counters."""
    vif = kept.vif
    with ExitStack() as stack:
        with kept.runs() as watch:
            vif.routed()
            before, plane = vif.indexes(), kept.plane(watch)
            kept.manager.keeps(*PARTS)
            flow = Flow(vif)
            stack.callback(flow.close)
            flow.more(WINDOW)
            end(watch)
            until(lambda: not words_of(plane))
            assert vif.own in vif.here.ip("addr show vif0")
            assert vif.own in vif.here.ip(RULE)
        with kept.runs() as watch:
            kept.plane(watch)
            flow.more(WINDOW)
            flow.end()
            assert vif.indexes() == before
            kept.manager.keeps(*PARTS)
            shown = Command(vif.here).json("tunnels")
            assert shown[0]["counters"]["sent_packets"] >= 2 * WINDOW


def test_a_stop_leaves_nothing(kept: Kept) -> None:
    """SIGTERM is for good: the device goes before the manager has let go of it, and so does the
    rule."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        assert watch.end() == 0
    assert "vif0" not in vif.here.names()
    assert not vif.here.ip(RULE)
    kept.manager.told("STOPPING=1")
    kept.manager.keeps()


def test_a_line_that_has_changed_meanwhile(kept: Kept) -> None:
    """As under a watcher that runs: what can stay stays, here the device with another port. What
    cannot begins anew, under the same name."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.indexes()[0]
        killed(watch)
    kept.file.write_text(f"vif0 {vif.own} to {OUTER[1]} carriage udp:7778\n")
    with kept.runs() as watch:
        kept.plane(watch)
        assert vif.indexes()[0] == before
        assert ":7778" in vif.here.run(["ss", "-Hnu"]).stdout
        kept.manager.keeps(*PARTS)
        killed(watch)
    kept.file.write_text(f"vif0 {vif.own} to {OUTER[1]} carriage ipip94\n")
    with kept.runs() as watch:
        kept.plane(watch)
        kept.manager.keeps(*PARTS)
        until(lambda: not vif.here.run(["ss", "-Hnu"]).stdout)


def test_a_line_that_has_gone_meanwhile(kept: Kept) -> None:
    """Its device goes, and its rule."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        killed(watch)
    assert "vif0" in vif.here.names()
    kept.file.write_text("vif1 198.51.100.8 to passive carriage udp:7779\n")
    with kept.runs():
        kept.manager.keeps(*(part.replace("vif0", "vif1") for part in PARTS))
        assert "vif0" not in vif.here.names()
        until(lambda: vif.own not in vif.here.ip(RULE))


def test_a_device_that_has_gone_meanwhile(kept: Kept) -> None:
    """Somebody has deleted it: another one is made."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        killed(watch)
    before = vif.indexes()[0]
    vif.here.ip("link del vif0")
    with kept.runs() as watch:
        kept.plane(watch)
        assert vif.indexes()[0] not in ("", before)
        kept.manager.keeps(*PARTS)


def test_any_descriptors_are_closed(kept: Kept) -> None:
    """Of another version, incomplete, of other things under our names, and twice; also sockets that
    a unit calls as the things are called that a watcher hands over."""
    roles = ["lock", "claim", "texts", "alive", "lifeline", "events"]
    names = [*PARTS, *PARTS, "vif1 state", "vif0", "stored", "vif1 device", *roles]
    for name in names:
        kept.manager.kept.setdefault(name, []).append(os.open("/dev/zero", os.O_RDONLY))
    for name, text in (("vif2", "no tunnel"), ("vif3", ""), ("vif4", f"vif0 {kept.vif.own}")):
        line = os.memfd_create("line")
        os.write(line, f"line {text}\nmtu 1400\n".encode())
        kept.manager.kept[f"{name} state"] = [line]
    with kept.runs() as watch:
        kept.plane(watch)
        kept.manager.keeps(*PARTS)
        held = Path(f"/proc/{watch.process.pid}/fd")
        assert "/dev/zero" not in {os.readlink(one) for one in held.iterdir()}


def test_a_part_that_is_missing(kept: Kept) -> None:
    """As where the store of the manager was full: the tunnel begins anew, at once."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        killed(watch)
    before = vif.indexes()[0]
    for part in PARTS[:3]:
        descriptors.close(kept.manager.kept.pop(part))
        with kept.runs() as watch:
            kept.plane(watch)
            assert watch.said[-2].endswith("vif0: it cannot be taken over: a part is missing")
            assert vif.indexes()[0] not in ("", before)
            kept.manager.keeps(*PARTS)
            killed(watch)


def test_the_device_of_another_program_stays(kept: Kept) -> None:
    """It got the name after somebody had deleted ours."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        killed(watch)
    vif.here.ip("link del vif0")
    vif.here.ip("tuntap add dev vif0 mode tun")
    before = vif.indexes()[0]
    with kept.runs() as watch:
        assert any("vif0: there is a device of this name" in line for line in watch.said)
        assert watch.end() == 0
    assert vif.indexes()[0] == before


@pytest.mark.parametrize("change", ["to", "key"])
def test_another_socket_at_the_same_port(kept: Kept, change: str) -> None:
    """A new line asks for it, and the manager still has the former one: it lets go of it."""
    vif, key = kept.vif, kept.vif.folder / "key"
    written(key, bytes(range(32)))
    words, says = {
        "to": (f"to {OUTER[1]} carriage udp:7777", f"from {OUTER[0]}"),
        "key": (f"to passive carriage udp:7777 key {key}", "with another socket"),
    }[change]
    kept.file.write_text(f"vif0 {vif.own} to passive carriage udp:7777\n")
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.indexes()[0]
        kept.file.write_text(f"vif0 {vif.own} {words}\n")
        watch.says(f"vif0: goes on {says}")
        kept.plane(watch)
        assert vif.indexes()[0] == before
        kept.manager.keeps(*PARTS)


def test_another_key_after_a_restart(kept: Kept) -> None:
    """A socket with a key has no connection: the next watcher knows the path to the peer all the
    same, and so the MTU."""
    vif, key = kept.vif, kept.vif.folder / "key"
    written(key, bytes(range(32)))
    kept.file.write_text(f"vif0 {vif.own} to {OUTER[1]} carriage udp:7777 key {key}\n")
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.here.ip("link show vif0").partition(" mtu ")[2].split()[0]
        killed(watch)
    with kept.runs() as watch:
        plane = kept.plane(watch)
        written(key, bytes(range(1, 33)))
        watch.says("vif0: its key file changed")
        until(lambda: kept.plane(watch) != plane)
        assert f" mtu {before} " in vif.here.ip("link show vif0")


def test_an_address_that_has_gone_meanwhile(kept: Kept) -> None:
    """The device stays, and the socket is another one."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.indexes()[0]
        killed(watch)
    vif.here.ip(f"addr del {OUTER[0]}/24 dev eth9")
    vif.here.ip("addr add 10.9.0.3/24 dev eth9")
    with kept.runs() as watch:
        if not any("goes on from 10.9.0.3" in line for line in watch.said):
            watch.says("vif0: goes on from 10.9.0.3")
        assert vif.indexes()[0] == before
        kept.manager.keeps(*PARTS)


def test_relays_keep_their_names(kept: Kept) -> None:
    """The device of a relay has no name in its line: the first one has gone meanwhile, and the
    second one has another port."""
    line = "relay 10.1.0.5{0} on eth9 to passive carriage udp:778{0}\n"
    kept.file.write_text(line.format(0) + line.format(1))
    names = [part.replace("vif0", name) for name in ("relay0", "relay1") for part in PARTS]
    here = kept.vif.here
    with kept.runs() as watch:
        kept.manager.keeps(*names)
        before = here.ip("-o link show relay1").partition(":")[0]
        killed(watch)
    kept.file.write_text(line.format(1).replace("7781", "7783"))
    with kept.runs() as watch:
        kept.manager.keeps(*names[4:])
        assert any("relay1: carriage changed: the device stays" in one for one in watch.said)
        assert here.ip("-o link show relay1").partition(":")[0] == before
        assert "relay0" not in here.names()


def test_one_without_a_data_plane_at_a_takeover(kept: Kept) -> None:
    """It is not handed over, and begins anew: the manager has no device of its name any more."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.indexes()[0]
        vif.here.ip(f"addr del {OUTER[0]}/24 dev eth9")
        watch.says("vif0: no address leads to its peer")
        with successor(watch, str(kept.file)) as second:
            until(lambda: "vif0" not in vif.here.names())
            vif.here.ip(f"addr add {OUTER[0]}/24 dev eth9")
            kept.plane(second)
            assert vif.indexes()[0] not in ("", before)
            kept.manager.keeps(*PARTS)


def test_who_takes_over_has_them_kept(kept: Kept) -> None:
    """The next watcher is the service from then on: after a crash of it, too, nothing begins
    anew."""
    vif = kept.vif
    with kept.runs() as watch:
        kept.manager.keeps(*PARTS)
        before = vif.indexes()[0]
        with successor(watch, str(kept.file)) as second:
            kept.manager.told(f"MAINPID={second.process.pid}")
            until(lambda: kept.manager.heard[-1][0] == "READY=1")
            kept.manager.keeps(*PARTS)
            killed(second)
    with kept.runs() as watch:
        kept.plane(watch)
        assert vif.indexes()[0] == before


def ended(watch: Watch) -> None:
    """It is asked to end for good."""
    assert watch.end() == 0


@pytest.mark.parametrize(("end", "left"), [(restarted, True), (ended, False)])
def test_a_restart_releases_nothing(kept: Kept, end: Callable[[Watch], object], left: bool) -> None:
    """With --release, too: only an end for good does."""
    kept.file.write_text("eth9:1 10.0.0.1/32 kind label announce off\n")
    with kept.manager.runs(kept.vif.here, kept.texts, "--release", str(kept.file)) as watch:
        end(watch)
        assert ("10.0.0.1/" in kept.vif.here.ip("addr show dev eth9")) is left


def test_without_a_service_manager_it_is_an_end(cli: Command, tmp_path: Path) -> None:
    """Nobody keeps anything then."""
    vif = Vif(cli, tmp_path)
    with watching(vif.here, tmp_path / "net", str(vif.lines[0])) as watch:
        until(lambda: "vif0" in vif.here.names())
        assert watch.end(signal.SIGUSR1) == 0
        assert "vif0" not in vif.here.names()
        assert not vif.here.ip(RULE)
