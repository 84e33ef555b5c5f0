"""The command line: words -> verb -> exit status, by tables."""

from __future__ import annotations

import sys
from os import access, environ, geteuid, stat

# Not "from netalias": that would ask its __getattr__ first, which raises an error for each module.
import netalias.errors as errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The public module imports enum; its C half has the same functions.
    import signal as _signal
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from netalias.claim import Policy
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.engine.loans import Lender
    from netalias.families import Registry
else:
    import _signal


ENDING = (1, 15)
"""SIGHUP and SIGTERM."""
FLOATS, RUNTIME, ELSEWHERE = "/floats", "/run/netalias", "NETALIAS_RUNTIME"
"""Constants of runtime/ and its tasks.py, which are not loaded for a look at what may float."""
NAMESPACE = "/proc/thread-self/ns/net"
DECLARED = (
    "/etc/netalias.conf", "/etc/netalias.d", "/run/netalias.d", "/usr/lib/netalias.d",
)  # fmt: skip
"""The file and the folders of sources.py, likewise."""


class Options:
    """The values of all options, and the opener of the engine.

    ``changes`` are the JSON objects of what a verb has changed, None where they are not asked for.
    ``lender`` gives the loans of pools that the lines of a batch share, None outside of one.
    """

    __slots__ = (
        "absent_ok", "acd", "adopt", "allow_empty", "allow_shrink", "announce", "brief", "bundle",
        "cd", "changes", "clients", "color", "confirm", "conflict", "count", "detach", "details",
        "dry_run", "every", "exit_when_down", "file", "filter", "follow", "force", "group",
        "hands_off", "help", "if_up", "inet", "inet6", "interval", "json", "kill_sockets", "kind",
        "lender", "limit", "link_local", "log", "mac", "mapping", "max_aliases", "metrics",
        "metrics_aliases", "mtu", "netns", "no_initial", "on_arrival", "on_carrier", "on_departure",
        "on_down", "on_no_carrier", "on_up", "once", "oneline", "only", "opener", "pretty", "print",
        "quiet", "rate", "recorded", "registry", "release", "save", "sdp", "source", "special",
        "sync", "syntax", "takeover", "tap", "texts", "timestamps", "tree", "txt", "until",
        "verbose", "version", "wait",
    )  # fmt: skip

    def __init__(self, opener: Callable[[Options], Engine]) -> None:
        self.opener = opener
        self.brief = self.detach = self.details = self.dry_run = self.force = self.hands_off = False
        self.exit_when_down = self.help = self.json = self.no_initial = self.timestamps = False
        self.oneline = self.pretty = self.quiet = self.tree = self.verbose = self.version = False
        self.allow_empty = self.allow_shrink = self.kill_sockets = self.mac = self.recorded = False
        self.if_up = self.release = self.takeover = False
        self.color = "auto"
        self.inet = self.inet6 = False
        self.confirm = self.group = self.metrics = self.netns = self.only = self.wait = ""
        self.on_arrival = self.on_departure = self.on_up = self.on_down = ""
        self.on_carrier = self.on_no_carrier = ""
        self.acd = self.announce = self.conflict = self.max_aliases = self.rate = self.texts = ""
        self.metrics_aliases = ""
        self.count = self.interval = self.kind = self.mapping = self.source = ""
        self.absent_ok = self.adopt = self.every = self.once = self.save = self.syntax = False
        self.bundle = self.filter = self.follow = self.link_local = self.print = self.sdp = False
        self.sync = self.tap = self.txt = False
        self.cd = self.clients = self.file = self.limit = self.log = self.mtu = self.until = ""
        self.registry: Registry | None = None
        self.special: list[str] = []
        self.changes: list[dict[str, object]] | None = None
        self.lender: Callable[[], Lender] | None = None

    @property
    def family(self) -> int:
        """The one address family that is asked for; 0 for all, and for both of them."""
        return 0 if self.inet == self.inet6 else 2 if self.inet else 10

    @property
    def usual(self) -> bool:
        """Whether the engine is one for the namespace of the process, and no option for it has to
        be checked before an answer that needs no engine."""
        return self.opener is _open and not (self.netns or self.acd or self.conflict or self.rate)

    def forgives(self, error: errors.NetaliasError) -> bool:
        """Whether *error*, of a deletion, is none: there is nothing to delete."""
        return self.absent_ok and isinstance(error, errors.NoSuchDevice)

    def engine(self) -> Engine:
        """An engine for these options. Raises UsageError, NoSuchDevice."""
        return self.opener(self)


def parse_options(words: Sequence[str], options: Options) -> list[str]:
    """Set *options* from *words*; the verb and its words. Raises UsageError.

    Options may precede or follow the verb, up to the word ``--``. After the name of an alias and
    after emulate, whose words may begin with a hyphen too, only long flags are options.
    """
    rest = list(words)
    if any(word.startswith("-") for word in rest):
        found: list[str] = _function("cli.flags.parse")(rest, options)
        return found
    return rest


