"""The tour of ``make cluster-demo``: an engine, five hosts, a host that dies, and the verdict."""

from __future__ import annotations

import time

from engine_faults import netalias
from judge import Verdict
from scene import Scene

BAR = 40
"""Characters of the longest bar."""


def tour(scene: Scene) -> int:
    """Show it; the exit status is that of the verdict."""
    count, hosts = len(scene.addresses), len(scene.hosts)
    say(f"{count} addresses float over {hosts} hosts; {len(scene.members.hosts)} members of etcd.")
    begin = time.monotonic()
    scene.until(scene.even, "all addresses stand")
    say(f"They stand after {time.monotonic() - begin:.1f} s:")
    spread(scene)
    first = scene.hosts[0]
    command = netalias(scene).command(first, "cluster", "hosts")
    say(f"netalias cluster hosts, on {first.name}:\n{command}")
    observed = scene.observed()
    time.sleep(1)
    say(f"kill -9 of watcher and agent of {first.name}. Its addresses run out in its kernel;")
    say(f"the others may have them {scene.holders.lifetime:.1f} s after its last proof, at most:")
    killed = observed.mark("killed")
    scene.holders.kill(first)
    scene.until(lambda: scene.whole(scene.hosts[1:]), "the others have them")
    spread(scene)
    say(f"{first.name} is started again, and gets its share back, gently:")
    started = observed.mark("started")
    scene.holders.start(first)
    scene.until(scene.even, "all hosts have their shares")
    spread(scene)
    frames, connections = observed.end()
    tell(frames, connections, killed, started)
    limit = scene.holders.lifetime + 1
    longest = frames.longest
    return 0 if frames.proven and (longest is None or longest.seconds <= limit) else 1


def tell(frames: Verdict, connections: Verdict, killed: float, started: float) -> None:
    """The verdict, in words."""
    say(f"The trace: {frames.seconds:.0f} s, {frames.answers} answers to ARP and ND, none lost,")
    say(
        f"  {connections.answers} connections, {frames.claims} announcements, {frames.moves} moves."
    )
    for what, verdict in (("ARP and ND", frames), ("TCP", connections)):
        for when, begin, end in (
            ("of the dead host", killed, started),
            ("of those that moved back", started, time.time()),
        ):
            gap = verdict.between(begin, end)
            seconds = gap.seconds if gap is not None else 0.0
            say(f"  {what}: the addresses {when} were silent for {seconds:.2f} s at most")
    doubles = len({one.address for one in frames.doubles})
    say(f"Addresses for which two hosts have answered at any instant: {doubles}.")


def spread(scene: Scene) -> None:
    """A bar for each host."""
    shares = scene.shares()
    most = max(shares) or 1
    for host, share in zip(scene.hosts, shares, strict=True):
        say(f"  {host.name} {share:4} {'#' * round(BAR * share / most)}")


def say(text: str) -> None:
    """A line at once."""
    print(text, flush=True)
