"""A kernel in memory that refuses one address, for a reason that no reading shows."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EIO
from socket import AF_INET, inet_pton

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model.steps import AddAddress, Step


class Refusing(Memory):
    """Answers EIO to any step that adds the IPv4 address ``bad``."""

    bad = "10.0.0.9"

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        packed = inet_pton(AF_INET, self.bad)
        return [
            refused(step, EIO)
            if isinstance(step, AddAddress) and step.address.local == packed
            else super(Refusing, self).send([step])[0]
            for step in steps
        ]
