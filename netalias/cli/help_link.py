"""Help of the verb link."""

from __future__ import annotations

LINK = """\
netalias [OPTION]... link run | takeover NAME DEVICE...

run: make the network device NAME, a TUN, and carry its packets over the first DEVICE that opens to
another machine where the same runs. It stays in the foreground until a signal. Addresses and routes
are yours: ip addr add 10.8.0.1 peer 10.8.0.2 dev NAME.

takeover: go on in this process with NAME and the link of the one that serves it, which ends: for an
upgrade. No packet is lost, and the peer hears nothing of it. Only a process of the same release, or
of one with the same layouts, and of the same user or root, can take over; else all stays as it is.
With --bundle it is a bundle, whose links go on under the same DEVICEs. NAME keeps its MTU, unless
--mtu names another one.

  HOST:PORT, HOST:PORT/tcp   call a machine; [::1]:6669: an IPv6 address stands in brackets
  HOST:PORT/udp              one packet a datagram
  *:PORT, *:PORT/udp         wait for the call, or for the first datagram of a peer
  /dev/ttyS1                 a terminal, in raw mode, at the speed that stty(1) gave it
  !COMMAND                   the standard input and output of a program of the shell
  link:eth1                  frames of Ethernet (type 0x88b5) on a network device, no IP below
  fd:3                       a descriptor that the process was started with, of any of these kinds

While the link is not open NAME has no carrier. What is lost is opened again, after 1 to 15 seconds.
A peer of which nothing is heard for ten seconds is lost, too; over udp, one second after its host
says that nobody listens any more. Nothing is encrypted, and whoever can send to the port first is
the peer.

  --bundle       all DEVICEs at once, each joined with one of the other machine: a packet goes to
                 that on which it arrives first, by their measured rates, and all leave the other
                 end in order. A silent one is left out within a second, until it is heard again
  --tap          Ethernet frames, as a bridge takes them: NAME is a TAP
  --filter       with --tap: tell the peer which frames this end has use for (help filter); not
                 with --bundle
  --link-local   with --filter: an IPv6 address of the link alone counts, too
  --mtu BYTES    the MTU of NAME; without it, what fits into 1500 bytes with what DEVICE adds
  --cd off | SECS | SECS!
                 wait so long for the carrier of the device; with ! the link needs one. Terminals
                 have 1, link: has 6! and is never off, the others have none
  --sync         one packet a datagram; a stream says that it cannot
  --log [+|-]LEVEL,...
                 what is logged: physical (bytes in hex), sync (packets in hex), debug (protocols
                 and messages), phase (the usual one); without a sign, these and no others
  --detach       end when NAME is served; the process that serves it stays behind
  --exit-when-down DEV
                 end with 0 when DEV, which was up, goes down or away; --if-up: at once where it is
                 not up
  -q             warnings only

netalias show physical [NAME]... tells of all links, show bundle of those of bundles.

Options: those above, -v -n NAME --wait SECONDS
"""
