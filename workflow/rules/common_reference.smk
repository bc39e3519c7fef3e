# Helpers of the rules that gather results for readers.

from workflow.figures.chosen import chosen

PICTURES = chosen(GALLERY, CONFIG.values["reference"]["figures"])

# Studies on the data sets that are run; whoever asks for other data does not want to train on them.
STUDIES_HERE = [
    path
    for paths, variants in (
        (["studies/gradients_summary"], GRADIENT_VARIANTS),
        (["studies/alpha"], ALPHA_VARIANTS),
        *(([f"studies/{name}"], found) for name, found in NAMED_VARIANTS.items()),
    )
    if {variant.run.dataset for variant in variants} <= set(CONFIG.datasets)
    for path in paths
]
REFERENCE_FILES = [
    "records.csv",
    "claims.csv",
    "claims.md",
    "tables/index.md",
    *(["explorer.html"] if EXPLORED else []),
    *(
        f"tables/{name}.{form}"
        for name in (*TABLES_HERE, *(["judge_seeds"] if JUDGED_AGAIN else []))
        for form in ("md", "csv", "wide.csv", "tex")
    ),
    *(
        f"{name}.{form}"
        for name in ("tables/comparison", "tables/capabilities", *STUDIES_HERE)
        for form in ("md", "csv")
    ),
]
REFERENCE_CODE = code(
    *(f"workflow/reporting/{name}.py" for name in ("reference", "timing", "pictures"))
)


@in_a_file("reference")
def reference_settings(wildcards):
    return {"values": CONFIG.values, "files": REFERENCE_FILES, "pictures": PICTURES}
