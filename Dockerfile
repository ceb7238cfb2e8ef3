# syntax=docker/dockerfile:1
# One target per process: listener, worker-cpu, worker-gpu, scheduler, api, migrate.
# All run as an unprivileged user, write only below /data, and need /tmp as a tmpfs when the root is read-only.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# CUDA 12 with cuDNN 9: what the wheels of onnxruntime-gpu are built against.
ARG CUDA_IMAGE=nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04

# ── the wheel: the same for every image ──────────────────────────────────────────────────────────────────────────────
FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY alembic alembic
COPY models models
COPY services services
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

# ── CPU ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
FROM ${PYTHON_IMAGE} AS installed-cpu
COPY requirements.lock /tmp/requirements.lock
COPY --from=wheel /wheels /wheels
# The lock file also pins the test tools; as a constraint it pins versions without asking for them.
# `evaluation` draws the pictures in the reports of `agatha evaluate`.
RUN python -m venv /opt/agatha \
    && /opt/agatha/bin/pip install --no-cache-dir --constraint /tmp/requirements.lock \
        "$(echo /wheels/agatha-*.whl)[cpu,evaluation]"

FROM ${PYTHON_IMAGE} AS cpu
RUN groupadd --gid 10001 agatha \
    && useradd --uid 10001 --gid agatha --no-create-home --home-dir /tmp --shell /usr/sbin/nologin agatha \
    && install --directory --owner agatha --group agatha --mode 0750 /data
COPY --from=installed-cpu /opt/agatha /opt/agatha
ENV PATH=/opt/agatha/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp AGATHA_DATA_DIR=/data
WORKDIR /tmp
VOLUME /data
USER 10001:10001

FROM cpu AS listener
ENV AGATHA_DICOM_BIND=0.0.0.0
EXPOSE 11112
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["agatha", "health", "listener"]
CMD ["agatha", "listener"]

FROM cpu AS worker-cpu
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s CMD ["agatha", "health", "worker"]
CMD ["agatha", "worker"]

FROM cpu AS scheduler
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["agatha", "health", "scheduler"]
CMD ["agatha", "scheduler"]

FROM cpu AS api
ENV AGATHA_HTTP_BIND=0.0.0.0
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s CMD ["agatha", "health", "api"]
CMD ["agatha", "api"]

FROM cpu AS migrate
HEALTHCHECK NONE
CMD ["agatha", "db", "upgrade"]

# ── GPU ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
FROM ${CUDA_IMAGE} AS gpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 agatha \
    && useradd --uid 10001 --gid agatha --no-create-home --home-dir /tmp --shell /usr/sbin/nologin agatha \
    && install --directory --owner agatha --group agatha --mode 0750 /data
COPY requirements.lock /tmp/requirements.lock
COPY --from=wheel /wheels /wheels
# onnxruntime and onnxruntime-gpu bring the same module: exactly one is installed, in the version the lock file names.
# `evaluation` as above.
RUN python3 -m venv /opt/agatha \
    && version="$(sed -n 's/^onnxruntime==\([^ ;\\]*\).*/\1/p' /tmp/requirements.lock | head -n 1)" \
    && /opt/agatha/bin/pip install --no-cache-dir --constraint /tmp/requirements.lock \
        "$(echo /wheels/agatha-*.whl)[evaluation]" "onnxruntime-gpu==${version}"
ENV PATH=/opt/agatha/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp AGATHA_DATA_DIR=/data
WORKDIR /tmp
VOLUME /data
USER 10001:10001

FROM gpu AS worker-gpu
ENV AGATHA_WORKER_QUEUES=gpu
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s CMD ["agatha", "health", "worker"]
CMD ["agatha", "worker"]
