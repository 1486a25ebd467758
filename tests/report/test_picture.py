import pytest

from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.report.picture import summary_picture
from tests.evaluate import toys


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return evaluate(predictions=toys.write(folder / "p", toys.frame(groups=12)), out_dir=folder / "e", draws=40)


def test_svg_and_png_are_the_same_for_the_same_numbers(result, tmp_path):
    for suffix, head in ((".svg", b"<?xml"), (".png", b"\x89PNG")):
        first = summary_picture(result, tmp_path / f"first{suffix}").read_bytes()
        assert first.startswith(head)
        assert first == summary_picture(result, tmp_path / f"second{suffix}").read_bytes()


def test_svg_needs_no_font_where_it_is_shown(result, tmp_path):
    assert "<text" not in summary_picture(result, tmp_path / "picture.svg").read_text()


def test_other_formats_are_refused(result, tmp_path):
    with pytest.raises(InputError, match=r"a picture named \.svg or \.png"):
        summary_picture(result, tmp_path / "picture.gif")


def test_a_reference_arm_alone_is_no_picture(tmp_path):
    predictions = toys.write(tmp_path / "p", toys.frame(groups=4), arms=toys.ARMS[:1])
    alone = evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=10)
    with pytest.raises(InputError, match="an arm beside the reference arm"):
        summary_picture(alone, tmp_path / "picture.svg")
