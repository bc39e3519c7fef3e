# Studies beside the tables: `snakemake study_gradients`, `snakemake study_alpha`, and one for each
# entry of studies.variants.


STUDY = {"mem_mb": more(3000), "runtime": 480, "gpu": GPU}


rule study_alpha_train:
    input:
        description="<results>/data/{dataset}/store.json",
        images="<results>/data/{dataset}/images.npy",
        labelled="<results>/data/{dataset}/labelled/f={rate}/seed={seed}.npy",
    output:
        model="<results>/studies/alpha/{dataset}/{variant}/f={rate}/seed={seed}/model.pt",
        record="<results>/studies/alpha/{dataset}/{variant}/f={rate}/seed={seed}/run.json",
    log:
        "<results>/logs/study_alpha_train/{dataset}/{variant}/f={rate}.seed={seed}.log",
    benchmark:
        "<results>/benchmarks/study_alpha_train/{dataset}/{variant}/f={rate}.seed={seed}.jsonl"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **STUDY,
    params:
        python=python,
        settings=STUDIES.training("alpha"),
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.studies.study_train --settings {params.settings:q}"
        " --store {input.description:q} --labelled {input.labelled:q}"
        " --device {params.device} --threads {threads} --out {output.model:q} --log {log:q}"


rule study_gradients_train:
    input:
        description="<results>/data/{dataset}/store.json",
        images="<results>/data/{dataset}/images.npy",
        labelled="<results>/data/{dataset}/labelled/f={rate}/seed={seed}.npy",
    output:
        model="<results>/studies/gradients/{dataset}/{variant}/f={rate}/seed={seed}/model.pt",
        record="<results>/studies/gradients/{dataset}/{variant}/f={rate}/seed={seed}/run.json",
        norms="<results>/studies/gradients/{dataset}/{variant}/f={rate}/seed={seed}/gradients.csv",
    log:
        "<results>/logs/study_gradients_train/{dataset}/{variant}/f={rate}.seed={seed}.log",
    benchmark:
        "<results>/benchmarks/study_gradients_train/{dataset}/{variant}/f={rate}.seed={seed}.jsonl"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **STUDY,
    params:
        python=python,
        settings=STUDIES.training("gradients"),
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.studies.study_train --settings {params.settings:q}"
        " --store {input.description:q} --labelled {input.labelled:q}"
        " --gradients {output.norms:q}"
        " --device {params.device} --threads {threads} --out {output.model:q} --log {log:q}"


rule study_draws:
    input:
        description=f"<results>/data/{STUDIES.fixed.run.dataset}/store.json",
        labelled=f"<results>/data/{STUDIES.fixed.run.dataset}/labelled/f={STUDIES.fixed.run.rate}/seed={STUDIES.fixed.run.seed}.npy",
        model=f"<results>/{STUDIES.fixed.folder}/model.pt",
    output:
        "<results>/studies/gradients_draws.csv",
    log:
        "<results>/logs/study_draws.log",
    benchmark:
        "<results>/benchmarks/study_draws/gradients.jsonl"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **STUDY,
    params:
        python=python,
        settings=STUDIES.draws,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.studies.study_draws --settings {params.settings:q}"
        " --store {input.description:q} --labelled {input.labelled:q} --run {input.model:q}"
        " --device {params.device} --threads {threads} --out {output:q} --log {log:q}"


rule study_gradients:
    input:
        records=[f"<results>/{v.folder}/run.json" for v in STUDIES.gradients],
        norms=[f"<results>/{v.folder}/gradients.csv" for v in STUDIES.gradients],
        draws=rules.study_draws.output[0],
    output:
        steps="<results>/studies/gradients.csv",
        summary="<results>/studies/gradients_summary.csv",
        page="<results>/studies/gradients_summary.md",
    log:
        "<results>/logs/study_gradients.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.STUDIES,
        settings=STUDIES.plan(STUDIES.gradients),
        results=subpath(output.steps, ancestor=2),
        out=subpath(output.steps, parent=True),
    shell:
        "{params.python} -m workflow.steps.studies.study_gradients --settings {params.settings:q}"
        " --results {params.results:q} --draws {input.draws:q} --out {params.out:q} --log {log:q}"


rule study_alpha:
    input:
        records=[f"<results>/{v.folder}/run.json" for v in STUDIES.alpha],
    output:
        table="<results>/studies/alpha.csv",
        page="<results>/studies/alpha.md",
    log:
        "<results>/logs/study_alpha.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=digests.STUDIES,
        settings=STUDIES.plan(STUDIES.alpha),
        results=subpath(output.table, ancestor=2),
        out=subpath(output.table, parent=True),
    shell:
        "{params.python} -m workflow.steps.studies.study_alpha --settings {params.settings:q}"
        " --results {params.results:q} --out {params.out:q} --log {log:q}"


rule study_variants_train:
    input:
        description="<results>/data/{dataset}/store.json",
        images="<results>/data/{dataset}/images.npy",
        labelled="<results>/data/{dataset}/labelled/f={rate}/seed={seed}.npy",
        judge="<results>/judges/{dataset}/judge.pt",
        gp="<results>/judges/{dataset}/gp.pt",
    output:
        model="<results>/studies/{study}/{dataset}/{variant}/f={rate}/seed={seed}/model.pt",
        record="<results>/studies/{study}/{dataset}/{variant}/f={rate}/seed={seed}/run.json",
        influence="<results>/studies/{study}/{dataset}/{variant}/f={rate}/seed={seed}/influence.npz",
    log:
        "<results>/logs/study_variants_train/{study}/{dataset}/{variant}/f={rate}.seed={seed}.log",
    benchmark:
        "<results>/benchmarks/study_variants_train/{study}/{dataset}/{variant}/f={rate}.seed={seed}.jsonl"
    priority: STUDIES.priority
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **STUDY,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=STUDIES.training(),
        evaluation=SETTINGS.evaluation,
        splits=STUDIES.splits,
        # As of `train`: what a training that was cut off continues from.
        state=f"results/{CONFIG.preset}/state",
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.studies.study_train --settings {params.settings:q}"
        " --store {input.description:q} --labelled {input.labelled:q}"
        " --judge {input.judge:q} --evaluation {params.evaluation:q}"
        " --splits {params.splits} --state {params.state:q}"
        " --device {params.device} --threads {threads} --out {output.model:q} --log {log:q}"


for study in STUDIES.named:

    rule:
        name:
            f"study_{study}"
        input:
            records=[
                f"<results>/{folder}/run.json" for folder in STUDIES.awaited(study)
            ],
            judges=STUDIES.judges(study),
            runs=STUDIES.runs_there(study),
        output:
            **STUDIES.further_outputs(study),
            table=f"<results>/studies/{study}.csv",
            page=f"<results>/studies/{study}.md",
        log:
            f"<results>/logs/study_{study}.log",
        localrule: True
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            **LIGHT,
        params:
            python=python,
            code=digests.STUDIES,
            settings=STUDIES.named_plan(study),
            results=subpath(output.table, ancestor=2),
            out=subpath(output.table, parent=True),
        shell:
            "{params.python} -m workflow.steps.studies.study_variants --settings {params.settings:q}"
            " --results {params.results:q} --out {params.out:q} --log {log:q}"
