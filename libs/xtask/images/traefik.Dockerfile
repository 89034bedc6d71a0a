# Stands in for traefik: the same release, built from its Go module without the dashboard's page.
FROM debian:trixie-slim
COPY --chmod=755 traefik /usr/local/bin/traefik
USER 65532
ENTRYPOINT ["traefik"]
