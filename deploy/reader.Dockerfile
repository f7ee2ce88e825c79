# The reader: no torch, no training libraries. EXTRAS=api leaves out Celery, and with it POST /jobs.
FROM python:3.12-slim AS build
ARG EXTRAS=control
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY api api
COPY interactions interactions
COPY knn knn
COPY models models
COPY store store
COPY topshelf topshelf
COPY workers workers
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 topshelf && install -d -o topshelf /cache
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 TOPSHELF_CACHE_DIR=/cache TOPSHELF_API_HOST=0.0.0.0
USER topshelf
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["topshelf", "api"]
