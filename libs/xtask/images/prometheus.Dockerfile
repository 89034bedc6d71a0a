# Stands in for prom/prometheus: Debian's Prometheus with the folder and the number of the official image.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* && mkdir -p /prometheus && chown 65534:65534 /prometheus
WORKDIR /prometheus
USER 65534
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["prometheus"]
