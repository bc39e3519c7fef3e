# What the configuration would cost; printed, and not part of any other target.


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
        settings=all_settings,
        cores=workflow.cores or 1,
    shell:
        "{params.python} -m workflow.steps.plan --settings {params.settings:q}"
        " --cores {params.cores} --log {log:q}"
