"""A made-up host with 300 aliases, in the files of several formats."""

from __future__ import annotations

MAIN = "eth0"
OWN = "192.0.2.1/24"
OWN6 = "2001:db8:9::1/64"
"""Of the main device in a list without marks, where the first address of a family is its own."""


def stanzas() -> list[tuple[str, str]]:
    """Name and address of each alias: hosts, one network of many, networks of one, IPv6."""
    alone = [f"10.1.0.{number}/32" for number in range(1, 121)]
    shared = [f"10.2.0.{number}/25" for number in range(1, 101)]
    networks = [f"10.3.{number}.1/24" for number in range(1, 61)]
    found = [(f"{MAIN}:{slot}", one) for slot, one in enumerate([*alone, *shared, *networks])]
    found += [(f"{MAIN}:{400 + number}", f"2001:db8:5::{number}/64") for number in range(1, 16)]
    return [*found, (f"{MAIN}:web", "10.9.0.80/32")]


BY_COMMAND = [(f"{MAIN}:{slot}", f"10.4.0.{slot - 299}/32") for slot in range(300, 305)]
"""Labels that lines of the main device's stanza add."""
DUPLICATE = (f"{MAIN}:299", "10.1.0.7/32")
"""A second name of an address."""
ALL = [*BY_COMMAND, *stanzas(), DUPLICATE]
"""In the order of the old file."""
Files = dict[str, str]


def interfaces() -> Files:
    """ifupdown, with commands of the main device's stanza."""
    text = f"auto {MAIN}\niface {MAIN} inet static\n    address {OWN}\n"
    text += "".join(
        f"    up ip addr add {address} dev {MAIN} label {name}\n" for name, address in BY_COMMAND
    )
    for name, address in [*stanzas(), DUPLICATE]:
        family = "inet6" if ":" in address else "inet"
        text += f"\nauto {name}\niface {name} {family} static\n    address {address}\n"
    return {"etc/network/interfaces": f"{text}\n"}


def ifcfg_rh() -> Files:
    """network-scripts: a file for each label; IPv6 addresses have none, and stand in the first."""
    folder = "etc/sysconfig/network-scripts"
    six = " ".join(address for _, address in ALL if ":" in address)
    text = f"IPADDR={OWN.replace('/', chr(10) + 'PREFIX=')}\nIPV6ADDR={OWN6}\n"
    text += f'IPV6ADDR_SECONDARIES="{six}"\n'
    found = {f"{folder}/ifcfg-{MAIN}": f"DEVICE={MAIN}\n{text}"}
    for name, address in ALL:
        if ":" not in address:
            text = f"IPADDR={address.replace('/', chr(10) + 'PREFIX=')}\n"
            found[f"{folder}/ifcfg-{name}"] = f"DEVICE={name}\n{text}"
    return found


def ifcfg_suse() -> Files:
    """wicked: variables of one file."""
    text = f"STARTMODE=auto\nBOOTPROTO=static\nIPADDR={OWN}\nIPADDR_own6={OWN6}\n"
    for number, (name, address) in enumerate(ALL):
        text += f"IPADDR_{number}={address}\nLABEL_{number}={name.partition(':')[2]}\n"
    return {f"etc/sysconfig/network/ifcfg-{MAIN}": text}


def netplan() -> Files:
    """A list of mappings with a label each."""
    text = f"network:\n  ethernets:\n    {MAIN}:\n      addresses:\n"
    text += f"        - {OWN}\n        - {OWN6}\n"
    for name, address in ALL:
        text += f'        - "{address}":\n            label: "{name}"\n'
    return {"etc/netplan/50-host.yaml": text}


def networkd() -> Files:
    """systemd.network(5): a section for each label."""
    text = f"[Match]\nName={MAIN}\n\n[Network]\nAddress={OWN}\nAddress={OWN6}\n"
    for name, address in ALL:
        text += f"\n[Address]\nAddress={address}\nLabel={name}\n"
    return {"etc/systemd/network/10-eth0.network": text}


def keyfile() -> Files:
    """NetworkManager: numbered addresses of two families."""
    text = f"[connection]\nid={MAIN}\ninterface-name={MAIN}\n"
    for section, own, six in (("ipv4", OWN, False), ("ipv6", OWN6, True)):
        every = [own, *(address for _, address in ALL if (":" in address) is six)]
        text += f"\n[{section}]\nmethod=manual\n"
        text += "".join(f"address{number}={one}\n" for number, one in enumerate(every, 1))
    return {"etc/NetworkManager/system-connections/eth0.nmconnection": text}


def rc_inet1() -> Files:
    """Slackware: a list of labels, which it numbers itself, and one of IPv6 addresses."""
    four = " ".join(address for _, address in ALL if ":" not in address)
    six = " ".join(address for _, address in ALL if ":" in address)
    text = f'IFNAME[0]="{MAIN}"\nIPADDRS[0]="{OWN}"\nIPALIASES[0]="{four}"\n'
    return {"etc/rc.d/rc.inet1.conf": f'{text}IP6ADDRS[0]="{OWN6} {six}"\n'}
