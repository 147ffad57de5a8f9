"""URLs as paths and back, and which URLs are refused without repeating a secret."""

from pathlib import Path

import pytest

from metricloop.data.urls import URLError, path_of, stated, url_of, with_urls


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("s3://bucket/lions", "/s3:/bucket/lions"),
        ("s3://bucket/lions/", "/s3:/bucket/lions"),  # a slash at the end changes nothing
        ("S3://bucket", "/s3:/bucket"),
        ("gs://b/a b/100%.jpg", "/gs:/b/a b/100%.jpg"),  # keys of buckets are taken as they are
        ("az://container/x", "/az:/container/x"),
        ("https://host:8080/a%20b/c.jpg", "/https:/host:8080/a b/c.jpg"),  # names on a server are percent-encoded
    ],
)
def test_a_url_is_a_path_and_a_url_again(url, path):
    assert path_of(url) == Path(path)
    assert url_of(path) == url.replace("S3", "s3").rstrip("/")


def test_paths_are_joined_and_cut_as_on_a_disk():
    folder = path_of("s3://bucket/lions")
    assert stated(folder / "images/a.jpg") == "s3://bucket/lions/images/a.jpg"
    assert stated((folder / "images/a.jpg").parent) == "s3://bucket/lions/images"
    assert (folder / "a.jpg").is_relative_to(folder)


def test_places_on_this_machine_stay_as_they_are():
    assert path_of("lions/a:b") == Path("lions/a:b")
    assert path_of(Path("/data")) == Path("/data")
    assert path_of("file:///data/my%20lions") == Path("/data/my lions")
    assert stated("/data/s3:/x") == "/data/s3:/x"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://me:hunter2@host/lions", "no user or password"),
        ("s3://AKIA:hunter2@bucket/lions", "no user or password"),
        ("https://host/lions?X-Amz-Signature=hunter2", r"with \? or #"),
        ("ftp://host/lions", "read from s3://, gs://, az://, https://, file://"),
        ("simplecache::s3://bucket/hunter", "read from s3://"),
        ("s3://", "the name of the bucket is missing"),
        ("https:///x", "the name of the host is missing"),
    ],
)
def test_what_cannot_be_the_place_of_a_data_set_is_refused_without_its_secret(url, why):
    with pytest.raises(URLError, match=why) as refused:
        path_of(url)
    assert "hunter2" not in str(refused.value)


def test_messages_name_urls_and_not_the_paths_that_stand_for_them():
    assert with_urls("/s3:/b/x.json: broken; see /data/s3:/y") == "s3://b/x.json: broken; see /data/s3:/y"
    assert with_urls("is (/https:/host/a.jpg)") == "is (https://host/a.jpg)"
