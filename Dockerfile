# The command as an image: not root, and a root file system that may be read-only.
#   docker build -t netbird-tokens .
#   docker run --rm --read-only --tmpfs /tmp -v "$PWD:/work" -e NB_PAT netbird-tokens plan
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
COPY schemas schemas
COPY .ci/constraints.txt constraints.txt
ARG EXTRAS=""
RUN python -m venv /opt/netbird-tokens \
 && /opt/netbird-tokens/bin/pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.13-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/* \
 && git config --system --add safe.directory /work
COPY --from=build /opt/netbird-tokens /opt/netbird-tokens
ENV PATH=/opt/netbird-tokens/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /work
# The command is the first process, so a signal to the container reaches it.
ENTRYPOINT ["netbird-tokens"]
CMD ["--help"]
