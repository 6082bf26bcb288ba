"""tablesplit's command line and long-running service: moves a live DynamoDB single table into v2 tables.

Start with ``cli.main`` for the commands, ``app.open_app`` for what a process works with, ``errors`` for every error.
"""
