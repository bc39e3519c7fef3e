# Helpers of the rules that gather results for readers.

from workflow.figures.chosen import chosen

PICTURES = chosen(GALLERY, CONFIG.values["reference"]["figures"])


def of_study(name, variants):
    """Tables and pictures of a study, below the preset's folder, if a reader wants them.

    Studies are on the data sets that are run: whoever asks for other data does not want to train on
    them. Those on request are there if they were run.
    """
    studies = CONFIG.values["studies"]
    named = studies["variants"].get(name, {})
    study = named or studies[name.removesuffix("_summary")]
    if not {variant.run.dataset for variant in variants} <= set(CONFIG.datasets):
        return []
    if study.get("on_request") and not study_is_there(name):
        return []
    further = further_tables(name).items() if named else ()
    return [
        *(f"studies/{name}.{form}" for form in ("md", "csv")),
        *(path.removeprefix("<results>/") for key, path in further if key != "figure"),
    ]


STUDIES_HERE = [
    path
    for name, variants in {
        "gradients_summary": GRADIENT_VARIANTS,
        "alpha": ALPHA_VARIANTS,
        **NAMED_VARIANTS,
    }.items()
    for path in of_study(name, variants)
]
REFERENCE_FILES = [
    "records.csv",
    "claims.csv",
    "claims.md",
    "tables/index.md",
    *(["explorer.html"] if EXPLORED else []),
    *(
        f"tables/{name}.{form}"
        for name in TABLES_HERE
        for form in ("md", "csv", "wide.csv", "tex")
    ),
    *(
        f"{name}.{form}"
        for name in ("tables/comparison", "tables/capabilities")
        for form in ("md", "csv")
    ),
    *STUDIES_HERE,
]
REFERENCE_CODE = code(
    *(f"workflow/reporting/{name}.py" for name in ("reference", "timing", "pictures"))
)


@in_a_file("reference")
def reference_settings(wildcards):
    return {"values": CONFIG.values, "files": REFERENCE_FILES, "pictures": PICTURES}
