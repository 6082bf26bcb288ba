"""What one process may take from what another has last said of itself, in the control table: beats and shares alike."""

QUIET_SECONDS = 10.0
"""A worker that has said nothing for so long has stopped or lost its connection. The clocks of the machines must agree better than
this."""

FORGOTTEN_SECONDS = 3600.0

SAID_SINCE = 2
"""The second thing said after one that was seen was measured after the look, because the first one was written before it began."""
