"""The command line: every command, its options, and what it prints."""

from service.cli.main import main

__all__ = ["main"]
