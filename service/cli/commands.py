"""The table of all commands, in groups by the life of a migration: where each is, what it does in one line, and examples.

``service.cli.main`` imports a command when it is called, so this table is all that the list of commands needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import click

SUMMARY_CHARACTERS = 60
"""So long a summary can be for the list to have a line for each command on a terminal of 80 columns."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A command in the list."""

    place: str
    """Its module in this package, and its name there."""
    summary: str


GROUPS: dict[str, dict[str, Listed]] = {
    "Try it": {
        "demo": Listed("demo:demo", "Watch a whole migration on a local server"),
        "seed": Listed("seed:seed", "Load the demonstration's old table into a local server"),
        "selftest": Listed("selftest:selftest", "Ask the server whether the design's assumptions hold there"),
        "completion": Listed("completion:completion", "Print the completion of commands for a shell"),
    },
    "Prepare": {
        "mapping": Listed("mapping:mapping", "Draft or check a mapping file, and try it on old items"),
        "preflight": Listed("tables:preflight", "Check whether the migration can start; only reads"),
        "forecast": Listed("forecast:forecast", "Estimate capacity, time and cost; only reads"),
        "drill": Listed("drill:drill", "Rehearse cutover and rollback on a copy of a sample"),
    },
    "Copy": {
        "create-tables": Listed("tables:create_tables", "Create the v2 tables, and start the migration"),
        "sync": Listed("sync:sync", "Apply every change to the other side, until stopped"),
        "migrate": Listed("backfill:migrate", "Copy the old table into the v2 tables"),
        "full-migration": Listed("backfill:full_migration", "Create the tables, copy, catch up and validate in one go"),
        "remap": Listed("remap:remap", "Change the mapping, before the first cutover"),
    },
    "Watch and compare": {
        "status": Listed("status:status", "Show phase, progress, lag and counts"),
        "validate": Listed("validate:validate", "Compare both sides, and repair v2 on request"),
        "verification": Listed("verification:verification", "List the touched keys whose two sides differ"),
        "quarantine": Listed("quarantine:quarantine", "Look after the keys that cannot be mapped or written"),
        "conflicts": Listed("conflicts:conflicts", "Resolve the old writes that lost against v2"),
        "audit": Listed("audit:audit", "Show who moved the phase, when and why"),
    },
    "Move": {
        "cutover": Listed("phase:cutover", "Move on: forward to dual, dual to reverse"),
        "rollback": Listed("phase:rollback", "Move one phase back"),
        "hold": Listed("phase:hold", "Keep every gate closed until `release`"),
        "release": Listed("phase:release", "Remove the hold"),
        "gate-settings": Listed("gate_settings:gate_settings", "Show or change the gate's thresholds and the hook"),
    },
    "End": {
        "complete": Listed("phase:complete", "End the migration; cannot be undone"),
        "drop-tables": Listed("tables:drop_tables", "Give the migration up: delete what it made"),
    },
}
"""In the order of the list."""

NAME_CHARACTERS = max(len(name) for group in GROUPS.values() for name in group)
COMMANDS: dict[str, Listed] = {name: listed for group in GROUPS.values() for name, listed in group.items()}

EXAMPLES: dict[str, tuple[str, ...]] = {
    "audit": ("audit list", "audit verify"),
    "audit list": ("audit list", "audit list --json"),
    "audit verify": ("audit verify",),
    "complete": ("complete --dry-run", "complete --table my-table --why 'two weeks without a wish to go back'"),
    "completion": ("completion bash", "completion zsh"),
    "conflicts": ("conflicts list", "conflicts show ID", "conflicts resolve ID --keep v2"),
    "conflicts list": ("conflicts list", "conflicts list --all --json"),
    "conflicts export": ("conflicts export conflicts.jsonl",),
    "conflicts show": ("conflicts show ID",),
    "conflicts resolve": (
        "conflicts resolve ID --keep v2 --why 'v2 is newer'",
        "conflicts resolve ID --keep merge item.json",
        "conflicts resolve --all --keep v2 --where entity=LEAD --where field=company",
    ),
    "create-tables": ("create-tables", "create-tables --no-tags --kms-key alias/crm"),
    "cutover": (
        "cutover --dry-run",
        "cutover --wait 300 --why 'moving to v2'",
        "cutover --finish --table my-table",
    ),
    "demo": ("demo",),
    "drill": ("drill --sample 500",),
    "drop-tables": ("drop-tables", "drop-tables --table my-table"),
    "forecast": ("forecast", "forecast --max-write-units 500"),
    "full-migration": ("full-migration", "full-migration --max-cost 50"),
    "gate-settings": ("gate-settings", "gate-settings --store --why 'a slower stream'"),
    "hold": ("hold --why 'release freeze'",),
    "mapping": ("mapping init --output my-mapping.yaml", "mapping check my-mapping.yaml"),
    "mapping check": ("mapping check my-mapping.yaml",),
    "mapping explain": (
        "mapping explain 'pk=LEAD#1' 'sk=METADATA'",
        "mapping explain --item item.json --set status=won",
    ),
    "mapping init": ("mapping init --output my-mapping.yaml", "mapping init --from items.json"),
    "mapping test": ("mapping test items.json --mapping my-mapping.yaml",),
    "migrate": ("migrate --dry-run", "migrate --max-write-units 200 --max-read-units 400"),
    "preflight": ("preflight", "preflight --sample 10000"),
    "quarantine": ("quarantine list", "quarantine retry --all"),
    "quarantine drop": ("quarantine drop ID",),
    "quarantine list": ("quarantine list",),
    "quarantine retry": ("quarantine retry ID", "quarantine retry --all"),
    "quarantine show": ("quarantine show ID",),
    "release": ("release",),
    "remap": ("remap",),
    "rollback": ("rollback --dry-run", "rollback --wait 300 --why 'errors in release 12'"),
    "seed": ("seed --opportunities 400", "seed --write v2"),
    "selftest": ("selftest", "selftest --aws"),
    "status": ("status", "status --watch", "status --until-caught-up 600"),
    "sync": ("sync", "sync --no-http"),
    "validate": ("validate", "validate --repair", "validate --entity LEAD --output differences.jsonl"),
    "verification": ("verification list",),
    "verification list": ("verification list",),
}
"""By command, without the program's name."""


def with_examples(command: click.Command, path: str) -> click.Command:
    """The command, and each below it, with its examples at the end of its help."""
    for name, inner in _below(command):
        with_examples(inner, f"{path} {name}")
    lines = "\n".join(f"  tablesplit {line}" for line in EXAMPLES[path])
    command.epilog = f"\b\nExamples:\n{lines}"
    return command


def _below(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield from command.commands.items() if isinstance(command, click.Group) else ()
