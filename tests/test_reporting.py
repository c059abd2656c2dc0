import base64
import io
import math
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corrigible.plots import mean_bars
from corrigible.reporting import Curve, HeatmapRow, Opening, Plots, ReportContent, ReportedModel, render
from corrigible.training import Epoch
from corrigible.types import Feedback, Measurement, region_of

HOSTILE = '<script>alert("1")</script>'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CREATED = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def corner() -> torch.Tensor:
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[:, :2, :3] = True
    return mask


def models(name: str = "fooled") -> tuple[ReportedModel, ...]:
    before = (
        Measurement("accuracy", 0.55, 0.51, 0.59, 500),
        Measurement("flip_rate", 0.4, 0.35, 0.45, 500, note="over 20 donors"),
        Measurement("group_gap", None, note="needs group"),
        Measurement("calibration_error", math.nan),
        Measurement("accuracy", 0.25, 0.2, 0.3, 50, part="class nine"),
    )
    after = (Measurement("accuracy", 0.95, 0.93, 0.97, 500), Measurement("group_gap", None, note="needs group"))
    confusion = np.array([[123, 4], [5, 67]])
    return (
        ReportedModel(name, before, confusion, ("cats", "dogs")),
        ReportedModel("corrected", after, confusion, ("cats", "dogs")),
    )


def heatmap(before: torch.Tensor, after: torch.Tensor) -> HeatmapRow:
    x = torch.linspace(0, 1, before.numel()).reshape(before.shape)
    return HeatmapRow(17, x, "cats", "dogs", before, "cats", after, corner())


def image_content() -> ReportContent:
    maps = torch.linspace(-1, 1, 64).reshape(1, 8, 8)
    epochs = tuple(Epoch(n, 3, 2.0 / n, {"right_reasons": 10.0**-n}, {"swap_score": -1.0 / n}) for n in (1, 2, 3))
    return ReportContent(
        title="Pets",
        kind="image",
        created=CREATED,
        summary=("Accuracy rose from 0.55 to 0.95.", "It took 3 reviewed rows."),
        notes=("Zero reliance is not fairness.",),
        models=models(),
        explanation="Input gradient.",
        heatmaps=(heatmap(maps, maps / 10),),
        curves=(Curve("corrected", epochs),),
        feedback=tuple(Feedback(region_of(corner()), row=row, author="maria") for row in range(3)),
        reproduce=("corrigible train pets", "corrigible correct pets"),
        recipe='[data]\nkind = "image"',
        provenance=(("weights", "sha256:12ab"),),
    )


def table_content() -> ReportContent:
    return replace(
        image_content(),
        kind="table",
        heatmaps=(),
        feature_shares=(("age", 0.1, 0.6), ("site", 0.9, 0.1), ("dose", None, math.nan)),
        plots=(Plots("By class", "Means with intervals.", (mean_bars(torch.eye(3), ["age", "site", HOSTILE]),)),),
        feedback=(
            Feedback(region_of("site"), scope="dataset", author="jonas"),
            Feedback(region_of("age"), polarity="relevant", scope="class", label=1),
        ),
    )


def text_of(html: str) -> str:
    """What a reader sees, without tags and with single spaces."""
    body = re.sub(r"<(style|svg).*?</\1>", " ", html[html.index("<body") :], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def row_of(html: str, name: str) -> str:
    """The first table row whose header is the name."""
    rows = re.findall(r"<tr.*?</tr>", html, flags=re.DOTALL)
    return next(row for row in rows if f'<span class="name">{name}<' in row)


def drawn(html: str) -> dict[str, np.ndarray]:
    """The pictures as arrays, by their label."""
    found = re.findall(r'aria-label="([^"]*)"><image[^>]*base64,([^"]*)"', html)
    return {label: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int) for label, data in found}


@pytest.mark.parametrize("content", [image_content(), table_content()], ids=["image", "table"])
def test_the_page_loads_nothing_and_runs_nothing(content):
    html = render(content)
    assert not re.search(r"https?:|@import|<script|<link|<iframe|\son\w+=|javascript:", html, re.IGNORECASE)
    targets = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert targets
    held = ("#", "data:image/png;base64,", "data:image/svg+xml;base64,")
    assert all(target.startswith(held) for target in targets)
    assert "url(" not in html


