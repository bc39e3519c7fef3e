"""What open choices move: trainings that differ in one thing, and their tables."""
