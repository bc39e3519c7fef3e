"""A picture of the explorer's page, for pages that link to it; needs Chromium, and playwright.

python -m workflow.steps.reporting.picture_explorer --page results/reference/explorer.html \
  --out docs/explorer.png
"""

from __future__ import annotations

import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ccvae.errors import InputError
from workflow.reporting.pictures import shrink
from workflow.steps.command import LOG, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH, HEIGHT = 1200, 900
"""Of the picture, in pixels."""
PATIENCE_MS = 180_000


def arguments(parser: ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--page", default=Path("results/reference/explorer.html"), type=Path)
    parser.add_argument("--view", default="", help="what stands behind # in the page's address")
    parser.add_argument("--out", default=Path("docs/explorer.png"), type=Path)


def work(given: Namespace) -> None:
    """Open the page and write what it shows once its models have decoded.

    Raises
    ------
    InputError
        If there is no such page, no browser, or nothing to steer one with.
    """
    if not given.page.exists():
        raise InputError(f"there is no page {given.page}; run `snakemake explorer`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("playwright is not installed; run `pip install -e .[browser]`") from None
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise InputError(
            f"none of {', '.join(BROWSERS)} is on the PATH; install your system's package of one"
        )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(f"{given.page.resolve().as_uri()}#{given.view}")
        page.wait_for_selector("html[data-open]", timeout=PATIENCE_MS)
        page.wait_for_selector("html[data-idle=true]", timeout=PATIENCE_MS)
        page.screenshot(path=given.out)
        browser.close()
    shrink(given.out, given.out, WIDTH)
    LOG.info("%s shows %s", given.out, given.page)


if __name__ == "__main__":
    run(__doc__, arguments, work)
