"""The browser, and the real HTTP side on a real port, with a view whose state a test sets."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from service.clock import SystemClock
from service.config import Settings
from service.core.phases.gate import GateClosed
from service.errors import Fatal
from service.http_api.events import ConsoleEvents
from service.http_api.server import serve_http
from service.rehearsal.servers.local_servers import free_port
from tests.console.states import CLOSED, STATES
from tests.fakes.http_view import FakePhases, FakeView
from tests.fakes.servers import required

expect.set_options(timeout=120_000)  # a page on a loaded machine is slow, and no worse for it

TOKEN = "the-right-token-of-alice"
PHONE = {"width": 360, "height": 740}
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">" + "long" * 200


def violations(page: Page) -> list[str]:
    """What axe finds on the page, its rule and the first element of each; nothing is left out."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found]


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


class ConsolePhases(FakePhases):
    """Refuses every move with the reasons of a closed gate, unless a test sets otherwise; records holds."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal = GateClosed(CLOSED)
        self.held: list[str] = []

    async def hold(self, why: str, *, by: str = "") -> dict[str, Any]:
        self.by.append(by)
        self.held.append(why)
        return {"hold": why}


class ConsoleView(FakeView):
    """A view that shows ``document``, or fails with ``failure_to_read``."""

    def __init__(self) -> None:
        super().__init__()
        self.phases: ConsolePhases = ConsolePhases()
        self.document = STATES["ready"][0]
        self.failure_to_read: Fatal | None = None
        self._console = ConsoleEvents(self._take, SystemClock())

    def events(self) -> AsyncIterator[bytes] | None:
        return self._console.listen()

    async def close(self) -> None:
        await self._console.close()

    async def _take(self) -> dict[str, Any]:
        if self.failure_to_read:
            raise self.failure_to_read
        return self.document


class Service:
    """The HTTP side in a thread of its own; it can be stopped, and started again on the same port."""

    def __init__(self, proxies: str | None = None) -> None:
        """``proxies``: with one named, reads need a token too."""
        self._proxies = proxies
        self.view = ConsoleView()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread()

    def start(self) -> None:
        """Return once it answers."""
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)))
        self._thread.start()
        assert listening.wait(300)

    def stop(self) -> None:
        """Return once nothing listens any more."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            self._loop = None

    async def _serve(self, listening: threading.Event) -> None:
        view = self.view
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        settings = Settings(http_port=self.port, api_token=TOKEN, http_proxies=self._proxies)
        async with serve_http(settings, view, SystemClock()):
            listening.set()
            await self._stop.wait()
            await view.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; none is downloaded. Not the session's: while Playwright is open its event loop runs in this thread,
    and other modules' tests begin their own."""
    chromium = shutil.which("google-chrome") or required("chromium", "chromium")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield chrome
        chrome.close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    service.start()
    yield service
    with suppress(RuntimeError):
        service.stop()


@pytest.fixture
def guarded() -> Iterator[Service]:
    """A service whose reads need the token."""
    service = Service(proxies="192.0.2.1")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page at desktop size. The test fails on any error, or violated policy, in its console."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The folder for screenshots: kept after the run, for people to look at."""
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
