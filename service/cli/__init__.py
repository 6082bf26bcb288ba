"""The command line: parse the options, call one function of the service, print its result.

One file for a command, or for a group of related ones.

Entry point: ``main``.
"""

from service.cli.main import main

__all__ = ["main"]
