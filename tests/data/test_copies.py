"""Of files that are one picture the first as published stays; the others name it."""

from gralib.data.copies import Candidate, once, original, rank_of, unmarked
from gralib.data.manifest import COPY, Row, excluded


def test_one_file_a_picture_stays():
    rows = once([
        Candidate(Row("a (1).jpg"), "a", 1), Candidate(Row("a.jpg"), "a", 0), Candidate(Row("z/a.jpg"), "a", 0),
        Candidate(Row("b (1).jpg"), "b", 1), Candidate(Row("c-cropped.jpg"), "c", 2), Candidate(Row("d.jpg")),
        Candidate(Row("e.jpg")), Candidate(excluded("f.jpg", "damaged"), "f"), Candidate(Row("f (1).jpg"), "f", 1),
        Candidate(Row("g.jpg", status="repaired", reason="known"), "g"), Candidate(Row("h x.jpg"), None, 2),
    ])  # fmt: skip
    alone = "name of a copy, whose first is not here"
    made = "name with an addition: made from a picture that is not here"
    assert [(row.path, row.status, row.reason) for row in rows] == [
        ("a (1).jpg", "excluded", f"{COPY}a.jpg"), ("a.jpg", "kept", ""), ("z/a.jpg", "excluded", f"{COPY}a.jpg"),
        ("b (1).jpg", "repaired", alone), ("c-cropped.jpg", "excluded", made), ("d.jpg", "kept", ""),
        ("e.jpg", "kept", ""), ("f.jpg", "excluded", "damaged"), ("f (1).jpg", "repaired", alone),
        ("g.jpg", "repaired", "known"), ("h x.jpg", "excluded", made),
    ]  # fmt: skip


def test_the_marks_of_a_copy_have_a_rank():
    assert [rank_of(text) for text in ("", " (1)", "-checkpoint", "_copy 2", "~", "-cropped")] == [0, 1, 1, 1, 1, 2]
    assert unmarked("Copy (2) of a.jpg") == ("a.jpg", 1) and unmarked("Kopie von a.jpg") == ("a.jpg", 1)
    assert unmarked("a copy of b.jpg") == ("a copy of b.jpg", 0)
    assert original("x (1)/Copy of a (2).jpg") == "x (1)/a.jpg" and original("a.jpg") == "a.jpg"
