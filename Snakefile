# `snakemake --cores all` in the clone; workflow/Snakefile is the table of contents.


include: "workflow/Snakefile"


# An included file does not choose the default target.
workflow.default_target = "all"
