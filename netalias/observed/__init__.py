"""Observed state: a snapshot of the kernel and the aliases found in it."""
