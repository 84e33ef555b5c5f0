#!/bin/sh
# ifupdown 0.8.41 (Debian 12): a VLAN in a class makes the NAME=LOGICAL words after it unknown.
#
# interfaces(5) allows NAME=LOGICAL in lines that begin with auto and allow-. "ifup -a --allow=hotplug",
# which Debian's networking.service runs at boot, brings up "allow-hotplug eth1=home". But it looks whether the
# device below a VLAN is in the class too, and cuts every word of the class at its "=" while it looks
# (ignore_interface() of main.c). So with "allow-hotplug eth0.5 eth1=home" it says
#   ifup: unknown interface eth1
# and ends with 1; eth1 stays down. With the two words exchanged, or with auto, eth1 comes up.
#
# Needs apt-get and dpkg; installs nothing and changes nothing (--no-act). Ends with 1 where it behaves
# otherwise, with 77 where the package cannot be had.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download ifupdown=0.8.41 2>/dev/null || exit 77
dpkg -x ifupdown_*.deb .

ask() { # WORDS OF THE CLASS: what ifup would configure, or does not know
	cat >interfaces <<-END
		allow-hotplug $*
		iface eth0.5 inet manual
		iface home inet manual
	END
	sbin/ifup --no-act --verbose --no-scripts --state-dir state -i interfaces -a --allow=hotplug 2>&1 |
		sed -n 's/^ifup: \(configuring\|unknown\) interface \([^ ]*\).*/\1 \2/p' | paste -sd ' '
}
{
	ask eth1=home eth0.5
	ask eth0.5 eth1=home
} >seen
cat seen
cat >expected <<'END'
configuring eth1=home configuring eth0.5=eth0.5
configuring eth0.5=eth0.5 unknown eth1
END
cmp -s seen expected || { echo 'It behaves otherwise now.' >&2 && exit 1; }
