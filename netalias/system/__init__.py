"""Facilities of Linux for a process: namespaces, signals, inotify, sd_notify; knows no alias."""
