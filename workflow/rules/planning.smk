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
        values=json.dumps(CONFIG.values),
        cores=workflow.cores or 1,
    shell:
        "python -m workflow.steps.plan --values {params.values:q} --cores {params.cores}"
        " 2> {log:q}"
