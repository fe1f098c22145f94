# One image for every command: `docker run leadstream worker`, `docker run leadstream topics`, …
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/leadstream \
 && /opt/leadstream/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY stream stream
COPY schemas schemas
RUN /opt/leadstream/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent leadstream
COPY --from=build /opt/leadstream /opt/leadstream
ENV PATH=/opt/leadstream/bin:$PATH PYTHONUNBUFFERED=1
USER leadstream
WORKDIR /tmp
# A worker answers here once its event loop turns; other commands are to be run with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import os,urllib.request as r; r.urlopen('http://127.0.0.1:'+os.environ.get('LEADSTREAM_WEB_PORT','6066')+'/health/live', timeout=2)"]
ENTRYPOINT ["leadstream"]
CMD ["worker"]
