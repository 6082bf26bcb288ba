"""What a phase move is made with, put together for a command or for the service."""

from typing import Any

from service.app import App
from service.completing import strip_stamps
from service.identity import worker_id
from service.log import get_logger
from service.moving import Parts
from service.snapshot import take_snapshot


async def move_parts(app: App) -> Parts:
    """The parts, ready for use."""

    async def status() -> dict[str, Any]:
        return (await take_snapshot(app)).to_json()

    return Parts(app, worker_id(), LoggedOnly(), NoHooks(), status, strip_stamps)


class LoggedOnly:
    """Writes what a move tells to the log."""

    async def append(self, action: str, why: str, facts: dict[str, Any]) -> None:
        """A line."""
        get_logger().info(action, why=why, to=facts.get("to"))


class NoHooks:
    """Nobody is asked, and nobody is told."""

    async def before(self, move: dict[str, Any], status: dict[str, Any]) -> None:
        """Always allowed."""

    async def after(self, move: dict[str, Any], status: dict[str, Any]) -> None:
        """Nothing."""
