"""``python -m netalias``."""

from __future__ import annotations

from os import _exit

if __name__ == "__main__":
    try:
        from netalias.cli import program

        program()
    except KeyboardInterrupt:
        _exit(130)  # nothing is begun, or all is done
