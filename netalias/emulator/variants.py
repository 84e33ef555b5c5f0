"""The differences between NET_ALIAS 0.43 (Linux 1.3.51 to 2.0.30) and 0.50 (2.0.31 to 2.0.40)."""

from __future__ import annotations

from netalias import errors, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Flags of linux/if.h of 2.0 that netalias.model does not have.
IFF_DEBUG = 0x4
IFF_NOTRAILERS = 0x20
IFF_PROMISC = 0x100
IFF_ALLMULTI = 0x200
IFF_MASTER = 0x400
IFF_SLAVE = 0x800
IFF_SOFTHEADERS = 0x2000
"""Link headers are built by software. Today the bit is IFF_PORTSEL."""

MAX_ALIASES = 256
"""Number of slots, unless net_alias_max sets another one."""


class Variant:
    """One version of the engine.

    ``flags`` is the mask of flags that an alias copies from its main device. ``bucket`` returns the
    bucket for a digest, a family and the size of the table; a table has ``large`` buckets if the
    maximum is at least that, else 16. ``checks`` is the order of tests when an alias is created,
    ``slot_error`` makes the error for a slot over the maximum; ``settable``: net_alias_max exists;
    ``counting``: lookups are counted.
    """

    __slots__ = (
        "bucket", "checks", "counting", "flags", "large", "name", "settable", "slot_error",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        flags: int,
        bucket: Callable[[int, int, int], int],
        large: int,
        checks: tuple[str, ...],
        slot_error: Callable[[str], errors.NetaliasError],
        settable: bool,
        counting: bool,
    ) -> None:
        self.name = name
        self.flags = flags
        self.bucket = bucket
        self.large = large
        self.checks = checks
        self.slot_error = slot_error
        self.settable = settable
        self.counting = counting

    def size(self, maximum: int) -> int:
        """The number of buckets for *maximum* slots."""
        return self.large if maximum >= self.large else SMALL


SMALL = 16


def fold(digest: int) -> int:
    """The XOR of the four bytes of a 32-bit digest, which does not depend on the byte order."""
    half = digest ^ digest >> 16
    return (half ^ half >> 8) & 0xFF


def bucket_043(digest: int, family: int, size: int) -> int:
    """The bucket as by net/core/net_alias.c of 2.0.30: both nibbles of the byte and the family."""
    byte = fold(digest)
    return (byte ^ byte >> 4 ^ family) & (size - 1)


def bucket_050(digest: int, family: int, size: int) -> int:
    """The bucket as by net/core/net_alias.c of 2.0.31: the byte itself if the table is large."""
    byte = fold(digest)
    return byte if size > SMALL else (byte ^ byte >> 4) & (size - 1)


def _invalid_slot(message: str) -> errors.NetaliasError:
    from errno import EINVAL

    return errors.LimitError(message, errno=EINVAL)


_POINT = model.IFF_NOARP | model.IFF_LOOPBACK | model.IFF_POINTOPOINT

VARIANTS = {
    "0.43": Variant(
        "0.43",
        flags=_POINT | model.IFF_BROADCAST | model.IFF_RUNNING,
        bucket=bucket_043,
        large=SMALL,
        checks=("slot", "family", "main"),
        slot_error=errors.BadName,
        settable=False,
        counting=False,
    ),
    "0.50": Variant(
        "0.50",
        # Without BROADCAST: an alias in the net of its main need not answer broadcasts twice.
        flags=_POINT | IFF_SOFTHEADERS,
        bucket=bucket_050,
        large=256,
        checks=("family", "slot", "main"),
        slot_error=_invalid_slot,
        settable=True,
        counting=True,
    ),
}
