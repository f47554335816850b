# In place of `postgres:16`: Debian's PostgreSQL, begun as compose.yaml needs it.
FROM ipx-standin-debian
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends postgresql
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY postgres-entrypoint /entrypoint
RUN mkdir --parents $PGDATA /run/postgresql && chown --recursive postgres /var/lib/postgresql /run/postgresql && chmod 755 /entrypoint
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/entrypoint"]
CMD ["postgres"]
