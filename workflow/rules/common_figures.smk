# Helpers of the rules that draw.

from workflow.figures.catalogue import FIGURES
from workflow.figures.gallery import Gallery, stem

GALLERY = Gallery(CONFIG)

FIGURE_CODE = code("workflow/figures/*.py")
CAPTIONS = "../report/figures"
DRAW = (
    "{params.python} -m workflow.steps.reporting.make_figure --figures {params.names}"
    " --settings {params.settings:q} --results {params.results:q} --log {log:q}"
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


def shown(figures, wildcards):
    """Data set of a figure, and its models: the one in its name, or all of the data set."""
    if figures[0].scope == "study":
        return GALLERY.study["dataset"], []
    if "model" in wildcards.keys():
        return wildcards.dataset, [wildcards.model]
    return wildcards.dataset, GALLERY.models_of(figures[0], wildcards.dataset)


def of_shown_models(figures, name):
    """Input function: a file of each model that a figure shows."""

    def files(wildcards):
        dataset, models = shown(figures, wildcards)
        return collect(of_run(name), dataset=dataset, model=models)

    return files


def judge_of_shown(wildcards):
    """Input function: what says which labels a figure greys, where anything is asked of labels."""
    asked = CONFIG.gate_settings(wildcards.dataset)["label_minimum"]
    return collect(
        "<results>/judges/{dataset}/{record}.json",
        dataset=wildcards.dataset,
        record=["judge", "references"] if asked else [],
    )


def drawing_settings(figures):
    """Settings of a figure, by its wildcards."""

    @in_a_file("figures")
    def settings(wildcards):
        about = GALLERY.settings(figures, *shown(figures, wildcards))
        return {**about, "plan": CONFIG.plan()}

    return settings


def drawing_facts(figures):
    """What the caption of a figure says, by its wildcards."""
    return lambda wildcards: GALLERY.facts(figures, *shown(figures, wildcards))


def runs_of_dataset(wildcards):
    """What was measured on a data set."""
    return [
        f"<results>/{run.folder}/metrics.json"
        for run in CONFIG.runs()
        if run.dataset == wildcards.dataset
    ]
