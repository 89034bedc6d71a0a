# Stands in for keycloak/keycloak:26.7: Keycloak as Maven Central has it, on Debian's Java 21.
# The build context is a folder with that distribution, unpacked, as `keycloak`.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends openjdk-21-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --gid 0 --no-create-home --home-dir /opt/keycloak keycloak
COPY --chown=1000:0 keycloak /opt/keycloak
RUN mkdir -p /opt/keycloak/data/import && chown -R 1000:0 /opt/keycloak/data
USER 1000
EXPOSE 8080 9000
ENV KC_RUN_IN_CONTAINER=true LANG=C.UTF-8
ENTRYPOINT ["/opt/keycloak/bin/kc.sh"]
