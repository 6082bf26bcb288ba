# One image for both entry points: `tablesplit ...` (the service and every command) and `python -m backfill`.
# Built again from the same commit it is the same image, byte for byte (docs/RELEASING.md).
# `--target kcl` is the same and what `--engine kcl` needs: a Java runtime, the daemon's jars, amazon_kclpy.
ARG PYTHON=python:3.12-slim
ARG MAVEN=maven:3-eclipse-temurin-17
# git is not in the build context: `make image` says the version
ARG VERSION=0.0.0

FROM ${PYTHON} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY deploy/build.lock deploy/image.lock ./
RUN python -m venv --without-pip /opt/tablesplit \
 && python -m venv /builder \
 && /builder/bin/pip install --quiet --require-hashes --requirement build.lock \
 && /builder/bin/pip --python /opt/tablesplit/bin/python install --quiet --no-compile --require-hashes \
    --report installed.json --requirement image.lock

FROM packages AS build
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY backfill backfill
ARG VERSION
ARG SOURCE_DATE_EPOCH=0
# the wheel is built without network: its build tools are the locked ones above; of the time of the build nothing is left
RUN SETUPTOOLS_SCM_PRETEND_VERSION="${VERSION}" /builder/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
 && /builder/bin/pip --python /opt/tablesplit/bin/python install --quiet --no-compile --no-deps --report own.json dist/*.whl \
 && /opt/tablesplit/bin/python -m compileall -qqf --invalidation-mode unchecked-hash /opt/tablesplit/lib \
 && find /opt -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# what pip says of the files that it installed, for the bill of materials
FROM scratch AS reports
COPY --from=build /build/installed.json /build/own.json /

FROM ${PYTHON} AS plain
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tablesplit" \
      org.opencontainers.image.description="Moves a live DynamoDB single table into purpose-built tables while the application keeps writing" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt /opt
ENV PATH=/opt/tablesplit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TABLESPLIT_HTTP_HOST=0.0.0.0 \
    TABLESPLIT_LOG_FORMAT=json
# a number, so that an orchestrator can see that it is not root; nothing is ever written to the root file system
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
# Inside the container the port stays 8080. Alive, not ready: a lane that has stopped needs a person, and a restart would not mend it (/readyz says so)
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
CMD ["tablesplit", "sync"]

# Maven holds each jar to its repository's checksum, and check_jars.sh those of the image to ours. Maven writes the modes of files into
# our jar. A Java runtime that is linked needs no other package
FROM ${MAVEN} AS daemon
WORKDIR /build
COPY deploy/kcl/pom.xml deploy/kcl/jars.sha256 deploy/kcl/check_jars.sh ./
COPY deploy/kcl/src/main src/main
RUN chmod --recursive u=rwX,go=rX . \
 && mvn --quiet --batch-mode --strict-checksums package \
 && sh check_jars.sh target/lib \
 && mkdir -p /made/opt/kcl \
 && mv target/streams-multilang-daemon.jar target/lib /made/opt/kcl \
 && jlink --add-modules java.se,jdk.crypto.ec,jdk.management,jdk.unsupported --no-header-files --no-man-pages --output /made/opt/java
ARG SOURCE_DATE_EPOCH=0
RUN find /made -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# amazon_kclpy comes as a source only; of the jars that it would fetch, it gets a line of text each, which nobody needs
FROM packages AS kclpy
COPY deploy/kcl.lock ./
ARG SOURCE_DATE_EPOCH=0
RUN KCL_MVN_REPO_SEARCH_URL=data:, /builder/bin/pip wheel --quiet --no-deps --no-build-isolation --require-hashes --wheel-dir dist \
    --requirement kcl.lock \
 && /builder/bin/pip --python /opt/tablesplit/bin/python install --quiet --no-compile --no-deps --root /made dist/*.whl \
 && rm -r /made/opt/tablesplit/bin /made/opt/tablesplit/lib/python*/site-packages/amazon_kclpy/jars/*.jar \
 && /opt/tablesplit/bin/python -m compileall -qqf --invalidation-mode unchecked-hash -s /made /made/opt/tablesplit/lib \
 && find /made -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM plain AS kcl
COPY --from=daemon /made/opt /opt
COPY --from=kclpy /made/opt /opt
ENV PATH=/opt/java/bin:$PATH \
    TABLESPLIT_KCL_JARS=/opt/kcl
# property files and a socket are written here; where nothing is mounted, user 10001 may write a volume of the engine's own
VOLUME ["/tmp"]

# the default: without any of this
FROM plain
