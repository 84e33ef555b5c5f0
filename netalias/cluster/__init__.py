"""Pools of addresses that float over the hosts of a cluster. Pure, but for the engines of the store
and the process that serves them.
"""
