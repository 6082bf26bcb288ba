"""What a worker process calls itself."""

import os
import socket
from functools import cache
from secrets import token_hex


@cache
def worker_id() -> str:
    """Host, process id and something random: one process's own, also in containers where every process id is 1."""
    return f"{socket.gethostname()}-{os.getpid()}-{token_hex(3)}"
