"""What a worker process keeps between chunks."""

import gc
import weakref

from interactions.dataset import Dataset
from tests.workers.filling import opened, trained
from workers.content import load_content, load_content_buckets
from workers.dispatch import Dispatcher
from workers.loading import load_shelf
from workers.runtime import Runtime


def test_nothing_of_one_artifact_is_kept_once_another_is_asked_for(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    generation = runtime.generations.get("als", opened(runtime, dispatcher, dataset).generation)
    load_content_buckets(runtime, generation)
    kept = weakref.ref(load_content(runtime, generation).shelf.model)
    assert load_content(runtime, generation).shelf.model is kept()
    load_shelf(runtime, trained(runtime, dataset, "item_knn"))
    gc.collect()
    assert kept() is None
