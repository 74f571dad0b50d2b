"""What a person does while something runs, chooses, and answers: in a real browser, against the real command line."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.test_canvas import card, edge, overlaps
from tests.servers import Servers

SLOW = """
import time
import gradio as gr
from daggr import FnNode, Graph

def slow(name):
    print("began")
    while name == "wait":
        time.sleep(0.02)
    return name

def stream(name):
    for number in range(1, 4):
        yield "step " * number
        time.sleep(1.5 if number == 2 else 0)

def stubborn(name):
    end = time.time() + 8
    while time.time() < end:
        try:
            time.sleep(8)
        except BaseException:
            pass

asked = gr.Textbox(label="Name", value="wait")
Graph("Slow", nodes=[
    FnNode(slow, inputs={"name": asked}, outputs={"text": gr.Textbox(label="Text")}),
    FnNode(stream, inputs={"name": asked}, outputs={"text": gr.Textbox(label="Said")}, concurrent=True),
    FnNode(stubborn, inputs={"name": asked}, outputs={"text": gr.Textbox(label="Never")}, concurrent=True),
]).launch()
"""

SCATTERED = """
import gradio as gr
from daggr import FnNode, Graph, ItemList

def write(topic):
    return [{"who": "AB"[number % 2], "text": f"{topic} {number}"} for number in range(12)]

def speak(text):
    if text.endswith(("3", "5")):
        raise ValueError("no " + text)
    return text.upper()

def join(lines):
    return " ".join(lines)

wrote = FnNode(write, inputs={"topic": gr.Textbox(label="Topic", value="cat")},
               outputs={"lines": ItemList(who=gr.Dropdown(["A", "B"], label="Who"), text=gr.Textbox(label="Line"))})
spoke = FnNode(speak, inputs={"text": wrote.lines.text}, outputs={"voice": gr.Textbox(label="Voice")})
Graph("Scattered", nodes=[FnNode(join, inputs={"lines": spoke.voice.all()}, outputs={"all": gr.Textbox(label="All")})
                          ]).launch()
"""

CHOOSING = """
import gradio as gr
from daggr import ChoiceNode, FnNode, Graph, InputNode, ops

def loud(text, marks):
    return text.upper() + "!" * int(marks)

def soft(text, tail):
    return text.lower() + tail

def ideas(text):
    return [f"{text} at dawn", f"{text} at dusk"]

def publish(text, title):
    return f"{title}: {text}"

