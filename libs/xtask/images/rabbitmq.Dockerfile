# Stands in for rabbitmq:4-management: Debian's RabbitMQ 4 with the account and folders of the official image. The
# server itself reads RABBITMQ_DEFAULT_USER, _PASS and _VHOST.
# hadolint global ignore=DL3008
FROM debian:trixie-slim
RUN groupadd --system --gid 999 rabbitmq \
    && useradd --system --uid 999 --gid rabbitmq --home-dir /var/lib/rabbitmq rabbitmq \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie \
    && mkdir -p /etc/rabbitmq/conf.d \
    && echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins \
    && printf 'loopback_users = none\nlog.console = true\n' > /etc/rabbitmq/conf.d/10-defaults.conf \
    && echo > /etc/rabbitmq/rabbitmq-env.conf \
    && chown -R rabbitmq: /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq
ENV PATH=/usr/lib/rabbitmq/bin:$PATH HOME=/var/lib/rabbitmq LANG=C.UTF-8
USER 999
VOLUME /var/lib/rabbitmq
EXPOSE 5672 15672 15692
CMD ["rabbitmq-server"]
