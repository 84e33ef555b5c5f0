"""Run the tests in other kernels than this machine's: ``python tools/kernels [OPTION...]``.

    --kernels "6.1"          those, by the beginning of their version, in place of all; "full":
                             Debian's own kernel, with the modules that a cloud kernel lacks
    --suites "contract"      those, in place of all but ppp and root, parts of which the others are
    --options "-k dummy"     further words for pytest
    --cache FOLDER           where kernels are kept, in place of .kernels
    --seconds N              the time that a guest may take, in place of three hours
    --fetch                  only look whether it can be done here, and download

Debian's kernels are booted by qemu, without KVM, from a file that holds this machine's Python, the
environment whose Python this is (``make test-kernels``), and the tests. Exit status 0: every suite
ran in every kernel and passed; 1: a test failed, or a guest broke; 3: it cannot be done here; 4: no
test failed, but some were still to come when the time was over.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

import choice
import image
import packages
import verdict
from machine import QEMU, Guest

NEEDED = {QEMU: "qemu-system-x86", "busybox": "busybox-static", "xz": "xz-utils", "ip": "iproute2",
          "ifconfig": "net-tools"}  # fmt: skip
"""Program -> Debian's package."""


def main() -> int:
    """See above."""
    # Guests are ended on the way.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(verdict.FAILED))
    words = _words()
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        return _cannot(f"missing: sudo apt-get install --no-install-recommends {' '.join(missing)}")
    try:
        kernels = [
            packages.Kernel(release, words.cache)
            for release in packages.choose(words.kernels.split())
        ]
        for kernel in kernels:
            kernel.fetch()
    except packages.Unavailable as error:
        return _cannot(str(error))
    if words.fetch:
        return 0
    asked = words.suites.split() or choice.USUAL
    unknown = [name for name in asked if name not in choice.SUITES]
    if unknown:
        verdict.say(f"no such suite: {unknown[0]}; there are {', '.join(choice.SUITES)}")
        return verdict.FAILED
    suites = [name for name in choice.SUITES if name in asked and _is_there(name)]
    wanted = dict.fromkeys(one for name in suites for one in choice.SUITES[name].packages)
    programs = packages.Programs(wanted, words.cache)
    try:
        programs.fetch()
    except packages.Unavailable as error:
        return _cannot(str(error))
    return _run(kernels, suites, programs, words)


def _is_there(suite: str) -> bool:
    return all((image.REPO / path).exists() for path in choice.SUITES[suite].paths)


def _words() -> argparse.Namespace:
    usage, *_ = str(__doc__).splitlines()
    parser = argparse.ArgumentParser(prog="tools/kernels", description=usage)
    parser.add_argument("--kernels", default="")
    parser.add_argument("--suites", default="")
    parser.add_argument("--options", default="")
    parser.add_argument("--cache", type=Path, default=image.REPO / ".kernels")
    parser.add_argument("--seconds", type=float, default=3 * 3600.0)
    parser.add_argument("--fetch", action="store_true")
    return parser.parse_args()


def _cannot(why: str) -> int:
    verdict.say(f"nothing was run: {why}")
    return verdict.CANNOT


def _run(
    kernels: list[packages.Kernel],
    suites: list[str],
    programs: packages.Programs,
    words: argparse.Namespace,
) -> int:
    """All guests side by side, each on its own core; what they said one after the other."""
    guests: list[tuple[str, Guest]] = []
    try:
        for kernel in kernels:
            path = words.cache / kernel.release
            initramfs = path.with_name(path.name + ".cpio")
            image.build(kernel, suites, programs, words.options.split(), initramfs)
            guests.append((kernel.release, Guest(kernel.image, initramfs, path)))
            print(f"Linux {kernel.release}: {', '.join(suites)}: {guests[-1][1].log}", flush=True)
        found = {verdict.of(release, guest, suites, words.seconds) for release, guest in guests}
    finally:
        for _, guest in guests:
            guest.stop()
    return verdict.together(found)


sys.exit(main())
