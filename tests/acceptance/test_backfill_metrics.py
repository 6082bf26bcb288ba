"""The command that copies serves its own metrics."""

import socket

from tests.acceptance.in_process import World


def test_a_copy_whose_port_is_taken_starts_nothing_and_names_the_setting(offline: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        offline.set(TABLESPLIT_BACKFILL_HTTP_PORT=str(port))
        result = offline.run("migrate")
    assert result.status == 2
    assert result.line.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "set TABLESPLIT_BACKFILL_HTTP_PORT" in result.err
