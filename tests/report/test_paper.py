"""The paper's figures made anew, as `gra checks` draws them."""

from conftest import ROOT

from gralib.report import paper


def test_the_committed_figures_are_those_drawn_now(tmp_path, monkeypatch):
    """A figure that was changed in code and not committed would stand beside words about the other one."""
    monkeypatch.setattr(paper, "from_root", tmp_path.joinpath)
    drawn = paper.write()
    assert len(drawn) == 7
    for place in drawn:
        assert place.read_bytes() == (ROOT / paper.FOLDER / place.name).read_bytes(), place.name


def test_the_sample_is_of_all_ages_and_says_that_nobody_was_photographed():
    figure = paper.samples()
    captions = [ax.get_xlabel() or ax.get_title() for ax in figure.axes]
    ages = [int(caption.split(",")[0]) for caption in captions if caption]
    assert ages == sorted(ages) and (ages[0], ages[-1], len(ages)) == (paper.YOUNGEST, paper.OLDEST, paper.PEOPLE)
    assert "not photographs" in " ".join([figure.get_suptitle(), *(text.get_text() for text in figure.texts)])
