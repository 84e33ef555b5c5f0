"""What an address that floats needs is loaded before the first one moves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from command import Command

FOLDER = Path(__file__).parent
SCRIPT = f"""
import sys
sys.path[:0] = [{str(FOLDER)!r}, {str(FOLDER.parent)!r}]
from command import Command, without_dad
from support import Namespace, veth_pair
namespace = Namespace()
namespace.peer = Namespace()
veth_pair(namespace, namespace.peer)
namespace.raise_lo()
without_dad(namespace)
from test_floats import FIRST, SECOND, Host, boottime
from netalias.cluster.orders import Extend, Release, Take
host = Host(Command(namespace))
before = {{*sys.modules}}
for keys in (FIRST, SECOND):
    host.order(Take(boottime() + 300, keys))
host.order(Extend(boottime() + 300))
host.order(Release(FIRST))
host.until(lambda: len(host.gone()) == len(FIRST))
print(*sorted(name for name in sys.modules.keys() - before if name.startswith("netalias")))
"""


def test_the_first_that_moves_loads_nothing(cli: Command) -> None:
    """Neither to be made, to be prolonged nor to go: labels and devices, both families."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
