"""``python -m netalias``."""

from __future__ import annotations

from netalias.cli import program

if __name__ == "__main__":
    program()
