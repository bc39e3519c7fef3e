"""Digests of the suite's own code: parameters of what shall be made again when it changes.

As inputs the files would do the same, but also when the suite is moved. Changed code of a
measurement or a table makes them again, and trains nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from workflow.interpreter import SUITE


def digest(*patterns: str) -> str:
    """Digest of source files, by their patterns in the suite.

    Raises
    ------
    LookupError
        If a pattern matches no file, as after a module has got another name.
    """
    paths: list[Path] = []
    for pattern in patterns:
        if not (matching := list(SUITE.glob(pattern))):
            raise LookupError(f"the suite has no file {pattern}, whose changes shall be noticed")
        paths += matching
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _reporting(*names: str) -> list[str]:
    return [f"workflow/reporting/{name}.py" for name in names]


PAPER_VALUES = "workflow/resources/paper_tables.csv"
EVALUATORS = digest("evaluators/*.py", "workflow/measures.py")
GAUSSIAN_PROCESS = digest("evaluators/gaussian_process.py")
RECORDS = digest(*_reporting("judges", "readable", "record_files", "records"))
TABLES = digest(
    *_reporting("judges", "paper", "readable", "records", "register", "render", "statistics"),
    *_reporting("tables", "terms"),
    "evaluators/gates.py",
    "workflow/resources/deviations.yaml",
    PAPER_VALUES,
)
CAPABILITIES = digest(
    *_reporting("capabilities", "capabilities_markdown", "judges", "statistics"),
    "evaluators/gates.py",
)
CLAIMS = digest(
    *_reporting("claims", "claims_markdown", "comparison", "court", "wording"),
    *_reporting("judges", "paper", "statistics", "tables", "verdicts"),
    "evaluators/gates.py",
    "workflow/resources/claims.yaml",
    PAPER_VALUES,
)
JUDGE_SEEDS = digest(
    *_reporting("judge_seeds", "judge_seeds_pages", "judges", "readable", "records"),
    "evaluators/gates.py",
    "workflow/resources/claims.yaml",
)
STUDIES = digest(
    "workflow/studies/*.py",
    "workflow/figures/budget.py",
    *_reporting("judges", "paper", "tables"),
    PAPER_VALUES,
)
FIGURES = digest(
    "workflow/figures/*.py",
    "workflow/report/figures/*.rst",
    "workflow/steps/reporting/make_figure.py",
)
FRONT_PAGE = digest(*_reporting("answer", "claims_markdown", "page", "pages", "wording"))
EXPLORER = digest(
    "workflow/explorer/*.py",
    "workflow/explorer/page/*",
    "workflow/steps/reporting/make_explorer.py",
)
REFERENCE = digest(*_reporting("reference", "timing", "pictures"))
