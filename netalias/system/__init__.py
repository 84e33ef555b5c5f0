"""Facilities of Linux for a process; they know no alias.

::

    netns.py        network namespaces by name
    process.py      the process that a pid means
    ssh.py          the address of the SSH session
    loop.py         a poll loop of descriptors and times
    signals.py      signals as a descriptor
    inotify.py      files that may change, as a descriptor
    server.py       a socket that answers words with texts
    sdnotify.py     messages to the service manager
    journal.py      log lines with priorities
    backoff.py      pauses that grow, debouncing
    terminal.py     a screen that is drawn again and again, and keys
    replacement.py  a file that is replaced as a whole, or brought back
"""
