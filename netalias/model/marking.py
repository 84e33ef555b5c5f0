"""The steps that change an address that is there; apart from the others, since few commands have
them."""

from __future__ import annotations

from errno import EINVAL

from netalias.model.steps import SET, Step

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


class RenewAddress(Step):
    """RTM_NEWADDR that sets the lifetimes of an address that is there, and never adds one.

    ``before`` is the step that sets the former ones; None where nothing but time is given back.
    """

    __slots__ = ("address", "before")

    missing = EINVAL

    def __init__(
        self, device: str, index: int, address: Address, before: RenewAddress | None = None
    ) -> None:
        super().__init__(device, index, SET)
        self.address = address
        self.before = before

    def inverse(self) -> Step | None:
        return self.before
