"""ETag and If-None-Match: what did not change is not sent again."""

import pytest

from tests.api.conftest import Caller


@pytest.mark.parametrize("path", ["/contacts", "/contacts/1", "/webhook", "/deliveries", "/openapi.json"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_did_not_change_is_not_sent_again(api: Caller, contact_id: int, path: str, encoding: str) -> None:
    first = api.get(path, headers={"Accept-Encoding": encoding})
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = api.get(path, headers={"Accept-Encoding": encoding, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_what_changed_is_sent(api: Caller, contact_id: int) -> None:
    tag = api.get(f"/contacts/{contact_id}").headers["ETag"]
    api.put(f"/contacts/{contact_id}/interest-level", {"interest_level": 3})
    assert api.get(f"/contacts/{contact_id}", headers={"If-None-Match": tag}).status_code == 200


def test_no_error_and_no_change_has_a_tag(api: Caller, contact_id: int) -> None:
    assert "ETag" not in api.get("/contacts/999").headers
    assert "ETag" not in api.put(f"/contacts/{contact_id}/interest-level", {"interest_level": 3}).headers
