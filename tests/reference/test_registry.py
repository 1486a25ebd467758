"""Several references side by side, and the one order in which they are looked for."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.reference.data_manager import create_inference_data_manager
from meta_spliceai.reference.data_root import find_data_root
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import (
    audit_references,
    list_references,
    references_in,
    resolve_reference,
    use_reference,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that is no project, and an environment that says nothing."""
    for variable in ("META_SPLICEAI_DATA", "META_SPLICEAI_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def add(reference: Reference, data: Path, name: str, *, build: str = "tiny1", complete: bool = True) -> Path:
    """A copy of the tiny reference of another name, build and state."""
    folder = data / name
    shutil.copytree(reference.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["parameters"]["build"], manifest["complete"] = build, complete
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def data(reference: Reference, tmp_path: Path) -> Path:
    """A data root with two finished references, one that is not, and folders that are something else."""
    data = tmp_path / "project" / "data"
    add(reference, data, "ensembl")
    add(reference, data, "gencode/v46", build="tiny2")
    add(reference, data, "refseq", complete=False)
    (data / "ensembl" / "spliceai_eval").mkdir()
    (data / "ensembl" / "spliceai_eval" / "manifest.json").write_text('{"kind": "artifacts"}')
    (data / "notes").mkdir()
    return data


@pytest.mark.rows("M8")
def test_references_of_several_builds_are_listed_side_by_side(data: Path, reference: Reference) -> None:
    listed = references_in(data)
    assert [(each.name, each.build, each.complete, each.in_use) for each in listed] == [
        ("ensembl", "tiny1", True, False),
        ("gencode/v46", "tiny2", True, False),
        ("refseq", "tiny1", False, False),
    ]
    assert listed[0].genes == reference.genes.height
    text = list_references(data_root=data).summary()
    assert "gencode/v46  tiny2  17 genes" in text
    assert "refseq       tiny1  not finished" in text


def test_an_empty_or_missing_data_root_lists_nothing(tmp_path: Path) -> None:
    assert list_references(data_root=tmp_path / "none").references == ()
    assert "no references in" in list_references(data_root=tmp_path / "none").summary()


def test_a_damaged_folder_is_left_out_with_a_warning(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data / "refseq" / "manifest.json").write_text("{")
    (data / "notes" / "manifest.json").write_text("[]")
    with caplog.at_level(logging.WARNING):
        assert [each.name for each in references_in(data)] == ["ensembl", "gencode/v46"]
    assert "refseq is left out" in caplog.text


def test_the_one_in_use_is_chosen_by_name_and_stays_chosen(data: Path) -> None:
    with pytest.raises(InputError, match="none is in use among ensembl, gencode/v46"):
        resolve_reference(data_root=data)
    used = use_reference("gencode/v46/", data_root=data)
    assert used.summary() == f"{data / 'gencode' / 'v46'} (tiny2) is in use"
    assert resolve_reference(data_root=data) == data / "gencode/v46"
    assert "* gencode/v46" in list_references(data_root=data).summary()
    use_reference("ensembl", data_root=data)
    assert resolve_reference(data_root=data) == data / "ensembl"


def test_a_chosen_reference_that_is_gone_is_not_silently_replaced(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    use_reference("gencode/v46", data_root=data)
    shutil.rmtree(data / "gencode")
    with pytest.raises(InputError, match="gencode/v46, chosen with `reference use`, is not there"):
        resolve_reference(data_root=data)
    (data / "current_reference.json").write_text("{}")
    assert resolve_reference(data_root=data) == data / "ensembl"
    assert "is damaged; choose again" in caplog.text


@pytest.mark.parametrize("name", ["refseq", "nothing", "ensembl/spliceai_eval"])
def test_only_a_finished_reference_can_be_used(data: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}'; there are ensembl, gencode/v46"):
        use_reference(name, data_root=data)
    assert not (data / "current_reference.json").exists()


def test_without_a_choice_the_only_one_is_used(data: Path) -> None:
    assert resolve_reference(data_root=data, build="tiny2") == data / "gencode/v46"
    shutil.rmtree(data / "gencode")
    assert resolve_reference(data_root=data) == data / "ensembl"
    with pytest.raises(InputError, match=r"a finished reference of GRCh38 in .*\nfound: there is none"):
        resolve_reference(data_root=data, build="GRCh38")


@pytest.mark.rows("M9")
def test_the_data_root_is_the_first_that_is_said(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def root(**options: Path) -> Path:
        return find_data_root(options.get("given"), project_root=options.get("project")).path

    assert root() == elsewhere / "data"
    (tmp_path / "data").mkdir()
    assert root() == elsewhere / "data"  # a folder above counts only where it is a project
    (tmp_path / "pyproject.toml").touch()
    assert root() == tmp_path / "data"
    monkeypatch.setenv("META_SPLICEAI_ROOT", str(tmp_path / "by_root"))
    assert root() == tmp_path / "by_root" / "data"
    assert root(project=tmp_path / "project") == tmp_path / "project" / "data"
    monkeypatch.setenv("META_SPLICEAI_DATA", str(tmp_path / "by_data"))
    assert root(project=tmp_path / "project") == tmp_path / "by_data"
    assert root(given=tmp_path / "given") == tmp_path / "given"


@pytest.mark.rows("M8")
def test_the_audit_shows_every_place_and_the_outcome(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_SPLICEAI_DATA", str(data))
    audit = audit_references()
    assert (audit.chosen, audit.reason) == (None, "none is in use among ensembl, gencode/v46")
    text = audit.summary()
    for place in ("--data-root: not said", f"-> 2  META_SPLICEAI_DATA: {data}", "META_SPLICEAI_ROOT", "current folder"):
        assert place in text
    use_reference("ensembl")
    assert audit_references().chosen == data / "ensembl"
    assert f"reference: {data / 'ensembl'} (chosen with `reference use`)" in audit_references().summary()


@pytest.mark.rows("M6", "M7")
def test_the_data_manager_gives_the_files_of_the_reference_in_use(data: Path, elsewhere: Path) -> None:
    manager = create_inference_data_manager(project_root=data.parent, build="tiny2", auto_detect=True)
    folder = data / "gencode" / "v46"
    assert manager.get_gene_features_path() == folder / "gene_features.tsv"
    assert manager.get_splice_sites_path() == folder / "splice_sites.tsv"
    paths = (
        manager.get_transcript_features_path(),
        manager.get_exon_features_path(),
        manager.get_overlapping_genes_path(),
        manager.get_fasta_path(),
    )
    assert all(path.is_file() for path in paths)
    (folder / "splice_sites.tsv").unlink()
    with pytest.raises(StoreError, match=r"a file .*splice_sites\.tsv"):
        manager.get_splice_sites_path()


@pytest.mark.rows("M6")
def test_the_data_manager_detects_or_does_not(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_reference("ensembl", data_root=data)
    monkeypatch.setenv("META_SPLICEAI_DATA", str(data))
    assert create_inference_data_manager(auto_detect=True).reference.path == data / "ensembl"
    with pytest.raises(InputError, match="elsewhere/data"):
        create_inference_data_manager(auto_detect=False)
    monkeypatch.delenv("META_SPLICEAI_DATA")
    assert create_inference_data_manager(data.parent, auto_detect=False).reference.path == data / "ensembl"
