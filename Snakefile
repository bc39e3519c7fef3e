# Does "Capturing Label Characteristics in VAEs" (ICLR 2021) hold, and by how much?
# config/config.yaml says what is run; `snakemake --cores all` runs it.

from snakemake.utils import min_version

min_version("9.19")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=f"results/{CONFIG.preset}",


report: "workflow/report/workflow.rst"


include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/planning.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.claims.output,
        rules.figures.input,
        rules.front_page.output,
