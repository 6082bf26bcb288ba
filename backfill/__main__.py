"""``python -m backfill``: the same as ``tablesplit migrate``."""

from service.cli.backfill import migrate

if __name__ == "__main__":
    migrate(prog_name="python -m backfill")
