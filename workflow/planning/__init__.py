"""What a configuration would cost, and what would stop it, known before it runs."""
