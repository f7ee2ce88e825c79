# Workers, beat and Flower. EXTRAS adds what a worker trains and logs with: train,local,deep,lightfm,tune,track.
FROM python:3.12-slim AS build
ARG EXTRAS=train,local
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
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
# OpenMP, which implicit is built with.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 topshelf && install -d -o topshelf /data /cache
COPY --from=build /venv /venv
COPY deploy/probe.py /probe.py
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TOPSHELF_CACHE_DIR=/cache \
    TOPSHELF_DATA_DIR=/data \
    TOPSHELF_FLOWER_HOST=0.0.0.0
WORKDIR /home/topshelf
USER topshelf
VOLUME /data
CMD ["topshelf", "worker"]
