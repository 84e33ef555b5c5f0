"""Help of the verb watch."""

from __future__ import annotations

WATCH = """\
netalias [OPTION]... watch [FILE]...

Keep the kernel as the files declare (see check), by event, until a signal ends it. A network
namespace has one watcher. It reconciles at the beginning, on SIGHUP, and when a file changes. In
between it repairs declared aliases that others have changed, and removes none that somebody made.
A file with an error, one that is empty now, or one that declares less than half of what it did
changes nothing: the former declarations stay (see --allow-empty and --allow-shrink).

  main device down       its aliases are freed; the declared ones come back when it is up
  main device deleted    its aliases go with it
  main device renamed    aliases that are not declared get the new name
  changed by others      repaired at once; repeated changes are repaired later and later

  --on-down free|keep    free or keep aliases whose line does not say
  --release              remove the declared aliases at the end
  --exit-when-down DEV   end with 0 when DEV, which was up, goes down or away, after a change that
                         has begun; --if-up: at once where it is not up
  --takeover             take over from the watcher that runs, in an update: its unread events, lock
                         and socket go along, and it ends. Where that fails it goes on. Without
                         further words those of the running one are used
  --detach               end when the watcher watches; it stays behind
  --texts FOLDER         the folder of the texts aliases and alias_types (default
                         /run/netalias/net, with -n /run/netalias/INODE/net);
                         FOLDER.sock answers the words aliases, alias_types, json, health, and
                         subscribe [KINDS] [DEV] with events (see help bus)
  --metrics FILE         write metrics for Prometheus every 15 seconds; --metrics-aliases N: with
                         bytes and packets of the first N alias devices
  --allow-empty, --allow-shrink, --max-aliases, --acd, --conflict, --announce, --rate,
  --hands-off            as in reconcile

SIGTERM ends it with status 0; the aliases stay. It reports to a service manager (sd_notify).

Options: those above, -v -q --group N --wait SECONDS -n NAME
"""
