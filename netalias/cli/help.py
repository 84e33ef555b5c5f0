"""Help texts, loaded only for ``help`` and ``--help``."""

from __future__ import annotations

from netalias import errors
from netalias.cli import find_verb
from netalias.cli.help_bus import BUS
from netalias.cli.help_cluster import CLUSTER
from netalias.cli.help_filter import FILTER
from netalias.cli.help_iface import IFACE
from netalias.cli.help_link import LINK
from netalias.cli.help_publish import PUBLISH, UNPUBLISH
from netalias.cli.help_reading import READING
from netalias.cli.help_tunnels import RELAY, VIF
from netalias.cli.help_watch import WATCH
from netalias.cli.output import write
from netalias.cli.wrapping import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


MAIN = """\
netalias - alias devices: eth0:0 as a real device

  netalias [OPTION]... NAME ADDRESS[/LEN] [WORD]...   create an alias, or re-address it
  netalias [OPTION]... NAME WORD...                   change an alias
  netalias [OPTION]... NAME                           show one alias in detail
  netalias [OPTION]... NAME-...                       delete aliases; other words are ignored
  netalias [OPTION]... [VERB [WORD]...]               without a verb: show

NAME is MAIN:SLOT, the name of a main device and a number from 0 to 65535: eth0:0. A range of slots
stands for many aliases: eth0:10-13 10.30.0.1-4/32, eth0:10-13 down, eth0:10-13-

Words
  netmask MASK | prefixlen LEN     the network; without one the alias is a host (/32, /128)
  broadcast ADDRESS | -broadcast   the broadcast address, or none
  pointopoint ADDRESS              the other end of a point-to-point link
  metric N                         the metric of the connected route of the alias
  mtu BYTES                        the MTU of the alias device
  hw ether MAC | random            the MAC of the alias device
  kind KIND                        auto (default), macvlan, ipvlan, dummy, label, shard, prefix
  acd off | fast | rfc             first check that no other host has the address (default off);
                                   IPv6: wait for the check of the kernel
  conflict skip | abort            if another host has it: skip this alias, or do nothing at all
  announce off | N | every S       announce the address N times (default 1); every S: reconcile
                                   repeats it every S seconds
  optimistic                       use an IPv6 address while the kernel probes for it
  heal on | off                    in files: watch restores the alias when others change it (on)
  on-down free | keep              in files: watch frees or keeps it when its main goes down (free)
  lease SECONDS | off              the kernel drops the address after SECONDS, unless it is renewed
  deprecated                       do not use an IPv6 address as a source (default for a label
                                   where its main device has one to send from)
  source on | auto                 on: it may be the source where the main device has its own (auto)
  gateway ADDRESS | auto | none    the way out for sockets bound to the alias device (default none);
                                   auto: that of the main device's default route
  linklocal on | auto              on: the alias device gets an fe80:: address from its MAC (auto)
  up | down                        raise the alias, or take it down and keep it

Verbs
  show [MAIN | NAME]...            print a table of aliases
  show physical [NAME]...          print the links that link serves
  show bundle [NAME]...            print those of bundles: rates, shares, losses
  lookup [TYPE] ADDRESS            print the alias that owns the address
  cat aliases | alias_types        print the text of /proc/net/aliases or /proc/net/alias_types
  types                            print the alias types, and how many aliases each has
  check [FILE | -]...              compare the kernel with the declared aliases
  reconcile [FILE | -]...          make the kernel agree with them, and verify it
  confirm                          keep the changes of reconcile --confirm
  rollback                         undo them at once
  batch FILE | -                   execute many commands in one process
  save [MAIN | NAME]...            print the aliases as lines of a file
  import [FILE | FOLDER]...        print aliases of other programs' files, and labels of others,
                                   as such lines
  adopt NAME | MAIN | all          take over foreign labels
  move [MAIN] [FILE]...            make labels devices, or labels again, in the files too
  iface DEV [COMMAND [WORD]...]    show and change the addresses of one device, its name and
                                   description
  announce NAME | MAIN | all       announce addresses to the neighbours again
  doctor [MAIN | NAME]...          find what keeps aliases from working, and what mends it
  renew [MAIN | NAME | all]...     renew leases, and remove aliases whose lease has expired
  monitor [MAIN | NAME]...         print events of devices and addresses as they happen
  record DEV                       print what a device offers: protocols, subnets, media, rate
  top [MAIN | NAME]...             show the traffic of aliases, again and again
  watch [FILE]...                  keep the aliases as declared, by event
  pool [NAME [take | release | show]]
                                   addresses of declared pools, for a time and for one client each
  cluster [status | hosts | owners | events | drain | undrain | move]
                                   addresses that float over many hosts, and who has them
  link run NAME DEVICE...          carry the packets of a new network device over tcp, udp, a
                                   terminal, a program or Ethernet; link takeover: of one that is
                                   served, in place of its process
  filter [DEV]...                  print which frames both ends of a link want to get
  publish ADDRESS... dev MAIN      answer for addresses that are behind another device
  unpublish ADDRESS... [dev MAIN]  undo publish
  vif [NAME]                       show tunnels: addresses of this host that a relay elsewhere has
  vif NAME ADDRESS to PEER ...     make one, as vif0; vif0- ends it (the word vif may be left out)
  relay PREFIX[,PREFIX] on MAIN [to PEER] carriage CARRIAGE
                                   answer for what a host elsewhere has, through a tunnel
  emulate [FILE | -]               run the engine of Linux 2.0 in memory, without privilege
  complete -- [WORD]...            print what may follow, for the completion of shells
  help [VERB | bus]                print this text, the help of a verb, or of events for programs

Options, before or after the verb; after NAME only long ones without a value: NAME up --dry-run
  -j, --json                       JSON with the field names of ip(8); the changes that were made
  -p, --pretty                     JSON in indented lines
  -br, --brief                     name, state, address
  -o, --oneline                    all details of an alias in one line
  -d, --details                    show: all details, and the sysctls of main devices;
                                   monitor: routes too
  -4, -6                           only IPv4, only IPv6; together, both
  --tree                           show the chain as a tree
  -c, --color[=auto|always|never]  colours; NO_COLOR is respected
  -n, --netns NAME                 work in a network namespace, by name (ip-netns(8)) or path
  -v, --verbose                    print every executed step in the words of ip(8)
  -q, --quiet                      no warnings
  --dry-run                        print the steps without executing them; reconcile: as check
  --hands-off                      leave the sysctls of main devices alone
  --force                          go on when the main device is down, and change the address of
                                   this SSH session; let a prefix cut off other hosts; take an
                                   address that floats; batch: each line so, and go on after errors
  --absent-ok                      NAME-: an alias that is not there is no error; pool release:
                                   neither is an address that is not taken
  --save                           NAME, adopt, batch: write the change into the files as well
  --syntax                         check: only read the files, and ask the kernel nothing
  --only MAIN                      check, reconcile, save: only the aliases of one main device
  --allow-empty                    reconcile: go on when nothing is declared
  --allow-shrink                   reconcile: go on when more than half of the aliases would go
  --max-aliases N                  check, reconcile, batch, move, watch: of all files (200000)
  --confirm SECONDS                reconcile, move: undo it unless netalias confirm follows in time
  --metrics FILE                   reconcile, watch: write metrics for Prometheus
  --metrics-aliases N              with --metrics: the counters of N aliases, too
  --kill-sockets                   iface: end sockets that are bound to an address that goes
  --mac                            save: with the MAC of each device
  --from FORMAT                    import: the format of the files; kernel: labels of others;
                                   pool, batch, cluster: a FILE that declares them
  --for CLIENT                     pool: who takes, gives back, or is shown
  --lease SECONDS                  pool: how long an address is taken (default 3600)
  --bundle                         link: all devices at once, in place of the first that opens
  --tap                            link: Ethernet frames in place of IP packets
  --filter                         link: tell the peer which types of Ethernet are wanted (--tap)
  --link-local                     link, filter: fe80:: addresses are a reason to want IPv6, too
  --print                          filter: the messages, as hex
  --mtu BYTES                      link: the MTU of the network device
  --cd off|SECS|SECS!              link: how long the carrier of a device is awaited
  --sync                           link: one packet a datagram
  --log LEVELS                     link: what is logged
  --adopt                          import: take over the labels that are there as printed
  --all                            import: addresses beyond the first that have no name, too
  --kind KIND                      import: write this kind in every line; move: the new kind
  --map OLD=DEVICE,...             import: other names for main devices
  --acd, --conflict, --announce    like the words, for all aliases without them
  --rate N                         announcements per second (default 2000), 0 for no limit
  -t, --timestamps                 monitor: begin each line with its time
  --no-initial                     monitor: print events only, not the initial state
  --on-arrival, --on-departure, --on-up, --on-down, --on-carrier, --on-no-carrier SCRIPT
                                   monitor: run SCRIPT at such an event
  --detach                         vif: leave the tunnel behind, where no watcher runs; watch, link:
                                   end as soon as it watches or serves, which stays behind
  --interval SECONDS               top: between two readings (default 2)
  --count N                        top: end after N intervals
  --once                           top: print one interval as text
  --exit-when-down                 monitor: end when a named device goes down
  --follow                         record: again whenever it changes
  --file FILE                      record: write it to FILE
  --sdp, --txt                     record: as a service record of Bluetooth, as data of DNS-SD
  --limit N                        record: how many clients there may be (default 7)
  --clients-file F|N               record: how many clients there are
  --exit-when-down DEV             watch, record, vif, relay, link: end when DEV, which was up,
                                   goes down
  --if-up                          with --exit-when-down: end at once where that is not up
  --on-down free|keep              watch: like the word, for all aliases without it
  --release                        watch: remove the declared aliases at the end
  --takeover                       watch: take over from the running watcher, without a gap
  --texts FOLDER                   watch: the folder of the texts (default /run/netalias/net)
  --group N                        the mark on alias devices (default 28257)
  --wait SECONDS                   wait so long for another netalias (default 10)
  -h, --help                       print this text; after a verb, the help of the verb
  -V, --version                    print the version

Exit status
  0    done
  1    usage or syntax
  2    the kernel refused, or the state of the system does not allow it
  3    check: there are differences; doctor: there are faults, more than hints; lookup: no alias
       owns the address
  4    not permitted: CAP_NET_ADMIN is needed
  5    reconcile: after the changes the kernel still differs from the files
  6    another host has the address
  70   a bug in netalias
  75   another netalias holds the lock
  130  interrupted (SIGINT); SIGTERM and SIGHUP undo what was begun, and then end the process
"""

