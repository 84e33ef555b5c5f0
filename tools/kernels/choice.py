"""The suites that run in a guest, and the tests that are left out, each with its reason."""

from __future__ import annotations


class Suite:
    """Folders and files for pytest, modules that the guest does without meanwhile, and packages of
    programs that it gets."""

    def __init__(
        self, *paths: str, hidden: tuple[str, ...] = (), packages: tuple[str, ...] = ()
    ) -> None:
        self.paths = paths
        self.hidden = hidden
        self.packages = packages


CORE = (
    "tests/root/test_main_job.py",
    "tests/root/test_main_settings.py",
    "tests/root/test_reconcile.py",
)
WATCH = (
    "tests/root/test_lease_watched.py",
    "tests/root/test_watch.py",
    "tests/root/test_watch_beside.py",
    "tests/root/test_watch_gateways.py",
    "tests/root/test_watch_linklocal.py",
    "tests/root/test_watch_renamed.py",
    "tests/root/test_watch_survives.py",
)
MOVE = (
    "tests/root/test_adopt_import.py",
    "tests/root/test_move_command.py",
    "tests/root/test_move_page.py",
)
KEEP = (
    "tests/root/test_keep.py",
    "tests/root/test_nat_kernel.py",
    "tests/root/test_sockdestroy.py",
)
TUNNELS = (
    "tests/root/test_tunnels.py",
    "tests/root/test_tunnels_kernel.py",
    "tests/root/test_tunnels_raw.py",
)
WIREGUARD = ("tests/root/test_wireguard.py",)
PPP = ("tests/root/test_keep_ppp.py",)
KINDS = ("tests/root/test_kinds.py", "tests/root/test_mains.py")

SUITES = {
    "contract": Suite("tests/contract"),
    # Their aliases are macvlans, which auto makes where there is no ipvlan.
    "core": Suite(*CORE, hidden=("ipvlan",)),
    "watch": Suite(*WATCH, hidden=("ipvlan",)),
    "move": Suite(*MOVE, hidden=("ipvlan",)),
    "keep": Suite(*KEEP, hidden=("ipvlan",)),
    "tunnels": Suite(*TUNNELS, hidden=("ipvlan",)),
    "wireguard": Suite(*WIREGUARD, hidden=("ipvlan",)),
    "ppp": Suite(*PPP, hidden=("ipvlan",), packages=("ppp", "libpcap0.8")),
    "root": Suite("tests/root", hidden=("ipvlan",)),
    "kinds": Suite(*KINDS),
    "traffic": Suite("tests/traffic"),
}
"""In the order in which they are run: a module that was loaded once is not hidden any more."""

PARTS = dict.fromkeys(("core", "watch", "move", "keep", "tunnels", "wireguard", "ppp"), "root")
"""Suite -> the suite that it is a part of."""

USUAL = tuple(name for name in SUITES if name not in (*PARTS.values(), "ppp"))
"""The suites where none is named: of a suite with a part, the part. ppp needs another kernel."""

LEFT_OUT = {
    "tests/pure": "needs no kernel",
    "tests/wire": "needs no kernel but one, of which tests/contract asks more",
    "tests/packages": "needs roots of Debian, which the image does not have",
    "tests/programs": "needs the programs, which the image does not have",
    "tests/repo": "reads the repository, and counts instructions of the processor",
    "tests/root/test_kill.py": "aims two hundred kills by the clock: hours in an emulator",
    "tests/root/test_watch_kill.py": "kills by the clock, a hundred starts",
    "tests/root/test_soak.py": "hundreds of commands at random: `make soak` on the kernel itself",
    "tests/root/test_watch_storm.py": "floods by the speed of the processor",
    "tests/root/test_watch.py::test_half_a_file_is_no_wish": "writes a file by the clock",
    "tests/root/test_moves_probed.py": "has a peer that asks at the speed of the processor",
    "tests/root/test_cron.py": "needs cron, which needs PAM; nothing in it is the kernel's",
}
"""Folder, file or test -> reason. What is in no suite stands here."""


def words(name: str) -> list[str]:
    """The words by which pytest runs what is in a suite, and in no other but its part, and is not
    left out."""
    paths = SUITES[name].paths
    apart = [one for one in SUITES if one != name and PARTS.get(one) != name]
    others = [path for one in apart for path in SUITES[one].paths]
    found = list(paths)
    for path in (*LEFT_OUT, *others):
        if path.startswith(paths):
            option = "--deselect" if "::" in path else "--ignore"
            found.append(f"{option}={path}")
    return found
