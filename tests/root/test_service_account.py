"""The user of the service owns /run/netalias, and puts there what he likes: a command of root ends,
with a reason if it changes nothing, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import COMMAND, Command
from support import another_user

SCRIPT = """
mount -t tmpfs tmpfs /run && chmod 755 /run && cd /run && mkdir netalias && echo kept >victim
chmod 600 victim && chown 65534 netalias
home=netalias/$(stat -Lc %i /proc/self/ns/net)
as() { setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"; }
for name in lock namespace settings pending; do
    for what in "mkfifo" "ln -s /run/victim" "ln /run/victim" "mkdir"; do
        rm -rf "$home" && as mkdir "$home" && as $what "$home/$name" 2>/dev/null
        timeout 60 "$@" lo:1 127.9.9.9 2>>errors
        echo "$? $name $what"
    done
done
rm -rf "$home" && as ln -s /run "$home"
"$@" lo:1 127.9.9.9 2>>errors
echo "$? link"
as rm "$home" && "$@" lo:1- && "$@" lo:1 127.9.9.9
echo "$? $(stat -c '%a %u' victim) $(cat victim)"
cat errors
"""


FORGED = """
mount -t tmpfs tmpfs /run && chmod 755 /run && cd /run && mkdir netalias && chown 65534 netalias
home=netalias/$(stat -Lc %i /proc/self/ns/net)
as() { setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"; }
echo lo:1 127.9.9.9 >conf
as mkdir "$home"
user="setpriv --reuid 65534 --regid 65534 --clear-groups"
$user flock -F "$home/guard.lock" sleep 600 >errors 2>&1 &
guard=$!
trap 'kill $guard' EXIT
timeout 60 sh -c "while flock -n $home/guard.lock true; do sleep 0.01; done"
start=$(cut -d ' ' -f 22 /proc/$guard/stat)
printf 'pid %s\\nstart %s\\ndeadline 9e9\\ndigest beef\\nsince noon\\n' $guard $start |
    as tee "$home/pending" >pending
"$@" reconcile conf
echo "$? reconcile"
"$@" confirm
echo "$? confirm"
cmp pending "$home/pending"
echo "$? pending"
"""


@pytest.mark.skipif(not another_user(), reason="one user only")
def test_a_guard_of_his(cli: Command, tmp_path: Path) -> None:
    """Root does not wait for it, and says so; nor does it take it away from him."""
    script = tmp_path / "script"
    script.write_text(FORGED)
    cli.namespace.raise_lo()
    done = cli.namespace.run(["unshare", "--mount", "sh", str(script), *COMMAND], check=False)
    assert [line for line in done.stdout.splitlines() if line[0].isdigit()] == [
        "0 reconcile",
        "2 confirm",
        "0 pending",
    ]
    told = "/pending: user 65534 has written it: it counts for nothing"
    assert done.stderr.count(told) == 2
    assert "nothing waits for a confirmation" in done.stderr


@pytest.mark.skipif(not another_user(), reason="one user only")
def test_what_stands_in_the_way(cli: Command, tmp_path: Path) -> None:
    """FIFOs, links, hard links and folders in the place of files, and a link as the folder."""
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    cli.namespace.raise_lo()
    done = cli.namespace.run(["unshare", "--mount", "sh", str(script), *COMMAND], check=False)
    *tried, linked, last = [line for line in done.stdout.splitlines() if line[0].isdigit()]
    assert len(tried) == 16, done
    assert {line.split()[0] for line in tried} <= {"0", "2"}, tried
    assert [line for line in tried if " lock " in line and line[0] != "2"] in (
        [],
        ["0 lock ln /run/victim"],  # fs.protected_hardlinks
    )
    assert linked == "2 link"
    assert last == "0 600 0 kept"
    assert "this is a bug" not in done.stdout
