# Records and tables. `snakemake table6` asks for the runs of Table 6 only.


rule records:
    input:
        INPUTS.metrics(),
        INPUTS.judges(),
        INPUTS.earlier,
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
        code=digests.RECORDS,
        settings=SETTINGS.plan,
        results=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_records --settings {params.settings:q}"
        " --results {params.results:q} --out {output:q} --log {log:q}"


# One process writes all tables of one kind of data, because they are of the same records.
for kind in dict.fromkeys(TABLES[name].kind for name in INPUTS.tables):

    rule:
        name:
            f"tables_of_{kind}"
        input:
            INPUTS.metrics_of_tables(kind),
            INPUTS.judges(kind),
            INPUTS.earlier,
        output:
            [
                f"<results>/tables/{name}.{form}"
                for form in ("md", "tex")
                for name in INPUTS.tables_of(kind)
            ],
            [
                report(
                    f"<results>/tables/{name}.{form}",
                    caption="../report/table.rst",
                    category="Tables",
                    labels={"table": name, "form": label},
                )
                for name in INPUTS.tables_of(kind)
                for form, label in (("csv", "tidy"), ("wide.csv", "as in the paper"))
            ],
        log:
            f"<results>/logs/tables/{kind}.log",
        benchmark:
            f"<results>/benchmarks/tables/{kind}.jsonl"
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
            tables=INPUTS.tables_of(kind),
            results=subpath(output[0], ancestor=2),
            out=subpath(output[0], parent=True),
        shell:
            "{params.python} -m workflow.steps.reporting.make_table --tables {params.tables}"
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


if INPUTS.judged_again:

    rule judge_seeds:
        input:
            INPUTS.metrics_of_all_judges(),
            INPUTS.judges(),
            INPUTS.other_judges(),
        output:
            page="<results>/tables/judge_seeds.md",
            latex="<results>/tables/judge_seeds.tex",
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
            code=digests.JUDGE_SEEDS,
            settings=SETTINGS.judges,
            results=subpath(output.page, ancestor=2),
            out=subpath(output.page, parent=True),
        shell:
            "{params.python} -m workflow.steps.reporting.make_judge_seeds"
            " --settings {params.settings:q} --results {params.results:q}"
            " --out {params.out:q} --log {log:q}"


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
        tables=INPUTS.tables,
    shell:
        "{params.python} -m workflow.steps.reporting.make_index --tables {params.tables}"
        " --out {output:q} --log {log:q}"


rule tables:
    input:
        "<results>/records.csv",
        "<results>/tables/index.md",
        rules.capabilities.output,
        rules.judge_seeds.output if INPUTS.judged_again else [],
        collect("<results>/tables/{table}.md", table=INPUTS.tables),


# A target for each of the paper's tables.
for name, table in TABLES.items():
    if table.number is not None:

        rule:
            name:
                name
            input:
                INPUTS.of_table(name),
