# The reader: no torch, no training libraries. EXTRAS=api leaves out Celery, and with it POST /jobs.
FROM python:3.12-slim AS build
ARG EXTRAS=control,watch
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY api api
COPY knn knn
COPY store store
COPY topshelf topshelf
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 topshelf && install -d -o topshelf /cache
COPY --from=build /venv /venv
COPY deploy/probe.py /probe.py
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TOPSHELF_API_HOST=0.0.0.0 \
    TOPSHELF_CACHE_DIR=/cache
WORKDIR /home/topshelf
USER topshelf
VOLUME /cache
EXPOSE 8000
CMD ["python", "-m", "api"]
