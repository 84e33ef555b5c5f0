"""The loop that keeps declared aliases true by event; one watcher a network namespace.

watcher.py      the parts together
impact.py       events -> the aliases and main devices that they concern; pure
controller.py   what is done about them, and when
lifecycle.py    main devices that go down, go away, or get another name
healing.py      aliases that are not as they are declared
periodic.py     published entries, announcements and leases, again in time
snapshots.py    as much of the observed state as a few aliases need; pure
originator.py   the process that asked the kernel for a change
report.py       sentences for the journal
texts.py        the texts below /run/netalias/net, and the state for the service manager
"""
