"""A process that has loaded netalias, and forks itself once for every command that is asked for.

Its standard input is the socket of ``forked.py``, of whose process it is no child: tests wait for
children of theirs. A command comes as one message, with the descriptors of its standard streams, of
its network namespace and of its folder; the answers are the process id of the child and, when that
is over, its status as waitpid(2) gives it. From the fork on the child does what the script does.
Its arguments are modules of netalias that it loads beside the usual ones.
"""

import ctypes
import gc
import marshal
import os
import socket
import sys
import time

if os.fork():
    os._exit(0)
gc.disable()
if sys.path[0] == __file__.rpartition("/")[0]:
    del sys.path[0]  # as the script does

from netalias import cli  # noqa: E402

USUAL = (
    "claim.session", "cli.changes", "cli.converge", "cli.flags", "cli.hints", "cli.output",
    "cli.reconcile", "cli.rehearsal", "cli.save", "cli.show", "desired.declarations",
    "desired.export", "disclosure", "engine.announce", "engine.connected", "engine.macs",
    "engine.probing", "engine.reconcile", "engine.settling", "families.fields", "families.inet",
    "families.inet6", "kernel.netlink.fingerprint", "kernel.netlink.group_delete",
    "kernel.netlink.local_routes", "kernel.netlink.neighbours", "kernel.netlink.routes",
    "kernel.netlink.rules", "kernel.proof", "kernel.refusing", "kinds.label", "kinds.macvlan",
    "model.commands", "model.listing", "observed.heirs", "observed.index", "observed.labels",
    "observed.orphans", "observed.query", "observed.unnamed", "packets.announce", "plan.compare",
    "plan.diff", "plan.order", "plan.places", "plan.promotion", "plan.renamed", "plan.routes",
    "plan.series", "plan.sources", "plan.sysctls", "plan.transfer", "plan.unchanged",
    "plan.undetected", "runtime.former", "runtime.private", "runtime.sysctls", "system.ssh",
    "views.changes", "views.detail", "views.diff", "views.fields", "views.json",
)  # fmt: skip
"""Modules that most commands load, which would take a third of their time. A command loads others
itself, as without a fork server."""

CLONE_NEWNET = 0x40000000
MESSAGE = 1 << 18
STREAMS = 3

setns = ctypes.CDLL(None, use_errno=True).setns


def become(message: bytes, descriptors: list[int]) -> None:
    """Give this process all that exec(3) would have given it. Raises OSError."""
    words, environment, mask = marshal.loads(message)
    *streams, namespace, folder = descriptors
    os.setpgid(0, 0)  # as timeout(1) does
    if setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.fchdir(folder)
    os.umask(mask)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(STREAMS, max(descriptors) + 1)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [os.fsdecode(word) for word in words]
    sys.orig_argv = [sys.executable, *sys.argv]
    with open("/proc/self/comm", "w", encoding="utf-8") as file:
        file.write("netalias")


def serve(server: socket.socket) -> bool:
    """Do what is asked for, one after the other: True in a child, False when nobody asks more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, MESSAGE, STREAMS + 2)
        if not message:
            return False
        pid = os.fork()
        if not pid:
            server.detach()  # become() closes it with all others
            become(message, descriptors)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        try:
            server.send(pid.to_bytes(4, "little"))
            server.send(os.waitpid(pid, 0)[1].to_bytes(4, "little"))
        except BrokenPipeError:
            return False


for name in (*USUAL, *sys.argv[1:]):
    __import__(f"netalias.{name}")
gc.freeze()
if serve(socket.socket(fileno=os.dup(0))):
    cli.program()
