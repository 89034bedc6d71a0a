# Stands in for haproxy:3.0: Debian's HAProxy 3.0, for the number that the official image runs as.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGUSR1
USER 99
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
