# A machine whose first process is systemd, with the gateway in /opt/ipx as it is in our image.
ARG OURS
FROM $OURS
USER root
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends systemd systemd-sysv dbus curl
HEALTHCHECK NONE
ENTRYPOINT ["/sbin/init"]
CMD []
