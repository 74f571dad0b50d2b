"""A person at the canvas: edit, run, look at pictures, go back."""

from __future__ import annotations

import itertools
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PageProblems
from tests.servers import Server, Servers

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import gradio as gr
from PIL import Image, ImageDraw
from daggr import FnNode, Graph

def paint(prompt, size):
    print("painting", prompt)
    if prompt == "fail":
        raise ValueError("no such colour: fail")
    picture = Image.new("RGB", (size, size // 2), "#345")
    ImageDraw.Draw(picture).text((10, 10), prompt, fill="white")
    return picture

def measure(picture, unit):
    with Image.open(picture) as opened:
        return f"{opened.width}x{opened.height} {unit}"

painted = FnNode(paint, inputs={"prompt": gr.Textbox(label="Prompt", value="cat"), "size": 320},
                 outputs={"picture": gr.Image(label="Painting")})
measured = FnNode(measure, inputs={"picture": painted.picture, "unit": gr.Textbox(label="Unit", value="px")},
                  outputs={"text": gr.Textbox(label="Size")})
graph = Graph("Paint and measure", nodes=[measured])
graph.launch()
"""


@pytest.fixture
def server(serve: Servers) -> Server:
    return serve(SCRIPT)


def card(page: Page, name: str) -> Locator:
    return page.locator(f'[data-card="{name}"]')


def edge(page: Page, text: str) -> Locator:
    return page.locator(f'[data-edge-id*="{text}"]')


def set_text(page: Page, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).fill(text)


def overlaps(page: Page) -> list[tuple[str, str]]:
    """The pairs of cards that lie over each other."""
    boxes = [
        (found.get_attribute("data-card") or "", box)
        for found in page.locator("[data-card]").all()
        if (box := found.bounding_box()) is not None
    ]
    return [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(boxes, 2)
        if one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    ]


def test_edit_run_look_go_back(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.get_by_text("Paint and measure")).to_be_visible()
    expect(edge(page, "paint.picture->measure.picture")).to_have_attribute("data-fresh", "false")

    page.get_by_role("button", name="Run measure").click()
    picture = card(page, "paint").get_by_role("img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 320)
    expect(card(page, "measure")).to_contain_text("320x160 px")
    expect(edge(page, "paint.picture->measure.picture")).to_have_attribute("data-fresh", "true")
    expect(edge(page, "input:paint__prompt")).to_have_attribute("data-fresh", "true")
    first = picture.get_attribute("src")
    assert overlaps(page) == []

    set_text(page, "Prompt", "dog")
    expect(edge(page, "input:paint__prompt")).to_have_attribute("data-fresh", "false")
    expect(card(page, "measure")).to_have_attribute("data-fresh", "false")
    page.get_by_role("button", name="Run measure").click()
    expect(card(page, "paint")).to_contain_text("2/2")
    expect(picture).not_to_have_attribute("src", first or "")

    page.get_by_role("button", name="Previous result of paint").click()
    expect(card(page, "paint")).to_contain_text("1/2")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("cat")
    expect(picture).to_have_attribute("src", first or "")
    expect(card(page, "measure")).to_have_attribute("data-fresh", "true")

    page.reload()
    expect(card(page, "paint")).to_contain_text("1/2")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("cat")


def test_editing_back_is_orange_again_and_nothing_runs(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Run all").click()
    expect(card(page, "measure")).to_have_attribute("data-fresh", "true")
    painted = server.output().count("painting")
    set_text(page, "Prompt", "bird")
    expect(card(page, "paint")).to_have_attribute("data-fresh", "false")
    set_text(page, "Prompt", "cat")
    expect(card(page, "measure")).to_have_attribute("data-fresh", "true")
    expect(edge(page, "input:paint__prompt")).to_have_attribute("data-fresh", "true")
    assert server.output().count("painting") == painted


def test_a_failure_is_on_its_card_with_what_to_do(page: Page, server: Server) -> None:
    page.goto(server.url)
    set_text(page, "Prompt", "fail")
    page.get_by_role("button", name="Run measure").click()
    expect(card(page, "paint")).to_have_attribute("data-status", "failed")
    expect(card(page, "paint")).to_contain_text("no such colour: fail")
    expect(card(page, "paint")).to_contain_text("app.py:9")
    expect(card(page, "measure")).not_to_have_attribute("data-status", "running")
    set_text(page, "Prompt", "fine")
    page.get_by_role("button", name="Run measure").click()
    expect(card(page, "measure")).to_contain_text("320x160 px")
    expect(card(page, "paint")).to_have_attribute("data-status", "done")


def test_two_tabs_show_the_same(page: Page, server: Server) -> None:
    other = page.context.new_page()
    page.goto(server.url)
    other.goto(server.url)
    set_text(page, "Unit", "pixels")
    expect(other.get_by_label("Unit", exact=True)).to_have_value("pixels")
    other.get_by_role("button", name="Run all").click()
    expect(card(page, "measure")).to_contain_text("320x160 pixels")


def test_a_lost_server_is_said_and_its_return_noticed(
    page: Page, page_problems: PageProblems, serve: Servers, tmp_path: Path
) -> None:
    page_problems.expect("ERR_CONNECTION_REFUSED|WebSocket connection|Failed to load resource|Failed to fetch")
    server = serve(SCRIPT, store=tmp_path / "store")
    port = server.url.rpartition(":")[2]
    page.goto(server.url)
    page.get_by_role("button", name="Run all").click()
    expect(card(page, "measure")).to_contain_text("320x160 px")
    server.stop(signal.SIGKILL)
    expect(page.get_by_text(re.compile("connection lost", re.IGNORECASE)).first).to_be_visible()
    expect(card(page, "measure")).to_contain_text("320x160 px")  # still there to read
    serve(SCRIPT, "--port", port, store=tmp_path / "store")
    expect(page.get_by_text(re.compile("connection lost", re.IGNORECASE))).to_have_count(0, timeout=20_000)
    set_text(page, "Unit", "dots")
    page.get_by_role("button", name="Run all").click()
    expect(card(page, "measure")).to_contain_text("320x160 dots")


def test_a_narrow_window_shows_the_cards_in_one_column(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(server.url)
    page.get_by_role("button", name="Run all").click()
    expect(card(page, "measure")).to_contain_text("320x160 px")
    assert overlaps(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_offline_example_does_its_job(page: Page, serve: Servers) -> None:
    server = serve(ROOT / "examples" / "postcards.py")
    page.goto(server.url)
    page.get_by_role("button", name="Run contact sheet").click()
    sheet = card(page, "contact sheet").get_by_role("img").first
    expect(sheet).to_have_js_property("naturalWidth", 936, timeout=30_000)
    page.wait_for_timeout(500)  # cards have grown: the others make room
    assert overlaps(page) == []
