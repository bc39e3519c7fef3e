# Figures. One process draws all figures of a data set that come from the same things, because
# starting up costs more than drawing: those of trained models, of measures, and of trainings.

DRAW = (
    "{params.python} -m workflow.steps.reporting.make_figure --settings {params.settings:q}"
    " --results {params.results:q} --log {log:q}"
)


for dataset in CONFIG.datasets:

    if drawing := Drawing(GALLERY, SETTINGS, dataset, "model"):

        rule:
            name:
                f"draw_models_of_{dataset}"
            input:
                drawing.of_models(GALLERY.rate, names=("model.pt", "run.json")),
                f"<results>/data/{dataset}/store.json",
                drawing.judge(),
            output:
                drawing.outputs(),
            log:
                f"<results>/logs/figures/models/{dataset}.log",
            benchmark:
                f"<results>/benchmarks/figures/models/{dataset}.jsonl"
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                mem_mb=more(2000),
                runtime=120,
                gpu=0,
            params:
                python=python,
                code=digests.FIGURES,
                settings=drawing.settings(),
                facts=drawing.facts(),
                results=subpath(output[0], ancestor=3),
            shell:
                DRAW

    if drawing := Drawing(GALLERY, SETTINGS, dataset, "metrics", "records"):

        rule:
            name:
                f"draw_measures_of_{dataset}"
            input:
                INPUTS.metrics(dataset),
                INPUTS.judges(dataset=dataset),
                INPUTS.earlier,
            output:
                drawing.outputs(),
            log:
                f"<results>/logs/figures/measures/{dataset}.log",
            benchmark:
                f"<results>/benchmarks/figures/measures/{dataset}.jsonl"
            localrule: True
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                **LIGHT,
            params:
                python=python,
                code=digests.FIGURES + digests.TABLES,
                settings=drawing.settings(),
                facts=drawing.facts(),
                results=subpath(output[0], ancestor=3),
            shell:
                DRAW

    if drawing := Drawing(GALLERY, SETTINGS, dataset, "history"):

        rule:
            name:
                f"draw_trainings_on_{dataset}"
            input:
                drawing.of_models(*CONFIG.rates, names=("history.csv",)),
            output:
                drawing.outputs(),
            log:
                f"<results>/logs/figures/trainings/{dataset}.log",
            benchmark:
                f"<results>/benchmarks/figures/trainings/{dataset}.jsonl"
            localrule: True
            conda:
                "../../environment.yml"
            threads: 1
            resources:
                **LIGHT,
            params:
                python=python,
                code=digests.FIGURES,
                settings=drawing.settings(),
                facts=drawing.facts(),
                results=subpath(output[0], ancestor=3),
            shell:
                DRAW


drawing = Drawing(GALLERY, SETTINGS, None)


rule draw_study:
    input:
        rules.study_gradients.output.steps,
    output:
        drawing.outputs(),
    log:
        "<results>/logs/figures/study.log",
    benchmark:
        "<results>/benchmarks/figures/study.jsonl"
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.FIGURES,
        settings=drawing.settings(),
        facts=drawing.facts(),
        results=subpath(output[0], ancestor=3),
    shell:
        DRAW


# A target per figure.
DRAWN = {figure: GALLERY.stems(figure) for figure in FIGURES.values()}
for figure, stems in DRAWN.items():

    rule:
        name:
            figure.name
        input:
            (
                [f"<results>/{path}.png" for path in stems]
                or nothing_in(figure.name, "other data sets or models")
            ),


rule figures:
    input:
        [f"<results>/{path}.png" for stems in DRAWN.values() for path in stems],


rule front_page:
    input:
        records="<results>/records.csv",
        claims=rules.claims.output.csv,
        claims_markdown=rules.claims.output.markdown,
        capabilities=rules.capabilities.output.page,
        tables=collect("<results>/tables/{table}.md", table=INPUTS.tables),
        stores=collect(
            "<results>/data/{dataset}/store.json", dataset=CONFIG.datasets_here
        ),
        judges=collect(
            "<results>/judges/{dataset}/judge.json", dataset=CONFIG.datasets_here
        ),
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
        settings=SETTINGS.plan,
        tables=INPUTS.tables,
        figures=sum(map(len, DRAWN.values())),
        results=subpath(output[0], parent=True),
        code=digests.FRONT_PAGE,
    shell:
        "{params.python} -m workflow.steps.reporting.front_page --settings {params.settings:q}"
        " --results {params.results:q} --tables {params.tables}"
        " --figures {params.figures} --out {output:q} --log {log:q}"
