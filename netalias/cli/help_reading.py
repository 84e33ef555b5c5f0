"""Help texts of the verbs that change no alias, loaded with help.py."""

READING = {
    "show": """\
netalias [OPTION]... show [MAIN | NAME]...

Print the aliases in chain order: every main device in turn, with its alias devices and then its
labels, each in the order in which the kernel has them.
With words, print only these aliases and those of these main devices. Published addresses of the
main devices follow, foreign ones too; their KIND is published.

  ALIAS    the name, eth0:0
  DEVICE   the primary name of the device that has the address
  KIND     the way the alias is realised
  ADDRESS  address and prefix length
  STATE    up, down or no-carrier; then tentative, dadfailed, no-address (somebody removed it),
           expired (its lease was not renewed), half-made (by an interrupted run, or its device
           has the address twice),
           renamed (the main device was), foreign (a label that netalias did not make; it may
           have a name that no alias has, like eth0:web)
  MAC      the MAC at which the alias is reached
  RX, TX   packets received and sent; a label has no counters

On a terminal with no room for all columns, the last line names those that are left out.

netalias show physical [NAME]... prints the links that netalias link serves, with their phases, the
bytes that came and went, and those of a second.
netalias show bundle [NAME]... prints for each link of a bundle its measured rate, its share of the
packets, the round-trip time, packets and parts that were sent, that came and that were lost, and
how often it died.

A NAME may be a range or a pattern: eth0:0-9, 'eth0:1*'. The word dev may stand before the names, as
in ip(8): show dev eth0.

Options: -j -p -br -o -d -4 -6 -c --tree -n NAME
""",
    "lookup": """\
netalias [OPTION]... lookup [TYPE] ADDRESS

Print the name of the alias that owns the address. Without one, print nothing, with -j an empty
list, and exit with 3.

Options: -j -p -q -n NAME
""",
    "cat": """\
netalias [OPTION]... cat aliases | alias_types

Print the text of /proc/net/aliases or /proc/net/alias_types, byte for byte in the format of
Linux 2.0: lines of 64 bytes, and of 33 and 32 bytes.

Options: -n NAME
""",
    "types": """\
netalias [OPTION]... types

Print the alias types: family number, name, and number of aliases. Types of installed packages
(entry points netalias.alias_types) are listed when they are in use.

Options: -j -p -n NAME
""",
    "doctor": """\
netalias [OPTION]... doctor [MAIN | NAME]...

Read everything that decides whether aliases work, and print each fault, its reason, and the command
that mends it. Nothing is changed and nothing is sent. With words, examine only these main devices
and these aliases.

  error: eth0:0: packets from 10.0.0.0/24 to 10.0.0.5 are dropped
      rp_filter of eth0_0 is 1 and the way back to 10.0.0.0/24 is eth0
      sysctl -w net.ipv4.conf.eth0_0.rp_filter=2

An error keeps packets away; a warning works by luck, or for some hosts only; a hint may be
intended. What the files declare (down, mtu), or those of sysctl.d(5), is no fault. What is wrong
with many aliases in the same way is one finding.

Exit status: 0 without findings or with hints only, 3 with others. Standard error names what could
not be read, such as the firewall tables without privilege.

Options: -j -p -q -n NAME
""",
    "monitor": """\
netalias [OPTION]... monitor [MAIN | NAME]...

Print the present devices, addresses and media, and then their events, one line each, until it is
interrupted. With words, print only events of these main devices with their aliases, and of these
aliases. A name that does not exist yet is awaited.

  = eth0 index 2 <UP,RUNNING> mtu 1500       present at the beginning
  + eth0:0 10.0.0.5/32                       came
  - eth0:0 index 7                           went
  ~ eth0 NOARP off -> on                     changed

  -t                  begin each line with its time (RFC 3339)
  -d                  routes too
  -j                  one JSON object a line
  --no-initial        events only, not the initial state
  --on-arrival SCRIPT, --on-departure SCRIPT
                      run SCRIPT when a device comes or goes
  --on-up SCRIPT, --on-down SCRIPT
                      run SCRIPT when an address comes or goes, except link-local IPv6 addresses
  --on-carrier SCRIPT, --on-no-carrier SCRIPT
                      run SCRIPT when a device gets or loses its carrier
  --exit-when-down    end with status 0 when a named device goes down or is deleted
  --if-up             with it: at once where none of them is up

A script gets the arguments of ifwatchd(8): the primary name of the device, /dev/null, 9600, the
address, and the other end or the broadcast address.

Options: those above, --group N -n NAME
""",
    "record": """\
netalias [OPTION]... record DEV

Print what a device offers to others, as it is now: the protocols (with an address of IPv4 0x0800
and, unless NOARP, 0x0806; with one of IPv6 0x86dd) and the subnets of its addresses, its MAC, its
flags, its media by speed and port, its rate in octets per second, and its availability: 255 while
it has no clients, 0 when it has as many as there may be. An address that is still being checked
counts for nothing, and the link-local network is no subnet.

  --file FILE            write it to FILE as a line of JSON, or as --sdp and --txt say; FILE is
                         replaced as a whole, and only when something in it changes
  --follow               go on until a signal, and print or write it again whenever it changes; the
                         file goes with the device, and at the end. A device that is not there is
                         waited for. A file is kept by one command at a time, or by watch
  --sdp                  as a service record of Bluetooth (PAN profile) in its binary form
  --txt                  as the data of a DNS-SD service (RFC 6763), one string a line; with
                         --follow it is announced to the network of DEV, which needs the library
                         zeroconf
  --limit N              the clients that there may be (default 7)
  --clients-file F|N     the clients that there are: their number (default 0), or a file that has
                         their number or one of them a line; none while there is no such file
  --exit-when-down DEV   with --follow: end when a device, which was up, goes down
  --if-up                with --exit-when-down: end at once where that is not up
  -j                     JSON; with --follow one object a line

A line in the files has watch keep such a file: record tap0 file /run/netalias/tap0.json limit 7

Options: those above, -p -n NAME
""",
    "top": """\
netalias [OPTION]... top [MAIN | NAME]...

Show what the device of each alias receives and sends, busiest first: bytes (RX/s, TX/s) and packets
(RXP/s, TXP/s) in a second, and bytes in all. A label has no counters. It is drawn again after each
interval, until q or an interruption ends it. In a pipe each interval is printed as text.

  --interval SECONDS   between two readings, from 0.1 (default 2)
  --count N            end after N intervals
  --once               print one interval as text
  -j                   an array a line for each interval: the fields of show, and rates

Keys: b r t p c n sort by both directions, RX, TX, packets, the total, or the name; R reverses, q
quits.

Options: those above, -p -4 -6 -c -n NAME
""",
    "emulate": """\
netalias emulate [--variant 0.43|0.50] [--unprivileged] [--no-sel] [--check] [FILE | -]

Run a script on the engine of Linux 2.0 in memory. A line is one command; # begins a comment:

  device NAME [ADDRESS] [up|down|remove]   a main device
  NAME ADDRESS [netmask MASK] [up|down]    create an alias, or re-address it
  NAME up|down, NAME, NAME-                change, show, delete
  show, lookup ADDRESS, cat aliases|alias_types, types
  chain                                    the device chain
  hash ADDRESS                             the bucket of an address
  rx [MAIN] SRC DST                        the device that receives a packet
  rx32 [MAIN] SRC|- DST                    the same by 32-bit numbers, as IP and ARP did
  route NETWORK/LEN DEVICE                 a route, for the selection by source
  max N, counters                          the limit and the counters of 0.50
  type add|remove NAME|FAMILY              register an alias type, or remove it
  type add NAME FAMILY                     a type of four bytes without hooks
  device NAME flags UP,NOARP | 0x81        all flags of a device
  trace                                    hooks called and devices up, down or freed

Lines that begin with > or ! hold the expected output or error; --check compares them.
""",
    "complete": """\
netalias complete -- [WORD]...

Print, one a line, what may stand in place of the last WORD of a command: verbs, options, words,
their values, and the names of main devices and of aliases that are there or declared. Nothing is
printed where a file is expected. The completion of bash, zsh and fish calls it.
""",
}
"""Verb: its help text."""
