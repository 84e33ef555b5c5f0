"""``python -m netalias``."""

from __future__ import annotations

import sys

from netalias.cli import main

if __name__ == "__main__":
    sys.exit(main())
