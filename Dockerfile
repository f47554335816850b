# Two stages: wheels are built in the first, the second holds Python, the wheels and nothing else.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY constraints.txt pyproject.toml hatch_build.py README.md LICENSE ./
RUN python -m venv /opt/ipx && /opt/ipx/bin/pip install --no-cache-dir --require-hashes -r constraints.txt
COPY ipx ipx
COPY connectors connectors
COPY policies policies
COPY gateway gateway
COPY frontend frontend
RUN /opt/ipx/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/ipx ipx
COPY --from=build /opt/ipx /opt/ipx
ENV PATH=/opt/ipx/bin:$PATH PYTHONUNBUFFERED=1 IPX_VAR=/var/lib/ipx IPX_BIND=0.0.0.0:8080
USER ipx
WORKDIR /var/lib/ipx
VOLUME /var/lib/ipx
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["ipx-gateway"]
CMD ["serve"]
