"""Help of the verbs vif and relay."""

from __future__ import annotations

VIF = """\
netalias [OPTION]... vif0 ADDRESS[/LENGTH] to PEER | passive
                     carriage CARRIAGE[:PORT] [mtu BYTES] [key FILE]
netalias [OPTION]... vif0-
netalias [OPTION]... vif0 | vif | show tunnels

A tunnel: the address is on a device of its own, vif0 to vif255, and what is sent from it to other
hosts is carried to PEER, a relay that owns it, in packets between the two. PEER carries back what
comes for the address. With passive the peer is whoever is heard first.

  carriage udp[:PORT]        datagrams of UDP, which pass firewalls and address translation (7777)
  carriage ipip94            IP in IP as VIF had it, protocol 94
  carriage ipip              IP in IP, protocol 4 (RFC 2003)
  carriage wireguard[:PORT]  by WireGuard of the kernel
  mtu N                      of the device; without it 1536 for ipip94 and ipip, which the kernel
                             fragments, else what fits into a datagram of the path
  key FILE                   the key that both ends have; WITHOUT IT ANYBODY ON THE PATH CAN READ
                             AND FORGE what is carried

The same words are a line of the files, which watch carries out. A running watch does what is asked
for here, too, until the next boot or vif0-. Without one the command itself carries the tunnel until
it is ended; with --detach in a process that stays behind.

A table of its own leads from the address into the tunnel (ip rule), and no other route does: not
even that of the network of the address. vif shows all tunnels, with their packets; vif0 and
show vif0 one in detail, with the flags that it has and those that VIF had.

  --detach     where no watcher runs, leave the tunnel behind
  --exit-when-down DEV
               end with 0 when DEV, which was up, goes down or away; --if-up: at once where it is
               not up. Not where a watcher carries it
  --absent-ok  vif0-: a tunnel that is not there is no error

Options: those above, -j -p -d -v -q --dry-run --wait SECONDS -n NAME
"""

RELAY = """\
netalias [OPTION]... relay PREFIX[,PREFIX]... on MAIN [to PEER | to passive]
                     carriage udp[:PORT] | ipip94 | ipip | wireguard[:PORT]
                     [mtu BYTES] [key FILE]
netalias [OPTION]... relayN-
netalias [OPTION]... relay [relayN]

Let a device answer for addresses and networks that a host elsewhere has, and send what comes for
them there through a tunnel. Without PEER it is whoever is heard first. The other end is a tunnel
(vif0) of the host that has the addresses.

A running watch carries it; else this command does until it is ended, and with --detach a process
that stays behind. relayN- ends it; relay alone, or show tunnels, lists all. A line in a file that
begins with relay says the same for as long as it stands.

What keeps packets from their way (forwarding, proxy_ndp, proxy_delay, another route, a policy of
the firewall) is told with the command that removes it. No such thing is set.

Options: -j -p -d -v -q --detach --absent-ok --dry-run --wait SECONDS -n NAME, and as for vif
--exit-when-down DEV --if-up
"""
