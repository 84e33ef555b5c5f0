#!/bin/sh
# Linux 6.18: flock(2) of one pty master locks all pty masters of the mount of devpts.
#
# A lock of flock(2) belongs to an inode, and every master is an open file of the one inode of /dev/ptmx; only the slaves
# (/dev/pts/N) have inodes of their own. So two programs that lock "their" terminal, as dial-up programs do, exclude
# each other if each has a master, though they share nothing; with the slaves they do not.
#
# Needs python3. Ends with 1 where it behaves otherwise.
set -eu

seen=$(python3 - <<'EOF'
import fcntl
import os
import pty

(one, its), (two, others) = pty.openpty(), pty.openpty()


def locked(first: int, second: int) -> str:
    fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "the other one is locked too"
    finally:
        fcntl.flock(first, fcntl.LOCK_UN)
    return "the other one is free"


print("slaves:", locked(its, others))
print("masters:", locked(one, two), os.fstat(one).st_ino == os.fstat(two).st_ino)
EOF
)
echo "$seen"
[ "$seen" = 'slaves: the other one is free
masters: the other one is locked too True' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
