"""Which addresses a delivery may be sent to: public ones, and networks of one's own that the settings name.

A hook's address is typed by somebody and its name resolved by others: without this rule a delivery could be
sent to head office's own database, or to whatever answers on 169.254.169.254. The name is resolved once, all
it resolves to is looked at, and the connection goes to what was looked at.

    OutOfReach (ValueError)     an address that no delivery goes to, or a name that is none
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]
Resolve = Callable[[str, int], Sequence[str]]
NAT64 = IPv6Network("64:ff9b::/96")


class OutOfReach(ValueError):
    """An address that no delivery goes to, or a name that is none."""


def read_networks(text: str) -> Networks:
    """The networks in `text`, with spaces between them; ValueError."""
    return tuple(ip_network(one) for one in text.split())


def is_within_reach(address: str, own: Networks) -> bool:
    """Whether a delivery may go to `address`."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or _behind_nat64(ip) or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    return ip.is_global or any(ip in network for network in own)


def _behind_nat64(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator puts for one of the well-known prefix (RFC 6052, 2.1)."""
    return IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in NAT64 else None


def addresses_of(host: str, port: int) -> list[str]:
    """What the name resolves to; OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Reach:
    """How names are resolved, and which networks besides the public ones may be reached."""

    own: Networks = ()
    resolve: Resolve = addresses_of

    def address_of(self, host: str, port: int) -> str:
        """The address to connect to; OutOfReach."""
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise OutOfReach(f"{host} is no name of an address: {error}") from error
        for one in found:
            if not is_within_reach(one, self.own):
                raise OutOfReach(f"{host} is {one}: neither public nor among hook_networks of the settings")
        if not found:
            raise OutOfReach(f"{host} has no address")
        return found[0]
