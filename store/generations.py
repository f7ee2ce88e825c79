"""Life of a generation: created, filled chunk by chunk, verified, published, replaced, swept."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import redis

from store import documents, scripts
from store.buckets import chunk_count
from store.chunks import Chunks
from store.connection import store_errors
from store.generation import FORMAT, Generation, Layout, Pointer
from store.keys import Keys
from store.rows import id_width
from store.sweeping import remove, sweep_model
from store.verification import verify_content
from topshelf.errors import (
    FenceLost,
    GenerationIncomplete,
    GenerationNotFound,
    ModelOnHold,
    NothingToRollBack,
)

__all__ = ["Generation", "Generations", "Pointer"]

OVERTAKEN = "overtaken by a later run"


class Generations:
    """Every generation of every model in one serving Redis.

    Attributes:
        chunks: those of the generations that are being filled.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self.chunks = Chunks(client, keys)

    @store_errors()
    def next_fence(self, model: str, *, above: int = 0) -> int:
        """Raise the model's fence; whoever held a lower one can publish no more.

        The new one is over ``above``, too: one given out before, which a killed server may have lost.
        """
        fence = self._client.incr(self._keys.fence(model))
        return fence if fence > above else self._client.incrby(self._keys.fence(model), above - fence + 1)

    @store_errors()
    def create(
        self,
        model: str,
        *,
        fence: int,
        layout: Layout,
        dataset: str,
        artifact: str,
        knn: str,
        n_users: int,
        n_items: int,
        n_buckets: int,
        buckets_per_chunk: int,
        k_store: int,
        cut_off: str,
        score_width: int = 0,
        rules: str = "",
        search: str = "exact",
        ef: int = 0,
        index: str = "",
        recall: float | None = None,
        base: str = "",
        newer: str = "",
    ) -> Generation:
        """Open a generation for writing; its id is the fence, so it is never given out twice.

        The same call again, after a crash, returns the record that is there. A delta names its ``base``, and
        in ``newer`` the dataset version its histories come from.
        """
        generation = Generation(
            model=model,
            id=str(fence),
            state="building",
            layout=layout,
            dataset=dataset,
            artifact=artifact,
            knn=knn,
            n_users=n_users,
            n_items=n_items,
            n_buckets=n_buckets,
            n_chunks=chunk_count(n_buckets, buckets_per_chunk),
            buckets_per_chunk=buckets_per_chunk,
            k_store=k_store,
            id_width=id_width(n_items),
            fence=fence,
            cut_off=cut_off,
            created=_now(),
            score_width=score_width,
            rules=rules,
            search=search,
            ef=ef,
            index=index,
            recall=recall,
            base=base,
            newer=newer,
            format=FORMAT,
        )
        self._client.sadd(self._keys.models, model)
        record = [part for pair in generation.to_fields().items() for part in pair]
        names = [self._keys.generation(model, generation.id), self._keys.generations(model)]
        created = scripts.run(self._client, "create_generation", names, [generation.id, fence, *record])
        return generation if created else self.get(model, generation.id)

    @store_errors()
    def get(self, model: str, generation: str) -> Generation:
        """One generation.

        Raises:
            GenerationNotFound: there is none with this id, or it was swept away.
        """
        raw = self._client.hgetall(self._keys.generation(model, generation))
        if not raw:
            raise GenerationNotFound(f"{model} has no generation {generation}")
        return Generation.from_fields(raw)

    def open(self, model: str, generation: str) -> Generation:
        """One generation whose content is to be read or written.

        Raises:
            GenerationNotFound: as :meth:`get`.
            LaterVersion: a later version of the code wrote it.
        """
        found = self.get(model, generation)
        found.check_format()
        return found

    @store_errors()
    def models(self) -> list[str]:
        """Models that ever had a generation, sorted."""
        return sorted(
            model.decode() for model in cast("set[bytes]", self._client.smembers(self._keys.models))
        )

    @store_errors()
    def pointer(self, model: str) -> Pointer | None:
        """What readers serve; None before the first publication."""
        text = cast("bytes | None", self._client.get(self._keys.live(model)))
        return Pointer.parse(text.decode()) if text else None

    def live(self, model: str) -> Generation | None:
        """The live base generation; None before the first publication."""
        pointer = self.pointer(model)
        return self.get(model, pointer.base) if pointer else None

    def layers(self, model: str) -> Sequence[Generation]:
        """What is live: the base, then the delta where there is one; nothing before the first publication."""
        pointer = self.pointer(model)
        names = [] if pointer is None else [pointer.base, pointer.delta]
        return [self.get(model, name) for name in names if name]

    @store_errors()
    def write_segments(
        self, model: str, generation: str, rows: Sequence[bytes], labels: Sequence[str]
    ) -> None:
        """Write the lists of the layout ``segments``: ``rows[n]`` is the packed list of ``labels[n]``."""
        name = self._keys.segments(model, generation)
        content: dict[str, bytes] = {str(number): row for number, row in enumerate(rows)}
        content["labels"] = documents.dump(list(labels))
        with self._client.pipeline(transaction=True) as pipe:
            pipe.unlink(name)
            pipe.hset(name, mapping=content)  # type: ignore[arg-type]
            pipe.execute()

    @store_errors()
    def verify(self, model: str, generation: str) -> Generation:
        """Count what stands in Redis and mark the generation ready; one that is ready or live stays so.

        Raises:
            GenerationNotFound: there is no such generation.
            GenerationIncomplete: something is missing, or the generation failed or was retired.
        """
        found = self.get(model, generation)
        if found.state == "building":
            warning = verify_content(self._client, self._keys, found)
            scripts.run(self._client, "mark_ready", [self._keys.generation(model, generation)], [warning])
            found = self.get(model, generation)
        if found.state not in ("ready", "live"):
            raise GenerationIncomplete(_forbidding(model, generation, found.state))
        return found

    @store_errors()
    def publish(
        self,
        model: str,
        generation: str,
        fence: int,
        *,
        overlap: float | None = None,
        changed: float | None = None,
    ) -> Pointer:
        """Flip the pointer to a ready generation, at once and for every reader; the delta before is dropped.

        A delta is laid over its base, which stays. ``overlap`` and ``changed`` go into its record. Publishing
        again what is live already changes nothing.

        Raises:
            GenerationNotFound: there is no such generation.
            FenceLost: a later run or a rollback raised the fence since, or a delta's base is not live.
            GenerationIncomplete: the generation is not ready.
            ModelOnHold: a rollback holds the model.
        """
        stem = self._keys.generation_stem(model)
        churn = ["" if share is None else share for share in (overlap, changed)]
        answer = scripts.run_text(
            self._client, "publish", self._pointer_keys(model), [stem, generation, fence, _now(), *churn]
        )
        if answer == "ok":
            return self.get(model, generation).pointer
        if answer == "missing":
            raise GenerationNotFound(f"{model} has no generation {generation}")
        if answer == "fence_lost":
            raise FenceLost(f"a later run of {model} overtook generation {generation}; nothing was published")
        if answer == "base_lost":
            raise FenceLost(
                f"delta {generation} of {model} was made over a generation that is not live; "
                "nothing was published"
            )
        if answer == "hold":
            raise ModelOnHold(f"{model} was rolled back and is on hold; `topshelf release {model}` lifts it")
        raise GenerationIncomplete(_forbidding(model, generation, answer))

    @store_errors()
    def rollback(self, model: str) -> Pointer:
        """Go back one step, hold the model and raise its fence; returns the new pointer.

        Raises:
            NothingToRollBack: there is neither a delta nor a previous generation.
        """
        stem = self._keys.generation_stem(model)
        answer = scripts.run_text(self._client, "rollback", self._pointer_keys(model), [stem, _now()])
        if not answer:
            raise NothingToRollBack(f"{model} has no delta and no previous generation")
        return Pointer.parse(answer)

    @store_errors()
    def release(self, model: str) -> bool:
        """Lift the hold of a rollback; False when there was none."""
        return bool(self._client.delete(self._keys.hold(model)))

    @store_errors()
    def held_since(self, model: str) -> str | None:
        """ISO time of the rollback that holds the model; None when nothing does."""
        since = cast("bytes | None", self._client.get(self._keys.hold(model)))
        return since.decode() if since else None

    @store_errors()
    def fail(self, model: str, generation: str, reason: str) -> bool:
        """Give a generation up that was never published; False when it is in no state to fail."""
        name = self._keys.generation(model, generation)
        return bool(scripts.run(self._client, "fail_generation", [name], [reason]))

    @store_errors()
    def sweep(self, model: str, *, retire_after_seconds: float, zombie_after_seconds: float) -> int:
        """Unlink what is neither live nor the rollback's target and had its time; returns the keys unlinked.

        Generations that a later run overtook before they were published are failed first. With the last
        generation that names a catalogue or a neighbour artifact, that goes, too.
        """
        fence = int(cast("bytes | None", self._client.get(self._keys.fence(model))) or 0)
        for generation in self.list(model):
            if generation.state in ("building", "ready") and generation.fence < fence:
                self.fail(model, generation.id, OVERTAKEN)
        unlinked, due = sweep_model(
            self._client,
            self._keys,
            self.list(model),
            self.pointer(model),
            retire_after_seconds=retire_after_seconds,
            zombie_after_seconds=zombie_after_seconds,
        )
        if due:
            gone = {(generation.model, generation.id) for generation in due}
            named = [generation for name in self.models() for generation in self.list(name)]
            kept = [generation for generation in named if (generation.model, generation.id) not in gone]
            unlinked += remove(self._client, self._keys, due, kept, unused_after_seconds=zombie_after_seconds)
        return unlinked

    def _pointer_keys(self, model: str) -> tuple[str, str, str]:
        return self._keys.live(model), self._keys.fence(model), self._keys.hold(model)

    @store_errors()
    def list(self, model: str) -> list[Generation]:
        """The model's generations, newest first."""
        ids = self._client.zrange(self._keys.generations(model), 0, -1, desc=True)
        with self._client.pipeline(transaction=False) as pipe:
            for generation in cast("list[bytes]", ids):
                pipe.hgetall(self._keys.generation(model, generation.decode()))
            return [Generation.from_fields(raw) for raw in pipe.execute() if raw]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _forbidding(model: str, generation: str, state: str) -> str:
    return f"generation {generation} of {model} is {state}, it cannot be published"
