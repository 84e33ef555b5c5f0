"""Many messages in one call: sendmmsg(2) and recvmmsg(2), which the library of Python lacks."""

from __future__ import annotations

import ctypes

AT_ONCE = 1024
"""Messages of one call (UIO_MAXIOV)."""
LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Mmsghdr(ctypes.Structure):
    """struct mmsghdr: a struct msghdr, and the length of the message behind it."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("pad", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )
