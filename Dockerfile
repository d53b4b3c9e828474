# The server: the app and its workers. Without torch.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY docs docs
COPY retia retia
RUN python -m venv /opt/retia \
    && /opt/retia/bin/pip install --no-cache-dir -c constraints.txt '.[server]'

FROM python:3.11.13-slim-bookworm
COPY --from=build /opt/retia /opt/retia
ENV PATH=/opt/retia/bin:$PATH PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/tmp/numba RETIA_DATA=/data
# The user of the nginx image too, which reads the public files.
RUN useradd --uid 101 --user-group --no-create-home retia \
    && install -d -o retia -g retia -m 0700 /data
USER 101:101
VOLUME /data
EXPOSE 8000
CMD ["retia", "serve", "--host", "0.0.0.0"]
