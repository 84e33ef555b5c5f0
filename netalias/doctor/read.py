"""Reading the facts of the doctor: from the kernel, firewall tables and other managers."""

from __future__ import annotations

from os import path, stat, strerror
from shutil import which

from netalias import errors
from netalias.doctor import foreign, intended, programs, rules
from netalias.doctor.facts import ALL, FOLDERS, SYSCTLS, TABLES, Facts, unique
from netalias.doctor.uncovered import RECEIVING
from netalias.kernel.pyroute import survey
from netalias.kinds import PORT_MASTERS
from netalias.observed.remnants import is_marked
from netalias.observed.tunnels import faults
from netalias.sources import default_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.model import Device
    from netalias.observed import Observed
    from netalias.observed.tunnels import Fault
    from netalias.runtime.condition import Condition


def read(
    observed: Observed,
    words: Sequence[str] = (),
    *,
    netns: str = "",
    root: str | None = None,
    files: Sequence[str] = (),
    identified: bool = True,
    watched: bool = False,
    folder: str = "",
    store: Condition | None = None,
) -> Facts:
    """The facts about the aliases and main devices that *words* name, or about all.

    *netns* is the namespace of *observed*. *root* is put before the paths of other managers; with
    one, they are taken as managers of this namespace. Otherwise they are read only in the namespace
    of the machine. *files* declare the aliases, by default the usual ones, which are those of the
    machine too. *identified*: the machine has a machine ID; *watched*: a watcher runs. *folder* is
    the runtime directory, where the tunnels are that are carried, empty for none; *store* is the
    fault of that of its cluster. Raises KernelError, and NoSuchDevice as observed.query.select()
    does.
    """
    from netalias.observed.query import select

    aliases = select(observed, words)
    named = [observed.snapshot.device(word) for word in words if ":" not in word]
    group = observed.group
    mains = [one for one in named if one is not None and not is_marked(one.group, group)]
    facts = Facts(observed, aliases, mains, root=root or "")
    facts.identified, facts.watched, facts.store = identified, watched, store
    facts.tunnels = _tunnels(folder)
    if netns:
        from netalias.system.netns import entered

        with entered(netns):
            _read(facts, words, files, machine=root is not None or _is_machine(netns))
    else:
        _read(facts, words, files, machine=root is not None or _is_machine(netns))
    return facts


def _read(facts: Facts, words: Sequence[str], files: Sequence[str], *, machine: bool) -> None:
    _sysctls(facts)
    wanted = {(alias.family, one) for alias in facts.aliases if (one := facts.peer(alias))}
    for main in facts.mains:
        for family in FOLDERS:
            for own in facts.own_addresses(main, family):
                wanted.update((family, one) for _, one in facts.destinations(own))
    facts.routes, facts.ways = survey.routes(wanted)
    facts.unanswered = survey.unanswered()
    facts.detached = survey.detached()
    facts.gateways = survey.gateways()
    try:
        facts.held = {(f"the socket {text}", index) for text, index in survey.bound()}
    except errors.KernelError as error:  # a kernel without CONFIG_INET_DIAG
        facts.unseen.append(f"sockets: {strerror(error.errno)}")
    try:
        facts.firewall, held = survey.firewall()
        facts.held |= {(f"a rule in the table {family} {table}", i) for family, table, i in held}
    except errors.KernelError as error:
        facts.unseen.append(f"firewall tables: {strerror(error.errno)}")
    else:
        if any(alias.kind in RECEIVING for alias in facts.aliases):
            facts.rules = rules.read(facts.unseen)
        if any(table in rules.XT_TABLES for _, table, _ in facts.firewall):
            facts.owned = rules.owned_tables()
    _iptables(facts)
    facts.ifconfig = which("ifconfig") is not None
    if machine:
        indexes = [device.index for device in _devices(facts)]
        facts.managers = foreign.read(facts.root, indexes, facts.unseen)
        facts.mentions = programs.read([str(one.name) for one in facts.aliases], facts.root)
        facts.declares = intended.Sysctls(facts.root).file
        facts.neighbours = dict(_neighbours())
        files = files or default_files(facts.root)
    facts.declared = bool(files)
    facts.wishes, facts.tasks = intended.wishes(files, facts.observed, facts.unseen)
    if machine:
        from netalias.doctor import stanzas

        facts.removers = stanzas.removers([main.name for main in facts.mains], facts.root)
        owners = {wish.address: name for name, wish in facts.wishes.items()}
        facts.stanzas = stanzas.read(owners, facts.root, facts.unseen)
    if not words:  # aliases are freed when their main device goes down, and it is the fault
        mains = (facts.observed.snapshot.device(name.main) for name in facts.wishes)
        facts.mains = unique([*facts.mains, *(main for main in mains if main is not None)])


def _tunnels(folder: str) -> dict[str, list[Fault]]:
    """The faults of the tunnels that are carried, by name."""
    from netalias.desired.tunnels import tunnel_of
    from netalias.runtime.tunnels import carried
    from netalias.tunnels import status

    found = {}
    for one in carried(folder):
        task = tunnel_of(one.line, one.name)
        if task is not None:
            found[one.name] = faults(task, one, status.read(one.pid, one.counters))
    return found


def _is_machine(netns: str) -> bool:
    """Whether this thread is in the network namespace of process 1, where managers work."""
    try:
        return stat("/proc/thread-self/ns/net").st_ino == stat("/proc/1/ns/net").st_ino
    except OSError:
        return (
            not netns
        )  # an ordinary user may not compare; a login is in the namespace of process 1


def _devices(facts: Facts) -> list[Device]:
    own = [one.device for one in facts.aliases if one.device is not None]
    ports = [facts.observed.snapshot.master(main, PORT_MASTERS) for main in facts.mains]
    return unique([*facts.mains, *own, *(port for port in ports if port is not None)])


def _sysctls(facts: Facts) -> None:
    devices = [ALL, *(device.name for device in _devices(facts))]
    for family, keys in SYSCTLS.items():
        for device in devices:
            for key in keys:
                text = _content(f"/proc/sys/net/{FOLDERS[family]}/conf/{device}/{key}").strip()
                if text:
                    facts.sysctls[family, device, key] = int(text)
    if not facts.sysctls:
        facts.unseen.append("sysctls: there is no /proc/sys/net")


def _neighbours() -> Iterator[tuple[int, tuple[int, int]]]:
    """Family, number of neighbours and gc_thresh3. One table serves all namespaces."""
    for family, table in TABLES.items():
        lines = _content(f"/proc/thread-self/net/stat/{table}").splitlines()
        limit = _content(f"/proc/sys/net/{FOLDERS[family]}/neigh/default/gc_thresh3").strip()
        if len(lines) > 1 and limit:
            yield family, (int(lines[1].split()[0], 16), int(limit))


def _iptables(facts: Facts) -> None:
    """Add the rules of legacy iptables; those of iptables-nft are nftables."""
    program = which("iptables-legacy-save") or which("iptables-save")
    if program is None or not path.exists("/proc/thread-self/net/ip_tables_names"):
        return
    from subprocess import DEVNULL, run

    done = run([program], stdin=DEVNULL, capture_output=True, check=False)
    if done.returncode:
        facts.unseen.append("iptables: " + (done.stderr.decode("utf-8", "replace").strip()))
        return
    facts.firewall |= foreign.device_names(done.stdout.decode("utf-8", "surrogateescape"))


def _content(file: str) -> str:
    """The text of a file below /proc; empty without one."""
    try:
        with open(file, encoding="ascii") as opened:
            return opened.read()
    except OSError:
        return ""
