"""Help of the verb iface, as a whole and for each of its commands."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options

IFACE = """\
netalias [OPTION]... iface DEV [COMMAND [WORD]...]

The addresses of one device, IPv4 and IPv6, as a list in which each address stands once:

  show                        print the list (without a COMMAND, too)
  add ADDRESS[/BITS] [PEER]   add an address, a host without /BITS (/32, /128)
  add ADDRESS MASK PEER       the same with an IPv4 mask
  add! ...                    also set mask and peer of an address that is there
  delete ADDRESS              remove an address; rm is the same
  delete! ADDRESS             it need not be there; rm! is the same
  clear [inet | inet6]        remove what add and address keeping have left
  keep kernel | user | off    keep what others take away, for the sockets that are bound to it
  name NEW                    rename the device
  description TEXT            describe the device, with '' no more
  help [COMMAND]              print this text, or the line of a command

The device, its flags and each address are read from the kernel:

  ppp0 (idx 7) <UP,POINTOPOINT,NOARP> mtu 1492 has 3 addresses:
    inet 198.51.100.7/32 --> 198.51.100.1 negotiated
    inet 10.0.0.3/32 --> 255.255.255.255 manual
    inet6 2001:db8::3/64 manual

Addresses that others have set are negotiated and stand first, those of add are manual and stand
last, in the order in which they were added. 255.255.255.255 stands for no peer, here and as PEER.
Addresses of aliases have their names; they are changed by these names, and not by iface.

One address has a peer. The others that have it lose it when it is given to a new one, which is
there before: they become hosts that are no source of new connections (scope host, and
deprecated for IPv6).

The first negotiated address of each family cannot be removed while the device is up. clear then
leaves all negotiated ones; while the device is down it leaves only those of aliases.

What keep asks for lines of a file declare, too: DEV iface-alias kernel. Beside it DEV route default
via HISADDR src MYADDR and DEV proxyall on MAIN follow the addresses (netalias.conf(5)).

  --dry-run        print the steps without executing them
  --force          remove the address of this SSH session, too; add one that
                   floats
  --kill-sockets   end the sockets that are bound to an address that goes (ss -K): their programs
                   see an error at once, and not after a quarter of an hour. With delete! also
                   those of an address that is gone already

Exit status: 1 for wrong words, 2 for an address that is there already, or not there, and for one
that cannot be removed, 4 without CAP_NET_ADMIN.

Options: those above, -j -p -v -q --wait SECONDS -n NAME
"""


def usage(options: Options, device: str, words: list[str]) -> int:
    """Print the help of the verb, or the lines about one command; the exit status."""
    from netalias.cli.wrapping import wrapped

    if len(words) > 2:
        raise errors.UsageError("help takes one command", f"netalias iface {device} help add")
    text = IFACE if len(words) < 2 else "".join(_lines(words[1]))
    if not text:
        raise errors.UsageError(f"help {words[1]}: there is no such command")
    write(wrapped(text))
    return errors.STATUS_OK


def _lines(command: str) -> list[str]:
    command = {"rm": "delete", "rm!": "delete!"}.get(command, command)
    lines = IFACE.split("\n\n")[2].splitlines(keepends=True)
    return [line for line in lines if line.split()[0] == command]
