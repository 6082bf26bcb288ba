"""A rehearsal: a whole migration there and back under live writers, and the judgement of every write that they made."""
