"""The commands as functions.

Each command of the command line is the function of the same name here (a space becomes an underscore), with the same
options: `meta-spliceai basepass run --reference DIR` is `commands.basepass_run(reference=DIR)`.
"""

from meta_spliceai.basepass.run import run as basepass_run
from meta_spliceai.build.run import build
from meta_spliceai.build.strategic import genes_list, genes_select
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.pipeline import demo, run
from meta_spliceai.predict.run import predict
from meta_spliceai.reference.prepare import prepare as reference_prepare
from meta_spliceai.report.run import report
from meta_spliceai.train.run import train

__all__ = [
    "basepass_run",
    "build",
    "demo",
    "evaluate",
    "genes_list",
    "genes_select",
    "predict",
    "reference_prepare",
    "report",
    "run",
    "train",
]
