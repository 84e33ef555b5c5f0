"""The help texts. Loaded only when somebody asks."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


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
  acd off | fast | rfc             look for others that have the address; IPv6: await the kernel's
                                   verdict on it
  conflict skip | abort            if somebody has it: leave this alias out, or do nothing at all
  announce off | N | every SECONDS tell the neighbours (default 1); reconcile: again and again
  optimistic                       use an IPv6 address while the kernel probes for it
  heal on | off                    in files: watch puts right what others undo (default on)
  on-down free | keep              in files: watch frees it when its main device goes down (default)
  lease SECONDS | off              the kernel drops the address then, unless it is renewed
  up | down                        raise it, or take it down and keep it

Verbs
  show [MAIN | NAME]...            table of aliases
  lookup [TYPE] ADDRESS            the alias that owns the address
  cat aliases | alias_types        the text of /proc/net/aliases, /proc/net/alias_types
  types                            alias types, and how many aliases each one has
  check [FILE | -]...              what differs from the declared aliases
  reconcile [FILE | -]...          make it so, and verify it
  confirm                          keep what reconcile --confirm has changed
  batch FILE | -                   many commands in one process
  save [MAIN | NAME]...            what the kernel has, as lines of such a file
  import [FILE]                    lines out of interfaces(5), and of labels made by others
  adopt NAME...                    take over labels made by others
  announce NAME | MAIN | all       tell the neighbours again whose addresses these are
  doctor [MAIN | NAME]...          what keeps aliases from working, why, and what mends it
  renew [MAIN | NAME | all]...     give leases their time again, remove what is left of expired ones
  monitor [MAIN | NAME]...         what happens to devices and addresses, as it happens
  watch [FILE]...                  keep the declared aliases true, as it happens
  publish ADDRESS... dev MAIN      answer for addresses that live behind another device
  unpublish ADDRESS... [dev MAIN]  no longer
  emulate [FILE | -]               the engine of Linux 2.0 in memory, without privilege
  help [VERB]                      this text, or that of a verb

Options, before the verb or behind it; before NAME
  -j, --json                       JSON with the field names of ip(8)
  -p, --pretty                     JSON in indented lines
  -br, --brief                     name, state, address
  -o, --oneline                    all details of an alias in one line
  -d, --details                    show: all details, and the settings of main devices;
                                   monitor: routes too
  -4, -6                           only IPv4, only IPv6
  --tree                           show the chain as a tree
  -c, --color[=auto|always|never]  colours; NO_COLOR is respected
  -n, --netns NAME                 work in a network namespace of ip-netns(8), or of a path
  -v, --verbose                    print every step that was done, in the words of ip(8)
  -q, --quiet                      no warnings
  --dry-run                        print the steps and do nothing; reconcile: as check
  --hands-off                      leave the settings of main devices alone
  --force                          go on even though the main device is down; batch: after errors
  --only MAIN                      check, reconcile, save: only the aliases of one main device
  --allow-empty                    reconcile: even though nothing is declared
  --allow-shrink                   reconcile: even though more than half of them would go
  --confirm SECONDS                reconcile: take it back unless netalias confirm comes in time
  --metrics FILE                   reconcile: write figures for Prometheus
  --mac                            save: with the MAC of each device
  --acd, --conflict, --announce    as the words, for all aliases that do not say it themselves
  --rate N                         announcements a second (default 2000), 0 for no limit
  -t, --timestamps                 monitor: with the time of each line
  --no-initial                     monitor: not what is there, only what happens
  --on-arrival, --on-departure, --on-up, --on-down, --on-carrier, --on-no-carrier SCRIPT
                                   monitor: run it then
  --exit-when-down                 monitor: until a named device goes down
  --on-down free|keep              watch: for aliases that do not say it themselves
  --release                        watch: take the declared aliases away at the end
  --texts FOLDER                   watch: where the texts go (default /run/netalias/net)
  --group N                        the mark on alias devices (default 28257)
  --wait SECONDS                   how long to wait for another netalias (default 10)
  -h, --help                       this text; after a verb: that of the verb
  -V, --version                    the version

Exit status
  0  done
  1  usage or syntax; lookup: no alias owns the address
  2  the kernel refused, or the world does not allow it
  3  check: something differs; doctor: something is wrong
  4  not permitted: CAP_NET_ADMIN is needed
  5  reconcile: the second reading is not what was declared
  6  another host has the address
  70 a bug in netalias
  75 another netalias holds the lock
  130 interrupted
"""

