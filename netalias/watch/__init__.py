"""The loop that keeps declared aliases true by event; one watcher per network namespace.

watcher.py      the parts together
settings.py     what they are told at the beginning
impact.py       events -> the aliases and main devices that they affect; pure
controller.py   what is done about them, when, and in which order
lifecycle.py    main devices that go down, go away, or get another name
healing.py      repair of aliases that differ from their declarations
checkpoint.py   the change that waits for a confirmation, and must not be undone
periodic.py     proxy entries, announcements and leases, again in time
snapshots.py    the state, or the part of it that a few aliases need; pure
originator.py   the process behind a change
report.py       sentences for the journal
texts.py        the texts below /run/netalias/net, and their socket
"""
