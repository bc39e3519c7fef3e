"""One module per kind of job, each run as `python -m workflow.steps.NAME`."""
