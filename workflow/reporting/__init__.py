"""From records to what a reader sees: tables, comparisons, and verdicts on the paper's claims."""
