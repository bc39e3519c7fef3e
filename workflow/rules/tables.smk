# Records and tables. `snakemake table6` asks for the runs of Table 6 only.


rule records:
    input:
        metrics_of(CONFIG.runs()),
        judges_of(),
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
        settings=plan_settings,
        results=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_records --settings {params.settings:q}"
        " --results {params.results:q} --out {output:q} --log {log:q}"


rule table:
    input:
        metrics=metrics_of_table,
        judges=judges_of_table,
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
        code=TABLE_CODE,
        settings=plan_settings,
        results=subpath(output.tidy, ancestor=2),
        out=subpath(output.tidy, parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_table --table {wildcards.table}"
        " --settings {params.settings:q} --results {params.results:q}"
        " --out {params.out:q} --log {log:q}"


rule capabilities:
    input:
        metrics=metrics_of(CONFIG.runs()),
        judges=judges_of(),
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
        code=code(
            "evaluators/gates.py",
            "workflow/reporting/capabilities.py",
            "workflow/reporting/judges.py",
        ),
        settings=plan_settings,
        results=subpath(output.table, ancestor=2),
        out=subpath(output.table, parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_capabilities --settings {params.settings:q}"
        " --results {params.results:q} --out {params.out:q} --log {log:q}"


if JUDGED_AGAIN:

    rule judge_seeds:
        input:
            metrics=metrics_of(
                run for run in CONFIG.runs() if CONFIG.judges_of(run.dataset) > 1
            ),
            again=[
                f"<results>/{run.folder}/{metrics_file(judge)}"
                for run, judge in JUDGED_AGAIN
            ],
            first=judges_of(),
            others=other_judges(),
        output:
            cells=report(
                "<results>/tables/judge_seeds.csv",
                caption="../report/judge_seeds.rst",
                category="Tables",
                labels={"table": "judge_seeds", "form": "tidy"},
            ),
            table=report(
                "<results>/tables/judge_seeds.wide.csv",
                caption="../report/judge_seeds.rst",
                category="Tables",
                labels={"table": "judge_seeds", "form": "in short"},
            ),
            latex="<results>/tables/judge_seeds.tex",
            page="<results>/tables/judge_seeds.md",
        log:
            "<results>/logs/tables/judge_seeds.log",
        localrule: True
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            **LIGHT,
        params:
            python=python,
            code=JUDGE_SEEDS_CODE,
            settings=judges_settings,
            results=subpath(output.page, ancestor=2),
            out=subpath(output.page, parent=True),
        shell:
            "{params.python} -m workflow.steps.reporting.make_judge_seeds"
            " --settings {params.settings:q} --results {params.results:q}"
            " --out {params.out:q} --log {log:q}"


rule tables_index:
    input:
        collect("<results>/tables/{table}.md", table=TABLES_HERE),
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
        rules.judge_seeds.output if JUDGED_AGAIN else [],
        collect("<results>/tables/{table}.md", table=TABLES_HERE),


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
