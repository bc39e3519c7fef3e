"""What `make smoke` makes, looked at by a browser: figures, front page and report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "smoke"
CHOICE = ("--configfile", "config/smoke.yaml")
STAND_INS = {"synthetic_faces": "CelebA", "synthetic_xrays": "CheXpert"}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

pytestmark = pytest.mark.slow


def snakemake(*arguments: str) -> None:
    command = [sys.executable, "-m", "snakemake", "--nolock", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Folder with the report of a run, unpacked, and the same report as one file.

    The run stays where `make smoke` puts it, which has nothing to do after it, nor this after that.
    """
    folder = tmp_path_factory.mktemp("report")
    snakemake("--cores", "2", *CHOICE)
    snakemake(*CHOICE, "--report", str(folder / "report.zip"))
    snakemake(*CHOICE, "--report", str(folder / "report.html"))
    with zipfile.ZipFile(folder / "report.zip") as archive:
        archive.extractall(folder / "unpacked")
    return folder


def loaded(page: Path) -> str:
    """What a page consists of once a browser has run its scripts."""
    if BROWSER is None:
        pytest.skip("chromium is not installed")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
    ]
    command += ["--virtual-time-budget=20000", "--dump-dom", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_figure_is_a_readable_picture_with_a_caption(report):
    pictures = sorted((RESULTS / "figures").rglob("*.png"))
    assert len(pictures) > 10
    for picture in pictures:
        with Image.open(picture) as image:
            image.load()
            assert min(image.size) > 200
        assert picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        text = picture.with_suffix(".txt").read_text(encoding="utf-8")
        for name, original in STAND_INS.items():
            if picture.name.startswith(name):
                assert f"{name}, a drawn stand-in for {original}" in text


def test_the_report_holds_every_table_and_figure(report):
    (page,) = (report / "unpacked").rglob("report.html")
    kept = {path.name for path in page.parent.rglob("*") if path.is_file()}
    made = {path.name for path in (RESULTS / "figures").rglob("*.png")}
    made |= {path.name for path in (RESULTS / "tables").glob("*.csv")}
    assert made <= kept
    assert {"records.csv", "claims.md", "front_page.html"} <= kept


@pytest.mark.parametrize("form", ["unpacked", "one file"])
def test_the_report_opens_in_a_browser(report, form):
    page = report / "report.html"
    if form == "unpacked":
        (page,) = (report / "unpacked").rglob("report.html")
    shown = loaded(page)
    for category in ("Front page", "Figures", "Tables", "Records"):
        assert category in shown
    assert "synthetic_xrays" in shown


def test_no_picture_of_the_report_is_broken(report, tmp_path):
    pictures = [path.resolve().as_uri() for path in (report / "unpacked").rglob("*.png")]
    page = tmp_path / "pictures.html"
    page.write_text(
        "<pre id=out></pre><script>"
        f"const all = {json.dumps(pictures)}; let widths = {{}};"
        "Promise.all(all.map(url => new Promise(done => { const image = new Image();"
        " image.onload = () => { widths[url] = image.naturalWidth; done(); };"
        " image.onerror = () => { widths[url] = 0; done(); }; image.src = url; })))"
        ".then(() => document.getElementById('out').textContent = JSON.stringify(widths));"
        "</script>",
        encoding="utf-8",
    )
    shown = loaded(page)
    widths = json.loads(shown.partition('<pre id="out">')[2].partition("</pre>")[0])
    assert set(widths) == set(pictures)
    assert all(width > 200 for width in widths.values())


def test_the_report_says_what_was_run(report):
    said = (report / "report.html").read_text(encoding="utf-8")
    assert 'literal\\">smoke</tt>' in said
    assert "mnist, fashion_mnist, synthetic_faces, synthetic_xrays; models" in said
    assert "ccvae, m2, mvae, diva, vae_classifier, supervised; f = 0.06, 1.0;" in said
    assert "1 seed(s)" in said


def test_the_front_page_says_what_was_run_and_has_the_tables(report):
    shown = loaded(RESULTS / "front_page.html")
    runs = len(list(RESULTS.glob("runs/*/*/*/*/metrics.json")))
    assert f"all {runs} runs" in shown
    for original in STAND_INS.values():
        assert f"drawn stand-in</b> for {original}" in shown
    assert shown.count("<table") >= 3
    for anchor in ("claims", "table1", "table2", "table5", "table6", "table7", "capabilities"):
        assert f'id="{anchor}"' in shown
        assert f'href="#{anchor}"' in shown
    # Up to three lines about each data set and its judge, and nine about everything.
    datasets = len(list(RESULTS.glob("runs/*")))
    assert shown.partition("</ul>")[0].count("<li>") <= 3 * datasets + 9
