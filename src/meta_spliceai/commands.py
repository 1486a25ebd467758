"""The commands as functions.

Each command of the command line is the function of the same name here (a space becomes an underscore), with the same
options: `meta-spliceai basepass run --reference DIR` is `commands.basepass_run(reference=DIR)`. What a command works on may be
given without its name: `meta-spliceai dataset summary DIR`.
"""

from meta_spliceai.basepass.run import run as basepass_run
from meta_spliceai.build.run import build
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.maintain.dedup import dedup as dataset_dedup
from meta_spliceai.maintain.diff import diff as dataset_diff
from meta_spliceai.maintain.migrate import migrate as dataset_migrate
from meta_spliceai.maintain.patch import patch as dataset_patch
from meta_spliceai.maintain.summary import summarise as dataset_summary
from meta_spliceai.pipeline import demo, run
from meta_spliceai.predict.run import predict
from meta_spliceai.reference.prepare import prepare as reference_prepare
from meta_spliceai.report.run import report
from meta_spliceai.train.run import train

__all__ = [
    "basepass_run",
    "build",
    "dataset_dedup",
    "dataset_diff",
    "dataset_migrate",
    "dataset_patch",
    "dataset_summary",
    "demo",
    "evaluate",
    "predict",
    "reference_prepare",
    "report",
    "run",
    "train",
]
