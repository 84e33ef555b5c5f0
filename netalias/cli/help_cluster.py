"""Help of the verb cluster."""

from __future__ import annotations

CLUSTER = """\
netalias [OPTION]... cluster [status | hosts | owners | events]
netalias [OPTION]... cluster drain [HOST] | undrain [HOST]
netalias [OPTION]... cluster move ADDRESS HOST | move ADDRESS auto

Addresses that float: each stands on one of many hosts, as a store decides that all of them share.
The same lines stand in the files of each host:

  cluster etcd https://a:2379,https://b:2379 ca FILE cert FILE key FILE
          [user FILE] [prefix PATH] [node NAME] [weight N] [ttl SECONDS]
          [tickles on]
  float web eth0:100-149 10.0.0.100-149/24 [prefer NODE]
          [hold-down SECONDS] [WORD]...

watch takes its share of the addresses and gives it up. A host that the store does not hear any more
has none of them after ttl seconds (default 10): the kernel removes them, whatever becomes of the
watcher. The others take them a moment later.

  status   how many hosts and addresses there are, and how many of these are held
  hosts    each host that is there: its weight, its pools, and how many addresses it holds
  owners   each address, and who holds it
  events   what changes, until it is interrupted; and that the store does not answer
  drain    have a host, this one by default, give up all, at a gentle pace; undrain ends that
  move     have an address stand on a host for as long as that is there; auto ends that

  --from FILE  the file that has the line cluster, in place of the usual ones
  -j           JSON

It works on every host whose files have the line. Nothing is said of a password or a key.

Exit status 2 when the store does not answer, or refuses.

Options: those above, -p -n NAME
"""