said = InputNode("Idea", ports={"text": gr.Textbox(label="Text", value="Cats"), "spare": gr.Textbox(label="Spare")})
voice = ChoiceNode([
    FnNode(loud, inputs={"text": said.text, "marks": gr.Number(label="Marks", value=1)},
           outputs={"voice": gr.Textbox()}),
    FnNode(soft, inputs={"text": said.text, "tail": gr.Textbox(label="Tail", value="…")},
           outputs={"voice": gr.Textbox()}),
], name="voice")
thought = FnNode(ideas, inputs={"text": voice.voice}, outputs={"options": None})
pick = ops.ChooseOne("pick", inputs={"options": thought.options})
sure = ops.Approve("sure", inputs={"input": pick.selected})
title = ops.TextInput("title", label="Title")
end = FnNode(publish, inputs={"text": sure.output, "title": title.text}, outputs={"page": gr.Textbox(label="Page")})
Graph("Choosing", nodes=[end]).launch()
"""


def test_stop_stops_and_what_cannot_be_stopped_says_so(page: Page, serve: Servers) -> None:
    page.goto(serve(SLOW).url)
    page.get_by_role("button", name="Run slow").click()
    expect(card(page, "slow")).to_have_attribute("data-status", "running")
    page.get_by_role("button", name="Stop slow").click()
    expect(card(page, "slow")).to_have_attribute("data-status", "stopped")
    expect(card(page, "slow")).to_contain_text("'slow' was stopped.")

    page.get_by_label("Name", exact=True).first.fill("go")
    page.get_by_role("button", name="Run slow").click()
    expect(card(page, "slow")).to_have_attribute("data-status", "done")

    page.get_by_role("button", name="Run stubborn").click()
    page.get_by_role("button", name="Stop stubborn").click()
    expect(page.get_by_role("button", name="Stop stubborn")).to_have_text("Stopping…")
    expect(card(page, "stubborn")).to_contain_text("cannot be stopped", timeout=15_000)
    expect(card(page, "stubborn")).to_contain_text("isolate=True")


def test_a_generator_is_shown_while_it_runs(page: Page, serve: Servers) -> None:
    page.goto(serve(SLOW).url)
    page.get_by_role("button", name="Run stream").click()
    said = card(page, "stream").locator("[data-component=textbox]")
    expect(said).to_contain_text("step step")
    expect(card(page, "stream")).to_have_attribute("data-status", "running")
    expect(said).to_contain_text("step step step")
    expect(card(page, "stream")).to_have_attribute("data-status", "done")


def test_items_are_listed_and_a_row_that_is_edited_runs_again(page: Page, serve: Servers) -> None:
    page.goto(serve(SCATTERED).url)
    page.get_by_role("button", name="Run all").click()
    expect(card(page, "speak")).to_contain_text("12 items · 2 failed")
    expect(card(page, "speak")).to_contain_text("[4] CAT 4")
    expect(card(page, "speak")).to_contain_text("[3] no value")
    expect(edge(page, "write.lines->speak.text")).to_contain_text("each")
    expect(edge(page, "speak.voice->join.lines")).to_contain_text("all")

    lines = card(page, "write").get_by_label("Line", exact=True)
    lines.nth(3).fill("dog")
    lines.nth(5).fill("owl")
    page.get_by_role("button", name="Run join").click()  # the focus leaves the list: it is saved first
    expect(card(page, "write")).to_contain_text("edited")
    expect(card(page, "write")).to_contain_text("2/2")
    expect(card(page, "speak")).to_have_attribute("data-status", "done")
    expect(card(page, "join")).to_contain_text("CAT 2 DOG CAT 4 OWL CAT 6")
    page.wait_for_timeout(500)  # cards have grown: the others make room
    assert overlaps(page) == []

    page.get_by_role("button", name="Remove row 1", exact=True).click()
    expect(lines).to_have_count(11)
    expect(card(page, "write")).to_contain_text("3/3")
    page.get_by_role("button", name="Add row").click()
    page.keyboard.press("Tab")
    page.keyboard.type("fox")
    page.get_by_role("button", name="Run join").click()
    expect(card(page, "join")).to_contain_text("CAT 11 FOX")


def test_choose_by_keyboard_and_answer_what_is_asked(page: Page, serve: Servers) -> None:
    page.goto(serve(CHOOSING).url)
    voice = card(page, "voice")
    expect(voice.get_by_label("Marks")).to_be_visible()
    expect(card(page, "inputs:Idea").get_by_label("Spare")).to_be_visible()
    page.get_by_role("button", name="Run voice").click()
    expect(voice).to_contain_text("CATS!")

    voice.get_by_label("loud").focus()
    page.keyboard.press("ArrowRight")
    expect(voice.get_by_label("soft")).to_be_checked()
    expect(voice.get_by_label("Marks")).to_have_count(0)
    voice.get_by_label("Tail").fill(", softly")
    expect(voice).to_have_attribute("data-fresh", "false")
    page.get_by_role("button", name="Run pick").click()
    expect(voice).to_contain_text("cats, softly")
    voice.get_by_label("loud").check()
    expect(voice).to_contain_text("CATS!")
    expect(voice).to_have_attribute("data-fresh", "true")
    page.get_by_role("button", name="Run pick").click()

    pick = card(page, "pick")
    expect(pick).to_contain_text("Waits for you")
    pick.get_by_role("button", name="Choose CATS! at dusk").click()
    expect(pick).to_have_attribute("data-fresh", "true")
    sure = card(page, "sure")
    expect(sure).to_contain_text("CATS! at dusk")
    sure.get_by_role("button", name="Reject").click()
    expect(sure).to_contain_text("rejected")
    sure.get_by_role("button", name="Approve").click()
    expect(sure).to_have_attribute("data-fresh", "true")
    card(page, "title").get_by_label("Title", exact=True).fill("News")
    page.keyboard.press("Enter")
    expect(card(page, "title")).to_have_attribute("data-fresh", "true")
    expect(card(page, "publish")).to_contain_text("News: CATS! at dusk")  # the last answer started it
    page.wait_for_timeout(500)
    assert overlaps(page) == []
    page.reload()
    expect(card(page, "publish")).to_contain_text("News: CATS! at dusk")
