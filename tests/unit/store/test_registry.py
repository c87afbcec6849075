"""Pushing and pulling with a registry that breaks connections, asks for tokens and sends elsewhere."""

import base64
import json
import threading

import pytest

from relance import digest
from relance.errors import InputError, MissingPartError
from relance.store import manifests
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.registry import pulling, pushing, referrers, upload
from relance.store.registry.credentials import Credentials, Keyring
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import RefusedError
from relance.store.registry.session import Access
from relance.store.registry.transfer import Moved

from .strict_registry import Behaviour, State, serving

SECRET = "s3cret"  # noqa: S105
EMPTY = "application/vnd.oci.empty.v1+json"


def artifact(
    layout: Layout, *blobs: bytes, subject: Descriptor | None = None, kind: str = "x/y"
) -> Descriptor:
    config = layout.add(b"{}", EMPTY)
    layers = [layout.add(blob, "application/octet-stream") for blob in blobs]
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": kind,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    if subject is not None:
        value["subject"] = subject.to_json()
    return layout.add_json(value, MANIFEST_TYPE)


def index(layout: Layout, *children: Descriptor) -> Descriptor:
    value = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "artifactType": "application/vnd.example.capsule",
        "manifests": [child.to_json() for child in children],
    }
    return layout.add_json(value, INDEX_TYPE)


def capsule(layout: Layout) -> Descriptor:
    return index(layout, artifact(layout, b"first", b""), index(layout, artifact(layout, b"x" * 300_000)))


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def elsewhere(tmp_path) -> Layout:
    return Layout(tmp_path / "elsewhere")


