"""One guest: a kernel booted by qemu without KVM, and what it said."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import report

QEMU = "qemu-system-x86_64"
MEMORY = "1536"
CPU = "max,la57=off"
"""Without a fifth level of page tables."""
WORDS = "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check norandmaps"
"""Of the kernel's command line. A guest that panics reboots, which ends qemu (-no-reboot). With the
guards against Meltdown every system call would empty the emulated TLB; on a busy machine the timer
seems broken to a kernel that measures it. qemu finds code that it has translated by its virtual
address: with random ones each process would be translated anew, which is most of a short one."""


class Broken(Exception):
    """A guest did not come to its end; the message says where it was."""


class Late(Broken):
    """Its time was over."""


class Guest:
    """A guest that has been started. *path* is the beginning of the names of its files."""

    def __init__(self, image: Path, initramfs: Path, path: Path) -> None:
        self.console = path.with_name(path.name + ".console")
        self.log = path.with_name(path.name + ".log")
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [QEMU, "-accel", "tcg,thread=multi", "-cpu", CPU, "-m", MEMORY, "-smp", "2",
             "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
             "-serial", f"file:{self.console}", "-serial", f"file:{self.log}",
             "-kernel", str(image), "-initrd", str(initramfs), "-append", WORDS],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Wait until it ends, *seconds* from its start at most. Raises Broken, Late."""
        try:
            status = self._process.wait(max(0, self.began + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
            raise Late(f"not at its end after {seconds:.0f} s, {self._last()}") from None
        if status:
            raise Broken(f"{QEMU} ended with status {status}")
        if not self.text().endswith("## end\n"):
            raise Broken(f"the guest never came to its end, {self._last()}: see {self.console}")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _last(self) -> str:
        return report.last(self.text())

    def text(self) -> str:
        """All that its tests have said so far."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
