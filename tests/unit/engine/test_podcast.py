"""The podcast of the README, with functions in place of Spaces: paths inside JSON stay good files, whatever happens."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.store import Store
from tests.unit.engine.desk import Desk
from tests.unit.engine.making import executed, tell


def sound(path: Path, tone: int) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes([tone, 0]) * 9000)
    return str(path)


def tone(path: str) -> int:
    with wave.open(path, "rb") as file:
        return file.readframes(1)[0]


def podcast(folder: Path, told: Path) -> Graph:
    made, path = str(folder), str(told)

    def voice(description: str) -> str:
        return sound(Path(made) / f"{description}.wav", len(description))

    def generate_dialogue(topic: str, host: str, guest: str) -> tuple[list[Any], str]:
        lines = [{"voice": host, "text": topic}, {"voice": guest, "text": f"Yes, {topic}!"}]
        return lines, f"<b>{topic}</b>"

    def text_to_speech(text: str, audio: str) -> str:
        tell(path, str(len(text)))
        return audio

    def combine(audio_files: list[str]) -> str:
        out = Path(made) / "output.wav"
        return sound(out, sum(map(tone, audio_files)))

    host = FnNode(voice, name="host", inputs={"description": gr.Textbox(value="deep")}, outputs={"audio": gr.Audio()})
    guest = FnNode(
        voice, name="guest", inputs={"description": gr.Textbox(value="bright")}, outputs={"audio": gr.Audio()}
    )
    dialogue = FnNode(
        generate_dialogue,
        name="dialogue",
        inputs={"topic": gr.Textbox(value="AI"), "host": host.audio, "guest": guest.audio},
        outputs={"json": gr.JSON(visible=False), "html": gr.HTML(label="Script")},
    )
    samples = FnNode(
        text_to_speech,
        name="samples",
        inputs={"text": dialogue.json.each["text"], "audio": dialogue.json.each["voice"]},
        outputs={"audio": gr.Audio(label="Sample")},
    )
    final = FnNode(
        combine, name="final", inputs={"audio_files": samples.audio.all()}, outputs={"audio": gr.Audio(label="All")}
    )
    return Graph("Podcast", nodes=[final])


def check(desk: Desk, store: Store) -> None:
    lines = desk.value("dialogue", "json")
    assert [(tone(line["voice"]), line["text"]) for line in lines] == [(4, "AI"), (6, "Yes, AI!")]
    assert [tone(path) for path in desk.value("samples", "audio")] == [4, 6]
    assert tone(desk.value("final", "audio")) == 10
    assert all(Path(line["voice"]).is_relative_to(store.root) for line in lines)


def test_paths_inside_json_survive_cache_gc_and_restart(tmp_path: Path) -> None:
    made, told = tmp_path / "made", tmp_path / "told"
    made.mkdir()
    graph = podcast(made, told)
    for number in range(3):
        with Store(tmp_path / "store") as store:
            engine = Engine(store)
            try:
                desk = Desk(engine, graph)
                if number == 0:
                    desk.run(None, "all")
                    for file in made.iterdir():
                        file.unlink()  # nobody needs what the functions wrote
                check(desk, store)
                with collecting(store):
                    execute_gc(store, plan_gc(store, Policy(max_size=0, grace=0.0)))
                check(desk, store)
                desk.set(dialogue__topic=f"cats {number}")
                desk.run(None, "all")
                assert tone(desk.value("final", "audio")) == 10
                desk.view.select(desk.id, "dialogue", 1)
                check(desk, store)
                assert desk.input("dialogue__topic") == "AI"
                assert not desk.reason("final")
            finally:
                engine.close()
    assert sorted(executed(told)) == sorted([2, 8] + [6, 12] * 3)


def test_an_echo_of_a_typed_path_stays_text(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    node = FnNode(
        lambda text: {"said": text, "list": [text]},
        name="echo",
        inputs={"text": gr.Textbox()},
        outputs={"json": gr.JSON()},
    )
    desk = Desk(engine, Graph("Echo", nodes=[node]))
    desk.set(echo__text=str(secret))
    desk.run("echo")
    assert desk.value("echo", "json") == {"said": str(secret), "list": [str(secret)]}
    with engine.store.read() as txn:
        run = desk.view.state(desk.id).results["echo"].run
        assert list(engine.store.artifacts.with_refs(txn, run.outputs[0].digest)) == [run.outputs[0].digest]


@pytest.mark.parametrize("value", ["", None])
def test_no_file_is_no_file(engine: Engine, value: Any) -> None:
    node = FnNode(lambda x: value, name="none", inputs={"x": 1}, outputs={"image": gr.Image()})
    desk = Desk(engine, Graph("None", nodes=[node]))
    desk.run("none")
    if value is None:
        assert desk.value("none", "image") is None
    else:
        assert desk.reason("none") == "never run"