@pytest.mark.parametrize("content", [image_content(), table_content()], ids=["image", "table"])
def test_the_same_content_gives_the_same_bytes(content):
    assert render(content).encode() == render(content).encode()


def test_whatever_people_wrote_is_escaped():
    row = heatmap(torch.ones(1, 8, 8), torch.ones(1, 8, 8))
    content = ReportContent(
        title=HOSTILE,
        kind="table",
        created=CREATED,
        opening=Opening(HOSTILE, (HOSTILE, HOSTILE)),
        summary=(HOSTILE, HOSTILE),
        notes=(HOSTILE,),
        models=(
            ReportedModel(
                HOSTILE,
                (Measurement(HOSTILE, 0.5, part=HOSTILE, note=HOSTILE), Measurement("a", None, note=HOSTILE)),
                np.eye(2, dtype=int),
                (HOSTILE, "b"),
            ),
        ),
        explanation=HOSTILE,
        heatmaps=(replace(row, label=HOSTILE, predicted_before=HOSTILE, predicted_after=HOSTILE),),
        feature_shares=((HOSTILE, 0.5, 0.5),),
        curves=(Curve(HOSTILE, (Epoch(1, 1, 0.5, {HOSTILE: 0.1}, {HOSTILE: math.nan}),)),),
        feedback=(
            Feedback(region_of(HOSTILE), scope="dataset", author=HOSTILE),
            Feedback(region_of("b"), scope="class", label=0),
        ),
        reproduce=(HOSTILE,),
        recipe=HOSTILE,
        provenance=((HOSTILE, HOSTILE),),
    )
    html = render(content)
    assert "<script" not in html
    assert 'alert("1")' not in html
    assert html.count("&lt;script&gt;") >= 25


@pytest.mark.parametrize(
    ("outcome", "tone"),
    [("corrected", "good"), ("partly corrected", "middling"), ("no reliance found", "middling"), ("failed", "bad")],
)
def test_it_opens_with_the_outcome_then_what_was_asked_then_the_details(outcome, tone):
    html = render(replace(image_content(), opening=Opening(outcome, ("What was asked.", "The task."))))
    assert re.findall(r'<div class="verdict (\w+)">', html) == [tone]
    told = text_of(html)
    places = [told.index(words) for words in (f"Pets {outcome.capitalize()} ", "What was asked. The task.")]
    places += [told.index("Accuracy rose from 0.55 to 0.95. It took"), told.index("Before you conclude")]
    assert places == sorted(places)


def test_without_a_verdict_it_opens_with_the_summary():
    html = render(image_content())
    assert '<p class="lead">Accuracy rose from 0.55 to 0.95.</p>' in html
    assert 'class="verdict' not in html


def test_every_metric_value_interval_part_and_note_appears():
    text = text_of(render(image_content()))
    for words in (
        "accuracy",
        "flip rate",
        "0.550",
        "0.510 to 0.590",
        "500 rows",
        "over 20 donors",
        "class nine",
        "0.25",
    ):
        assert words in text


def test_what_is_not_measured_says_why():
    html = render(image_content())
    assert "not measured: needs group" in row_of(html, "group gap")
    assert "not measured: the value is not a number" in row_of(html, "calibration error")
    assert "0.400" in row_of(html, "flip rate")
    assert "not measured: nothing recorded for this model" in row_of(html, "flip rate")
    text = text_of(render(table_content()))
    assert "dose not measured: no finite value not measured: no finite value" in text
    assert "nan" not in text.lower()


def test_the_models_share_one_scale_per_metric():
    dots = re.findall(r'<circle cx="([\d.]+)"', row_of(render(image_content()), "accuracy"))
    left, right = 5, 185
    assert [float(x) for x in dots] == pytest.approx([left + 0.55 * (right - left), left + 0.95 * (right - left)])


def test_a_map_of_a_tenth_of_the_size_is_drawn_paler():
    colours = drawn(render(image_content()))
    before = 255 - colours["heat map of row 17 before correction"].min(axis=-1)
    after = 255 - colours["heat map of row 17 after correction"].min(axis=-1)
    assert before.max() > 200
    assert 0 < after.max() < 40
    assert (after <= before).all()


