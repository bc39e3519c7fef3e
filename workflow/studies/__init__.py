"""Studies beside the tables: trainings that vary one thing, scored on validation images."""
