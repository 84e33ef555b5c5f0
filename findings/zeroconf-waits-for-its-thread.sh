#!/bin/sh
# zeroconf 0.154.0, Python 3.11: Zeroconf() does not return where its thread cannot begin.
#
# It starts a thread for its event loop and waits for a threading.Event that this thread sets when the sockets are served,
# without a limit. Where the loop cannot be made, since the process may open no more descriptors (EMFILE), the thread ends
# with a traceback and the constructor waits for ever. A handler of a signal is called meanwhile, and does not end the wait
# unless it raises.
#
# Needs python3 with zeroconf, in PYTHON if it is another one. Ends with 1 where it behaves otherwise, with 77 without it.
set -eu

"${PYTHON:=python3}" -c 'import zeroconf' 2>/dev/null || exit 77
made() { # DESCRIPTORS: what becomes of it where so many more may be opened
	timeout 5 "$PYTHON" - "$1" 2>/dev/null <<'EOF' || echo 'ended by timeout(1)'
import os
import resource
import sys

from zeroconf import IPVersion, Zeroconf

os.closerange(3, 1000)
most = 3 + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only).close()
print("made and closed")
EOF
}
seen="two descriptors: $(made 2); twenty: $(made 20)"
echo "$seen"
[ "$seen" = 'two descriptors: ended by timeout(1); twenty: made and closed' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
