# Helpers of the rules of studies.

from workflow.studies.plan import (
    alpha_variants,
    gradient_variants,
    images_per_step,
    named_variants,
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


wildcard_constraints:
    variant=r"[A-Za-z0-9_.=+-]+",
    study="|".join(NAMED_VARIANTS) or "none",


def study_settings(study):
    """Settings of a training, by its wildcards."""

    @in_a_file("train")
    def settings(wildcards):
        folder = f"studies/{study}/{{dataset}}/{{variant}}/f={{rate}}/seed={{seed}}"
        return VARIANTS[folder.format(**wildcards)].settings

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
    about = {key: study[key] for key in ("title", "deviations") if key in study}
    variants = [variant.described() for variant in NAMED_VARIANTS[name]]
    plan = {"name": name, **about, "variants": variants}
    return in_a_file("study")(lambda wildcards: plan)


def studies_there(wildcards):
    """Tables of the studies that were run; no claim is worth running one."""
    names = ("gradients_summary", "alpha", *NAMED_VARIANTS)
    return [
        f"<results>/studies/{name}.csv"
        for name in names
        if Path("results", CONFIG.preset, "studies", f"{name}.csv").exists()
    ]
