# In place of `nginx:1.26`: Debian's nginx, which reads /etc/nginx/conf.d/.
FROM ipx-standin-debian
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends nginx-light curl \
  && rm /etc/nginx/sites-enabled/*
CMD ["nginx", "-g", "daemon off;"]
