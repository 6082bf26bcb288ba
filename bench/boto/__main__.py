"""Measures one piece of work with plain boto3 in a process of its own.

``python -m bench.boto single|batched copy|apply|validate URL ITEMS`` prints the figures as JSON, as ``bench.work`` does.
"""

import json
import sys
import time

from bench.boto import batched, single
from bench.boto.stream import client
from bench.work import figures
from service.config import Settings
from service.environment import load_configured_mapping

PROGRAMS = {"single": single, "batched": batched}


def main() -> None:
    """Do one piece of work and print its figures."""
    program, work, url, items = sys.argv[1:]
    mapping = load_configured_mapping(Settings())
    dynamodb = client(url)
    dynamodb.list_tables()  # the connection, and boto3's model of the service, are there before the clock starts
    given = [int(items)] if work == "apply" else []
    cpu, wall = time.process_time(), time.perf_counter()
    done = getattr(PROGRAMS[program], work)(dynamodb, mapping, *given)
    print(json.dumps(figures(done, time.process_time() - cpu, time.perf_counter() - wall)))


if __name__ == "__main__":
    main()
