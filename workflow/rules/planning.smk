# What the configuration would cost, and what is there of it; the rest depends on neither.


rule plan:
    log:
        "<results>/logs/plan.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        settings=SETTINGS.configuration,
        cores=workflow.cores or 1,
    shell:
        "{params.python} -m workflow.steps.plan --settings {params.settings:q}"
        " --cores {params.cores} --log {log:q}"


# While Snakemake runs, `make peek` does the same without it.
rule peek:
    log:
        "<results>/logs/peek.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        settings=SETTINGS.configuration,
    shell:
        "{params.python} -m workflow.steps.peek --settings {params.settings:q} --log {log:q}"


rule early:
    input:
        metrics=INPUTS.metrics_of_dataset,
        judges=[
            f"<results>/judges/{{dataset}}/{name}.json"
            for name in ("judge", "gp", "references")
        ],
    output:
        directory("<results>/early/{dataset}"),
    log:
        "<results>/logs/early/{dataset}.log",
    priority: AT_ONCE
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.TABLES,
        settings=SETTINGS.configuration,
    shell:
        "{params.python} -m workflow.steps.peek --settings {params.settings:q}"
        " --datasets {wildcards.dataset:q} --out {output:q} --log {log:q}"