class Waits(list[float]):
    """Notes how long it was asked to wait, and doesn't."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def access(**logins: Credentials) -> Access:
    return Access(Keyring({"127.0.0.1": Credentials(), **logins}), pause=Waits())


def at(server: State, what: str = "group/thing:1") -> Reference:
    return Reference.parse(f"{server.host}/{what}")


def log_in(server: State, secret: str = SECRET) -> Access:
    return Access(Keyring({server.host: Credentials("ada", secret)}), pause=Waits())


def partials(layout: Layout) -> list[str]:
    return [path.name for path in (layout.folder / "blobs" / "sha256").glob(".*")]


def test_what_is_pushed_is_pulled_with_the_same_digest(layout, elsewhere):
    root = capsule(layout)
    with serving() as server:
        pushed = pushing.push(layout, root, at(server), access())
        assert str(pushed.reference) == f"{server.host}/group/thing:1@{root.digest}"
        assert pushed.sent == pushed.size
        for reference in (at(server), at(server, f"group/thing@{root.digest}")):
            assert pulling.pull(elsewhere, reference, access()).manifest.digest == root.digest
    assert set(elsewhere.blobs()) == set(layout.blobs())
    assert partials(elsewhere) == []


def test_the_tag_is_set_last(layout):
    root = capsule(layout)
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        changes = [call.path for call in server.asked if call.method in {"PUT", "POST", "PATCH"}]
        assert changes[-1] == "/v2/group/thing/manifests/1"
        first = next(number for number, path in enumerate(changes) if "/manifests/" in path)
        assert all("/manifests/" in path for path in changes[first:])


def test_nothing_is_sent_or_fetched_a_second_time(layout, elsewhere):
    root = capsule(layout)
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        pulling.pull(elsewhere, at(server), access())
        server.asked.clear()
        assert pushing.push(layout, root, at(server), access()).sent == 0
        assert pulling.pull(elsewhere, at(server), access()).fetched == 0
        assert server.calls("POST") == []
        assert server.calls("GET", "/blobs/") == []


def test_a_push_by_digest_sets_no_tag(layout):
    root = capsule(layout)
    with serving() as server:
        pushing.push(layout, root, at(server, f"group/thing@{root.digest}"), access())
        assert {name for _, name in server.manifests if not name.startswith("sha256:")} == set()
        assert ("group/thing", root.digest) in server.manifests


def test_a_push_under_another_digest_is_refused(layout):
    root = capsule(layout)
    with serving() as server:
        with pytest.raises(InputError, match="digest"):
            pushing.push(layout, root, at(server, f"group/thing@sha256:{'0' * 64}"), access())
        assert server.asked == []


def test_a_registry_that_took_a_manifest_for_another_is_told(layout):
    root = artifact(layout, b"data")
    with (
        serving(Behaviour(says_digest=f"sha256:{'a' * 64}")) as server,
        pytest.raises(InputError, match="changed a manifest"),
    ):
        pushing.push(layout, root, at(server), access())


def test_a_blob_that_another_repository_has_is_mounted(layout):
    root = capsule(layout)
    with serving() as server:
        pushing.push(layout, root, at(server, "group/other:1"), access())
        pushed = pushing.push(layout, root, at(server), access(), mount_from=["group/none", "group/other"])
        assert pushed.sent == 0
        assert server.uploads == {}
        assert ("group/thing", root.digest) in server.manifests


def test_a_damaged_blob_stops_the_push_before_it_is_sent(layout):
    root = artifact(layout, b"original")
    path = layout.path(digest.of_bytes(b"original"))
    path.chmod(0o644)
    path.write_bytes(b"0riginal")
    with serving() as server:
        with pytest.raises(InputError, match="damaged"):
            pushing.push(layout, root, at(server), access())
        assert server.manifests == {}
        assert b"0riginal" not in server.blobs.values()


def test_a_missing_blob_stops_the_push_before_anything_is_sent(layout):
    root = artifact(layout, b"original")
    layout.path(digest.of_bytes(b"original")).unlink()
    with serving() as server:
        with pytest.raises(InputError, match="missing"):
            pushing.push(layout, root, at(server), access())
        assert server.asked == []


# connections


def test_a_blob_whose_connection_breaks_is_gone_on_with_where_it_was(layout, elsewhere):
    data = bytes(range(256)) * 4000
    root = artifact(layout, data)
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.asked.clear()
        # The first is spent on the configuration, whose two bytes come nevertheless.
        server.behaviour.breaks, server.behaviour.break_after = 3, 300_000
        pulling.pull(elsewhere, at(server), access(), threads=1)
        ranges = [call.range for call in server.calls("GET", digest.of_bytes(data))]
    assert ranges == ["", "bytes=300000-", "bytes=600000-"]
    assert elsewhere.read(digest.of_bytes(data)) == data


def test_a_registry_that_gives_no_ranges_gives_the_blob_again(layout, elsewhere):
    data = bytes(range(256)) * 4000
    root = artifact(layout, data)
    with serving(Behaviour(ranges=False)) as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.breaks, server.behaviour.break_after = 2, 300_000
        seen: list[Moved] = []
        pulling.pull(elsewhere, at(server), access(), threads=1, told=seen.append)
    assert elsewhere.read(digest.of_bytes(data)) == data
    assert (seen[-1].size, seen[-1].blobs) == (seen[-1].of_size, seen[-1].of_blobs)


def test_an_interrupted_pull_goes_on_where_it_was(layout, elsewhere):
    data = bytes(range(256)) * 4000
    root = artifact(layout, data)
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.breaks, server.behaviour.break_after = 100, 200_000
        # Each connection brings something; five that bring nothing end the pull.
        server.behaviour.ranges = False
        with pytest.raises(MissingPartError, match="same command"):
            pulling.pull(elsewhere, at(server), access(), threads=1)
        assert not elsewhere.has(root.digest)
        assert len(partials(elsewhere)) == 1
        server.behaviour.breaks, server.behaviour.ranges = 0, True
        server.asked.clear()
        pulling.pull(elsewhere, at(server), access())
        assert [call.range for call in server.calls("GET", digest.of_bytes(data))] == ["bytes=200000-"]
    assert elsewhere.read(digest.of_bytes(data)) == data
    assert partials(elsewhere) == []


def test_what_an_earlier_pull_left_damaged_is_fetched_again(layout, elsewhere):
    data = b"y" * 100_000
    root = artifact(layout, data)
    name = digest.of_bytes(data)
    elsewhere.path(name).with_name(f".part-{elsewhere.path(name).name}").write_bytes(b"z" * 50_000)
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        pulling.pull(elsewhere, at(server), access())
    assert elsewhere.read(name) == data


def test_an_upload_whose_connection_breaks_is_gone_on_with_where_it_was(layout, monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    data = bytes(range(256)) * 2000
    root = artifact(layout, data)
    with serving() as server:
        server.behaviour.upload_breaks, server.behaviour.break_after = 3, 40_000
        pushing.push(layout, root, at(server), access(), threads=1)
        assert server.blobs["group/thing", digest.of_bytes(data)] == data
        assert server.calls("GET", "/uploads/")
        # Six pieces of 100 kB would have been needed without a break; nothing that arrived was sent again.
        assert sum(call.size for call in server.calls("PATCH")) < 2 * len(data)


def test_a_registry_that_breaks_every_upload_is_given_up(layout, monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    root = artifact(layout, b"z" * 400_000)
    with serving() as server:
        server.behaviour.upload_breaks, server.behaviour.break_after = 10_000, 0
        with pytest.raises(MissingPartError, match="same command"):
            pushing.push(layout, root, at(server), access(), threads=2)
        assert server.manifests == {}


def test_a_registry_that_takes_no_pieces_gets_the_blob_at_once(layout, monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    data = b"z" * 400_000
    root = artifact(layout, data)
    with serving(Behaviour(pieces=False)) as server:
        pushing.push(layout, root, at(server), access())
        assert server.blobs["group/thing", digest.of_bytes(data)] == data
        assert len(server.calls("PATCH")) == 1


def test_a_busy_registry_is_waited_for_as_long_as_it_asks(layout):
    root = artifact(layout, b"data")
    with serving(Behaviour(busy=2)) as server:
        patience = Waits()
        pushing.push(layout, root, at(server), Access(pause=patience), threads=1)
        assert patience == [7.0, 7.0]


def test_nobody_waits_for_hours(layout):
    root = artifact(layout, b"data")
    with serving(Behaviour(busy=1, retry_after="Fri, 31 Dec 2999 23:59:59 GMT")) as server:
        patience = Waits()
        pushing.push(layout, root, at(server), Access(pause=patience), threads=1)
        assert patience == [60.0]


def test_progress_counts_every_blob_and_byte(layout, elsewhere):
    root = capsule(layout)
    with serving() as server:
        for move in (
            lambda told: pushing.push(layout, root, at(server), access(), told=told),
            lambda told: pulling.pull(elsewhere, at(server), access(), told=told),
            lambda told: pulling.pull(elsewhere, at(server), access(), told=told),
        ):
            seen: list[Moved] = []
            move(seen.append)
            assert seen[-1].blobs == seen[-1].of_blobs == 4
            assert seen[-1].size == seen[-1].of_size == 300_007


# login


def test_a_token_is_got_with_the_login_for_what_is_to_be_done(layout, elsewhere):
    root = capsule(layout)
    with serving(Behaviour(user="ada", password=SECRET, tokens=True)) as server:
        pushing.push(layout, root, at(server), log_in(server))
        pulling.pull(elsewhere, at(server), log_in(server))
        asked = server.calls("GET", "^/token")
        assert all(call.authorization.startswith("Basic ") for call in asked)
        assert all(SECRET not in call.path for call in server.asked)
        others = [call for call in server.asked if not call.path.startswith("/token")]
        assert not any(call.authorization.startswith("Basic ") for call in others)
    assert elsewhere.has(root.digest)


def test_without_a_login_an_open_registry_gives_a_token_too(layout, elsewhere):
    root = capsule(layout)
    with serving(Behaviour(tokens=True)) as server:
        pushing.push(layout, root, at(server), access())
        assert all(call.authorization == "" for call in server.calls("GET", "^/token"))


def test_a_token_service_that_is_busy_or_breaks_is_asked_again(layout):
    root = artifact(layout, b"data")
    with serving(Behaviour(user="ada", password=SECRET, tokens=True, token_breaks=3)) as server:
        pushing.push(layout, root, at(server), log_in(server), threads=1)
        assert ("group/thing", root.digest) in server.manifests


def test_a_mount_asks_for_the_right_to_read_the_other_repository(layout):
    root = capsule(layout)
    with serving(Behaviour(tokens=True)) as server:
        pushing.push(layout, root, at(server, "group/other:1"), access())
        assert pushing.push(layout, root, at(server), access(), mount_from=["group/other"]).sent == 0
        assert server.calls("GET", r"^/token.*group%2Fother%3Apull")


def test_an_identity_token_is_exchanged(layout):
    root = artifact(layout, b"data")
    with serving(Behaviour(user="ada", password=SECRET, tokens=True)) as server:
        keyring = Keyring({server.host: Credentials(identity=SECRET)})
        pushing.push(layout, root, at(server), Access(keyring, pause=Waits()))
        assert server.calls("POST", "^/token$")


def test_a_password_is_sent_where_it_is_asked_for(layout):
    root = artifact(layout, b"data")
    with serving(Behaviour(user="ada", password=SECRET)) as server:
        pushing.push(layout, root, at(server), log_in(server))
        assert root.digest in {name for _, name in server.manifests}


@pytest.mark.parametrize("tokens", [True, False])
def test_a_wrong_login_is_told_without_it(layout, tokens):
    root = artifact(layout, b"data")
    behaviour = Behaviour(user="ada", password=SECRET, tokens=tokens)
    with serving(behaviour) as server, pytest.raises(RefusedError) as caught:
        pushing.push(layout, root, at(server), log_in(server, "wr0ng"))
    assert "RELANCE_REGISTRY_USER" in str(caught.value)
    assert "wr0ng" not in str(caught.value) + repr(caught.value) + repr(log_in(server, "wr0ng"))
    assert base64.b64encode(b"ada:wr0ng").decode() not in str(caught.value)


def test_a_login_is_not_given_to_a_token_service_without_tls(layout):
    root = artifact(layout, b"data")
    behaviour = Behaviour(tokens=True, plain_realm="http://tokens.example.org/token")
    with serving(behaviour) as server, pytest.raises(MissingPartError, match="without TLS"):
        pushing.push(layout, root, at(server), log_in(server))


def test_a_registry_that_sends_elsewhere_for_blobs_gets_no_login_there(layout, elsewhere):
    root = artifact(layout, b"data")
    with serving() as storage, serving(Behaviour(user="ada", password=SECRET, tokens=True)) as server:
        pushing.push(layout, root, at(server), log_in(server))
        storage.blobs = dict(server.blobs)
        server.behaviour.storage = storage.address
        pulling.pull(elsewhere, at(server), log_in(server))
        assert len(storage.asked) == 2
        assert all(call.authorization == "" for call in storage.asked)
    assert elsewhere.read(digest.of_bytes(b"data")) == b"data"


@pytest.mark.parametrize("target", ["http://storage.example.org", "ftp://127.0.0.1", "file:///etc"])
def test_a_registry_that_sends_to_an_unsafe_place_is_not_followed(layout, elsewhere, target):
    root = artifact(layout, b"data")
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.storage = target
        with pytest.raises(MissingPartError, match="without TLS") as caught:
            pulling.pull(elsewhere, at(server), access())
        assert "hidden" not in str(caught.value)


def test_a_redirect_to_what_is_no_address_is_refused(layout, elsewhere):
    root = artifact(layout, b"data")
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.storage = "http://["
        with pytest.raises(MissingPartError, match="no address"):
            pulling.pull(elsewhere, at(server), access())


def test_a_circle_of_redirects_ends(layout, elsewhere):
    root = artifact(layout, b"data")
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.storage = f"{server.address}/v2/group/thing/blobs/{digest.of_bytes(b'data')}?"
        with pytest.raises(MissingPartError, match="redirects"):
            pulling.pull(elsewhere, at(server), access())


def test_a_login_of_a_netrc_file_is_not_sent(layout, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password n3trc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving() as server:
        pushing.push(layout, artifact(layout, b"data"), at(server), access())
        assert {call.authorization for call in server.asked} == {""}


def test_no_proxy_stands_before_this_machine(layout, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving() as server:
        assert pushing.push(layout, artifact(layout, b"data"), at(server), access()).sent > 0


# hostile answers


def test_a_registry_s_words_are_told_without_control_characters(elsewhere):
    with serving() as server, pytest.raises(RefusedError, match="MANIFEST_UNKNOWN") as caught:
        pulling.pull(elsewhere, at(server), access())
    assert "\x1b" not in str(caught.value)


def test_a_blob_that_is_another_is_refused_and_gets_no_name(layout, elsewhere):
    root = artifact(layout, b"data")
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.blobs["group/thing", digest.of_bytes(b"data")] = b"dada"
        with pytest.raises(InputError, match="not what its digest says"):
            pulling.pull(elsewhere, at(server), access(), threads=1)
    assert not elsewhere.has(digest.of_bytes(b"data"))
    assert not elsewhere.has(root.digest)
    assert partials(elsewhere) == []


def test_a_blob_that_is_larger_than_declared_is_cut_off(layout, elsewhere):
    root = artifact(layout, b"data")
    with serving() as server:
        pushing.push(layout, root, at(server), access())
        server.behaviour.extra = b"0" * 5_000_000
        with pytest.raises(InputError, match="found more"):
            pulling.pull(elsewhere, at(server), access(), threads=1)
    assert partials(elsewhere) == []


def put(server: State, value: object, kind: str = MANIFEST_TYPE) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    name = digest.of_bytes(data)
    server.manifests["group/thing", "1"] = server.manifests["group/thing", name] = (kind, data)
    return name


def test_a_tag_whose_manifest_isn_t_what_the_registry_says_is_refused(layout, elsewhere):
    with serving(Behaviour(says_digest=f"sha256:{'a' * 64}")) as server:
        put(server, {"schemaVersion": 2})
        with pytest.raises(InputError, match="not what its digest says"):
            pulling.pull(elsewhere, at(server), access())


DESCRIPTOR = {"mediaType": EMPTY, "digest": digest.of_bytes(b"{}"), "size": 2}
HOSTILE = {
    "no JSON": b"<html>",
    "a list": [],
    "schema 1": {"schemaVersion": 1, "fsLayers": []},
    "no layers": {"schemaVersion": 2, "config": DESCRIPTOR},
    "both kinds": {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [], "manifests": []},
    "another kind": {"schemaVersion": 2, "mediaType": "a/b", "config": DESCRIPTOR, "layers": []},
    "a short digest": {"schemaVersion": 2, "config": DESCRIPTOR | {"digest": "sha256:12"}, "layers": []},
    "a way out": {"schemaVersion": 2, "config": DESCRIPTOR | {"digest": "sha256:../../x"}, "layers": []},
    "negative size": {"schemaVersion": 2, "config": DESCRIPTOR | {"size": -1}, "layers": []},
    "half a byte": {"schemaVersion": 2, "config": DESCRIPTOR | {"size": 1.5}, "layers": []},
    "layers that are none": {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [1]},
    "two sizes": {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [DESCRIPTOR | {"size": 3}]},
    "deep JSON": b"[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_refused_with_a_message(elsewhere, name):
    with serving() as server:
        put(server, HOSTILE[name])
        with pytest.raises(InputError):
            pulling.pull(elsewhere, at(server), access())
        assert server.calls("GET", "/blobs/") == []
    assert list(elsewhere.blobs()) == []


def test_a_manifest_of_more_than_four_megabytes_is_refused(elsewhere):
    with serving() as server:
        put(server, b" " * 5_000_000)
        with pytest.raises(MissingPartError, match="more than 4194304 bytes"):
            pulling.pull(elsewhere, at(server), access())


def test_an_index_that_nests_a_thousand_deep_is_refused(elsewhere):
    with serving() as server:
        inner: dict[str, object] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
        for _ in range(1000):
            data = json.dumps(inner).encode()
            child = {"mediaType": INDEX_TYPE, "digest": put(server, inner, INDEX_TYPE), "size": len(data)}
            inner = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [child]}
        put(server, inner, INDEX_TYPE)
        with pytest.raises(InputError, match="nested at most"):
            pulling.pull(elsewhere, at(server), access())
        assert len(server.asked) < 20
    assert list(elsewhere.blobs()) == []


def test_a_manifest_in_an_index_that_is_another_is_refused(layout, elsewhere):
    child, other = artifact(layout, b"data"), artifact(layout, b"dada")
    assert child.size == other.size
    with serving() as server:
        for one in (other, index(layout, child)):
            pushing.push(layout, one, at(server), access())
        server.manifests["group/thing", child.digest] = server.manifests["group/thing", other.digest]
        with pytest.raises(InputError, match="not what its digest says"):
            pulling.pull(elsewhere, at(server), access())
    assert list(elsewhere.blobs()) == []


def test_a_manifest_of_an_unknown_kind_in_an_index_is_refused(elsewhere):
    with serving() as server:
        child = {"mediaType": "application/x-unknown", "digest": digest.of_bytes(b"{}"), "size": 2}
        put(server, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [child]}, INDEX_TYPE)
        with pytest.raises(InputError, match="known here"):
            pulling.pull(elsewhere, at(server), access())


def test_the_first_error_ends_a_pull_of_many_blobs(layout, elsewhere):
    root = artifact(layout, *(bytes([number]) * 1000 for number in range(200)))
    with serving() as server:
        pushing.push(layout, root, at(server), access(), threads=8)
        for key in list(server.blobs):
            server.blobs[key] = b"?" * len(server.blobs[key])
        server.asked.clear()
        with pytest.raises(InputError):
            pulling.pull(elsewhere, at(server), access(), threads=4)
        assert len(server.calls("GET", "/blobs/")) < 60
    assert threading.active_count() < 10


# referrers


@pytest.mark.parametrize("has_list", [True, False])
def test_what_refers_to_a_manifest_is_listed_by_any_registry(layout, elsewhere, has_list):
    root = capsule(layout)
    reports = [artifact(layout, name, subject=root, kind="x/report") for name in (b"one", b"two")]
    approval = artifact(layout, b"yes", subject=root, kind="x/approval")
    with serving(Behaviour(referrers=has_list)) as server:
        for entry in (*reports, approval):
            pushing.push(layout, entry, at(server, f"group/thing@{entry.digest}"), access())
        subject = at(server, f"group/thing@{root.digest}")
        assert {entry.digest for entry in referrers.listed(subject, access())} == {
            entry.digest for entry in (*reports, approval)
        }
        found = referrers.listed(subject, access(), "x/report")
        assert [entry.digest for entry in found] == sorted(entry.digest for entry in reports)
        tagged = {name for _, name in server.manifests if name.startswith("sha256-")}
        assert tagged == (set() if has_list else {root.digest.replace(":", "-")})
        # The subject went along; and comes along.
        pulling.pull(elsewhere, at(server, f"group/thing@{approval.digest}"), access())
    assert set(layout.blobs()) - set(elsewhere.blobs()) == {
        digest.of_bytes(b"one"),
        digest.of_bytes(b"two"),
        *(entry.digest for entry in reports),
    }


def test_a_report_on_something_that_isn_t_there_can_be_pushed(layout):
    gone = Descriptor(MANIFEST_TYPE, digest.of_bytes(b"gone"), 4)
    report = artifact(layout, b"report", subject=gone, kind="x/report")
    with serving() as server:
        pushing.push(layout, report, at(server, f"group/thing@{report.digest}"), access())
        found = referrers.listed(at(server, f"group/thing@{gone.digest}"), access())
        assert [(entry.digest, entry.artifact_type) for entry in found] == [(report.digest, "x/report")]


def test_pushing_a_report_again_lists_it_once(layout):
    root = artifact(layout, b"data")
    report = artifact(layout, b"report", subject=root, kind="x/report")
    with serving() as server:
        for _ in range(2):
            pushing.push(layout, report, at(server, f"group/thing@{report.digest}"), access())
        assert len(referrers.listed(at(server, f"group/thing@{root.digest}"), access())) == 1


def test_a_layout_lists_what_refers_to_a_manifest(layout):
    root = artifact(layout, b"data")
    report = artifact(layout, b"report", subject=root, kind="x/report")
    assert referrers.in_layout(layout, root.digest) == ()
    layout.attach(report)
    layout.name("data", root)
    assert [entry.digest for entry in referrers.in_layout(layout, root.digest)] == [report.digest]
    assert [entry.digest for entry in referrers.in_layout(layout, root.digest, "x/report")] == [report.digest]
    assert referrers.in_layout(layout, root.digest, "x/approval") == ()


def test_everything_reached_is_listed_with_children_first(layout):
    root = capsule(layout)
    reached = manifests.walk(root, lambda wanted: layout.read(wanted.digest))
    order = [described.digest for described, _ in reached.manifests]
    assert order[-1] == root.digest
    assert len(order) == 4
    for described, data in reached.manifests:
        for child in manifests.parse(data, described).manifests:
            assert order.index(child.digest) < order.index(described.digest)
