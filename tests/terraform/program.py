"""Terraform, and its AWS provider: found, or the reason why not; a copy of deploy/terraform in which it runs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from service.errors import Misconfigured

SOURCE = Path(__file__).parents[2] / "deploy" / "terraform"
PLUGINS_VARIABLE = "TABLESPLIT_TEST_TERRAFORM_PLUGINS"
"""A directory with the provider, as `terraform providers mirror` makes one; without it `terraform init` fetches it."""

SECONDS = 1200


@dataclass(frozen=True)
class Terraform:
    """Runs Terraform in ``folder``."""

    folder: Path

    def init(self) -> None:
        """Raises Misconfigured when there is no Terraform, or no provider for it."""
        if shutil.which("terraform") is None:
            raise Misconfigured("there is no terraform", remedy="install Terraform 1.11, or newer")
        plugins = os.environ.get(PLUGINS_VARIABLE)
        done = self.run("init", "-backend=false", *([f"-plugin-dir={plugins}"] if plugins else []), status=None)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.startswith("Error")] or ["no reason"]
            raise Misconfigured(
                f"terraform init: {lines[0]}", remedy=f"a mirror of the AWS provider, named by {PLUGINS_VARIABLE}"
            )

    def run(self, *arguments: str, status: int | None = 0) -> "subprocess.CompletedProcess[str]":
        """What a command said, which must end with ``status``; None: with any."""
        environment = {name: value for name, value in os.environ.items() if not _is_missing_file(name, value)}
        done = subprocess.run(
            ["terraform", f"-chdir={self.folder}", *arguments, "-no-color"],
            env=environment | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert status is None or done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return done


def copied(folder: Path) -> Path:
    """deploy/terraform in ``folder``: Terraform writes where it runs."""
    return Path(
        shutil.copytree(SOURCE, folder / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    )


def _is_missing_file(name: str, value: str) -> bool:
    """A named configuration that is not there would be a warning in the midst of every answer."""
    return name == "TF_CLI_CONFIG_FILE" and not Path(value).is_file()
