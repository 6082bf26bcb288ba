"""``make soak``: real processes, killed, paused and cut off from their server while both sides are written; then judged."""
