#!/bin/sh
# Linux 6.18: an IPv6 address that stands is not always reachable yet, with nodad either.
#
# RTM_NEWADDR is acknowledged, and RTM_GETADDR shows the address without IFA_F_TENTATIVE, so that bind(2) takes it.
# Its route in table local follows from a work queue (addrconf_dad_work() of net/ipv6/addrconf.c, whatever the flags
# say). Until then the kernel takes a packet to the address for one to another host of that network: of 5000 addresses
# about one in a hundred is looked up as unicast just after the acknowledgement, and a datagram sent to it then is lost
# without an error. On a busy machine that lasts up to 20 ms. An IPv4 address has its local route at once.
#
# Needs root, unshare and python3 with pip, which installs pyroute2 0.9.4 into a temporary folder. Ends with 1 where it
# behaves otherwise.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" pyroute2==0.9.4 2>/dev/null
seen=$(PYTHONPATH=$folder unshare -n python3 - <<'EOF'
from pyroute2 import IPRoute

RTN_LOCAL = 2
IFA_F_NODAD, IFA_F_TENTATIVE = 2, 0x40

with IPRoute() as kernel:
    lo = kernel.link_lookup(ifname="lo")[0]
    kernel.link("set", index=lo, state="up")
    late = {4: 0, 6: 0}
    for number in range(5000):
        new = {4: (f"10.0.{number >> 8}.{number & 255}", 32), 6: (f"fd00::{number:x}", 128)}
        for version, (address, length) in new.items():
            flags = IFA_F_NODAD if version == 6 else 0
            kernel.addr("add", index=lo, address=address, prefixlen=length, flags=flags)
            late[version] += kernel.route("get", dst=address)[0]["type"] != RTN_LOCAL
    tentative = sum(bool(one.get_attr("IFA_FLAGS") & IFA_F_TENTATIVE) for one in kernel.get_addr(index=lo))
print("IPv4 late:", late[4], "IPv6 late:", "some" if late[6] else 0, "tentative:", tentative)
EOF
)
echo "$seen"
[ "$seen" = 'IPv4 late: 0 IPv6 late: some tentative: 0' ] || { echo 'It behaves otherwise now.' >&2 && exit 1; }
