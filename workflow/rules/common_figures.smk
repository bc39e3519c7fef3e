# Helpers of the rules that draw.

from workflow.figures.catalogue import FIGURES
from workflow.figures.gallery import Gallery, stem

try:
    GALLERY = Gallery(CONFIG)
except InputError as error:
    raise WorkflowError(str(error)) from None

FIGURE_CODE = sorted(
    map(str, Path(workflow.basedir, "workflow", "figures").glob("*.py"))
)
CAPTIONS = "../report/figures"
DRAW = (
    "python -m workflow.steps.make_figure --figures {params.names} --plan {params.plan:q}"
    " --settings {params.settings:q} --results {params.results:q} 2> {log:q}"
)


def drawn(figures, model="{model}", dataset="{dataset}"):
    """Each figure as a picture in the report, with its PDF and its caption as text."""
    files = []
    for figure in figures:
        path = f"<results>/{stem(figure, dataset, model)}"
        picture = report(
            f"{path}.png",
            caption=f"{CAPTIONS}/{figure.caption}.rst",
            category="Figures",
            subcategory=figure.title.capitalize(),
            labels={"figure": figure.heading, "data set": dataset, "model": model},
        )
        files += [picture, f"{path}.pdf", f"{path}.txt"]
    return files


def of_run(name, rate=None):
    """A file of a run; the rate is that of the figures unless another is named."""
    rate = rate or GALLERY.rate
    return f"<results>/runs/{{dataset}}/{{model}}/f={rate}/seed={GALLERY.seed}/{name}"


def shown_models(figures, wildcards):
    """Models of a figure: the one in its name, or all of its data set."""
    if "model" in wildcards.keys():
        return [wildcards.model]
    return GALLERY.models_of(figures[0], wildcards.dataset)


def of_shown_models(figures, name):
    """Input function: a file of each model that a figure shows."""
    return lambda wildcards: collect(
        of_run(name), dataset=wildcards.dataset, model=shown_models(figures, wildcards)
    )


def drawing_settings(figures):
    """Settings of a figure, by its wildcards."""
    return lambda wildcards: json.dumps(
        GALLERY.settings(figures, wildcards.dataset, shown_models(figures, wildcards))
    )


def drawing_facts(figures):
    """What the caption of a figure says, by its wildcards."""
    return lambda wildcards: GALLERY.facts(
        figures, wildcards.dataset, shown_models(figures, wildcards)
    )


def runs_of_dataset(wildcards):
    """What was measured on a data set."""
    return [
        f"<results>/{run.folder}/metrics.json"
        for run in CONFIG.runs()
        if run.dataset == wildcards.dataset
    ]
