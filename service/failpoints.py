"""Failpoints: named places around every write and every record that is kept, where a test kills or pauses this process.

Each name stands at one place of the code. Off, as everywhere but in tests, a failpoint compares one variable with None. One of them
is armed by the variable TABLESPLIT_TEST_FAILPOINT (``service.environment``). A killed process gets no chance to save or to say
anything, as with `kill -9`. A paused one stands still, its clock and its sockets too, until somebody sends it SIGCONT.
"""

import os
import re
import signal
from dataclasses import dataclass
from typing import Literal, get_args

from service.errors import Misconfigured

VARIABLE = "TABLESPLIT_TEST_FAILPOINT"

Failpoint = Literal[
    # the backfill: copies are written, then the segment's position, then the end of the run
    "window_copied",
    "segment_saved",
    "backfill_copied",
    "backfill_closed",
    # the guarded rule
    "guarded_decided",
    "guarded_written",
    # forward under the ledger rule: claim (with the conflict log), writes on v2, done
    "forward_decided",
    "forward_claimed",
    "v2_written",
    "forward_done",
    # reverse
    "reverse_decided",
    "reverse_claimed",
    "old_written",
    "reverse_done",
    # what both directions keep in the control table
    "half_saved",
    "conflict_recorded",
    "quarantine_due",
    "quarantine_added",
    "quarantine_removed",
    "activity_noted",
    "checkpoint_due",
    "checkpoint_saved",
    # tombstones
    "tombstone_removed",
    "tombstone_purged",
    # leases
    "lease_taken",
    "lease_renewed",
    "lease_due_back",
    "lease_released",
    # a phase move
    "move_step_done",
    "move_announced",
    "move_step_saved",
    "state_saved",
]
NAMES: tuple[Failpoint, ...] = get_args(Failpoint)

Action = Literal["kill", "pause"]
SIGNALS: dict[str, signal.Signals] = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}
_FORM = re.compile(r"(?P<name>\w+)@(?P<passage>[1-9]\d*)=(?P<action>kill|pause)")


@dataclass(slots=True)
class _Armed:
    name: str
    left: int
    """How often the place is still to be passed until the signal is sent."""
    signal: signal.Signals


_armed: _Armed | None = None


def failpoint(name: Failpoint) -> None:
    """A place of this name. Sends this process the signal that was armed for it, at the passage that was armed."""
    if _armed is not None and _armed.name == name:
        _armed.left -= 1
        if _armed.left == 0:
            os.kill(os.getpid(), _armed.signal)


def arm(text: str | None) -> None:
    """Arm one failpoint: its name, ``@``, the passage (from 1), ``=``, ``kill`` or ``pause``. None: none is armed any more.

    Raises Misconfigured for another form, and for a name that no place has.
    """
    global _armed
    if text is None:
        _armed = None
        return
    form = _FORM.fullmatch(text)
    if form is None:
        raise Misconfigured(f"{VARIABLE}={text}: not of the form NAME@PASSAGE=kill or =pause", remedy="unset it")
    if form["name"] not in NAMES:
        raise Misconfigured(f"{VARIABLE}={text}: there is no failpoint of this name", remedy="unset it")
    _armed = _Armed(form["name"], int(form["passage"]), SIGNALS[form["action"]])
