"""etcd as the store of a cluster, by its JSON gateway. The only place that knows etcd.

It is spoken to directly, since the usual client (etcd3gw) waits in every call, gives a watch that
has lost its connection no end, and sends a transaction again that may have been done already.
"""