VERBS = {
    "alias": MAIN,
    "show": """\
netalias [OPTION]... show [MAIN | NAME]...

Print the aliases in chain order: every main device in turn, and its aliases in the order in which
they were made. With words, only the aliases of these main devices and these aliases. Behind them
what is published on these main devices, by whomever: KIND is published then.

  ALIAS    the name, eth0:0
  DEVICE   the device that carries the address, by its primary name
  KIND     how the alias is realised
  ADDRESS  address and prefix length
  STATE    up, down, no-carrier; then tentative, dadfailed, no-address (others took it away),
           expired (its lease was not renewed), half-made (an interrupted run left it),
           renamed (the main device was), foreign (a label that netalias did not make)
  MAC      the MAC that the alias is reached by
  RX, TX   packets; a label has no counters of its own

Options: -j -p -br -o -d -4 -6 -c --tree -n NAME
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
    "check": """\
netalias [OPTION]... check [FILE | -]...

Compare the aliases that the files declare with those in the kernel, change nothing, and print what
differs. Without a FILE: /etc/netalias.conf, then *.conf of /etc/netalias.d, /run/netalias.d and
/usr/lib/netalias.d in the order of their names; of equal names the first one counts.

  + eth0:1 10.0.0.2/32 macvlan             declared, and not there
  - eth0:2 10.0.0.3/32 macvlan             there, and not declared
  ~ eth0:0 200.1.1.1/24 -> 200.1.1.2/24    different

A line of a file is the words after netalias, and many aliases can stand in one:

  # comment
  eth0:0        200.1.1.1/24
  eth0:1-50     10.0.0.1-50/32     kind label    ranges pair up
  eth0:60-62    1.2.3.4-5,1.2.3.9                lists
  eth0:100-199  2001:db8::100/64+                this address, and counting up
  eth0:200-453  10.1.0.0/24 each                 every host address of a network
  defaults      kind macvlan mtu 1400            for the lines below it in this file

Exit status 0 when nothing differs, 3 when something does. -v prints the steps too.

--dry-run, --allow-empty and --allow-shrink of reconcile change nothing here.

Options: those above, -j -p --only MAIN --force --hands-off -n NAME
""",
    "reconcile": """\
netalias [OPTION]... reconcile [FILE | -]...

Make the kernel agree with the files (see check), read it again, and print what was changed; nothing
when there was nothing to do. Only what netalias made is ever removed. What cannot be made is told,
and the rest is made.

  --only MAIN        leave the aliases of other main devices alone
  --force            also where the main device is down, and the address of this SSH session
  --allow-empty      although nothing is declared, or more than half of ten or more aliases would go
  --allow-shrink     although more than half of ten or more aliases would go
  --confirm SECONDS  what was there before comes back unless "netalias confirm" comes in time
  --metrics FILE     write figures for the textfile collector of Prometheus
  --wait SECONDS     how long to wait for another netalias (default 10)
  --dry-run          as check

Exit status 0 when all is as declared, 2 when something could not be made, 5 when it was made and is
not there, 75 when another netalias was at work.

Options: those above, -j -p -v -q --hands-off --acd --conflict --announce --rate -n NAME
""",
    "confirm": """\
netalias [-n NAME] confirm

Keep what "reconcile --confirm SECONDS" has changed. Exit status 2 when nothing waits, or when it is
too late: then the text tells when what was there before was restored.
""",
    "batch": """\
netalias [OPTION]... batch FILE | -

Execute the lines of a file as commands, in one process and under one lock. A line is the words
after netalias, # begins a comment. Commands whose order does not matter go to the kernel together.
The first error ends it, and its line is named; with --force all errors are named and the rest is
done.

Options: -v -q --dry-run --force --hands-off --acd --conflict --announce --rate --group N
--wait SECONDS -n NAME
""",
    "save": """\
netalias [OPTION]... save [MAIN | NAME]...

Print the aliases that netalias made as lines of a file (see check), folded into ranges. "netalias
save | netalias reconcile -" changes nothing.

  --mac   with the MAC of each device, so that it has the same one when it is made again

Options: -j -p --mac --only MAIN -n NAME
""",
    "import": """\
netalias [OPTION]... import [FILE]

Print aliases of others as lines of a file: those of interfaces(5), by default
/etc/network/interfaces and what it includes, and the labels that ifconfig or ip have made.
Warnings tell what cannot be carried over.

Options: -q -n NAME
""",
    "adopt": """\
netalias [OPTION]... adopt NAME...

Put our mark on labels that others made, so that netalias may change and remove them. The addresses
stay as they are.

Options: -v --dry-run -n NAME
""",
    "doctor": """\
netalias [OPTION]... doctor [MAIN | NAME]...

Read everything that decides whether aliases work, and say what is wrong, why, and with which
command it is mended. Nothing is changed and nothing is sent. With words, only what concerns these
main devices and these aliases.

  eth0:0: packets from 10.0.0.0/24 to 10.0.0.5 are dropped
      rp_filter of eth0_0 is 1 and the way back to 10.0.0.0/24 is eth0
      sysctl -w net.ipv4.conf.eth0_0.rp_filter=2

Exit status 0, and no text, when nothing was found; 3 when something was. Without privilege the
firewall tables cannot be read; what was not looked at is said on standard error.

Options: -j -p -q -n NAME
""",
    "monitor": """\
netalias [OPTION]... monitor [MAIN | NAME]...

Print what is there, and then what happens to devices, addresses and media, one line each, until it
is interrupted. With words, only what concerns these main devices, their aliases, and these aliases;
a name that is not there yet is awaited.

  = eth0 index 2 <UP,RUNNING> mtu 1500       it was there at the beginning
  + eth0:0 10.0.0.5/32                       it came
  - eth0:0 index 7                           it went
  ~ eth0 NOARP off -> on                     it changed

  -t                  with the time of each line (RFC 3339)
  -d                  routes too
  -j                  one JSON object a line
  --no-initial        not what was there
  --on-arrival SCRIPT, --on-departure SCRIPT
                      run it when a device comes or goes
  --on-up SCRIPT, --on-down SCRIPT
                      run it when an address comes or goes, but a link-local IPv6 address
  --on-carrier SCRIPT, --on-no-carrier SCRIPT
                      run it when a device gets or loses its carrier
  --exit-when-down    end with status 0 when a named device goes down, or goes

A script is given what ifwatchd(8) gives: the primary name of the device, /dev/null, 9600, the
address, and the other end or the broadcast address.

Options: those above, --group N -n NAME
""",
    "watch": """\
netalias [OPTION]... watch [FILE]...

Keep what the files declare true (see check), by event, until a signal ends it. One watcher a
network namespace. At the beginning, on SIGHUP and when a file changes it does what reconcile does;
in between it puts right what others undo, alone, and removes nothing that somebody made.

  main device down       its aliases are freed, those that are declared come back when it is up
  main device goes       its aliases go with it
  main device renamed    aliases that are not declared get the new name
  undone by others       put right at once; if it is undone again and again, later and later

  --on-down free|keep    for aliases that do not say it themselves: free them, or keep them
  --release              take the declared aliases away at the end
  --texts FOLDER         where the texts aliases and alias_types go (default /run/netalias/net,
                         with -n /run/netalias/INODE/net);
                         FOLDER.sock answers the words aliases, alias_types, json
  --allow-empty, --allow-shrink, --acd, --conflict, --announce, --rate, --hands-off
                         as in reconcile

SIGTERM ends it with status 0; the aliases stay. A service manager is told of it (sd_notify).

Options: those above, -v -q --group N --wait SECONDS -n NAME
""",
    "publish": """\
netalias [OPTION]... publish ADDRESS... dev MAIN

Let a device answer for addresses that live behind another one: proxy ARP and proxy NDP, address by
address (ip neigh add proxy). What is published already stays as it is.

A warning tells what keeps it from being of use, with the command that mends it: the device is down,
is a port, does not forward, has no proxy_ndp or answers late (proxy_delay); no route leads to the
address through another device. An address of this host answers by itself; nothing is made then.

The kernel forgets it when the device goes down; watch publishes it again.

Options: -v -q --dry-run --wait SECONDS -n NAME
""",
    "unpublish": """\
netalias [OPTION]... unpublish ADDRESS... [dev MAIN]

Take away what publish made: on one device, or on all. Exit status 2 when an address is not
published, or not by netalias; then nothing is taken away.

Options: -v --dry-run --wait SECONDS -n NAME
""",
    "announce": """\
netalias [OPTION]... announce NAME | MAIN | all

Tell the neighbours whose addresses these are: gratuitous ARP as request and as reply, for IPv6 an
unsolicited neighbour advertisement. What is down, or still being checked, is left out, with a
warning where it was named.

  --announce N         so often, two seconds apart
  --announce "every S" every S seconds, until it is interrupted
  --rate N             announcements a second (default 2000), 0 for no limit

Options: those above, -v -q --dry-run -n NAME
""",
    "renew": """\
netalias [OPTION]... renew [MAIN | NAME | all]...

Give the leases of aliases (lease SECONDS) their time again, each by its own length; without a word
those of all. No file is needed. Devices whose lease has expired are removed: the kernel has dropped
their addresses, and they are never added again here, since somebody else may have them by now.

A lease must be longer than the longest time between two renewals: where cron renews every minute,
150.

Exit status 2 when a NAME has no lease, or its lease has expired.

Options: -v --dry-run --wait SECONDS -n NAME
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
    """The help for a verb, or for all where it is empty."""
    return VERBS[verb] if verb else MAIN


def usage(options: Options, words: list[str]) -> int:
    """Print the help, or that of one verb."""
    write(text(words[0] if words else ""))
    return errors.STATUS_OK
