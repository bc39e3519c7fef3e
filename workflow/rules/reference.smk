# What a reader wants to see of a preset, gathered in one small folder.


include: "common_reference.smk"


rule reference:
    input:
        records="<results>/records.csv",
        files=[f"<results>/{path}" for path in REFERENCE_FILES],
        pictures=[f"<results>/{path}.png" for path in PICTURES],
        captions=[f"<results>/{path}.txt" for path in PICTURES],
    output:
        f"{CONFIG.reference_folder}/README.md",
    log:
        "<results>/logs/reference.log",
    localrule: True
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **LIGHT,
    params:
        python=python,
        code=REFERENCE_CODE,
        settings=reference_settings,
        results=subpath(input.records, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_reference --settings {params.settings:q}"
        " --results {params.results:q} --out {params.out:q} --log {log:q}"
