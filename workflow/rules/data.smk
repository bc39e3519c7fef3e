# Raw data to one on-disk store per data set, and which images are labelled.


rule store:
    output:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/split.npy",
        description="<results>/data/{dataset}/store.json",
    log:
        "<results>/logs/store/{dataset}.log",
    benchmark:
        "<results>/benchmarks/store/{dataset}.jsonl"
    priority: in_order("store")
    conda:
        "../../environment.yml"
    threads: workflow.cores or 1
    resources:
        mem_mb=more(2000),
        runtime=480,
        gpu=0,
    params:
        python=python,
        settings=SETTINGS.store,
        folder=subpath(output.description, parent=True),
        raw=CONFIG.values["raw_data"],
    shell:
        "{params.python} -m workflow.steps.data.prepare_data --settings {params.settings:q}"
        " --raw {params.raw:q} --workers {threads} --out {params.folder:q} --log {log:q}"


rule labelled_subset:
    input:
        description="<results>/data/{dataset}/store.json",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/split.npy",
    output:
        "<results>/data/{dataset}/labelled/f={rate}/seed={seed}.npy",
    log:
        "<results>/logs/labelled_subset/{dataset}/f={rate}.seed={seed}.log",
    priority: in_order("labelled_subset")
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        folder=subpath(input.description, parent=True),
        seed=SETTINGS.labelled_seed,
    shell:
        "{params.python} -m workflow.steps.data.label_subset --store {params.folder:q}"
        " --rate {wildcards.rate} --seed {params.seed} --out {output:q} --log {log:q}"
