"""Help of the bus, which has no verb: a watcher serves it."""

from __future__ import annotations

BUS = """\
subscribe [KINDS] [DEV]

A line to the socket of a running watcher (/run/netalias/net.sock, or FOLDER.sock of watch --texts).
It makes a program a reader of events, one JSON object a line, as -j monitor prints them, without
netlink and without a privilege:

  (echo subscribe address,carrier eth0; cat) | nc -U /run/netalias/net.sock
  async for event in netalias.events("address", "eth0"): ...           in Python

  KINDS    events with commas between them, or all (the default): arrival, departure, flag, carrier,
           name, mtu, mac, master, group, ifalias, altname, address, netns, media; and route, which
           is not one of all, and only for root: all,route
  DEV      a main device with its aliases, or an alias; it need not be there yet. A single word that
           is no KINDS is a DEV, unless a comma follows it

  {"event": "reset", "lost": N}    forget what was told: the present objects follow, with "initial".
                                   N lines were lost, since this reader was too slow
  {"event": "synced"}              these were all; changes follow, each once and in order

The end of the connection, or a line "error: ...", is the end: the watcher has ended, or has handed
over to another one. Whoever connects again begins with a state. Root may have 512 readers, each
other user 16, all of them 64. A process of its own serves them, so none keeps the watcher waiting.
"""
