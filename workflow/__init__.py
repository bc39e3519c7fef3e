"""The workflow: what Snakemake runs, and everything that touches files, seeds and devices."""
