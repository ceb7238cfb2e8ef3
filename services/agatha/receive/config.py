"""What the receiver is told: who may talk to it, how much at once, how long it waits.

Decides which combinations make no sense. Plain values; where they come from is the composition root's business.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
# PS3.8 Annex D.1: 0 would mean "no limit". Below a few kilobytes every image would be thousands of PDUs.
MIN_PDU_BYTES: Final = 4096
MAX_PDU_BYTES: Final = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveConfig:
    """Settings of one listener.

    Parameters
    ----------
    bind, port
        Address to listen on; port 0 takes a free one.
    allowed_calling_ae_titles
        Who may call; empty lets any AE title pass, for a title is a name, not a proof.
    allowed_networks
        Networks, as ``10.1.0.0/16``, whose addresses may connect at all; only loopback unless said otherwise.
    max_associations, max_associations_per_peer
        Established at the same time, in all and from one address. Half-open connections do not count.
    max_half_open
        Connections that have not asked for an association yet; one more drops the oldest of them.
    max_pdu_bytes
        What we announce as maximum length received (PS3.8 Annex D.1), and enforce.
    max_instance_bytes
        A data set that grows beyond this aborts its association.
    associate_timeout_s
        From the connection to a complete A-ASSOCIATE-RQ (the ARTIM timer of PS3.8 Section 9.1.5).
    pdu_timeout_s
        From the first byte of a PDU to its last; also how long a peer may leave our answer unread.
    idle_timeout_s
        Without any PDU from an associated peer.
    drain_timeout_s
        How long `stop` lets running transfers go on.
    disk_reserve_bytes
        Room that instances may not use; below it they are refused as out of resources.
    """

    ae_title: str = "AGATHA"
    bind: str = "127.0.0.1"
    port: int = 11112
    allowed_calling_ae_titles: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = LOOPBACK
    max_associations: int = 32
    max_associations_per_peer: int = 16
    max_half_open: int = 64
    max_pdu_bytes: int = 128 * 1024
    max_instance_bytes: int = 4 * 2**30
    associate_timeout_s: float = 10.0
    pdu_timeout_s: float = 20.0
    idle_timeout_s: float = 60.0
    drain_timeout_s: float = 20.0
    disk_reserve_bytes: int = 2**30
    networks: tuple[IPv4Network | IPv6Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.ae_title.strip()) <= 16 or not self.ae_title.isascii() or "\\" in self.ae_title:
            raise ValueError(
                f"AE title {self.ae_title!r} must be 1 to 16 ASCII characters without backslash (PS3.5 6.2)"
            )
        if not MIN_PDU_BYTES <= self.max_pdu_bytes <= MAX_PDU_BYTES:
            raise ValueError(f"max_pdu_bytes must be {MIN_PDU_BYTES} to {MAX_PDU_BYTES}, got {self.max_pdu_bytes}")
        counts = (self.max_associations, self.max_associations_per_peer, self.max_half_open, self.max_instance_bytes)
        times = (self.associate_timeout_s, self.pdu_timeout_s, self.idle_timeout_s)
        if min(counts) < 1 or min(times) <= 0 or min(self.drain_timeout_s, self.disk_reserve_bytes) < 0:
            raise ValueError("limits must be at least 1, time-outs above 0 s, drain time and reserve not negative")
        networks = tuple(ip_network(network.strip(), strict=False) for network in self.allowed_networks)
        object.__setattr__(self, "networks", networks)

    def allows_address(self, address: str) -> bool:
        """Say whether a peer's address lies in an allowed network; IPv4 mapped into IPv6 counts as IPv4."""
        peer: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
        if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self.networks)

    def allows_calling_ae_title(self, ae_title: str) -> bool:
        """Say whether a calling AE title is on the list, or there is no list; outer spaces do not count (PS3.5 6.2)."""
        allowed = {title.strip() for title in self.allowed_calling_ae_titles}
        return not allowed or ae_title.strip() in allowed
