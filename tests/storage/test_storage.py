"""Object storage over real sockets: a small server that speaks S3's list and get, a closed port, and no credentials."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from ganflow.errors import GanflowError
from ganflow.storage import localize, open_storage

pytestmark = pytest.mark.slow

OBJECTS = {
    "set/a/1.png": b"one",
    "set/b/2 ü.png": b"two" * 5,
    "set/b/": b"",  # the marker of a folder, as consoles leave them
    "set": b"an object with the name of a folder",
    "sets/3.png": b"another folder with the same beginning",
    "data.zip": b"z" * 100_000,
    "evil/../../x": b"out",
}
PAGE = 2  # names per answer, so that listings have several pages


class S3(BaseHTTPRequestHandler):
    """Path-style ListObjectsV2, HEAD and GET of one bucket called ``gan``; the access key ``nobody`` may do nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if "Credential=nobody/" in self.headers.get("Authorization", ""):
            self.error(403, "AccessDenied")
        elif bucket != "gan":
            self.error(404, "NoSuchBucket")
        elif key:
            self.object(key)
        else:
            self.listing({name: values[0] for name, values in parse_qs(url.query).items()})

    def do_HEAD(self) -> None:
        self.do_GET()

    def listing(self, query: dict[str, str]) -> None:
        names = sorted(name for name in OBJECTS if name.startswith(query.get("prefix", "")))
        names = [name for name in names if name > query.get("continuation-token", "")]
        page = names[: min(PAGE, int(query.get("max-keys", PAGE)))]
        contents = "".join(
            f"<Contents><Key>{escape(n)}</Key><Size>{len(OBJECTS[n])}</Size></Contents>" for n in page
        )  # fmt: skip
        more = len(names) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        head = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        self.answer(200, f"<ListBucketResult>{head}{contents}</ListBucketResult>".encode(), "application/xml")

    def object(self, key: str) -> None:
        if key in OBJECTS:
            self.answer(200, OBJECTS[key], "application/octet-stream")
        else:
            self.error(404, "NoSuchKey")

    def error(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), "application/xml")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")


@pytest.fixture
def server(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), S3) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()


def test_a_local_path_is_itself(tmp_path: Path) -> None:
    assert localize("some/where", tmp_path) == Path("some/where")


@pytest.mark.parametrize("uri", ["s3://gan/sets", "s3://gan/sets/"])
def test_what_lies_below_a_name_comes_as_a_folder(server: None, tmp_path: Path, uri: str) -> None:
    folder = localize(uri, tmp_path)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*")} == {"3.png"}


def test_every_page_of_a_listing_comes_without_markers(
    server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(OBJECTS, "set")
    monkeypatch.delitem(OBJECTS, "evil/../../x")
    folder = localize("s3://gan/set", tmp_path)
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {"a/1.png": b"one", "b/2 ü.png": b"two" * 5}


def test_one_object_comes_as_a_file_that_keeps_its_name(server: None, tmp_path: Path) -> None:
    path = localize("s3://gan/data.zip", tmp_path)
    assert (path.name, path.read_bytes()) == ("data.zip", OBJECTS["data.zip"])
    assert localize("s3://gan/set", tmp_path).read_bytes() == OBJECTS["set"]


def refused(uri: str, scratch: Path) -> str:
    with pytest.raises(GanflowError) as caught:
        localize(uri, scratch)
    line = str(caught.value)
    assert "\n" not in line
    assert "hush-hush" not in line
    assert line.startswith(uri.rstrip("/")) or uri.split("/")[2] in line
    return line


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://gan/nothing", "holds no object of that name and none below it"),
        ("s3://other/set", "there is no such bucket (NoSuchBucket)"),
        ("s3://", "names no bucket"),
        ("s3://gan/evil", "must not lead out of its folder"),
        ("s3://Not A Bucket/x", "Invalid bucket name"),
    ],
)
def test_a_name_that_is_not_there(server: None, tmp_path: Path, uri: str, says: str) -> None:
    assert says in refused(uri, tmp_path / "scratch")
    assert not (tmp_path / "x").exists()


def test_credentials_that_may_not(server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "these credentials may not do that (AccessDenied)" in refused("s3://gan/set", tmp_path)


def test_no_credentials(tmp_path: Path) -> None:
    assert "no credentials; set AWS_ACCESS_KEY_ID" in refused("s3://gan/set", tmp_path)


def test_nobody_answers(credentials: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 does not answer" in refused("s3://gan/set", tmp_path)


def test_keys_in_an_address_are_refused_and_not_told() -> None:
    with pytest.raises(GanflowError) as told:
        open_storage("s3://me:hush-hush@gan/set")
    keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    assert str(told.value) == f"s3://***@gan/set: keys do not belong in an address; set {keys}"
