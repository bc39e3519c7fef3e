# Helpers of the rules of studies.

from workflow.studies.plan import (
    alpha_variants,
    gradient_variants,
    images_per_step,
    named_variants,
)

try:
    GRADIENT_VARIANTS = gradient_variants(CONFIG)
except InputError as error:
    raise WorkflowError(str(error)) from None
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
STUDY_CODE = [
    str(Path(workflow.basedir, "workflow", "studies", name))
    for name in ("summary.py", "variants.py")
]


wildcard_constraints:
    variant=r"[A-Za-z0-9_.=+-]+",
    study="|".join(NAMED_VARIANTS) or "none",


def study_settings(study):
    def settings(wildcards):
        folder = f"studies/{study}/{{dataset}}/{{variant}}/f={{rate}}/seed={{seed}}"
        return json.dumps(VARIANTS[folder.format(**wildcards)].settings)

    return settings


def draw_settings(wildcards):
    study = CONFIG.values["studies"]["gradients"]
    return json.dumps(
        {
            "readings": study["readings"],
            "draws": study["draws"],
            "seed": FIXED.settings["torch_seed"],
            "images": images_per_step(FIXED.settings["training"]),
        }
    )


def study_plan(variants):
    models = CONFIG.values["model_settings"]
    return json.dumps(
        {
            "variants": [variant.described() for variant in variants],
            "titles": {v.run.model: models[v.run.model]["title"] for v in variants},
        }
    )


def named_plan(name):
    study = CONFIG.values["studies"]["variants"][name]
    about = {key: study[key] for key in ("title", "deviations") if key in study}
    variants = [variant.described() for variant in NAMED_VARIANTS[name]]
    return json.dumps({"name": name, **about, "variants": variants})
