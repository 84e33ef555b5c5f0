"""Residents that restore aliases: ``netalias watch``, keepalived, and the floor."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from installs import Installs
from processes import ENVIRONMENT, Failed, captured
from stage import IP
from witness import COUNT, LABEL, MACVLAN, PATIENCE, address, gone

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import AF_INET, GROUP, Address
from netalias.model.events import ADDRESS, DEPARTURE
from netalias.model.steps import AddAltname, CreateLink, SetLink

RUN = Path("/run/watching")
NEW = codec.NLM_F_CREATE | codec.NLM_F_EXCL


class Resident:
    """A resident process, and its costs. Ended by close()."""

    def __init__(self, words: Sequence[str], ready: Callable[[], bool]) -> None:
        self.log = RUN / "log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                list(words), env=ENVIRONMENT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._place = Path("/proc", str(self._process.pid))
        end = time.monotonic() + 6 * PATIENCE
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise Failed(f"{words[0]}: {self.log.read_text()[-300:]}")
            time.sleep(0.02)

    def close(self) -> None:
        """End the process: by SIGTERM, then by SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def ticks(self) -> int:
        """Its utime and stime (proc(5))."""
        words = (self._place / "stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    def used(self) -> float:
        """Its milliseconds of processor time (/proc/PID/schedstat, in nanoseconds)."""
        return int((self._place / "schedstat").read_text().split()[0]) / 1e6

    def memory(self, field: str = "VmRSS") -> float:
        """Megabytes of its resident set, with VmHWM of the peak (/proc/PID/status, proc(5))."""
        lines = (self._place / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def watcher(installs: Installs, text: str, count: int) -> Resident:
    """A running ``netalias watch`` with the declarations *text*, once all aliases are up."""
    conf = RUN / "watching.conf"
    conf.write_text(text, encoding="ascii")
    words = [str(installs.launcher), "watch", "--texts", str(RUN / "net"), str(conf)]
    log = RUN / "log"
    found = Resident(words, lambda: "watching: " in log.read_text())
    there = len((RUN / "net" / "aliases").read_text().splitlines()) - 1
    if there != count:
        found.close()
        raise Failed(f"{there} aliases where {count} were wished")
    return found


class Floor:
    """A process that only restores deleted aliases, with prepared messages."""

    def __init__(self, kind: str) -> None:
        self._pid = os.fork()
        if not self._pid:
            try:
                self._serve(kind)
            finally:
                os._exit(1)

    def close(self) -> None:
        """End the process."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    @staticmethod
    def _serve(kind: str) -> None:
        import socket

        stream = Monitor(media=False)
        for _ in stream.start():
            pass
        out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        main = socket.if_nametoindex("eth9")
        while True:
            select.select(stream.filenos(), [], [])
            for event in list(stream.read()):
                if kind == LABEL and gone(event) and event.what == ADDRESS:
                    out.send(codec.new_address(NEW, 0, main, event.subject.address))
                if kind == MACVLAN and event.what == DEPARTURE and event.device is not None:
                    _remake(out, socket.if_nametoindex, event.device.name, main)


def _remake(out: object, index_of: Callable[[str], int], name: str, main: int) -> None:
    send = out.send  # type: ignore[attr-defined]
    number = int(name.partition("_")[2])
    send(codec.create_link(0, 0, CreateLink(name, MACVLAN, group=GROUP, mode=4, link=main)))
    index = index_of(name)
    entry = Address(index, AF_INET, bytes(map(int, address(number).split("."))), 32)
    parts = (
        codec.add_altname(0, index, AddAltname(name, index, name.replace("_", ":"))),
        codec.new_address(NEW, 0, index, entry),
        codec.set_link(0, index, SetLink(name, index, up=True)),
    )
    send(b"".join(parts))


KEEPALIVED = """\
global_defs {{
  router_id bench
  vrrp_skip_check_adv_addr
}}
vrrp_instance bench {{
  state MASTER
  interface eth9
  virtual_router_id 51
  priority 255
  advert_int 1
  virtual_ipaddress {{
    {first} dev eth9
  }}
  virtual_ipaddress_excluded {{
{others}
  }}
}}
"""


def program() -> str:
    return shutil.which("keepalived") or "/usr/sbin/keepalived"


def keepalived() -> Resident:
    """A running keepalived with the same addresses. Raises Failed."""
    path = program()
    if not os.path.exists(path):
        raise Failed("keepalived is not installed")
    conf = RUN / "keepalived.conf"
    others = "\n".join(f"    {address(number)}/32 dev eth9" for number in range(1, COUNT))
    conf.write_text(KEEPALIVED.format(first=f"{address(0)}/32", others=others), encoding="ascii")
    words = [path, "--vrrp", "--dont-fork", "--log-console", f"--use-file={conf}"]
    words += [f"--pid={RUN}/keepalived.pid", f"--vrrp_pid={RUN}/vrrp.pid"]
    captured([IP, "addr", "add", "192.0.2.1/24", "dev", "eth9"])

    def ready() -> bool:
        return captured([IP, "-4", "-o", "addr", "show", "dev", "eth9"]).count(" inet 10.") == COUNT

    return Resident(words, ready)


def version() -> str:
    """A blank and the version of keepalived; empty if it is not installed."""
    path = program()
    if not os.path.exists(path):
        return ""
    words = captured([path, "--version"]).split()
    return f" {words[1].removeprefix('v')}"
