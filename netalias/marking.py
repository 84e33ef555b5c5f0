"""The step that takes an address over; apart from the others, since no short command has it."""

from __future__ import annotations

from netalias.steps import SET, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Address


class MarkAddress(Step):
    """RTM_NEWADDR with NLM_F_REPLACE: the protocol of an address that is there.

    ``before`` is the step that puts the former one back.
    """

    __slots__ = ("address", "before")

    def __init__(
        self, device: str, index: int, address: Address, before: MarkAddress | None = None
    ) -> None:
        super().__init__(device, index, SET)
        self.address = address
        self.before = before

    def inverse(self) -> Step | None:
        return self.before
