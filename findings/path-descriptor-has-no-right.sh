#!/bin/sh
# Linux 6.18: open(2) of /proc/PID/fd/N asks for the rights of the reader alone, and the process behind it needs none.
#
# A descriptor of O_PATH is had without a right to the file: only the folders on the way have to be searchable. Its link in
# /proc leads to the file all the same (proc_pid_fd(5)). So who opens a descriptor whose number another user has told opens
# any file of that user's choice with his own rights, a device too, and some devices do something when they are opened.
# What is behind a link is found out without opening it: by a descriptor of O_PATH of one's own, and fstat(2).
#
# Seen:
#   user 65534 cannot open it: Permission denied; root reads by his descriptor: secret
#   looked at without opening: regular file, 0600, user 0
#
# Needs python3 and root; installs nothing. Ends with 1 where it behaves otherwise, with 77 without root.
set -eu

[ "$(id -u)" -eq 0 ] || exit 77
exec python3 - <<'EOS'
import os
import stat
import sys
import tempfile

with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    path = f"{folder}/file"
    with open(path, "w") as file:
        file.write("secret")
    os.chmod(path, 0o600)
    (end, told), (wait, go) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(go)
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            os.open(path, os.O_RDONLY)
            refused = "it could"
        except OSError as error:
            refused = error.strerror
        os.write(told, f"{os.open(path, os.O_PATH)} {refused}".encode())
        os.read(wait, 1)
        os._exit(0)
    os.close(told)
    number, _, refused = os.read(end, 100).decode().partition(" ")
    link = f"/proc/{child}/fd/{number}"
    with open(link) as file:
        text = file.read()
    status = os.fstat(os.open(link, os.O_PATH))
    os.close(go)
    os.waitpid(child, 0)
print(f"user 65534 cannot open it: {refused}; root reads by his descriptor: {text}")
kind = "regular file" if stat.S_ISREG(status.st_mode) else "?"
print(f"looked at without opening: {kind}, {stat.S_IMODE(status.st_mode):04o}, user {status.st_uid}")
sys.exit(refused != "Permission denied" or text != "secret" or kind != "regular file")
EOS
