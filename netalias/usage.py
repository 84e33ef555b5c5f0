"""The help texts. Loaded only when somebody asks."""

from __future__ import annotations

from netalias import errors

MAIN = """\
netalias - alias devices: eth0:0 as a real device

  netalias [OPTION]... NAME ADDRESS[/LEN] [WORD]...   create an alias, or re-address it
  netalias [OPTION]... NAME WORD...                   change an alias
  netalias [OPTION]... NAME                           show one alias in detail
  netalias [OPTION]... NAME-                          delete an alias; more words are ignored
  netalias [OPTION]... [VERB [WORD]...]               without a verb: show

NAME is MAIN:SLOT, a main device and a number from 0 to 65535: eth0:0

Words
  netmask MASK | prefixlen LEN     the network; without one the alias is a host (/32, /128)
  broadcast ADDRESS | -broadcast   the broadcast address, or none
  pointopoint ADDRESS              the other end
  metric N                         the metric of the alias's connected route
  mtu BYTES                        the MTU of the alias device
  hw ether MAC                     the MAC of the alias device
  kind KIND                        auto (default), macvlan, ipvlan, dummy, label
  up | down                        raise it, or take it down and keep it

Verbs
  show [MAIN | NAME]...            table of aliases
  lookup [TYPE] ADDRESS            the alias that owns the address
  cat aliases | alias_types        the text of /proc/net/aliases, /proc/net/alias_types
  types                            alias types, and how many aliases each one has
  emulate [FILE | -]               the engine of Linux 2.0 in memory, without privilege
  help [VERB]                      this text, or that of a verb

Options, before the verb
  -j, --json                       JSON with the field names of ip(8)
  -p, --pretty                     JSON in indented lines
  -br, --brief                     name, state, address
  -o, --oneline                    all details of an alias in one line
  -4, -6                           only IPv4, only IPv6
  --tree                           show the chain as a tree
  -c, --color[=auto|always|never]  colours; NO_COLOR is respected
  -n, --netns NAME                 work in a network namespace of ip-netns(8), or of a path
  -v, --verbose                    print every step that was done, in the words of ip(8)
  -q, --quiet                      no warnings
  --dry-run                        print the steps and do nothing
  --force                          go on even though the main device is down
  --group N                        the mark on alias devices (default 28257)
  --wait SECONDS                   how long to wait for another netalias (default 10)
  -h, --help                       this text; after a verb: that of the verb
  -V, --version                    the version

Exit status
  0  done
  1  usage or syntax; lookup: no alias owns the address
  2  the kernel refused, or the world does not allow it
  4  not permitted: CAP_NET_ADMIN is needed
  70 a bug in netalias
  75 another netalias holds the lock
  130 interrupted
"""

VERBS = {
    "alias": MAIN,
    "show": """\
netalias [OPTION]... show [MAIN | NAME]...

Print the aliases in chain order: every main device in turn, and its aliases in the order in which
they were made. With words, only the aliases of these main devices and these aliases.

  ALIAS    the name, eth0:0
  DEVICE   the device that carries the address, by its primary name
  KIND     how the alias is realised
  ADDRESS  address and prefix length
  STATE    up, down, no-carrier; then tentative, dadfailed, no-address (others took it away),
           half-made (an interrupted run left it), renamed (the main device was),
           foreign (a label that netalias did not make)
  MAC      the MAC that the alias is reached by
  RX, TX   packets; a label has no counters of its own

Options: -j -p -br -o -4 -6 -c --tree -n NAME
""",
    "lookup": """\
netalias [OPTION]... lookup [TYPE] ADDRESS

Print the name of the alias that owns the address. Exit status 1, and no text, when there is none.

Options: -j -p -q -n NAME
""",
    "cat": """\
netalias [OPTION]... cat aliases | alias_types

Print the text that Linux 2.0 had in /proc/net/aliases or /proc/net/alias_types, byte by byte in its
format: lines of 64 bytes, and of 33 and 32.

Options: -n NAME
""",
    "types": """\
netalias [OPTION]... types

Print the alias types: family number, name, and how many aliases are bound to each. Besides the
built-in types those of installed packages (entry points netalias.alias_types) that are in use.

Options: -j -p -n NAME
""",
    "emulate": """\
netalias emulate [--variant 0.43|0.50] [--unprivileged] [--no-sel] [--check] [FILE | -]

Run a script against the engine of Linux 2.0 in memory. One command a line, # begins a comment:

  device NAME [ADDRESS] [up|down|remove]   a main device
  NAME ADDRESS [netmask MASK] [up|down]    create an alias, or re-address it
  NAME up|down, NAME, NAME-                change, show, delete
  show, lookup ADDRESS, cat aliases|alias_types, types
  chain                                    the device chain
  hash ADDRESS                             the bucket of an address
  rx [MAIN] SRC DST                        the device that a packet belongs to
  route NETWORK/LEN DEVICE                 a route, for the selection by source
  max N, counters                          the limit and the counters of 0.50
  type add|remove NAME|FAMILY              register an alias type

Lines that begin with > or ! state the output or the error that is expected; --check compares.
""",
    "help": "netalias help [VERB]\n",
}


def text(verb: str) -> str:
    """The help for a verb, or for all. Raises UsageError for a word that is none."""
    if not verb:
        return MAIN
    if verb not in VERBS:
        raise errors.UsageError(f"help {verb}: there is no such verb", " ".join(VERBS))
    return VERBS[verb]