def test_zero_is_white_and_the_sign_chooses_the_colour():
    maps = torch.zeros(1, 8, 8)
    maps[0, 0, :4], maps[0, 1, :4] = 1.0, -1.0
    colours = drawn(render(replace(image_content(), heatmaps=(heatmap(maps, maps),))))[
        "heat map of row 17 before correction"
    ]
    (red_up, _, blue_up), (red_down, _, blue_down) = colours[0, 0], colours[1, 0]
    assert (colours[2:] == 255).all()
    assert red_up > blue_up
    assert red_down < blue_down


def test_the_share_in_the_marked_region_stands_under_the_map():
    inside = corner().float()
    text = text_of(render(replace(image_content(), heatmaps=(heatmap(torch.ones(1, 8, 8), inside),))))
    assert "predicted dogs (wrong) 9.4 % in outline" in text
    assert "predicted cats 100.0 % in outline" in text


def test_a_large_image_stays_small():
    noise = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(0))
    row = HeatmapRow(1, noise, "cats", "cats", noise - 0.5, "cats", noise - 0.5)
    assert len(render(replace(image_content(), heatmaps=(row,) * 8))) < 2_000_000


def test_features_are_ordered_by_share_and_marked_ones_are_named():
    text = text_of(render(table_content()))
    site = text.index("site marked irrelevant 90.0 % 10.0 %")
    assert site < text.index("age marked relevant 10.0 % 60.0 %") < text.index("dose not measured")


def test_a_marked_feature_is_shown_however_small_its_share():
    shares = (*((f"feature {k}", 0.02, 0.02) for k in range(40)), ("site", 0.0, 0.0))
    text = text_of(render(replace(table_content(), feature_shares=shares)))
    assert "site marked irrelevant" in text
    assert "10 features with smaller shares are not shown" in text


def test_how_sure_the_models_are_has_a_section_of_its_own():
    sure = Plots("As sure as right?", "On 3 rows.", (mean_bars(torch.eye(3), ["age", "site", HOSTILE]),))
    html = render(replace(table_content(), certainty=(sure,), plots=()))
    assert "How sure the models are As sure as right? On 3 rows." in text_of(html)
    assert 'href="#certainty"' in html
    assert "What the explanations say" not in text_of(html)
    assert "How sure the models are" not in text_of(render(table_content()))


def test_plots_stand_under_their_title_with_how_to_read_them():
    html = render(table_content())
    assert "What the explanations say By class Means with intervals." in text_of(html)
    (image,) = re.findall(r'<img class="plot"[^>]*src="data:image/svg\+xml;base64,([^"]*)"', html)
    drawn_text = base64.b64decode(image).decode()
    assert ">site<" in drawn_text
    assert "<script" not in drawn_text


def test_a_single_model_is_not_compared():
    alone = replace(table_content(), models=models()[:1], feature_shares=(("site", 0.9, None), ("age", 0.1, None)))
    text = text_of(render(alone))
    assert "Feature fooled site marked irrelevant 90.0 % age marked relevant 10.0 % " in text


def test_each_quantity_has_a_chart_that_tells_its_ends():
    html = render(image_content())
    assert "Label loss by epoch: corrected from 2.000 to 0.667" in html
    assert "Penalty: right reasons by epoch: corrected from 0.100 to 0.001" in html
    assert "Validation: swap score by epoch: corrected from −1.000 to −0.333" in html


def test_a_penalty_with_a_unit_says_it():
    """The divergence of a Bayesian network is shown as it enters the loss, not as it is."""
    epochs = tuple(Epoch(n, 2, 1.0, {"kl_divergence": 0.1 * n, "my_module:mine": 2.0 * n}) for n in (1, 2))
    content = image_content()
    html = render(replace(content, curves=(replace(content.curves[0], epochs=epochs),)))
    assert "Penalty: kl divergence (nats per training row, times the temperature) by epoch: corrected from" in html
    assert "Penalty: my module:mine by epoch: corrected from 2.000 to 4.000" in html


def test_confusion_counts_appear_with_their_classes():
    text = text_of(render(image_content()))
    assert "cats dogs cats 123 4 dogs 5 67" in text


