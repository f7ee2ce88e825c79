# MLflow's server, of the version that the workers' client was tested with.
FROM python:3.12-slim-bookworm AS build
COPY constraints.txt ./
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir --constraint constraints.txt mlflow

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 mlflow && install -d -o mlflow /mlflow
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /mlflow
USER 10001:10001
VOLUME /mlflow
EXPOSE 5000
