"""``python -m backfill``: the same as ``tablesplit migrate``."""

from service.cli.backfilling import migrate

if __name__ == "__main__":
    migrate(prog_name="python -m backfill")
