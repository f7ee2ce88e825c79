from tests.api.caller import Caller
from tests.api.shop import Shop


def samples(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


def test_requests_are_counted_by_route_not_by_user(stocked: Shop, api: Caller) -> None:
    for user in (1, 2, "abc"):
        api.get(f"/reco/als/{user}")
    found = samples(api.get("/metrics").text)
    route = 'method="GET",route="/reco/{model_name}/{user_id:path}"'
    assert found[f'topshelf_requests_total{{{route},status="200"}}'] == 2
    assert found[f'topshelf_requests_total{{{route},status="404"}}'] == 1
    assert found[f"topshelf_request_seconds_count{{{route}}}"] == 3


def test_lists_are_counted_by_source(stocked: Shop, api: Caller) -> None:
    api.get("/reco/als/1")
    api.get("/reco/als/999")
    api.post("/reco/als", json={"user_ids": [1, 2]})
    found = samples(api.get("/metrics").text)
    assert found['topshelf_lists_total{model="als",source="cache"}'] == 3
    assert found['topshelf_lists_total{model="als",source="popular"}'] == 1


def test_the_age_of_each_live_generation_is_told(stocked: Shop, api: Caller) -> None:
    found = samples(api.get("/metrics").text)
    assert 0 <= found['topshelf_generation_age_seconds{model="als"}'] < 60


def test_what_nobody_routes_is_one_series(api: Caller) -> None:
    for path in ("/a", "/b"):
        api.get(path)
    found = samples(api.get("/metrics").text)
    assert found['topshelf_requests_total{method="GET",route="none",status="404"}'] == 2
