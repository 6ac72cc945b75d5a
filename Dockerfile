# syntax=docker/dockerfile:1
# The instance (database, key, backups) is the volume /data, which belongs to the user `portal`.

FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements.lock ./
RUN python -m venv /opt/portal && /opt/portal/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml setup.cfg README.md LICENSE MANIFEST.in ./
COPY portal portal
RUN /opt/portal/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data portal \
    && install -d -o portal -g portal -m 700 /data
COPY --from=build /opt/portal /opt/portal
ENV PATH=/opt/portal/bin:$PATH PORTAL_INSTANCE=/data PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["portal"]
CMD ["serve", "--host", "0.0.0.0"]
