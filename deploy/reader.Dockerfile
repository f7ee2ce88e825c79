# The reader: no torch, no training libraries, and no Celery, so that POST /jobs answers 503.
# The control API is the same image made with EXTRAS=control,watch.
FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=api,watch
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY api api
COPY knn knn
COPY store store
COPY topshelf topshelf
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 topshelf && install -d -o topshelf /cache
COPY --from=build /venv /venv
COPY deploy/probe.py /probe.py
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOPSHELF_API_HOST=0.0.0.0 \
    TOPSHELF_CACHE_DIR=/cache
WORKDIR /home/topshelf
USER 10001:10001
VOLUME /cache
EXPOSE 8000
CMD ["python", "-m", "api"]
