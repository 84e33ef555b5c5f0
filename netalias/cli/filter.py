"""The verb filter: which frames either end of a link wants to get."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import narrow, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.cli import Options
    from netalias.filters import Filters
    from netalias.runtime.links import Served

TAP = "tap"
"""The content of a link with frames of Ethernet in its record."""
EXAMPLE = "netalias filter tap0"


def filter_(options: Options, words: list[str]) -> int:
    """Print the filters of links, or those that the devices *words* would ask for, or the messages
    that ask for them; the exit status."""
    if not options.netns:
        return _filter(options, words)
    from netalias.system.netns import entered

    with entered(options.netns):
        return _filter(options, words)


def _filter(options: Options, words: list[str]) -> int:
    from netalias.views import json

    if options.print:
        return _messages(options, words)
    from netalias.filters import texts
    from netalias.views import filters as views

    found = [views.of_link(one, _dropped(one)) for one in _links(options, words)]
    known = {str(one["ifname"]) for one in found}
    others = [word for word in words if word not in known]
    asked = _asked(others, options.link_local)
    found += [views.of_device(name, texts.lists(one)) for name, one in asked]
    if options.json:
        write(json.render(found, pretty=options.pretty))
    elif found:
        narrow(views.HEADINGS, views.rows(found), "netalias -j filter", views.DROPPED)
    return errors.STATUS_OK


def _links(options: Options, words: Sequence[str]) -> list[Served]:
    """The records of links with frames of Ethernet, of all or of the devices *words*."""
    from netalias.cli.link import recorded

    served = [one for one in recorded(options, []) if one.content == TAP]
    return [one for one in served if not words or one.name in words]


def _dropped(served: Served) -> int:
    """The frames that a link did not carry since its peer has set the first filter."""
    from netalias.model.names import number
    from netalias.tunnels.filter import dropped

    (words,) = served.links
    before = number(words.get("dropped_before", ""), 20)
    kernel = dropped(served.name) - before if before >= 0 else 0
    return max(0, kernel) + max(0, number(words.get("filtered", ""), 20))


def _asked(names: Sequence[str], link_local: bool) -> list[tuple[str, Filters]]:
    """The filters that devices ask for by their addresses. Raises NoSuchDevice, KernelError."""
    if not names:
        return []
    from netalias.filters import wants
    from netalias.kernel.netlink.monitor import Monitor

    monitor = Monitor(media=False)
    try:
        for _ in monitor.start():
            pass
        indexes = {
            name: device.index
            for device in monitor.state.devices()
            for name in (device.name, *device.altnames)
        }
        missing = [name for name in names if name not in indexes]
        if missing:
            raise errors.NoSuchDevice(f"{missing[0]}: there is no such device")
        return [
            (name, wants.filters(monitor.state, indexes[name], link_local=link_local))
            for name in names
        ]
    finally:
        monitor.close()


def _messages(options: Options, words: list[str]) -> int:
    """Print the messages of BNEP that ask for the filters of one device."""
    if len(words) != 1:
        raise errors.UsageError("filter --print needs one device", f"{EXAMPLE} --print")
    from netalias.filters import bnep, texts
    from netalias.views import filters as views
    from netalias.views import json

    ((name, wanted),) = _asked(words, options.link_local)
    packets = list(bnep.both(wanted))
    if options.json:
        found = views.messages(name, texts.lists(wanted), packets)
        write(json.render(found, pretty=options.pretty))
    else:
        write("".join(f"{packet.hex(' ')}\n" for packet in packets))
    return errors.STATUS_OK
