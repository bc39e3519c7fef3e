# What the records say about the paper's claims.

CLAIM_CODE = code(
    *(
        f"workflow/reporting/{name}.py"
        for name in (
            "claims",
            "claims_markdown",
            "comparison",
            "court",
            "judges",
            "statistics",
            "verdicts",
        )
    ),
    "evaluators/gates.py",
    "workflow/resources/claims.yaml",
)


rule claims:
    input:
        records="<results>/records.csv",
        studies=studies_there,
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
        python=python,
        code=CLAIM_CODE,
        settings=plan_settings,
    shell:
        "{params.python} -m workflow.steps.reporting.check_claims --settings {params.settings:q}"
        " --records {input.records:q} --claims {output.csv:q}"
        " --comparison {output.comparison:q} --log {log:q}"