def _alias(options: Options, words: list[str]) -> int:
    """Execute ``NAME``, ``NAME WORD...`` or ``NAME-``, for a range too; the exit status."""
    # desired.commands.is_many(), without loading it for every command.
    slot = words[0].partition(":")[2]
    if options.save:
        return int(_function("cli.saving.save")(options, words))
    if "-" in slot[:-1] or (slot[-1:] == "-" and words[1:]):
        verb = "cli.show.show" if len(words) == 1 and words[0][-1] != "-" else "cli.batch.many"
        return int(_function(verb)(options, words))
    from netalias.families import lazy

    options.registry = registry = lazy()
    from netalias.desired import check_command, parse

    wish = parse(words, registry)
    if options.announce.startswith("every"):
        wish.every = 1
    check_command(wish)
    if wish.empty:
        with options.engine() as engine:
            return int(_function("cli.show.detail")(options, engine, words[0]))
    doubtful = concerns(wish) and may_float(options)
    with options.engine() as engine:
        if doubtful:
            _function("cli.floating.check")(options, engine, [wish])
        if options.dry_run:
            from netalias.cli.rehearsal import rehearsal

            engine = rehearsal(engine)
        try:
            done = engine.realise(wish, force=options.force)
        except errors.NoSuchDevice as error:
            if wish.delete and options.forgives(error):
                return errors.STATUS_OK
            raise
    if options.dry_run or options.verbose or done.notes:
        from netalias.cli.output import complain, tell

        for note in done.notes:
            if not options.quiet:
                complain(note, "warning: ")
        tell(options, done.all_steps)
    if (
        done.kind in ("macvlan", "ipvlan", "dummy")
        and sys.stderr is not None
        and sys.stderr.isatty()
    ):
        first = done.alias is None or done.alias.kind != done.kind
        if first and not (options.dry_run or options.quiet):
            _function("cli.firewall.tell")(options, done)
    return errors.STATUS_OK


def concerns(wish: Wish) -> bool:
    """Whether a wish may be about an address that floats: it asks for one, or for its lifetime."""
    return bool(wish.address) or wish.lease is not None


def may_float(options: Options) -> bool:
    """Whether addresses may float here: this host has declarations, which are about its own
    namespace, or a watcher has left a record of them; or that takes a search to say."""
    if options.netns or geteuid() or ELSEWHERE in environ:
        return True
    for one in DECLARED:
        if access(one, 0):
            return True
    return access(f"{RUNTIME}/{stat(NAMESPACE).st_ino}{FLOATS}", 0)


VERBS = {
    "show": "cli.show.show",
    "lookup": "cli.show.lookup",
    "cat": "cli.show.cat",
    "types": "cli.show.types",
    "check": "cli.reconcile.check",
    "reconcile": "cli.reconcile.reconcile",
    "confirm": "cli.converge.confirm",
    "rollback": "cli.converge.rollback",
    "batch": "cli.batch.batch",
    "save": "cli.save.save",
    "import": "cli.importing.import_",
    "adopt": "cli.adopting.adopt_",
    "move": "cli.move.move",
    "iface": "cli.iface.iface",
    "announce": "cli.announce.announce",
    "renew": "cli.renew.renew",
    "doctor": "cli.doctor.doctor",
    "top": "cli.top.top",
    "monitor": "cli.monitor.monitor",
    "cluster": "cli.cluster.cluster",
    "pool": "cli.pool.pool",
    "filter": "cli.filter.filter_",
    "link": "cli.link.link",
    "publish": "cli.publish.publish",
    "record": "cli.record.record",
    "relay": "cli.relay.relay",
    "unpublish": "cli.publish.unpublish",
    "vif": "cli.vif.vif",
    "watch": "cli.watch.watch",
    "emulate": "cli.show.emulate",
    "complete": "cli.complete.complete",
    "help": "cli.help.usage",
}
"""Verb: the module and the function in it."""

SAVING = {"adopt": "cli.saving.adopt", "batch": "cli.saving_batch.batch"}
"""The same of verbs with --save."""

SHORT = {
    "s": "show", "c": "cat", "co": "confirm", "i": "import", "l": "lookup", "m": "monitor",
    "mo": "monitor", "p": "publish", "rec": "reconcile", "reco": "reconcile", "t": "types",
}  # fmt: skip
"""Abbreviations that were unique before other verbs were added, and are kept."""


