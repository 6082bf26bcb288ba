"""Phase moves: gate, hook, steps."""
