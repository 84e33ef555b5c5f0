"""The programs of the stage that are not installed here, unpacked from Debian's archive.

``programs.py FOLDER`` downloads what FOLDER does not have yet; nothing is installed. A package that
cannot be had is told, and what needs it is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "kernels")]

from packages import Programs, Unavailable  # noqa: E402  (the path comes first)

PACKAGES = (
    "etcd-server", "libfaketime", "keepalived", "libnl-3-200", "libnl-genl-3-200", "libsnmp40",
    "libpci3", "libwrap0", "libnfnetlink0", "libnetfilter-conntrack3",
)  # fmt: skip


def main(folder: str) -> int:
    """Fetch all; 0 always, since an installed program serves too."""
    for name in PACKAGES:
        try:
            Programs([name], Path(folder).absolute()).fetch()
        except Unavailable as why:
            print(f"{name}: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
