from itertools import islice
from pathlib import Path

import pytest

from topshelf.bot.requests import Target, requests_for, users_in, users_of
from topshelf.errors import InvalidRequest

HERE = Target.of("http://127.0.0.1:8000")


def lines(request: bytes) -> list[str]:
    return request.decode().split("\r\n")


def test_requests_are_for_users_by_chance_and_models_in_turn() -> None:
    sent = list(islice(requests_for(HERE, "secret", users_in("1-943"), ["als", "ease"], seed=1), 4_000))
    paths = [lines(request)[0].split(" ")[1] for request in sent]
    assert [path.split("/")[2] for path in paths[:4]] == ["als", "ease", "als", "ease"]
    users = {int(path.split("/")[3]) for path in paths}
    assert (min(users), max(users)) == (1, 943)
    assert len(users) > 900
    assert lines(sent[0])[1:] == ["Host: 127.0.0.1:8000", "Authorization: Bearer secret", "", ""]
    again = requests_for(HERE, "secret", users_in("1-943"), ["als", "ease"], seed=1)
    assert list(islice(again, 4_000)) == sent


def test_the_profiler_is_armed_on_one_request_in_so_many() -> None:
    sent = islice(requests_for(HERE, "t", users_in("7"), ["als"], profile_every=3), 7)
    assert [b"X-Topshelf-Profile: 1\r\n" in request for request in sent] == [True, False, False] * 2 + [True]


def test_odd_ids_and_a_number_of_items_are_put_into_the_path() -> None:
    target = Target.of("https://reader.example/shelf/")
    [request] = islice(requests_for(target, "t", ["a/b c\u00e9"], ["als"], k=5), 1)
    assert lines(request)[:2] == [
        "GET /shelf/reco/als/a%2Fb%20c%C3%A9?k=5 HTTP/1.1",
        "Host: reader.example",
    ]


def test_users_are_a_range_or_one() -> None:
    assert list(users_in("3-5")) == [3, 4, 5]
    assert list(users_in("7")) == [7]
    for strange in ("", "a-b", "5-3", "1-", "-5", "1-2-3", "\u00b2"):
        with pytest.raises(InvalidRequest, match=r"1-943|no users"):
            users_in(strange)


def test_users_of_a_file_are_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    file.write_text("12\n\n  anna \n")
    assert users_of(file) == ["12", "anna"]
    file.write_text("\n")
    with pytest.raises(InvalidRequest, match="names no users"):
        users_of(file)
    for unreadable in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InvalidRequest, match="cannot be read"):
            users_of(unreadable)


def test_a_url_says_where_the_reader_is() -> None:
    assert Target.of("https://reader.example/a") == Target("reader.example", 443, True, "/a")
    assert Target.of("http://[::1]:8000/").name == "[::1]:8000"
    for strange in ("reader:8000", "ftp://reader", "http://", "http://reader:port"):
        with pytest.raises(InvalidRequest):
            Target.of(strange)
