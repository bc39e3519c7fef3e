# What a reader wants to see of a preset, gathered in one small folder.


REFERENCE = {
    "values": CONFIG.values,
    "files": [
        *("claims.csv", "claims.md", "tables/index.md"),
        *(["explorer.html"] if EXPLORED else []),
        *(
            f"tables/{name}.{form}"
            for name in (
                *INPUTS.tables,
                *(["judge_seeds"] if INPUTS.judged_again else []),
            )
            for form in ("md", "csv", "wide.csv", "tex")
        ),
        *(
            f"{name}.{form}"
            for name in ("tables/comparison", "tables/capabilities")
            for form in ("md", "csv")
        ),
        *STUDIES.wanted(),
    ],
    "pictures": chosen(GALLERY, CONFIG.values["reference"]["figures"]),
}


rule reference:
    input:
        records="<results>/records.csv",
        files=[f"<results>/{path}" for path in REFERENCE["files"]],
        pictures=[f"<results>/{path}.png" for path in REFERENCE["pictures"]],
        captions=[f"<results>/{path}.txt" for path in REFERENCE["pictures"]],
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
        code=digests.REFERENCE,
        settings=lambda wildcards: SETTINGS.file("reference", REFERENCE),
        results=subpath(input.records, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "{params.python} -m workflow.steps.reporting.make_reference --settings {params.settings:q}"
        " --results {params.results:q} --out {params.out:q} --log {log:q}"
