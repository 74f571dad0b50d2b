"""Bytes of artifacts: ranges, validators, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daggr.server.values import Values
from tests.serving import Served, serving
from tests.unit.engine.graphs import chain

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(chain(), tmp_path_factory.mktemp("files")) as running:
        yield running


@pytest.fixture(scope="module")
def url(served: Served) -> str:
    return str(served.http.put("/api/uploads", params={"name": "a b.bin"}, content=CONTENT).json()["url"])


def test_a_file_comes_whole_and_may_be_kept(served: Served, url: str) -> None:
    answer = served.http.get(url)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    again = served.http.get(url, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = served.http.head(url)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(CONTENT)))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.none() | st.integers(0, len(CONTENT) + 50),
    end=st.none() | st.integers(0, len(CONTENT) + 50),
)
def test_a_range_is_that_slice(served: Served, url: str, start: int | None, end: int | None) -> None:
    asked = f"bytes={'' if start is None else start}-{'' if end is None else end}"
    answer = served.http.get(url, headers={"range": asked})
    if (start is None and end is None) or (start is not None and end is not None and end < start):
        assert (answer.status_code, answer.content) == (200, CONTENT)  # not a range: ignored
        return
    wanted = CONTENT[-end:] if start is None and end else CONTENT[start : None if end is None else end + 1]
    if (start is None and end == 0) or (start is not None and start >= len(CONTENT)):
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"
    else:
        assert (answer.status_code, answer.content) == (206, wanted)
        assert answer.headers["content-range"].endswith(f"/{len(CONTENT)}")


def test_a_range_of_another_version_is_the_whole(served: Served, url: str) -> None:
    assert served.http.get(url, headers={"range": "bytes=0-3", "if-range": '"old"'}).status_code == 200
    tag = served.http.get(url).headers["etag"]
    assert served.http.get(url, headers={"range": "bytes=0-3", "if-range": tag}).content == CONTENT[:4]


def test_only_ids_made_for_this_user_open_anything(served: Served, url: str) -> None:
    artifact = url.split("/")[2]
    digest = bytes.fromhex(artifact)[:32]
    foreign = Values(served.engine.store, "somebody else").artifact_id(digest)
    wrong = [
        foreign,
        digest.hex(),
        artifact[:-2] + ("00" if artifact[-2:] != "00" else "11"),
        "x",
        "..",
        "%2e%2e",
        "%00",
    ]
    for given_id in wrong:
        assert served.http.get(f"/file/{given_id}/a.bin").status_code == 404
    for path in (
        "/file/../../etc/passwd",
        "/file/%2fetc%2fpasswd/x",
        f"/file/{artifact}/../../../etc/passwd",
        "/file/",
    ):
        answer = served.http.get(path)
        assert answer.status_code in (404, 200)
        assert b"root:" not in answer.content
    assert served.http.post(url, json={}).status_code == 405


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "feed.xml", "code.js", "paper.pdf"])
def test_active_content_is_never_shown_in_place(served: Served, name: str) -> None:
    made = served.http.put("/api/uploads", params={"name": name}, content=b"<script>alert(1)</script>").json()
    assert served.http.get(made["url"]).headers["content-disposition"].startswith("attachment")


def test_a_name_cannot_break_out_of_its_header(served: Served) -> None:
    made = served.http.put("/api/uploads", params={"name": 'a"\r\nSet-Cookie: x=1;.png'}, content=b"x").json()
    answer = served.http.get(made["url"])
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
