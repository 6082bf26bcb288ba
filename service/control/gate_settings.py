"""The settings that say when a phase may move: the gate's thresholds, and the hook that is asked.

They are the migration's, kept from its start on in the control table, and not those of whoever asks: otherwise each caller could
open the gate, or leave the hook out, by an environment variable.
"""

from dataclasses import fields

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.config import Settings, variable_name
from service.control.table import ControlTable, Records, Stored
from service.errors import Fatal
from service.log import get_logger

PARTITION, NAME = "gate-settings", "migration"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True, defer_build=True))
class GateSettings:
    """By the names of the settings (``service.config``), in their units."""

    gate_lag_seconds: float
    gate_lag_low_seconds: float
    gate_validation_age_seconds: float
    gate_verification_age_seconds: float
    gate_quiet_seconds: float
    gate_headroom_seconds: float
    hook: str | None = None
    hook_timeout_seconds: float = Settings.model_fields["hook_timeout_seconds"].default
    hook_attempts: int = Settings.model_fields["hook_attempts"].default
    """How long the hook is asked: who could shorten it could make it silent, and then leave it out."""
    hook_environment: str | None = None
    """Which variables an executable hook gets: who could add one (``BASH_ENV``) could let another program answer for it."""

    def to_json(self) -> dict[str, float | str | None]:
        """Each by its variable."""
        return {variable_name(name): getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in fields(GateSettings))
HOOK_NAMES = tuple(name for name in NAMES if name.startswith("hook"))
DEFAULTS = GateSettings(**{name: Settings.model_fields[name].default for name in NAMES})
"""Those of a migration that an earlier version began, which kept none."""


def own_gate_settings(settings: Settings) -> GateSettings:
    """Those of this environment."""
    return GateSettings(**{name: getattr(settings, name) for name in NAMES})


async def read_gate_settings(control: ControlTable) -> GateSettings:
    """Those in force. Raises Fatal when the record is damaged."""
    stored = await stored_gate_settings(control)
    return DEFAULTS if stored is None else stored.value


async def stored_gate_settings(control: ControlTable) -> Stored[GateSettings] | None:
    """The record; None in a migration that an earlier version began."""
    return await gate_settings_records(control).get(NAME)


async def begin_gate_settings(control: ControlTable, settings: Settings) -> None:
    """Keep those of the environment that starts the migration."""
    own = own_gate_settings(settings)
    await gate_settings_records(control).change(NAME, lambda _: own)


async def warn_of_other_gate_settings(control: ControlTable, settings: Settings) -> None:
    """Log which settings of this environment do not count, because the migration has others; or that those cannot be read, which
    only the gate needs to do."""
    own = own_gate_settings(settings).to_json()
    try:
        in_force = (await read_gate_settings(control)).to_json()
    except Fatal as damaged:
        get_logger().error("the gate's settings cannot be read", **damaged.to_log())
        return
    if others := sorted(name for name in own if own[name] != in_force[name]):
        get_logger().warning(
            "the gate goes by the migration's settings, not by this environment's",
            differing=others,
            remedy="see: tablesplit gate-settings",
        )


async def read_hook_settings(control: ControlTable, settings: Settings) -> Settings:
    """The settings with the hook in force, and with how long it is asked. A caller's own hook counts only where the migration has
    none: one more may veto."""
    in_force = await read_gate_settings(control)
    if in_force.hook is None:
        return settings
    return settings.model_copy(update={name: getattr(in_force, name) for name in HOOK_NAMES})


def gate_settings_records(control: ControlTable) -> Records[GateSettings]:
    """Where the record is."""
    return control.records(PARTITION, GateSettings)