def find_verb(word: str, options: Options | None = None) -> str:
    """The verb that *word* is or abbreviates uniquely. Raises UsageError, which with *options*
    knows the names of devices."""
    word = SHORT.get(word, word)
    if word in VERBS:
        return word
    begun = [verb for verb in VERBS if word and verb.startswith(word)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise errors.UsageError(f"{word}: this could be {' or '.join(begun)}")
    raise _function("cli.flags.unknown")(word, list(VERBS), options)


def run(words: Sequence[str], options: Options) -> int:
    """Execute one command; the exit status. Raises NetaliasError."""
    rest = parse_options(words, options)
    if options.version:
        from netalias import __version__
        from netalias.cli.output import write

        write(f"netalias {__version__}\n")
        return errors.STATUS_OK
    first = rest[0] if rest else "show"
    letters = first.rstrip("-0123456789")
    if letters in ("vif", "relay") and letters != first:
        first, rest = letters, [letters, *rest]  # a tunnel, as vif0
    verb = "" if ":" in first else find_verb(first, options)
    if options.special and not options.help:
        from netalias.cli.flags import check_special

        check_special(options.special, verb)
    if options.help:
        verb, rest = "help", ["help", verb or "alias"] if rest else []
    elif verb == "help" and len(rest) > 1:
        rest[1] = _function("cli.help.subject")(rest[1])
    if options.json and verb != "help":
        return int(_function("cli.changes.run")(options, verb, rest))
    return execute(options, verb, rest)


def execute(options: Options, verb: str, rest: list[str]) -> int:
    """Execute *verb*, empty for the name of an alias; *rest* begins with it. The exit status."""
    if not verb:
        saved = options.save
        if ":0" in rest[0] and rest[0].partition(":")[2].rstrip("-") != "0":
            _function("cli.zeros.check")(options, rest)
        try:
            status = _alias(options, rest)
        except errors.NoSuchDevice as error:
            if str(error).endswith(" alias"):  # its main device is there
                _function("cli.hints.declared")(error, rest)
            raise
        changed = not (status or saved) and (rest[1:] or rest[0][-1] == "-")
        if changed and sys.stderr is not None and sys.stderr.isatty():
            _function("cli.lasting.warn")(options, rest)
        return status
    place = SAVING[verb] if options.save and verb in SAVING else VERBS[verb]
    return int(_function(place)(options, rest[1:]))


def _function(place: str) -> Callable[..., Any]:
    """The function at *place*, ``MODULE.NAME`` in netalias; the module is imported on demand."""
    module, _, name = place.rpartition(".")
    home = __import__(f"netalias.{module}", fromlist=[name])
    found: Callable[..., Any] = getattr(home, name)
    return found


def main(
    argv: Sequence[str] | None = None, opener: Callable[[Options], Engine] | None = None
) -> int:
    """Execute the command *argv*, by default the arguments of the process; the exit status.

    *opener* makes the engine, by default one for the real kernel.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        try:
            return run(words, Options(opener or _open))
        finally:
            if sys.stdout is not None:
                _flush()
    except BaseException as error:  # each has its exit status; none becomes a traceback
        from netalias.cli.output import failed

        return failed(error)


def _flush() -> None:
    """Flush standard output; a reader that has closed the pipe does not change the exit status."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        from netalias.cli.output import abandon

        abandon()


def program() -> NoReturn:
    """Execute the command and exit at once.

    The interpreter is not finalised: there is no thread, no child and no unflushed file.
    """
    from os import _exit

    if sys.getfilesystemencoding() != "utf-8":
        from netalias.system.streams import restart

        restart()
    for number in ENDING:
        if _signal.getsignal(number) == _signal.SIG_DFL:  # nohup(1) has SIGHUP ignored
            _signal.signal(number, _interrupt)
    status = main()
    if status - 128 in ENDING:
        _function("cli.output.end")(status - 128)
    _exit(status)


def _interrupt(signum: int, _: object) -> NoReturn:
    """Undo what was begun, as Python does at SIGINT."""
    raise KeyboardInterrupt(signum)


def _open(options: Options) -> Engine:
    from netalias import open

    return open(
        options.netns,
        registry=options.registry,
        group=number("--group", options.group, 0, 1),
        wait=number("--wait", options.wait, 10, 0),
        recorded=options.recorded,
        hands_off=options.hands_off,
        session=_session,
        progress=None if options.quiet else _probing,
        aside=True,
        policy=policy(options),
        warn=None if options.quiet else _warn,
        changed=options.changes,
    )


def _warn(text: str) -> None:
    from netalias.cli.output import complain

    complain(text, "warning: ")


def _probing(count: int) -> None:
    from netalias.views.progress import probing

    probing(count)


def _session() -> bytes:
    from netalias.system.ssh import address

    return address()


def policy(options: Options, usual: Policy | None = None) -> Policy | None:
    """The policy of claims by the options; *usual* without any of them. Raises UsageError."""
    if not (options.acd or options.announce or options.conflict or options.rate):
        return usual
    from netalias.cli.flags import policy_of

    rate = number("--rate", options.rate, 0, 0) if options.rate else None
    return policy_of(options.acd, options.announce, options.conflict, rate, usual)


DIGITS = 9
"""Most digits of a number in an option: with --confirm, some 31 years in seconds."""


def number(option: str, text: str, default: int, least: int) -> int:
    """The number *text* of an option, *default* if empty. Raises UsageError below *least*, or with
    more than DIGITS digits."""
    if not text:
        return default
    from netalias.model import names

    found = names.number(text, DIGITS)
    if found < least:
        most = "9" * DIGITS
        raise errors.UsageError(f"{option} {text}: a number from {least} to {most} is needed")
    return found
