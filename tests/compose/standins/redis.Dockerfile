# In place of `redis:7`: Debian's Redis, which keeps its file in /data.
FROM ipx-standin-debian
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends redis-server \
  && mkdir /data && chown redis /data
VOLUME /data
WORKDIR /data
USER redis
CMD ["redis-server"]
