"""Data sets: one reader each, all writing the same on-disk store."""
