from tests.api.caller import Caller
from tests.api.shop import Shop


def samples(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


ROUTE = 'method="GET",model="{}",route="/reco/{{model_name}}/{{user_id:path}}",source="{}",status="{}"'


def requests(text: str, model: str, source: str, status: int) -> float:
    return samples(text)[f"topshelf_requests_total{{{ROUTE.format(model, source, status)}}}"]


def test_requests_are_counted_by_route_not_by_user(stocked: Shop, api: Caller) -> None:
    for user in (1, 2, 999, "abc"):
        api.get(f"/reco/als/{user}")
    api.get("/reco/als/1?k=3")
    text = api.get("/metrics").text
    assert requests(text, "als", "cache", 200) == 3
    assert requests(text, "als", "popular", 200) == 1
    assert requests(text, "als", "", 404) == 1
    seconds = 'method="GET",route="/reco/{model_name}/{user_id:path}"'
    assert samples(text)[f"topshelf_request_seconds_count{{{seconds}}}"] == 5


def test_models_that_are_not_served_are_one_series(stocked: Shop, api: Caller) -> None:
    for model in ("made", "up"):
        api.get(f"/reco/{model}/1")
    assert requests(api.get("/metrics").text, "unknown", "", 404) == 2


def test_what_is_about_no_model_has_none(stocked: Shop, api: Caller) -> None:
    api.get("/health")
    labels = 'method="GET",model="",route="/health",source="",status="200"'
    assert samples(api.get("/metrics").text)[f"topshelf_requests_total{{{labels}}}"] == 1


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
    assert found['topshelf_requests_total{method="GET",model="",route="none",source="",status="404"}'] == 2
