"""`explain`: what the saved model of a training run looks at.

importance.tsv    gain of each feature in the models, with its origin and family
permutation.tsv   what average precision on held-out rows loses without a feature, a family, an origin
shap_summary.tsv  mean size of each feature's contribution to the logits
rows.json         single bases explained
importance.svg    one picture of it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.build.plan import artifacts_of
from meta_spliceai.errors import InputError
from meta_spliceai.explain.bases import BaseExplainer, BaseExplanation, wanted_bases
from meta_spliceai.explain.contributions import gives_contributions, summary
from meta_spliceai.explain.held_out import ChannelRows, HeldOut, TrainedRun, load_held_out, open_run
from meta_spliceai.explain.permutation import FeatureSet, permutation_drops
from meta_spliceai.explain.picture import importance_picture
from meta_spliceai.explain.tables import IMPORTANCE_TABLE, PERMUTATION_TABLE, SHAP_TABLE
from meta_spliceai.features.registry import identities_of
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.fingerprint import file_sha256, fingerprint, plain
from meta_spliceai.store.folder import MANIFEST, Folder, PartEntry, describe_file
from meta_spliceai.store.tables import read_tsv, write_tsv
from meta_spliceai.train.describe import feature_manifest
from meta_spliceai.train.families import families_of
from meta_spliceai.train.matrix import DatasetFolder, open_dataset
from meta_spliceai.train.plan import available_cores
from meta_spliceai.workers.progress import track

KIND, FORMAT_VERSION = "explanation", 1
IMPORTANCE, PERMUTATION, SHAP, ROWS, PICTURE = (
    "importance.tsv",
    "permutation.tsv",
    "shap_summary.tsv",
    "rows.json",
    "importance.svg",
)


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """What was found.

    Parameters
    ----------
    out_dir
        The folder with the tables and the picture.
    groups, rows
        Gene groups and rows with features that were looked at.
    importance, permutation
        The tables of these names.
    shap_summary
        None where the learner gives no contributions.
    bases
        The bases that were asked for.
    """

    out_dir: Path
    groups: int
    rows: int
    importance: pl.DataFrame
    permutation: pl.DataFrame
    shap_summary: pl.DataFrame | None
    bases: tuple[BaseExplanation, ...]

    def summary(self) -> str:
        """The families by what ranking loses without them, then the bases."""
        lines = [
            f"average precision on {self.rows:,} held-out rows of {self.groups:,} gene groups, and what it loses without "
            "each family of features"
        ]
        families = self.permutation.filter(kind="family")
        width = max(map(len, families["name"]), default=0)
        for kind in SITE_TYPES:
            of_kind = families.filter(splice_type=kind).sort("drop_mean", descending=True, nulls_last=True)
            before = of_kind["average_precision"][0]
            lines.append(f"  {kind}s, with all {'–' if before is None else f'{before:.4f}'}")
            lines += [
                f"    {row['name']:<{width}}  {row['drop_mean']:+.4f} ± {row['drop_sd']:.4f}  {row['features']} features"
                for row in of_kind.drop_nulls("drop_mean").iter_rows(named=True)
            ]
        if self.shap_summary is None:
            lines.append("no contributions: only xgboost, lightgbm and catboost give them")
        lines += ["", *(base.summary() for base in self.bases)] if self.bases else []
        return "\n".join([*lines, "", f"tables and picture  {self.out_dir}"])


def explain(
    *,
    run_dir: Path,
    dataset: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] = (),
    position: Sequence[str] = (),
    out_dir: Path | None = None,
    repeats: int = 5,
    rows: int = 20_000,
    shap_rows: int = 2_000,
    seed: int = 42,
    threads: int | None = None,
    overwrite: bool = False,
) -> ExplainResult:
    """Say what the saved model of a training run looks at, and why it scores single bases as it does.

    Everything is measured on rows of the dataset by the models that had not seen their genes. Finished parts are kept when
    the command is given again, with other positions too.

    Parameters
    ----------
    run_dir
        Folder of the training run.
    dataset
        The dataset it was trained on.
    reference
        The reference it was trained with; default: the one that `reference audit` finds.
    eval_dir
        The base pass, for single bases; default: the only one in the reference folder.
    evidence
        Files of evidence that the model needs at single bases, as NAME=FILE.
    position
        Bases to explain, 1-based: CHROM:POSITION:STRAND, or GENE:POSITION.
    out_dir
        Folder for the results; default: `explain` in the run's folder.
    repeats
        Times that values are exchanged, for mean and standard deviation.
    rows
        Rows with features to measure on, about: whole gene groups are drawn until they have as many.
    shap_rows
        Rows of each site type whose contributions are averaged.
    seed
        Seed of every random choice.
    threads
        Measurements that run at the same time; default: all cores. It changes no result.
    overwrite
        Start anew where the folder holds an explanation made with other options.

    Raises
    ------
    InputError
        Options out of range; a dataset, reference or base pass other than the run's; single bases of a model whose
        learner gives no contributions.
    GeneError
        Bases in no gene, or fewer than two gene groups.
    StoreError
        No finished run in the folder, or one of a single split.
    PlanMismatchError
        The folder holds an explanation made with other options.
    """
    for name, value, least in (("repeats", repeats, 2), ("rows", rows, 1), ("shap-rows", shap_rows, 1)):
        if value < least:
            raise InputError(
                f"--{name} of at least {least}", f"{value}", "give a larger number or leave the option out"
            )
    run, opened, loaded = open_run(run_dir), open_dataset(dataset), load_reference(reference)
    run.check_input("dataset", opened.fingerprint, opened.path)
    run.check_input("reference", loaded.fingerprint, loaded.path)
    families = families_of(opened)
    bases = _Bases(run, loaded, eval_dir, evidence, position, families) if position else None
    parameters = {"repeats": repeats, "rows": rows, "shap_rows": shap_rows, "seed": seed}
    out = out_dir or run_dir / "explain"
    with Folder.opened(
        out,
        kind=KIND,
        format_version=FORMAT_VERSION,
        parameters=parameters,
        inputs={"run": file_sha256(run_dir / MANIFEST)},
        overwrite=overwrite,
    ) as folder:
        made = _Parts(run, opened, loaded, families, folder, threads or available_cores())
        result = made.make(bases)
        folder.log("explain", groups=result.groups, rows=result.rows)
    return result


class _Bases:
    """The single bases that are asked for, checked."""

    def __init__(
        self,
        run: TrainedRun,
        reference: Reference,
        eval_dir: Path | None,
        evidence: Sequence[str],
        position: Sequence[str],
        families: Mapping[str, str],
    ) -> None:
        if not gives_contributions(run.model.ensemble):
            raise InputError(
                expected="a model whose learner gives contributions (xgboost, lightgbm, catboost) for --position",
                found=f"{run.model.learner['name']}",
                action="leave --position out, or train with one of these learners",
            )
        artifacts = run.model.base_scores_in(artifacts_of(reference, eval_dir))
        run.check_input("base_pass", artifacts.fingerprint, artifacts.path)
        enrichers = run.model.load_enrichers(evidence, reference)
        self._wanted = wanted_bases(position, reference, artifacts)
        self._explainer = BaseExplainer(run, reference, artifacts, enrichers, families)
        self._reference = reference
        self.made_from = [list(position), identities_of(enrichers)]

    def explain(self) -> tuple[BaseExplanation, ...]:
        with self._reference.open_genome() as genome:
            return tuple(self._explainer.explain(self._wanted, genome))


class _Parts:
    """The parts of an explanation, each made once."""

    def __init__(
        self,
        run: TrainedRun,
        dataset: DatasetFolder,
        reference: Reference,
        families: Mapping[str, str],
        folder: Folder,
        threads: int,
    ) -> None:
        self._run, self._folder, self._threads = run, folder, threads
        self._dataset, self._reference = dataset, reference
        features = run.model.features
        self._features = pl.DataFrame(
            {
                "feature": [one.name for one in features],
                "origin": [one.origin for one in features],
                "family": [families[one.name] for one in features],
            }
        )
        self._options: Any = folder.manifest.parameters

    def make(self, bases: _Bases | None) -> ExplainResult:
        folder, planned = self._folder, {"tables": self._identity("tables")}
        if bases is not None:
            planned["rows"] = self._identity("rows", bases.made_from)
        # cheap, and wanted whatever is there already
        explained = () if bases is None else bases.explain()
        if not folder.is_done("tables", planned["tables"]):
            self._make_tables(planned["tables"])
        if bases is not None:
            write_json(folder.path / ROWS, plain(explained))
            folder.record("rows", PartEntry(planned["rows"], (describe_file(folder.path, ROWS),)))
        facts = dict(folder.manifest.parts["tables"].facts)
        if not folder.manifest.complete:
            folder.finalise(planned, facts)
        return ExplainResult(
            folder.path,
            int(facts["groups"]),
            int(facts["rows"]),
            read_tsv(folder.path / IMPORTANCE, IMPORTANCE_TABLE),
            read_tsv(folder.path / PERMUTATION, PERMUTATION_TABLE),
            read_tsv(folder.path / SHAP, SHAP_TABLE) if facts["contributions"] else None,
            explained,
        )

    def _identity(self, part: str, made_from: Any = None) -> str:
        manifest = self._folder.manifest
        return fingerprint([KIND, part, manifest.parameters, manifest.inputs, made_from])

    def _make_tables(self, identity: str) -> None:
        path, model = self._folder.path, self._run.model
        held = load_held_out(
            self._run, self._dataset, self._reference, max_rows=self._options["rows"], seed=self._options["seed"]
        )
        gate = model.ensemble.gate
        by_channel = {channel: held.of_channel(channel, gate) for channel in SITE_TYPES}
        importance = feature_manifest(model).join(self._features.select("feature", "family"), on="feature", how="left")
        tables = {
            IMPORTANCE: IMPORTANCE_TABLE.conform(importance).sort("rank"),
            PERMUTATION: self._permutation(held, by_channel),
        }
        if gives_contributions(model.ensemble):
            tables[SHAP] = self._shap(held, by_channel)
        for name, frame in tables.items():
            write_tsv(frame, path / name)
        self._draw(held, tables)
        files = [*(describe_file(path, name, frame.height) for name, frame in tables.items())]
        facts = {
            "groups": held.groups,
            "rows": int(held.chosen[held.rows.gated].sum()),
            "contributions": SHAP in tables,
        }
        self._folder.record("tables", PartEntry(identity, (*files, describe_file(path, PICTURE)), facts))

    def _sets(self) -> list[FeatureSet]:
        features = self._features.with_row_index("column")
        found = [FeatureSet("feature", row["feature"], np.array([row["column"]])) for row in features.to_dicts()]
        for kind in ("family", "origin"):
            for (name,), rows in features.group_by(kind, maintain_order=True):
                found.append(FeatureSet(kind, str(name), rows["column"].cast(pl.Int64).to_numpy()))
        return found

    def _permutation(self, held: HeldOut, by_channel: Mapping[str, ChannelRows]) -> pl.DataFrame:
        sets = self._sets()
        found = []
        with track("exchanging", len(SITE_TYPES) * len(sets), "sets of features"):
            for channel, rows in by_channel.items():
                drops = permutation_drops(
                    rows,
                    held.ensembles,
                    sets,
                    repeats=self._options["repeats"],
                    seed=self._options["seed"],
                    threads=self._threads,
                )
                for one, drop in zip(sets, drops, strict=True):
                    known = drop.average_precision is not None
                    found.append(
                        {
                            "splice_type": channel,
                            "kind": one.kind,
                            "name": one.name,
                            "origin": self._features["origin"][int(one.columns[0])],
                            "features": one.columns.size,
                            "average_precision": drop.average_precision,
                            "drop_mean": float(drop.drops.mean()) if known else None,
                            "drop_sd": float(drop.drops.std(ddof=1)) if known else None,
                            "repeats": self._options["repeats"],
                        }
                    )
        return pl.DataFrame(found, schema=PERMUTATION_TABLE.polars_schema())

    def _shap(self, held: HeldOut, by_channel: Mapping[str, ChannelRows]) -> pl.DataFrame:
        frames = []
        for channel, rows in by_channel.items():
            count, columns = summary(
                rows, held.ensembles, sample=self._options["shap_rows"], seed=self._options["seed"]
            )
            frames.append(
                self._features.with_columns(
                    **{name: pl.Series(values).fill_nan(None) for name, values in columns.items()},
                    splice_type=pl.lit(channel),
                    rows=pl.lit(count),
                )
            )
        return SHAP_TABLE.conform(pl.concat(frames)).sort(
            ["splice_type", "mean_abs", "feature"], descending=[True, True, False]
        )

    def _draw(self, held: HeldOut, tables: Mapping[str, pl.DataFrame]) -> None:
        if SHAP in tables:
            features = tables[SHAP].select("splice_type", "feature", "origin", value="mean_abs_sites")
            measure = "mean |contribution| to the logit, at true sites"
        else:
            features = pl.concat(
                tables[IMPORTANCE].select(pl.lit(kind).alias("splice_type"), "feature", "origin", value=f"{kind}_gain")
                for kind in SITE_TYPES
            )
            measure = "share of what the models gain"
        families = tables[PERMUTATION].filter(kind="family").drop_nulls("drop_mean")
        importance_picture(
            self._folder.path / PICTURE,
            families=families,
            features=features.drop_nulls("value"),
            measure=measure,
            footnote=f"{int(held.chosen[held.rows.gated].sum()):,} sampled rows of {held.groups:,} gene groups, by models that had "
            f"not seen them; weighted to whole genes; {self._options['repeats']} repeats",
        )
