"""``python -m backfill``: the same as ``tablesplit migrate``."""

from service.cli.backfill import migrate
from service.cli.main import run_as_program

if __name__ == "__main__":
    run_as_program(migrate, "python -m backfill")
