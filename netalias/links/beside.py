"""A link has more to carry than the packets of its network device."""

from __future__ import annotations


class Beside:
    """The rest of what travels on a link: here nothing, with a TAP filters (filters/serving.py)."""

    def receive(self, packet: bytes) -> bool:
        """Take a packet of the peer that is none of the device; whether it is one to take."""
        return False

    def words(self) -> dict[str, str]:
        """Words of the record about the link, and their values."""
        return {}

    def packed(self) -> dict[str, object]:
        """The state for another process, as links.spec.FILTERS has it."""
        return {"types": [], "groups": [], "dropped": 0, "before": -1, "told": False}
