"""One guest: a kernel booted by qemu without KVM, and what it said."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

QEMU = "qemu-system-x86_64"
MEMORY = "1536"
CPU = "max,la57=off"
"""Without a fifth level of page tables."""
WORDS = "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check norandmaps"
"""Of the kernel's command line. A guest that panics reboots, which ends qemu (-no-reboot). With the
guards against Meltdown every system call would empty the emulated TLB; on a busy machine the timer
seems broken to a kernel that measures it. qemu finds code that it has translated by its virtual
address: with random ones each process would be translated anew, which is most of a short one."""

PASSED = 0


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

    def wait(self, seconds: float) -> str:
        """Wait until it ends -> what was wrong with that, empty if nothing."""
        try:
            status = self._process.wait(max(0, self.began + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
            return f"not at its end after {seconds:.0f} s, {self._last()}"
        if status:
            return f"{QEMU} ended with status {status}"
        if not self._text().endswith("## end\n"):
            return f"the guest never came to its end, {self._last()}: see {self.console}"
        return ""

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def results(self) -> dict[str, tuple[int, str]]:
        """Suite -> exit status of pytest, and all that it said; only suites that came to an end."""
        found = {}
        for name, text, status in re.findall(
            r"^## suite (\S+)\n(.*?)^## status (-?\d+)$", self._text(), re.MULTILINE | re.DOTALL
        ):
            found[name] = (int(status), text)
        return found

    def _last(self) -> str:
        """Where it was, as far as its report goes."""
        lines = self._text().splitlines()
        return f"last heard: {lines[-1].strip()}" if lines else "nothing was heard of its tests"

    def _text(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def summary(text: str) -> str:
    """What pytest said last: failures and errors with all their words, else the short summary."""
    for title in ("ERRORS", "FAILURES", "short test summary info"):
        found = re.search(rf"^=+ {title} =+$", text, re.MULTILINE)
        if found is not None:
            return text[found.start() :]
    return "".join(text.splitlines(keepends=True)[-1:])
