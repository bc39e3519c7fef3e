# Helpers of the rules: the settings of single jobs.

from workflow.planning.checks import settings_of_asked_for
from workflow.settings import settings_file

SETTINGS = Path("results", CONFIG.preset, "settings")


def in_a_file(job):
    """Let a function of wildcards name a file of the settings that it returns.

    So a shell line stays short, and a job with other settings, in another file, is run again.
    `snakemake -n` leaves no trace: what only looks at jobs writes no files.
    """

    def decorate(resolve):
        def settings(wildcards):
            runs_jobs = workflow.executor_plugin is not None and not workflow.dryrun
            asked = resolve(wildcards)
            try:
                return str(settings_file(SETTINGS, job, asked, write=runs_jobs))
            except OSError as error:
                raise WorkflowError(
                    f"the folder {SETTINGS} cannot be written ({error.strerror}); change its "
                    "permissions or choose another working directory with --directory"
                ) from None

        return settings

    return decorate


@in_a_file("train")
def run_settings(wildcards):
    return CONFIG.run_settings(run_of(wildcards))


@in_a_file("store")
def data_settings(wildcards):
    try:
        return settings_of_asked_for(CONFIG, wildcards.dataset)
    except InputError as error:
        raise WorkflowError(str(error)) from None


@in_a_file("judge")
def judge_settings(wildcards):
    return CONFIG.judge_settings(wildcards.dataset, judge_of(wildcards))


@in_a_file("gate")
def gate_settings(wildcards):
    return CONFIG.gate_settings(wildcards.dataset)


@in_a_file("gp")
def gp_settings(wildcards):
    return CONFIG.gp_settings(wildcards.dataset, judge_of(wildcards))


@in_a_file("evaluation")
def evaluation_settings(wildcards):
    return CONFIG.evaluation_settings(wildcards.dataset)


@in_a_file("plan")
def plan_settings(wildcards):
    return CONFIG.plan()


@in_a_file("judges")
def judges_settings(wildcards):
    return {
        "plan": CONFIG.plan(),
        "judges": {name: CONFIG.judges_of(name) for name in CONFIG.datasets},
    }


@in_a_file("configuration")
def all_settings(wildcards):
    return CONFIG.values
