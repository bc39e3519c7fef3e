# What the records say about the paper's claims.

CLAIM_CODE = [
    str(Path(workflow.basedir, "workflow", name))
    for name in (
        "reporting/claims.py",
        "reporting/claims_markdown.py",
        "reporting/comparison.py",
        "reporting/intervals.py",
        "resources/claims.yaml",
    )
]


rule claims:
    input:
        records="<results>/records.csv",
        code=CLAIM_CODE,
    output:
        csv="<results>/claims.csv",
        markdown=report(
            "<results>/claims.md",
            caption="../report/claims.rst",
            category="Claims",
        ),
        comparison=report(
            "<results>/tables/comparison.csv",
            caption="../report/comparison.rst",
            category="Tables",
            labels={"table": "comparison", "form": "tidy"},
        ),
        comparison_markdown="<results>/tables/comparison.md",
    log:
        "<results>/logs/claims.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        plan=PLAN,
    shell:
        "python -m workflow.steps.check_claims --plan {params.plan:q}"
        " --records {input.records:q} --claims {output.csv:q}"
        " --comparison {output.comparison:q} 2> {log:q}"
