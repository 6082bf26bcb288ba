"""The two directions of the sync: lanes, what they apply changes by, and their upkeep."""
