# One model per (data set, model, f, seed), and one judge per data set, or several of them.


rule train:
    input:
        description="<results>/data/{dataset}/store.json",
        images="<results>/data/{dataset}/images.npy",
        labelled="<results>/data/{dataset}/labelled/f={rate}/seed={seed}.npy",
    output:
        model="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/model.pt",
        history="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/history.csv",
        record="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/run.json",
    log:
        "<results>/logs/train/{dataset}/{model}/f={rate}.seed={seed}.log",
    benchmark:
        "<results>/benchmarks/train/{dataset}/{model}/f={rate}.seed={seed}.jsonl"
    priority: in_order("train")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=480,
        gpu=GPU,
    params:
        python=python,
        settings=SETTINGS.run,
        # Not an output: Snakemake deletes outputs before a job restarts, and this is what a
        # training that was cut off continues from.
        state=f"results/{CONFIG.preset}/state",
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.training.train --settings {params.settings:q}"
        " --store {input.description:q} --labelled {input.labelled:q} --state {params.state:q}"
        " --device {params.device} --threads {threads} --out {output.model:q} --log {log:q}"


rule train_judge:
    input:
        description="<results>/data/{dataset}/store.json",
        images="<results>/data/{dataset}/images.npy",
    output:
        model="<results>/judges/{dataset}{other}/judge.pt",
        record="<results>/judges/{dataset}{other}/training.json",
    log:
        "<results>/logs/train_judge/{dataset}{other}.log",
    benchmark:
        "<results>/benchmarks/train_judge/{dataset}{other}.jsonl"
    priority: in_order("train_judge")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=480,
        gpu=GPU,
    params:
        python=python,
        settings=SETTINGS.judge,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.training.train_judge --settings {params.settings:q}"
        " --store {input.description:q} --device {params.device} --threads {threads}"
        " --out {output.model:q} --log {log:q}"


rule fit_gp:
    input:
        description="<results>/data/{dataset}/store.json",
        judge="<results>/judges/{dataset}{other}/judge.pt",
    output:
        model="<results>/judges/{dataset}{other}/gp.pt",
        record="<results>/judges/{dataset}{other}/gp.json",
    log:
        "<results>/logs/fit_gp/{dataset}{other}.log",
    benchmark:
        "<results>/benchmarks/fit_gp/{dataset}{other}.jsonl"
    priority: in_order("fit_gp")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=240,
        gpu=GPU,
    params:
        python=python,
        code=digests.GAUSSIAN_PROCESS,
        settings=SETTINGS.gp,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.training.fit_gp --settings {params.settings:q}"
        " --store {input.description:q} --judge {input.judge:q} --device {params.device}"
        " --threads {threads} --out {output.model:q} --log {log:q}"
