"""Steps for the name and the mark of an alias device: it gives way to one that needs its name, or
gets back the mark that an interrupted deletion took from it."""

from __future__ import annotations

from errno import EBUSY

from netalias.model.steps import NAME, REMOVE, Step


class RenameLink(Step):
    """RTM_SETLINK of IFLA_IFNAME; ``name`` is the new primary name.

    Before Linux 6.2 the kernel refuses it (EBUSY) while the device is up.
    """

    __slots__ = ("name",)
    touches = "name"

    hints = {EBUSY: "this kernel renames a device only while it is down"}

    def __init__(self, device: str, index: int, name: str) -> None:
        super().__init__(device, index, REMOVE)
        self.name = name

    def inverse(self) -> Step:
        return RenameLink(self.name, self.index, self.device)


class SetGroup(Step):
    """RTM_SETLINK of IFLA_GROUP: ``group`` is the mark. It is not undone."""

    __slots__ = ("group",)
    touches = "group"

    def __init__(self, device: str, index: int, group: int) -> None:
        super().__init__(device, index, NAME)
        self.group = group
