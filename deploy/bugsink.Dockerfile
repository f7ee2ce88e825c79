# Bugsink, which speaks Sentry's protocol, with its own settings for containers.
FROM python:3.12-slim-bookworm AS build
RUN python -m venv --without-pip /venv \
 && pip --python /venv/bin/python install --no-cache-dir bugsink==2.6.2 \
 && cd /venv && bin/bugsink-create-conf --template=docker

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 bugsink && install -d -o bugsink /data
COPY --from=build /venv /venv
COPY deploy/bugsink/start.sh /start.sh
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/venv \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["sh", "/start.sh"]
