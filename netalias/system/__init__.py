"""System: what Linux gives a process (namespaces, signals, inotify, sd_notify); knows no alias."""
