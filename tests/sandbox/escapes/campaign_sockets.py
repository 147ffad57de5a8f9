"""The campaign, 3: metrics that were written to reach a socket, of this machine or another."""

from __future__ import annotations

from prelude import any_of, call, ctypes, libc, os, socket, struct
from probe import SCORE, Family

SOCKETS = Family("sockets", "arrived", SCORE)


@SOCKETS()
def libraries_of_python(known):
    """http.client, ftplib, smtplib and xmlrpc."""
    import ftplib
    import http.client
    import smtplib

    port = known["tcp"]
    return any_of(
        [
            lambda _: http.client.HTTPConnection("127.0.0.1", port, timeout=0.2).request("GET", "/"),
            lambda _: ftplib.FTP().connect("127.0.0.1", port, 0.2),
            lambda _: smtplib.SMTP("127.0.0.1", port, timeout=0.2),
        ],
        [0],
    )


@SOCKETS()
def data_from_an_address(known):
    """numpy.DataSource fetches an address as if it were a file."""
    from numpy.lib.npyio import DataSource

    socket.setdefaulttimeout(0.3)
    return any_of([lambda path: DataSource(None).open(path)], [f"http://127.0.0.1:{known['tcp']}/x.txt"])


@SOCKETS(lacks="pandas")
def table_from_an_address(known):
    """pandas.read_csv of an address."""
    import pandas

    socket.setdefaulttimeout(0.3)
    return any_of([lambda path: len(pandas.read_csv(path))], [f"http://127.0.0.1:{known['tcp']}/x.csv"])


@SOCKETS(lacks="a video library with a network")
def film_from_an_address(known):
    """cv2.VideoCapture opens streams with C code of its own."""
    import cv2

    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "timeout;200000"
    return any_of([lambda path: cv2.VideoCapture(path).isOpened()], [f"tcp://127.0.0.1:{known['tcp']}"])


@SOCKETS()
def log_to_a_server(known):
    """The handlers of logging: a socket, a datagram, a system log."""
    import logging
    import logging.handlers

    handlers = [
        lambda: logging.handlers.SocketHandler("127.0.0.1", known["tcp"]),
        lambda: logging.handlers.DatagramHandler("127.0.0.1", known["udp"]),
        lambda: logging.handlers.SysLogHandler(known["datagram"]),
    ]
    logging.raiseExceptions = False
    return any_of([lambda make: make().emit(logging.makeLogRecord({"msg": "stolen"}))], handlers)


@SOCKETS()
def client_of_multiprocessing(known):
    """multiprocessing.connection, over a path and over TCP."""
    from multiprocessing.connection import SocketClient

    return any_of([lambda address: SocketClient(address).fileno()], [known["stream"], ("127.0.0.1", known["tcp"])])


@SOCKETS()
def raw_of_every_kind(known):
    """socket and connect by raw calls, with every type of TCP there is: also MPTCP, SCTP, and non-blocking."""
    address = struct.pack("=H", 2) + struct.pack(">H", known["tcp"]) + bytes([127, 0, 0, 1]) + bytes(8)

    def reach(kind):
        number = call("socket", 2, *kind)
        return call("connect", number, address, 16) == 0

    return any_of([reach], [(1, 0), (1, 262), (1, 132), (1 | 0o2000000, 6), (5, 132)])


@SOCKETS()
def by_the_mapped_address(known):
    """IPv6 with a mapped address, the empty host, and 0.0.0.0."""

    def reach(where):
        return socket.create_connection((where, known["tcp"]), timeout=0.3).fileno()

    return any_of([reach], ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "127.1"])


@SOCKETS(hidden="outside descriptor 3 is no socket")
def answer_channel_elsewhere(known):
    """Connect the socket of the answers to somebody else, also after dissolving it, and send with an address."""
    path = struct.pack("=H", 1) + known["datagram"].encode() + b"\0"
    message = struct.pack("QIxxxxQQQQi", ctypes.addressof(ctypes.create_string_buffer(path)), len(path), 0, 0, 0, 0, 0)
    ways = [
        lambda n: call("connect", n, path, len(path)),
        lambda n: call("connect", n, bytes(16), 16),
        lambda n: call("sendto", n, b"x", 1, 0, path, len(path)),
        lambda n: call("sendmsg", n, message, 0),
    ]
    return any_of(ways, [3, 0, 1])


@SOCKETS()
def pair_sent_elsewhere(known):
    """A pair of datagram sockets, one end of which sends to a path."""

    def send(kind):
        return socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b"x", known["datagram"])

    return any_of([send], [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])


@SOCKETS()
def abstract_names(known):
    """Abstract names, which no file system guards: stream, datagram, and bound by the kernel."""

    def reach(kind):
        made = socket.socket(socket.AF_UNIX, kind)
        made.bind("")
        made.connect("\0" + known["abstract"])
        return made.send(b"x")

    return any_of([reach], [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])


@SOCKETS(hidden="a socket is opened as a file nowhere")
def socket_as_a_file(known):
    """Open a socket's path as a file, by name and through /proc."""
    return any_of(
        [lambda path: os.write(os.open(path, os.O_RDWR), b"x"), lambda path: os.open(path, os.O_PATH) < 0],
        [known["stream"], known["datagram"], "/dev/log", "/run/systemd/journal/socket"],
    )


@SOCKETS(effect="claimed")
def rarer_kinds(known):
    """Sockets of virtual machines, of the kernel's cryptography, of netlink, Bluetooth, packets and XDP."""
    kinds = [
        (40, 1, 0),
        (38, 5, 0),
        (16, 3, 0),
        (16, 3, 15),
        (31, 1, 3),
        (17, 3, 0x300),
        (44, 3, 0),
        (30, 1, 0),
        (41, 5, 0),
    ]
    return any_of([lambda kind: libc.socket(*kind) >= 0], kinds)


@SOCKETS(effect="claimed")
def server(known):
    """Listen, and let others come: socketserver, asyncio."""
    import socketserver

    return any_of([lambda _: socketserver.TCPServer(("127.0.0.1", 0), None).fileno() >= 0], [0])


@SOCKETS(effect="claimed", lacks="a resolver")
def name_server(known):
    """Look up a name by getaddrinfo, gethostbyname and the resolver of the C library."""
    return any_of(
        [lambda name: bool(socket.getaddrinfo(name, 80)), lambda name: bool(socket.gethostbyname(name))], ["localhost"]
    )


@SOCKETS(effect="claimed", lacks="io_uring")
def socket_of_a_ring(known):
    """Have a ring make the socket (IORING_OP_SOCKET)."""
    room = ctypes.create_string_buffer(120)
    ring = call("io_uring_setup", 4, room)
    return ring >= 0


@SOCKETS()
def program_that_talks(known):
    """Start a program that has a network: Python, curl, a shell's /dev/tcp."""
    import subprocess
    import sys

    code = f"import socket; socket.create_connection(('127.0.0.1', {known['tcp']}))"
    shell = f"echo x > /dev/tcp/127.0.0.1/{known['tcp']}"
    return any_of(
        [lambda argv: subprocess.run(argv, check=False).returncode == 0],
        [[sys.executable, "-S", "-c", code], ["/bin/bash", "-c", shell]],
    )


@SOCKETS()
def older_calls(known):
    """socketcall and the 32-bit numbers of socket and connect."""
    address = struct.pack("=H", 2) + struct.pack(">H", known["tcp"]) + bytes([127, 0, 0, 1]) + bytes(8)
    number = libc.socket(2, 1, 0)
    return any_of([lambda n: libc.connect(n, address, 16) == 0], [number])
