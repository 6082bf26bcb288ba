"""Who may read and act over HTTP: by the name that a request is sent to, and by its token."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import ceil

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api_tokens import parsed_tokens
from service.config import Settings, variable_name
from service.escape import escaped
from service.hosts import host_of
from service.http_api.problems import HttpProblem, problem_answer
from service.http_api.wrong_tokens import WrongTokens

TOKEN_VARIABLE = variable_name("api_token")
HOSTS_VARIABLE = variable_name("http_hosts")


@dataclass(frozen=True, slots=True)
class Access:
    """What the settings allow."""

    owners: Mapping[str, str] = field(default_factory=dict)
    """Whose each token is, by token. Without one, whatever needs a token is refused."""
    reads_need_token: bool = True
    """Whether what shows items, or texts of people, needs a token as an action does."""
    hosts: frozenset[str] = frozenset()
    """Names, in lower case, that a request may be sent to beside this machine's own and IP addresses."""


def access_of(settings: Settings) -> Access:
    """Reads are open only where no other machine can reach the port: bound to a loopback address, and neither a proxy nor a further
    host named. A proxy that is not named needs a further host, unless it hides the one that it was asked for."""
    owners = parsed_tokens(settings.api_token.get_secret_value()) if settings.api_token else {}
    hosts = {name.strip().lower() for name in f"{settings.http_host},{settings.http_hosts or ''}".split(",")} - {""}
    reached = not _is_loopback(settings.http_host) or bool(settings.http_proxies) or bool(settings.http_hosts)
    return Access(owners, reached, frozenset(hosts))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HostCheck:
    """ASGI middleware: answers 421 to a request that was sent to another name than ours.

    A page of a name whose address is changed to ours (DNS rebinding) would otherwise read everything: the browser takes us for the
    page's own server. An IP address is no such name.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(given) != 1 or not self._is_ours(host_of(f"//{given[0]}")):
                name = escaped(", ".join(given))[:100] or "(none)"
                refusal = problem_answer(
                    421, "Another host", f"the Host {name} is not this service's: name it in {HOSTS_VARIABLE}"
                )
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        if host == "localhost" or host.endswith(".localhost") or host in self._hosts:
            return True
        try:
            ip_address(host)
        except ValueError:
            return False
        return True


Required = Callable[..., Awaitable[str]]
"""A dependency of a path: whose token the request has sent, or a problem document."""


def token_required(access: Access, wrong_tokens: WrongTokens) -> Required:
    """For whatever acts."""

    async def owner(
        request: Request,
        given: HTTPAuthorizationCredentials | None = Depends(HTTPBearer(auto_error=False)),  # noqa: B008 - FastAPI's way
    ) -> str:
        if not access.owners:
            raise HttpProblem(403, "No token configured", f"set {TOKEN_VARIABLE} for the service to allow this request")
        if given is None:
            raise HttpProblem(401, "Token missing", "send the header Authorization: Bearer <token>")
        name = _owner(access.owners, given.credentials)
        if name is None:
            raise _wrong(wrong_tokens.count(request.client.host if request.client else ""))
        return name

    return owner


def _wrong(wait_seconds: float) -> HttpProblem:
    """A right token is never kept waiting: a guesser and the operator may come from one address."""
    if wait_seconds == 0:
        return HttpProblem(401, "Token wrong", f"the token is not in the service's {TOKEN_VARIABLE}")
    wait = str(ceil(wait_seconds))
    return HttpProblem(429, "Too many wrong tokens", f"try again in {wait} s", headers={"Retry-After": wait})


def token_to_read(access: Access, required: Required) -> list[object]:
    """The dependencies of a path that only shows."""
    return [Depends(required)] if access.reads_need_token else []


def _owner(owners: Mapping[str, str], given: str) -> str | None:
    """Compared with every token, and each in constant time, so that the time of an answer says nothing."""
    found = [name for token, name in owners.items() if hmac.compare_digest(given.encode(), token.encode())]
    return found[0] if found else None
