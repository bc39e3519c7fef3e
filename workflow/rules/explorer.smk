# One page on which a reader moves characteristics by hand. Where none of the models that it is asked
# to show are run, it is not made.

from workflow.explorer.selection import selected

EXPLORED = selected(CONFIG)
EXPLORER = {
    "preset": CONFIG.preset,
    "runs": [[run.dataset, run.model, run.rate, run.seed] for run in EXPLORED],
    "titles": {
        run.model: CONFIG.values["model_settings"][run.model]["title"]
        for run in EXPLORED
    },
    "options": CONFIG.values["explorer"],
}


rule explorer:
    input:
        models=[f"<results>/{run.folder}/model.pt" for run in EXPLORED],
        records=[f"<results>/{run.folder}/run.json" for run in EXPLORED],
        stores=[
            f"<results>/data/{dataset}/store.json"
            for dataset in dict.fromkeys(run.dataset for run in EXPLORED)
        ],
        judges=[
            f"<results>/judges/{dataset}/{file}"
            for dataset in dict.fromkeys(run.dataset for run in EXPLORED)
            for file in ("judge.pt", "training.json", "judge.json")
        ],
    output:
        report(
            "<results>/explorer.html",
            caption="../report/explorer.rst",
            category="Explorer",
            labels={"page": "characteristics, moved by hand"},
        ),
    log:
        "<results>/logs/explorer.log",
    benchmark:
        "<results>/benchmarks/explorer/page.jsonl"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(2000),
        runtime=40,
        gpu=0,
    params:
        python=python,
        code=digests.EXPLORER,
        settings=lambda wildcards: SETTINGS.file("explorer", EXPLORER),
        results=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_explorer --settings {params.settings:q}"
        " --results {params.results:q} --out {output:q} --log {log:q}"
