"""`tablesplit` commands as an operator starts them."""

import os
import sys


def tablesplit(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-c", "from service.cli import main; main()", *arguments]


def environment(url: str, **more: str) -> dict[str, str]:
    """The environment of a command that uses the server at ``url``."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "ap-southeast-2",
        "TABLESPLIT_LOG_LEVEL": "error",
        **more,
    }
