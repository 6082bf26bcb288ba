"""The tables of the documents that are made from the code. Run as a program (``make settings``), it writes the current ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.commands_reference import commands_reference
from deploy.gate_reference import gate_conditions
from deploy.metrics_reference import metrics_table
from deploy.settings_reference import settings_table
from deploy.terraform_cost import cost_table
from deploy.terraform_reference import TERRAFORM, module_tables

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class MadeTable:
    """What stands in ``page`` between two comments, and the ``table`` that is to stand there."""

    page: Path
    begin: str
    end: str
    table: Callable[[], str]

    def text(self) -> str:
        """The page as it is."""
        return self.page.read_text(encoding="utf-8")

    def current(self) -> str:
        """The page as it is to be."""
        before, rest = self.text().split(self.begin)
        _, after = rest.split(self.end)
        return f"{before}{self.begin}{self.table()}\n{self.end}{after}"


MADE = {
    "cost": MadeTable(
        ROOT / "deploy" / "terraform" / "README.md",
        "<!-- cost: made by `make settings` -->\n",
        "<!-- end of cost -->\n",
        cost_table,
    ),
    "terraform": MadeTable(
        TERRAFORM / "README.md",
        "<!-- inputs: made by `make settings` -->\n",
        "<!-- end of inputs -->\n",
        module_tables,
    ),
    "terraform tables": MadeTable(
        TERRAFORM / "README.md",
        "<!-- inputs of tables: made by `make settings` -->\n",
        "<!-- end of inputs of tables -->\n",
        lambda: module_tables(TERRAFORM / "tables"),
    ),
    "settings": MadeTable(
        ROOT / "docs" / "settings.md",
        "<!-- settings: made by `make settings` -->\n",
        "<!-- end of settings -->\n",
        settings_table,
    ),
    "metrics": MadeTable(
        ROOT / "docs" / "METRICS.md",
        "<!-- metrics: made by `make metrics` -->\n",
        "<!-- end of metrics -->\n",
        metrics_table,
    ),
    "commands": MadeTable(
        ROOT / "docs" / "commands.md",
        "<!-- commands: made by `make settings` -->\n",
        "<!-- end of commands -->\n",
        commands_reference,
    ),
    "gate": MadeTable(
        ROOT / "docs" / "commands.md",
        "<!-- gate: made by `make settings` -->\n",
        "<!-- end of gate -->\n",
        gate_conditions,
    ),
}

if __name__ == "__main__":
    for made in MADE.values():
        made.page.write_text(made.current(), encoding="utf-8")
