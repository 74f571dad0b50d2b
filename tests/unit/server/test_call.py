"""The workflow as an API."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from daggr import FnNode, Graph
from daggr.engine.runners.base import Call, Returned
from tests.serving import serving
from tests.unit.engine.graphs import chain, shout, twice


class Raising:
    """A runner that must not be entered."""

    async def run(self, call: Call) -> Returned:
        raise AssertionError(f"{call.spec.name} was run")


def test_the_schema_names_inputs_and_outputs(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        assert served.http.get("/api/schema").json() == {
            "subgraphs": [
                {
                    "id": "main",
                    "inputs": [
                        {"node": "shout", "port": "text", "type": "textbox", "id": "shout__text"},
                        {"node": "twice", "port": "times", "type": "number", "id": "twice__times"},
                    ],
                    "outputs": [{"node": "twice", "port": "said", "type": "textbox"}],
                }
            ]
        }


def test_a_second_identical_call_enters_no_runner(tmp_path: Path) -> None:
    inputs = {"shout__text": "ho", "twice__times": 3}
    with serving(chain(), tmp_path) as served:
        first = served.call(inputs)
        assert first.headers["x-daggr-cache"] == "miss"
    with serving(chain(), tmp_path, {"fn": Raising()}) as served:  # a new process would find the same store
        second = served.call(inputs)
        assert second.json() == first.json() == {"outputs": {"twice": {"said": "HOHOHO"}}}
        assert second.headers["x-daggr-cache"] == "hit"
        assert served.call({"shout__text": "other"}).status_code == 500  # the runner is the raising one indeed


def test_only_what_an_input_reaches_runs_again(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        served.call()
        answer = served.call({"twice__times": 1})
        assert (answer.json()["outputs"]["twice"]["said"], answer.headers["x-daggr-cache"]) == ("HI", "partial")


def test_cache_control_decides_whether_known_results_are_used(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        missing = served.call(**{"cache-control": "only-if-cached"})
        assert missing.status_code == 504
        assert "shout" in missing.json()["detail"]
        served.call()
        assert served.call(**{"cache-control": "only-if-cached"}).headers["x-daggr-cache"] == "hit"
        assert served.call(**{"cache-control": "no-cache"}).headers["x-daggr-cache"] == "miss"


def test_no_body_means_no_inputs(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        assert served.http.post("/api/call").json() == {"outputs": {"twice": {"said": "HIHI"}}}
        assert served.http.post("/api/call/main").json() == {"outputs": {"twice": {"said": "HIHI"}}}


def test_a_mistyped_input_gets_a_suggestion(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        answer = served.call({"shout__txt": "x"})
        assert answer.status_code == 422
        assert "Did you mean 'shout__text'?" in answer.json()["error"]
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", ['{"input": {}}', '{"inputs": []}', "{", "[]", '"x"'])
def test_a_wrong_body_is_a_problem(tmp_path: Path, body: str) -> None:
    with serving(chain(), tmp_path) as served:
        answer = served.http.post("/api/call", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_several_subgraphs_are_called_by_name(tmp_path: Path) -> None:
    one = FnNode(shout, inputs={"text": gr.Textbox(value="a")}, outputs={"loud": None})
    other = FnNode(twice, inputs={"loud": gr.Textbox(value="b"), "times": 2}, outputs={"said": None})
    with serving(Graph("Two", nodes=[one, other]), tmp_path) as served:
        unclear = served.call()
        assert unclear.status_code == 400
        assert unclear.json()["available_subgraphs"] == ["subgraph_0", "subgraph_1"]
        assert served.http.post("/api/call/subgraph_1").json() == {"outputs": {"twice": {"said": "bb"}}}
        assert served.http.post("/api/call/subgraph_2").status_code == 422


def test_a_failing_node_says_why_and_is_not_cached(tmp_path: Path) -> None:
    def divide(number: float) -> float:
        return 1 / number

    node = FnNode(divide, inputs={"number": gr.Number(value=0)}, outputs={"result": gr.Number()})
    with serving(Graph("Fails", nodes=[node]), tmp_path) as served:
        for _ in range(2):
            answer = served.call()
            assert answer.status_code == 500
            assert "'divide' failed: ZeroDivisionError: division by zero" in answer.json()["error"]
        assert served.call({"divide__number": 4}).json() == {"outputs": {"divide": {"result": 0.25}}}


def size_of(picture: str) -> str:
    with Image.open(picture) as opened:
        return f"{opened.width}x{opened.height} {Path(picture).name}"


def measuring() -> Graph:
    return Graph("Measure", nodes=[FnNode(size_of, inputs={"picture": gr.Image()}, outputs={"size": gr.Textbox()})])


def test_an_upload_is_an_input_and_nothing_else_is(tmp_path: Path) -> None:
    picture = tmp_path / "seen.png"
    Image.new("RGB", (7, 5)).save(picture)
    with serving(measuring(), tmp_path / "store") as served:
        uploaded = served.http.put("/api/uploads", params={"name": "../../my pic.png"}, content=picture.read_bytes())
        assert uploaded.json()["name"] == "my pic.png"
        answer = served.call({"size_of__picture": {"artifact": uploaded.json()["artifact"]}})
        assert answer.json() == {"outputs": {"size_of": {"size": "7x5 my pic.png"}}}
        for given in (str(picture), "http://127.0.0.1/x.png", {"path": str(picture)}, {"artifact": "00" * 48}, 3):
            refused = served.call({"size_of__picture": given})
            assert refused.status_code == 422
            assert "PUT /api/uploads" in refused.json()["hint"]


def test_odd_text_and_odd_numbers_reach_the_wire(tmp_path: Path) -> None:
    def odd() -> tuple[str, dict[str, object]]:
        print("bad \udcff line")
        return "bad \udcff name", {"nan": float("nan"), "big": 2**70, "tuple": (1, b"x"), "\udcff": {3, 1}}

    with serving(Graph("Odd", nodes=[FnNode(odd, outputs={"a": gr.Textbox(), "b": gr.JSON()})]), tmp_path) as served:
        outputs = served.call().json()["outputs"]["odd"]
        assert outputs["a"] == "bad ? name"
        assert outputs["b"] == {"nan": None, "big": str(2**70), "tuple": [1, "eA=="], "?": [1, 3]}
        served.http.post(f"{served.sheet}/runs", json={"mode": "all"})
        assert served.http.get(served.sheet).status_code == 200


def test_a_body_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        body = '{"inputs": {"shout__text": ' + "[" * 60_000 + "]" * 60_000 + "}}"
        answer = served.http.post("/api/call", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422)
        assert served.call().status_code == 200


def test_what_is_not_built_is_said(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        assert "no-store is not built yet" in served.call(**{"cache-control": "no-store"}).json()["error"]
