# What the records say about the paper's claims.


rule claims:
    input:
        records="<results>/records.csv",
        studies=STUDIES.there,
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
        code=digests.CLAIMS,
        settings=SETTINGS.plan,
    shell:
        "{params.python} -m workflow.steps.reporting.check_claims --settings {params.settings:q}"
        " --records {input.records:q} --claims {output.csv:q}"
        " --comparison {output.comparison:q} --log {log:q}"
