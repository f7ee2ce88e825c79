# Workers, beat, Flower and the exporter. EXTRAS says what a worker trains and logs with:
# train,local,watch,deep,lightfm,tune,track. With deep the packages of CUDA come along, as torch's wheels bring them
# (the host needs NVIDIA's driver and container toolkit only). TORCH_INDEX names an index with other wheels of
# torch: https://download.pytorch.org/whl/cpu has those without CUDA.
FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=train,local,watch
ARG TORCH_INDEX=
# lightfm-next has no wheels.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY interactions interactions
COPY knn knn
COPY models models
COPY store store
COPY topshelf topshelf
COPY workers workers
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --constraint constraints.txt \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm
# OpenMP, which implicit is built with.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 topshelf && install -d -o topshelf /data /cache
COPY --from=build /venv /venv
COPY deploy/probe.py /probe.py
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOPSHELF_CACHE_DIR=/cache \
    TOPSHELF_DATA_DIR=/data \
    TOPSHELF_FLOWER_HOST=0.0.0.0 \
    TOPSHELF_METRICS_HOST=0.0.0.0
WORKDIR /home/topshelf
USER 10001:10001
VOLUME /data
EXPOSE 5555 9540 9541
CMD ["topshelf", "worker"]
