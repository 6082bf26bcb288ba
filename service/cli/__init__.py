"""The command line: parse the options, call one function of the service, print its result. One file for each command.

Entry point: ``main``.
"""

from service.cli.main import main

__all__ = ["main"]
