"""The order of the addresses of a device, where the announcements of the kernel do not give it.

The kernel announces an IPv6 address that needs no check, or that is used while it is checked, by a
queue of work, when it has been in its list for a while (addrconf_dad_work); and one that is made
while everything is read may be in the reading already. Labels are shown in the order of that list.
"""

from __future__ import annotations

from netalias.kernel.netlink import codec
from netalias.model import AF_INET6, IFA_F_OPTIMISTIC, IFA_F_TENTATIVE
from netalias.model.events import ADDRESS, address_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.kernel.netlink.subscription import Subscription
    from netalias.model import Address
    from netalias.model.events import State


def is_late(address: Address) -> bool:
    """Whether an address had been in the list for a while when it was first announced like this."""
    if address.family != AF_INET6:
        return False
    return address.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC) != IFA_F_TENTATIVE


def arrange(state: State, asked: Subscription, indexes: Iterable[int]) -> None:
    """Bring the addresses of these devices into the order in which the kernel has them, in the
    families in which more than one may be a label. Raises KernelError."""
    for index in indexes:
        found = [entry.address for _, entry in state.of(index, ADDRESS)]
        named = [one.family for one in found if ":" in one.label or one.metric]
        for family in sorted(set(named)):
            if named.count(family) > 1:
                body = codec.IFADDR.pack(family, 0, 0, 0, index)
                listed = asked.dump(codec.RTM_GETADDR, body)[-1]
                addresses = [
                    codec.read_address(data, start, end)
                    for kind, _, _, data, start, end in listed
                    if kind == codec.RTM_NEWADDR
                ]
                # That of IPv6 begins with the newest (ipv6_link_dev_addr).
                order = addresses[::-1] if family == AF_INET6 else addresses
                state.arrange(index, map(address_key, order))