def test_a_confusion_matrix_of_other_classes_is_refused():
    wrong = ReportedModel("fooled", (), np.eye(3, dtype=int), ("cats", "dogs"))
    with pytest.raises(ValueError, match="2 class names for 3 classes"):
        render(replace(image_content(), models=(wrong,)))


def test_feedback_is_counted_by_author_polarity_and_scope():
    assert "maria irrelevant one row of train each correcting and measuring 3" in text_of(render(image_content()))
    text = text_of(render(table_content()))
    assert "jonas irrelevant every row correcting and measuring 1" in text
    assert "not named relevant every row of class dogs correcting and measuring 1" in text


def test_the_thumbnail_is_the_union_of_the_regions():
    other = torch.zeros(8, 8, dtype=torch.bool)
    other[7, 7] = True
    feedback = (Feedback(region_of(corner()), row=0), Feedback(region_of(other), row=1))
    picture = drawn(render(replace(image_content(), feedback=feedback)))["all pixels marked irrelevant"]
    assert np.array_equal(picture[..., 0] < 128, (corner()[0] | other).numpy())


def test_empty_parts_leave_their_sections_out():
    html = render(ReportContent("Nothing yet", "image", CREATED))
    assert "Nothing yet" in html
    assert re.findall(r"<h2", html) == []


def test_every_table_has_headers_with_scope_and_every_picture_a_text():
    for content in (image_content(), table_content()):
        html = render(content)
        assert all("scope=" in header for header in re.findall(r"<th\b[^>]*>", html))
        assert all("aria-label=" in svg or "aria-hidden=" in svg for svg in re.findall(r"<svg[^>]*>", html))
        assert all(re.search(r'alt="[^"]{20,}"', image) for image in re.findall(r"<img[^>]*>", html))
        ids = re.findall(r'\bid="([^"]*)"', html)
        assert len(ids) == len(set(ids))


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium binary")
def test_a_browser_shows_all_sections(tmp_path: Path):
    page = tmp_path / "report.html"
    content = replace(image_content(), feature_shares=(("age", 0.4, 0.6),), plots=table_content().plots)
    page.write_text(render(content), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --dump-dom"
    command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    sections = ("summary", "measurements", "heatmaps", "features", "explanations", "curves", "confusion", "feedback")
    sections += ("reproduce",)
    assert [name for name in sections if f'id="{name}"' not in dom] == []
    assert dom.count("<svg") == page.read_text(encoding="utf-8").count("<svg")


def test_tables_of_classes_stand_first_where_a_model_predicts_few_of_them():
    def with_confusion(counts: list[list[int]]) -> str:
        names = ("cats", "dogs", "owls")
        models = (ReportedModel("trained", confusion=np.array(counts), class_names=names),)
        return render(ReportContent(title="Pets", kind="image", created=image_content().created, models=models))

    collapsed = with_confusion([[9, 0, 0], [8, 1, 0], [9, 0, 0]])
    sound = with_confusion([[9, 0, 0], [0, 9, 0], [1, 0, 8]])
    assert "hardly ever predicts 2 of 3 classes, only cats" in text_of(collapsed)
    assert collapsed.index('<h2 id="confusion"') < collapsed.index('<h2 id="measurements"')
    assert "hardly ever predicts" not in text_of(sound)
    assert sound.index('<h2 id="confusion"') > sound.index('<h2 id="measurements"')


def test_the_share_in_the_outline_stands_beside_its_area():
    row = image_content().heatmaps[0]
    marked = torch.zeros_like(row.x, dtype=torch.bool)
    marked[..., :2] = True
    flat = replace(row, irrelevant=marked, attribution_before=torch.ones_like(row.x))
    assert "in outline: 1.0 times its area" in text_of(render(replace(image_content(), heatmaps=(flat,))))


def test_the_reasons_that_people_gave_are_told():
    day = datetime(2026, 3, 4, tzinfo=UTC)
    said = (Feedback("age", scope="dataset", note="<i>set later</i>", author="Ada", at=day),) * 2
    text = text_of(render(replace(table_content(), feedback=said)))
    assert "&lt;i&gt;set later&lt;/i&gt; (Ada, 2026-03-04, 2 times)" in text
