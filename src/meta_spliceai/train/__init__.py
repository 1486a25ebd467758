"""Training: gene groups, folds, residual models, calibration, and their predictions on whole held-out genes.

likeness      which genes resemble one another
groups        genes that must stay together: overlapping or alike
split         groups -> folds and sides
split_file    a saved split, and what is refused when it is used
split_plan    the command that saves one
learners      what can learn a correction, by name
baseline      gene by gene beside the base model
datasets      load_dataset and prepare_xy, for scripts and notebooks
rows          rows from datasets, frames or arrays
holdout       groups -> training, validation and test sides
light         labels, weights and base scores of rows
feature_matrix  frames as float32 matrices
row_store     where rows lie: in memory, or on disk
feed          learners fed batch by batch
boosting      XGBoost over batches
sampled       what sampled rows estimate
fitting       the corrections of one split: leakage lint, learner, shrinkage
trained       what a Trainer has learnt, and its files
held_out      what it is worth on rows that were held out
trained_card  its card, and how important its features are
trainer       Trainer: one model from one split
memory        how much memory training needs, and batches that keep a limit
incremental   IncrementalTrainer: the same for more rows than memory
matrix        rows of a dataset as arrays, with weights
leakage       what must not be learnt from, found before anything is learnt
residual      one learnt correction of the base model's logit
classes       donor, acceptor and neither at once, instead of corrections
logistic      regression with few bounded parameters
calibrate     strictly monotone maps to probabilities
arms          what is compared with what
whole_gene    every base of genes, scored in tiles
site_facts    what the annotation says of sites, for the strata
predictions   the table of those scores, and the truth beside them
model         a saved meta-model
plan          options -> a checked plan
fit           the arms fold by fold, and calibrations across folds
describe      what a run and a model say about themselves
parts         the parts of a run, each made once
run           all of it
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meta_spliceai.train import datasets
    from meta_spliceai.train.incremental import IncrementalTrainer
    from meta_spliceai.train.trainer import Trainer

__all__ = ["IncrementalTrainer", "Trainer", "datasets"]


def __getattr__(name: str) -> Any:
    """`Trainer`, `IncrementalTrainer` and `datasets`, imported when first asked for: importing a stage does nothing."""
    if name == "datasets":
        return import_module("meta_spliceai.train.datasets")
    if name in __all__:
        module = "trainer" if name == "Trainer" else "incremental"
        return getattr(import_module(f"meta_spliceai.train.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
