"""The commands as functions.

Each command of the command line is the function of the same name here (a space becomes an underscore), with the same
options: `meta-spliceai basepass run --reference DIR` is `commands.basepass_run(reference=DIR)`.
"""

from meta_spliceai.basemodel.check import check_model as basemodel_check
from meta_spliceai.basemodel.describe import describe_model as basemodel_describe
from meta_spliceai.basemodel.describe import list_models as basemodel_list
from meta_spliceai.basemodel.fetch import fetch_weights as basemodel_fetch
from meta_spliceai.basepass.export import export as basepass_export
from meta_spliceai.basepass.remake import positions as basepass_positions
from meta_spliceai.basepass.run import run as basepass_run
from meta_spliceai.basepass.status import status as basepass_status
from meta_spliceai.build.merge import merge as dataset_merge
from meta_spliceai.build.strategic import genes_list, genes_select
from meta_spliceai.crossval.run import cv
from meta_spliceai.explain.ablation import ablation
from meta_spliceai.explain.run import explain
from meta_spliceai.features.describe import list_enrichers as enrichers_list
from meta_spliceai.maintain.artifacts import clean_artifacts as artifacts_clean
from meta_spliceai.maintain.artifacts import validate_artifacts as artifacts_validate
from meta_spliceai.maintain.dedup import dedup as dataset_dedup
from meta_spliceai.maintain.diff import diff as dataset_diff
from meta_spliceai.maintain.migrate import migrate as dataset_migrate
from meta_spliceai.maintain.patch import patch as dataset_patch
from meta_spliceai.maintain.summary import summarise as dataset_summary
from meta_spliceai.maintain.validate import validate_dataset as dataset_validate
from meta_spliceai.pipeline import build, demo, run
from meta_spliceai.predict.base import evaluate_base as basepass_evaluate
from meta_spliceai.predict.evaluate_table import evaluate
from meta_spliceai.predict.run import predict
from meta_spliceai.reference.fetch import fetch_reference as reference_fetch
from meta_spliceai.reference.from_reference import derive as reference_derive
from meta_spliceai.reference.prepare import prepare as reference_prepare
from meta_spliceai.reference.registry import audit_references as reference_audit
from meta_spliceai.reference.registry import list_references as reference_list
from meta_spliceai.reference.registry import use_reference as reference_use
from meta_spliceai.report.run import report
from meta_spliceai.results.run import results
from meta_spliceai.train.run import train
from meta_spliceai.train.split_plan import split_plan
from meta_spliceai.train.tune import tune

__all__ = [
    "ablation",
    "artifacts_clean",
    "artifacts_validate",
    "basemodel_check",
    "basemodel_describe",
    "basemodel_fetch",
    "basemodel_list",
    "basepass_evaluate",
    "basepass_export",
    "basepass_positions",
    "basepass_run",
    "basepass_status",
    "build",
    "cv",
    "dataset_dedup",
    "dataset_diff",
    "dataset_merge",
    "dataset_migrate",
    "dataset_patch",
    "dataset_summary",
    "dataset_validate",
    "demo",
    "enrichers_list",
    "evaluate",
    "explain",
    "genes_list",
    "genes_select",
    "predict",
    "reference_audit",
    "reference_derive",
    "reference_fetch",
    "reference_list",
    "reference_prepare",
    "reference_use",
    "report",
    "results",
    "run",
    "split_plan",
    "train",
    "tune",
]
