"""What is trained: models, judges and their Gaussian processes."""
