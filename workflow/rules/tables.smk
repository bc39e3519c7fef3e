# Records and tables. `snakemake table6` asks for the runs of Table 6 only.


rule records:
    input:
        INPUTS.metrics(),
        INPUTS.judges(),
    output:
        report(
            "<results>/records.csv",
            caption="../report/records.rst",
            category="Records",
        ),
    log:
        "<results>/logs/records.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        settings=SETTINGS.plan,
        results=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_records --settings {params.settings:q}"
        " --results {params.results:q} --out {output:q} --log {log:q}"


rule table:
    input:
        metrics=INPUTS.metrics_of_table,
        judges=INPUTS.judges_of_table,
    output:
        tidy=report(
            "<results>/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "form": "tidy"},
        ),
        wide=report(
            "<results>/tables/{table}.wide.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "form": "as in the paper"},
        ),
        latex="<results>/tables/{table}.tex",
        markdown="<results>/tables/{table}.md",
    log:
        "<results>/logs/tables/{table}.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.TABLES,
        settings=SETTINGS.plan,
        results=subpath(output.tidy, ancestor=2),
        out=subpath(output.tidy, parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_table --table {wildcards.table}"
        " --settings {params.settings:q} --results {params.results:q}"
        " --out {params.out:q} --log {log:q}"


rule capabilities:
    input:
        records="<results>/records.csv",
    output:
        table=report(
            "<results>/tables/capabilities.csv",
            caption="../report/capabilities.rst",
            category="Tables",
            labels={"table": "capabilities", "form": "tidy"},
        ),
        page="<results>/tables/capabilities.md",
    log:
        "<results>/logs/tables/capabilities.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.CAPABILITIES,
        settings=SETTINGS.plan,
        out=subpath(output.table, parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_capabilities --settings {params.settings:q}"
        " --records {input.records:q} --out {params.out:q} --log {log:q}"


rule tables_index:
    input:
        collect("<results>/tables/{table}.md", table=INPUTS.tables),
    output:
        "<results>/tables/index.md",
    log:
        "<results>/logs/tables/index.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
    shell:
        "{params.python} -m workflow.steps.reporting.make_index --out {output:q} --log {log:q}"


rule tables:
    input:
        "<results>/records.csv",
        "<results>/tables/index.md",
        rules.capabilities.output,
        collect("<results>/tables/{table}.md", table=INPUTS.tables),


rule table1:
    input:
        "<results>/tables/table1.md",


rule table2:
    input:
        "<results>/tables/table2.md",


rule table4:
    input:
        "<results>/tables/table4.md",


rule table5:
    input:
        "<results>/tables/table5.md",


rule table6:
    input:
        "<results>/tables/table6.md",


rule table7:
    input:
        "<results>/tables/table7.md",
