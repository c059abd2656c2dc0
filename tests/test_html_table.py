import pytest

from corrigible.errors import DataError
from corrigible.html_table import table_html


def test_cells_are_escaped_and_words_stand_left():
    html = table_html(["<b>", "n"], [["a & b", "1.5"], ["x", "no such layer"]])
    assert '<th class="text">&lt;b&gt;</th><th class="text">n</th>' in html
    assert '<td class="text">a &amp; b</td><td>1.5</td>' in html
    assert '<td class="text">no such layer</td>' in html


def test_rows_as_long_as_the_header():
    with pytest.raises(DataError, match="a row has 1 cell; expected 2"):
        table_html(["a", "b"], [["a"]])
