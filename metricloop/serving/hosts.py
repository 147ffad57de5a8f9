"""Which names a server answers to. A page of another site must not use a server that only this machine should reach."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from metricloop.serving.problems import KINDS, RefusedError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
NAME = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d*)?")


class Hosts:
    """The check of a request's headers Host, Origin and Sec-Fetch-Site.

    stated: names with commas between, "*" for any, "" for those of this machine if it is bound to them, else any.
    bound: the name and the address that the server is bound to.
    """

    def __init__(self, stated: str = "", bound: Collection[str] = ()) -> None:
        self.stated = {_name(each.strip()) for each in stated.split(",")} - {""}
        local = any(map(is_loopback, bound))
        self.checked = "*" not in self.stated and bool(self.stated or local)
        self.names = {*LOOPBACK, *self.stated, *(f"[{name}]" if ":" in name else name.lower() for name in bound)}

    def check(self, method: str, headers: Headers) -> None:
        """Errors: RefusedError when the request is meant for another name, or a page of another site posts it."""
        if not self.checked:
            return
        hosts = [host.lower() for host in headers.getlist("host")]
        if len(hosts) != 1 or _name(hosts[0]) not in self.names:
            raise RefusedError("wrong-host", KINDS["wrong-host"].example)
        if method == "POST" and (headers.get("sec-fetch-site") == "cross-site" or self._foreign(headers, hosts[0])):
            raise RefusedError("other-site", KINDS["other-site"].example)

    def _foreign(self, headers: Headers, host: str) -> bool:
        """Whether a page of another site sends it. Behind a proxy, Host may be of the proxy's making."""
        for origin in headers.getlist("origin"):
            try:
                site = urlsplit(origin.lower()).netloc
            except ValueError:
                return True
            if site != host and (not site or _name(site) not in self.stated):
                return True
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to `host`.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str:
    """A host without its port; "" when it is none."""
    found = NAME.fullmatch(host.lower())
    return found[1] if found else ""
