# Figures. `snakemake figure3` asks for the runs of Figure 3 only. One process draws all figures
# that come from the same files, because starting up costs more than drawing.


include: "common_figures.smk"


for group in GALLERY.groups("model", "model") + GALLERY.groups("models", "model"):

    rule:
        name:
            group.name
        input:
            models=of_shown_models(group.figures, "model.pt"),
            records=of_shown_models(group.figures, "run.json"),
            description="<results>/data/{dataset}/store.json",
            judge=judge_of_shown,
        output:
            drawn(
                group.figures,
                model="all" if group.figures[0].scope == "models" else "{model}",
            ),
        log:
            f"<results>/logs/figures/{group.name}/"
            + stem(group.figures[0], "{dataset}", "{model}").rsplit("/", 1)[1]
            + ".log",
        wildcard_constraints:
            dataset="|".join(group.datasets),
            model="|".join(group.models),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=more(2000),
            runtime=more(20),
            gpu=0,
        params:
            python=python,
            code=FIGURE_CODE,
            names=[figure.name for figure in group.figures],
            settings=drawing_settings(group.figures),
            facts=drawing_facts(group.figures),
            results=subpath(output[0], ancestor=3),
        shell:
            DRAW


for needs, name in (("metrics", "metrics.json"), ("history", "history.csv")):
    for group in GALLERY.groups("rates", needs):

        rule:
            name:
                group.name
            input:
                [of_run(name, rate) for rate in CONFIG.rates],
                judge=(
                    collect(
                        "<results>/judges/{{dataset}}/{file}.json",
                        file=["judge", "references"],
                    )
                    if any(figure.judged for figure in group.figures)
                    else []
                ),
            output:
                drawn(group.figures),
            log:
                f"<results>/logs/figures/{group.name}/{{dataset}}_{{model}}.log",
            wildcard_constraints:
                dataset="|".join(group.datasets),
                model="|".join(group.models),
            localrule: True
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                **LIGHT,
            params:
                python=python,
                code=FIGURE_CODE,
                names=[figure.name for figure in group.figures],
                settings=drawing_settings(group.figures),
                facts=drawing_facts(group.figures),
                results=subpath(output[0], ancestor=3),
            shell:
                DRAW


for figure in FIGURES.values():
    if figure.scope == "dataset":

        rule:
            name:
                f"draw_{figure.name}"
            input:
                runs_of_dataset,
                collect(
                    "<results>/judges/{{dataset}}/{file}.json",
                    file=["judge", "gp", "references"],
                ),
            output:
                drawn([figure], model="all"),
            log:
                f"<results>/logs/figures/draw_{figure.name}/{{dataset}}.log",
            localrule: True
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                **LIGHT,
            params:
                python=python,
                code=FIGURE_CODE + TABLE_CODE,
                names=figure.name,
                settings=drawing_settings([figure]),
                facts=drawing_facts([figure]),
                results=subpath(output[0], ancestor=3),
            shell:
                DRAW


rule draw_study:
    input:
        steps=rules.study_gradients.output.steps,
    output:
        drawn([FIGURES["figure8"]], GALLERY.study["model"], GALLERY.study["dataset"]),
    log:
        "<results>/logs/figures/draw_study.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=FIGURE_CODE,
        names="figure8",
        settings=drawing_settings([FIGURES["figure8"]]),
        facts=drawing_facts([FIGURES["figure8"]]),
        results=subpath(output[0], ancestor=3),
    shell:
        DRAW


# A target per figure, where the data sets and models have something to draw in it.
DRAWN = {figure: GALLERY.stems(figure) for figure in FIGURES.values()}
for figure, stems in DRAWN.items():
    if stems:

        rule:
            name:
                figure.name
            input:
                [f"<results>/{path}.png" for path in stems],


rule figures:
    input:
        [f"<results>/{path}.png" for stems in DRAWN.values() for path in stems],


rule front_page:
    input:
        records="<results>/records.csv",
        claims=rules.claims.output.csv,
        claims_markdown=rules.claims.output.markdown,
        capabilities=rules.capabilities.output.page,
        tables=collect("<results>/tables/{table}.md", table=TABLES_HERE),
        stores=collect("<results>/data/{dataset}/store.json", dataset=CONFIG.datasets),
        judges=collect("<results>/judges/{dataset}/judge.json", dataset=CONFIG.datasets),
    output:
        report(
            "<results>/front_page.html",
            caption="../report/front_page.rst",
            category="Front page",
            labels={"page": "what was run, claims, all tables"},
        ),
    log:
        "<results>/logs/front_page.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        settings=plan_settings,
        tables=TABLES_HERE,
        figures=sum(map(len, DRAWN.values())),
        results=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.front_page --settings {params.settings:q}"
        " --results {params.results:q} --tables {params.tables}"
        " --figures {params.figures} --out {output:q} --log {log:q}"
