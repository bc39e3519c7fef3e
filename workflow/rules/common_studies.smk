# Helpers of the rules of studies.

from workflow.studies.plan import (
    alpha_variants,
    gradient_variants,
    images_per_step,
    named_variants,
    titles_of,
)

GRADIENT_VARIANTS = gradient_variants(CONFIG)
ALPHA_VARIANTS = alpha_variants(CONFIG)
NAMED_VARIANTS = {
    name: named_variants(CONFIG, name) for name in CONFIG.values["studies"]["variants"]
}
VARIANTS = {
    variant.folder: variant
    for variant in sum(NAMED_VARIANTS.values(), GRADIENT_VARIANTS + ALPHA_VARIANTS)
}
# The readings are compared at the parameters that the first training of all led to.
FIXED = GRADIENT_VARIANTS[0]
STUDY = {"mem_mb": more(3000), "runtime": more(240), "gpu": GPU}
STUDY_CODE = code("workflow/studies/summary.py", "workflow/studies/variants.py")
FURTHER = {
    "budgets": {"orders": "_orders.csv", "picture": ".png", "figure": ".pdf"},
    "beside_paper": {"paper": "_paper.csv"},
}


wildcard_constraints:
    variant=r"[A-Za-z0-9_.=+-]+",
    study="|".join(NAMED_VARIANTS) or "none",


def study_folder(wildcards, study="{study}"):
    """Folder of a training, by its wildcards."""
    folder = f"studies/{study}/{{dataset}}/{{variant}}/f={{rate}}/seed={{seed}}"
    return folder.format(**wildcards)


def study_settings(study):
    """Settings of a training, by its wildcards."""

    @in_a_file("train")
    def settings(wildcards):
        return VARIANTS[study_folder(wildcards, study)].settings

    return settings


@in_a_file("draws")
def draw_settings(wildcards):
    study = CONFIG.values["studies"]["gradients"]
    return {
        "readings": study["readings"],
        "draws": study["draws"],
        "seed": FIXED.settings["torch_seed"],
        "images": images_per_step(FIXED.settings["training"]),
    }


def study_plan(variants):
    """Settings of a study's table: its trainings."""
    models = CONFIG.values["model_settings"]
    plan = {
        "variants": [variant.described() for variant in variants],
        "titles": {v.run.model: models[v.run.model]["title"] for v in variants},
    }
    return in_a_file("study")(lambda wildcards: plan)


def named_plan(name):
    """The same for an entry of `studies.variants`, with its own name and title."""
    study = CONFIG.values["studies"]["variants"][name]
    keys = ("title", "deviations", "budgets", "beside_paper")
    plan = {
        "name": name,
        **{key: study[key] for key in keys if key in study},
        "variants": [variant.described() for variant in NAMED_VARIANTS[name]],
        "titles": titles_of(study, CONFIG.values["model_settings"]),
    }
    return in_a_file("study")(lambda wildcards: plan)


def study_priority(wildcards):
    """Priority of a training, behind those of all runs: as its study lists them."""
    variants = NAMED_VARIANTS[wildcards.study]
    place = [variant.folder for variant in variants].index(study_folder(wildcards))
    return (len(variants) - place) / (len(variants) + 1)


def study_splits(wildcards):
    """Images on which a training is scored."""
    study = CONFIG.values["studies"]["variants"][wildcards.study]
    also = VARIANTS[study_folder(wildcards)].value in study.get("beside_paper", ())
    return "validation test" if also else "validation"


def further_tables(name):
    """What a study makes besides its table and its page, by the names of outputs."""
    study = CONFIG.values["studies"]["variants"][name]
    return {
        key: f"<results>/studies/{name}{end}"
        for kind, ends in FURTHER.items()
        if kind in study
        for key, end in ends.items()
    }


def runs_there(name):
    """Input function: what was measured of the models that a study sets beside the paper."""
    study = CONFIG.values["studies"]["variants"][name]
    beside = study.get("beside_paper", ())
    of = {
        (v.run.dataset, v.run.model) for v in NAMED_VARIANTS[name] if v.value in beside
    }

    def files(wildcards):
        results = Path("results", CONFIG.preset)
        return sorted(
            str(Path("<results>", path.relative_to(results)))
            for dataset, model in of
            for path in results.glob(f"runs/{dataset}/{model}/f=*/seed=*/metrics.json")
        )

    return files


def study_is_there(name):
    return Path("results", CONFIG.preset, "studies", f"{name}.csv").exists()


def studies_there(wildcards):
    """Tables of the studies that were run; no claim is worth running one."""
    names = ("gradients_summary", "alpha", *NAMED_VARIANTS)
    return [f"<results>/studies/{name}.csv" for name in names if study_is_there(name)]
