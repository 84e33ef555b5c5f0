"""Help of the verbs publish and unpublish."""

from __future__ import annotations

PUBLISH = """\
netalias [OPTION]... publish ADDRESS... dev MAIN

Let a device answer for addresses that are behind another one: proxy ARP and proxy NDP, address by
address (ip neigh add proxy). Addresses that are published already stay as they are.

A warning names each obstacle, with the command that removes it: the device is down, is a port, does
not forward, has no proxy_ndp or answers late (proxy_delay), or no route leads to the address
through another device. An address of this host needs no entry, and gets none.

The kernel drops the entry when the device goes down, and an IPv4 one with the last IPv4 address of
the device; watch publishes it again. Files declare aliases only: after a boot, publish it again.

An address that floats (netalias help cluster) is refused: its host and this one would both answer.

  --force  publish an address that floats all the same

Options: those above, -j -p -v -q --dry-run --wait SECONDS -n NAME
"""

UNPUBLISH = """\
netalias [OPTION]... unpublish ADDRESS... [dev MAIN]

Remove entries that publish made, on one device or on all, and those that the kernel has dropped and
watch would publish again. Exit status 2 when netalias has not published one of the addresses; then
nothing is removed.

Options: -j -p -v --dry-run --wait SECONDS -n NAME
"""
