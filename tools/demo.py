"""A tour of netalias in a private network namespace; the machine's own network is not touched.

If no namespace can be created, it runs on the in-memory kernel and says so.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr

TOUR = (
    ("An alias is a device. Create one, with the words of ifconfig:", "eth0:0 200.1.1.1"),
    ("and one with a network of its own:", "eth0:1 10.20.0.5/24 mtu 1400"),
    ("of any address family:", "eth0:2 2001:db8::5/64"),
    ("on lo, where no device can stand, as an address label:", "lo:0 192.0.2.1"),
    ("All of them, in the order of the device chain:", "show"),
    ("The chain as a tree:", "--tree show"),
    ("One in detail:", "eth0:0"),
    ("Who owns an address?", "lookup 10.20.0.5"),
    ("What /proc/net/aliases said in Linux 2.0:", "cat aliases"),
    ("and /proc/net/alias_types:", "cat alias_types"),
    ("What would be done, in the words of ip:", "--dry-run eth0:3 200.1.1.3"),
    ("Re-address in place, take down:", "eth0:0 200.1.1.9"),
    ("", "eth0:1 down"),
    ("", "-br show"),
    ("A typing error changes nothing:", "eth0:1 netmsk 255.255.255.0"),
    ("Delete:", "eth0:0- 0"),
    ("", "eth0:1-"),
    ("", "eth0:2-"),
    ("", "lo:0-"),
    ("Nothing is left:", "show"),
)
"""A sentence, and the command that it announces."""

DECLARED = "eth0:0 200.1.1.1 kind macvlan\neth0:1 10.20.0.5/32 kind label\n"
BOTH = ["eth0:0", "eth0:1"]
WATCHED = (
    (
        "What stands in a file is kept true by netalias watch; its texts tell of it:",
        "",
        "watching",
        BOTH,
    ),
    ("Somebody deletes an alias, and it is back:", "ip link del eth0_0", "put right", BOTH),
    (
        "The main device goes down, and its aliases with it, as in Linux 2.0:",
        "ip link set eth0 down",
        "freed",
        [],
    ),
    ("It is up again, and they are back:", "ip link set eth0 up", "made", BOTH),
)
"""A sentence, a command, a word of the line that the watcher says then, and the aliases in the text
after that."""
LONGEST = 5.0
"""Seconds to wait for a line of the watcher, or for its text, at most."""

TUNNELS = {
    "gre0",
    "gretap0",
    "erspan0",
    "ip_vti0",
    "ip6_vti0",
    "ip6gre0",
    "ip6tnl0",
    "sit0",
    "tunl0",
}
"""Devices that the kernel creates in every namespace once their modules are loaded."""


def main() -> int:
    """Show the tour, on the real kernel if possible, else in memory; the exit status."""
    run = _run_real if _is_fresh() and _stage() else _memory()
    if run is _run_real:
        print("This is the real kernel, in a network namespace of its own:")
        print("eth0 is one end of a veth pair; your network is not touched.")
    else:
        print("No network namespace can be made here: this is the in-memory kernel,")
        print("which keeps the same rules. Nothing on this machine is touched.")
    for text, words in TOUR:
        if text:
            print(f"\n{text}")
        print(f"$ netalias {words}", flush=True)
        run(words.split())
    print("\nThat was: 4 aliases created, one re-addressed, one taken down, all deleted.")
    if run is _run_real and shutil.which("ip"):
        with tempfile.TemporaryDirectory() as folder:
            _watched(folder)
    return 0


def _watched(folder: str) -> None:
    """Show the tour of the watcher, with its files in *folder*."""
    conf, texts = f"{folder}/netalias.conf", f"{folder}/net"
    with open(conf, "w", encoding="ascii") as file:
        file.write(DECLARED)
    words = [_command(), "watch", "--texts", texts, conf]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as watcher:
        try:
            for text, command, word, names in WATCHED:
                print(f"\n{text}", flush=True)
                print(f"$ {command or f'netalias watch --texts {texts} {conf} &'}", flush=True)
                if command:
                    subprocess.run(command.split(), check=True)
                _say(watcher, word)
                _settle(f"{texts}/aliases", names)
                print(f"$ cat {texts}/aliases", flush=True)
                with open(f"{texts}/aliases", encoding="ascii") as file:
                    print(file.read(), end="", flush=True)
        finally:
            watcher.terminate()


def _say(watcher: subprocess.Popen[bytes], word: str) -> None:
    """Print the lines of the watcher up to one with this word, as they come."""
    assert watcher.stderr is not None
    found = b""
    end = time.monotonic() + LONGEST
    while word.encode() not in found.rpartition(b"\n")[0]:
        if not select.select([watcher.stderr], [], [], max(end - time.monotonic(), 0.0))[0]:
            break
        piece = os.read(watcher.stderr.fileno(), 1 << 16)
        if not piece:
            break
        found += piece
    print(found.decode(), end="", flush=True)


def _settle(path: str, names: list[str]) -> None:
    """Wait until the text of the watcher lists the aliases *names*, LONGEST seconds at most."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        try:
            with open(path, encoding="ascii") as file:
                found = [line.split()[0] for line in file][1:]
        except FileNotFoundError:
            found = None
        if found == names:
            break
        time.sleep(0.01)


def _is_fresh() -> bool:
    """Whether this is a new namespace made by tools/in-namespace, without other devices."""
    with open("/proc/net/dev", encoding="ascii") as devices:
        names = {line.partition(":")[0].strip() for line in devices if ":" in line}
    return bool(os.environ.get("NETALIAS_NAMESPACE")) and not names - TUNNELS - {"lo"}


def _stage() -> bool:
    """Create the main device eth0; False without the right to do so."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as kernel:
            kernel.link("add", kind="veth", ifname="eth0", peer={"ifname": "peer"})
            for name in ("lo", "eth0", "peer"):
                kernel.link("set", index=kernel.link_lookup(ifname=name)[0], state="up")
    except NetlinkError:
        return False
    return True


def _run_real(words: list[str]) -> None:
    subprocess.run([_command(), *words], stderr=sys.stdout, check=False)


def _command() -> str:
    return os.path.join(sysconfig.get_path("scripts"), "netalias")


def _memory() -> Callable[[list[str]], None]:
    from netalias import cli
    from netalias.engine import Engine, Setup
    from netalias.kernel.memory import Memory

    kernel = Memory(kinds=("macvlan",))
    kernel.set_device("lo", up=True)
    kernel.add_device("eth0", "veth", up=True)

    def run(words: list[str]) -> None:
        with redirect_stderr(sys.stdout):
            cli.main(words, opener=lambda options: Engine(Setup(kernel, options.registry)))

    return run


if __name__ == "__main__":
    sys.exit(main())
