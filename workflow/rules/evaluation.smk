# All measures of one trained model, in one process; and of what needs no training.


onstart:
    # No job may depend on this, or naming weights would train every model again. A wrong file would
    # be found when the first model is measured, after its training.
    examine_weights(verify)


rule assess_judge:
    input:
        description="<results>/data/{dataset}/store.json",
        judge="<results>/judges/{dataset}{other}/judge.pt",
        training="<results>/judges/{dataset}{other}/training.json",
    output:
        "<results>/judges/{dataset}{other}/judge.json",
    log:
        "<results>/logs/assess_judge/{dataset}{other}.log",
    benchmark:
        "<results>/benchmarks/assess_judge/{dataset}{other}.jsonl"
    priority: in_order("assess_judge")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(2000),
        runtime=120,
        gpu=GPU,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=SETTINGS.gate,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.measuring.assess_judge --settings {params.settings:q}"
        " --store {input.description:q} --judge {input.judge:q} --device {params.device}"
        " --threads {threads} --out {output:q} --log {log:q}"


rule draw_answers:
    input:
        description="<results>/data/{dataset}/store.json",
    output:
        "<results>/judges/{dataset}/answers.npz",
    log:
        "<results>/logs/draw_answers/{dataset}.log",
    benchmark:
        "<results>/benchmarks/draw_answers/{dataset}.jsonl"
    priority: in_order("draw_answers")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(2000),
        runtime=120,
        gpu=0,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=SETTINGS.evaluation,
    shell:
        "{params.python} -m workflow.steps.measuring.draw_answers --settings {params.settings:q}"
        " --store {input.description:q} --out {output:q} --log {log:q}"


rule evaluate:
    input:
        model="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/model.pt",
        record="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/run.json",
        description="<results>/data/{dataset}/store.json",
        judge="<results>/judges/{dataset}/judge.pt",
        gp="<results>/judges/{dataset}/gp.pt",
        answers=INPUTS.answers,
        inception=INPUTS.inception,
    output:
        "<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/metrics.json",
    log:
        "<results>/logs/evaluate/{dataset}/{model}/f={rate}.seed={seed}.log",
    benchmark:
        "<results>/benchmarks/evaluate/{dataset}/{model}/f={rate}.seed={seed}.jsonl"
    priority: in_order("evaluate")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=120,
        gpu=GPU,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=SETTINGS.evaluation,
        optional=optional_files,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.measuring.evaluate --settings {params.settings:q}"
        " --run {input.model:q} --store {input.description:q} --judge {input.judge:q}"
        " {params.optional} --device {params.device} --threads {threads}"
        " --out {output:q} --log {log:q}"


rule evaluate_judge:
    input:
        model="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/model.pt",
        record="<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/run.json",
        description="<results>/data/{dataset}/store.json",
        judge="<results>/judges/{dataset}/seed={judge}/judge.pt",
        gp="<results>/judges/{dataset}/seed={judge}/gp.pt",
    output:
        "<results>/runs/{dataset}/{model}/f={rate}/seed={seed}/judge={judge}.json",
    log:
        "<results>/logs/evaluate_judge/{dataset}/{model}/f={rate}.seed={seed}.judge={judge}.log",
    benchmark:
        "<results>/benchmarks/evaluate_judge/{dataset}/{model}/f={rate}.seed={seed}.judge={judge}.jsonl"
    priority: in_order("evaluate_judge")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=120,
        gpu=GPU,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=SETTINGS.evaluation,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.measuring.evaluate --settings {params.settings:q}"
        " --run {input.model:q} --store {input.description:q} --judge {input.judge:q}"
        " --judged-only --device {params.device} --threads {threads}"
        " --out {output:q} --log {log:q}"


rule evaluate_references:
    input:
        description="<results>/data/{dataset}/store.json",
        judge="<results>/judges/{dataset}/judge.pt",
        gp="<results>/judges/{dataset}/gp.pt",
        answers=INPUTS.answers,
        others=INPUTS.others_of_its_kind,
        inception=INPUTS.inception,
    output:
        "<results>/judges/{dataset}/references.json",
    log:
        "<results>/logs/evaluate_references/{dataset}.log",
    benchmark:
        "<results>/benchmarks/evaluate_references/{dataset}.jsonl"
    priority: in_order("evaluate_references")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=more(3000),
        runtime=120,
        gpu=GPU,
    params:
        python=python,
        code=digests.EVALUATORS,
        settings=SETTINGS.evaluation,
        others=folders_of_others,
        optional=optional_files,
        device=CONFIG.device,
    shell:
        "{params.python} -m workflow.steps.measuring.evaluate_references"
        " --settings {params.settings:q}"
        " --store {input.description:q} --judge {input.judge:q} --others {params.others:q}"
        " {params.optional} --device {params.device} --threads {threads}"
        " --out {output:q} --log {log:q}"
