#!/bin/sh
# Linux 6.18: /proc/PID/net tells which network namespace a process is in, also to who may not know it.
#
# readlink(2) of /proc/PID/ns/net and the list of /proc/PID/fd need the right to trace the process (PTRACE_MODE_READ of
# proc_ns_readlink() and proc_fd_permission()). /proc/PID/net does not: proc_tgid_net_lookup() of fs/proc/proc_net.c goes
# to the tables of the task's namespace, and each table of each namespace has an inode of its own. So two processes with
# the same st_ino of /proc/PID/net/dev are in one namespace, whoever asks.
#
# Seen, by a user without privileges, of processes of root:
#   readlink: refused
#   in the same namespace: the same inode
#   in another one: another inode
#
# Needs root, setpriv and unshare. Ends with 1 where it behaves otherwise.
set -eu

unshare -n sleep 60 &
other=$!
sleep 60 &
same=$!
trap 'kill "$other" "$same"' EXIT
while [ "$(readlink "/proc/$other/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do :; done

seen=$(setpriv --reuid 65534 --regid 65534 --clear-groups sh -c '
inode() { stat -c %i "/proc/$1/net/dev"; }
readlink "/proc/$1/ns/net" || echo "readlink: refused"
[ "$(inode "$1")" = "$(inode self)" ] && echo "in the same namespace: the same inode"
[ "$(inode "$2")" = "$(inode self)" ] || echo "in another one: another inode"
' sh "$same" "$other")
echo "$seen"
[ "$seen" = 'readlink: refused
in the same namespace: the same inode
in another one: another inode' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
