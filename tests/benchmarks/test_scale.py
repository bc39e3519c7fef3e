from __future__ import annotations

from benchmarks.scale import Cost, invent_records, page
from workflow.config import Config
from workflow.planning.overlay import merged_config
from workflow.reporting.paper import TABLES
from workflow.reporting.records import Plan, collect
from workflow.reporting.tables import tidy

PLANS = {100: Cost(1.0, 2.0, 50.0), 2000: Cost(3.0, 4.0, 60.0)}


def test_the_invented_records_fill_the_tables(tmp_path):
    settings = ["datasets=[mnist]", "models=[m2]", "supervision_rates=[0.06, 1.0]", "seeds=2"]
    config = Config(merged_config([], settings))
    invent_records(config, tmp_path)
    plan = Plan(**config.plan())
    records = collect(tmp_path, plan)
    assert records.loc[records["seed"].notna(), "run"].nunique() == 4
    cells = tidy(TABLES["table6"], records, plan)
    assert cells["mean"].notna().all()


def test_the_page_has_a_line_for_each_measurement():
    default = {"all jobs": Cost(1.75, 1.85, 95.0)}
    lines = page(default, PLANS, 2000, {"records": Cost(1.25, 5.0, 90.0)}).splitlines()
    assert "| all jobs | 1.8 s | 1.9 s | 2 s | 95 MB |" in lines
    assert "| 2000 | 3.0 s | 4.0 s | 30 s | 60 MB |" in lines
    assert "| records | 1.2 s | 5.0 s | 10 s | 90 MB | 500 MB |" in lines
