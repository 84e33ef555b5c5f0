"""The alias engine of Linux 1.3.47 to 2.0.40 in memory, and a program to play it by a script.

    Emulator    netalias.emulator.engine    devices, aliases, look-ups, the two /proc texts
    main        netalias.emulator.script    ``netalias emulate``

Bugs of the original are fixed here; docs/history.md lists them. The intended differences between
the versions 0.43 and 0.50 are kept, in one table: netalias.emulator.variants.
"""

from __future__ import annotations

from netalias.emulator.engine import Emulator
from netalias.emulator.script import main

__all__ = ["Emulator", "main"]
