"""What an exchange of HTTP may end with instead of an answer. Whether it was carried out is then unknown, unless a line says so."""


class ExchangeFailed(Exception):
    """Base of them all."""


class ProxyRefused(ExchangeFailed):
    """The proxy does not lead to the endpoint: nothing was sent. ``status``: its answer to CONNECT; None: it gave none."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


class ProxyUnreachable(ExchangeFailed):
    """There is no connection to the proxy, ``host:port``: nothing was sent."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class NotTrusted(ExchangeFailed):
    """TLS was not agreed on, mostly because of the server's certificate: nothing was sent."""


class Unreachable(ExchangeFailed):
    """There is no connection to the endpoint: nothing was sent."""


class NotOpened(ExchangeFailed):
    """No connection was opened within ``seconds``: nothing was sent."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:g} s")
        self.seconds = seconds


class Late(ExchangeFailed):
    """The answer was not there within ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:g} s")
        self.seconds = seconds


class Damaged(ExchangeFailed):
    """What came is not a whole HTTP answer, or too large for one."""


class Closed(ExchangeFailed):
    """The connection ended before an answer began."""
