#!/bin/sh
# etcd 3.4.23: a transaction that only compares is not linearizable.
#
# isTxnSerializable() of etcdserver/v3_server.go looks for a range that is not serializable among the operations; in a
# transaction without any it finds none, so the comparison is answered from what this member has applied. A member that is
# cut off from the others answers it for ever, and whoever takes a comparison of a key that hangs on a lease for a proof
# that the lease is there is told so long after others have seen it go. With one range beside it (count_only will do) the
# same transaction waits for a quorum, and fails without one. https://etcd.io/docs/v3.4/learning/api_guarantees/ promises
# linearizability for all operations but watches and serializable ranges.
#
# Seen:
#   cut off for 3 s: a comparison alone: True; with a key counted beside it: None
#
# Needs apt-get, dpkg, python3, ip and unshare; root, or user namespaces; installs nothing. Ends with 1 where it behaves
# otherwise, with 77 where the package cannot be had.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && apt-get -qq download etcd-server=3.4.23-4+b4 2>/dev/null) || exit 77
dpkg -x "$folder"/etcd-server_*.deb "$folder"
ETCD=$folder/usr/bin/etcd
export ETCD
user=
[ "$(id -u)" -eq 0 ] || user='--user --map-root-user'

# shellcheck disable=SC2086 # two words or none
unshare $user -n --fork --kill-child sh -c 'ip link set lo up; exec python3 -' <<'EOS'
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
cluster = ",".join(f"m{one}=http://{one}:2380" for one in hosts)


def ask(path, fields, seconds):
    connection = http.client.HTTPConnection(hosts[2], 2379, timeout=seconds)
    connection.request("POST", path, json.dumps(fields))
    return json.loads(connection.getresponse().read())


def compare(ranges, seconds=10):
    created = {"key": "YQ==", "target": "CREATE", "create_revision": revision}
    return ask("/v3/kv/txn", {"compare": [created], "success": ranges, "failure": ranges}, seconds)


with tempfile.TemporaryDirectory() as folder:
    members = [
        subprocess.Popen(
            [os.environ["ETCD"], f"--name=m{one}", f"--data-dir={folder}/{one}", "--initial-cluster=" + cluster,
             f"--listen-client-urls=http://{one}:2379", f"--advertise-client-urls=http://{one}:2379",
             f"--listen-peer-urls=http://{one}:2380", f"--initial-advertise-peer-urls=http://{one}:2380"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for one in hosts
    ]
    try:
        for _ in range(100):
            try:
                revision = ask("/v3/kv/put", {"key": "YQ=="}, 5)["header"]["revision"]
                break
            except (OSError, KeyError):
                time.sleep(0.2)
        counted = [{"request_range": {"key": "YQ==", "count_only": True}}]
        assert compare([])["succeeded"] and compare(counted)["succeeded"]
        for one in members[:2]:
            one.send_signal(signal.SIGSTOP)
        time.sleep(3)
        bare = compare([]).get("succeeded")
        try:
            beside = compare(counted).get("succeeded")
        except TimeoutError:
            beside = None
    finally:
        for one in members:
            one.kill()
            one.wait()

print(f"cut off for 3 s: a comparison alone: {bare}; with a key counted beside it: {beside}")
sys.exit(0 if bare and not beside else 1)
EOS
