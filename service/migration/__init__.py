"""What an operator does: start, copy, move the phase, settle, complete; and where it all stands."""
