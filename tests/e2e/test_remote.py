"""Models and apps on the canvas: what comes word by word, what is told meanwhile, and what made a result."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.test_canvas import card, overlaps
from tests.servers import Server, Servers

REMOTE = """
import os, time
import gradio as gr
from daggr import GradioNode, Graph, InferenceNode
from daggr.testing.hub import FakeHub

hub = FakeHub().__enter__()
here = hub.patched()
here.__enter__()
hub.add_user("hf_token_of_ada", "ada")
os.environ["HF_TOKEN"] = "hf_token_of_ada"
hub.add_space("owner/painter", os.environ["APP"], sha="3f2c1ab" + "0" * 33)
hub.add_model("owner/chat", tags=("conversational",))
hub.add_model("owner/sorts", task="text-classification")
hub.answer("owner/sorts", [[{"label": "dog", "score": 0.25}, {"label": "cat", "score": 0.75}]])

def talk(asked):
    yield "one two "
    time.sleep(2)
    yield "three"

hub.answer("owner/chat", talk)
asked = gr.Textbox(label="Question", value="What is it?")
Graph("Remote", nodes=[
    InferenceNode("owner/chat", name="chat", inputs={"prompt": asked}, outputs={"said": gr.Textbox(label="Said")}),
    InferenceNode("owner/sorts", name="sort", inputs={"text": asked}, outputs={"is": gr.Label(label="Is")}),
    GradioNode("owner/painter", "/image", name="paint", inputs={"prompt": asked}, outputs={"image": gr.Image()}),
    GradioNode("owner/painter", "/fail", name="refuse", inputs={"text": asked}, outputs={"never": gr.Textbox()}),
]).launch()
"""


def test_models_and_apps_on_the_canvas(serve: Servers, gradio_app: Server, page: Page) -> None:
    page.goto(serve(REMOTE, env={"APP": gradio_app.url}).url)
    chat, sort, paint, refuse = (card(page, name) for name in ("chat", "sort", "paint", "refuse"))
    page.get_by_role("button", name="Run all").click()
    expect(chat).to_contain_text("one two")  # while it is still talking
    expect(chat).to_have_attribute("data-status", "running")
    expect(chat).to_contain_text("one two three")
    expect(chat).to_have_attribute("data-status", "done")
    expect(sort.locator(".winner")).to_have_text("cat")
    expect(paint.locator("img")).to_be_visible()
    expect(paint).to_contain_text("owner/painter /image @3f2c1ab")
    expect(refuse).to_contain_text("The loopback app refuses 'What is it?'")
    expect(refuse).to_contain_text(re.compile(r"made at app\.py:\d+"))
    assert overlaps(page) == []
