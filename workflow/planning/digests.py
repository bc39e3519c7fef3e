"""Digests of the suite's own code: parameters of what shall be made again when it changes.

As inputs the files would do the same, but also when the suite is moved. Changed code of a
measurement or a table makes them again, and trains nothing.
"""

from __future__ import annotations

import hashlib

from workflow.interpreter import SUITE


def digest(*patterns: str) -> str:
    """Digest of source files, by their patterns in the suite."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in SUITE.glob(pattern)):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _reporting(*names: str) -> list[str]:
    return [f"workflow/reporting/{name}.py" for name in names]


EVALUATORS = digest("evaluators/*.py")
GAUSSIAN_PROCESS = digest("evaluators/gaussian_process.py")
TABLES = digest(
    *_reporting("judges", "paper", "records", "render", "statistics", "tables", "terms"),
    "evaluators/gates.py",
    "workflow/resources/deviations.yaml",
)
CAPABILITIES = digest("evaluators/gates.py", *_reporting("capabilities", "judges"))
CLAIMS = digest(
    *_reporting("claims", "claims_markdown", "comparison", "court"),
    *_reporting("judges", "statistics", "verdicts"),
    "evaluators/gates.py",
    "workflow/resources/claims.yaml",
)
JUDGE_SEEDS = digest(
    *_reporting("judge_seeds", "judge_seeds_pages", "judges", "records"),
    "evaluators/gates.py",
    "workflow/resources/claims.yaml",
)
STUDIES = digest("workflow/studies/*.py")
FIGURES = digest("workflow/figures/*.py")
EXPLORER = digest(
    "workflow/explorer/*.py",
    "workflow/explorer/page/*",
    "workflow/steps/reporting/make_explorer.py",
)
REFERENCE = digest(*_reporting("reference", "timing", "pictures"))
