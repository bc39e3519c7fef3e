# The suite, its configuration, and what the rules have in common. Their functions are in
# workflow/planning, which Python need not compile anew each time.

import contextlib
import gc
import subprocess
import sys
import tempfile
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import HostingProviderFile, LocalGitFile, LocalSourceFile
from snakemake_interface_executor_plugins.settings import DeploymentMethod

# Planning makes half a million objects, and nearly all stay: looking for garbage after every seven
# hundred of them is a tenth of its time.
gc.set_threshold(1_000_000, *gc.get_threshold()[1:])


def suite_of(rules):
    """Folder of the suite, whose Python packages lie beside its workflow.

    Two folders up from these rules, whether the suite is called from there or from elsewhere, and
    by itself or as a module. A module can also be named in a repository, as github(...): Snakemake
    then reads single files of a commit, and the whole of it is checked out once, beside its cache.
    """
    if isinstance(rules, LocalSourceFile):
        return Path(rules.path).parents[1]
    if isinstance(rules, LocalGitFile):
        repository = rules.repo_path
    elif isinstance(rules, HostingProviderFile):
        repository = rules.hosted_repo.repo_clone
    else:
        raise WorkflowError(
            f"the suite's Python packages are not beside {rules}; name workflow/Snakefile of a "
            "clone, or in a repository with github(...), gitlab(...) or gitfile(...)"
        )

    def git(*arguments):
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
        if done.returncode:
            raise WorkflowError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    commit = git("-C", str(repository), "rev-parse", f"{rules.ref}^{{commit}}")
    folder = workflow.source_cache_path.with_name("ccvae-suite") / commit
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            new = str(Path(made, commit))
            git("clone", "--quiet", "--no-checkout", str(repository), new)
            git("-C", new, "checkout", "--quiet", commit)
            # Another job may have been faster.
            with contextlib.suppress(OSError):
                Path(new).rename(folder)
    return folder


SUITE = suite_of(workflow.current_basedir)
sys.path.insert(0, str(SUITE))

from ccvae.errors import InputError
from evaluators.inception import look_at, verify
from workflow.cards import visible_cards
from workflow.config import Config
from workflow.figures.catalogue import FIGURES
from workflow.figures.chosen import chosen
from workflow.figures.gallery import Gallery
from workflow.interpreter import name_the_user, python_command
from workflow.planning import digests
from workflow.planning.checks import check
from workflow.planning.drawing import Drawing
from workflow.planning.inputs import (
    Inputs,
    folders_of_others,
    nothing_in,
    optional_files,
)
from workflow.planning.job_settings import JobSettings
from workflow.planning.order import priority
from workflow.planning.overlay import with_defaults, with_preset_as_written
from workflow.planning.studies import Studies
from workflow.planning.surroundings import closed_state
from workflow.reporting.paper import TABLES

if reason := closed_state(Path.cwd()):
    raise WorkflowError(reason)
try:
    given = workflow.overwrite_configfiles, workflow.config_settings.config_args
    CONFIG = Config(with_preset_as_written(with_defaults(config), *given))
    check(CONFIG, Path("results", CONFIG.preset))
except InputError as error:
    raise WorkflowError(str(error)) from None

# The report's first page tells what was run from here.
config.update(
    {
        key: CONFIG.values[key]
        for key in ("preset", "datasets", "models", "supervision_rates", "seeds")
    }
)

# Snakemake asks for the user's name once the rules are read.
name_the_user()
# Steps run with the interpreter that runs Snakemake, unless each job gets an environment.
PYTHON = python_command(
    own_environment=not workflow.deployment_settings.deployment_method.isdisjoint(
        {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}
    )
)
SETTINGS = JobSettings(
    CONFIG, lambda: workflow.executor_plugin is not None and not workflow.dryrun
)
INPUTS = Inputs(CONFIG)
STUDIES = Studies(CONFIG, SETTINGS)
GALLERY = Gallery(CONFIG)


# Jobs that compute on a GPU share the cards of this machine, unless `--resources gpu=...` says
# otherwise; where it has none they all compute on the processor. A cluster counts its own.
GPU = 0 if CONFIG.values["device"] == "cpu" else 1
if visible_cards() and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = (
        len(visible_cards()) * CONFIG.values["jobs_per_card"]
    )


resource_scopes:
    gpu="local",


wildcard_constraints:
    dataset="|".join(CONFIG.values["data"]),
    model="|".join(CONFIG.values["model_settings"]),
    rate=r"[0-9.]+",
    seed=r"\d+",
    # Behind the folder of a data set's judge: nothing for the first, which measures.
    other=r"(?:/seed=[1-9]\d*)?",
    judge=r"[1-9]\d*",
    variant=r"[A-Za-z0-9_.=+-]+",
    study="|".join(STUDIES.named) or "none",


def more(amount):
    """Memory: a job asks for more each time it is tried again.

    Not time: a training that is tried again continues, and a function costs each job of a plan
    a tenth of a millisecond.
    """
    return lambda wildcards, attempt: amount * attempt


def in_order(rule):
    """Input function: priority of a rule's job, by its data set and seed."""
    datasets, seeds = list(CONFIG.datasets), CONFIG.most_seeds

    def of_job(wildcards):
        seed = int(wildcards.get("seed", 0))
        return priority(rule, wildcards.dataset, datasets, seed, seeds)

    return of_job


# Priority of what readers see: it takes a moment.
AT_ONCE = 1000
# What a local rule asks for, which reads records and writes text or a picture.
LIGHT = {"mem_mb": 1000, "runtime": 30, "gpu": 0}


def python(wildcards, input):
    """What runs a step in the shell.

    No record of a job holds it, because Snakemake takes it for something made of the input: no
    result depends on where the suite and its interpreter are.
    """
    return PYTHON


def examine_weights(examine):
    """Call on the weights of InceptionV3, if any, what raises InputError where they are wrong."""
    try:
        for path in INPUTS.inception:
            examine(Path(path))
    except InputError as error:
        raise WorkflowError(str(error)) from None
    except ModuleNotFoundError:
        # Only the jobs have torch, in their container; `evaluate` looks again.
        pass


examine_weights(look_at)
