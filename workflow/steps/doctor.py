"""Say on one screen what would stop a configuration from running; exit 1 if anything would."""

from __future__ import annotations

import sys
import textwrap
from argparse import ArgumentParser, Namespace

from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.planning.preflight import Finding, examine
from workflow.steps.command import add_configuration_arguments, run

WIDTH = 100


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    add_configuration_arguments(parser)


def work(given: Namespace) -> None:
    """Print what was found, and a sentence per problem."""
    config = Config(merged_config(given.configfile, given.config))
    findings = list(examine(config, given.results))
    print(f"preset {config.preset}")
    print("\n".join(screen([f for f in findings if not f.is_problem])))
    problems = [f for f in findings if f.is_problem]
    for problem in problems:
        print(f"error: {problem.sentence}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print("nothing stops this configuration from running")


def screen(findings: list[Finding]) -> list[str]:
    """Lines of what is well, each topic named once."""
    lines, last = [], ""
    for finding in findings:
        topic = "" if finding.topic == last else finding.topic
        indent = " " * 10
        text = textwrap.fill(finding.sentence, WIDTH - len(indent), break_on_hyphens=False)
        lines.append(f"{topic:<10}" + textwrap.indent(text, indent).lstrip())
        last = finding.topic
    return lines


if __name__ == "__main__":
    run(__doc__, arguments, work)