VERBS = {
    "alias": MAIN,
    **READING,
    "filter": FILTER,
    "iface": IFACE,
    "link": LINK,
    "check": """\
netalias [OPTION]... check [FILE | -]...

Compare the aliases that the files declare with those in the kernel, and print the differences.
Nothing is changed. Without a FILE, the files are /etc/netalias.conf, then *.conf of
/etc/netalias.d, /run/netalias.d and /usr/lib/netalias.d in the order of their names; the first of
several files with one name counts.

  + eth0:1 10.0.0.2/32 macvlan             declared, but missing
  - eth0:2 10.0.0.3/32 macvlan             present, but not declared
  ~ eth0:0 200.1.1.1/24 -> 200.1.1.2/24    different
  = eth0 arp_ignore 0 -> 1                 a sysctl of a main device

A label in a known network is shown as the host address that it becomes.

A line of a file is the words after netalias. One line can declare many aliases:

  # comment
  eth0:0        200.1.1.1/24
  eth0:1-50     10.0.0.1-50/32     kind label    ranges pair up
  eth0:60-62    1.2.3.4-5,1.2.3.9                a list
  eth0:100-199  2001:db8::100/64+                counting up from this address
  eth0:200-453  10.1.0.0/24 each                 every host address of a network
  defaults      kind macvlan mtu 1400            for the lines below it in this file

What the kernel or a guard rail of reconcile would refuse is told on standard error.

  --max-aliases N   refuse files that declare more aliases together (default 200000)

Exit status: 0 without differences, 3 with some. -v also prints the steps; --dry-run of reconcile
has no effect here.

  --syntax   only read the files, with -j print what they declare; 0, or 1 with errors

Options: those above, -j -p --only MAIN --force --allow-empty --allow-shrink --hands-off -n NAME
""",
    "reconcile": """\
netalias [OPTION]... reconcile [FILE | -]...

Make the kernel agree with the files (see check), read it again, and print the changes. Without any,
print nothing. Only aliases that netalias made are removed. An alias that cannot be made is
reported, and the others are made.

  --only MAIN        leave the aliases of other main devices alone
  --force            go on when a main device is down, change the address of this SSH session, and
                     let a prefix cut off other hosts
  --allow-empty      go on when nothing is declared; includes --allow-shrink
  --allow-shrink     go on when more than half of ten or more aliases would go
  --max-aliases N    refuse files that declare more aliases together (default 200000)
  --confirm SECONDS  restore the former aliases unless "netalias confirm" follows in time
  --metrics FILE     write metrics for the textfile collector of Prometheus
  --metrics-aliases N
                     with bytes and packets of the first N alias devices
  --wait SECONDS     wait so long for another netalias (default 10)
  --dry-run          as check, but end with the status of what would be refused or skipped

Exit status: 0 when everything is as declared, 2 when a change was refused or skipped, 5 when the
kernel differs in spite of the changes, 75 when another netalias holds the lock.

Options: those above, -j -p -v -q --hands-off --acd --conflict --announce --rate -n NAME
""",
    "confirm": """\
netalias [-n NAME] confirm

Keep the changes of "reconcile --confirm SECONDS". Exit status 2 when no change waits, or when it is
too late; the message then says when the former aliases were restored.

Options: -j -p
""",
    "rollback": """\
netalias [-n NAME] rollback

Undo the changes of "reconcile --confirm SECONDS" at once, and print what was done. Exit status 2
when no change waits, or when the former aliases could not be restored.

Options: -j -p -q
""",
    "batch": """\
netalias [OPTION]... batch FILE | -

Execute the lines of a file as commands, in one process and under one lock. A line is the words
after netalias; # begins a comment. Commands whose order does not matter go to the kernel together.
The first error ends the run and names its line. With --force the run goes on, and names the first
hundred errors; each line is executed as if it said --force itself. All lines are read before the
lock is taken. Refused are batch, and monitor, watch, top, rollback and - for standard input: they
would wait while all other runs wait for the lock.

  --max-aliases N   refuse a file with more commands for aliases (default 200000)
  --save            write what the lines do into the files as well; those before the first error
  --from FILE       the file that declares the pools of its lines, in place of the usual ones

Options: -j -p -v -q --dry-run --force --hands-off --acd --conflict --announce --rate --group N
--wait SECONDS -n NAME
""",
    "save": """\
netalias [OPTION]... save [MAIN | NAME]...

Print the aliases that netalias made as lines of a file (see check), with ranges where possible.
"netalias save | netalias reconcile -" changes nothing.

  --mac   with the MAC of each device, so that a new device gets the same one

Options: -j -p --mac --only MAIN -n NAME
""",
    "import": """\
netalias [OPTION]... import [FILE | FOLDER | -]...

Print aliases that netalias did not make as lines of a file: those in a FILE of another program; or,
without one, those in the usual files of this host, and labels made by ifconfig or ip. - is standard
input. Each file tells its format by its path or its content; --from says it. Nothing in a file is
executed, and without --adopt nothing is changed.

  --adopt                when all is printed, take over (see adopt) what is there as a line says.
                         Declare the lines before the next reconcile, which removes all others
  --from FORMAT          one of the formats below, or kernel: only labels made by ifconfig or ip
  --all                  also addresses beyond the first of a device that have no name; the first
                         one is the device's own. And those that may be on another host
  --kind KIND            write this kind in place of label
  --map OLD=DEVICE,...   other names for main devices, such as em0=eth0
  -v                     one alias a line, with its file and line, instead of ranges

What nothing brings up is a comment. A label like eth0:web, and a second address under one name, get
the slot that this address has here, or the lowest free one, here and in the files. Warnings tell
what has got another name, and what cannot be carried over. The last line counts.

Formats:
  interfaces    ifupdown, as "ifup -a" reads it: templates are followed, and so are commands like
                "up ip addr add ... label eth0:1", "up ifconfig eth0:1 ..." and "up ifup eth0:1"
  ifupdown2, proxmox, ifupdown-ng, busybox
                interfaces(5) as these programs read it. Which one a host has is told by the files
                of the program; --from says it for a file from elsewhere
  netplan       /etc/netplan, with PyYAML (pip install 'netalias[import]'); without it, what netplan
                has rendered for the next two
  networkd      systemd.network(5)
  keyfile       NetworkManager
  ifcfg-rh      ifcfg files of Red Hat, as network-scripts reads them, with ranges
  ifcfg-suse    ifcfg files of SUSE, as wicked reads them
  netifrc       /etc/conf.d/net of Gentoo, as netifrc reads it with iproute2
  netctl        profiles of netctl, with labels made by ExecUpPost
  rc.inet1      /etc/rc.d/rc.inet1.conf of Slackware
  rc.conf       FreeBSD, with ranges; read when it is named, and with --map em0=eth0
  hostname.if   OpenBSD; read when it is named, and with --map em0=eth0
  ifconfig.if   NetBSD, ifaliases too; read when it is named, and with --map re0=eth0
  cloud-init    network configuration of versions 1 and 2, with PyYAML. What is made of it is read
                already, so the usual files are read with --from cloud-init only
  uci           /etc/config/network of OpenWrt
  keepalived    keepalived.conf(5). Its addresses may be on another host, so --all is needed, and
                the usual file is read with --from keepalived only

Options: -q -v -j -p --from FORMAT --all --adopt --kind KIND --map OLD=DEVICE -n NAME
""",
    "adopt": """\
netalias [OPTION]... adopt [NAME | NAME ADDRESS | LABEL | MAIN | FILE | all]...

Take over what others have made, so that netalias may change and remove it: labels by name, range or
main device, or all; "eth0:5 2001:db8::5": an address of eth0; eth0:web, which is no name, under the
declared slot of its address, else the lowest free one; all that ./FILE declares. An IPv4 address
stays on the device; one of IPv6 that is adopted by address is made again, unchecked, in one go.

  --save   declare those that are not, behind the last line of their main device

Options: -j -p -v --dry-run -n NAME
""",
    "move": """\
netalias [OPTION]... move [MAIN] [FILE]...

Make devices of labels, in place: of all aliases, or of those of MAIN. The lines of the files that
declare them get the new kind (see check; a FILE here has a / in its path); comments, order and
defaults stay. What changes is printed: of the files as a unified diff, of the aliases as by check.
An address is missing for as long as its own replacement takes.

  --kind KIND          macvlan, ipvlan, or label for the way back; without it, macvlan or ipvlan as
                       auto chooses
  --dry-run            print the same without doing it
  --confirm SECONDS    give files and aliases their former state unless "netalias confirm" follows
                       in time; "netalias rollback" does it at once
  --force              go on when the main device is down, move the address of this SSH session,
                       accept what was not confirmed before, leave firewall rules behind, and move
                       an address that floats and stands for ever

Rules of nftables and iptables for eth0 do not see the device of eth0:0. Those that would not follow
are printed with the commands that mend them, and the exit status is 2. Programs that would miss
packets, and stanzas of others that would bring the addresses up again, are told with warnings.

All move, or none: when one is refused, all aliases and files stay as they are, with exit status 2.
Aliases of netalias that no file declares move too, with a warning. Labels of others stay: adopt
them first.

Options: those above, -j -p -q -v --hands-off --max-aliases --acd --conflict --announce --rate
         --wait SECONDS -n NAME
""",
    "watch": WATCH,
    "pool": """\
netalias [OPTION]... pool [NAME [show]]
netalias [OPTION]... pool NAME take [ADDRESS]
netalias [OPTION]... pool NAME release ADDRESS | --for CLIENT

Take addresses of a pool for a time, each for one client, however many ask at once. A pool is a line
of the files (see check):

  pool web    10.0.1.2-10.0.1.10,10.0.1.20
  pool lab    10.8.0.0/21 each
  pool proxy  2001:db8::100-1ff/64 dev eth0 kind macvlan acd fast

take prints the address alone: ADDRESS if it is free; else the one that the client had last, if that
is free; else any free one. It takes a client's own address again, for another S seconds. Without a
client each take is another address. With dev the address stands on the device as an alias, in the
first free slot, until it is given back or the time is over: the kernel drops it then.

  --for CLIENT   any word: a container, a job, a user
  --lease S      take: for so many seconds (default 3600)
  --from FILE    the file that declares the pool, in place of the usual ones
  --absent-ok    release: what is not taken is no error

Without NAME all pools are shown. Exit status 2 when no address is free, or none was taken.

Options: those above, -j -p -v -q --dry-run --force --acd --conflict --announce --hands-off
--wait SECONDS -n NAME
""",
    "cluster": CLUSTER,
    "publish": PUBLISH,
    "relay": RELAY,
    "unpublish": UNPUBLISH,
    "announce": """\
netalias [OPTION]... announce NAME | MAIN | all

Announce addresses to the neighbours: by gratuitous ARP as request and as reply, for IPv6 by an
unsolicited neighbour advertisement. An alias that is down, or whose address is still being checked,
is skipped, with a warning if it was named.

  --announce N         N times, two seconds apart
  --announce "every S" every S seconds, until it is interrupted
  --rate N             announcements per second (default 2000), 0 for no limit
  -j                   each alias that was asked for, and why it was not announced

Options: those above, -p -v -q --dry-run -n NAME
""",
    "renew": """\
netalias [OPTION]... renew [MAIN | NAME | all]...

Renew the leases of aliases (lease SECONDS), each by its full length; without a word, all leases. No
file is needed. Alias devices whose lease has expired are removed: the kernel has dropped their
addresses, and another host may have them by now.

A lease must be longer than the longest time between two renewals: 150 seconds when cron renews
every minute.

Exit status 2 when a NAME has no lease, or its lease has expired.

Options: -j -p -v --dry-run --wait SECONDS -n NAME
""",
    "vif": VIF,
    "help": "netalias help [VERB | bus]\n",
    "bus": BUS,
}
TOPICS = ("alias", "bus")
"""Texts that belong to no verb."""


def text(verb: str) -> str:
    """The help text of a verb, 80 columns wide; the main text when *verb* is empty."""
    return wrapped(VERBS[verb] if verb else MAIN)


def subject(word: str) -> str:
    """The subject of ``help WORD``: a verb or a topic, ``alias`` for the name of one. Raises
    UsageError."""
    if ":" in word:
        return "alias"
    if word in TOPICS:
        return word
    try:
        return find_verb(word)
    except errors.UsageError as error:
        raise errors.UsageError(f"help {error}", error.hint) from None


def usage(options: Options, words: list[str]) -> int:
    """Print the main help text, or that of one verb."""
    write(text(words[0] if words else ""))
    return errors.STATUS_OK
