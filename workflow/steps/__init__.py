"""Programs: one per kind of job, in groups, and `doctor` and `plan` for people.

Each is run as `python -m workflow.steps.GROUP.NAME`.
"""

import gc
import sys

# `python -m` sets this while it looks for the module: the process runs a step. Its imports make
# several hundred thousand objects that live to its end, and the garbage collector would look at
# them again and again, for a third of a job's start-up; `command.run` turns it on.
if sys.argv[0] == "-m":
    gc.disable()
